/* SPDX-License-Identifier: MIT */
/*
 * check_post.c - what anybody may say to the broker about mailboxes and messages, and it goes on
 * serving the others: each test ends with the guard stopping the same broker that it started with.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/end.h"
#include "proto/layout.h"
#include "proto/segment.h"
#include "tests/broker/raw.h"

#define ROOM 16

static pid_t broker_pid;

static void broker_begin(void)
{
	GIVES(bstream_broker_start(), 0);
	broker_pid = raw_broker_pid();
}

static void broker_is_well(void)
{
	GIVES(raw_broker_pid(), broker_pid);
}

/* ---- saying it ------------------------------------------------------------------------------ */

struct letter { /* a SEND, with room for a note that is too long */
	struct bs_req_name to;
	char note[BS_WIRE_NOTE + 8];
};

static struct letter letter_to(const char *name, uint32_t flags, size_t note_len)
{
	struct letter l = { .to = raw_question(BS_REQ_SEND, name, flags) };

	l.to.head.size = (uint32_t)(sizeof(l.to) + note_len);
	return l;
}

/* SEND on that connection, and do not wait for what comes of it. */
static void post(int conn, uint32_t flags, size_t note_len, const int *fds, size_t n_fds)
{
	struct letter l = letter_to("m", flags, note_len);

	MUST(raw_send(conn, &l, sizeof(l.to) + note_len, fds, n_fds));
}

/* SEND on a connection of its own: what comes of it. */
static int posted(uint32_t flags, size_t note_len, const int *fds, size_t n_fds)
{
	int r, conn = raw_connect();

	post(conn, flags, note_len, fds, n_fds);
	r = raw_result(conn, NULL);
	close(conn);
	broker_is_well();
	return r;
}

static void say_head(int conn, uint16_t type)
{
	struct bs_wire_head h = raw_question(type, "", 0).head;

	h.size = sizeof(h);
	MUST(raw_send(conn, &h, sizeof(h), NULL, 0));
}

/* The same, and what comes of it. */
static int head_said(int conn, uint16_t type)
{
	say_head(conn, type);
	return raw_result(conn, NULL);
}

/* A mailbox "m", by hand. Its connection. */
static int box_open(void)
{
	struct bs_req_name q = raw_question(BS_REQ_MAILBOX_OPEN, "m", 0);
	int conn = raw_connect();

	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	GIVES(raw_result(conn, NULL), 0);
	return conn;
}

static bool box_is_there(void)
{
	return bstream_wait("m", BSTREAM_WAIT_MAILBOX, BSTREAM_DONT_WAIT) == 0;
}

static bool is_silent(int conn)
{
	struct pollfd p = { .fd = conn, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

/* ---- shape ---------------------------------------------------------------------------------- */

/* @type with so many bytes and descriptors: the answer, and then the broker hangs up. */
static void shape_is_refused(uint16_t type, size_t len, size_t n_fds)
{
	struct letter l = letter_to("m", 0, 0);
	int conn = raw_connect(), null = open("/dev/null", O_RDWR | O_CLOEXEC),
	    fds[] = { null, null };

	l.to.head.type = type;
	l.to.head.size = (uint32_t)len;
	MUST(raw_send(conn, &l, len, fds, n_fds));
	GIVES(raw_result(conn, NULL), -EPROTO);
	GIVES(raw_result(conn, NULL), -ENOTCONN);
	close(null);
	close(conn);
}

/* Every length but the right one, and every number of descriptors that is too many. */
static void only_this_shape(uint16_t type, size_t right, bool longer, size_t fds)
{
	for (size_t len = sizeof(struct bs_wire_head); len < right; len++)
		shape_is_refused(type, len, 0);
	for (size_t len = right + 1; len < right + 8 && !longer; len++)
		shape_is_refused(type, len, 0);
	for (size_t n = fds + 1; n <= 2; n++)
		shape_is_refused(type, right, n);
	broker_is_well();
}

START_TEST(requests_of_the_wrong_shape)
{
	size_t head = sizeof(struct bs_wire_head), name = sizeof(struct bs_req_name);

	broker_begin();
	only_this_shape(BS_REQ_MAILBOX_OPEN, name, false, 0);
	only_this_shape(BS_REQ_MAILBOX_EXISTS, name, false, 0);
	only_this_shape(BS_REQ_SEND, name, true, 1);
	only_this_shape(BS_REQ_WITHDRAW, head, false, 0);
	only_this_shape(BS_REQ_NEXT, head, false, 0);
	only_this_shape(BS_REQ_MAILBOX_CLOSE, head, false, 0);
	GIVES(posted(0, BS_WIRE_NOTE, NULL, 0), -ENOENT);
	GIVES(posted(0, BS_WIRE_NOTE + 1, NULL, 0), -ENOTCONN); /* no request is as long */
	GIVES(posted(BS_WANT_WRITE, 0, NULL, 0), -EPROTO);
	GIVES(posted(0x80000000u, 0, NULL, 0), -EPROTO);
	GIVES(raw_ask(BS_REQ_MAILBOX_OPEN, "m", BS_WANT_WAIT, NULL), -EPROTO);
	GIVES(raw_ask(BS_REQ_MAILBOX_OPEN, "/m", 0, NULL), -EINVAL);
	GIVES(raw_ask(BS_REQ_SEND, "", 0, NULL), -EINVAL);
	GIVES(raw_ask(BS_REQ_BELL, "m", 0, NULL), -EPROTO);
}
END_TEST

START_TEST(requests_out_of_turn)
{
	static const uint16_t owners[] = { BS_REQ_NEXT, BS_REQ_MAILBOX_CLOSE, BS_REQ_WITHDRAW };
	struct bs_req_name q;
	int conn;

	broker_begin();
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		conn = raw_connect();
		GIVES(head_said(conn, owners[i]), -EPROTO);
		GIVES(raw_result(conn, NULL), -ENOTCONN);
		close(conn);
	}
	for (uint16_t type = BS_REQ_OPEN_WRITER; type <= BS_REQ_SEND; type++) {
		if (type == BS_REQ_BROKER || type == BS_REQ_STOP || type == BS_REQ_RESTORE)
			continue;
		conn = box_open();
		q = raw_question(type, "m", 0);
		MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
		GIVES(raw_result(conn, NULL), -EPROTO);
		GIVES(raw_result(conn, NULL), -ENOTCONN); /* and with it goes the mailbox */
		MUST(!box_is_there());
		close(conn);
	}
	broker_is_well();
}
END_TEST

START_TEST(a_withdrawal_is_due_once)
{
	int box, conn;

	broker_begin();
	box = box_open();
	conn = raw_connect();
	post(conn, 0, 0, NULL, 0);
	GIVES(raw_result(conn, NULL), 0);
	say_head(conn, BS_REQ_WITHDRAW); /* it crossed the answer: nothing is said */
	post(conn, 0, 0, NULL, 0);
	GIVES(raw_result(conn, NULL), 0);
	say_head(conn, BS_REQ_WITHDRAW);
	GIVES(head_said(conn, BS_REQ_WITHDRAW), -EPROTO);
	GIVES(raw_result(conn, NULL), -ENOTCONN);
	close(conn);
	close(box);
	broker_is_well();
}
END_TEST

/* ---- an owner who does what he likes -------------------------------------------------------- */

START_TEST(an_owner_who_never_listens_costs_a_mailbox_and_no_more)
{
	int sent = 0, box, waiting[20];

	broker_begin();
	box = box_open();
	while (posted(0, BS_WIRE_NOTE, NULL, 0) == 0)
		sent++;
	GIVES(sent, ROOM);
	for (int i = 0; i < 20; i++) {
		waiting[i] = raw_connect();
		post(waiting[i], BS_WANT_WAIT, BS_WIRE_NOTE, NULL, 0);
	}
	broker_is_well();
	for (int i = 0; i < 20; i++)
		MUST(is_silent(waiting[i]));
	close(box);
	for (int i = 0; i < 20; i++) {
		GIVES(raw_result(waiting[i], NULL), -ENOENT);
		close(waiting[i]);
	}
}
END_TEST

START_TEST(an_owner_who_asks_and_asks)
{
	struct bs_wire_head h = raw_question(BS_REQ_NEXT, "", 0).head;
	int box;

	broker_begin();
	box = box_open();
	GIVES(head_said(box, BS_REQ_NEXT), -EAGAIN); /* without a bell, without a message */
	h.size = sizeof(h);
	while (raw_send(box, &h, sizeof(h), NULL, 0))
		;
	MUST(errno == EPIPE || errno == ECONNRESET);
	UNTIL(!box_is_there());
	broker_is_well();
	close(box);
}
END_TEST

/* Each packet the owner has got: its type, and how much of it. */
static uint16_t packet_next(int conn, struct bs_reply_message *reply, int *fdp)
{
	char room[sizeof(*reply) + BS_WIRE_NOTE];
	ssize_t n = bs_packet_recv(conn, room, sizeof(room), fdp, 0);

	MUST(n >= (ssize_t)sizeof(struct bs_reply));
	memcpy(reply, room, (size_t)n < sizeof(*reply) ? (size_t)n : sizeof(*reply));
	MUST(reply->head.size == (size_t)n);
	return reply->head.type;
}

START_TEST(there_is_one_bell_while_there_are_messages)
{
	struct bs_reply_message reply;
	int box, fd;

	broker_begin();
	box = box_open();
	for (int i = 0; i < 3; i++)
		GIVES(posted(0, 0, NULL, 0), 0);
	for (int i = 0; i < 3; i++) {
		GIVES(packet_next(box, &reply, &fd), BS_REQ_BELL);
		MUST(is_silent(box));
		say_head(box, BS_REQ_NEXT);
		GIVES(packet_next(box, &reply, &fd), BS_REQ_NEXT);
		GIVES(reply.result, 0);
		GIVES(reply.more != 0, i < 2);
		MUST(reply.pid == getpid() && reply.uid == getuid());
	}
	MUST(is_silent(box));
	GIVES(posted(0, 0, NULL, 0), 0);
	GIVES(head_said(box, BS_REQ_MAILBOX_CLOSE), 0); /* it was the bell … */
	GIVES(packet_next(box, &reply, &fd), BS_REQ_MAILBOX_CLOSE);
	MUST(!box_is_there());
	GIVES(head_said(box, BS_REQ_NEXT), -EPROTO);
	close(box);
	broker_is_well();
}
END_TEST

START_TEST(only_so_many_mailboxes)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };
	struct bs_req_name q;
	char name[32];
	int *conn, n = 0, r;

	broker_begin();
	GIVES(bstream_broker_stat(&stat), 0);
	MUST(stat.max_mailboxes > 0 && stat.max_mailboxes < stat.max_clients);
	GIVES(stat.mailboxes, 0);
	if (stat.max_mailboxes > 900) {
		printf("skipped: more mailboxes than this process may have descriptors\n");
		return;
	}
	conn = calloc(stat.max_mailboxes + 1, sizeof(*conn));
	do {
		snprintf(name, sizeof(name), "box/%d", n);
		q = raw_question(BS_REQ_MAILBOX_OPEN, name, 0);
		conn[n] = raw_connect();
		MUST(raw_send(conn[n], &q, sizeof(q), NULL, 0));
		r = raw_result(conn[n++], NULL);
	} while (r == 0 && n <= (int)stat.max_mailboxes);
	GIVES(r, -EDQUOT);
	GIVES(n, stat.max_mailboxes + 1);
	GIVES(bstream_broker_stat(&stat), 0);
	GIVES(stat.mailboxes, stat.max_mailboxes);
	while (n > 0)
		close(conn[--n]);
	free(conn);
	broker_is_well();
	UNTIL(bstream_broker_stat(&stat) == 0 && stat.mailboxes == 0);
}
END_TEST

/* ---- descriptors that are no read end ------------------------------------------------------- */

/* Refused, whoever closes it last. Takes @fd. */
static void refused(int fd, int why)
{
	MUST(fd >= 0);
	GIVES(posted(0, 4, &fd, 1), why);
	GIVES(posted(BS_WANT_WAIT, 4, &fd, 1), why);
	close(fd);
}

static int reopened(int fd, int flags)
{
	int fresh = bs_end_reopen(fd, flags);

	MUST(fresh >= 0);
	return fresh;
}

START_TEST(descriptors_of_the_wrong_kind)
{
	struct bs_reply_message reply;
	int box, ends[2], fd;

	broker_begin();
	box = box_open();
	MUST(pipe2(ends, O_CLOEXEC) == 0);
	refused(ends[0], -EPROTO);
	refused(ends[1], -EPROTO);
	refused(open("/dev/null", O_RDWR | O_CLOEXEC), -EPROTO);
	refused(open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC), -EPROTO);
	refused(open("/proc/self/status", O_RDONLY | O_CLOEXEC), -EPROTO);
	refused(eventfd(0, EFD_CLOEXEC), -EPROTO);
	refused(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), -EPROTO);
	refused(memfd_create("empty", MFD_CLOEXEC), -EPROTO);
	refused(raw_segment("s"), -EPROTO); /* its read end is parked */
	MUST(is_silent(box));
	GIVES(posted(0, 0, NULL, 0), 0);
	GIVES(packet_next(box, &reply, &fd), BS_REQ_BELL);
	close(box);
}
END_TEST

START_TEST(ends_that_do_not_travel_and_what_is_near_them)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	int box, fd, fd_w;

	broker_begin();
	box = box_open();
	guard_pair(4, 0, &w, &r);
	fd = bstream_reader_detach(r);
	refused(reopened(fd, O_RDONLY), -EPROTO);
	refused(reopened(fd, O_PATH), -EPROTO);
	refused(reopened(fd, O_RDWR), -EPROTO); /* another has the lock */
	fd_w = bstream_writer_detach(w);
	refused(fd_w, -EPROTO);
	GIVES(bstream_reader_attach(fd, &r), 0);
	refused(dup(fd), -EPROTO); /* it is attached */
	GIVES(guard_read(r, guard_patience()), -ECONNRESET);
	bstream_reader_close(r);
	close(box);
}
END_TEST

/* A read end on its way, of a pair whose writer is *wp. */
static int end_on_its_way(struct bstream_writer **wp)
{
	struct bstream_reader *r;
	int fd;

	guard_pair(4, 0, wp, &r);
	fd = bstream_reader_detach(r);
	MUST(fd >= 0);
	return fd;
}

/* Cut to nothing before it is sent, and after. Nobody has it mapped here: that would be our end. */
static int cut_end(bool *cutp)
{
	struct bstream_writer *w;
	int fd = end_on_its_way(&w), fd_w = bstream_writer_detach(w);

	close(fd_w);
	if (ftruncate(fd, 0) < 0)
		*cutp = false; /* it is sealed */
	return fd;
}

START_TEST(memory_that_is_cut_away)
{
	struct bstream_writer *w;
	bool cut = true;
	int box, fd;

	broker_begin();
	box = box_open();
	fd = cut_end(&cut);
	refused(fd, cut ? -EPROTO : 0);
	for (off_t left = 0; left <= 4096; left += 512) {
		fd = end_on_its_way(&w);
		close(bstream_writer_detach(w));
		GIVES(posted(0, 0, &fd, 1), 0);
		if (ftruncate(fd, left) < 0)
			printf("it is sealed: not cut\n");
		close(fd);
	}
	close(box); /* the broker receives them itself */
	UNTIL(!box_is_there());
	broker_is_well();
}
END_TEST

START_TEST(an_end_that_is_sent_twice_is_had_once)
{
	struct bstream_mailbox *m;
	struct bstream_message msg;
	struct bstream_writer *w;
	int fd;

	broker_begin();
	GIVES(bstream_mailbox_open("m", &m), 0);
	fd = end_on_its_way(&w);
	for (int i = 0; i < 5; i++)
		GIVES(posted(0, 0, &fd, 1), 0);
	close(fd);
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_send("m", "z", 1, NULL, BSTREAM_DONT_WAIT), 0);
	SAY(w, "a");
	HEAR(msg.reader, "a");
	bstream_reader_close(msg.reader);
	GIVES(bstream_write(w, "x", 1, BSTREAM_DONT_WAIT), -EPIPE);
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), 0);
	MUST(msg.len == 1 && msg.reader == NULL);
	bstream_writer_close(w);
	bstream_mailbox_close(m);
	broker_is_well();
}
END_TEST

/* A copy that its owner has attached meanwhile is not the broker's to close for good. */
START_TEST(an_end_that_was_taken_back_outlives_the_mailbox)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	int box, fd;

	broker_begin();
	box = box_open();
	fd = end_on_its_way(&w);
	GIVES(posted(0, 0, &fd, 1), 0);
	GIVES(bstream_reader_attach(fd, &r), 0);
	close(box);
	UNTIL(!box_is_there());
	SAY(w, "a");
	HEAR(r, "a");
	bstream_reader_close(r);
	bstream_writer_close(w);
	broker_is_well();
}
END_TEST

START_TEST(a_socket_that_lingers_does_not_keep_the_broker_waiting)
{
	int box, conn, fd, other;

	broker_begin();
	box = box_open();
	raw_broker_stop(broker_pid);
	conn = raw_connect();
	fd = raw_lingering(&other);
	post(conn, 0, 0, &fd, 1);
	close(fd); /* the broker's copy is the last */
	MUST(kill(broker_pid, SIGCONT) == 0);
	GIVES(raw_result(conn, NULL), -EPROTO);
	broker_is_well();
	close(conn);
	close(other);
	close(box);
}
END_TEST

/* The broker was asleep, the sender has given up and has its end again: it never was sent. */
START_TEST(who_hangs_up_before_the_answer_has_not_sent)
{
	struct bs_reply_message reply;
	struct bstream_writer *w;
	struct bstream_reader *r;
	int box, conn, fd;

	broker_begin();
	box = box_open();
	fd = end_on_its_way(&w);
	raw_broker_stop(broker_pid);
	conn = raw_connect();
	post(conn, 0, 0, &fd, 1);
	GIVES(bstream_reader_attach(fd, &r), 0);
	close(conn);
	MUST(kill(broker_pid, SIGCONT) == 0);
	GIVES(posted(0, 0, NULL, 0), 0);
	GIVES(packet_next(box, &reply, &fd), BS_REQ_BELL);
	say_head(box, BS_REQ_NEXT);
	GIVES(packet_next(box, &reply, &fd), BS_REQ_NEXT);
	MUST(fd < 0 && reply.more == 0);
	SAY(w, "a");
	HEAR(r, "a");
	bstream_reader_close(r);
	bstream_writer_close(w);
	close(box);
}
END_TEST

/* The same, and meanwhile he has sent it on, to somebody who has not got it yet: that is another
 * message, of which the broker knows nothing. It had heard of the first one, or not. */
START_TEST(an_end_that_is_on_its_way_elsewhere_is_not_the_brokers)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	int box, conn, fd;

	broker_begin();
	box = box_open();
	while (_i > 0 && posted(0, 0, NULL, 0) == 0)
		;
	fd = end_on_its_way(&w);
	conn = raw_connect();
	if (_i > 0)
		post(conn, BS_WANT_WAIT, 0, &fd, 1);
	GIVES(bstream_wait("m", BSTREAM_WAIT_MAILBOX, BSTREAM_DONT_WAIT), 0);
	raw_broker_stop(broker_pid);
	if (_i == 0)
		post(conn, 0, 0, &fd, 1);
	GIVES(bstream_reader_attach(fd, &r), 0);
	close(conn);
	fd = bstream_reader_detach(r);
	MUST(fd >= 0);
	MUST(kill(broker_pid, SIGCONT) == 0);
	GIVES(posted(0, 0, NULL, 0), _i > 0 ? -EAGAIN : 0); /* by now it has seen it all */
	GIVES(bstream_reader_attach(fd, &r), 0);
	SAY(w, "a");
	HEAR(r, "a");
	bstream_reader_close(r);
	bstream_writer_close(w);
	close(box);
	broker_is_well();
}
END_TEST

/* ---- noise ---------------------------------------------------------------------------------- */

/* xorshift: the same bytes every time. */
static uint64_t noise(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* One packet, mostly right. */
static void noise_post(int conn, uint64_t *state, int fd)
{
	uint16_t type = (uint16_t)(BS_REQ_MAILBOX_OPEN +
				   noise(state) % (BS_REQ_COUNT - BS_REQ_MAILBOX_OPEN));
	struct letter l = letter_to("m", noise(state) % 2 ? BS_WANT_WAIT : 0, 0);
	size_t len = type == BS_REQ_SEND  ? sizeof(l.to) + noise(state) % (BS_WIRE_NOTE + 2)
		     : type < BS_REQ_SEND ? sizeof(l.to)
					  : sizeof(l.to.head);

	l.to.head.type = type;
	l.to.head.size = (uint32_t)len;
	if (noise(state) % 8 == 0)
		((unsigned char *)&l)[noise(state) % sizeof(l.to)] = (unsigned char)noise(state);
	raw_send(conn, &l, len, &fd, type == BS_REQ_SEND && noise(state) % 2);
}

START_TEST(conversations_with_noise_in_them)
{
	enum { CONNS = 12 };
	uint64_t state = 0x9e3779b97f4a7c15;
	struct bstream_writer *w;
	int conn[CONNS], fd;
	char room[sizeof(struct letter)];

	broker_begin();
	fd = end_on_its_way(&w);
	for (int i = 0; i < CONNS; i++)
		conn[i] = raw_connect();
	for (int i = 0; i < 8000; i++) {
		int c = (int)(noise(&state) % CONNS), got = -1;

		noise_post(conn[c], &state, fd);
		while (bs_packet_recv(conn[c], room, sizeof(room), &got, MSG_DONTWAIT) > 0)
			if (got >= 0)
				close(got);
		if (noise(&state) % 16 == 0) {
			close(conn[c]);
			conn[c] = raw_connect();
		}
		if (i % 64 == 0) {
			close(fd);
			bstream_writer_close(w);
			fd = end_on_its_way(&w);
		}
	}
	broker_is_well();
	for (int i = 0; i < CONNS; i++)
		close(conn[i]);
	close(fd);
	bstream_writer_close(w);
	UNTIL(!box_is_there());
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(requests_of_the_wrong_shape),
		ONCE(requests_out_of_turn),
		ONCE(a_withdrawal_is_due_once),
		ONCE(an_owner_who_never_listens_costs_a_mailbox_and_no_more),
		ONCE(an_owner_who_asks_and_asks),
		ONCE(there_is_one_bell_while_there_are_messages),
		ONCE(only_so_many_mailboxes),
		ONCE(descriptors_of_the_wrong_kind),
		ONCE(ends_that_do_not_travel_and_what_is_near_them),
		ONCE(memory_that_is_cut_away),
		ONCE(an_end_that_is_sent_twice_is_had_once),
		ONCE(an_end_that_was_taken_back_outlives_the_mailbox),
		ONCE(a_socket_that_lingers_does_not_keep_the_broker_waiting),
		ONCE(who_hangs_up_before_the_answer_has_not_sent),
		N_WAYS(an_end_that_is_on_its_way_elsewhere_is_not_the_brokers, 2),
		ONCE(conversations_with_noise_in_them),
	};

	guard_need_broker();
	return GUARD_RUN("post", cases);
}
