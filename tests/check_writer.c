/* SPDX-License-Identifier: MIT */
/* check_writer.c - the data path of write ends: writes, clones, and refusals. */
#include <string.h>
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

/* ---- chunks --------------------------------------------------------------------------------- */

START_TEST(an_empty_chunk_is_a_chunk)
{
	size_t len = 77;

	guard_pair(4, 0, &w, &r);
	GIVES(bstream_write(w, NULL, 0, BSTREAM_DONT_WAIT), 0);
	SAY(w, "behind it");
	GIVES(bstream_read(r, NULL, 0, &len, BSTREAM_DONT_WAIT), 1);
	GIVES(len, 0);
	HEAR(r, "behind it");
	close_all();
}
END_TEST

START_TEST(a_chunk_of_chunk_max_bytes_fits_and_one_more_does_not)
{
	static unsigned char out[4097], in[4097];
	size_t len;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (unsigned char)(i * 7);
	guard_pair(1, 4096, &w, &r);
	GIVES(bstream_write(w, out, 4097, BSTREAM_FOREVER), -EMSGSIZE);
	GIVES(bstream_write(w, out, SIZE_MAX, BSTREAM_FOREVER), -EMSGSIZE);
	GIVES(bstream_write(w, out, (size_t)1 << 32, BSTREAM_FOREVER), -EMSGSIZE);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_write(w, out, 4096, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_read(r, in, sizeof(in), &len, BSTREAM_DONT_WAIT), 1);
	GIVES(len, 4096);
	MUST(memcmp(in, out, 4096) == 0);
	close_all();
}
END_TEST

START_TEST(pieces_make_one_chunk)
{
	char a[] = "one ", b[] = "two ", c[] = "three";
	struct iovec iov[] = { { a, 4 }, { b, 4 }, { NULL, 0 }, { c, 5 } };
	size_t len;

	guard_pair(4, 0, &w, &r);
	GIVES(bstream_writev(w, iov, 4, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_writev(w, iov, 0, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_writev(w, NULL, 0, BSTREAM_DONT_WAIT), 0);
	HEAR(r, "one two three");
	GIVES(bstream_read(r, NULL, 0, &len, BSTREAM_DONT_WAIT), 1);
	GIVES(len, 0);
	HEAR(r, "");
	close_all();
}
END_TEST

START_TEST(pieces_out_of_bounds_are_refused)
{
	static char bytes[600];
	struct iovec iov[1025];

	for (int i = 0; i < 1025; i++)
		iov[i] = (struct iovec){ bytes, 1 };
	guard_pair(4, 1023, &w, &r);
	GIVES(bstream_writev(w, iov, -1, BSTREAM_DONT_WAIT), -EINVAL);
	GIVES(bstream_writev(w, iov, 1025, BSTREAM_DONT_WAIT), -EINVAL);
	GIVES(bstream_writev(w, iov, 1024, BSTREAM_DONT_WAIT), -EMSGSIZE);
	GIVES(bstream_writev(w, iov, 1023, BSTREAM_DONT_WAIT), 0);
	iov[0].iov_len = SIZE_MAX;
	iov[1].iov_len = 2;
	GIVES(bstream_writev(w, iov, 2, BSTREAM_DONT_WAIT), -EMSGSIZE);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 1);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	close_all();
}
END_TEST

START_TEST(chunks_come_in_order_round_and_round)
{
	static const uint32_t capacities[] = { 1, 2, 3, 7, 16 };
	uint32_t capacity = capacities[_i], out = 0, in = 0;

	guard_pair(capacity, 64, &w, &r);
	if (_i % 2 == 1) /* claiming by compare-and-swap, too */
		GIVES(bstream_writer_clone(w, &x), 0);
	for (int round = 0; round < 1000; round++) {
		for (uint32_t n = 0; n < 1 + (uint32_t)round % capacity; n++, out++)
			GIVES(bstream_write(out % 3 != 0 || x == NULL ? w : x, &out, 4,
					    BSTREAM_DONT_WAIT),
			      0);
		while (in < out) {
			uint32_t got = 0;
			size_t len;

			GIVES(bstream_read(r, &got, 4, &len, BSTREAM_DONT_WAIT), 1);
			GIVES(len, 4);
			GIVES(got, in++);
		}
	}
	close_all();
}
END_TEST

/* ---- room ----------------------------------------------------------------------------------- */

START_TEST(capacity_zero_acts_as_one)
{
	guard_pair(0, 0, &w, &r);
	SAY(w, "a");
	GIVES(bstream_write(w, "b", 1, BSTREAM_DONT_WAIT), -EAGAIN);
	HEAR(r, "a");
	SAY(w, "b");
	HEAR(r, "b");
	close_all();
}
END_TEST

START_TEST(a_full_stream_refuses_as_the_deadline_says)
{
	void *span = &span;

	guard_pair(2, 0, &w, &r);
	SAY(w, "a");
	GIVES(bstream_write(w, "b", 1, bstream_after_ms(-5)),
	      0); /* past, but nothing to wait for */
	GIVES(bstream_write(w, "c", 1, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_write(w, "c", 1, bstream_after_ms(-5)), -ETIMEDOUT);
	GIVES(bstream_write(w, "c", 1, 1), -ETIMEDOUT);
	GIVES(bstream_reserve(w, 1, &span, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_reserve(w, 1, &span, bstream_after_ms(1)), -ETIMEDOUT);
	MUST(span == &span); /* not touched */
	GIVES(bstream_commit(w, 0), -EINVAL); /* and nothing reserved */
	HEAR(r, "a");
	HEAR(r, "b");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	close_all();
}
END_TEST

START_TEST(wrong_arguments_are_found_before_anything_else)
{
	struct iovec big = { NULL, 17 };
	void *span;

	guard_pair(1, 16, &w, &r);
	SAY(w, "full");
	GIVES(bstream_write(w, "", 17, BSTREAM_DONT_WAIT), -EMSGSIZE);
	GIVES(bstream_writev(w, &big, 1, BSTREAM_DONT_WAIT), -EMSGSIZE);
	GIVES(bstream_writev(w, &big, -1, BSTREAM_DONT_WAIT), -EINVAL);
	GIVES(bstream_reserve(w, 17, &span, BSTREAM_DONT_WAIT), -EMSGSIZE);
	HEAR(r, "full");
	GIVES(bstream_reserve(w, 16, &span, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_write(w, "", 17, BSTREAM_DONT_WAIT), -EMSGSIZE);
	GIVES(bstream_reserve(w, 17, &span, BSTREAM_DONT_WAIT), -EMSGSIZE);
	bstream_cancel(w);
	bstream_reader_close(r);
	r = NULL;
	GIVES(bstream_write(w, "", 17, BSTREAM_DONT_WAIT), -EMSGSIZE);
	GIVES(bstream_writev(w, &big, 1, BSTREAM_DONT_WAIT), -EMSGSIZE);
	GIVES(bstream_writev(w, &big, 1025, BSTREAM_DONT_WAIT), -EINVAL);
	GIVES(bstream_reserve(w, 17, &span, BSTREAM_DONT_WAIT), -EMSGSIZE);
	close_all();
}
END_TEST

START_TEST(a_broken_stream_is_said_before_a_full_one)
{
	guard_pair(1, 0, &w, &r);
	SAY(w, "full");
	bstream_reader_close(r);
	r = NULL;
	GIVES(bstream_write(w, "", 0, BSTREAM_DONT_WAIT), -EPIPE);
	GIVES(bstream_write(w, "", 0, bstream_after_ms(-1)), -EPIPE);
	GIVES(bstream_write(w, "", 0, BSTREAM_FOREVER), -EPIPE);
	close_all();
}
END_TEST

/* ---- many at once --------------------------------------------------------------------------- */

static void iov_fill(struct iovec *chunks, int n, unsigned char *bytes, size_t len)
{
	for (int i = 0; i < n; i++)
		chunks[i] = (struct iovec){ bytes + i, len };
}

/* Alone, and among several. */
START_TEST(many_chunks_are_written_by_one_call_as_far_as_there_is_room)
{
	struct iovec chunks[] = { { "one", 3 }, { NULL, 0 }, { "three", 5 }, { "four", 4 } };
	struct bstream_stat stat = { .size = sizeof(stat) };

	guard_pair(3, 0, &w, &r);
	if (_i == 1)
		GIVES(bstream_writer_clone(w, &x), 0);
	for (int round = 0; round < 50; round++) {
		GIVES(bstream_write_many(w, chunks, 4, BSTREAM_DONT_WAIT), 3);
		GIVES(bstream_write_many(w, chunks + 3, 1, BSTREAM_DONT_WAIT), -EAGAIN);
		GIVES(bstream_write_many(w, chunks + 3, 1, bstream_after_ms(-1)), -ETIMEDOUT);
		HEAR(r, "one");
		HEAR(r, "");
		GIVES(bstream_write_many(w, chunks + 3, 1, BSTREAM_DONT_WAIT), 1);
		HEAR(r, "three");
		HEAR(r, "four");
	}
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_writer_stat(w, &stat), 0);
	GIVES(stat.chunks_written, 200);
	GIVES(stat.bytes_written, 600);
	close_all();
}
END_TEST

/* ---- who sleeps is told --------------------------------------------------------------------- */

static void write_in_some_way(int way)
{
	static unsigned char bytes[4096];
	struct iovec chunks[3];
	void *span;

	iov_fill(chunks, 3, bytes, way == 2 ? 8 : 2000);
	if (way < 2)
		GIVES(bstream_write(w, bytes, way == 0 ? 8 : 2000, BSTREAM_DONT_WAIT), 0);
	else if (way < 4)
		GIVES(bstream_write_many(w, chunks, 3, BSTREAM_DONT_WAIT), 3);
	else if (way == 4)
		GIVES(bstream_writev(w, chunks, 2, BSTREAM_DONT_WAIT), 0);
	else if (way == 7)
		GIVES(bstream_reserve_many(w, 8, chunks, 3, BSTREAM_DONT_WAIT), 3);
	else
		GIVES(bstream_reserve(w, 8, &span, BSTREAM_DONT_WAIT), 0);
	if (way == 5)
		GIVES(bstream_commit(w, 8), 0);
	if (way == 6)
		bstream_cancel(w);
	if (way == 7)
		GIVES(bstream_commit_many(w, chunks, 3), 0);
}

/* Also by one who writes fast and has nothing to decide. One who is not told sleeps on for a slice, and
 * no test that only waits for him would notice. */
START_TEST(every_way_to_write_tells_a_reader_that_sleeps)
{
	struct bs_hint hint;
	uint32_t seen;

	guard_pair(16, 4096, &w, &r);
	w->probe_at = UINT64_MAX; /* as where the clock hardly goes */
	SAY(w, "a");
	HEAR(r, "a");
	MUST(w->tail + 3 < w->limit);
	if (_i >= 8)
		GIVES(bstream_writer_clone(w, &x), 0);
	hint = bs_hint_items(r->g, &r->hold.sight.geo);
	seen = bs_hint_seen(&hint);
	hint_raise(hint.wake_at, r->head + 1);
	write_in_some_way(_i % 8);
	GIVES(hint_look(hint.wake_at), 0);
	MUST(bs_hint_sleep(&hint, seen,
			   guard_patience())); /* there is a post, or it is another turn */
	close_all();
}
END_TEST

START_TEST(every_way_to_read_tells_a_writer_that_sleeps)
{
	static unsigned char buf[64];
	struct iovec chunks[3];
	struct bs_hint hint;
	const void *chunk;
	uint32_t seen;
	size_t len;

	guard_pair(4, 64, &w, &r);
	for (int i = 0; i < 4; i++)
		GIVES(bstream_write(w, buf, _i == 0 ? 8 : 64, BSTREAM_DONT_WAIT), 0);
	sleepers_enter(&w->g->space.sleepers);
	hint = bs_hint_space(w->g, &w->hold.sight.geo);
	seen = bs_hint_seen(&hint);
	hint_raise(hint.wake_at, _i == 3 ? 2 : 1);
	if (_i < 2) {
		GIVES(bstream_read(r, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT), 1);
	} else if (_i == 2) {
		GIVES(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), 1);
		GIVES(bstream_release(r), 0);
	} else {
		GIVES(bstream_peek_many(r, chunks, 3, BSTREAM_DONT_WAIT), 3);
		GIVES(bstream_release_many(r, 3), 0);
	}
	GIVES(hint_look(hint.wake_at), 0);
	MUST(bs_hint_sleep(&hint, seen, guard_patience()));
	close_all();
}
END_TEST

START_TEST(many_chunks_are_refused_before_the_first_is_written)
{
	static unsigned char bytes[64];
	struct iovec chunks[2];
	void *span;

	guard_pair(4, 32, &w, &r);
	iov_fill(chunks, 2, bytes, 32);
	GIVES(bstream_write_many(w, chunks, 0, BSTREAM_FOREVER), -EINVAL);
	GIVES(bstream_write_many(w, chunks, -1, BSTREAM_FOREVER), -EINVAL);
	chunks[1].iov_len = 33;
	GIVES(bstream_write_many(w, chunks, 2, BSTREAM_FOREVER), -EMSGSIZE);
	chunks[1].iov_len = SIZE_MAX;
	GIVES(bstream_write_many(w, chunks, 2, BSTREAM_FOREVER), -EMSGSIZE);
	chunks[1].iov_len = 1;
	GIVES(bstream_reserve(w, 1, &span, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_write_many(w, chunks, 2, BSTREAM_FOREVER), -EBUSY);
	bstream_cancel(w);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	bstream_reader_close(r);
	r = NULL;
	GIVES(bstream_write_many(w, chunks, 2, BSTREAM_FOREVER), -EPIPE);
	close_all();
}
END_TEST

static void read_all(struct bstream_reader *reader, void *arg)
{
	const unsigned *sizes = arg;
	struct iovec chunks[16];
	uint64_t n = 0;
	int rc;

	while ((rc = bstream_peek_many(reader, chunks, 1 + (int)(n % 16), BSTREAM_FOREVER)) > 0) {
		for (int i = 0; i < rc; i++, n++) {
			MUST(chunks[i].iov_len == sizes[n % 4]);
			MUST(chunks[i].iov_len == 0 ||
			     *(unsigned char *)chunks[i].iov_base == n % 16);
		}
		GIVES(bstream_release_many(reader, rc), 0);
	}
	GIVES(rc, 0);
	GIVES(n, 16 * 600);
	bstream_reader_close(reader);
}

/* More at a time than the stream holds, so that writer and reader both wait and are woken: were one
 * missed, each would take a slice. */
START_TEST(many_chunks_wait_for_room_and_wake_a_reader_that_sleeps)
{
	static unsigned sizes[] = { 1, 48, 0, 3000 };
	static unsigned char bytes[16][3000];
	struct iovec chunks[16];
	struct guard_peer peer;

	for (int i = 0; i < 16; i++) {
		memset(bytes[i], i, sizeof(bytes[i]));
		chunks[i] = (struct iovec){ bytes[i], sizes[i % 4] };
	}
	guard_pair(_i < 2 ? 5 : 100, 3000, &w, &r);
	guard_reader_away(&peer, _i % 2, r, read_all, sizes);
	r = NULL;
	for (int round = 0; round < 600; round++) {
		if (round % 4 == 0)
			GIVES(bstream_drain(w, BSTREAM_FOREVER), 0); /* it falls asleep, perhaps */
		GIVES(bstream_write_many(w, chunks, 16, BSTREAM_FOREVER), 16);
	}
	bstream_writer_close(w);
	w = NULL;
	guard_join(&peer);
	close_all();
}
END_TEST

/* ---- one and several ------------------------------------------------------------------------ */

START_TEST(a_writer_goes_on_after_another_has_overtaken_it)
{
	guard_pair(1, 0, &w, &r);
	SAY(w, "a");
	HEAR(r, "a");
	GIVES(bstream_writer_clone(w, &x), 0);
	for (int i = 0; i < 5; i++) {
		SAY(x, "b");
		HEAR(r, "b");
	}
	SAY(w, "c");
	GIVES(bstream_write(x, "d", 1, BSTREAM_DONT_WAIT), -EAGAIN);
	HEAR(r, "c");
	SAY(x, "d");
	HEAR(r, "d");
	close_all();
}
END_TEST

static void write_patiently(struct bstream_writer *writer, void *arg)
{
	(void)arg;
	GIVES(bstream_write(writer, "slow", 4, BSTREAM_FOREVER), 0);
	bstream_writer_close(writer);
}

START_TEST(a_writer_that_slept_alone_goes_on_among_others)
{
	struct guard_peer peer;
	struct bstream_writer copy;
	int n_slow = 0;

	guard_pair(2, 0, &w, &r);
	SAY(w, "0");
	SAY(w, "0");
	copy = *w; /* all of it is private memory: good enough to clone while it sleeps */
	guard_writer_away(&peer, BY_THREAD, w, write_patiently, NULL);
	w = NULL;
	UNTIL(figure_load(&r->g->writers[0].waits_for) == BS_WAITS_ROOM);
	GIVES(bstream_writer_clone(&copy, &x), 0);
	for (int i = 0; i < 100; i++) { /* far past the tail that the sleeper knows */
		const void *chunk;
		size_t len;

		while (bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT) == 1) {
			n_slow += len == 4;
			GIVES(bstream_release(r), 0);
		}
		int rc = bstream_write(x, "x", 1, BSTREAM_DONT_WAIT);
		MUST(rc == 0 || rc == -EAGAIN);
	}
	if (n_slow == 0)
		HEAR_IN_TIME(r, "x");
	guard_join(&peer);
	while (n_slow == 0) {
		const void *chunk;
		size_t len;

		GIVES(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), 1);
		n_slow += len == 4;
		GIVES(bstream_release(r), 0);
	}
	close_all();
}
END_TEST

START_TEST(each_clone_is_an_end_of_its_own)
{
	guard_pair(4, 0, &w, &r);
	GIVES(bstream_writer_clone(w, &x), 0);
	SAY(w, "w");
	SAY(x, "x");
	bstream_writer_close(w);
	w = NULL;
	HEAR(r, "w");
	HEAR(r, "x");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	SAY(x, "x again");
	HEAR(r, "x again");
	bstream_writer_close(x);
	x = NULL;
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	close_all();
}
END_TEST

START_TEST(no_more_writers_than_max_writers)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *y = (void *)&o;
	int fds;

	o.max_writers = (uint32_t)_i + 1;
	GIVES(bstream_pair(&o, &w, &r), 0);
	if (_i == 1)
		GIVES(bstream_writer_clone(w, &x), 0);
	fds = guard_n_fds();
	GIVES(bstream_writer_clone(w, &y), -EMFILE);
	MUST((void *)y == &o);
	GIVES(guard_n_fds(), fds);
	SAY(w, "still fine");
	HEAR(r, "still fine");
	if (_i == 1) { /* a place is free again when its writer has closed */
		bstream_writer_close(x);
		GIVES(bstream_writer_clone(w, &x), 0);
		SAY(x, "back");
		HEAR(r, "back");
	}
	close_all();
}
END_TEST

START_TEST(writers_come_and_go_without_end)
{
	guard_pair(2, 64, &w, &r);
	for (uint32_t i = 0; i < 2000 / guard_slowness(); i++) {
		GIVES(bstream_writer_clone(w, &x), 0);
		SAY(x, "x");
		bstream_writer_close(x);
		SAY(w, "w");
		HEAR(r, "x");
		HEAR(r, "w");
	}
	x = NULL;
	close_all();
}
END_TEST

START_TEST(nobody_can_be_cloned_to_a_broken_stream)
{
	struct bstream_writer *y = (void *)&y;
	int fds;

	guard_pair(2, 0, &w, &r);
	bstream_reader_close(r);
	r = NULL;
	fds = guard_n_fds();
	GIVES(bstream_writer_clone(w, &y), -EPIPE);
	MUST((void *)y == &y);
	GIVES(guard_n_fds(), fds);
	close_all();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(an_empty_chunk_is_a_chunk),
		ONCE(a_chunk_of_chunk_max_bytes_fits_and_one_more_does_not),
		ONCE(pieces_make_one_chunk),
		ONCE(pieces_out_of_bounds_are_refused),
		N_WAYS(chunks_come_in_order_round_and_round, 5),
		ONCE(capacity_zero_acts_as_one),
		ONCE(a_full_stream_refuses_as_the_deadline_says),
		ONCE(wrong_arguments_are_found_before_anything_else),
		ONCE(a_broken_stream_is_said_before_a_full_one),
		ONCE(a_writer_goes_on_after_another_has_overtaken_it),
		ONCE(a_writer_that_slept_alone_goes_on_among_others),
		N_WAYS(many_chunks_are_written_by_one_call_as_far_as_there_is_room, 2),
		N_WAYS(every_way_to_write_tells_a_reader_that_sleeps, 16),
		N_WAYS(every_way_to_read_tells_a_writer_that_sleeps, 4),
		ONCE(many_chunks_are_refused_before_the_first_is_written),
		N_WAYS(many_chunks_wait_for_room_and_wake_a_reader_that_sleeps, 4),
		ONCE(each_clone_is_an_end_of_its_own),
		N_WAYS(no_more_writers_than_max_writers, 2),
		ONCE(writers_come_and_go_without_end),
		ONCE(nobody_can_be_cloned_to_a_broken_stream),
	};

	return GUARD_RUN("writer", cases);
}
