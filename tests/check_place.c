/* SPDX-License-Identifier: MIT */
/* check_place.c - the places of write ends: taken, settled in, shared, and taken over from the dead. */
#include <fcntl.h>
#include <unistd.h>

#include "proto/atomic.h"
#include "proto/end.h"
#include "proto/hint.h"
#include "proto/segment.h"
#include "proto/verdict.h"
#include "tests/guard.h"

#define N_PLACES 4

static struct bs_sight s; /* no end */
static int fds[N_PLACES];

static void begin(void)
{
	struct bs_segment_spec spec = { .name = "" };

	s = (struct bs_sight){ 0 };
	GIVES(bs_barrier_register(), 0);
	GIVES(bs_geometry_init(&s.geo, 4, 64, N_PLACES, 0, 0), 0);
	s.fd = bs_segment_new_nameless(&s.geo, &spec);
	s.g = bs_segment_map(s.fd, s.geo.size, true);
	MUST(s.fd >= 0 && s.g != NULL);
	for (int i = 0; i < N_PLACES; i++)
		fds[i] = -1;
}

static void end(void)
{
	for (int i = 0; i < N_PLACES; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	bs_segment_unmap(s.g, s.geo.size);
	close(s.fd);
}

/* Another write end, of which the test holds the description. */
static uint32_t come(void)
{
	int fd = bs_end_reopen(s.fd, O_RDWR);
	int place = bs_writer_take_place(&s, fd);

	MUST(place >= 0 && place < N_PLACES && fds[place] < 0);
	fds[place] = fd;
	GIVES(bs_writer_settle(&s, (uint32_t)place), 0);
	return (uint32_t)place;
}

static void die(uint32_t place)
{
	close(fds[place]);
	fds[place] = -1;
}

/* The sight of one who is write end @place. */
static struct bs_sight sight_of(uint32_t place)
{
	struct bs_sight own = s;

	own.fd = fds[place];
	own.own_byte = BS_BYTE_WRITERS + place;
	return own;
}

static int join(uint32_t place, uint64_t deadline, bool *alonep)
{
	struct bs_sight own = sight_of(place);

	return bs_writer_join(&own, place, deadline, alonep);
}

START_TEST(each_gets_a_place_of_its_own_until_none_is_left)
{
	int fd;

	begin();
	for (uint32_t i = 0; i < N_PLACES; i++)
		GIVES(come(), i);
	fd = bs_end_reopen(s.fd, O_RDWR);
	GIVES(bs_writer_take_place(&s, fd), -EMFILE);
	bs_writer_leave(&s, 2);
	GIVES(bs_writer_take_place(&s, fd), -EMFILE); /* left, but still locked */
	bs_end_unlock(fds[2], BS_BYTE_WRITERS + 2);
	GIVES(bs_writer_take_place(&s, fd), 2);
	close(fd);
	end();
}
END_TEST

START_TEST(a_dead_writers_place_is_taken_last_and_cleared_first)
{
	begin();
	come();
	come();
	intent_store(&s.g->writers[1], 17);
	inside_enter(&s.g->writers[1]);
	figure_store(&s.g->writers[1].chunks, (uint64_t)5);
	figure_store(&s.g->writers[1].bytes, (uint64_t)50);
	die(1);
	GIVES(come(), 2);
	GIVES(come(), 3);
	GIVES(come(), 1);
	MUST((word_look(&s.g->verdicts.writers) & BS_W_LOST) != 0);
	GIVES(intent_look(&s.g->writers[1]), 0);
	GIVES(inside_look(&s.g->writers[1]), 0);
	GIVES(figure_load(&s.g->writers[1].chunks), 0);
	GIVES(figure_load(&s.g->totals.chunks), 5); /* not forgotten */
	GIVES(figure_load(&s.g->totals.bytes), 50);
	end();
}
END_TEST

START_TEST(an_intent_is_believed_of_the_living_only)
{
	begin();
	come();
	come();
	intent_store(&s.g->writers[1], 8);
	MUST(bs_writer_intends(&s, 7));
	MUST(!bs_writer_intends(&s, 8));
	MUST(!bs_writer_intends(&s, 6));
	die(1);
	MUST(!bs_writer_intends(&s, 7));
	end();
}
END_TEST

START_TEST(an_intent_is_of_one_chunk_or_of_several)
{
	const uint64_t far = (UINT64_C(1) << BS_INTENT_MORE_AT) - 2 * BS_INTENT_MOST;

	begin();
	come();
	for (uint32_t n = 1; n <= BS_INTENT_MOST; n *= 4) {
		for (int i = 0; i < 3; i++) {
			uint64_t t = i == 0 ? 0 : i == 1 ? 77 : far;

			intent_store(s.g->writers, intent_of(t, n));
			MUST(bs_writer_intends(&s, t) && bs_writer_intends(&s, t + n - 1));
			MUST(!bs_writer_intends(&s, t - 1) && !bs_writer_intends(&s, t + n));
		}
	}
	intent_store(s.g->writers, UINT64_C(255)
					   << BS_INTENT_MORE_AT); /* of chunk -1: a scribble */
	MUST(!bs_writer_intends(&s, 0) && !bs_writer_intends(&s, UINT64_MAX));
	end();
}
END_TEST

/* ---- from one to several -------------------------------------------------------------------- */

START_TEST(the_first_is_alone_and_the_second_makes_them_two)
{
	bool alone = false;

	begin();
	come();
	GIVES(join(0, BSTREAM_FOREVER, &alone), 0);
	MUST(alone && shared_look(s.g) == BS_SHARED_NO);
	come();
	GIVES(join(1, BSTREAM_FOREVER, &alone), 0);
	MUST(!alone && shared_look(s.g) == BS_SHARED_DONE);
	GIVES(join(0, BSTREAM_FOREVER, &alone), 0);
	MUST(!alone); /* it never goes back */
	end();
}
END_TEST

START_TEST(who_comes_waits_for_the_first_to_leave_its_write)
{
	bool alone = false;
	uint64_t deadline;

	begin();
	come();
	GIVES(join(0, BSTREAM_FOREVER, &alone), 0);
	come();
	inside_enter(&s.g->writers[0]); /* stopped in the middle of a write */
	deadline = bstream_after_ms(20);
	GIVES(join(1, deadline, &alone), -ETIMEDOUT);
	MUST(bs_now() >= deadline);
	GIVES(join(1, BSTREAM_DONT_WAIT, &alone), -EAGAIN);
	inside_leave(&s.g->writers[0]);
	GIVES(join(1, BSTREAM_DONT_WAIT, &alone), 0);
	MUST(shared_look(s.g) == BS_SHARED_DONE);
	end();
}
END_TEST

START_TEST(who_comes_does_not_wait_for_the_dead)
{
	bool alone = false;

	begin();
	come();
	come();
	inside_enter(&s.g->writers[0]);
	die(0);
	GIVES(join(1, BSTREAM_DONT_WAIT, &alone), 0);
	MUST(alone); /* and it is the only one */
	come();
	inside_enter(&s.g->writers[1]);
	die(1);
	GIVES(join(2, BSTREAM_FOREVER, &alone), 0);
	end();
}
END_TEST

START_TEST(a_switch_whose_maker_died_is_done_by_the_next)
{
	bool alone = true;

	begin();
	come();
	shared_store(s.g, BS_SHARED_SWITCHING);
	GIVES(join(0, BSTREAM_FOREVER, &alone), 0);
	MUST(!alone && shared_look(s.g) == BS_SHARED_DONE);
	end();
}
END_TEST

START_TEST(what_a_dead_lone_writer_had_published_is_counted_by_whoever_comes)
{
	struct bs_slot *slot;
	bool alone;

	begin();
	come();
	GIVES(join(0, BSTREAM_FOREVER, &alone), 0);
	tail_store(s.g, 6);
	head_release(s.g, 5);
	slot = bs_segment_slot(s.g, &s.geo, 6 % 4);
	slot_publish(slot, 6); /* and died before it stored 7 */
	die(0);
	come();
	GIVES(join(come(), BSTREAM_FOREVER, &alone), 0);
	GIVES(tail_look(s.g), 7);
	GIVES(join(1, BSTREAM_FOREVER, &alone), 0);
	GIVES(tail_look(s.g), 7); /* once */
	end();
}
END_TEST

START_TEST(old_slots_are_not_counted_again)
{
	bool alone;

	begin();
	for (uint64_t i = 4; i < 8; i++) /* all four hold the round before */
		slot_publish(bs_segment_slot(s.g, &s.geo, i % 4), i);
	tail_store(s.g, 8);
	come();
	GIVES(join(0, BSTREAM_FOREVER, &alone), 0);
	GIVES(tail_look(s.g), 8);
	end();
}
END_TEST

START_TEST(a_tail_that_always_finds_a_slot_is_no_endless_loop)
{
	bool alone;

	begin();
	for (uint64_t i = 0; i < 4; i++) /* as a hostile peer would: all published, none claimed */
		slot_publish(bs_segment_slot(s.g, &s.geo, i), i);
	come();
	GIVES(join(0, BSTREAM_FOREVER, &alone), 0);
	MUST(tail_look(s.g) <= 4);
	end();
}
END_TEST

/* ---- arriving ------------------------------------------------------------------------------- */

START_TEST(only_what_travels_arrives_and_only_once)
{
	uint64_t owner;

	begin();
	come();
	GIVES(bs_writer_arrive(&s, 0), -EPROTO); /* attached */
	GIVES(bs_writer_arrive(&s, 1), -EPROTO); /* nobody's */
	owner = owner_look(&s.g->writers[0].owner);
	owner_store(&s.g->writers[0].owner, owner - BS_END_ATTACHED + BS_END_TRAVELLING);
	GIVES(bs_writer_arrive(&s, 0), 0);
	GIVES(bs_writer_arrive(&s, 0), -EPROTO);
	MUST(owner_look(&s.g->writers[0].owner) == owner + BS_END_STEP);
	end();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(each_gets_a_place_of_its_own_until_none_is_left),
		ONCE(a_dead_writers_place_is_taken_last_and_cleared_first),
		ONCE(an_intent_is_believed_of_the_living_only),
		ONCE(an_intent_is_of_one_chunk_or_of_several),
		ONCE(the_first_is_alone_and_the_second_makes_them_two),
		ONCE(who_comes_waits_for_the_first_to_leave_its_write),
		ONCE(who_comes_does_not_wait_for_the_dead),
		ONCE(a_switch_whose_maker_died_is_done_by_the_next),
		ONCE(what_a_dead_lone_writer_had_published_is_counted_by_whoever_comes),
		ONCE(old_slots_are_not_counted_again),
		ONCE(a_tail_that_always_finds_a_slot_is_no_endless_loop),
		ONCE(only_what_travels_arrives_and_only_once),
	};

	return GUARD_RUN("place", cases);
}
