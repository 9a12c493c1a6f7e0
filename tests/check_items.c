/* SPDX-License-Identifier: MIT */
/* check_items.c - the cold side of the read end: writers that die in every state, writers that are
 * only slow, and which of the two ends is told. */
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/handle.h"
#include "tests/guard.h"

static struct bstream_writer *w, *x;
static struct bstream_reader *r;
static struct guard_gate there;
static struct guard_peer peer;

static void begin(uint32_t capacity)
{
	guard_gate_init(&there);
	guard_pair(capacity, 64, &w, &r);
}

static void end(void)
{
	bstream_writer_close(w);
	bstream_writer_close(x);
	bstream_reader_close(r);
	guard_gate_fini(&there);
}

static uint64_t n_abandoned(void)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	GIVES(bstream_reader_stat(r, &stat), 0);
	return stat.chunks_abandoned;
}

/* ---- a writer's states, in which it is killed ----------------------------------------------- */

static void stay(void)
{
	guard_gate_open(&there);
	for (;;)
		pause();
}

static void be_idle(struct bstream_writer *writer, void *arg)
{
	(void)writer, (void)arg;
	stay();
}

static void be_done(struct bstream_writer *writer, void *arg)
{
	(void)arg;
	SAY(writer, "one");
	SAY(writer, "two");
	stay();
}

static void be_reserved(struct bstream_writer *writer, void *arg)
{
	void *span;

	(void)arg;
	SAY(writer, "one");
	GIVES(bstream_reserve(writer, 64, &span, BSTREAM_DONT_WAIT), 0);
	memset(span, 'x', 64);
	stay();
}

static void be_blocked(struct bstream_writer *writer, void *arg)
{
	(void)arg;
	while (bstream_write(writer, "one", 3, BSTREAM_DONT_WAIT) == 0)
		;
	guard_gate_open(&there);
	bstream_write(writer, "never", 5, BSTREAM_FOREVER);
}

/* In the middle of a write that claims nothing: the chunk is published, tail not yet stored. */
static void be_between_seq_and_tail(struct bstream_writer *writer, void *arg)
{
	(void)arg;
	SAY(writer, "one");
	inside_enter(writer->line);
	memcpy(writer->slot->bytes, "two", 3);
	slot_store_len(writer->slot, 3, 0);
	slot_publish(writer->slot, writer->tail);
	stay();
}

/* Likewise, half the bytes copied. */
static void be_in_the_copy(struct bstream_writer *writer, void *arg)
{
	(void)arg;
	SAY(writer, "one");
	inside_enter(writer->line);
	memcpy(writer->slot->bytes, "half of it", 10);
	stay();
}

/* Of several: the intent is stored, the chunk is claimed (or not yet). */
static void be_claiming(struct bstream_writer *writer, void *arg)
{
	uint64_t t = tail_look(writer->g);

	intent_store(writer->line, t + 1);
	if (arg != NULL)
		MUST(tail_claim(writer->g, t, 1));
	stay();
}

/* Of several reserved together two are published: a commit, killed in the middle. */
static void be_committing_several(struct bstream_writer *writer, void *arg)
{
	struct iovec spans[4];

	(void)arg;
	GIVES(bstream_reserve_many(writer, 64, spans, 4, BSTREAM_DONT_WAIT), 4);
	for (unsigned i = 0; i < 2; i++) {
		memcpy(spans[i].iov_base, "part", 4);
		slot_store_len(writer->slot + i, 4, writer->reserved_class << BS_SLOT_CLASS_AT);
		slot_publish(writer->slot + i, writer->claim + i);
	}
	stay();
}

static void away_and_killed(struct bstream_writer *writer, guard_writer_fn *state, void *arg)
{
	guard_writer_away(&peer, BY_PROCESS, writer, state, arg);
	guard_gate_pass(&there);
	guard_kill(peer.pid);
}

/* ---- alone ---------------------------------------------------------------------------------- */

START_TEST(a_writer_killed_idle_is_told_from_one_that_closed)
{
	begin(4);
	away_and_killed(w, be_idle, NULL);
	w = NULL;
	GIVES(guard_read(r, BSTREAM_FOREVER), -ECONNRESET);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -ECONNRESET); /* sticky, this one too */
	GIVES(guard_read(r, bstream_after_ms(-1)), -ECONNRESET);
	end();
}
END_TEST

START_TEST(who_does_not_wait_is_told_of_a_death_too)
{
	begin(4);
	away_and_killed(w, be_done, NULL);
	w = NULL;
	HEAR(r, "one");
	HEAR(r, "two");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -ECONNRESET);
	end();
}
END_TEST

START_TEST(all_that_a_killed_writer_committed_is_read_before_the_end)
{
	begin(4);
	away_and_killed(w, be_reserved, NULL);
	w = NULL;
	HEAR(r, "one");
	GIVES(guard_read(r, BSTREAM_FOREVER), -ECONNRESET);
	GIVES(n_abandoned(), 1);
	end();
}
END_TEST

START_TEST(a_writer_killed_while_it_waited_for_room_loses_only_that_chunk)
{
	begin(2);
	guard_writer_away(&peer, BY_PROCESS, w, be_blocked, NULL);
	w = NULL;
	guard_gate_pass(&there);
	UNTIL(figure_load(&r->g->writers[0].waits_for) == BS_WAITS_ROOM);
	guard_kill(peer.pid);
	HEAR(r, "one");
	HEAR(r, "one");
	GIVES(guard_read(r, BSTREAM_FOREVER), -ECONNRESET);
	GIVES(n_abandoned(), 0);
	end();
}
END_TEST

START_TEST(a_lone_writer_killed_between_publishing_and_counting_has_published)
{
	begin(2);
	away_and_killed(w, be_between_seq_and_tail, NULL);
	w = NULL;
	HEAR(r, "one");
	HEAR(r, "two");
	GIVES(guard_read(r, BSTREAM_FOREVER), -ECONNRESET);
	end();
}
END_TEST

START_TEST(a_lone_writer_killed_in_the_copy_has_written_nothing)
{
	begin(2);
	away_and_killed(w, be_in_the_copy, NULL);
	w = NULL;
	HEAR(r, "one");
	GIVES(guard_read(r, BSTREAM_FOREVER), -ECONNRESET);
	end();
}
END_TEST

/* ---- of several ----------------------------------------------------------------------------- */

START_TEST(one_of_two_dies_and_the_end_still_says_so)
{
	begin(4);
	GIVES(bstream_writer_clone(w, &x), 0);
	away_and_killed(x, be_done, NULL);
	x = NULL;
	HEAR(r, "one");
	HEAR(r, "two");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN); /* the other is still there */
	SAY(w, "three");
	bstream_writer_close(w);
	w = NULL;
	HEAR(r, "three");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -ECONNRESET);
	end();
}
END_TEST

START_TEST(a_death_is_remembered_when_the_place_is_taken_again)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	guard_gate_init(&there);
	o.max_writers = 2;
	GIVES(bstream_pair(&o, &w, &r), 0);
	GIVES(bstream_writer_clone(w, &x), 0);
	away_and_killed(x, be_done, NULL);
	GIVES(bstream_writer_clone(w, &x), 0); /* there is no other place than the dead one's */
	SAY(x, "three");
	bstream_writer_close(x);
	bstream_writer_close(w);
	w = x = NULL;
	HEAR(r, "one");
	HEAR(r, "two");
	HEAR(r, "three");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -ECONNRESET);
	end();
}
END_TEST

START_TEST(a_dead_writers_slot_is_stepped_over)
{
	begin(4);
	GIVES(bstream_writer_clone(w, &x), 0);
	away_and_killed(x, _i == 0 ? be_reserved : be_claiming, &there);
	SAY(w, "behind it");
	if (_i == 0)
		HEAR(r, "one");
	HEAR(r, "behind it");
	GIVES(n_abandoned(), 1);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	x = NULL;
	end();
}
END_TEST

START_TEST(a_dead_writers_slot_ends_a_run_and_is_stepped_over)
{
	struct iovec chunks[4];

	begin(4);
	GIVES(bstream_writer_clone(w, &x), 0);
	away_and_killed(x, be_reserved, NULL);
	SAY(w, "behind it");
	SAY(w, "and");
	GIVES(bstream_peek_many(r, chunks, 4, BSTREAM_DONT_WAIT), 1);
	GIVES(n_abandoned(), 0); /* it is not the next yet */
	GIVES(bstream_release_many(r, 1), 0);
	GIVES(bstream_peek_many(r, chunks, 4, BSTREAM_DONT_WAIT), 2);
	GIVES(n_abandoned(), 1);
	MUST(memcmp(chunks[0].iov_base, "behind it", 9) == 0);
	GIVES(bstream_release_many(r, 2), 0);
	GIVES(bstream_peek_many(r, chunks, 4, BSTREAM_DONT_WAIT), -EAGAIN);
	x = NULL;
	end();
}
END_TEST

/* What was published is read; for the rest one waits while its writer lives. */
START_TEST(of_several_reserved_the_unpublished_are_stepped_over_when_their_owner_dies)
{
	begin(8);
	GIVES(bstream_writer_clone(w, &x), 0);
	guard_writer_away(&peer, BY_PROCESS, _i == 0 ? x : w, be_committing_several, NULL);
	if (_i == 0)
		x = NULL;
	else
		w = NULL;
	guard_gate_pass(&there);
	SAY(_i == 0 ? w : x, "behind");
	HEAR(r, "part");
	HEAR(r, "part");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(n_abandoned(), 0);
	guard_kill(peer.pid);
	HEAR(r, "behind");
	GIVES(n_abandoned(), 2);
	end();
}
END_TEST

START_TEST(an_intent_without_a_claim_holds_up_nobody)
{
	begin(4);
	GIVES(bstream_writer_clone(w, &x), 0);
	away_and_killed(x, be_claiming, NULL);
	SAY(w, "a");
	HEAR(r, "a");
	GIVES(n_abandoned(), 0);
	x = NULL;
	end();
}
END_TEST

START_TEST(a_slot_is_stepped_over_also_when_its_owners_place_has_a_new_owner)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	guard_gate_init(&there);
	o.max_writers = 2;
	GIVES(bstream_pair(&o, &w, &r), 0);
	GIVES(bstream_writer_clone(w, &x), 0);
	away_and_killed(x, be_claiming, &there);
	GIVES(bstream_writer_clone(w, &x), 0);
	SAY(x, "a");
	HEAR(r, "a");
	GIVES(n_abandoned(), 1);
	end();
}
END_TEST

static void read_behind(struct bstream_reader *reader, void *arg)
{
	HEAR_IN_TIME(reader, "behind it");
	guard_gate_open(arg);
	GIVES(guard_read(reader, BSTREAM_FOREVER), -ECONNRESET);
	bstream_reader_close(reader);
}

START_TEST(a_reader_that_waits_behind_a_claim_goes_on_when_its_owner_dies)
{
	struct guard_peer reading;
	struct guard_gate heard;
	struct bs_segment *g;

	begin(4);
	guard_gate_init(&heard);
	g = w->g;
	GIVES(bstream_writer_clone(w, &x), 0);
	guard_writer_away(&peer, BY_PROCESS, x, be_claiming, &there);
	x = NULL;
	guard_gate_pass(&there);
	SAY(w, "behind it");
	guard_reader_away(&reading, BY_THREAD, r, read_behind, &heard);
	r = NULL;
	UNTIL(figure_load(&g->reader.waits_for) == BS_WAITS_ITEMS);
	guard_kill(peer.pid);
	guard_gate_pass(&heard);
	bstream_writer_close(w);
	w = NULL;
	guard_join(&reading);
	guard_gate_fini(&heard);
	end();
}
END_TEST

START_TEST(a_stopped_writer_is_not_declared_dead)
{
	begin(4);
	GIVES(bstream_writer_clone(w, &x), 0);
	guard_writer_away(&peer, BY_PROCESS, _i == 0 ? x : w, be_reserved, NULL);
	if (_i == 0)
		x = NULL;
	else
		w = NULL;
	guard_gate_pass(&there);
	guard_stop(peer.pid);
	SAY(_i == 0 ? w : x, "behind it");
	HEAR(r, "one");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(guard_read(r, bstream_after_ms(600)), -ETIMEDOUT); /* two slices */
	GIVES(n_abandoned(), 0);
	guard_kill(peer.pid);
	HEAR_IN_TIME(r, "behind it");
	GIVES(n_abandoned(), 1);
	end();
}
END_TEST

static void reserve_and_commit(struct bstream_writer *writer, void *arg)
{
	void *span;

	(void)arg;
	GIVES(bstream_reserve(writer, 4, &span, BSTREAM_DONT_WAIT), 0);
	guard_gate_open(&there);
	raise(SIGSTOP);
	memcpy(span, "slow", 4);
	GIVES(bstream_commit(writer, 4), 0);
	bstream_writer_close(writer);
}

START_TEST(what_a_slow_writer_has_claimed_arrives_in_its_place)
{
	begin(4);
	GIVES(bstream_writer_clone(w, &x), 0);
	guard_writer_away(&peer, BY_PROCESS, x, reserve_and_commit, NULL);
	x = NULL;
	int status;
	guard_gate_pass(&there);
	MUST(waitpid(peer.pid, &status, WUNTRACED) == peer.pid && WIFSTOPPED(status));
	SAY(w, "fast");
	GIVES(guard_read(r, bstream_after_ms(300)), -ETIMEDOUT);
	guard_continue(peer.pid);
	HEAR_IN_TIME(r, "slow");
	HEAR(r, "fast");
	guard_join(&peer);
	end();
}
END_TEST

/* ---- many deaths ---------------------------------------------------------------------------- */

START_TEST(every_place_can_die_with_a_claim)
{
	begin(64);
	for (int i = 0; i < 20; i++) {
		GIVES(bstream_writer_clone(w, &x), 0);
		away_and_killed(x, be_claiming, &there);
		SAY(w, "a");
	}
	x = NULL;
	for (int i = 0; i < 20; i++)
		HEAR(r, "a");
	GIVES(n_abandoned(), 20);
	end();
}
END_TEST

/* ---- signals -------------------------------------------------------------------------------- */

static void on_alarm(int sig)
{
	(void)sig;
}

START_TEST(signals_do_not_end_a_wait_for_a_chunk)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	uint64_t deadline;

	begin(4);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	deadline = bstream_after_ms(60);
	GIVES(guard_read(r, deadline), -ETIMEDOUT);
	MUST(bs_now() >= deadline);
	setitimer(ITIMER_REAL, &never, NULL);
	end();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_writer_killed_idle_is_told_from_one_that_closed),
		ONCE(who_does_not_wait_is_told_of_a_death_too),
		ONCE(all_that_a_killed_writer_committed_is_read_before_the_end),
		ONCE(a_writer_killed_while_it_waited_for_room_loses_only_that_chunk),
		ONCE(a_lone_writer_killed_between_publishing_and_counting_has_published),
		ONCE(a_lone_writer_killed_in_the_copy_has_written_nothing),
		ONCE(one_of_two_dies_and_the_end_still_says_so),
		ONCE(a_death_is_remembered_when_the_place_is_taken_again),
		N_WAYS(a_dead_writers_slot_is_stepped_over, 2),
		ONCE(a_dead_writers_slot_ends_a_run_and_is_stepped_over),
		N_WAYS(of_several_reserved_the_unpublished_are_stepped_over_when_their_owner_dies,
		       2),
		ONCE(an_intent_without_a_claim_holds_up_nobody),
		ONCE(a_slot_is_stepped_over_also_when_its_owners_place_has_a_new_owner),
		ONCE(a_reader_that_waits_behind_a_claim_goes_on_when_its_owner_dies),
		N_WAYS(a_stopped_writer_is_not_declared_dead, 2),
		ONCE(what_a_slow_writer_has_claimed_arrives_in_its_place),
		ONCE(every_place_can_die_with_a_claim),
		ONCE(signals_do_not_end_a_wait_for_a_chunk),
	};

	return GUARD_RUN("items", cases);
}
