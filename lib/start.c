/* SPDX-License-Identifier: MIT */
/*
 * start.c - starting a broker, without a race and without a trace in the program that does it.
 *
 * Whoever finds nobody at the socket locks its directory, connects once more, and only then makes a
 * listening socket beside it, puts that in its place, and hands it to a new bstreamd as descriptor 3.
 * From that moment clients can connect; the broker finds them waiting. bstreamd forks, so that the
 * broker is nobody's child, and its first process, ours to wait for, says whether all went well.
 *
 * The broker gets /dev/null for the standard descriptors, none of the caller's others, a session of
 * its own, and every signal as new. No signal handler is touched here; that a child of ours comes
 * and goes is seen by a program that waits for any child (or ignores SIGCHLD), and we bear with it.
 *
 * The only state is on the disk. For broker.c, from any thread.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "lib/link.h"
#include "lib/start.h"
#include "proto/hint.h"
#include "proto/meeting.h"

#define STARTS	  5 /* brokers that one call starts, if they come to nothing */
#define NAP_NS	  1000000
#define LISTEN_FD 3
#define autolink  __attribute__((cleanup(bs_link_closep)))
#define bstreamd  "bstreamd"

extern char **environ;

static void start_nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
}

/* Is the socket where nobody but root can have put it? The machine's broker need not be root's. */
static bool start_is_roots_place(const char *path)
{
	char dir[BS_SOCKET_PATH];
	struct stat st;

	bs_meeting_dirname(dir, path);
	return path[0] == '/' && stat(dir, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0;
}

/* Where others may make sockets, one may have made this: only our own broker, or root's, is asked,
 * and whoever is root may ask anybody's. */
static int start_check_peer(int link, const char *path)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(link, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	if (cred.uid == geteuid() || cred.uid == 0 || geteuid() == 0)
		return 0;
	return start_is_roots_place(path) ? 0 : -EACCES;
}

/*
 * The queue is full. Stand behind those who came before, asleep: each that the broker lets in has the kernel wake the
 * next. A thousand who came again by themselves each millisecond would leave it no time to let anybody in.
 */
static int start_stand(int fd, const struct sockaddr_un *addr, uint64_t until)
{
	uint64_t now = bs_now();
	uint64_t left_us = until > now ? (until - now) / 1000 : 0;
	struct timeval patience = { (time_t)(left_us / 1000000), (suseconds_t)(left_us % 1000000) };
	int r = -EAGAIN;

	if (left_us == 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    fcntl(fd, F_SETFL, O_RDWR) < 0)
		return -EAGAIN;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		r = 0;
	else if (errno != EINTR)
		r = -errno;
	fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	return r;
}

/* One try, that waits for room in the queue until then; @until 0: not. -ECONNREFUSED: nobody is there; -EAGAIN:
 * somebody is, with a long queue. */
static int start_knock(const char *path, uint64_t until)
{
	struct sockaddr_un addr;
	int fd, r = bs_meeting_addr(&addr, path);

	if (r < 0)
		return r;
	fd = bs_link_socket();
	if (fd < 0)
		return fd;
	do
		r = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (r == -EAGAIN)
		r = start_stand(fd, &addr, until);
	if (r == 0)
		r = start_check_peer(fd, path);
	if (r == 0)
		return fd;
	bs_link_close(fd);
	if (r == -ENOENT || r == -ENOTDIR)
		return -ECONNREFUSED;
	if (r == -EPERM)
		return -EACCES;
	return r == -EPROTOTYPE ? -EPROTO : r;
}

/* ---- where bstreamd is ---------------------------------------------------------------------- */

/* The file that this code is in. */
static bool start_object(char path[PATH_MAX])
{
	static const char anchor;
	Dl_info info;

	if (dladdr(&anchor, &info) != 0 && info.dli_fname && info.dli_fname[0] == '/')
		return realpath(info.dli_fname, path) != NULL;
	return realpath("/proc/self/exe", path) != NULL; /* linked into a program */
}

static bool start_find_beside(char found[PATH_MAX])
{
	static const char *const places[] = { "../bin", "../daemon", "../../daemon" };
	char object[PATH_MAX];
	char *slash;

	if (!start_object(object))
		return false;
	slash = strrchr(object, '/');
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int n = snprintf(found, PATH_MAX, "%s/%s/" bstreamd, object, places[i]);

		if (n < PATH_MAX && access(found, X_OK) == 0)
			return true;
	}
	return false;
}

/* With a slash: the file; without: to be looked for in PATH. A program with privileges of its own
 * goes by neither environment nor neighbours. */
void bs_start_find(char found[PATH_MAX])
{
	const char *env = secure_getenv("BSTREAM_DAEMON");

	if (env && env[0]) {
		snprintf(found, PATH_MAX, "%s", env);
		return;
	}
#ifdef BSTREAMD_PATH
	snprintf(found, PATH_MAX, "%s", BSTREAMD_PATH);
	if (access(found, X_OK) == 0 || getauxval(AT_SECURE))
		return;
#endif
	if (!start_find_beside(found))
		snprintf(found, PATH_MAX, "%s", bstreamd);
}

/* ---- the new process ------------------------------------------------------------------------ */

static int start_actions(posix_spawn_file_actions_t *actions, int listener)
{
	int r = 0;

	for (int fd = 0; fd < 3 && r == 0; fd++)
		r = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, listener, LISTEN_FD);
#ifdef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, LISTEN_FD + 1);
#endif
	return -r;
}

static int start_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
							   POSIX_SPAWN_SETSID);
	return -r;
}

static int start_spawn(pid_t *pidp, int listener, const char *path)
{
	char file[PATH_MAX];
	char *argv[] = { bstreamd, "--listen-fd", "3", "--socket", (char *)path, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	bs_start_find(file);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	r = start_actions(&actions, listener);
	if (r == 0)
		r = start_attributes(&attr);
	if (r == 0)
		r = -posix_spawnp(pidp, file, &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* Wait for the first process. 0: it is content, or the program has waited for it before us. */
static int start_reap(pid_t pid, uint64_t until)
{
	int status = 0;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			break;
		if (got < 0 && errno == ECHILD)
			return 0;
		if (bs_now() >= until) { /* not one of ours: it should have been gone at once */
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -ECONNREFUSED;
		}
		start_nap();
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECONNREFUSED;
}

/* What a caller can do something about; everything else is "there is no broker". */
static int start_error(int r)
{
	switch (-r) {
	case EPERM:
	case EROFS:
		return -EACCES;
	case EACCES:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOSPC:
	case ENAMETOOLONG:
		return r;
	default:
		return -ECONNREFUSED;
	}
}

/* With the directory locked: a listening socket at @path, with a broker behind it. */
static int start_launch(const char *path, uint64_t until)
{
	int r, listener = bs_link_socket();
	pid_t pid;

	if (listener < 0)
		return listener;
	r = bs_meeting_listen(listener, path, 0600);
	if (r < 0) {
		bs_link_close(listener);
		return start_error(r);
	}
	r = start_spawn(&pid, listener, path);
	/* The broker's alone from here on: if it dies young, nobody is to queue for it. */
	bs_link_close(listener);
	if (r == 0)
		r = start_reap(pid, until);
	if (r == 0)
		return 0;
	unlink(path);
	return r == -ENOMEM ? r : -ECONNREFUSED;
}

/* Start a broker if it is for us to do. A link to it; -EAGAIN: somebody else is at it. */
static int start_once(const char *path, uint64_t until, bool *startedp)
{
	char dirname[BS_SOCKET_PATH];
	autolink int dir = -1;
	int link, r;

	bs_meeting_dirname(dirname, path);
	dir = bs_link_dir(dirname);
	if (dir < 0)
		return start_error(dir);
	r = bs_meeting_trylock(dir);
	if (r < 0)
		return r == -EWOULDBLOCK ? -EAGAIN : -ECONNREFUSED;
	link = start_knock(path, 0);
	if (link != -ECONNREFUSED)
		return link;
	/* Tried, at least: if it is killed before it serves, another try is worth it. */
	*startedp = true;
	r = start_launch(path, until);
	if (r < 0)
		return r;
	link = start_knock(path, 0);
	if (link == -ECONNREFUSED) /* it came and went */
		unlink(path);
	return link;
}

int bs_start_connect(const char *path, bool may_start, uint64_t until, bool *startedp)
{
	int starts = 0;

	for (;;) {
		bool started = false;
		int link = start_knock(path, until);

		if (link == -ECONNREFUSED && may_start)
			link = start_once(path, until, &started);
		starts += started;
		if (link >= 0 && startedp)
			*startedp = started;
		if (link >= 0)
			return link;
		if (link == -ECONNREFUSED ? !started || starts == STARTS : link != -EAGAIN)
			return link;
		if (bs_now() >= until)
			return link == -EAGAIN ? -ETIMEDOUT : link;
		start_nap();
	}
}
