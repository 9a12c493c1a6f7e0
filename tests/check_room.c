/* SPDX-License-Identifier: MIT */
/* check_room.c - what a write end waits for: room, the reader having released everything, and
 * finding out that the reader has gone. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/handle.h"
#include "tests/guard.h"

static struct bstream_writer *w, *x;
static struct bstream_reader *r;

static void close_all(void)
{
	bstream_writer_close(w);
	bstream_writer_close(x);
	bstream_reader_close(r);
	w = x = NULL;
	r = NULL;
}

static uint32_t waits_for(struct bs_segment *g, unsigned place)
{
	return figure_load(&g->writers[place].waits_for);
}

/* ---- waking --------------------------------------------------------------------------------- */

static void write_once(struct bstream_writer *writer, void *arg)
{
	GIVES(bstream_write(writer, "late", 4, BSTREAM_FOREVER), 0);
	if (arg != NULL)
		guard_gate_open(arg);
	bstream_writer_close(writer);
}

/* If a sleeper missed his wake-up, each round would take a slice of 250 ms: all of them together,
 * more than a test has. */
#define ROUNDS 150

static void release_two(int way)
{
	struct iovec chunks[2];

	if (way < 2) {
		HEAR(r, "a");
		HEAR(r, "b");
		return;
	}
	GIVES(bstream_peek_many(r, chunks, 2, BSTREAM_DONT_WAIT), 2);
	GIVES(bstream_release_many(r, 2), 0);
}

/* One after the other (0, 1), or by one call, which wakes one (2, 3). */
START_TEST(two_writers_asleep_are_both_woken_by_one_burst_of_releases)
{
	enum guard_way way = _i % 2;
	struct guard_peer one, two;
	struct guard_gate written;
	struct bstream_writer *y;

	guard_gate_init(&written);
	guard_pair(2, 0, &w, &r);
	for (int round = 0; round < ROUNDS; round++) {
		GIVES(bstream_writer_clone(w, &x), 0);
		GIVES(bstream_writer_clone(w, &y), 0);
		SAY(w, "a");
		SAY(w, "b");
		uint64_t waits = figure_load(&x->line->waits) + figure_load(&y->line->waits);
		struct bs_writer_line *lx = &r->g->writers[x->place],
				      *ly = &r->g->writers[y->place];
		guard_writer_away(&one, way, x, write_once, &written);
		guard_writer_away(&two, way, y, write_once, &written);
		UNTIL(figure_load(&lx->waits) + figure_load(&ly->waits) >= waits + 2);
		release_two(_i); /* and no more until both have written */
		guard_gate_pass(&written);
		guard_gate_pass(&written);
		guard_join(&one);
		guard_join(&two);
		HEAR(r, "late");
		HEAR(r, "late");
	}
	x = NULL;
	close_all();
	guard_gate_fini(&written);
}
END_TEST

static void write_to_nobody(struct bstream_writer *writer, void *arg)
{
	(void)arg;
	GIVES(bstream_write(writer, "late", 4, BSTREAM_FOREVER), -EPIPE);
	bstream_writer_close(writer);
}

START_TEST(all_writers_asleep_are_told_at_once_that_the_reader_has_left)
{
	struct guard_peer peers[4];
	struct bs_segment *g;

	for (int round = 0; round < ROUNDS; round++) {
		guard_pair(1, 0, &w, &r);
		g = r->g;
		SAY(w, "full");
		for (int i = 0; i < 4; i++) {
			GIVES(bstream_writer_clone(w, &x), 0);
			guard_writer_away(&peers[i], (enum guard_way)_i, x, write_to_nobody, NULL);
		}
		for (unsigned i = 1; i <= 4; i++)
			UNTIL(waits_for(g, i) == BS_WAITS_ROOM);
		bstream_reader_close(r);
		for (int i = 0; i < 4; i++)
			guard_join(&peers[i]);
		r = NULL;
		x = NULL;
		close_all();
	}
}
END_TEST

/* ---- signals -------------------------------------------------------------------------------- */

static void on_alarm(int sig)
{
	(void)sig;
}

/* A signal every millisecond, without SA_RESTART. */
static void storm(bool on)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, on ? 1000 : 0 }, { 0, on ? 1000 : 0 } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

START_TEST(signals_do_not_end_a_wait_for_room)
{
	uint64_t began, deadline;

	guard_pair(1, 0, &w, &r);
	SAY(w, "full");
	storm(true);
	began = bs_now();
	deadline = bstream_after_ms(60);
	GIVES(bstream_write(w, "late", 4, deadline), -ETIMEDOUT);
	MUST(bs_now() >= deadline);
	GIVES(bstream_drain(w, bstream_after_ms(60)), -ETIMEDOUT);
	MUST(bs_now() - began >= BS_MS(119));
	storm(false);
	close_all();
}
END_TEST

/* ---- drain ---------------------------------------------------------------------------------- */

START_TEST(drain_has_nothing_to_wait_for_where_all_is_released)
{
	guard_pair(4, 0, &w, &r);
	GIVES(bstream_drain(w, BSTREAM_DONT_WAIT), 0);
	SAY(w, "a");
	HEAR(r, "a");
	GIVES(bstream_drain(w, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_drain(w, bstream_after_ms(-1)), 0);
	close_all();
}
END_TEST

START_TEST(drain_counts_what_every_writer_has_claimed)
{
	const void *chunk;
	size_t len;

	guard_pair(4, 0, &w, &r);
	GIVES(bstream_writer_clone(w, &x), 0);
	SAY(x, "x");
	GIVES(bstream_drain(w, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_drain(w, bstream_after_ms(2)), -ETIMEDOUT);
	GIVES(bstream_drain(w, bstream_after_ms(-1)), -ETIMEDOUT);
	GIVES(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), 1);
	GIVES(bstream_drain(w, BSTREAM_DONT_WAIT), -EAGAIN); /* seen is not released */
	GIVES(bstream_release(r), 0);
	GIVES(bstream_drain(w, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_drain(x, BSTREAM_DONT_WAIT), 0);
	close_all();
}
END_TEST

static void drain_and_close(struct bstream_writer *writer, void *arg)
{
	SAY(writer, "a");
	SAY(writer, "b");
	GIVES(bstream_drain(writer, BSTREAM_FOREVER), 0);
	guard_gate_open(arg);
	bstream_writer_close(writer);
}

START_TEST(drain_wakes_when_the_last_chunk_is_released_and_not_before)
{
	struct guard_gate drained;
	struct guard_peer peer;

	guard_gate_init(&drained);
	guard_pair(4, 0, &w, &r);
	guard_writer_away(&peer, (enum guard_way)_i, w, drain_and_close, &drained);
	w = NULL;
	UNTIL(waits_for(r->g, 0) == BS_WAITS_DRAIN);
	HEAR(r, "a");
	UNTIL(waits_for(r->g, 0) == BS_WAITS_DRAIN);
	HEAR(r, "b");
	guard_gate_pass(&drained);
	guard_join(&peer);
	GIVES(guard_read(r, guard_patience()), 0);
	close_all();
	guard_gate_fini(&drained);
}
END_TEST

static void drain_in_vain(struct bstream_writer *writer, void *arg)
{
	(void)arg;
	SAY(writer, "a");
	GIVES(bstream_drain(writer, BSTREAM_FOREVER), -EPIPE);
	GIVES(bstream_drain(writer, BSTREAM_DONT_WAIT), -EPIPE);
	bstream_writer_close(writer);
}

START_TEST(drain_is_told_that_the_reader_left_first)
{
	struct guard_peer peer;

	guard_pair(4, 0, &w, &r);
	guard_writer_away(&peer, (enum guard_way)_i, w, drain_in_vain, NULL);
	w = NULL;
	UNTIL(waits_for(r->g, 0) == BS_WAITS_DRAIN);
	bstream_reader_close(r);
	r = NULL;
	guard_join(&peer);
}
END_TEST

START_TEST(drain_of_what_was_released_before_the_reader_left_succeeds)
{
	guard_pair(4, 0, &w, &r);
	SAY(w, "a");
	HEAR(r, "a");
	bstream_reader_close(r);
	r = NULL;
	GIVES(bstream_drain(w, BSTREAM_DONT_WAIT), 0);
	close_all();
}
END_TEST

/* ---- the reader's death --------------------------------------------------------------------- */

static void hold_until_killed(struct bstream_reader *reader, void *arg)
{
	const void *chunk;
	size_t len;

	GIVES(bstream_peek(reader, &chunk, &len, BSTREAM_FOREVER), 1);
	guard_gate_open(arg);
	for (;;)
		pause();
}

START_TEST(a_blocked_writer_hears_of_the_readers_death)
{
	struct guard_gate there;
	struct guard_peer peer, blocked;
	struct bs_segment *g;

	guard_gate_init(&there);
	guard_pair(1, 0, &w, &r);
	guard_reader_away(&peer, BY_PROCESS, r, hold_until_killed, &there);
	r = NULL;
	SAY(w, "a");
	guard_gate_pass(&there);
	g = w->g;
	GIVES(bstream_writer_clone(w, &x), 0);
	guard_writer_away(&blocked, BY_THREAD, x, write_to_nobody, NULL);
	x = NULL;
	UNTIL(waits_for(g, 1) == BS_WAITS_ROOM);
	guard_kill(peer.pid);
	GIVES(bstream_write(w, "b", 1, BSTREAM_FOREVER), -EPIPE);
	guard_join(&blocked);
	GIVES(bstream_write(w, "b", 1, BSTREAM_DONT_WAIT), -EPIPE);
	close_all();
	guard_gate_fini(&there);
}
END_TEST

START_TEST(a_writer_with_room_hears_of_the_readers_death_within_a_second_of_writing)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	struct guard_gate there;
	struct guard_peer peer;
	uint64_t end;
	int rc;

	guard_gate_init(&there);
	o.capacity = 1u << 21;
	o.chunk_max = 48;
	GIVES(bstream_pair(&o, &w, &r), 0);
	guard_reader_away(&peer, BY_PROCESS, r, hold_until_killed, &there);
	r = NULL;
	SAY(w, "a");
	guard_gate_pass(&there);
	guard_kill(peer.pid);
	end = guard_patience();
	do /* slowly enough that it never fills */
		rc = bstream_write(w, "b", 1, BSTREAM_DONT_WAIT);
	while (rc == 0 && bs_now() < end && poll(NULL, 0, 1) == 0);
	GIVES(rc, -EPIPE);
	MUST(w->tail - w->head_seen < o.capacity);
	close_all();
	guard_gate_fini(&there);
}
END_TEST

START_TEST(a_full_stream_tells_of_a_death_who_does_not_wait)
{
	struct guard_gate there;
	struct guard_peer peer;

	guard_gate_init(&there);
	guard_pair(1, 0, &w, &r);
	guard_reader_away(&peer, BY_PROCESS, r, hold_until_killed, &there);
	r = NULL;
	SAY(w, "a");
	guard_gate_pass(&there);
	GIVES(bstream_write(w, "b", 1, BSTREAM_DONT_WAIT), -EAGAIN);
	guard_kill(peer.pid);
	GIVES(bstream_write(w, "b", 1, BSTREAM_DONT_WAIT), -EPIPE);
	close_all();
	guard_gate_fini(&there);
}
END_TEST

START_TEST(a_stopped_reader_is_not_declared_dead)
{
	struct guard_gate there;
	struct guard_peer peer;

	guard_gate_init(&there);
	guard_pair(1, 0, &w, &r);
	guard_reader_away(&peer, BY_PROCESS, r, hold_until_killed, &there);
	r = NULL;
	SAY(w, "a");
	guard_gate_pass(&there);
	guard_stop(peer.pid);
	GIVES(bstream_write(w, "b", 1, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_write(w, "b", 1, bstream_after_ms(600)), -ETIMEDOUT); /* two slices */
	GIVES(bstream_drain(w, bstream_after_ms(300)), -ETIMEDOUT);
	guard_kill(peer.pid);
	GIVES(bstream_drain(w, BSTREAM_FOREVER), -EPIPE);
	close_all();
	guard_gate_fini(&there);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(two_writers_asleep_are_both_woken_by_one_burst_of_releases, 4),
		EITHER_WAY(all_writers_asleep_are_told_at_once_that_the_reader_has_left),
		ONCE(signals_do_not_end_a_wait_for_room),
		ONCE(drain_has_nothing_to_wait_for_where_all_is_released),
		ONCE(drain_counts_what_every_writer_has_claimed),
		EITHER_WAY(drain_wakes_when_the_last_chunk_is_released_and_not_before),
		EITHER_WAY(drain_is_told_that_the_reader_left_first),
		ONCE(drain_of_what_was_released_before_the_reader_left_succeeds),
		ONCE(a_blocked_writer_hears_of_the_readers_death),
		ONCE(a_writer_with_room_hears_of_the_readers_death_within_a_second_of_writing),
		ONCE(a_full_stream_tells_of_a_death_who_does_not_wait),
		ONCE(a_stopped_reader_is_not_declared_dead),
	};

	return GUARD_RUN("room", cases);
}
