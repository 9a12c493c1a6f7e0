/* SPDX-License-Identifier: MIT */
/*
 * checkup.c - owns what doctor knows about the meeting place and the kernel: runtime directory,
 * socket, broker, shared memory, membarrier, inotify, descriptors. Leftovers are checkup_shm.c's.
 *
 * Where a library call shows whether a thing works, it is called; only where it would not say why is
 * the system asked. Nothing is changed, and nothing is left.
 */
#include "config.h"
#include "checkup.h"
#include "units.h"
#include "verb.h"
#include "who.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DESCRIPTORS_MIN 64
#define PATH_CAP	4200

/* ---- where to meet --------------------------------------------------------------------------- */

static bool is_directory_of_ours(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static void runtime_check_set(struct checkup *c, const char *runtime)
{
	struct stat st;

	if (runtime[0] != '/')
		checkup_problem(c, "runtime", "XDG_RUNTIME_DIR", "set it to an absolute path",
				"'%s' is not absolute, so the temporary directory is used",
				runtime);
	else if (stat(runtime, &st) < 0)
		checkup_problem(c, "runtime", "XDG_RUNTIME_DIR",
				"make it, or unset the variable: others meet elsewhere",
				"%s: %s; the temporary directory is used", runtime,
				strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		checkup_problem(c, "runtime", "XDG_RUNTIME_DIR", "set it to a directory of yours",
				"%s is no directory; the temporary directory is used", runtime);
	else if (st.st_uid != geteuid())
		checkup_problem(c, "runtime", "XDG_RUNTIME_DIR",
				"unset it, as su and sudo should have",
				"%s belongs to user %" PRIu32 ", not to %" PRIu32
				"; the temporary directory is used",
				runtime, (uint32_t)st.st_uid, (uint32_t)geteuid());
	else
		checkup_fine(c, "runtime", "%s", runtime);
}

void checkup_runtime(struct checkup *c)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *env = getenv("BSTREAM_SOCKET");
	char usual[64];

	if (c->globals->socket || c->globals->system || (env && *env)) {
		checkup_fine(c, "runtime", "not used, the socket is given");
		return;
	}
	if (runtime && *runtime) {
		runtime_check_set(c, runtime);
		return;
	}
	snprintf(usual, sizeof(usual), "/run/user/%u", (unsigned)geteuid());
	if (is_directory_of_ours(usual))
		checkup_problem(c, "runtime", "XDG_RUNTIME_DIR", "export it, as a login does",
				"not set, but %s is there: your other programs have another broker",
				usual);
	else
		checkup_fine(c, "runtime",
			     "the temporary directory, as XDG_RUNTIME_DIR is not set");
}

/* Whether somebody listens at @path: 0 or -errno. */
static int socket_knock(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	close(fd);
	return r == -EAGAIN ? 0 : r; /* its queue is full, so somebody is there */
}

static void socket_check_directory(struct checkup *c)
{
	char dir[sizeof(c->place.socket)];
	char *slash;

	memcpy(dir, c->place.socket, sizeof(dir));
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return;
	*slash = '\0';
	if (access(dir, W_OK | X_OK) < 0 && (errno != ENOENT || getenv("BSTREAM_SOCKET") ||
					     c->globals->socket || c->globals->system))
		checkup_problem(c, "socket", dir,
				c->globals->system ? "install and start the machine's bstreamd"
						   : "make it, or choose another socket",
				"the broker's socket cannot be made there: %s", strerror(errno));
	else
		checkup_fine(c, "socket", "none yet at %s", c->place.socket);
}

void checkup_socket(struct checkup *c)
{
	const char *path = c->place.socket;
	struct stat st;
	int r;

	if (c->place_err == -EACCES) {
		checkup_problem(
			c, "socket", "runtime directory",
			"see that bstream in XDG_RUNTIME_DIR, or bstream-UID in the temporary "
			"directory, is yours, and chmod 700 it",
			"the broker's directory is somebody else's, or open to others");
		return;
	}
	if (c->place_err < 0) {
		checkup_problem(c, "socket", "the broker's socket",
				"give a shorter one by BSTREAM_SOCKET or --socket",
				"its path cannot be: %s", strerror(-c->place_err));
		return;
	}
	if (lstat(path, &st) < 0) {
		socket_check_directory(c);
		return;
	}
	r = S_ISSOCK(st.st_mode) ? socket_knock(path) : -ENOTSOCK;
	if (r == -ECONNREFUSED)
		checkup_problem(c, "socket", path, "bstreamctl daemon start puts a new one there",
				"stale: nobody listens, a broker was killed");
	else if (r < 0)
		checkup_problem(c, "socket", path,
				r == -EACCES ? "it is another user's; choose another socket"
					     : "remove it, or choose another socket",
				"it cannot be connected to: %s", strerror(-r));
	else
		checkup_fine(c, "socket", "%s", path);
}

/* ---- the broker ------------------------------------------------------------------------------ */

static void broker_check(struct checkup *c, const struct bstream_broker_stat *stat)
{
	char path[64], program[PATH_CAP], about[32];
	ssize_t n;

	snprintf(about, sizeof(about), "broker %" PRId32, stat->pid);
	snprintf(path, sizeof(path), "/proc/%" PRId32 "/exe", stat->pid);
	n = readlink(path, program, sizeof(program) - 1);
	program[n > 0 ? n : 0] = '\0';
	if (stat->wire_version != bstream_wire_version() ||
	    stat->layout_version != bstream_layout_version())
		checkup_problem(c, "broker", about,
				"bstreamctl daemon stop; the next call starts the right one",
				"it speaks wire %" PRIu32 " and layout %" PRIu32
				", this program wire %" PRIu32 " and layout %" PRIu32,
				stat->wire_version, stat->layout_version, bstream_wire_version(),
				bstream_layout_version());
	else if (n > 10 && !strcmp(program + n - 10, " (deleted)"))
		checkup_problem(
			c, "broker", about,
			"bstreamctl daemon stop; streams stay, the next call starts the new one",
			"its program was replaced or removed since it started");
	else if (stat->streams >= stat->max_streams - stat->max_streams / 8)
		checkup_problem(c, "broker", about, "bstreamctl rm those that nobody needs",
				"%" PRIu32 " of %" PRIu32 " streams are in use", stat->streams,
				stat->max_streams);
	else
		checkup_fine(c, "broker", "pid %" PRId32 ", wire %" PRIu32 ", layout %" PRIu32,
			     stat->pid, stat->wire_version, stat->layout_version);
}

void checkup_broker(struct checkup *c)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };
	int r = c->place_err < 0 ? c->place_err : bstream_broker_stat(&stat);

	c->running = r == 0;
	if (r == 0)
		broker_check(c, &stat);
	else if (r == -ECONNREFUSED && !c->globals->system)
		checkup_fine(c, "broker", "none runs; the next call starts one");
	else if (r == -ECONNREFUSED)
		checkup_problem(c, "broker", c->place.socket, "start the machine's bstreamd",
				"no broker for this machine");
	else if (r == -EPROTONOSUPPORT)
		checkup_problem(
			c, "broker", c->place.socket,
			"stop it with the bstreamctl of its version, or kill it: streams stay",
			"the broker is of another version");
	else if (r == -ETIMEDOUT)
		checkup_problem(
			c, "broker", c->place.socket,
			"is bstreamd stopped, or held by a debugger? else kill it: streams stay",
			"the broker does not answer");
	else if (c->place_err == 0)
		checkup_problem(c, "broker", c->place.socket, "what listens there may be no broker",
				"the broker cannot be asked: %s", strerror(-r));
}

/* Reads what @program prints for --version; false if it cannot be executed. */
static bool daemon_version(const char *program, char *line, size_t size)
{
	char command[PATH_CAP + 32];
	FILE *pipe;
	bool ok;

	setenv("BSTREAM_DOCTOR_DAEMON", program, 1);
	snprintf(command, sizeof(command),
		 "exec timeout 5 \"$BSTREAM_DOCTOR_DAEMON\" --version 2>/dev/null </dev/null");
	pipe = popen(command, "re");
	if (!pipe)
		return false;
	ok = fgets(line, (int)size, pipe) != NULL;
	return pclose(pipe) == 0 && ok;
}

void checkup_daemon(struct checkup *c)
{
	char line[256], want[128];

	if (c->place_err < 0 || c->globals->system)
		return;
	if (!c->place.daemon[0] || !daemon_version(c->place.daemon, line, sizeof(line))) {
		checkup_problem(c, "daemon", c->place.daemon[0] ? c->place.daemon : "bstreamd",
				"install it, or say by BSTREAM_DAEMON where it is",
				"the broker's program cannot be started");
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	snprintf(want, sizeof(want), "(wire %" PRIu32 ", layout %" PRIu32 ")",
		 bstream_wire_version(), bstream_layout_version());
	if (strstr(line, want))
		checkup_fine(c, "daemon", "%s", c->place.daemon);
	else
		checkup_problem(c, "daemon", c->place.daemon,
				"install bstreamd and bstreamctl of one version",
				"its version is not that of this program %s", want);
}

/* ---- the kernel ------------------------------------------------------------------------------ */

void checkup_kernel(struct checkup *c)
{
	struct bstream_options options = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *writer;
	struct bstream_reader *reader;
	int r;

	options.capacity = 1;
	options.chunk_max = 64;
	r = bstream_pair(&options, &writer, &reader);
	if (r == 0) {
		bstream_writer_close(writer);
		bstream_reader_close(reader);
		checkup_fine(c, "kernel", "streams can be made, membarrier is permitted");
	} else if (r == -EOPNOTSUPP) {
		checkup_problem(
			c, "kernel", "membarrier",
			"permit it, in a container by its seccomp profile; or set BSTREAM_FENCES=1, "
			"which costs speed",
			"membarrier(2) is not permitted here");
	} else {
		checkup_problem(c, "kernel", "streams",
				r == -ENOSYS ? "mount /proc" : "raise what there is too little of",
				"a stream cannot be made: %s", strerror(-r));
	}
}

void checkup_inotify(struct checkup *c)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int r = fd < 0 ? -errno : 0;

	if (r == -EMFILE)
		checkup_problem(
			c, "inotify", "inotify", "raise fs.inotify.max_user_instances by sysctl",
			"this user has no instance left: poll descriptors fail, and deaths are "
			"noticed late");
	else if (r < 0)
		checkup_problem(c, "inotify", "inotify", "permit it, in a container by its profile",
				"it cannot be used: %s", strerror(-r));
	else if (inotify_add_watch(fd, "/dev/shm", IN_CLOSE_WRITE) < 0 && errno == ENOSPC)
		checkup_problem(c, "inotify", "inotify",
				"raise fs.inotify.max_user_watches by sysctl",
				"this user has no watch left: deaths are noticed late");
	else
		checkup_fine(c, "inotify", "instances and watches are left");
	if (fd >= 0)
		close(fd);
}

void checkup_descriptors(struct checkup *c)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < DESCRIPTORS_MIN)
		checkup_problem(c, "descriptors", "ulimit -n", "raise it",
				"%" PRIu64 " descriptors are few: each end takes one",
				(uint64_t)limit.rlim_cur);
	else
		checkup_fine(c, "descriptors", "%" PRIu64 " may be open", (uint64_t)limit.rlim_cur);
}
