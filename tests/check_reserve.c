/* SPDX-License-Identifier: MIT */
/* check_reserve.c - chunks written in place: one reservation, one after the other, several at once. */
#include <string.h>

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

/* A pair whose writer is alone (way 0) or one of two (way 1). */
static void pair_for_reserving(int way, uint32_t capacity)
{
	guard_pair(capacity, 16, &w, &r);
	if (way == 1) {
		GIVES(bstream_writer_clone(w, &x), 0);
		SAY(w, "first"); /* it has noticed that it is not alone */
		HEAR(r, "first");
	}
}

START_TEST(a_reservation_is_written_in_place)
{
	void *span;

	pair_for_reserving(_i, 2);
	GIVES(bstream_reserve(w, 16, &span, BSTREAM_DONT_WAIT), 0);
	memcpy(span, "sixteen bytes!!!", 16);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_commit(w, 16), 0);
	GIVES(bstream_reserve(w, 16, &span, BSTREAM_DONT_WAIT), 0);
	memcpy(span, "less", 4);
	GIVES(bstream_commit(w, 4), 0);
	HEAR(r, "sixteen bytes!!!");
	HEAR(r, "less");
	GIVES(bstream_reserve(w, 0, &span, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_commit(w, 0), 0);
	HEAR(r, "");
	close_all();
}
END_TEST

START_TEST(a_commit_wants_a_reservation_as_large)
{
	void *span;

	pair_for_reserving(_i, 2);
	GIVES(bstream_commit(w, 0), -EINVAL);
	GIVES(bstream_reserve(w, 8, &span, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_commit(w, 9), -EINVAL);
	GIVES(bstream_commit(w, SIZE_MAX), -EINVAL);
	memcpy(span, "eight...", 8);
	GIVES(bstream_commit(w, 8), 0); /* it stayed */
	GIVES(bstream_commit(w, 8), -EINVAL);
	HEAR(r, "eight...");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	close_all();
}
END_TEST

START_TEST(nothing_else_goes_while_reserved)
{
	struct bstream_writer *y;
	void *span, *other = &other;

	pair_for_reserving(_i, 4);
	if (_i == 0)
		w->limit = w->tail + 4; /* as one that has written: it knows that there is room */
	GIVES(bstream_reserve(w, 8, &span, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_write(w, "", 0, BSTREAM_DONT_WAIT), -EBUSY);
	GIVES(bstream_writev(w, NULL, 0, BSTREAM_DONT_WAIT), -EBUSY);
	GIVES(bstream_reserve(w, 8, &other, BSTREAM_DONT_WAIT), -EBUSY);
	GIVES(bstream_drain(w, BSTREAM_DONT_WAIT), -EBUSY);
	GIVES(bstream_writer_detach(w), -EBUSY);
	MUST(other == &other);
	GIVES(bstream_writer_clone(w, &y), 0); /* that goes */
	SAY(y, "behind");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	memcpy(span, "reserved", 8);
	GIVES(bstream_commit(w, 8), 0);
	HEAR(r, "reserved");
	HEAR(r, "behind");
	SAY(w, "again");
	HEAR(r, "again");
	bstream_writer_close(y);
	close_all();
}
END_TEST

START_TEST(a_cancelled_slot_comes_back_when_the_reader_passes_it)
{
	void *span;

	pair_for_reserving(_i, 1);
	bstream_cancel(w); /* nothing: does nothing */
	for (int n = 0; n < 3; n++) {
		GIVES(bstream_reserve(w, 16, &span, BSTREAM_DONT_WAIT), 0);
		memcpy(span, "never read", 10);
		bstream_cancel(w);
		GIVES(bstream_commit(w, 0), -EINVAL);
		GIVES(bstream_write(w, "", 0, BSTREAM_DONT_WAIT), -EAGAIN);
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	}
	SAY(w, "read");
	HEAR(r, "read");
	close_all();
}
END_TEST

START_TEST(closing_cancels)
{
	void *span;

	pair_for_reserving(_i, 4);
	SAY(w, "before");
	GIVES(bstream_reserve(w, 16, &span, BSTREAM_DONT_WAIT), 0);
	bstream_writer_close(w);
	bstream_writer_close(x);
	w = x = NULL;
	HEAR(r, "before");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	GIVES(figure_load(&r->g->reader.skipped), 1);
	GIVES(figure_load(&r->g->reader.abandoned), 0); /* given up, not left behind */
	close_all();
}
END_TEST

START_TEST(a_commit_to_a_reader_that_left_is_refused)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	void *span;

	pair_for_reserving(_i, 4);
	GIVES(bstream_reserve(w, 16, &span, BSTREAM_DONT_WAIT), 0);
	bstream_reader_close(r);
	r = NULL;
	GIVES(bstream_commit(w, 17), -EINVAL); /* wrong arguments first */
	GIVES(bstream_commit(w, 16), -EPIPE);
	GIVES(bstream_commit(w, 16), -EINVAL); /* the reservation is gone */
	GIVES(bstream_writer_stat(w, &stat), 0);
	GIVES(stat.chunks_written, _i);
	close_all();
}
END_TEST

/* ---- one after the other -------------------------------------------------------------------- */

START_TEST(a_commit_reserves_the_next_chunk_while_there_is_room)
{
	void *span, *last;

	pair_for_reserving(_i, 3);
	for (int round = 0; round < 5; round++) {
		GIVES(bstream_reserve(w, 8, &span, BSTREAM_DONT_WAIT), 0);
		memcpy(span, "first", 5);
		GIVES(bstream_commit_reserve(w, 5, &span), 1);
		memcpy(span, "second..",
		       8); /* as large as what was reserved, not as what was written */
		GIVES(bstream_commit_reserve(w, 8, &span), 1);
		HEAR(r, "first");
		HEAR(r, "second..");
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
		GIVES(bstream_commit_reserve(w, 0, &span), 1);
		GIVES(bstream_commit_reserve(w, 0, &span), 1);
		last = span;
		memcpy(span, "third", 5);
		GIVES(bstream_commit_reserve(w, 5, &span), 0);
		MUST(span == last);
		GIVES(bstream_commit_reserve(w, 0, &span), -EINVAL); /* nothing is reserved */
		GIVES(bstream_reserve(w, 8, &span, BSTREAM_DONT_WAIT), -EAGAIN);
		HEAR(r, "");
		HEAR(r, "");
		HEAR(r, "third");
	}
	close_all();
}
END_TEST

START_TEST(a_commit_that_is_refused_reserves_nothing)
{
	void *span, *same;

	pair_for_reserving(_i, 4);
	same = &span;
	GIVES(bstream_commit_reserve(w, 0, &same), -EINVAL);
	GIVES(bstream_reserve(w, 8, &span, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_commit_reserve(w, 9, &same), -EINVAL);
	GIVES(bstream_commit_reserve(w, SIZE_MAX, &same), -EINVAL);
	bstream_reader_close(r);
	r = NULL;
	GIVES(bstream_commit_reserve(w, 9, &same), -EINVAL); /* the reservation stayed */
	GIVES(bstream_commit_reserve(w, 8, &same), -EPIPE);
	MUST(same == &span);
	GIVES(bstream_commit(w, 0), -EINVAL); /* it is gone */
	close_all();
}
END_TEST

START_TEST(a_commit_leaves_the_next_slot_to_whoever_asks_for_his_turn)
{
	void *span;

	pair_for_reserving(1, 4);
	GIVES(bstream_reserve(w, 1, &span, BSTREAM_DONT_WAIT), 0);
	*(char *)span = '1';
	hungry_store(w->g, 1);
	GIVES(bstream_commit_reserve(w, 1, &span), 0);
	SAY(x, "x");
	hungry_store(w->g, 0);
	GIVES(bstream_reserve(w, 1, &span, BSTREAM_DONT_WAIT), 0);
	*(char *)span = '2';
	GIVES(bstream_commit_reserve(w, 1, &span), 1);
	HEAR(r, "1");
	HEAR(r, "x");
	HEAR(r, "2");
	close_all();
}
END_TEST

START_TEST(a_commit_that_reserves_alone_lets_others_come)
{
	void *span;

	guard_pair(8, 0, &w, &r);
	GIVES(bstream_reserve(w, 1, &span, BSTREAM_DONT_WAIT), 0);
	*(char *)span = '1';
	GIVES(bstream_commit_reserve(w, 1, &span), 1);
	GIVES(bstream_writer_clone(w, &x), 0);
	SAY(x, "x");
	*(char *)span = '2';
	GIVES(bstream_commit_reserve(w, 1, &span), 1); /* one of two now */
	SAY(x, "y");
	HEAR(r, "1");
	HEAR(r, "2");
	HEAR(r, "x");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	bstream_cancel(w);
	HEAR(r, "y");
	close_all();
}
END_TEST

/* ---- of several writers --------------------------------------------------------------------- */

START_TEST(reservations_of_several_come_in_the_order_they_were_made)
{
	void *a, *b;

	pair_for_reserving(1, 4);
	GIVES(bstream_reserve(w, 1, &a, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_reserve(x, 1, &b, BSTREAM_DONT_WAIT), 0);
	*(char *)a = 'a';
	*(char *)b = 'b';
	GIVES(bstream_commit(x, 1), 0);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_commit(w, 1), 0);
	HEAR(r, "a");
	HEAR(r, "b");
	GIVES(bstream_reserve(w, 1, &a, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_reserve(x, 1, &b, BSTREAM_DONT_WAIT), 0);
	*(char *)b = 'b';
	GIVES(bstream_commit(x, 1), 0);
	bstream_cancel(w);
	HEAR(r, "b");
	close_all();
}
END_TEST

START_TEST(a_reservation_alone_keeps_its_place_while_others_come_and_write)
{
	void *span;

	guard_pair(8, 0, &w, &r);
	SAY(w, "0");
	GIVES(bstream_reserve(w, 1, &span, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_writer_clone(w, &x), 0);
	for (int i = 0; i < 6; i++)
		SAY(x, "x");
	GIVES(bstream_write(x, "x", 1, BSTREAM_DONT_WAIT), -EAGAIN);
	HEAR(r, "0");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	*(char *)span = '1';
	GIVES(bstream_commit(w, 1), 0);
	HEAR(r, "1");
	for (int i = 0; i < 6; i++)
		HEAR(r, "x");
	SAY(w, "2");
	SAY(x, "3");
	HEAR(r, "2");
	HEAR(r, "3");
	close_all();
}
END_TEST

/* ---- several at once ------------------------------------------------------------------------ */

static struct iovec spans[300];

/* Writes @text into reserved chunk @i. */
static void fill(int i, const char *text)
{
	spans[i].iov_len = strlen(text);
	memcpy(spans[i].iov_base, text, spans[i].iov_len);
}

static uint64_t n_skipped(void)
{
	return figure_load(&r->g->reader.skipped);
}

START_TEST(several_are_written_in_place_and_read_in_order)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	pair_for_reserving(_i, 5);
	for (int round = 0; round < 20; round++) {
		GIVES(bstream_reserve_many(w, 16, spans, 3, BSTREAM_DONT_WAIT), 3);
		GIVES(spans[2].iov_len, 16);
		fill(2, "three");
		fill(0, "one");
		fill(1, "");
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
		GIVES(bstream_commit_many(w, spans, 3), 0);
		SAY(w, "four");
		HEAR(r, "one");
		HEAR(r, "");
		HEAR(r, "three");
		HEAR(r, "four");
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	}
	GIVES(bstream_writer_stat(w, &stat), 0);
	GIVES(stat.chunks_written, 80 + _i);
	GIVES(stat.bytes_written, 20 * 12 + 5 * _i);
	close_all();
}
END_TEST

START_TEST(as_many_are_reserved_as_there_is_room_for)
{
	pair_for_reserving(_i, 3);
	SAY(w, "full");
	GIVES(bstream_reserve_many(w, 16, spans, 5, BSTREAM_DONT_WAIT), 2);
	fill(0, "a");
	fill(1, "b");
	GIVES(bstream_commit_many(w, spans, 2), 0);
	GIVES(bstream_reserve_many(w, 16, spans, 5, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_reserve_many(w, 16, spans, 5, bstream_after_ms(-1)), -ETIMEDOUT);
	HEAR(r, "full");
	GIVES(bstream_reserve_many(w, 16, spans, 5, BSTREAM_FOREVER), 1);
	fill(0, "c");
	GIVES(bstream_commit(w, 1), 0);
	HEAR(r, "a");
	HEAR(r, "b");
	HEAR(r, "c");
	/* All of them, though this writer has not looked since there was room for one. */
	GIVES(bstream_reserve_many(w, 16, spans, 5, BSTREAM_DONT_WAIT), 3);
	bstream_cancel(w);
	close_all();
}
END_TEST

START_TEST(no_more_are_reserved_than_one_word_can_say)
{
	guard_pair(1000, 16, &w, &r);
	if (_i == 1)
		GIVES(bstream_writer_clone(w, &x), 0);
	GIVES(bstream_reserve_many(w, 16, spans, 300, BSTREAM_DONT_WAIT), 256);
	for (int i = 0; i < 256; i++)
		fill(i, "x");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN); /* the last of them is intended, too */
	GIVES(bstream_commit_many(w, spans, 256), 0);
	SAY(w, "y");
	for (int i = 0; i < 256; i++)
		HEAR(r, "x");
	HEAR(r, "y");
	close_all();
}
END_TEST

START_TEST(of_several_those_that_are_not_committed_are_passed)
{
	pair_for_reserving(_i, 4);
	GIVES(bstream_reserve_many(w, 16, spans, 4, BSTREAM_DONT_WAIT), 4);
	fill(0, "read");
	fill(1, "never");
	GIVES(bstream_commit_many(w, spans, 1), 0);
	GIVES(bstream_write(w, "", 0, BSTREAM_DONT_WAIT), -EAGAIN); /* not passed yet */
	HEAR(r, "read");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(n_skipped(), 3);
	GIVES(bstream_reserve_many(w, 16, spans, 4, BSTREAM_DONT_WAIT), 4);
	bstream_cancel(w);
	GIVES(bstream_commit_many(w, spans, 1), -EINVAL);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_reserve_many(w, 16, spans, 2, BSTREAM_DONT_WAIT), 2);
	bstream_writer_close(w);
	bstream_writer_close(x);
	w = x = NULL;
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	GIVES(n_skipped(), 9);
	GIVES(figure_load(&r->g->reader.abandoned), 0);
	close_all();
}
END_TEST

START_TEST(wrong_arguments_leave_several_reserved)
{
	void *span = &span;

	pair_for_reserving(_i, 4);
	GIVES(bstream_reserve_many(w, 16, spans, 0, BSTREAM_FOREVER), -EINVAL);
	GIVES(bstream_reserve_many(w, 16, spans, -1, BSTREAM_FOREVER), -EINVAL);
	GIVES(bstream_reserve_many(w, 17, spans, 2, BSTREAM_FOREVER), -EMSGSIZE);
	GIVES(bstream_reserve_many(w, SIZE_MAX, spans, 2, BSTREAM_FOREVER), -EMSGSIZE);
	GIVES(bstream_commit_many(w, spans, 1), -EINVAL); /* nothing is reserved */
	GIVES(bstream_reserve_many(w, 8, spans, 2, BSTREAM_DONT_WAIT), 2);
	fill(0, "eight...");
	fill(1, "more");
	GIVES(bstream_commit_many(w, spans, 0), -EINVAL);
	GIVES(bstream_commit_many(w, spans, -1), -EINVAL);
	GIVES(bstream_commit_many(w, spans, 3), -EINVAL);
	spans[1].iov_len = 9;
	GIVES(bstream_commit_many(w, spans, 2), -EINVAL);
	GIVES(bstream_commit(w, 8), -EINVAL); /* which of them? */
	GIVES(bstream_commit_reserve(w, 8, &span), -EINVAL);
	MUST(span == &span);
	GIVES(bstream_reserve_many(w, 8, spans + 2, 1, BSTREAM_DONT_WAIT), -EBUSY);
	GIVES(bstream_reserve(w, 8, &span, BSTREAM_DONT_WAIT), -EBUSY);
	GIVES(bstream_write(w, "", 0, BSTREAM_DONT_WAIT), -EBUSY);
	GIVES(bstream_drain(w, BSTREAM_DONT_WAIT), -EBUSY);
	GIVES(bstream_writer_detach(w), -EBUSY);
	spans[1].iov_len = 4;
	GIVES(bstream_commit_many(w, spans, 2), 0);
	HEAR(r, "eight...");
	HEAR(r, "more");
	GIVES(bstream_reserve(w, 8, &span, BSTREAM_DONT_WAIT), 0); /* one is as good as a reserve */
	memcpy(span, "one", 3);
	spans[0].iov_len = 3;
	GIVES(bstream_commit_many(w, spans, 1), 0);
	HEAR(r, "one");
	close_all();
}
END_TEST

START_TEST(several_are_gone_when_the_reader_is)
{
	pair_for_reserving(_i, 4);
	GIVES(bstream_reserve_many(w, 16, spans, 3, BSTREAM_DONT_WAIT), 3);
	bstream_reader_close(r);
	r = NULL;
	GIVES(bstream_commit_many(w, spans, 4), -EINVAL);
	GIVES(bstream_commit_many(w, spans, 2), -EPIPE);
	GIVES(bstream_commit_many(w, spans, 2), -EINVAL);
	GIVES(bstream_reserve_many(w, 16, spans, 3, BSTREAM_FOREVER), -EPIPE);
	close_all();
}
END_TEST

START_TEST(several_of_one_keep_their_places_while_others_come_and_write)
{
	guard_pair(8, 4096, &w, &r);
	SAY(w, "0");
	GIVES(bstream_reserve_many(w, 2000, spans, 3, BSTREAM_DONT_WAIT), 3);
	GIVES(bstream_writer_clone(w, &x), 0);
	for (int i = 0; i < 4; i++)
		SAY(x, "x");
	GIVES(bstream_write(x, "x", 1, BSTREAM_DONT_WAIT), -EAGAIN);
	HEAR(r, "0");
	for (int i = 0; i < 3; i++) {
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
		memset(spans[i].iov_base, '1' + i, 2000);
		spans[i].iov_len = 1;
	}
	GIVES(bstream_commit_many(w, spans, 3), 0);
	HEAR(r, "1");
	HEAR(r, "2");
	HEAR(r, "3");
	for (int i = 0; i < 4; i++)
		HEAR(r, "x");
	GIVES(bstream_reserve_many(x, 1, spans, 2, BSTREAM_DONT_WAIT), 2);
	GIVES(bstream_reserve_many(w, 1, spans + 2, 9, BSTREAM_DONT_WAIT), 6);
	for (int i = 0; i < 8; i++)
		*(char *)spans[i].iov_base = (char)('a' + i);
	GIVES(bstream_commit_many(w, spans + 2, 6), 0);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_commit_many(x, spans, 2), 0);
	for (int i = 0; i < 8; i++)
		HEAR(r, ((char[]){ (char)('a' + i), '\0' }));
	close_all();
}
END_TEST

/* It has had those that were published by then, and asks for the next. */
START_TEST(a_reader_that_fell_asleep_behind_the_first_of_several_is_woken)
{
	pair_for_reserving(_i, 4);
	for (uint32_t met = 0; met < 3; met++) {
		GIVES(bstream_reserve_many(w, 16, spans, 3, BSTREAM_DONT_WAIT), 3);
		hint_raise(&w->g->items.wake_at, w->claim + met + 1);
		fill(0, "one");
		GIVES(bstream_commit_many(w, spans, 1), 0);
		GIVES(hint_look(&w->g->items.wake_at), 0);
		HEAR(r, "one");
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	}
	close_all();
}
END_TEST

/* Else one who sleeps for room would sleep on beside it; or be woken for nothing. */
START_TEST(who_reserves_several_and_leaves_room_passes_the_wake_up_on)
{
	_Atomic uint64_t *wake_at;

	pair_for_reserving(1, 4);
	wake_at = &w->g->space.wake_at;
	for (int n = 2; n <= 4; n++) {
		for (int i = 0; i < 4; i++)
			SAY(x, "x");
		for (int i = 0; i < 4; i++)
			HEAR(r, "x");
		hint_raise(wake_at, r->head);
		GIVES(bstream_reserve_many(w, 16, spans, n, BSTREAM_DONT_WAIT), n);
		GIVES(hint_look(wake_at), n < 4 ? 0 : r->head);
		bstream_cancel(w);
		GIVES(intent_look(w->line), 0);
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	}
	close_all();
}
END_TEST

static void read_numbers(struct bstream_reader *reader, void *arg)
{
	const int *sizes = arg;
	const void *chunk;
	uint32_t n = 0;
	size_t len;
	int rc;

	while ((rc = bstream_peek(reader, &chunk, &len, BSTREAM_FOREVER)) == 1) {
		GIVES(len, sizes[n % 2]);
		MUST(memcmp(chunk, &n, sizeof(n)) == 0);
		GIVES(bstream_release(reader), 0);
		n++;
	}
	GIVES(rc, 0);
	GIVES(n, 9000);
	bstream_reader_close(reader);
}

/* Were one wake-up missed, it would take a slice. */
START_TEST(several_at_once_wait_for_room_and_wake_a_reader_that_sleeps)
{
	static int sizes[] = { 4, 1000 };
	struct guard_peer peer;
	uint32_t n = 0;

	guard_pair(5, 1000, &w, &r);
	guard_reader_away(&peer, _i % 2, r, read_numbers, sizes);
	r = NULL;
	if (_i >= 2)
		GIVES(bstream_writer_clone(w, &x), 0);
	while (n < 9000) {
		int most = 9000 - n < 4 ? (int)(9000 - n) : 4;
		int got = bstream_reserve_many(w, 1000, spans, most, BSTREAM_FOREVER);

		MUST(got >= 1 && got <= most);
		for (int i = 0; i < got; i++, n++) {
			memcpy(spans[i].iov_base, &n, sizeof(n));
			spans[i].iov_len = (size_t)sizes[n % 2];
		}
		GIVES(bstream_commit_many(w, spans, got), 0);
	}
	bstream_writer_close(w);
	bstream_writer_close(x);
	w = x = NULL;
	guard_join(&peer);
	close_all();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(a_reservation_is_written_in_place, 2),
		N_WAYS(a_commit_wants_a_reservation_as_large, 2),
		N_WAYS(nothing_else_goes_while_reserved, 2),
		N_WAYS(a_cancelled_slot_comes_back_when_the_reader_passes_it, 2),
		N_WAYS(closing_cancels, 2),
		N_WAYS(a_commit_to_a_reader_that_left_is_refused, 2),
		N_WAYS(a_commit_reserves_the_next_chunk_while_there_is_room, 2),
		N_WAYS(a_commit_that_is_refused_reserves_nothing, 2),
		ONCE(a_commit_leaves_the_next_slot_to_whoever_asks_for_his_turn),
		ONCE(a_commit_that_reserves_alone_lets_others_come),
		ONCE(reservations_of_several_come_in_the_order_they_were_made),
		ONCE(a_reservation_alone_keeps_its_place_while_others_come_and_write),
		N_WAYS(several_are_written_in_place_and_read_in_order, 2),
		N_WAYS(as_many_are_reserved_as_there_is_room_for, 2),
		N_WAYS(no_more_are_reserved_than_one_word_can_say, 2),
		N_WAYS(of_several_those_that_are_not_committed_are_passed, 2),
		N_WAYS(wrong_arguments_leave_several_reserved, 2),
		N_WAYS(several_are_gone_when_the_reader_is, 2),
		ONCE(several_of_one_keep_their_places_while_others_come_and_write),
		N_WAYS(a_reader_that_fell_asleep_behind_the_first_of_several_is_woken, 2),
		ONCE(who_reserves_several_and_leaves_room_passes_the_wake_up_on),
		N_WAYS(several_at_once_wait_for_room_and_wake_a_reader_that_sleeps, 4),
	};

	return GUARD_RUN("reserve", cases);
}
