/* SPDX-License-Identifier: MIT */
/*
 * send.c - sending to a mailbox. Owns a connection for the time of a call.
 *
 * The line of a read end says "travelling" before the request goes; when the answer is an error the end
 * is taken back by the swap that a receiver would use, before the connection is closed: the broker
 * takes what somebody who hung up wanted to send for its own (daemon/letter.c).
 *
 * A message is queued when the broker has said so, and not before. So one that gave no answer and is
 * no more has not delivered it, and the next one is asked; and at the deadline the broker is asked for
 * an answer, which then says what became of it. If that does not come either, whoever gets the end
 * says so. A message without one has none to ask: the broker's side of the connection is cut off, so
 * that what has not been said by then cannot be said any more, and it is not queued.
 *
 * A broker that has only just come may not know a mailbox that lives. Who waits gives its owner the
 * time to register anew; with a broker that is older, "nobody is there" is told at once.
 */
#include <string.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/broker.h"
#include "lib/choice.h"
#include "lib/open.h"
#include "lib/travel.h"

#define GONE	     BS_BROKER_GONE
#define GONE_MAX     20 /* brokers that go away in the middle, one soon after the other */
#define GONE_SOON_NS BS_MS(1000)
#define LEFT_MAX     20 /* owners that are there when asked for, and have left when sent to */
#define GRACE_NS     BS_MS(1000) /* for the owner of the mailbox to find the next broker, too */
#define NAP_NS	     1000000

struct sending {
	const struct bs_req_send *request;
	size_t len; /* of the request and the note */
	struct bstream_reader *reader; /* or NULL */
	uint64_t deadline;
	bool waits; /* for room */
};

static int outcome_hear(int conn)
{
	struct bs_reply reply;
	size_t len = sizeof(reply);

	return bs_broker_hear(conn, BS_REQ_SEND, &reply, &len, NULL);
}

/* Wait for the answer; at the deadline, ask for it. */
static int outcome_await(const struct sending *s, int conn)
{
	struct bs_wire_head withdraw = bs_broker_head(BS_REQ_WITHDRAW, sizeof(withdraw));
	int rc = bs_broker_await(conn, s->waits ? s->deadline : bs_now() + BS_BROKER_ROUND_NS);

	if (rc == -ETIMEDOUT && s->waits) {
		/* If it has gone, its answer may still be there. */
		rc = bs_broker_say(conn, &withdraw, sizeof(withdraw), -1);
		if (rc == 0)
			rc = bs_broker_await(conn, bs_now() + BS_BROKER_ROUND_NS);
	}
	return rc < 0 ? rc : outcome_hear(conn);
}

/* No answer came, for this reason: from now on none can. Or it had come meanwhile. */
static int outcome_cut(int conn, int why)
{
	shutdown(conn, SHUT_RD);
	int rc = outcome_hear(conn);
	return rc == GONE ? why : rc;
}

/* Ask one broker once. 0: it is sent, and the reader is the receiver's; GONE; or an error. */
static int send_once(const struct sending *s)
{
	int conn = bs_broker_connect(bs_now() + BS_BROKER_ROUND_NS);
	uint64_t travelling = 0;

	if (conn < 0)
		return conn;
	if (s->reader != NULL)
		travelling = bs_reader_set_out(s->reader);
	int rc = bs_broker_say(conn, s->request, s->len,
			       s->reader != NULL ? s->reader->hold.sight.fd : -1);
	if (rc == 0)
		rc = outcome_await(s, conn);
	if (rc < 0 && s->reader == NULL)
		rc = outcome_cut(conn, rc);
	if (rc != 0 && s->reader != NULL && !bs_reader_come_back(s->reader, travelling))
		rc = 0;
	bs_broker_hang_up(conn);
	return rc;
}

/* How long the owner of the mailbox may still take: if an earlier broker went away in the middle of
 * this call, or, as far as the broker's age tells, may have gone just before it. */
static uint64_t grace_left(const struct sending *s, bool again)
{
	uint64_t peer_uptime;

	if (again)
		return GRACE_NS;
	if (!s->waits || bs_now() >= s->deadline || bs_broker_uptime(&peer_uptime) < 0)
		return 0;
	return peer_uptime < GRACE_NS ? GRACE_NS - peer_uptime : 0;
}

/* A new broker does not know the mailbox until its owner has been there. 0: he has; -ENOENT; or an
 * error. */
static int owner_await(const struct sending *s, bool again)
{
	uint64_t grace = grace_left(s, again);

	if (grace == 0)
		return -ENOENT;
	uint64_t until = bs_now() + grace;
	int rc = bs_broker_ask(BS_REQ_MAILBOX_EXISTS, s->request->to.name, BS_WANT_WAIT,
			       until < s->deadline ? until : s->deadline, NULL, NULL);

	return rc == -ETIMEDOUT ? -ENOENT : rc;
}

/* Send until a broker has answered. */
static int send_run(const struct sending *s)
{
	bool again = false;
	int n_gone = 0, n_left = 0;

	for (;;) {
		uint64_t asked = bs_now();
		int rc = send_once(s);

		if (rc == GONE) {
			again = true;
			n_gone = bs_now() - asked > GONE_SOON_NS ? 1 : n_gone + 1;
			if (n_gone > GONE_MAX)
				return -ECONNREFUSED;
		} else if (rc == -ENOENT) {
			rc = n_left++ < LEFT_MAX ? owner_await(s, again) : rc;
			if (rc != 0)
				return rc;
			again = true; /* he is there: if not when we are, he is between two lives */
		} else if (rc != -EAGAIN || !s->waits || bs_now() >= s->deadline) {
			return rc; /* else too many descriptors are in flight */
		}
		nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
	}
}

static int note_check(const char *mailbox, const void *note, size_t len)
{
	if (!bs_name_ok(mailbox))
		return -EINVAL;
	if (len > BSTREAM_NOTE_MAX)
		return -EMSGSIZE;
	return note != NULL || len == 0 ? 0 : -EINVAL;
}

int bstream_send(const char *mailbox, const void *note, size_t len, struct bstream_reader *r,
		 uint64_t deadline)
{
	union {
		struct bs_req_send send;
		char room[sizeof(struct bs_req_send) + BS_WIRE_NOTE];
	} request;
	struct sending s = {
		.request = &request.send,
		.len = sizeof(request.send) + len,
		.reader = r,
		.deadline = deadline,
		.waits = deadline > bs_now(),
	};
	int rc = note_check(mailbox, note, len);

	if (rc < 0)
		return rc;
	if (r != NULL && bs_fork_stale(r->fork_stamp))
		return -ESTALE;
	request.send.to = (struct bs_req_name){
		.head = bs_broker_head(BS_REQ_SEND, s.len),
		.flags = s.waits ? BS_WANT_WAIT : 0,
	};
	snprintf(request.send.to.name, sizeof(request.send.to.name), "%s", mailbox);
	if (len > 0)
		memcpy(request.room + sizeof(request.send), note, len);
	rc = send_run(&s);
	if (rc == 0 && r != NULL)
		bs_reader_drop(r);
	return rc == -EAGAIN && deadline != BSTREAM_DONT_WAIT ? -ETIMEDOUT : rc;
}

/* Who sends what, and to whom. */
struct calling {
	const char *mailbox;
	const void *note;
	size_t len;
	uint64_t deadline;
};

static int connect_once(const struct calling *c, const struct bstream_options *options, bool sealed,
			struct bstream_writer **wp)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	int rc = bs_pair_make(options, sealed, &w, &r);

	if (rc < 0)
		return rc;
	rc = bstream_send(c->mailbox, c->note, c->len, r, c->deadline);
	if (rc == 0) {
		*wp = w;
		return 0;
	}
	bstream_reader_close(r);
	bstream_writer_close(w);
	return rc;
}

int bstream_connect(const char *mailbox, const void *note, size_t len,
		    const struct bstream_options *options, uint64_t deadline,
		    struct bstream_writer **wp)
{
	const struct calling c = { mailbox, note, len, deadline };
	bool sealed = bs_choice_is_system();
	int rc = note_check(mailbox, note, len);

	if (rc < 0)
		return rc;
	rc = connect_once(&c, options, sealed, wp);
	/* As in bstream_create(): a broker of many users passes on no others. */
	return rc == -EOPNOTSUPP && !sealed ? connect_once(&c, options, true, wp) : rc;
}
