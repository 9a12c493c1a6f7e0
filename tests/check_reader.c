/* SPDX-License-Identifier: MIT */
/*
 * check_reader.c - the data path of the read end: read, peek, release, one or several, and what stays
 * where it is.
 */
#include <string.h>

#include "lib/handle.h"
#include "tests/guard.h"

static struct bstream_writer *w;
static struct bstream_reader *r;

static void close_all(void)
{
	bstream_writer_close(w);
	bstream_reader_close(r);
	w = NULL;
	r = NULL;
}

START_TEST(an_empty_stream_refuses_as_the_deadline_says)
{
	char buf[4] = "abc";
	const void *chunk = buf;
	size_t len = 77;

	guard_pair(4, 0, &w, &r);
	GIVES(bstream_read(r, buf, 4, &len, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_read(r, buf, 4, &len, bstream_after_ms(-1)), -ETIMEDOUT);
	GIVES(bstream_read(r, buf, 4, &len, bstream_after_ms(2)), -ETIMEDOUT);
	GIVES(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_peek(r, &chunk, &len, 1), -ETIMEDOUT);
	MUST(len == 77 && chunk == buf && strcmp(buf, "abc") == 0); /* not touched */
	SAY(w, "a");
	GIVES(bstream_read(r, buf, 4, &len, bstream_after_ms(-1)), 1); /* nothing to wait for */
	GIVES(len, 1);
	close_all();
}
END_TEST

START_TEST(a_chunk_too_large_for_the_buffer_stays)
{
	char buf[8] = "-------";
	size_t len = 77;

	guard_pair(4, 0, &w, &r);
	SAY(w, "seven..");
	SAY(w, "next");
	GIVES(bstream_read(r, buf, 6, &len, BSTREAM_DONT_WAIT), -EMSGSIZE);
	GIVES(len, 7);
	len = 0;
	GIVES(bstream_read(r, NULL, 0, &len, BSTREAM_FOREVER), -EMSGSIZE);
	GIVES(len, 7);
	MUST(strcmp(buf, "-------") == 0);
	GIVES(bstream_release(r), -EINVAL); /* it was not peeked */
	GIVES(bstream_read(r, buf, 7, &len, BSTREAM_DONT_WAIT), 1);
	MUST(memcmp(buf, "seven..", 7) == 0);
	HEAR(r, "next");
	close_all();
}
END_TEST

START_TEST(a_peeked_chunk_comes_again_until_released)
{
	const void *one, *two;
	size_t len;
	char buf[8];

	guard_pair(2, 0, &w, &r);
	SAY(w, "a");
	SAY(w, "b");
	GIVES(bstream_peek(r, &one, &len, BSTREAM_DONT_WAIT), 1);
	GIVES(bstream_peek(r, &two, &len, BSTREAM_DONT_WAIT), 1);
	MUST(one == two && len == 1);
	GIVES(bstream_write(w, "c", 1, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_release(r), 0);
	GIVES(bstream_release(r), -EINVAL);
	GIVES(bstream_write(w, "c", 1, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_peek(r, &one, &len, BSTREAM_DONT_WAIT), 1);
	GIVES(bstream_read(r, buf, 8, &len, BSTREAM_DONT_WAIT), 1); /* the same chunk, released */
	MUST(buf[0] == 'b');
	GIVES(bstream_release(r), -EINVAL);
	HEAR(r, "c");
	close_all();
}
END_TEST

START_TEST(a_release_wants_a_peek)
{
	guard_pair(2, 0, &w, &r);
	GIVES(bstream_release(r), -EINVAL);
	SAY(w, "a");
	GIVES(bstream_release(r), -EINVAL);
	HEAR(r, "a");
	bstream_writer_close(w);
	w = NULL;
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_release(r), -EINVAL);
	close_all();
}
END_TEST

START_TEST(the_end_is_sticky_and_touches_nothing)
{
	char buf[4] = "abc";
	const void *chunk = buf;
	size_t len = 77;

	guard_pair(2, 0, &w, &r);
	bstream_writer_close(w);
	w = NULL;
	for (int i = 0; i < 3; i++) {
		GIVES(bstream_read(r, buf, 4, &len, BSTREAM_FOREVER), 0);
		GIVES(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), 0);
		GIVES(bstream_peek(r, &chunk, &len, bstream_after_ms(-1)), 0);
	}
	MUST(len == 77 && chunk == buf && strcmp(buf, "abc") == 0);
	close_all();
}
END_TEST

START_TEST(chunks_of_every_size_arrive_as_they_were)
{
	static unsigned char out[300], in[300];
	size_t len;

	guard_pair(3, 300, &w, &r);
	for (size_t n = 0; n <= 300; n++) {
		memset(in, 0xee, sizeof(in));
		for (size_t i = 0; i < n; i++)
			out[i] = (unsigned char)(n * 31 + i);
		GIVES(bstream_write(w, out, n, BSTREAM_DONT_WAIT), 0);
		GIVES(bstream_read(r, in, sizeof(in), &len, BSTREAM_DONT_WAIT), 1);
		MUST(len == n && memcmp(in, out, n) == 0);
		MUST(n == 300 || in[n] == 0xee); /* and nothing behind it */
	}
	close_all();
}
END_TEST

/* The sizes at which a chunk goes to another place, from both sides, and all of them in one slot. */
START_TEST(chunks_at_the_edge_of_a_size_class_arrive_whole)
{
	static const size_t edges[] = { 0,   1,	   47,	 48,   49,   255,  256,
					257, 1023, 1024, 1025, 4095, 4096, 4097 };
	static unsigned char out[4097], in[4097];
	static const uint32_t most[] = { 1, 48, 49, 256, 257, 1024, 4096, 4097 };
	uint32_t chunk_max = most[_i];

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (unsigned char)(i * 13 + 1);
	guard_pair(1 + (uint32_t)_i % 3, chunk_max, &w, &r);
	for (size_t e = 0; e < 3 * sizeof(edges) / sizeof(edges[0]); e++) {
		size_t len = edges[e * 5 % (sizeof(edges) / sizeof(edges[0]))], got = 0;

		if (len > chunk_max) {
			GIVES(bstream_write(w, out, len, BSTREAM_DONT_WAIT), -EMSGSIZE);
			continue;
		}
		memset(in, 0, sizeof(in));
		GIVES(bstream_write(w, out, len, BSTREAM_DONT_WAIT), 0);
		GIVES(bstream_read(r, in, sizeof(in), &got, BSTREAM_DONT_WAIT), 1);
		MUST(got == len && memcmp(in, out, len) == 0);
		void *span;
		const void *chunk;
		GIVES(bstream_reserve(w, chunk_max, &span, BSTREAM_DONT_WAIT), 0);
		memcpy(span, out, len); /* less than was reserved, and so of a smaller class */
		GIVES(bstream_commit(w, len), 0);
		GIVES(bstream_peek(r, &chunk, &got, BSTREAM_DONT_WAIT), 1);
		MUST(got == len && memcmp(chunk, out, len) == 0);
		GIVES(bstream_release(r), 0);
	}
	close_all();
}
END_TEST

/* All that is in flight at once is in different places. */
START_TEST(chunks_in_flight_do_not_touch_each_other)
{
	static unsigned char out[5000], in[5000];
	size_t len;

	guard_pair(16, 5000, &w, &r);
	for (unsigned round = 0; round < 40; round++) {
		for (unsigned i = 0; i < 16; i++) {
			memset(out, (int)(round * 16 + i), sizeof(out));
			GIVES(bstream_write(w, out, (round * 16 + i) * 97 % 5001,
					    BSTREAM_DONT_WAIT),
			      0);
		}
		for (unsigned i = 0; i < 16; i++) {
			memset(out, (int)(round * 16 + i), sizeof(out));
			GIVES(bstream_read(r, in, sizeof(in), &len, BSTREAM_DONT_WAIT), 1);
			MUST(len == (round * 16 + i) * 97 % 5001 && memcmp(in, out, len) == 0);
		}
	}
	close_all();
}
END_TEST

/* ---- several at once ------------------------------------------------------------------------ */

static bool is_text(const struct iovec *chunk, const char *text)
{
	return chunk->iov_len == strlen(text) && memcmp(chunk->iov_base, text, strlen(text)) == 0;
}

/* Sizes of every class, runs that go round the end of the slots, all let go or a part. */
START_TEST(several_chunks_are_shown_in_order_and_let_go_at_once)
{
	static const size_t sizes[] = { 0, 1, 48, 49, 256, 257, 1024, 1025, 4096, 4097, 5000 };
	static unsigned char out[5000];
	struct iovec chunks[7];
	unsigned written = 0, read = 0;

	guard_pair(7, 5000, &w, &r);
	for (unsigned round = 0; round < 200; round++) {
		for (;; written++) {
			memset(out, (int)written, sizeof(out));
			if (bstream_write(w, out, sizes[written % 11], BSTREAM_DONT_WAIT) != 0)
				break;
		}
		int n = bstream_peek_many(r, chunks, 1 + (int)(round % 7), BSTREAM_DONT_WAIT);
		GIVES(n, 1 + round % 7);
		for (int i = 0; i < n; i++) {
			memset(out, (int)(read + (unsigned)i), sizeof(out));
			GIVES(chunks[i].iov_len, sizes[(read + (unsigned)i) % 11]);
			MUST(memcmp(chunks[i].iov_base, out, chunks[i].iov_len) == 0);
		}
		n = round % 3 == 0 ? (n + 1) / 2 : n;
		GIVES(bstream_release_many(r, n), 0);
		read += (unsigned)n;
	}
	struct bstream_stat stat = { .size = sizeof(stat) };
	GIVES(bstream_reader_stat(r, &stat), 0);
	GIVES(stat.chunks_read, read);
	GIVES(stat.bytes_written - stat.bytes_read > 0, 1);
	uint64_t bytes = 0;
	for (unsigned i = 0; i < read; i++)
		bytes += sizes[i % 11];
	GIVES(stat.bytes_read, bytes);
	close_all();
}
END_TEST

START_TEST(no_more_are_shown_than_there_are)
{
	struct iovec chunks[20];

	guard_pair(3, 0, &w, &r);
	GIVES(bstream_peek_many(r, chunks, 20, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_peek_many(r, chunks, 20, 1), -ETIMEDOUT);
	SAY(w, "a");
	GIVES(bstream_peek_many(r, chunks, 20, BSTREAM_DONT_WAIT), 1);
	SAY(w, "b");
	SAY(w, "c");
	GIVES(bstream_write(w, "d", 1, BSTREAM_DONT_WAIT), -EAGAIN); /* shown is not released */
	GIVES(bstream_peek_many(r, chunks, 20, BSTREAM_FOREVER), 3); /* the same from the start */
	MUST(is_text(&chunks[0], "a") && is_text(&chunks[1], "b") && is_text(&chunks[2], "c"));
	GIVES(bstream_peek_many(r, chunks, 2, BSTREAM_FOREVER), 2);
	GIVES(bstream_release_many(r, 3), -EINVAL);
	GIVES(bstream_release_many(r, 2), 0);
	GIVES(bstream_peek_many(r, chunks, 20, BSTREAM_FOREVER), 1);
	MUST(is_text(&chunks[0], "c"));
	GIVES(bstream_release_many(r, 1), 0);
	bstream_writer_close(w);
	w = NULL;
	chunks[0].iov_len = 77;
	GIVES(bstream_peek_many(r, chunks, 20, BSTREAM_FOREVER), 0);
	GIVES(chunks[0].iov_len, 77);
	close_all();
}
END_TEST

START_TEST(what_was_shown_can_be_let_go_in_parts)
{
	struct iovec chunks[8];
	const void *chunk;
	size_t len;

	guard_pair(8, 0, &w, &r);
	for (int i = 0; i < 8; i++)
		SAY(w, "chunk");
	GIVES(bstream_release_many(r, 1), -EINVAL); /* nothing was shown */
	GIVES(bstream_peek_many(r, chunks, 0, BSTREAM_DONT_WAIT), -EINVAL);
	GIVES(bstream_peek_many(r, chunks, -1, BSTREAM_DONT_WAIT), -EINVAL);
	GIVES(bstream_peek_many(r, chunks, 6, BSTREAM_DONT_WAIT), 6);
	GIVES(bstream_release_many(r, 0), -EINVAL);
	GIVES(bstream_release_many(r, -1), -EINVAL);
	GIVES(bstream_release_many(r, 7), -EINVAL);
	GIVES(bstream_release(r), 0); /* the first */
	GIVES(bstream_release_many(r, 3), 0);
	GIVES(bstream_release_many(r, 3), -EINVAL);
	GIVES(bstream_release(r), 0);
	GIVES(bstream_release(r), 0);
	GIVES(bstream_release(r), -EINVAL);
	GIVES(head_look(r->g), 6);
	GIVES(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), 1);
	GIVES(bstream_release_many(r, 2), -EINVAL);
	GIVES(bstream_release_many(r, 1), 0);
	GIVES(bstream_peek_many(r, chunks, 8, BSTREAM_DONT_WAIT), 1);
	HEAR(r, "chunk"); /* a read takes it */
	GIVES(bstream_release_many(r, 1), -EINVAL);
	close_all();
}
END_TEST

START_TEST(what_was_cancelled_ends_the_run_and_is_passed)
{
	struct iovec chunks[8];
	void *span;

	guard_pair(8, 0, &w, &r);
	SAY(w, "a");
	SAY(w, "b");
	GIVES(bstream_reserve(w, 1, &span, BSTREAM_DONT_WAIT), 0);
	bstream_cancel(w);
	SAY(w, "c");
	GIVES(bstream_reserve(w, 1, &span, BSTREAM_DONT_WAIT), 0); /* not published yet */
	GIVES(bstream_peek_many(r, chunks, 8, BSTREAM_DONT_WAIT), 2);
	GIVES(bstream_release_many(r, 2), 0);
	GIVES(bstream_peek_many(r, chunks, 8, BSTREAM_DONT_WAIT), 1);
	MUST(is_text(&chunks[0], "c"));
	GIVES(bstream_release_many(r, 1), 0);
	GIVES(bstream_peek_many(r, chunks, 8, BSTREAM_DONT_WAIT), -EAGAIN);
	memcpy(span, "d", 1);
	GIVES(bstream_commit(w, 1), 0);
	GIVES(bstream_peek_many(r, chunks, 8, BSTREAM_DONT_WAIT), 1);
	MUST(is_text(&chunks[0], "d"));
	close_all();
}
END_TEST

START_TEST(what_was_shown_and_not_let_go_is_the_next_owners)
{
	struct iovec chunks[4];

	guard_pair(4, 0, &w, &r);
	SAY(w, "a");
	SAY(w, "b");
	SAY(w, "c");
	GIVES(bstream_peek_many(r, chunks, 4, BSTREAM_DONT_WAIT), 3);
	GIVES(bstream_release_many(r, 1), 0);
	int fd = bstream_reader_detach(r);
	MUST(fd >= 0);
	GIVES(bstream_reader_attach(fd, &r), 0);
	GIVES(bstream_release_many(r, 1), -EINVAL); /* he has been shown nothing */
	GIVES(bstream_peek_many(r, chunks, 4, BSTREAM_DONT_WAIT), 2);
	MUST(is_text(&chunks[0], "b") && is_text(&chunks[1], "c"));
	close_all();
}
END_TEST

/* ---- what a peer may have written ----------------------------------------------------------- */

START_TEST(a_length_or_a_class_beyond_bounds_is_corrupt)
{
	static const struct {
		uint32_t len, flags;
	} rows[] = {
		{ 49, 0 }, /* more than a slot holds */
		{ UINT32_MAX, 0 },
		{ 101, 1u << BS_SLOT_CLASS_AT }, /* more than chunk_max, in the last class */
		{ 1, 2u << BS_SLOT_CLASS_AT }, /* a class that this stream has not */
		{ 1, UINT32_MAX & ~BS_SLOT_MARKS },
		{ 1, 0x80 }, /* marks that nobody knows */
		{ 0, BS_SLOT_SKIP | 1u << BS_SLOT_CLASS_AT },
		{ 0, BS_SLOT_SKIP | 0x2 },
	};
	struct bs_slot *slot;
	size_t len = 77;
	char buf[200];

	guard_pair(2, 100, &w, &r);
	SAY(w, "a");
	slot = bs_segment_slot(w->g, &w->hold.sight.geo, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		slot_store_len(slot, rows[i].len, rows[i].flags);
		GIVES(bstream_read(r, buf, sizeof(buf), &len, BSTREAM_FOREVER), -EPROTO);
		GIVES(bstream_release(r), -EINVAL);
	}
	GIVES(len, 77);
	slot_store_len(slot, 1, 0);
	HEAR(r, "a");
	close_all();
}
END_TEST

START_TEST(what_is_corrupt_ends_a_run_and_is_said_when_it_is_the_next)
{
	struct iovec chunks[4];
	struct bs_slot *slot;

	guard_pair(4, 100, &w, &r);
	SAY(w, "a");
	SAY(w, "b");
	SAY(w, "c");
	slot = bs_segment_slot(w->g, &w->hold.sight.geo, 1);
	slot_store_len(slot, 101, 1u << BS_SLOT_CLASS_AT);
	GIVES(bstream_peek_many(r, chunks, 4, BSTREAM_FOREVER), 1);
	slot_store_len(slot, 1, 2u << BS_SLOT_CLASS_AT);
	GIVES(bstream_peek_many(r, chunks, 4, BSTREAM_FOREVER), 1);
	slot_store_len(slot, 0, 0x80);
	GIVES(bstream_peek_many(r, chunks, 4, BSTREAM_FOREVER), 1);
	GIVES(bstream_release_many(r, 1), 0);
	GIVES(bstream_peek_many(r, chunks, 4, BSTREAM_FOREVER), -EPROTO);
	GIVES(bstream_release_many(r, 1), -EINVAL);
	slot_store_len(slot, 1, 0);
	GIVES(bstream_peek_many(r, chunks, 4, BSTREAM_FOREVER), 2);
	slot_store_len(slot, UINT32_MAX, 0); /* once it was shown: it is counted as it can be */
	GIVES(bstream_release_many(r, 2), 0);
	GIVES(figure_load(&r->g->reader.bytes), 1 + 100 + 1);
	close_all();
}
END_TEST

START_TEST(a_tail_that_cannot_be_is_corrupt)
{
	guard_pair(2, 16, &w, &r);
	tail_store(w->g, (uint64_t)3);
	GIVES(guard_read(r, BSTREAM_FOREVER), -EPROTO);
	tail_store(w->g, UINT64_MAX - 1);
	GIVES(guard_read(r, BSTREAM_FOREVER), -EPROTO);
	tail_store(w->g, (uint64_t)0);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	close_all();
}
END_TEST

START_TEST(a_head_that_cannot_be_is_corrupt)
{
	guard_pair(2, 16, &w, &r);
	head_release(w->g, 1); /* of nothing */
	SAY(w, "a");
	head_release(w->g, 17);
	SAY(w, "b");
	GIVES(bstream_write(w, "c", 1, BSTREAM_FOREVER), -EPROTO);
	head_release(w->g, 0);
	GIVES(bstream_write(w, "c", 1, BSTREAM_DONT_WAIT), -EAGAIN);
	close_all();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(an_empty_stream_refuses_as_the_deadline_says),
		ONCE(a_chunk_too_large_for_the_buffer_stays),
		ONCE(a_peeked_chunk_comes_again_until_released),
		ONCE(a_release_wants_a_peek),
		ONCE(the_end_is_sticky_and_touches_nothing),
		ONCE(chunks_of_every_size_arrive_as_they_were),
		N_WAYS(chunks_at_the_edge_of_a_size_class_arrive_whole, 8),
		ONCE(chunks_in_flight_do_not_touch_each_other),
		ONCE(several_chunks_are_shown_in_order_and_let_go_at_once),
		ONCE(no_more_are_shown_than_there_are),
		ONCE(what_was_shown_can_be_let_go_in_parts),
		ONCE(what_was_cancelled_ends_the_run_and_is_passed),
		ONCE(what_was_shown_and_not_let_go_is_the_next_owners),
		ONCE(a_length_or_a_class_beyond_bounds_is_corrupt),
		ONCE(what_is_corrupt_ends_a_run_and_is_said_when_it_is_the_next),
		ONCE(a_tail_that_cannot_be_is_corrupt),
		ONCE(a_head_that_cannot_be_is_corrupt),
	};

	return GUARD_RUN("reader", cases);
}
