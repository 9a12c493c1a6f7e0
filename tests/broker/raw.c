/* SPDX-License-Identifier: MIT */
/*
 * raw.c - owns nothing but what it returns.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/layout.h"
#include "proto/meeting.h"
#include "proto/segment.h"
#include "tests/broker/raw.h"

const char *raw_socket_path(void)
{
	static char path[BS_SOCKET_PATH];

	GIVES(bs_meeting_path(path, NULL, false, true), 0);
	return path;
}

int raw_connect(void)
{
	struct timeval patience = { .tv_sec = 10 * (time_t)guard_slowness() };
	struct sockaddr_un addr;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	MUST(fd >= 0);
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	GIVES(bs_meeting_addr(&addr, raw_socket_path()), 0);
	MUST(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	return fd;
}

static struct bs_wire_head raw_head(uint16_t type, size_t size)
{
	return (struct bs_wire_head){
		.magic = BS_WIRE_MAGIC,
		.version = BS_WIRE_VERSION,
		.type = type,
		.size = (uint32_t)size,
		.layout = BS_LAYOUT_VERSION,
	};
}

struct bs_req_name raw_question(uint16_t type, const char *name, uint32_t flags)
{
	struct bs_req_name q = { .head = raw_head(type, sizeof(q)), .flags = flags };

	snprintf(q.name, sizeof(q.name), "%s", name);
	return q;
}

bool raw_send(int conn, const void *bytes, size_t len, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * BS_PACKET_FDS)];
	} control = { 0 };
	struct iovec iov = { (void *)bytes, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > 0) {
		struct cmsghdr *c;

		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	return sendmsg(conn, &m, MSG_NOSIGNAL) == (ssize_t)len;
}

int raw_result(int conn, int *fdp)
{
	alignas(8) static char room[BS_WIRE_PACKET];
	const struct bs_reply *reply = (const struct bs_reply *)room;
	ssize_t n;

	if (fdp)
		*fdp = -1;
	n = bs_packet_recv(conn, room, sizeof(room), fdp, 0);

	if (n == 0 || n == -ECONNRESET)
		return -ENOTCONN;
	MUST(n >= (ssize_t)sizeof(*reply)); /* else it has not answered in time */
	MUST(reply->head.magic == BS_WIRE_MAGIC && reply->head.size == (size_t)n);
	return reply->result;
}

int raw_ask(uint16_t type, const char *name, uint32_t flags, int *fdp)
{
	struct bs_req_name q = raw_question(type, name, flags);
	int r, conn = raw_connect();

	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	r = raw_result(conn, fdp);
	close(conn);
	return r;
}

static int raw_give(uint16_t type, const char *name, int fd)
{
	struct bs_req_create q = { .head = raw_head(type, sizeof(q)) };
	int r, conn = raw_connect();

	snprintf(q.name, sizeof(q.name), "%s", name);
	MUST(raw_send(conn, &q, sizeof(q), &fd, 1));
	r = raw_result(conn, NULL);
	close(conn);
	return r;
}

int raw_create(const char *name, int fd)
{
	return raw_give(BS_REQ_CREATE, name, fd);
}

int raw_restore(const char *name, int fd)
{
	return raw_give(BS_REQ_RESTORE, name, fd);
}

int raw_sealed_segment(const char *name)
{
	struct bs_segment_spec spec = { .name = name, .mode = 0600 };
	struct bs_geometry geo;
	int fd;

	GIVES(bs_geometry_init(&geo, 4, 64, 8, BS_FLAG_SEALED, 0), 0);
	fd = bs_segment_new_nameless(&geo, &spec);
	MUST(fd >= 0);
	return fd;
}

int raw_segment(const char *name)
{
	struct bs_segment_spec spec = { .name = name, .mode = 0600 };
	struct bs_geometry geo;
	char tmp_name[64];
	int fd;

	GIVES(bs_geometry_init(&geo, 4, 64, 8, 0, 0), 0);
	fd = bs_segment_new_linkable(&geo, &spec, tmp_name);
	MUST(fd >= 0 && tmp_name[0] == '\0');
	return fd;
}

pid_t raw_broker_pid(void)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	GIVES(bstream_broker_stat(&stat), 0);
	return stat.pid;
}

pid_t raw_broker_start(const char *option, const char *value)
{
	const char *daemon = getenv("BSTREAM_DAEMON");
	struct bstream_broker_stat stat = { .size = sizeof(stat) };
	pid_t pid = guard_fork();

	if (pid == 0) {
		alarm(0);
		execl(daemon, "bstreamd", "--foreground", option, value, (char *)NULL);
		_exit(127);
	}
	UNTIL(bstream_broker_stat(&stat) == 0);
	GIVES(stat.pid, pid);
	return pid;
}

bool raw_await_end(int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

void raw_broker_kill(void)
{
	pid_t pid = raw_broker_pid();
	int pidfd = pidfd_open(pid, 0);

	MUST(pidfd >= 0);
	MUST(kill(pid, SIGKILL) == 0);
	MUST(raw_await_end(pidfd, 10000 * (int)guard_slowness()));
	close(pidfd);
}

static char process_state(pid_t pid)
{
	char path[64], state = '?';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	MUST(f && fscanf(f, "%*d (bstreamd) %c", &state) == 1);
	fclose(f);
	return state;
}

void raw_broker_stop(pid_t pid)
{
	MUST(kill(pid, SIGSTOP) == 0);
	UNTIL(process_state(pid) == 'T');
}

int raw_lingering(int *other_side)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 3600 };
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), least = 1;
	static char bytes[65536];

	MUST(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)) == 0);

	MUST(bind(listener, (struct sockaddr *)&addr, len) == 0 && listen(listener, 1) == 0);
	MUST(getsockname(listener, (struct sockaddr *)&addr, &len) == 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0);
	MUST(connect(fd, (struct sockaddr *)&addr, len) == 0);
	*other_side = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	MUST(*other_side >= 0);
	close(listener);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	return fd;
}

static void raw_limit(rlim_t n)
{
	struct rlimit rl;

	MUST(getrlimit(RLIMIT_NOFILE, &rl) == 0);
	rl.rlim_cur = n ? n : rl.rlim_max;
	MUST(setrlimit(RLIMIT_NOFILE, &rl) == 0);
}

void raw_famine_begin(struct raw_famine *f, int spare)
{
	raw_limit(sizeof(f->fds) / sizeof(f->fds[0]));
	f->n = 0;
	while ((f->fds[f->n] = dup(2)) >= 0)
		f->n++;
	MUST(errno == EMFILE && f->n >= spare);
	while (spare-- > 0)
		close(f->fds[--f->n]);
}

void raw_famine_end(struct raw_famine *f)
{
	while (f->n > 0)
		close(f->fds[--f->n]);
	raw_limit(0);
}

void raw_standard_away(int saved[3])
{
	for (int i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
		MUST(saved[i] >= 0);
	}
	for (int i = 0; i < 3; i++)
		close(i);
}

void raw_standard_back(const int saved[3])
{
	for (int i = 0; i < 3; i++) {
		MUST(dup2(saved[i], i) == i);
		close(saved[i]);
	}
}

void raw_view_open(struct raw_view *v, const char *name)
{
	GIVES(raw_ask(BS_REQ_LOOK, name, 0, &v->fd), 0);
	v->g = mmap(NULL, sizeof(struct bs_segment), PROT_READ, MAP_SHARED, v->fd, 0);
	MUST(v->g != MAP_FAILED);
}

void raw_view_close(struct raw_view *v)
{
	munmap(v->g, sizeof(struct bs_segment));
	close(v->fd);
}
