/* SPDX-License-Identifier: MIT */
/* check_view.c - looking at a stream without an end of it, and disturbing nobody. */
#include <string.h>
#include <unistd.h>

#include "lib/handle.h"
#include "tests/guard.h"

static struct bstream_writer *w, *x;
static struct bstream_reader *r;
static struct bstream_view *v;

static void begin(void)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = 2;
	o.chunk_max = 64;
	GIVES(bstream_create("n", &o), 0);
	GIVES(bstream_view_open("n", &v), 0);
}

static void end(void)
{
	bstream_writer_close(w);
	bstream_writer_close(x);
	bstream_reader_close(r);
	bstream_view_close(v);
}

struct ends {
	unsigned n;
	struct bstream_end end[8];
};

static int note(const struct bstream_end *e, void *arg)
{
	struct ends *ends = arg;

	MUST(ends->n < 8 && e->size == sizeof(*e));
	ends->end[ends->n++] = *e;
	return 0;
}

static struct ends look(void)
{
	struct ends ends = { 0 };

	GIVES(bstream_view_ends(v, note, &ends), 0);
	return ends;
}

START_TEST(a_view_shows_the_figures_of_a_stream)
{
	struct bstream_stat stat = { .size = sizeof(stat) }, of_broker = { .size = sizeof(stat) };

	begin();
	GIVES(bstream_view_stat(v, &stat), 0);
	ck_assert_str_eq(stat.name, "n");
	GIVES(stat.reader, BSTREAM_READER_PARKED);
	GIVES(stat.writers, 0);
	GIVES(stat.flags, 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "abc");
	GIVES(bstream_view_stat(v, &stat), 0);
	GIVES(bstream_stat("n", &of_broker), 0);
	MUST(memcmp(&stat, &of_broker, sizeof(stat)) == 0);
	GIVES(stat.chunks_written, 1);
	GIVES(stat.bytes_written, 3);
	GIVES(stat.in_flight, 1);
	GIVES(stat.writers, 1);
	GIVES(stat.writer_pid, getpid());
	stat.size = 3;
	GIVES(bstream_view_stat(v, &stat), -EINVAL);
	GIVES(bstream_remove("n"), 0);
	end();
}
END_TEST

START_TEST(a_view_shows_each_end)
{
	struct ends ends;

	begin();
	ends = look();
	GIVES(ends.n, 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_writer_clone(w, &x), 0);
	SAY(w, "abc");
	ends = look();
	GIVES(ends.n, 2); /* no read end is open */
	GIVES(ends.end[0].kind, BSTREAM_END_WRITER);
	GIVES(ends.end[0].pid, getpid());
	GIVES(ends.end[0].uid, getuid());
	GIVES(ends.end[0].chunks, 1);
	GIVES(ends.end[0].bytes, 3);
	GIVES(ends.end[0].waits_for, BSTREAM_WAITS_NOT);
	GIVES(ends.end[0].waits_since_ns, 0);
	GIVES(ends.end[1].chunks, 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	HEAR(r, "abc");
	bstream_writer_close(x);
	x = NULL;
	ends = look();
	GIVES(ends.n, 2);
	GIVES(ends.end[0].kind, BSTREAM_END_READER);
	GIVES(ends.end[0].pid, getpid());
	GIVES(ends.end[0].chunks, 1);
	GIVES(ends.end[0].bytes, 3);
	int fd = bstream_writer_detach(w);
	ends = look();
	GIVES(ends.n, 2);
	GIVES(ends.end[1].pid, 0); /* on its way */
	GIVES(bstream_writer_attach(fd, &w), 0);
	end();
}
END_TEST

static int stop_at_once(const struct bstream_end *e, void *arg)
{
	(void)e;
	++*(int *)arg;
	return -5;
}

START_TEST(a_look_at_the_ends_stops_when_told)
{
	int n = 0;

	begin();
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_writer_clone(w, &x), 0);
	GIVES(bstream_view_ends(v, stop_at_once, &n), -5);
	GIVES(n, 1);
	GIVES(bstream_remove("n"), 0);
	end();
}
END_TEST

static void read_two(struct bstream_reader *reader, void *arg)
{
	(void)arg;
	HEAR_IN_TIME(reader, "a");
	GIVES(guard_read(reader, guard_patience()), 0);
	bstream_reader_close(reader);
}

START_TEST(a_view_shows_who_waits_for_what)
{
	uint64_t before = bs_now();
	struct guard_peer peer;
	struct ends ends;

	begin();
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	guard_reader_away(&peer, (enum guard_way)_i, r, read_two, NULL);
	r = NULL;
	UNTIL((ends = look()).n == 2 && ends.end[0].waits_for == BSTREAM_WAITS_ITEMS);
	UNTIL((ends = look()).end[0].waits_since_ns != 0);
	MUST(ends.end[0].waits_since_ns >= before && ends.end[0].waits_since_ns <= bs_now());
	MUST(ends.end[0].pid == (_i == 0 ? getpid() : peer.pid));
	SAY(w, "a");
	bstream_writer_close(w);
	w = NULL;
	guard_join(&peer);
	end();
}
END_TEST

START_TEST(a_view_disturbs_nobody)
{
	begin();
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	bstream_writer_close(w);
	w = NULL;
	look();
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0); /* a view is no writer */
	bstream_reader_close(r);
	r = NULL;
	UNTIL(guard_n_segments() == 0); /* and keeps no name */
	struct bstream_stat stat = { .size = sizeof(stat) };
	GIVES(bstream_view_stat(v, &stat), 0); /* but goes on showing */
	MUST((stat.flags & (BSTREAM_ENDED | BSTREAM_BROKEN)) == (BSTREAM_ENDED | BSTREAM_BROKEN));
	end();
}
END_TEST

START_TEST(a_view_goes_on_showing_a_removed_stream)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	begin();
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_remove("n"), 0);
	GIVES(bstream_view_stat(v, &stat), 0);
	MUST((stat.flags & BSTREAM_REMOVED) != 0);
	end();
}
END_TEST

START_TEST(a_view_leaves_nothing)
{
	int fds;

	begin();
	fds = guard_n_fds();
	for (int i = 0; i < 100; i++) {
		struct bstream_view *again;

		GIVES(bstream_view_open("n", &again), 0);
		bstream_view_close(again);
	}
	GIVES(guard_n_fds(), fds);
	GIVES(guard_n_mappings(), 1);
	GIVES(bstream_remove("n"), 0);
	end();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_view_shows_the_figures_of_a_stream),
		ONCE(a_view_shows_each_end),
		ONCE(a_look_at_the_ends_stops_when_told),
		EITHER_WAY(a_view_shows_who_waits_for_what),
		ONCE(a_view_disturbs_nobody),
		ONCE(a_view_goes_on_showing_a_removed_stream),
		ONCE(a_view_leaves_nothing),
	};

	guard_need_broker();
	return GUARD_RUN("view", cases);
}
