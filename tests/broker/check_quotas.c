/* SPDX-License-Identifier: MIT */
/*
 * check_quotas.c - what one user may have of a broker of many, and that what he does to it keeps no
 * other from being served. Played by root as two users.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/layout.h"
#include "proto/meeting.h"
#include "tests/broker/raw.h"
#include "tests/broker/users.h"

static const char *const small[] = {
	"--quota",     "streams=3", "--quota",	  "bytes=1M", "--quota",       "ends=4", "--quota",
	"mailboxes=2", "--quota",   "messages=3", "--quota",  "connections=8", NULL,
};

static int make(const char *name, uint32_t chunk_max)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = 1;
	o.max_writers = 8;
	o.chunk_max = chunk_max;
	o.mode = 0666;
	o.keep = strcmp(name, "s") == 0 ? BSTREAM_KEEP_WRITERS : 0;
	return bstream_create(name, &o);
}

static int make_private(const char *name)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = 1;
	o.chunk_max = 16;
	return bstream_create(name, &o);
}

/* The last call was refused for want of this. */
static void refused_for(const char *limit_name, uint64_t limit)
{
	struct bstream_refusal refusal = { .size = sizeof(refusal) };

	GIVES(bstream_refusal(&refusal), 0);
	GIVES(refusal.error, -EDQUOT);
	GIVES(refusal.why, BSTREAM_WHY_USER_LIMIT);
	GIVES(refusal.uid, geteuid());
	GIVES(refusal.limit, limit);
	MUST(strcmp(refusal.limit_name, limit_name) == 0);
}

static uint64_t used(unsigned quota)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	GIVES(bstream_broker_stat(&stat), 0);
	return stat.quotas[quota].used;
}

static void use_up_streams(void *arg)
{
	(void)arg;
	GIVES(make("a/1", 64), 0);
	GIVES(make("a/2", 64), 0);
	GIVES(make("a/3", 64), 0);
	GIVES(make("a/4", 64), -EDQUOT);
	refused_for("streams", 3);
	GIVES(used(BSTREAM_QUOTA_STREAMS), 3);
	GIVES(bstream_remove("a/1"), 0);
	GIVES(make("a/4", 64), 0);
	GIVES(bstream_remove("a/2"), 0);
	GIVES(bstream_remove("a/3"), 0);
	GIVES(make("big", 600 << 10), 0);
	GIVES(make("bigger", 600 << 10), -EDQUOT);
	refused_for("bytes", 1 << 20);
	MUST(used(BSTREAM_QUOTA_BYTES) > 600 << 10);
}

static void make_one(void *arg)
{
	GIVES(make(arg, 64), 0);
}

START_TEST(streams_and_their_bytes_are_counted_by_who_made_them)
{
	users_broker_start(small);
	as_user(ANNA, 0, use_up_streams, NULL);
	as_user(BERT, 0, make_one, "b"); /* whose account it is not */
	GIVES(bstream_remove("a/4"), 0);
	GIVES(bstream_remove("big"), 0);
	GIVES(bstream_remove("b"), 0);
	as_user(ANNA, 0, make_one, "a");
	GIVES(bstream_remove("a"), 0);
	users_broker_end();
}
END_TEST

static void use_up_ends(void *arg)
{
	struct bstream_writer *w[5], *cloned;

	(void)arg;
	for (int i = 0; i < 4; i++)
		GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w[i]), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w[4]), -EDQUOT);
	refused_for("ends", 4);
	GIVES(used(BSTREAM_QUOTA_ENDS), 4);
	GIVES(bstream_writer_clone(w[0], &cloned), 0); /* without the broker */
	bstream_writer_close(cloned);
	bstream_writer_close(w[0]);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w[0]), 0);
	for (int i = 0; i < 4; i++)
		bstream_writer_close(w[i]);
	UNTIL(used(BSTREAM_QUOTA_ENDS) == 0);
}

START_TEST(ends_are_counted_by_who_was_given_them)
{
	users_broker_start(small);
	GIVES(make("s", 64), 0);
	as_user(ANNA, 0, use_up_ends, NULL);
	as_user(BERT, 0, use_up_ends, NULL);
	GIVES(bstream_remove("s"), 0);
	users_broker_end();
}
END_TEST

static void use_up_mailboxes(void *arg)
{
	struct bstream_mailbox *m[3];

	(void)arg;
	GIVES(bstream_mailbox_open("m/1", &m[0]), 0);
	GIVES(bstream_mailbox_open("m/2", &m[1]), 0);
	GIVES(bstream_mailbox_open("m/3", &m[2]), -EDQUOT);
	refused_for("mailboxes", 2);
	GIVES(used(BSTREAM_QUOTA_MAILBOXES), 2);
	bstream_mailbox_close(m[1]);
	GIVES(bstream_mailbox_open("m/3", &m[2]), 0);
	bstream_mailbox_close(m[2]);
	for (int i = 0; i < 3; i++)
		GIVES(bstream_send("m/1", "note", 4, NULL, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_send("m/1", "note", 4, NULL, BSTREAM_DONT_WAIT), -EDQUOT);
	refused_for("messages", 3);
	struct bstream_message message;
	GIVES(bstream_mailbox_recv(m[0], &message, guard_patience()), 0);
	GIVES(bstream_send("m/1", "note", 4, NULL, BSTREAM_DONT_WAIT), 0);
	bstream_mailbox_close(m[0]);
	GIVES(used(BSTREAM_QUOTA_MESSAGES), 0);
	GIVES(used(BSTREAM_QUOTA_MAILBOXES), 0);
}

START_TEST(mailboxes_and_messages_are_counted)
{
	users_broker_start(small);
	as_user(ANNA, 0, use_up_mailboxes, NULL);
	users_broker_end();
}
END_TEST

/* ---- one user and another ------------------------------------------------------------------- */

static struct guard_gate flooded, served;

/* Has the broker read all that was sent there, or hung up? */
static bool is_read(int conn)
{
	int unread = 0;

	MUST(ioctl(conn, SIOCOUTQ, &unread) == 0);
	return unread == 0;
}

/* As many connections as can be had, all waiting for a name that never comes. */
static void flood(void *arg)
{
	struct bs_req_name q = raw_question(BS_REQ_EXISTS, "never", BS_WANT_WAIT);
	int conns[500], n = 0, rc = 0;

	(void)arg;
	/* When eight wait, one more is refused, and told. */
	while (rc != -EDQUOT || n < 64) {
		MUST(n < 500);
		conns[n] = raw_connect();
		raw_send(conns[n], &q, sizeof(q), NULL, 0);
		UNTIL(is_read(conns[n])); /* one that was not heard yet has to leave first */
		n++;
		rc = bstream_wait("x", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT);
	}
	refused_for("connections", 8);
	guard_gate_open(&flooded);
	guard_gate_pass(&served);
	while (n > 0)
		close(conns[--n]);
}

/* Asks and does not listen, sends halves and nonsense. */
static void babble(void *arg)
{
	struct bs_req_name q = raw_question(BS_REQ_LIST, "", 0);
	int conns[64];

	(void)arg;
	for (int i = 0; i < 64; i++) {
		conns[i] = raw_connect();
		if (i % 3 == 0)
			raw_send(conns[i], &q, sizeof(q) / 2, NULL, 0);
		else if (i % 3 == 1)
			for (int n = 0; n < 50 && raw_send(conns[i], &q, sizeof(q), NULL, 0); n++)
				;
	}
	guard_gate_open(&flooded);
	guard_gate_pass(&served);
	for (int i = 0; i < 64; i++)
		close(conns[i]);
}

static void live_on(void *arg)
{
	struct bstream_writer *w;
	struct bstream_reader *r;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		GIVES(make("b", 64), 0);
		GIVES(bstream_open_writer("b", BSTREAM_DONT_WAIT, &w), 0);
		GIVES(bstream_open_reader("b", BSTREAM_DONT_WAIT, &r), 0);
		SAY(w, "a");
		HEAR(r, "a");
		bstream_writer_close(w);
		bstream_reader_close(r);
		UNTIL(bstream_wait("b", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT) == -ENOENT);
	}
}

START_TEST(who_floods_the_broker_keeps_no_other_from_it)
{
	users_broker_start(small);
	guard_gate_init(&flooded);
	guard_gate_init(&served);
	pid_t anna = as_user_meanwhile(ANNA, 0, _i == 0 ? flood : babble, NULL);
	guard_gate_pass(&flooded);
	as_user(BERT, 0, live_on, NULL);
	guard_gate_open(&served);
	guard_reap(anna);
	guard_gate_fini(&flooded);
	guard_gate_fini(&served);
	users_broker_end();
}
END_TEST

/* ---- descriptors that take long to be closed ---------------------------------------------------- */

/* A question with a descriptor that it should not have: the broker is to close it. The connection. */
static int send_along(int fd)
{
	struct bs_req_name q = raw_question(BS_REQ_STAT, "nobody", 0);
	int conn = raw_connect();

	MUST(raw_send(conn, &q, sizeof(q), &fd, 1));
	close(fd);
	return conn;
}

#define N_LINGERING 6

/* While the broker sleeps, so that its copies are the last. */
static void send_what_lingers(void *arg)
{
	int others[N_LINGERING], conns[N_LINGERING];

	(void)arg;
	for (int i = 0; i < N_LINGERING; i++)
		conns[i] = send_along(raw_lingering(&others[i]));
	guard_gate_open(&flooded);
	guard_gate_pass(&served);
	for (int i = 0; i < N_LINGERING; i++) {
		close(conns[i]);
		close(others[i]);
	}
}

static void send_a_pipe(void *arg)
{
	struct pollfd p = { .events = POLLIN };
	int fds[2], conn;

	(void)arg;
	MUST(pipe2(fds, O_CLOEXEC) == 0);
	conn = send_along(fds[1]);
	p.fd = fds[0];
	MUST(poll(&p, 1, 10000 * (int)guard_slowness()) == 1); /* closed there, too */
	close(fds[0]);
	close(conn);
}

START_TEST(what_takes_one_user_long_to_be_closed_keeps_no_other_waiting)
{
	users_broker_start(small);
	guard_gate_init(&flooded);
	guard_gate_init(&served);
	pid_t broker = raw_broker_pid();
	raw_broker_stop(broker);
	pid_t anna = as_user_meanwhile(ANNA, 0, send_what_lingers, NULL);
	guard_gate_pass(&flooded);
	MUST(kill(broker, SIGCONT) == 0);
	/* Threads that both might share would each be stuck after closing one of these at the latest. */
	for (int i = 0; i < 2 * N_LINGERING; i++)
		as_user(BERT, 0, send_a_pipe, NULL);
	as_user(BERT, 0, make_one, "b");
	GIVES(bstream_remove("b"), 0);
	guard_gate_open(&served);
	guard_reap(anna);
	guard_gate_fini(&flooded);
	guard_gate_fini(&served);
	users_broker_end();
}
END_TEST

/* ---- requests of one who has many connections --------------------------------------------------- */

#define N_ASKING 200
#define N_LOOKED 300 /* streams */

/* What is asked, and how often it is answered before another has his answer. */
static const struct question {
	uint16_t type;
	const char *name;
	int result, most;
} questions[] = {
	{ BS_REQ_SEND, "nobody", -ENOENT, N_ASKING * 3 / 4 },
	/* With one of these the broker has so many streams to look at that it is as much as a turn. */
	{ BS_REQ_LIST, "s", 0, 8 },
	{ BS_REQ_OPEN_WRITER, "s", -EDQUOT, 8 },
};

/* All at once, while the broker sleeps, on connections that it knows. Before it comes to what another asks
 * behind all of them, it has answered some: the other is there after as many rounds as it takes to look
 * at all twice. */
static void ask_all_at_once(void *arg)
{
	const struct question *what = arg;
	struct bs_req_name q = raw_question(BS_REQ_SEND, "nobody", 0);
	int conns[N_ASKING], n_answered = 0;

	for (int i = 0; i < N_ASKING; i++) {
		conns[i] = raw_connect();
		MUST(raw_send(conns[i], &q, sizeof(q), NULL, 0));
		GIVES(raw_result(conns[i], NULL), -ENOENT);
	}
	guard_gate_open(&served);
	guard_gate_pass(&flooded);
	q = raw_question(what->type, what->name, 0);
	for (int i = 0; i < N_ASKING; i++)
		MUST(raw_send(conns[i], &q, sizeof(q), NULL, 0));
	guard_gate_open(&served);
	guard_gate_pass(&flooded);
	for (int i = 0; i < N_ASKING; i++) {
		n_answered += raw_result(conns[i], NULL) == what->result;
		close(conns[i]);
	}
	MUST(n_answered > 0 && n_answered < what->most);
}

START_TEST(who_asks_on_many_connections_takes_turns_with_one_who_has_one)
{
	struct bs_wire_head q = { .magic = BS_WIRE_MAGIC,
				  .version = BS_WIRE_VERSION,
				  .type = BS_REQ_STOP, /* after that no other is answered */
				  .size = sizeof(q),
				  .layout = BS_LAYOUT_VERSION };
	static const char *const options[] = { "--quota", "ends=0", NULL };
	char name[16];
	int conn;

	users_broker_start(options);
	GIVES(make("s", 64), 0);
	for (int i = 0; i < N_LOOKED; i++) {
		snprintf(name, sizeof(name), "s/%d", i);
		GIVES(make_private(name), 0);
	}
	guard_gate_init(&flooded);
	guard_gate_init(&served);
	pid_t broker = raw_broker_pid();
	pid_t anna = as_user_meanwhile(ANNA, 0, ask_all_at_once, (void *)&questions[_i]);
	guard_gate_pass(&served);
	raw_broker_stop(broker);
	guard_gate_open(&flooded);
	guard_gate_pass(&served);
	conn = raw_connect();
	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	MUST(kill(broker, SIGCONT) == 0);
	GIVES(raw_result(conn, NULL), 0);
	close(conn);
	guard_gate_open(&flooded);
	guard_reap(anna);
	guard_gate_fini(&flooded);
	guard_gate_fini(&served);
	guard_reap(broker);
	users_broker_start(NULL); /* so that there is one to be ended, and nothing is left */
	users_broker_end();
}
END_TEST

#define N_SHORT 30 /* more than one may have at once; and fewer than may stand at the door */
static_assert(N_SHORT < BS_BACKLOG, "the broker sleeps while they come");

/* Each is answered before a later one has it leave. */
static void ask_once_on_each(void *arg)
{
	struct bs_req_name q = raw_question(BS_REQ_EXISTS, "nobody", 0);
	int conns[N_SHORT];

	(void)arg;
	for (int i = 0; i < N_SHORT; i++) {
		conns[i] = raw_connect();
		MUST(raw_send(conns[i], &q, sizeof(q), NULL, 0));
	}
	guard_gate_open(&flooded);
	for (int i = 0; i < N_SHORT; i++) {
		GIVES(raw_result(conns[i], NULL), -ENOENT);
		close(conns[i]);
	}
}

START_TEST(of_many_who_come_at_once_each_is_answered)
{
	static const char *const options[] = { "--quota", "connections=16", NULL };

	users_broker_start(options);
	guard_gate_init(&flooded);
	pid_t broker = raw_broker_pid();
	raw_broker_stop(broker);
	pid_t anna = as_user_meanwhile(ANNA, 0, ask_once_on_each, NULL);
	guard_gate_pass(&flooded);
	MUST(kill(broker, SIGCONT) == 0);
	guard_reap(anna);
	guard_gate_fini(&flooded);
	users_broker_end();
}
END_TEST

#define N_PIPES	 4
#define N_QUEUED 50

/* Of one user's connections some have always more to say: the one behind them is heard all the same. */
START_TEST(of_one_users_connections_none_waits_until_others_have_said_all)
{
	struct bs_req_name q = raw_question(BS_REQ_EXISTS, "nobody", 0);
	struct bs_wire_head stop = { .magic = BS_WIRE_MAGIC,
				     .version = BS_WIRE_VERSION,
				     .type = BS_REQ_STOP, /* after that no other is answered */
				     .size = sizeof(stop),
				     .layout = BS_LAYOUT_VERSION };
	int conns[N_PIPES], last, n_answered = 0;

	users_broker_start(NULL);
	pid_t broker = raw_broker_pid();
	raw_broker_stop(broker);
	for (int i = 0; i < N_PIPES; i++) {
		conns[i] = raw_connect();
		for (int k = 0; k < N_QUEUED; k++)
			MUST(raw_send(conns[i], &q, sizeof(q), NULL, 0));
	}
	last = raw_connect();
	MUST(raw_send(last, &stop, sizeof(stop), NULL, 0));
	MUST(kill(broker, SIGCONT) == 0);
	GIVES(raw_result(last, NULL), 0);
	guard_reap(broker);
	for (int i = 0; i < N_PIPES; i++) {
		while (raw_result(conns[i], NULL) == -ENOENT)
			n_answered++;
		close(conns[i]);
	}
	close(last);
	MUST(n_answered < N_PIPES * N_QUEUED / 2);
	users_broker_start(NULL); /* so that there is one to be ended, and nothing is left */
	users_broker_end();
}
END_TEST

/* ---- a connection that is one too many ----------------------------------------------------------- */

/* All connections that one may have, each a mailbox; then another, which speaks wire @version. */
static void use_up_and_ask(void *arg)
{
	const uint16_t *version = arg;
	struct bs_req_name q = raw_question(BS_REQ_EXISTS, "nobody", 0);
	alignas(8) char reply[sizeof(struct bs_reply_refusal)];
	struct bs_wire_head head;
	size_t full = *version == 1 ? sizeof(struct bs_reply) : sizeof(reply);
	struct bstream_mailbox *m[3];
	char name[] = "0";
	int more;

	for (int i = 0; i < 3; i++, name[0]++)
		GIVES(bstream_mailbox_open(name, &m[i]), 0);
	GIVES(bstream_wait("nobody", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT), -EDQUOT);
	refused_for("connections", 3);
	more = raw_connect();
	q.head.version = *version;
	MUST(raw_send(more, &q, sizeof(q), NULL, 0));
	MUST(bs_packet_recv(more, reply, sizeof(reply), NULL, 0) == (ssize_t)full);
	memcpy(&head, reply, sizeof(head));
	GIVES(head.version, *version);
	GIVES(head.type, BS_REQ_NONE);
	GIVES(((struct bs_reply *)reply)->result, -EDQUOT);
	GIVES(raw_result(more, NULL), -ENOTCONN);
	close(more);
	/* One who says nothing is nobody's loss: the next of his that comes is told. */
	more = raw_connect();
	GIVES(bstream_wait("nobody", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT), -EDQUOT);
	close(more);
	for (int i = 0; i < 3; i++)
		bstream_mailbox_close(m[i]);
	UNTIL(bstream_wait("nobody", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT) == -ENOENT);
}

START_TEST(who_has_too_many_connections_is_told_in_his_own_version)
{
	static const char *const options[] = { "--quota", "connections=3", NULL };
	uint16_t version = (uint16_t)(_i + 1);

	users_broker_start(options);
	as_user(ANNA, 0, use_up_and_ask, &version);
	users_broker_end();
}
END_TEST

/* More than he may have, on each of which he has yet to ask. */
static void connect_and_say_nothing(void *arg)
{
	int conns[20];

	(void)arg;
	for (int i = 0; i < 20; i++)
		conns[i] = raw_connect();
	GIVES(raw_result(conns[0], NULL), -ENOTCONN); /* it had to leave */
	for (int i = 0; i < 20; i++)
		close(conns[i]);
}

/* Bert's, which were there before any of hers. */
static void connect_and_ask_later(void *arg)
{
	struct bs_req_name q = raw_question(BS_REQ_EXISTS, "nobody", 0);
	int conns[3];

	(void)arg;
	for (int i = 0; i < 3; i++)
		conns[i] = raw_connect();
	GIVES(raw_ask(BS_REQ_EXISTS, "nobody", 0, NULL), -ENOENT); /* so it knows them all */
	guard_gate_open(&served);
	guard_gate_pass(&flooded);
	for (int i = 0; i < 3; i++) {
		MUST(raw_send(conns[i], &q, sizeof(q), NULL, 0));
		GIVES(raw_result(conns[i], NULL), -ENOENT);
		close(conns[i]);
	}
}

START_TEST(who_has_too_many_connections_loses_his_own)
{
	users_broker_start(small);
	guard_gate_init(&flooded);
	guard_gate_init(&served);
	pid_t bert = as_user_meanwhile(BERT, 0, connect_and_ask_later, NULL);
	guard_gate_pass(&served);
	as_user(ANNA, 0, connect_and_say_nothing, NULL);
	guard_gate_open(&flooded);
	guard_reap(bert);
	guard_gate_fini(&flooded);
	guard_gate_fini(&served);
	users_broker_end();
}
END_TEST

enum { N_UNREAD = 8 };

static int ask_and_not_read(bool shut)
{
	struct bs_req_name q = raw_question(BS_REQ_LOOK, "s", 0);
	struct pollfd p = { .fd = raw_connect(), .events = POLLIN };

	MUST(raw_send(p.fd, &q, sizeof(q), NULL, 0));
	MUST(poll(&p, 1, 10000 * (int)guard_slowness()) == 1);
	if (shut)
		shutdown(p.fd, SHUT_RDWR);
	return p.fd;
}

/* A descriptor that lies in a reply nobody has read is the broker's: as many of them may lie there as one may have
 * connections. */
static void look_and_never_read(void *arg)
{
	const bool *shut = arg;
	int conns[N_UNREAD], fd;

	GIVES(make("s", 64), 0);
	for (int i = 0; i < N_UNREAD; i++)
		conns[i] = ask_and_not_read(*shut);
	GIVES(raw_ask(BS_REQ_LOOK, "s", 0, NULL), -EDQUOT);
	GIVES(raw_result(conns[N_UNREAD / 2], &fd), 0);
	close(fd);
	GIVES(raw_ask(BS_REQ_LOOK, "s", 0, &fd), 0);
	close(fd);
	for (int i = 0; i < N_UNREAD; i++)
		close(conns[i]);
}

START_TEST(who_never_reads_what_he_is_given_comes_to_his_limit)
{
	bool shut = _i == 1;

	users_broker_start(small);
	as_user(ANNA, 0, look_and_never_read, &shut);
	users_broker_end();
}
END_TEST

/* ---- what is shown -------------------------------------------------------------------------- */

static void look(void *arg)
{
	static const uint64_t defaults[BSTREAM_QUOTAS] = { 1000, 7, 4000, 64, 512, 256 };
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	(void)arg;
	GIVES(bstream_broker_stat(&stat), 0);
	for (unsigned i = 0; i < BSTREAM_QUOTAS; i++)
		GIVES(stat.quotas[i].limit, i == 1 ? (uint64_t)7 << 30 : defaults[i]);
	GIVES(stat.quotas[BSTREAM_QUOTA_CONNECTIONS].used, 1);
}

START_TEST(limits_are_shown_and_root_has_none)
{
	static const char *const options[] = { "--quota", "bytes=7G", NULL };
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	users_broker_start(options);
	as_user(ANNA, 0, look, NULL);
	GIVES(bstream_broker_stat(&stat), 0);
	for (unsigned i = 0; i < BSTREAM_QUOTAS; i++)
		MUST(stat.quotas[i].limit == UINT64_MAX);
	users_broker_end();
}
END_TEST

START_TEST(root_may_have_more_than_the_limit)
{
	static const char *const options[] = { "--quota", "streams=1", NULL };

	users_broker_start(options);
	GIVES(make("a", 64), 0);
	GIVES(make("b", 64), 0);
	GIVES(bstream_remove("a"), 0);
	GIVES(bstream_remove("b"), 0);
	users_broker_end();
}
END_TEST

#define TALKERS	  20
#define TALKS	  6
#define SAID_MOST 50 /* lines about all users together, in half a minute */

static void talk_rubbish(void *arg)
{
	(void)arg;
	for (int i = 0; i < TALKS; i++) {
		int conn = raw_connect();

		MUST(raw_send(conn, "rubbish", 7, NULL, 0));
		GIVES(raw_result(conn, NULL), -ENOTCONN);
		close(conn);
	}
}

static unsigned lines_with(int fd, const char *part)
{
	static char said[65536];
	ssize_t len = pread(fd, said, sizeof(said) - 1, 0);
	unsigned n = 0;

	MUST(len >= 0);
	said[len] = '\0';
	for (const char *at = said; (at = strstr(at, part)); at++)
		n++;
	return n;
}

START_TEST(all_users_together_fill_no_log)
{
	int fd = memfd_create("log", MFD_CLOEXEC), own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	unsigned lines, half_minutes;

	MUST(fd >= 0 && own >= 0 && fcntl(fd, F_SETFL, O_APPEND) == 0);
	MUST(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
	users_broker_start(NULL);
	MUST(dup2(own, STDERR_FILENO) == STDERR_FILENO);
	for (int i = 0; i < TALKERS; i++)
		as_user(STRANGE + 1 + i, 0, talk_rubbish, NULL);
	users_broker_end();
	lines = lines_with(fd, "sent what is no request");
	half_minutes = lines_with(fd, " more lines about others suppressed");
	MUST(half_minutes > 0);
	MUST(lines >= SAID_MOST && lines <= SAID_MOST * (half_minutes + 1));
	close(own);
	close(fd);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(streams_and_their_bytes_are_counted_by_who_made_them),
		ONCE(ends_are_counted_by_who_was_given_them),
		ONCE(mailboxes_and_messages_are_counted),
		N_WAYS(who_floods_the_broker_keeps_no_other_from_it, 2),
		ONCE(what_takes_one_user_long_to_be_closed_keeps_no_other_waiting),
		N_WAYS(who_asks_on_many_connections_takes_turns_with_one_who_has_one, 3),
		ONCE(of_many_who_come_at_once_each_is_answered),
		ONCE(of_one_users_connections_none_waits_until_others_have_said_all),
		N_WAYS(who_has_too_many_connections_is_told_in_his_own_version, BS_WIRE_VERSION),
		ONCE(who_has_too_many_connections_loses_his_own),
		N_WAYS(who_never_reads_what_he_is_given_comes_to_his_limit, 2),
		ONCE(limits_are_shown_and_root_has_none),
		ONCE(root_may_have_more_than_the_limit),
		ONCE(all_users_together_fill_no_log),
	};

	guard_need_broker();
	users_need_root();
	return GUARD_RUN("quotas", cases);
}
