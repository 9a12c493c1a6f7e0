/* SPDX-License-Identifier: MIT */
/*
 * scrape.c - owns the metrics' socket and those who read them.
 *
 * There are eight places. If all are taken, the oldest of the user who has most of them goes; but if that
 * is the newcomer's own, and one that waits for us and not we for it, the newcomer does, or they would
 * chase each other away for ever. What one
 * asks may have 4 kB, what he is told is sent as he reads it, and after ten seconds he is gone.
 * However many ask, the streams are looked at once for all who wait, in steps between the loop's
 * rounds, and at most a tenth of the time.
 *
 * No descriptor is ever taken from a stranger here: he who sends some is not read any further, and
 * whatever lies in his queue is closed by those who may sleep (closer.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/broker.h"
#include "daemon/closer.h"
#include "daemon/log.h"
#include "proto/hint.h"
#include "proto/meeting.h"

#define PATIENCE_NS BS_MS(10000)
#define REST	    10 /* times as long as a look took, before the next */
#define REST_MAX_NS BS_MS(1000)
#define BACKLOG	    16

/* ---- coming and going ----------------------------------------------------------------------- */

static void scrape_drop(struct broker *b, struct scrape *s)
{
	if (s->state == SCRAPE_FREE)
		return;
	loop_drop(b, &s->source);
	closer_take_connection(s->source.fd, s->uid);
	metrics_page_drop(s->page);
	s->page = NULL;
	s->state = SCRAPE_FREE;
	s->source.fd = -1;
}

static unsigned n_scrapes_of(const struct scraping *g, uid_t uid)
{
	unsigned n = 0;

	for (int i = 0; i < SCRAPES_MAX; i++)
		n += g->scrapes[i].state != SCRAPE_FREE && g->scrapes[i].uid == uid;
	return n;
}

/* A free place, for one more of this user; somebody may have to go for it. NULL: he has to. */
static struct scrape *scrape_place(struct broker *b, uid_t uid)
{
	struct scraping *g = &b->scraping;
	struct scrape *most = NULL;
	unsigned n_most = 0;

	for (int i = 0; i < SCRAPES_MAX; i++) {
		struct scrape *s = &g->scrapes[i];
		unsigned n = n_scrapes_of(g, s->uid);

		if (s->state == SCRAPE_FREE)
			return s;
		if (n > n_most || (n == n_most && s->came < most->came)) {
			most = s;
			n_most = n;
		}
	}
	if (most->uid == uid && most->state == SCRAPE_WAITS)
		return NULL;
	scrape_drop(b, most);
	return most;
}

static int scrape_on_event(struct broker *b, struct source *source, uint32_t events);

/* Takes @fd. False: it could not be had, and is closed. */
static bool scrape_new(struct broker *b, int fd, uid_t uid, bool bare)
{
	struct scrape *s = scrape_place(b, uid);

	if (!s) {
		closer_take_connection(fd, uid);
		return false;
	}
	*s = (struct scrape){
		.source = { .on_event = scrape_on_event, .fd = fd },
		.state = bare ? SCRAPE_WAITS : SCRAPE_ASKS,
		.bare = bare,
		.uid = uid,
		.came = b->scraping.n_came++,
		.deadline_ns = bs_now() + PATIENCE_NS,
	};
	if (loop_add(b, &s->source, bare ? 0 : EPOLLIN) == 0)
		return true;
	s->state = SCRAPE_FREE;
	closer_take_connection(fd, uid);
	return false;
}

static int scrape_on_connect(struct broker *b, struct source *source, uint32_t events)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		closer_take_connection(fd, b->uid);
	else
		scrape_new(b, fd, cred.uid, false);
	return 0;
}

int scrape_give(struct broker *b, uid_t uid, int *fdp)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return errno;
	/* One way only: nothing comes back. */
	if (shutdown(ends[0], SHUT_RD) < 0 || fcntl(ends[0], F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
		int r = errno;

		close(ends[0]);
		close(ends[1]);
		return r;
	}
	if (!scrape_new(b, ends[0], uid, true)) {
		close(ends[1]);
		return EAGAIN;
	}
	*fdp = ends[1];
	return 0;
}

/* ---- asking --------------------------------------------------------------------------------- */

static void scrape_tell(struct broker *b, struct scrape *s);

static void scrape_refuse(struct broker *b, struct scrape *s, const char *status, const char *more)
{
	s->head_len = (size_t)snprintf(s->head, sizeof(s->head),
				       "HTTP/1.0 %s\r\n%sContent-Type: text/plain\r\n"
				       "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
				       status, more, strlen(status) + 1, status);
	scrape_tell(b, s);
}

/* The head is there: one line "GET /metrics HTTP/1.1", whatever stands in the others. */
static void scrape_answer(struct broker *b, struct scrape *s)
{
	char method[8], target[256], version[16];

	if (sscanf(s->request, "%7[A-Z] %255[^ \r\n] %15[^ \r\n]", method, target, version) != 3 ||
	    strncmp(version, "HTTP/1.", 7) != 0) {
		scrape_refuse(b, s, "400 Bad Request", "");
		return;
	}
	s->head_only = strcmp(method, "HEAD") == 0;
	if (!s->head_only && strcmp(method, "GET") != 0) {
		scrape_refuse(b, s, "405 Method Not Allowed", "Allow: GET, HEAD\r\n");
		return;
	}
	target[strcspn(target, "?")] = '\0';
	if (strcmp(target, "/metrics") != 0 && strcmp(target, "/") != 0) {
		scrape_refuse(b, s, "404 Not Found", "");
		return;
	}
	s->state = SCRAPE_WAITS;
	loop_drop(b, &s->source);
	if (loop_add(b, &s->source, 0) < 0)
		scrape_drop(b, s);
}

/* More of the request. Its length; 0: the end; -EAGAIN; -EPROTO: there are descriptors in it. */
static ssize_t request_read(struct scrape *s)
{
	struct iovec iov = { s->request + s->request_len, sizeof(s->request) - 1 - s->request_len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = recvmsg(s->source.fd, &m, MSG_PEEK | MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 ? -errno : 0;
	if (m.msg_flags & MSG_CTRUNC) /* there was no room for them: they still lie in the queue */
		return -EPROTO;
	iov.iov_len = (size_t)n;
	m = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	n = recvmsg(s->source.fd, &m, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

static bool request_is_whole(const struct scrape *s)
{
	return strstr(s->request, "\n\r\n") || strstr(s->request, "\n\n");
}

static void scrape_hear(struct broker *b, struct scrape *s)
{
	ssize_t n = request_read(s);

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n == -EPROTO)
		log_blame(s->uid, 0, "sent descriptors to the metrics' socket");
	if (n <= 0) {
		scrape_drop(b, s);
		return;
	}
	s->request_len += (size_t)n;
	s->request[s->request_len] = '\0';
	if (memchr(s->request, '\0', s->request_len))
		scrape_refuse(b, s, "400 Bad Request", "");
	else if (request_is_whole(s))
		scrape_answer(b, s);
	else if (s->request_len == sizeof(s->request) - 1)
		scrape_refuse(b, s, "431 Request Header Fields Too Large", "");
}

/* ---- telling -------------------------------------------------------------------------------- */

/* As much as he takes. */
static void scrape_tell(struct broker *b, struct scrape *s)
{
	size_t page_len = s->page && !s->head_only ? s->page->len : 0;

	if (s->state != SCRAPE_READS) {
		loop_drop(b, &s->source);
		s->state = SCRAPE_READS;
		if (loop_add(b, &s->source, EPOLLOUT) < 0) {
			scrape_drop(b, s);
			return;
		}
	}
	while (s->sent < s->head_len + page_len) {
		bool in_head = s->sent < s->head_len;
		const char *from =
			in_head ? s->head + s->sent : s->page->text + (s->sent - s->head_len);
		size_t left = in_head ? s->head_len - s->sent : s->head_len + page_len - s->sent;
		ssize_t n = send(s->source.fd, from, left, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			break;
		s->sent += (size_t)n;
	}
	scrape_drop(b, s);
}

static int scrape_on_event(struct broker *b, struct source *source, uint32_t events)
{
	struct scrape *s = (struct scrape *)source; /* its first member */

	if (s->state == SCRAPE_FREE)
		return 0; /* dropped in this very round */
	if (s->state == SCRAPE_ASKS)
		scrape_hear(b, s);
	else if (s->state == SCRAPE_READS && !(events & EPOLLERR))
		scrape_tell(b, s);
	else if (events & (EPOLLHUP | EPOLLERR))
		scrape_drop(b, s);
	return 0;
}

static void scrape_turn(struct broker *b, struct scrape *s, struct metrics_page *page)
{
	if (!page) {
		if (s->bare)
			scrape_drop(b, s);
		else
			scrape_refuse(b, s, "503 Service Unavailable", "");
		return;
	}
	page->n_readers++;
	s->page = page;
	if (!s->bare)
		s->head_len = (size_t)snprintf(
			s->head, sizeof(s->head),
			"HTTP/1.0 200 OK\r\nContent-Type: application/openmetrics-text; "
			"version=1.0.0; charset=utf-8\r\nContent-Length: %zu\r\n"
			"Connection: close\r\n\r\n",
			page->len);
	scrape_tell(b, s);
}

/* ---- looking -------------------------------------------------------------------------------- */

static bool is_awaited(const struct scraping *g)
{
	for (int i = 0; i < SCRAPES_MAX; i++)
		if (g->scrapes[i].state == SCRAPE_WAITS)
			return true;
	return false;
}

uint64_t scrape_due(const struct broker *b)
{
	const struct scraping *g = &b->scraping;
	uint64_t due = UINT64_MAX;

	if (g->metrics.running)
		return 0;
	for (int i = 0; i < SCRAPES_MAX; i++)
		if (g->scrapes[i].state != SCRAPE_FREE && g->scrapes[i].deadline_ns < due)
			due = g->scrapes[i].deadline_ns;
	if (is_awaited(g) && g->not_before_ns < due)
		due = g->not_before_ns;
	return due;
}

/* All streams have been looked at: tell everybody who waits. */
static void look_is_done(struct broker *b, uint64_t now)
{
	struct scraping *g = &b->scraping;
	uint64_t rest = (now - g->metrics.began_ns) * REST;
	struct metrics_page *page = metrics_page_new(b);

	g->not_before_ns = now + (rest < REST_MAX_NS ? rest : REST_MAX_NS);
	for (int i = 0; i < SCRAPES_MAX; i++)
		if (g->scrapes[i].state == SCRAPE_WAITS)
			scrape_turn(b, &g->scrapes[i], page);
	metrics_page_drop(page);
}

void scrape_run(struct broker *b)
{
	struct scraping *g = &b->scraping;
	bool awaited = is_awaited(g);
	uint64_t now = b->scraping.n_came > 0 ? bs_now() : 0;

	for (int i = 0; i < SCRAPES_MAX; i++)
		if (g->scrapes[i].state != SCRAPE_FREE && g->scrapes[i].deadline_ns <= now)
			scrape_drop(b, &g->scrapes[i]);
	if (!g->metrics.running && awaited && now >= g->not_before_ns)
		metrics_begin(b);
	if (g->metrics.running && metrics_step(b))
		look_is_done(b, bs_now());
}

/* ---- the socket ----------------------------------------------------------------------------- */

/* Nobody listens there: what is left of one who did is taken away. */
static int path_clear(const char *path, const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN;
	close(fd);
	if (r)
		return -EADDRINUSE;
	return unlink(path) < 0 ? -errno : 0;
}

static int socket_make(const char *path, const struct sockaddr_un *addr, mode_t mode,
		       struct stat *st)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = 0;
	mode_t mask = umask(~mode & 0777);

	if (fd < 0 || bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		r = -errno;
	umask(mask);
	if (r == 0 && (listen(fd, BACKLOG) < 0 || lstat(path, st) < 0))
		r = -errno;
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

int scrape_open(struct broker *b, const char *path)
{
	struct scraping *g = &b->scraping;
	struct sockaddr_un addr;
	struct stat st;
	int r = bs_meeting_addr(&addr, path);

	if (r == 0)
		r = path_clear(path, &addr);
	if (r == 0)
		r = socket_make(path, &addr, b->system ? 0660 : 0600, &st);
	if (r < 0)
		return r;
	g->listener = (struct source){ .on_event = scrape_on_connect, .fd = r };
	g->path = path;
	g->dev = st.st_dev;
	g->ino = st.st_ino;
	return 0;
}

static int socket_option(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

bool scrape_inherit(struct broker *b, int fd)
{
	if (b->scraping.listener.on_event || socket_option(fd, SO_DOMAIN) != AF_UNIX ||
	    socket_option(fd, SO_TYPE) != SOCK_STREAM || socket_option(fd, SO_ACCEPTCONN) != 1 ||
	    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return false;
	b->scraping.listener = (struct source){ .on_event = scrape_on_connect, .fd = fd };
	return true;
}

int scrape_listen(struct broker *b)
{
	struct source *listener = &b->scraping.listener;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	b->scraping.started_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	return listener->on_event ? loop_add(b, listener, EPOLLIN) : 0;
}

void scrape_close(struct broker *b)
{
	struct scraping *g = &b->scraping;
	struct stat st;

	for (int i = 0; i < SCRAPES_MAX; i++)
		scrape_drop(b, &g->scrapes[i]);
	if (!g->listener.on_event)
		return;
	if (g->path && lstat(g->path, &st) == 0 && st.st_dev == g->dev && st.st_ino == g->ino)
		unlink(g->path);
	close(g->listener.fd);
	g->listener.on_event = NULL;
}
