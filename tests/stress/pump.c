/* SPDX-License-Identifier: MIT */
/* pump.c - chunks whose bytes follow from their writer and number, written in every way and checked. */
#include <sched.h>
#include <string.h>

#include "tests/stress/pump.h"

#define TABLE_ROOM (65536 + 4096)
#define SEVERAL	   20u /* chunks in one call, at most */

static unsigned char table[TABLE_ROOM];
static pthread_once_t once = PTHREAD_ONCE_INIT;

uint64_t pump_hash(uint64_t a, uint64_t b)
{
	uint64_t h = a * UINT64_C(0x9e3779b97f4a7c15) + b + UINT64_C(0x632be59bd9b4e019);

	h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
	return h ^ (h >> 31);
}

static void table_fill(void)
{
	for (size_t i = 0; i < TABLE_ROOM; i++)
		table[i] = (unsigned char)pump_hash(77, i);
}

struct pump_book *pump_book_new(void)
{
	pthread_once(&once, table_fill);
	return guard_shared_new(sizeof(struct pump_book));
}

void pump_book_free(struct pump_book *book)
{
	guard_shared_free(book, sizeof(*book));
}

void pump_pair(const struct pump *pump, struct bstream_writer **wp, struct bstream_reader **rp)
{
	MUST(pump->chunk_max <= TABLE_ROOM - 4096 && pump->n_writers <= PUMP_WRITERS);
	guard_pair(pump->capacity, pump->chunk_max, wp, rp);
}

/* ---- what a chunk is ------------------------------------------------------------------------ */

/* Mostly small: 1 of 1024 anything up to chunk_max, 31 of 1024 up to 1 KiB, the rest up to 64. */
static size_t chunk_len(const struct pump *pump, unsigned id, uint64_t n)
{
	uint64_t h = pump_hash(id, n), kind = h & 1023, size = h >> 10;
	size_t most = kind == 0 ? pump->chunk_max : kind < 32 ? 1024 : 64;

	if (most > pump->chunk_max)
		most = pump->chunk_max;
	if ((pump->flags & PUMP_FULL) != 0)
		return 1 + size % most;
	return size % (most + 1);
}

/* All of a chunk but its first byte, which is @id. */
static const unsigned char *chunk_rest(unsigned id, uint64_t n)
{
	return table + pump_hash(n, id) % 4096;
}

/* ---- the writers' side ---------------------------------------------------------------------- */

static void span_fill(unsigned char *span, unsigned id, uint64_t n, size_t len)
{
	if (len == 0)
		return;
	span[0] = (unsigned char)id;
	memcpy(span + 1, chunk_rest(id, n), len - 1);
}

/* Without waiting, until there is room. */
static void write_impatiently(struct bstream_writer *w, const struct iovec *iov, int n)
{
	int rc;

	while ((rc = bstream_writev(w, iov, n, BSTREAM_DONT_WAIT)) == -EAGAIN)
		sched_yield();
	GIVES(rc, 0);
}

static void write_in_place(const struct pump *pump, struct bstream_writer *w, unsigned id,
			   uint64_t n, size_t len, bool cancel_first)
{
	size_t more = len + n % 7 <= pump->chunk_max ? len + n % 7 : len;
	void *span;

	if (cancel_first) {
		GIVES(bstream_reserve(w, more, &span, BSTREAM_FOREVER), 0);
		memset(span, 0xdd, more);
		bstream_cancel(w);
	}
	GIVES(bstream_reserve(w, more, &span, BSTREAM_FOREVER), 0);
	span_fill(span, id, n, len);
	if (n % 3 != 0) {
		GIVES(bstream_commit(w, len), 0);
	} else if (bstream_commit_reserve(w, len, &span) == 1) {
		memset(span, 0xdd, more);
		bstream_cancel(w);
	}
}

/* Up to @most chunks from @n on in one call, or in as many as it takes. How many. */
static unsigned write_several(const struct pump *pump, struct pump_book *book,
			      struct bstream_writer *w, unsigned id, uint64_t n, unsigned most)
{
	static _Thread_local unsigned char bytes[2 * TABLE_ROOM];
	struct iovec chunks[SEVERAL];
	unsigned count = 0, done = 0;
	size_t used = 0;

	for (; count < most && n + count < pump->n_chunks; count++) {
		size_t len = chunk_len(pump, id, n + count);
		if (len > sizeof(bytes) - used)
			break;
		span_fill(bytes + used, id, n + count, len);
		chunks[count] = (struct iovec){ bytes + used, len };
		used += len;
	}
	atomic_store_explicit(&book->begun[id], n + count, memory_order_release);
	while (done < count) {
		int rc = bstream_write_many(w, chunks + done, (int)(count - done),
					    n % 2 == 0 ? BSTREAM_DONT_WAIT : BSTREAM_FOREVER);
		if (rc == -EAGAIN)
			sched_yield();
		else
			MUST(rc > 0 && (unsigned)rc <= count - done);
		done += rc > 0 ? (unsigned)rc : 0;
	}
	return count;
}

/* Likewise in place, as many as there is room for; of some the last is cancelled, and written later. */
static unsigned place_several(const struct pump *pump, struct pump_book *book,
			      struct bstream_writer *w, unsigned id, uint64_t n, unsigned most)
{
	struct iovec spans[SEVERAL];
	size_t size = 0;
	unsigned count = 0;
	int rc;

	for (; count < most && n + count < pump->n_chunks; count++) {
		size_t len = chunk_len(pump, id, n + count);
		size = len > size ? len : size;
	}
	while ((rc = bstream_reserve_many(w, size, spans, (int)count,
					  n % 2 == 0 ? BSTREAM_DONT_WAIT : BSTREAM_FOREVER)) ==
	       -EAGAIN)
		sched_yield();
	MUST(rc > 0 && (unsigned)rc <= count);
	count = (unsigned)rc;
	for (unsigned i = 0; i < count; i++) {
		GIVES(spans[i].iov_len, size);
		memset(spans[i].iov_base, 0xdd, size);
		spans[i].iov_len = chunk_len(pump, id, n + i);
		span_fill(spans[i].iov_base, id, n + i, spans[i].iov_len);
	}
	if (n % 5 == 0 && count > 1)
		count--;
	atomic_store_explicit(&book->begun[id], n + count, memory_order_release);
	GIVES(bstream_commit_many(w, spans, (int)count), 0);
	return count;
}

/* How many were written: one, or several. */
static unsigned chunk_write(const struct pump *pump, struct pump_book *book,
			    struct bstream_writer *w, unsigned id, uint64_t n)
{
	size_t len = chunk_len(pump, id, n);
	unsigned char first = (unsigned char)id;
	struct iovec iov[2] = { { &first, 1 },
				{ (void *)(uintptr_t)chunk_rest(id, n), len > 0 ? len - 1 : 0 } };
	unsigned kind = (pump->flags & PUMP_MIX) != 0 ? pump_hash(id + 1000, n) % 8 : 0;

	switch (kind) {
	case 1:
	case 2:
		write_in_place(pump, w, id, n, len, false);
		break;
	case 3:
		write_in_place(pump, w, id, n, len, true);
		break;
	case 4:
		write_impatiently(w, iov, len > 0 ? 2 : 0);
		break;
	case 5:
		return write_several(pump, book, w, id, n, 1 + len % SEVERAL);
	case 6:
		return place_several(pump, book, w, id, n, 1 + len % SEVERAL);
	default:
		GIVES(bstream_writev(w, iov, len > 0 ? 2 : 0, BSTREAM_FOREVER), 0);
	}
	return 1;
}

/* Go on with another end than before. */
static struct bstream_writer *writer_renew(struct bstream_writer *w, uint64_t n)
{
	struct bstream_writer *next;

	if (n % 2 == 0) {
		int fd = bstream_writer_detach(w);

		MUST(fd >= 0);
		GIVES(bstream_writer_attach(fd, &next), 0);
		return next;
	}
	GIVES(bstream_writer_clone(w, &next), 0);
	bstream_writer_close(w);
	return next;
}

void pump_write(const struct pump *pump, struct pump_book *book, unsigned id,
		struct bstream_writer *w)
{
	for (uint64_t n = 0; n < pump->n_chunks; n++) {
		atomic_store_explicit(&book->begun[id], n + 1, memory_order_release);
		n += chunk_write(pump, book, w, id, n) - 1;
		atomic_store_explicit(&book->done[id], n + 1, memory_order_release);
		if ((pump->flags & PUMP_RENEW) != 0 && pump_hash(id, n) % 500 == 0)
			w = writer_renew(w, n);
	}
	bstream_writer_close(w);
}

/* ---- the reader's side ---------------------------------------------------------------------- */

void pump_check(const struct pump *pump, struct pump_book *book, const void *chunk, size_t len)
{
	const unsigned char *bytes = chunk;

	book->n_read++;
	book->n_bytes += len;
	if (len == 0) {
		book->n_empty++;
		return;
	}
	unsigned id = bytes[0];
	MUST(id < PUMP_WRITERS);
	uint64_t n = book->next[id];
	for (; chunk_len(pump, id, n) == 0; n++)
		book->n_booked++;
	if (book->n_booked > book->n_empty)
		guard_fail(__FILE__, __LINE__, "writer %u: an empty chunk before %llu is lost", id,
			   (unsigned long long)n);
	if (len != chunk_len(pump, id, n) || memcmp(bytes + 1, chunk_rest(id, n), len - 1) != 0)
		guard_fail(__FILE__, __LINE__,
			   "writer %u: %zu bytes are not chunk %llu (which has %zu)", id, len,
			   (unsigned long long)n, chunk_len(pump, id, n));
	book->next[id] = n + 1;
}

/* Look at several, and let go of some of them. */
static int read_several(const struct pump *pump, struct pump_book *book, struct bstream_reader *r,
			uint64_t deadline)
{
	uint64_t h = pump_hash(3, book->n_read);
	struct iovec chunks[SEVERAL];
	int rc = bstream_peek_many(r, chunks, 1 + (int)(h % SEVERAL), deadline);

	if (rc < 1)
		return rc;
	int take = rc - (int)(h >> 40) % rc;
	for (int i = 0; i < take; i++)
		pump_check(pump, book, chunks[i].iov_base, chunks[i].iov_len);
	if (take > 1)
		GIVES(bstream_release_many(r, take - 1), 0);
	GIVES(bstream_release(r), 0);
	return 1;
}

int pump_read(const struct pump *pump, struct pump_book *book, struct bstream_reader *r,
	      uint64_t deadline)
{
	static _Thread_local unsigned char buf[TABLE_ROOM];
	const void *chunk = buf;
	size_t len;
	uint64_t kind = pump_hash(9, book->n_read) % 5;
	bool peek = (pump->flags & PUMP_PEEK) != 0 || kind == 0;

	if (kind == 1)
		return read_several(pump, book, r, deadline);
	int rc = peek ? bstream_peek(r, &chunk, &len, deadline)
		      : bstream_read(r, buf, pump->chunk_max, &len, deadline);

	if (rc != 1)
		return rc;
	pump_check(pump, book, chunk, len);
	if (peek)
		GIVES(bstream_release(r), 0);
	return 1;
}

/* The empty chunks at the end of a writer's order are due now. */
static uint64_t empties_left(const struct pump *pump, const struct pump_book *book, unsigned id)
{
	uint64_t n = book->next[id];

	while (n < pump->n_chunks && chunk_len(pump, id, n) == 0)
		n++;
	GIVES(n, pump->n_chunks);
	return n - book->next[id];
}

void pump_check_all(const struct pump *pump, const struct pump_book *book, struct bstream_reader *r)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	uint64_t n_booked = book->n_booked;

	for (unsigned id = 0; id < pump->n_writers; id++)
		n_booked += empties_left(pump, book, id);
	GIVES(book->n_empty, n_booked);
	GIVES(book->n_read, pump->n_chunks * pump->n_writers);
	GIVES(bstream_reader_stat(r, &stat), 0);
	GIVES(stat.chunks_read, book->n_read);
	GIVES(stat.bytes_read, book->n_bytes);
	GIVES(stat.chunks_written, book->n_read);
	GIVES(stat.bytes_written, book->n_bytes);
	GIVES(stat.chunks_abandoned, 0);
	GIVES(stat.in_flight, 0);
	GIVES(stat.writers, 0);
	GIVES(stat.flags & (BSTREAM_ENDED | BSTREAM_LOST_WRITER | BSTREAM_BROKEN), BSTREAM_ENDED);
}
