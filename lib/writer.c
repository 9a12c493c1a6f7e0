/* SPDX-License-Identifier: MIT */
/*
 * writer.c - the data path of a write end, where chunks are copied: claim (claim.h), fill, publish.
 * Called by the handle's owner only. What is made in place is reserve.c's.
 */
#include <string.h>

#include "lib/claim.h"

#define IOV_LIMIT 1024
#define AHEAD	  8 /* chunks: so many go by while a line comes from the reader's cache */
#define QUIET_MAX 65536 /* bytes published before a sleeping reader is told: a few microseconds */

/* Where the bytes of the claimed chunk go, if it is of class @c. */
static inline unsigned char *body(struct bstream_writer *w, uint32_t c)
{
	return bs_segment_bytes(w->g, &w->hold.sight.geo, (uint64_t)(w->slot - w->slots), c);
}

/*
 * The lines of the chunk that is AHEAD of this one are with the reader, who has read them long ago.
 * Ask for them now, if as far as we know he has given that slot back: a store that has to wait for
 * its line holds up all stores behind it.
 */
static inline bool ahead_is_free(const struct bstream_writer *w)
{
	return w->tail + AHEAD - w->head_seen < w->capacity;
}

static inline void slot_fetch(const struct bstream_writer *w, const struct bs_slot *slot)
{
	const struct bs_slot *ahead = slot + AHEAD;

	if (ahead_is_free(w))
		bs_fetch_to_write(ahead < w->slots_end ? ahead : ahead - w->capacity);
}

/* Its bytes, if it will be as long as this one. */
static inline void body_fetch(struct bstream_writer *w, const unsigned char *at, uint32_t c,
			      size_t len)
{
	w->last_class = c;
	w->last_len = len <= BS_FETCH_ROOM_MAX ? (uint32_t)len : 0;
	if (len > BS_FETCH_MAX || !ahead_is_free(w))
		return;
	int64_t slots = w->slot + AHEAD < w->slots_end ? AHEAD : AHEAD - (int64_t)w->capacity;
	bs_bytes_fetch(at + slots * (int64_t)w->hold.sight.geo.body[c].stride, len);
}

/* Publish the chunk of a lone writer, which is inside. Copies of what the handle says are for the
 * compiler: it cannot know that the chunk's bytes do not lie there. */
static inline void publish_lone(struct bstream_writer *w, struct bs_slot *slot, uint32_t len,
				uint32_t c)
{
	struct bs_writer_line *line = w->line;
	uint64_t t = w->tail;

	slot_store_len(slot, len, c << BS_SLOT_CLASS_AT);
	slot_publish(slot, t);
	tail_store(w->g, t + 1);
	bs_figures_count(line, len);
	inside_leave(line);
	w->tail = t + 1;
	w->slot = slot + 1 == w->slots_end ? w->slots : slot + 1;
	slot_fetch(w, slot);
}

/* Publish what was claimed by bs_claim() and filled in at body(@c). */
static void publish(struct bstream_writer *w, uint32_t len, uint32_t c)
{
	uint64_t t = w->tail;

	if (w->lone) {
		publish_lone(w, w->slot, len, c);
		bs_limit_set(w);
	} else {
		slot_store_len(w->slot, len, c << BS_SLOT_CLASS_AT);
		slot_publish(w->slot, t);
		intent_store(w->line, 0);
		bs_figures_count(w->line, len);
		if (w->streak)
			slot_fetch(w, w->slot);
	}
	bs_items_wake(w, t + 1);
}

static __attribute__((noinline)) int write_any(struct bstream_writer *w, const void *buf,
					       size_t len, uint64_t deadline)
{
	int rc = bs_writer_ready(w, len);

	if (bs_unlikely(rc < 0))
		return rc;
	/* A reader that sleeps often has raised his flag since: have that line come meanwhile. */
	if (w->fencing && w->lone && !w->fences)
		bs_fetch_to_write(&w->g->items);
	rc = bs_claim(w, 1, deadline);
	if (bs_unlikely(rc < 0))
		return rc;
	uint32_t c = bs_geometry_class(&w->hold.sight.geo, len);
	unsigned char *to = body(w, c);
	if (c == 0)
		w->last_len = 0;
	else if (w->lone || w->streak)
		body_fetch(w, to, c, len);
	if (len > 0)
		memcpy(to, buf, len);
	publish(w, (uint32_t)len, c);
	return 0;
}

/* A lone writer below its limit: enter, and look at the news. False: it has to think. */
static inline bool quick_enter(struct bstream_writer *w)
{
	inside_enter(w->line);
	fence_compiler(); /* Dekker with bs_writer_join(), as in bs_claim() */
	if (bs_likely(!bs_writer_news(w)))
		return true;
	inside_leave(w->line);
	return false;
}

static inline void quick_wake(struct bstream_writer *w)
{
	uint64_t count = w->tail;

	fence_compiler(); /* Dekker with the reader's hint_raise() */
	if (bs_unlikely(bs_hint_reached(hint_look(&w->g->items.wake_at), count)))
		bs_items_post(w, count);
}

static __attribute__((noinline)) int write_large(struct bstream_writer *w, const void *buf,
						 size_t len, uint64_t deadline)
{
	if (len > w->chunk_max || !quick_enter(w))
		return write_any(w, buf, len, deadline);
	uint32_t c = bs_geometry_class(&w->hold.sight.geo, len);
	unsigned char *to = body(w, c);
	body_fetch(w, to, c, len);
	memcpy(to, buf, len);
	publish_lone(w, w->slot, (uint32_t)len, c);
	quick_wake(w);
	return 0;
}

/* A write by a lone writer that has room is all that write_any() does when it has nothing to decide.
 * What bounds a small one is the store buffer: no store here is without need. */
int bstream_write(struct bstream_writer *w, const void *buf, size_t len, uint64_t deadline)
{
	if (bs_unlikely(w->tail >= w->limit || bs_fork_stale(w->fork_stamp)))
		return write_any(w, buf, len, deadline);
	if (len > w->inline_max)
		return write_large(w, buf, len, deadline);
	if (bs_unlikely(!quick_enter(w)))
		return write_any(w, buf, len, deadline);
	struct bs_slot *slot = w->slot;
	bs_copy_inline(slot->bytes, buf, len);
	publish_lone(w, slot, (uint32_t)len, 0);
	quick_wake(w);
	return 0;
}

int bstream_writev(struct bstream_writer *w, const struct iovec *iov, int n, uint64_t deadline)
{
	size_t len = 0;

	if (n < 0 || n > IOV_LIMIT)
		return -EINVAL;
	for (int i = 0; i < n; i++)
		if (__builtin_add_overflow(len, iov[i].iov_len, &len))
			return -EMSGSIZE;
	int rc = bs_writer_ready(w, len);
	if (rc < 0)
		return rc;
	rc = bs_claim(w, 1, deadline);
	if (rc < 0)
		return rc;
	uint32_t c = bs_geometry_class(&w->hold.sight.geo, len);
	unsigned char *to = body(w, c);
	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len > 0)
			memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	publish(w, (uint32_t)len, c);
	return 0;
}

/* One of many, by a lone writer that has room, the reader not being told. False: it has to think. */
static bool write_quietly(struct bstream_writer *w, const struct iovec *chunk)
{
	if (w->tail >= w->limit || !quick_enter(w))
		return false;
	uint32_t c = bs_geometry_class(&w->hold.sight.geo, chunk->iov_len);
	unsigned char *to = body(w, c);
	if (c != 0)
		body_fetch(w, to, c, chunk->iov_len);
	if (chunk->iov_len > 0)
		memcpy(to, chunk->iov_base, chunk->iov_len);
	publish_lone(w, w->slot, (uint32_t)chunk->iov_len, c);
	return true;
}

/* Each chunk is claimed and published by itself, as bstream_write does; only the look whether the
 * reader sleeps is made once for several. It is made before anything that may wait. */
static int chunks_write(struct bstream_writer *w, const struct iovec *chunks, int n,
			uint64_t deadline)
{
	size_t untold = 0; /* bytes */
	int rc = 0, done = 0;

	for (; done < n && rc == 0; done++) {
		const struct iovec *chunk = &chunks[done];
		bool quiet = write_quietly(w, chunk);

		if (quiet)
			untold += BS_CACHE_LINE + chunk->iov_len;
		if (untold > 0 && (!quiet || untold >= QUIET_MAX)) {
			quick_wake(w);
			untold = 0;
		}
		if (!quiet)
			rc = write_any(w, chunk->iov_base, chunk->iov_len, deadline);
	}
	if (untold > 0)
		quick_wake(w);
	if (rc < 0)
		done--;
	return done > 0 ? done : rc;
}

int bstream_write_many(struct bstream_writer *w, const struct iovec *chunks, int n,
		       uint64_t deadline)
{
	if (n < 1)
		return -EINVAL;
	for (int i = 0; i < n; i++)
		if (chunks[i].iov_len > w->chunk_max)
			return -EMSGSIZE;
	int rc = bs_writer_ready(w, 0);
	return rc < 0 ? rc : chunks_write(w, chunks, n, deadline);
}
