/* SPDX-License-Identifier: MIT */
/* check_verdict.c - every change of the two words that say what became of a stream, each refused
 * where its evidence is missing. */
#include <fcntl.h>
#include <unistd.h>

#include "proto/atomic.h"
#include "proto/end.h"
#include "proto/hint.h"
#include "proto/segment.h"
#include "proto/verdict.h"
#include "tests/guard.h"

static struct bs_sight s; /* no end: as the broker sees a stream */
static int fd_r, fd_w;

static void begin(const char *name, uint32_t keep)
{
	struct bs_segment_spec spec = { .name = name };

	s = (struct bs_sight){ 0 };
	GIVES(bs_geometry_init(&s.geo, 4, 64, 4, BS_FLAG_FENCES, keep), 0);
	s.fd = bs_segment_new_nameless(&s.geo, &spec);
	MUST(s.fd >= 0);
	s.g = bs_segment_map(s.fd, s.geo.size, true);
	MUST(s.g != NULL);
	fd_r = bs_end_reopen(s.fd, O_RDWR);
	fd_w = bs_end_reopen(s.fd, O_RDWR);
}

static void end(void)
{
	bs_segment_unmap(s.g, s.geo.size);
	close(s.fd);
	close(fd_r);
	close(fd_w);
}

static uint64_t writers(void)
{
	return word_look(&s.g->verdicts.writers) & (BS_WORD_STEP - 1);
}

static uint64_t reader(void)
{
	return word_look(&s.g->verdicts.reader) & (BS_WORD_STEP - 1);
}

static void writer_comes(uint32_t place)
{
	GIVES(bs_end_lock(fd_w, BS_BYTE_WRITERS + place), 0);
	GIVES(bs_writer_settle(&s, place), 0);
}

static void reader_comes(void)
{
	GIVES(bs_end_lock(fd_r, BS_BYTE_READER), 0);
	GIVES(bs_reader_settle(&s), 0);
}

/* ---- writers -------------------------------------------------------------------------------- */

START_TEST(a_stream_nobody_has_written_to_has_not_ended)
{
	begin("n", 0);
	GIVES(bs_verdict_writers(&s), false);
	GIVES(writers(), 0);
	bs_verdict_removed(&s); /* but now nobody can come */
	GIVES(writers(), BS_W_REMOVED | BS_W_ENDED);
	end();
}
END_TEST

START_TEST(a_stream_ends_when_its_last_writer_has_closed)
{
	begin("n", 0);
	writer_comes(3);
	GIVES(writers(), BS_W_ATTACHED);
	GIVES(bs_verdict_writers(&s), false);
	bs_writer_leave(&s, 3);
	GIVES(bs_verdict_writers(&s), false); /* its byte is still locked */
	bs_end_unlock(fd_w, BS_BYTE_WRITERS + 3);
	GIVES(bs_verdict_writers(&s), true);
	GIVES(writers(), BS_W_ATTACHED | BS_W_ENDED);
	GIVES(bs_verdict_writers(&s), false); /* said once */
	GIVES(bs_end_lock(fd_w, BS_BYTE_WRITERS), 0);
	GIVES(bs_writer_settle(&s, 0), -ESHUTDOWN); /* and final */
	end();
}
END_TEST

START_TEST(a_writer_that_died_is_lost)
{
	begin("n", 0);
	writer_comes(0);
	close(fd_w);
	fd_w = -1;
	GIVES(bs_verdict_writers(&s), true);
	GIVES(writers(), BS_W_ATTACHED | BS_W_ENDED | BS_W_LOST);
	end();
}
END_TEST

START_TEST(a_kept_write_end_holds_the_end_back)
{
	begin("n", BS_KEEP_WRITERS);
	GIVES(writers(), BS_W_KEPT);
	writer_comes(0);
	bs_writer_leave(&s, 0);
	bs_end_unlock(fd_w, BS_BYTE_WRITERS);
	GIVES(bs_verdict_writers(&s), false);
	bs_verdict_eof(&s);
	GIVES(writers(), BS_W_ATTACHED | BS_W_ENDED);
	end();
}
END_TEST

START_TEST(eof_waits_for_the_writers_that_are_there)
{
	begin("n", BS_KEEP_WRITERS);
	writer_comes(0);
	bs_verdict_eof(&s);
	GIVES(writers(), BS_W_ATTACHED);
	bs_writer_leave(&s, 0);
	bs_end_unlock(fd_w, BS_BYTE_WRITERS);
	GIVES(bs_verdict_writers(&s), true);
	end();
}
END_TEST

START_TEST(eof_ends_a_stream_whose_only_write_end_was_the_kept_one)
{
	begin("n", BS_KEEP_WRITERS);
	GIVES(bs_verdict_writers(&s), false);
	bs_verdict_eof(&s);
	GIVES(writers(), BS_W_ATTACHED | BS_W_ENDED);
	end();
	begin("n", 0);
	bs_verdict_eof(&s); /* gives up nothing here */
	GIVES(writers(), 0);
	end();
}
END_TEST

START_TEST(evidence_from_before_a_change_is_thrown_away)
{
	uint64_t old;

	begin("n", 0);
	old = word_look(&s.g->verdicts.writers);
	writer_comes(0);
	MUST(!word_swap(&s.g->verdicts.writers, old, old | BS_W_ENDED));
	old = word_look(&s.g->verdicts.writers);
	MUST(word_swap(&s.g->verdicts.writers, old, old));
	MUST(word_look(&s.g->verdicts.writers) == old + BS_WORD_STEP); /* a version each time */
	end();
}
END_TEST

/* ---- the reader ----------------------------------------------------------------------------- */

START_TEST(a_parked_read_end_opens_and_parks_again)
{
	begin("n", 0);
	GIVES(reader(), BS_R_PARKED);
	GIVES(bs_verdict_reader(&s), false); /* nobody there, and nobody gone */
	reader_comes();
	GIVES(reader(), BS_R_OPEN);
	GIVES(bs_verdict_reader(&s), false);
	GIVES(bs_reader_park(&s), 0);
	bs_end_unlock(fd_r, BS_BYTE_READER);
	GIVES(bs_verdict_reader(&s), false);
	GIVES(reader(), BS_R_PARKED);
	reader_comes();
	end();
}
END_TEST

START_TEST(a_read_end_that_went_breaks_the_stream)
{
	begin("n", 0);
	reader_comes();
	if (_i == 0) { /* killed */
		close(fd_r);
		fd_r = -1;
		GIVES(bs_verdict_reader(&s), true);
	} else { /* closed */
		bs_end_unlock(fd_r, BS_BYTE_READER);
		bs_reader_leave(&s);
	}
	GIVES(reader(), BS_R_BROKEN);
	GIVES(bs_verdict_reader(&s), false);
	fd_r = fd_r < 0 ? bs_end_reopen(s.fd, O_RDWR) : fd_r;
	GIVES(bs_end_lock(fd_r, BS_BYTE_READER), 0);
	GIVES(bs_reader_settle(&s), -EPIPE);
	GIVES(bs_writer_settle(&s, 0), -EPIPE);
	end();
}
END_TEST

START_TEST(a_kept_read_end_that_went_is_parked)
{
	begin("n", BS_KEEP_READER);
	for (int i = 0; i < 2; i++) {
		reader_comes();
		if (i == 0) {
			close(fd_r);
			fd_r = bs_end_reopen(s.fd, O_RDWR);
			GIVES(bs_verdict_reader(&s), true);
		} else {
			bs_end_unlock(fd_r, BS_BYTE_READER);
			bs_reader_leave(&s);
		}
		GIVES(reader(), BS_R_KEPT | BS_R_PARKED);
	}
	reader_comes();
	bs_reader_saw_end(&s); /* then there is nothing to come back for */
	bs_end_unlock(fd_r, BS_BYTE_READER);
	bs_reader_leave(&s);
	GIVES(reader(), BS_R_KEPT | BS_R_BROKEN | BS_R_END_SEEN);
	end();
}
END_TEST

START_TEST(a_leaver_does_not_break_what_the_next_has_opened)
{
	int next;

	begin("n", BS_KEEP_READER);
	reader_comes();
	bs_end_unlock(fd_r, BS_BYTE_READER);
	GIVES(bs_verdict_reader(&s), true); /* somebody else was faster */
	next = bs_end_reopen(s.fd, O_RDWR);
	GIVES(bs_end_lock(next, BS_BYTE_READER), 0);
	GIVES(bs_reader_settle(&s), 0);
	bs_reader_leave(&s);
	GIVES(reader(), BS_R_KEPT | BS_R_OPEN);
	close(next);
	end();
}
END_TEST

START_TEST(a_read_end_in_the_brokers_hand_is_not_gone)
{
	begin("n", 0);
	GIVES(bs_end_lock(fd_r, BS_BYTE_READER), 0); /* the opener has not said so yet */
	GIVES(bs_verdict_reader(&s), false);
	close(fd_r); /* and never will */
	fd_r = -1;
	GIVES(bs_verdict_reader(&s), false);
	GIVES(reader(), BS_R_PARKED);
	end();
}
END_TEST

/* ---- names ---------------------------------------------------------------------------------- */

START_TEST(removing_breaks_a_parked_read_end_and_leaves_an_open_one)
{
	begin("n", BS_KEEP_READER | BS_KEEP_WRITERS);
	if (_i == 1)
		reader_comes();
	bs_verdict_removed(&s);
	GIVES(reader(), _i == 1 ? BS_R_OPEN : BS_R_BROKEN);
	MUST((writers() & (BS_W_REMOVED | BS_W_KEPT)) == BS_W_REMOVED);
	if (_i == 1) {
		GIVES(bs_reader_park(&s), -ENOENT);
		GIVES(reader(), BS_R_OPEN);
	}
	end();
}
END_TEST

START_TEST(a_stream_is_over_when_it_is_broken_or_read_out_and_all_have_gone)
{
	begin("n", 0);
	GIVES(bs_verdict_over(&s), false);
	reader_comes();
	writer_comes(0);
	bs_writer_leave(&s, 0);
	bs_end_unlock(fd_w, BS_BYTE_WRITERS);
	GIVES(bs_verdict_writers(&s), true);
	GIVES(bs_verdict_over(&s), false); /* not read out */
	bs_reader_saw_end(&s);
	GIVES(bs_verdict_over(&s), false); /* the reader is there */
	bs_end_unlock(fd_r, BS_BYTE_READER);
	GIVES(bs_verdict_over(&s), true);
	end();
	begin("n", 0);
	reader_comes();
	writer_comes(0);
	bs_end_unlock(fd_r, BS_BYTE_READER);
	bs_reader_leave(&s);
	GIVES(bs_verdict_over(&s), false); /* broken, but a writer is there */
	close(fd_w);
	fd_w = -1;
	GIVES(bs_verdict_over(&s), true);
	end();
}
END_TEST

START_TEST(a_word_that_makes_no_sense_is_no_loop)
{
	begin("n", 0);
	atomic_store(&s.g->verdicts.reader, UINT64_MAX);
	atomic_store(&s.g->verdicts.writers, UINT64_MAX);
	GIVES(bs_verdict_reader(&s), false);
	GIVES(bs_verdict_writers(&s), false);
	GIVES(bs_reader_settle(&s), -EPROTO);
	MUST(bs_reader_park(&s) < 0);
	bs_reader_leave(&s);
	bs_verdict_removed(&s);
	bs_verdict_eof(&s);
	end();
}
END_TEST

/* ---- sleepers ------------------------------------------------------------------------------- */

static struct sleeper {
	struct bs_hint hint;
	uint32_t seen, watch_seen;
	pthread_t thread;
	bool woken;
} sleepers[3]; /* for chunks, for room, for a change */

static void *sleep_for_one(void *arg)
{
	struct sleeper *me = arg;
	uint64_t until = guard_patience();

	if (me->hint.wake_at != NULL)
		me->woken = bs_hint_sleep(&me->hint, me->seen, until);
	else
		me->woken = bs_watch_sleep(&s.g->space.watch_gen, me->watch_seen, until);
	return NULL;
}

/* One who was to wake them took their flags down and died before he posted: the news of his death
 * wakes them, though no flag is up. */
START_TEST(who_sleeps_behind_a_flag_that_was_taken_down_is_woken_by_news)
{
	begin("", 0);
	s.geo.sealed = _i == 1;
	sleepers[0].hint = bs_hint_items(s.g, &s.geo);
	sleepers[1].hint = bs_hint_space(s.g, &s.geo);
	sleepers[2].watch_seen = gen_look(&s.g->space.watch_gen);
	hint_raise(&s.g->space.watch_at, 1);
	for (int i = 0; i < 3; i++) {
		if (i < 2) {
			sleepers[i].seen = bs_hint_seen(&sleepers[i].hint);
			hint_raise(sleepers[i].hint.wake_at, 1);
		}
		MUST(pthread_create(&sleepers[i].thread, NULL, sleep_for_one, &sleepers[i]) == 0);
	}
	MUST(hint_take(&s.g->items.wake_at));
	MUST(hint_take(&s.g->space.wake_at));
	MUST(hint_take(&s.g->space.watch_at));
	bs_verdict_wake_all(&s);
	for (int i = 0; i < 3; i++) {
		MUST(pthread_join(sleepers[i].thread, NULL) == 0);
		MUST(sleepers[i].woken);
	}
	end();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_stream_nobody_has_written_to_has_not_ended),
		ONCE(a_stream_ends_when_its_last_writer_has_closed),
		ONCE(a_writer_that_died_is_lost),
		ONCE(a_kept_write_end_holds_the_end_back),
		ONCE(eof_waits_for_the_writers_that_are_there),
		ONCE(eof_ends_a_stream_whose_only_write_end_was_the_kept_one),
		ONCE(evidence_from_before_a_change_is_thrown_away),
		ONCE(a_parked_read_end_opens_and_parks_again),
		N_WAYS(a_read_end_that_went_breaks_the_stream, 2),
		ONCE(a_kept_read_end_that_went_is_parked),
		ONCE(a_leaver_does_not_break_what_the_next_has_opened),
		ONCE(a_read_end_in_the_brokers_hand_is_not_gone),
		N_WAYS(removing_breaks_a_parked_read_end_and_leaves_an_open_one, 2),
		ONCE(a_stream_is_over_when_it_is_broken_or_read_out_and_all_have_gone),
		ONCE(a_word_that_makes_no_sense_is_no_loop),
		N_WAYS(who_sleeps_behind_a_flag_that_was_taken_down_is_woken_by_news, 2),
	};

	return GUARD_RUN("verdict", cases);
}
