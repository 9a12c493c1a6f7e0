/* SPDX-License-Identifier: MIT */
/*
 * broker.c - requests and replies. Owns, for the time of a request, its connection; all else is on
 * the stack.
 *
 * A request is asked again when the broker goes away in the middle, so it may have been carried out
 * by one that could not say so: CREATE and REMOVE look whether that explains what the next one
 * answers. All that comes from the socket is checked here, before anybody uses it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bstream.h"
#include "lib/broker.h"
#include "lib/choice.h"
#include "lib/link.h"
#include "lib/refusal.h"
#include "proto/end.h"
#include "proto/hint.h"
#include "proto/meeting.h"
#include "proto/packet.h"
#include "proto/segment.h"

#define ROUND_NS     BS_BROKER_ROUND_NS
#define NAP_NS	     1000000
#define GONE_MAX     20 /* brokers that go away in the middle, one soon after the other */
#define GONE_SOON_NS BS_MS(1000)
#define BUSY_MAX     50 /* naps until a dead broker's copy of an end has gone, too */
#define ERRNO_MAX    4095

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* since Linux 6.5; on x86-64 and arm64 */
#endif

#define GONE BS_BROKER_GONE

/* ---- one request ---------------------------------------------------------------------------- */

struct exchange {
	const void *request; /* with its head first */
	size_t request_len;
	int fd; /* goes with it, or -1 */
	void *reply; /* room for the reply, which is reply_len long */
	size_t reply_size, reply_len;
	bool may_start;
	uint64_t reply_until; /* 0: ROUND_NS from the first try */
	int *fdp, *linkp; /* receive what is wanted of the outcome, or NULL */
	bool again; /* an earlier broker may have carried it out */
	bool unique; /* what comes cannot be asked for again */
};

static struct bs_wire_head wire_head(uint16_t type, size_t size)
{
	return (struct bs_wire_head){
		.magic = BS_WIRE_MAGIC,
		.version = BS_WIRE_VERSION,
		.type = type,
		.size = (uint32_t)size,
		.layout = BS_LAYOUT_VERSION,
	};
}

static void request_fill(struct bs_req_name *q, uint16_t type, const char *name, uint32_t flags)
{
	*q = (struct bs_req_name){ .head = wire_head(type, sizeof(*q)), .flags = flags };
	snprintf(q->name, sizeof(q->name), "%s", name);
}

/* Is what came a reply to this request? Returns its result. */
static int reply_check(const struct exchange *x, const struct bs_reply *peer_reply)
{
	const struct bs_wire_head *q = x->request;
	size_t n = x->reply_len;

	if (n < sizeof(peer_reply->head) || peer_reply->head.magic != BS_WIRE_MAGIC)
		return -EPROTO;
	if (peer_reply->head.version != BS_WIRE_VERSION)
		return -EPROTONOSUPPORT;
	if (n < sizeof(*peer_reply) || peer_reply->head.size != n ||
	    (peer_reply->head.type != q->type && peer_reply->head.type != BS_REQ_NONE))
		return -EPROTO;
	if (peer_reply->result > 0 || peer_reply->result < -ERRNO_MAX ||
	    (peer_reply->head.type == BS_REQ_NONE && peer_reply->result == 0))
		return -EPROTO;
	return peer_reply->result;
}

/* Wait for @link to be readable. 0 or -ETIMEDOUT. */
static int link_await(int link, uint64_t until)
{
	for (;;) {
		struct pollfd p = { .fd = link, .events = POLLIN };
		uint64_t now = bs_now();
		uint64_t left = until > now ? until - now : 0;
		struct timespec ts = { (time_t)(left / 1000000000u), (long)(left % 1000000000u) };
		int r = ppoll(&p, 1, until == BSTREAM_FOREVER ? NULL : &ts, NULL);

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (left == 0)
			return -ETIMEDOUT;
	}
}

static bool is_gone(ssize_t r)
{
	return r == 0 || r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN;
}

/* Receive what came, into the room for the reply; a refusal may be longer, and is noted. Its result,
 * GONE, or an error of ours. */
static int reply_receive(struct exchange *x, int link, int *fdp)
{
	struct bs_reply_refusal room = { 0 };
	bool small = x->reply_size < sizeof(room);
	void *to = small ? &room : x->reply;
	size_t size = small ? sizeof(room) : x->reply_size;
	ssize_t (*receive)(int, void *, size_t, int *) = x->unique ? bs_link_recv : bs_link_take;
	ssize_t n = receive(link, to, size, fdp);
	int r;

	/* A broker that refused the connection has not read the request: that is told first. */
	if (n == -ECONNRESET)
		n = receive(link, to, size, fdp);
	if (is_gone(n))
		return GONE;
	if (n < 0)
		return n == -EMSGSIZE ? -EPROTO : (int)n;
	x->reply_len = (size_t)n;
	r = reply_check(x, to);
	if (r < 0)
		bs_refusal_note(to, x->reply_len, x->request);
	else if (x->reply_len > x->reply_size)
		r = -EPROTO;
	if (small)
		memcpy(x->reply, to, x->reply_len < x->reply_size ? x->reply_len : x->reply_size);
	return r;
}

/* Receive the reply, and the descriptor where one is due: all of it, or an error and nothing. */
static int reply_take(struct exchange *x, int link, int *fdp)
{
	int r = reply_receive(x, link, fdp);

	if (r == GONE || (r == 0 && x->fdp != NULL) == (*fdp >= 0))
		return r;
	if (*fdp >= 0)
		bs_link_close(*fdp);
	*fdp = -1;
	return r < 0 && x->fdp ? r : -EPROTO;
}

/* Ask one broker once. Its result, GONE, or an error of ours. */
static int exchange_once(struct exchange *x, uint64_t until)
{
	int link = bs_choice_connect(x->may_start, until, NULL);
	int fd = -1, r;

	if (link < 0)
		return link;
	r = bs_packet_send(link, x->request, x->request_len, x->fd, MSG_DONTWAIT);
	if (r < 0 && is_gone(r)) /* it may have said why, before it hung up */
		r = link_await(link, 0) == 0 ? 0 : GONE;
	if (r == 0)
		r = link_await(link, x->reply_until ? x->reply_until : until);
	if (r == 0)
		r = reply_take(x, link, &fd);
	if (r == 0 && x->fdp)
		*x->fdp = fd;
	if (r == 0 && x->linkp)
		*x->linkp = link;
	else
		bs_link_close(link);
	return r;
}

/* Ask until a broker has answered. A request that is each broker's death ends the GONE_MAX of it, and
 * not those of everybody else. */
static int exchange_run(struct exchange *x)
{
	uint64_t until = bs_now() + ROUND_NS;
	int n_gone = 0, n_busy = 0;

	bs_refusal_clear();
	for (;;) {
		uint64_t asked = bs_now();
		int r = exchange_once(x, until);
		bool busy = r == -EBUSY && x->again && n_busy++ < BUSY_MAX;

		if (r != GONE && !busy)
			return r;
		x->again = true;
		if (bs_now() - asked > GONE_SOON_NS)
			n_gone = 0; /* it had a life before */
		if (x->reply_until) /* it had been waiting: the next has a round trip's time, too */
			until = bs_now() + ROUND_NS;
		if (r == GONE && ++n_gone > GONE_MAX)
			return -ECONNREFUSED;
		if (r == GONE && bs_now() >= until)
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
	}
}

/* ---- piece by piece ------------------------------------------------------------------------- */

int bs_broker_connect(uint64_t until)
{
	return bs_choice_connect(bs_choice_may_start(), until, NULL);
}

struct bs_wire_head bs_broker_head(uint16_t type, size_t size)
{
	return wire_head(type, size);
}

int bs_broker_say(int conn, const void *packet, size_t len, int fd)
{
	int r = bs_packet_send(conn, packet, len, fd, MSG_DONTWAIT);

	return r < 0 && is_gone(r) ? GONE : r;
}

int bs_broker_await(int conn, uint64_t until)
{
	return link_await(conn, until);
}

int bs_broker_hear(int conn, uint16_t type, struct bs_reply *reply, size_t *lenp, int *fdp)
{
	struct bs_wire_head asked = wire_head(type, sizeof(asked));
	struct exchange x = {
		.request = &asked, .reply = reply, .reply_size = *lenp, .unique = true
	};
	int r;

	if (fdp)
		*fdp = -1;
	r = reply_receive(&x, conn, fdp);
	*lenp = x.reply_len < *lenp ? x.reply_len : *lenp;
	if (r < 0 && fdp) {
		bs_link_close(*fdp);
		*fdp = -1;
	}
	return r;
}

/* ---- for name.c ----------------------------------------------------------------------------- */

static int ask_once(uint16_t type, const char *name, uint32_t flags, uint64_t reply_until, int *fdp,
		    int *connp)
{
	struct bs_req_name request;
	struct bs_reply reply;
	struct exchange x = {
		.request = &request,
		.request_len = sizeof(request),
		.fd = -1,
		.reply = &reply,
		.reply_size = sizeof(reply),
		.may_start = bs_choice_may_start(),
		.reply_until = reply_until,
		.fdp = fdp,
		.linkp = connp,
	};
	int r;

	request_fill(&request, type, name, flags);
	r = exchange_run(&x);
	if (r == -ENOENT && type == BS_REQ_REMOVE && x.again)
		return 0; /* by the broker that went */
	return r;
}

int bs_broker_ask(uint16_t type, const char *name, uint32_t flags, uint64_t deadline, int *fdp,
		  int *connp)
{
	bool waits = (flags & BS_WANT_WAIT) != 0;
	int r;

	if (waits && deadline > bs_now()) {
		r = ask_once(type, name, flags, deadline, fdp, connp);
		if (r != -ETIMEDOUT)
			return r;
	}
	/* The deadline is for the name, not for the round trip: if the name is there, it is had. */
	r = ask_once(type, name, flags & ~BS_WANT_WAIT, 0, fdp, connp);
	return r == -ENOENT && waits && deadline != BSTREAM_DONT_WAIT ? -ETIMEDOUT : r;
}

int bs_broker_mailbox(const char *name, const struct bs_wire_owner *owner, int *connp)
{
	struct bs_req_mailbox request = { .owner = *owner };
	struct bs_reply reply;
	struct exchange x = {
		.request = &request,
		.request_len = sizeof(request.name),
		.fd = -1,
		.reply = &reply,
		.reply_size = sizeof(reply),
		.may_start = bs_choice_may_start(),
		.linkp = connp,
	};

	request_fill(&request.name, BS_REQ_MAILBOX_OPEN, name, 0);
	if (owner->mode != BS_MODE_DEFAULT || owner->gid != 0) {
		x.request_len = sizeof(request);
		request.name.head.size = sizeof(request);
		request.name.head.needs = BS_FEATURE_OWNER;
	}
	return exchange_run(&x);
}

void bs_broker_hang_up(int conn)
{
	bs_link_close(conn);
}

/* After a broker went away in the middle: has it given our segment the name? */
static bool create_is_done(int fd, const char *tmp_name)
{
	char path[sizeof(BS_SHM_DIR) + 65];
	struct stat st;

	if (bs_segment_is_sealed(fd)) /* it has no link; but a broker would stand for it */
		return bs_end_held(fd, BS_BYTE_BROKER, 1) > 0;
	if (fstat(fd, &st) < 0 || st.st_nlink != 1)
		return false;
	if (tmp_name[0] == '\0')
		return true; /* it was made without a link */
	snprintf(path, sizeof(path), BS_SHM_DIR "/%.63s", tmp_name);
	return access(path, F_OK) < 0 && errno == ENOENT;
}

int bs_broker_create(const char *name, int fd, const char *tmp_name)
{
	struct bs_req_create request = { .head = wire_head(BS_REQ_CREATE, sizeof(request)) };
	struct bs_reply reply;
	struct exchange x = {
		.request = &request,
		.request_len = sizeof(request),
		.fd = fd,
		.reply = &reply,
		.reply_size = sizeof(reply),
		.may_start = bs_choice_may_start(),
	};
	int r;

	snprintf(request.name, sizeof(request.name), "%s", name);
	r = exchange_run(&x);
	if (r == -EEXIST && x.again && create_is_done(fd, tmp_name))
		return 0;
	return r;
}

/* Without waiting for anything: not for room in the queue, nor for what the broker says to it. */
void bs_broker_restore(const char *name, int fd)
{
	struct bs_req_create request = { .head = wire_head(BS_REQ_RESTORE, sizeof(request)) };
	int fresh, link = bs_choice_connect(false, 0, NULL);

	if (link < 0)
		return;
	/* No end goes along: it would live for as long as the broker leaves the message lying. */
	fresh = bs_link_reopen(fd, O_RDWR);
	snprintf(request.name, sizeof(request.name), "%s", name);
	if (fresh >= 0)
		bs_packet_send(link, &request, sizeof(request), fresh, MSG_DONTWAIT);
	bs_link_close(fresh);
	bs_link_close(link);
}

/* Ask for streams' figures into @page, which has room for @room of them. */
static int ask_figures(uint16_t type, const char *name, struct bs_reply_list *page, size_t room)
{
	struct bs_req_name request;
	struct exchange x = {
		.request = &request,
		.request_len = sizeof(request),
		.fd = -1,
		.reply = page,
		.reply_size = sizeof(*page) + room * sizeof(page->streams[0]),
		.may_start = bs_choice_may_start(),
	};
	int r;

	request_fill(&request, type, name, 0);
	r = exchange_run(&x);
	if (r < 0)
		return r;
	if (page->n_streams > room ||
	    x.reply_len != sizeof(*page) + page->n_streams * sizeof(page->streams[0]))
		return -EPROTO;
	for (uint32_t i = 0; i < page->n_streams; i++)
		page->streams[i].name[BS_WIRE_NAME - 1] = '\0';
	return 0;
}

int bs_broker_look(const char *name, struct bs_wire_stat *stat)
{
	struct {
		alignas(8) char room[sizeof(struct bs_reply_list) + sizeof(struct bs_wire_stat)];
	} one;
	struct bs_reply_list *page = (struct bs_reply_list *)one.room;
	int r = ask_figures(BS_REQ_STAT, name, page, 1);

	if (r == 0 && page->n_streams != 1)
		r = -EPROTO;
	if (r == 0)
		*stat = page->streams[0];
	return r;
}

int bs_broker_page(const char *after, struct bs_reply_list **pagep)
{
	struct bs_reply_list *page;
	int r;

	page = malloc(sizeof(*page) + BS_WIRE_PER_LIST * sizeof(page->streams[0]));
	if (!page)
		return -ENOMEM;
	r = ask_figures(BS_REQ_LIST, after, page, BS_WIRE_PER_LIST);
	if (r < 0)
		free(page);
	else
		*pagep = page;
	return r;
}

/* ---- the broker itself ---------------------------------------------------------------------- */

static int ask_broker(struct bs_reply_broker *reply, bool may_start)
{
	struct bs_wire_head request = wire_head(BS_REQ_BROKER, sizeof(request));
	struct exchange x = {
		.request = &request,
		.request_len = sizeof(request),
		.fd = -1,
		.reply = reply,
		.reply_size = sizeof(*reply),
		.may_start = may_start,
	};
	int r = exchange_run(&x);

	if (r == 0 && x.reply_len != sizeof(*reply))
		r = -EPROTO;
	return r;
}

int bs_broker_uptime(uint64_t *uptime_nsp)
{
	struct bs_reply_broker reply;
	int r = ask_broker(&reply, false);

	if (r == 0)
		*uptime_nsp = reply.uptime_ns;
	return r;
}

int bstream_broker_stat(struct bstream_broker_stat *stat)
{
	struct bstream_broker_stat now;
	struct bs_reply_broker reply;
	int r;

	/* Members were added at the end: a program that does not know them yet is given the others. */
	if (!stat || stat->size < offsetof(struct bstream_broker_stat, mailboxes))
		return -EINVAL;
	r = ask_broker(&reply, false);
	if (r < 0)
		return r;
	now = (struct bstream_broker_stat){
		.size = stat->size,
		.pid = reply.pid,
		.uid = reply.uid,
		.wire_version = reply.wire_version,
		.layout_version = reply.layout_version,
		.streams = reply.n_streams,
		.clients = reply.n_clients,
		.max_streams = reply.max_streams,
		.max_clients = reply.max_clients,
		.mailboxes = reply.n_mailboxes,
		.max_mailboxes = reply.max_mailboxes,
		.features = reply.features,
		.bytes = reply.bytes,
		.uptime_ns = reply.uptime_ns,
	};
	for (unsigned i = 0; i < BSTREAM_QUOTAS; i++)
		now.quotas[i] =
			(struct bstream_quota){ reply.quotas[i].used, reply.quotas[i].limit };
	memcpy(stat, &now, stat->size < sizeof(now) ? stat->size : sizeof(now));
	return 0;
}

int bstream_broker_metrics(int *fdp)
{
	struct bs_wire_head request = wire_head(BS_REQ_METRICS, sizeof(request));
	struct timeval patience = { .tv_sec = ROUND_NS / 1000000000u };
	struct bs_reply reply;
	int fd = -1;
	struct exchange x = {
		.request = &request,
		.request_len = sizeof(request),
		.fd = -1,
		.reply = &reply,
		.reply_size = sizeof(reply),
		.fdp = &fd,
	};
	int r = exchange_run(&x);

	if (r < 0)
		return r;
	bs_link_forget(fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	*fdp = fd;
	return 0;
}

int bstream_broker_start(void)
{
	struct bs_reply_broker reply;
	bool started = false;
	int r, link = bs_choice_connect(bs_choice_may_start(), bs_now() + ROUND_NS, &started);

	if (link < 0)
		return link;
	bs_link_close(link);
	r = ask_broker(&reply, bs_choice_may_start());
	return r < 0 ? r : !started;
}

/* A handle on the process that listens behind @link, or -1. From the kernel that has one; the number alone
 * may be another's by the time it is looked up. */
static int link_pidfd(int link)
{
	struct ucred cred;
	socklen_t len = sizeof(cred), len_fd = sizeof(int);
	int pidfd;

	if (getsockopt(link, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.pid <= 0 ||
	    cred.pid == getpid())
		return -1;
	if (getsockopt(link, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len_fd) == 0)
		return pidfd;
	return errno == ENOPROTOOPT ? pidfd_open(cred.pid, 0) : -1;
}

/* On a connection of its own, kept until the broker has gone: its hang-up is the second best sign */
static int stop_over(int link, uint64_t until)
{
	struct bs_wire_head request = wire_head(BS_REQ_STOP, sizeof(request));
	struct bs_reply reply;
	struct exchange x = { .request = &request, .reply = &reply, .reply_size = sizeof(reply) };
	int fd = -1, r, pidfd = bs_packet_raise(link_pidfd(link));

	r = bs_packet_send(link, &request, sizeof(request), -1, MSG_DONTWAIT);
	if (r == 0)
		r = link_await(link, until);
	if (r == 0)
		r = reply_take(&x, link, &fd);
	if (r == 0 || r == GONE || is_gone(r)) {
		r = link_await(pidfd >= 0 ? pidfd : link, until);
	}
	if (pidfd >= 0)
		close(pidfd);
	return r;
}

int bstream_broker_stop(void)
{
	struct bs_reply_broker reply;
	uint64_t until = bs_now() + ROUND_NS;
	int link, r;

	/* Whoever answers has made the listening socket its own: before, the kernel names the
	 * process that started it as the one behind a connection. */
	r = ask_broker(&reply, false);
	if (r < 0)
		return r;
	link = bs_choice_connect(false, until, NULL);
	if (link < 0)
		return link;
	r = stop_over(link, until);
	bs_link_close(link);
	return r;
}
