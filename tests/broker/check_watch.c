/* SPDX-License-Identifier: MIT */
/*
 * check_watch.c - streams to which much happens keep nobody waiting. The broker sleeps while it happens.
 * When it goes on it takes one packet of each connection in a round: so what is asked behind others is
 * answered in a known round, and tells what has been looked at by then.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/broker/raw.h"

#define N_STREAMS 300
#define N_STIRRED 100
#define N_EVENTS  8192 /* of those in the kernel's queue the broker reads some thousand in a round */

static const char *stream_name(int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "s/%03d", i);
	return name;
}

/* Streams by number, each of them watched. */
static void streams_make(struct raw_view *v, int n)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = 1;
	o.chunk_max = 16;
	o.max_writers = 1;
	for (int i = 0; i < n; i++) {
		GIVES(bstream_create(stream_name(i), &o), 0);
		raw_view_open(&v[i], stream_name(i));
	}
}

static void streams_remove(struct raw_view *v, int n)
{
	for (int i = 0; i < n; i++) {
		raw_view_close(&v[i]);
		GIVES(bstream_remove(stream_name(i)), 0);
	}
}

/* A child that holds the write ends of streams from @first on. */
static pid_t writers_hold(int first, int n)
{
	struct bstream_writer *w;
	struct guard_gate gate;
	pid_t pid;

	guard_gate_init(&gate);
	pid = guard_fork();
	if (pid == 0) {
		for (int i = first; i < first + n; i++)
			GIVES(bstream_open_writer(stream_name(i), BSTREAM_DONT_WAIT, &w), 0);
		guard_gate_open(&gate);
		for (;;)
			pause();
	}
	guard_gate_pass(&gate);
	guard_gate_fini(&gate);
	return pid;
}

/* A connection that the broker knows. */
static int conn_new(void)
{
	struct bs_req_name q = raw_question(BS_REQ_SEND, "nobody", 0);
	int conn = raw_connect();

	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	GIVES(raw_result(conn, NULL), -ENOENT);
	return conn;
}

/* Have it say in round @n_rounds of the broker's what there is from this stream on: a page of a list. */
static void ask_later(int conn, int n_rounds, int from)
{
	struct bs_req_name q = raw_question(BS_REQ_SEND, "nobody", 0);
	struct bs_req_name list =
		raw_question(BS_REQ_LIST, from > 0 ? stream_name(from - 1) : "", 0);

	for (int i = 1; i < n_rounds; i++)
		MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	MUST(raw_send(conn, &list, sizeof(list), NULL, 0));
}

/* Of how many streams in that page the broker had seen by then that their writers were dead. */
static int hear_seen(int conn, int n_rounds)
{
	alignas(8) static char room[BS_WIRE_PACKET];
	const struct bs_reply_list *list = (const struct bs_reply_list *)room;
	int n_seen = 0;

	for (int i = 1; i < n_rounds; i++)
		GIVES(raw_result(conn, NULL), -ENOENT);
	MUST(bs_packet_recv(conn, room, sizeof(room), NULL, 0) > (ssize_t)sizeof(*list));
	GIVES(list->result, 0);
	for (uint32_t i = 0; i < list->n_streams; i++)
		n_seen += (list->streams[i].flags & BS_STAT_ENDED) != 0;
	close(conn);
	return n_seen;
}

START_TEST(of_many_streams_that_stir_at_once_some_are_looked_at_before_a_request)
{
	static struct raw_view v[N_STREAMS];
	int conns[N_STREAMS / BS_WIRE_PER_LIST + 1], n_conns = 0, n_seen = 0;
	pid_t broker, holder;

	streams_make(v, N_STREAMS);
	holder = writers_hold(0, N_STREAMS);
	for (int from = 0; from < N_STREAMS; from += BS_WIRE_PER_LIST)
		conns[n_conns++] = conn_new();
	broker = raw_broker_pid();
	raw_broker_stop(broker);
	guard_kill(holder);
	for (int i = 0; i < n_conns; i++)
		ask_later(conns[i], 2, i * BS_WIRE_PER_LIST);
	MUST(kill(broker, SIGCONT) == 0);
	for (int i = 0; i < n_conns; i++)
		n_seen += hear_seen(conns[i], 2);
	MUST(n_seen > 0 && n_seen < N_STREAMS / 3);
	streams_remove(v, N_STREAMS);
}
END_TEST

/* Something that may be a death: a description that could write has gone. */
static void stir(const struct raw_view *v)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", v->fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	MUST(fd >= 0);
	close(fd);
}

/* Its writer dies while others are stirred again and again, more of them than are looked at in a round; so they are
 * whenever it is to be decided who is next. It has its turn when each of them has had one. */
START_TEST(streams_that_stir_without_pause_are_looked_at_in_turn_with_one_that_stirs_once)
{
	static struct raw_view v[N_STIRRED + 1];
	pid_t broker, stirred, once;
	int conn;

	streams_make(v, N_STIRRED + 1);
	stirred = writers_hold(0, N_STIRRED);
	once = writers_hold(N_STIRRED, 1);
	conn = conn_new();
	broker = raw_broker_pid();
	raw_broker_stop(broker);
	for (int i = 0; i < N_EVENTS; i++) {
		if (i == N_STIRRED / 2)
			guard_kill(once);
		stir(&v[i % N_STIRRED]);
	}
	ask_later(conn, 6, N_STIRRED);
	MUST(kill(broker, SIGCONT) == 0);
	GIVES(hear_seen(conn, 6), 1);
	guard_kill(stirred);
	streams_remove(v, N_STIRRED + 1);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(of_many_streams_that_stir_at_once_some_are_looked_at_before_a_request),
		ONCE(streams_that_stir_without_pause_are_looked_at_in_turn_with_one_that_stirs_once),
	};

	guard_need_broker();
	return GUARD_RUN("watch", cases);
}
