/* SPDX-License-Identifier: MIT */
/*
 * mailbox.c - the receiver's side of a mailbox: owns the connection that is the mailbox, and the one
 * message that was taken from it last.
 *
 * In the socket there is nothing, or a bell, or the reply to a NEXT that has not been taken yet: so
 * it is readable exactly while a message is there, and what pollfd gives is an epoll instance with the
 * connection in it, which can be exchanged when a broker has gone. A reply that says there are more has
 * a bell behind it, for which we wait, so that there is no moment in between in which nothing is there.
 *
 * When the broker hangs up the name is registered anew, by whoever calls next. Where that fails there is
 * no connection that could report anything, and a timer in the epoll does: it is set while there is an
 * epoll and no connection, goes off later after each failure, and stays gone off until somebody tries
 * again. A message that has left the socket, and whose end could not be attached for want of memory, is
 * reported by the timer, too. In a forked child the descriptors are closed by link.c, and the handle is
 * stale.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "lib/broker.h"
#include "lib/handle.h"
#include "lib/link.h"
#include "lib/options.h"

#define NAP_NS	     1000000
#define RETRY_MIN_NS BS_MS(100)
#define RETRY_MAX_NS BS_MS(1000)
#define PASSED_FREE  64 /* messages, or brokers: more than a mailbox holds */

enum { GONE = BS_BROKER_GONE, LATE, PASSED_OVER }; /* outcomes: look again */

struct bstream_mailbox {
	uint64_t fork_stamp;
	int link; /* the connection; -1: lost, and not opened anew yet */
	int epoll; /* what pollfd gave; -1: it was never asked for */
	int timer; /* in it; -1 like it */
	uint64_t retry_ns; /* after the next failure the timer goes off so much later */
	bool asked; /* a reply to NEXT is to come */
	bool held; /* it came, and is in @packet; but its end could not be attached for now */
	bool rung; /* held, and the timer says so */
	int fd; /* held: that end, noted, or -1 */
	char name[BS_NAME_SIZE];
	struct bs_wire_owner owner; /* as it was asked for: each broker is told so */
	size_t note_len;
	union {
		struct bs_reply reply;
		struct bs_reply_message message;
		char room[sizeof(struct bs_reply_message) + BS_WIRE_NOTE + 1]; /* and a NUL */
	} packet;
};

static_assert(BS_WIRE_NOTE == BSTREAM_NOTE_MAX, "as long on the wire");

static uint64_t round_end(void)
{
	return bs_now() + BS_BROKER_ROUND_NS;
}

/* ---- the connection ------------------------------------------------------------------------- */

static int poll_add(const struct bstream_mailbox *m, int fd)
{
	struct epoll_event e = { .events = EPOLLIN };

	return epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static void retry_in(const struct bstream_mailbox *m, uint64_t in_ns)
{
	if (m->timer >= 0)
		bs_link_timer_set(m->timer, in_ns);
}

static void mailbox_lose(struct bstream_mailbox *m)
{
	if (m->link >= 0 && m->epoll >= 0)
		epoll_ctl(m->epoll, EPOLL_CTL_DEL, m->link, NULL);
	bs_link_close(m->link);
	m->link = -1;
	m->asked = false;
	retry_in(m, RETRY_MIN_NS);
}

/* Register the name, where that is to be done. */
static int mailbox_stand(struct bstream_mailbox *m)
{
	if (m->link >= 0)
		return 0;
	int rc = bs_broker_mailbox(m->name, &m->owner, &m->link);
	if (rc == 0 && m->epoll >= 0 && (rc = poll_add(m, m->link)) < 0)
		mailbox_lose(m);
	retry_in(m, rc == 0 ? 0 : m->retry_ns);
	if (rc == 0)
		m->retry_ns = RETRY_MIN_NS;
	else if (m->retry_ns < RETRY_MAX_NS / 2)
		m->retry_ns *= 2;
	else
		m->retry_ns = RETRY_MAX_NS;
	return rc;
}

/* ---- a message ------------------------------------------------------------------------------ */

/* Wait for the bell, and ask. 0; GONE; -EAGAIN, -ETIMEDOUT: there is none; an error. */
static int message_ask(struct bstream_mailbox *m, uint64_t deadline)
{
	struct bs_wire_head next = bs_broker_head(BS_REQ_NEXT, sizeof(next));
	size_t len = sizeof(m->packet.reply);

	if (m->asked)
		return 0;
	int rc = bs_broker_await(m->link, deadline);
	if (rc < 0)
		return rc == -ETIMEDOUT && deadline == BSTREAM_DONT_WAIT ? -EAGAIN : rc;
	rc = bs_broker_hear(m->link, BS_REQ_BELL, &m->packet.reply, &len, NULL);
	if (rc == 0)
		rc = bs_broker_say(m->link, &next, sizeof(next), -1);
	m->asked = rc == 0;
	return rc == -EAGAIN ? -EPROTO : rc; /* a broker that does not listen is none */
}

/* Take what was asked for. 0 and it is held; GONE; LATE: there is none after all, or it cannot be had
 * just now; an error. */
static int message_take(struct bstream_mailbox *m, uint64_t deadline)
{
	uint64_t until = round_end();
	size_t len = sizeof(m->packet) - 1;
	int rc = bs_broker_await(m->link, deadline > until ? deadline : until);

	if (rc < 0)
		return rc;
	rc = bs_broker_hear(m->link, BS_REQ_NEXT, &m->packet.reply, &len, &m->fd);
	if (rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM)
		return rc; /* it stays in the socket */
	m->asked = false;
	if (rc != 0)
		return rc == -EAGAIN ? LATE : rc;
	if (len < sizeof(m->packet.message)) {
		bs_link_close(m->fd);
		return -EPROTO;
	}
	m->note_len = len - sizeof(m->packet.message);
	m->packet.room[len] = '\0';
	m->held = true;
	if (m->packet.message.more)
		bs_broker_await(m->link, round_end());
	return 0;
}

/* What fails here for want of something of ours may be tried again. */
static bool is_our_want(int rc)
{
	return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -EOPNOTSUPP;
}

/* Where somebody polls: what is held is not in the socket any more. */
static void held_ring(struct bstream_mailbox *m)
{
	if (m->timer < 0)
		return;
	bs_link_timer_ring(m->timer);
	m->rung = true;
}

static void held_done(struct bstream_mailbox *m)
{
	m->held = false;
	if (m->rung)
		bs_link_timer_set(m->timer, 0);
	m->rung = false;
}

/* Attach the end of what is held. 0; PASSED_OVER; or an error, and it is still held. */
static int message_open(struct bstream_mailbox *m, struct bstream_reader **rp)
{
	int rc = 0;

	*rp = NULL;
	if (m->fd >= 0) {
		rc = bstream_reader_attach(m->fd, rp);
		if (rc < 0 && is_our_want(rc)) {
			held_ring(m);
			return rc;
		}
		if (rc < 0)
			bs_link_close(m->fd);
		else
			bs_link_forget(m->fd); /* the list of ends has it */
		m->fd = -1;
	}
	held_done(m);
	return rc < 0 ? PASSED_OVER : 0;
}

/* See to it that a message is held. */
static int message_fetch(struct bstream_mailbox *m, uint64_t deadline)
{
	if (m->held)
		return 0;
	int rc = mailbox_stand(m);
	if (rc == 0)
		rc = message_ask(m, deadline);
	if (rc == 0)
		rc = message_take(m, deadline);
	if (rc == GONE || rc == -EPROTO)
		mailbox_lose(m);
	return rc;
}

static void message_show(const struct bstream_mailbox *m, struct bstream_reader *reader,
			 struct bstream_message *message)
{
	*message = (struct bstream_message){
		.note = m->packet.message.note,
		.len = m->note_len,
		.reader = reader,
		.pid = m->packet.message.pid,
		.uid = m->packet.message.uid,
	};
}

int bstream_mailbox_recv(struct bstream_mailbox *m, struct bstream_message *message,
			 uint64_t deadline)
{
	if (bs_fork_stale(m->fork_stamp))
		return -ESTALE;
	for (uint32_t passed = 0;; passed++) {
		struct bstream_reader *reader = NULL;
		int rc = message_fetch(m, deadline);

		if (rc == 0)
			rc = message_open(m, &reader);
		if (rc == 0)
			message_show(m, reader, message);
		if (rc <= 0)
			return rc;
		/* A few that are passed over are no reason to look at the clock; without end, they are. */
		if (rc != LATE && passed < PASSED_FREE)
			continue;
		if (bs_now() >= deadline)
			return deadline == BSTREAM_DONT_WAIT ? -EAGAIN : -ETIMEDOUT;
		if (rc == LATE)
			nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
	}
}

/* ---- the handle ----------------------------------------------------------------------------- */

/* A caller's struct of another size: what is missing is the default, what is unknown must be 0. */
static int options_read(const struct bstream_mailbox_options *options, struct bs_wire_owner *owner)
{
	struct bstream_mailbox_options o = BSTREAM_MAILBOX_OPTIONS_INIT;

	if (options != NULL) {
		int rc = bs_options_copy(&o, sizeof(o), options, options->size,
					 sizeof(size_t) + 2 * sizeof(uint32_t));
		if (rc < 0)
			return rc;
	}
	if ((o.mode & ~0777u) != 0)
		return -EINVAL;
	*owner = (struct bs_wire_owner){ o.mode, o.gid };
	return 0;
}

int bstream_mailbox_open(const char *name, struct bstream_mailbox **mp)
{
	return bstream_mailbox_open_with(name, NULL, mp);
}

int bstream_mailbox_open_with(const char *name, const struct bstream_mailbox_options *options,
			      struct bstream_mailbox **mp)
{
	struct bs_wire_owner owner;

	if (!bs_name_ok(name))
		return -EINVAL;
	int rc = options_read(options, &owner);
	if (rc < 0)
		return rc;
	struct bstream_mailbox *m = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	m->owner = owner;
	m->link = m->epoll = m->timer = m->fd = -1;
	m->retry_ns = RETRY_MIN_NS;
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->fork_stamp = bs_fork_stamp();
	rc = m->fork_stamp != 0 ? mailbox_stand(m) : -ENOMEM;
	if (rc < 0) {
		free(m);
		return rc;
	}
	*mp = m;
	return 0;
}

static void poll_close(struct bstream_mailbox *m)
{
	bs_link_close(m->epoll);
	bs_link_close(m->timer);
	m->epoll = m->timer = -1;
}

static int poll_open(struct bstream_mailbox *m)
{
	if ((m->epoll = bs_link_epoll()) < 0)
		return m->epoll;
	if ((m->timer = bs_link_timer()) < 0)
		return m->timer;
	int rc = poll_add(m, m->timer);
	if (rc == 0)
		rc = poll_add(m, m->link);
	if (rc == 0 && m->held)
		held_ring(m);
	return rc;
}

int bstream_mailbox_pollfd(struct bstream_mailbox *m)
{
	if (bs_fork_stale(m->fork_stamp))
		return -ESTALE;
	if (m->epoll >= 0)
		return m->epoll;
	int rc = mailbox_stand(m);
	if (rc < 0)
		return rc;
	rc = poll_open(m);
	if (rc < 0) {
		poll_close(m);
		return rc;
	}
	return m->epoll;
}

/* What is held, and what is on its way here, is received, and its end closed as its owner. */
static void messages_drop(struct bstream_mailbox *m)
{
	struct bstream_reader *r;

	if (m->asked && message_take(m, BSTREAM_DONT_WAIT) == GONE)
		mailbox_lose(m);
	if (m->held && message_open(m, &r) == 0)
		bstream_reader_close(r);
	bs_link_close(m->fd);
}

/* The broker frees the name, and closes what is queued. A bell may lie before its reply. */
static void name_drop(struct bstream_mailbox *m)
{
	struct bs_wire_head close_it = bs_broker_head(BS_REQ_MAILBOX_CLOSE, sizeof(close_it));
	uint64_t until = round_end();
	int rc = bs_broker_say(m->link, &close_it, sizeof(close_it), -1);

	while (rc == 0 && bs_now() < until && bs_broker_await(m->link, until) == 0) {
		size_t len = sizeof(m->packet.reply);

		rc = bs_broker_hear(m->link, BS_REQ_MAILBOX_CLOSE, &m->packet.reply, &len, NULL);
		if (rc != -EPROTO || m->packet.reply.head.type != BS_REQ_BELL)
			break;
		rc = 0;
	}
}

void bstream_mailbox_close(struct bstream_mailbox *m)
{
	if (m == NULL)
		return;
	if (!bs_fork_stale(m->fork_stamp)) {
		messages_drop(m);
		if (m->link >= 0)
			name_drop(m);
		mailbox_lose(m);
		poll_close(m);
	}
	free(m);
}
