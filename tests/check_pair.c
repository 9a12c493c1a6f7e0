/* SPDX-License-Identifier: MIT */
/*
 * check_pair.c - a stream without a name: the five behaviours that everything else rests on, each
 * between two threads and between two processes, and what a pair needs and leaves.
 */
#include <string.h>
#include <unistd.h>

#include "lib/handle.h"
#include <fcntl.h>
#include <sys/resource.h>
#include "tests/guard.h"

/* ---- 1: back-pressure ----------------------------------------------------------------------- */

static void write_into_a_full_stream(struct bstream_writer *w, void *arg)
{
	struct guard_gate *timed_out = arg;

	SAY(w, "one");
	GIVES(bstream_write(w, "lost", 4, bstream_after_ms(20)), -ETIMEDOUT);
	guard_gate_open(timed_out);
	GIVES(bstream_write(w, "two", 3, guard_patience()), 0);
	bstream_writer_close(w);
}

START_TEST(a_full_stream_holds_its_writer_until_the_reader_drains)
{
	struct guard_gate timed_out;
	struct bstream_writer *w;
	struct bstream_reader *r;
	struct guard_peer peer;

	guard_gate_init(&timed_out);
	guard_pair(1, 0, &w, &r);
	guard_writer_away(&peer, (enum guard_way)_i, w, write_into_a_full_stream, &timed_out);
	guard_gate_pass(&timed_out);
	UNTIL(figure_load(&r->g->writers[0].waits_for) == BS_WAITS_ROOM);
	HEAR(r, "one");
	HEAR_IN_TIME(r, "two");
	GIVES(guard_read(r, guard_patience()), 0);
	guard_join(&peer);
	bstream_reader_close(r);
	guard_gate_fini(&timed_out);
}
END_TEST

/* ---- 2: the end ----------------------------------------------------------------------------- */

static void write_three_and_close(struct bstream_writer *w, void *arg)
{
	struct guard_gate *closed = arg;

	SAY(w, "a");
	SAY(w, "b");
	SAY(w, "c");
	bstream_writer_close(w);
	if (closed != NULL)
		guard_gate_open(closed);
}

START_TEST(the_stream_ends_when_the_writer_has_gone_and_the_buffer_is_empty)
{
	struct guard_gate closed;
	struct bstream_writer *w;
	struct bstream_reader *r;
	struct guard_peer peer;

	guard_gate_init(&closed);
	guard_pair(16, 0, &w, &r);
	guard_writer_away(&peer, (enum guard_way)_i, w, write_three_and_close, &closed);
	guard_gate_pass(&closed);
	HEAR(r, "a");
	HEAR(r, "b");
	HEAR(r, "c");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	GIVES(guard_read(r, BSTREAM_FOREVER), 0); /* and it stays so */
	guard_join(&peer);
	bstream_reader_close(r);
	guard_gate_fini(&closed);
}
END_TEST

static void close_when_the_reader_sleeps(struct bstream_writer *w, void *arg)
{
	(void)arg;
	UNTIL(figure_load(&w->g->reader.waits_for) == BS_WAITS_ITEMS);
	bstream_writer_close(w);
}

START_TEST(a_reader_that_sleeps_is_told_the_end)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	struct guard_peer peer;

	guard_pair(16, 0, &w, &r);
	guard_writer_away(&peer, (enum guard_way)_i, w, close_when_the_reader_sleeps, NULL);
	GIVES(guard_read(r, BSTREAM_FOREVER), 0);
	guard_join(&peer);
	bstream_reader_close(r);
}
END_TEST

/* ---- 3: a reader that has gone -------------------------------------------------------------- */

static void read_one_and_close(struct bstream_reader *r, void *arg)
{
	struct guard_gate *closed = arg;

	HEAR_IN_TIME(r, "one");
	bstream_reader_close(r);
	guard_gate_open(closed);
}

START_TEST(a_write_to_a_reader_that_has_gone_fails_and_sends_nothing)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct guard_gate closed;
	struct bstream_writer *w;
	struct bstream_reader *r;
	struct guard_peer peer;

	guard_gate_init(&closed);
	guard_pair(16, 0, &w, &r);
	guard_reader_away(&peer, (enum guard_way)_i, r, read_one_and_close, &closed);
	SAY(w, "one");
	guard_gate_pass(&closed);
	GIVES(bstream_write(w, "two", 3, BSTREAM_DONT_WAIT), -EPIPE);
	GIVES(bstream_write(w, "two", 3, BSTREAM_FOREVER), -EPIPE);
	GIVES(bstream_writer_stat(w, &stat), 0);
	GIVES(stat.chunks_written, 1);
	GIVES(stat.in_flight, 0);
	guard_join(&peer);
	bstream_writer_close(w);
	guard_gate_fini(&closed);
}
END_TEST

static void close_when_the_writer_sleeps(struct bstream_reader *r, void *arg)
{
	(void)arg;
	UNTIL(figure_load(&r->g->writers[0].waits_for) == BS_WAITS_ROOM);
	bstream_reader_close(r);
}

START_TEST(a_writer_that_sleeps_is_told_that_the_reader_has_gone)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	struct guard_peer peer;

	guard_pair(1, 0, &w, &r);
	guard_reader_away(&peer, (enum guard_way)_i, r, close_when_the_writer_sleeps, NULL);
	SAY(w, "one");
	GIVES(bstream_write(w, "two", 3, BSTREAM_FOREVER), -EPIPE);
	guard_join(&peer);
	bstream_writer_close(w);
}
END_TEST

/* ---- 4: fan-in ------------------------------------------------------------------------------ */

START_TEST(two_writers_fan_in_and_the_stream_ends_when_both_have_gone)
{
	struct bstream_writer *w, *x;
	struct bstream_reader *r;
	struct guard_peer one, two;

	guard_pair(4, 0, &w, &r);
	GIVES(bstream_writer_clone(w, &x), 0);
	SAY(x, "x");
	guard_writer_away(&one, (enum guard_way)_i, w, close_when_the_reader_sleeps, NULL);
	HEAR(r, "x");
	GIVES(guard_read(r, bstream_after_ms(20)), -ETIMEDOUT); /* x is still there */
	guard_join(&one);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_writer_clone(x, &w), 0);
	guard_writer_away(&one, (enum guard_way)_i, w, write_three_and_close, NULL);
	HEAR_IN_TIME(r, "a");
	HEAR_IN_TIME(r, "b");
	HEAR_IN_TIME(r, "c");
	guard_writer_away(&two, (enum guard_way)_i, x, close_when_the_reader_sleeps, NULL);
	GIVES(guard_read(r, BSTREAM_FOREVER), 0);
	guard_join(&one);
	guard_join(&two);
	bstream_reader_close(r);
}
END_TEST

/* ---- 5: what handles say -------------------------------------------------------------------- */

static void describe_as_writer(struct bstream_writer *w, void *arg)
{
	struct guard_gate *done = arg;
	char text[64];

	GIVES(bstream_writer_describe(w, text, sizeof(text)), 40);
	ck_assert_str_eq(text, "bstream_writer((pair), 0/3 chunks, open)");
	SAY(w, "a");
	SAY(w, "b");
	bstream_writer_describe(w, text, sizeof(text));
	ck_assert_str_eq(text, "bstream_writer((pair), 2/3 chunks, open)");
	bstream_writer_close(w);
	guard_gate_open(done);
}

START_TEST(handles_describe_themselves)
{
	struct guard_gate done;
	struct bstream_writer *w;
	struct bstream_reader *r;
	struct guard_peer peer;
	char text[64];

	guard_gate_init(&done);
	guard_pair(3, 0, &w, &r);
	bstream_reader_describe(r, text, sizeof(text));
	ck_assert_str_eq(text, "bstream_reader((pair), 0/3 chunks, open)");
	guard_writer_away(&peer, (enum guard_way)_i, w, describe_as_writer, &done);
	guard_gate_pass(&done);
	HEAR(r, "a");
	bstream_reader_describe(r, text, sizeof(text));
	ck_assert_str_eq(text, "bstream_reader((pair), 1/3 chunks, ended)");
	HEAR(r, "b");
	GIVES(bstream_reader_describe(r, text, sizeof(text)), 41);
	ck_assert_str_eq(text, "bstream_reader((pair), 0/3 chunks, ended)");
	guard_join(&peer);
	bstream_reader_close(r);
	guard_gate_fini(&done);
}
END_TEST

START_TEST(a_writer_describes_a_broken_stream)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	char text[64], few[12];

	guard_pair(3, 0, &w, &r);
	SAY(w, "a");
	bstream_reader_close(r);
	GIVES(bstream_writer_describe(w, text, sizeof(text)), 42);
	ck_assert_str_eq(text, "bstream_writer((pair), 1/3 chunks, broken)");
	GIVES(bstream_writer_describe(w, few, sizeof(few)), 42);
	ck_assert_str_eq(few, "bstream_wri");
	GIVES(bstream_writer_describe(w, NULL, 0), 42);
	bstream_writer_close(w);
}
END_TEST

/* ---- what it needs -------------------------------------------------------------------------- */

START_TEST(a_pair_needs_no_broker_and_two_descriptors)
{
	int before = guard_n_fds();
	struct bstream_writer *w;
	struct bstream_reader *r;

	GIVES(bstream_pair(NULL, &w, &r), 0);
	GIVES(guard_n_fds() - before, 2);
	GIVES(guard_n_segments(), 0);
	ck_assert_str_eq(w->hold.name, "");
	bstream_writer_close(w);
	bstream_reader_close(r);
	GIVES(guard_n_fds(), before);
}
END_TEST

START_TEST(a_pair_that_fails_gives_nothing)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *w = (void *)&o;
	struct bstream_reader *r = (void *)&o;

	o.max_writers = 0;
	GIVES(bstream_pair(&o, &w, &r), -EINVAL);
	MUST((void *)w == &o && (void *)r == &o);
}
END_TEST

START_TEST(closing_nothing_is_fine)
{
	bstream_writer_close(NULL);
	bstream_reader_close(NULL);
	bstream_view_close(NULL);
}
END_TEST

START_TEST(ends_are_never_the_standard_descriptors)
{
	struct bstream_writer *w, *x;
	struct bstream_reader *r;
	int saved[3], fd;

	for (int i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		close(i);
	}
	guard_pair(4, 0, &w, &r);
	int rc = bstream_writer_clone(w, &x);
	for (int i = 0; i < 3; i++) {
		if (saved[i] >= 0)
			dup2(saved[i], i);
		close(saved[i]);
	}
	GIVES(rc, 0);
	for (int i = 0; i < 3; i++) {
		fd = i == 0   ? bstream_writer_detach(w)
		     : i == 1 ? bstream_writer_detach(x)
			      : bstream_reader_detach(r);
		MUST(fd > 2);
		close(fd);
	}
}
END_TEST

START_TEST(a_limit_on_file_sizes_is_an_error_and_no_signal)
{
	struct rlimit limit = { 65536, 65536 };
	struct bstream_writer *w;
	struct bstream_reader *r;

	GIVES(setrlimit(RLIMIT_FSIZE, &limit), 0);
	GIVES(bstream_pair(NULL, &w, &r), -ENOSPC);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		EITHER_WAY(a_full_stream_holds_its_writer_until_the_reader_drains),
		EITHER_WAY(the_stream_ends_when_the_writer_has_gone_and_the_buffer_is_empty),
		EITHER_WAY(a_reader_that_sleeps_is_told_the_end),
		EITHER_WAY(a_write_to_a_reader_that_has_gone_fails_and_sends_nothing),
		EITHER_WAY(a_writer_that_sleeps_is_told_that_the_reader_has_gone),
		EITHER_WAY(two_writers_fan_in_and_the_stream_ends_when_both_have_gone),
		EITHER_WAY(handles_describe_themselves),
		ONCE(a_writer_describes_a_broken_stream),
		ONCE(a_pair_needs_no_broker_and_two_descriptors),
		ONCE(a_pair_that_fails_gives_nothing),
		ONCE(closing_nothing_is_fine),
		ONCE(ends_are_never_the_standard_descriptors),
		ONCE(a_limit_on_file_sizes_is_an_error_and_no_signal),
	};

	return GUARD_RUN("pair", cases);
}
