/* SPDX-License-Identifier: MIT */
/*
 * reserve.c - the data path of a write end, where chunks are made in place: reserve, commit, cancel.
 * Called by the handle's owner only.
 */
#include "lib/claim.h"

/*
 * A reservation is a claim, also by a lone writer: intent, then tail. So it keeps nobody from
 * attaching, and if its owner dies the reader finds a claimed slot that nobody alive intends. Several
 * are one claim, and one intent; they are published in their order, so that of one who is killed
 * there the first ones are read, and none behind one that is not.
 */
static inline int reservation_take(struct bstream_writer *w, size_t len, uint32_t want,
				   uint64_t deadline)
{
	int n = bs_claim(w, want, deadline);

	if (n < 0)
		return n;
	w->claim = w->tail;
	if (w->lone) {
		intent_store(w->line, intent_of(w->tail, (uint32_t)n));
		tail_store(w->g, w->tail + (uint32_t)n);
		inside_leave(w->line);
	}
	w->reserved = (uint32_t)n;
	w->limit = 0;
	w->reserved_len = (uint32_t)len;
	w->reserved_class = bs_geometry_class(&w->hold.sight.geo, len);
	return n;
}

/* Where the bytes of a reserved chunk go. The slot and they are this writer's now, but their lines are
 * where the reader has read them: ask for them all at once, before the caller comes to write there.
 * (Those of a chunk far ahead gained nothing here.) */
static inline void *span_fetch(struct bstream_writer *w, struct bs_slot *slot)
{
	unsigned char *to = bs_segment_bytes(w->g, &w->hold.sight.geo, (uint64_t)(slot - w->slots),
					     w->reserved_class);

	bs_fetch_to_write(slot);
	if (w->reserved_class != 0 && w->reserved_len <= BS_FETCH_MAX)
		bs_bytes_fetch(to, w->reserved_len);
	return to;
}

static inline struct bs_slot *slot_after(const struct bstream_writer *w, struct bs_slot *slot)
{
	return slot + 1 == w->slots_end ? w->slots : slot + 1;
}

int bstream_reserve(struct bstream_writer *w, size_t len, void **spanp, uint64_t deadline)
{
	int rc = bs_writer_ready(w, len);

	if (rc < 0)
		return rc;
	rc = reservation_take(w, len, 1, deadline);
	if (rc < 0)
		return rc;
	*spanp = span_fetch(w, w->slot);
	return 0;
}

int bstream_reserve_many(struct bstream_writer *w, size_t len, struct iovec *spans, int n,
			 uint64_t deadline)
{
	if (n < 1)
		return -EINVAL;
	int rc = bs_writer_ready(w, len);
	if (rc < 0)
		return rc;
	uint32_t want = (uint32_t)n < BS_INTENT_MOST ? (uint32_t)n : BS_INTENT_MOST;
	rc = reservation_take(w, len, want < w->capacity ? want : w->capacity, deadline);
	struct bs_slot *slot = w->slot;
	for (int i = 0; i < rc; i++) {
		spans[i] = (struct iovec){ span_fetch(w, slot), len };
		slot = slot_after(w, slot);
	}
	return rc;
}

/* Publish a reserved slot, as chunk @t or as nothing. */
static inline void slot_fill(struct bstream_writer *w, struct bs_slot *slot, uint64_t t,
			     uint32_t len, uint32_t flags)
{
	slot_store_len(slot, len, flags);
	slot_publish(slot, t);
	if ((flags & BS_SLOT_SKIP) == 0)
		bs_figures_count(w->line, len);
}

/* All that was reserved has been published, to chunk @t. */
static inline void reservation_end(struct bstream_writer *w, struct bs_slot *slot, uint64_t t)
{
	intent_store(w->line, 0);
	w->reserved = 0;
	if (w->lone) {
		w->tail = t;
		w->slot = slot;
		bs_limit_set(w);
	}
	bs_items_wake(w, t);
}

/* The first @n become chunks of the sizes in @chunks, of the class of what was reserved, though less
 * may have been written there. The others become nothing. */
static void reservation_publish(struct bstream_writer *w, const struct iovec *chunks, uint32_t n)
{
	uint32_t flags = w->reserved_class << BS_SLOT_CLASS_AT;
	uint64_t t = w->claim, end = t + w->reserved;
	struct bs_slot *slot = w->slot;

	for (uint32_t i = 0; t < end; i++, t++) {
		if (i < n)
			slot_fill(w, slot, t, (uint32_t)chunks[i].iov_len, flags);
		else
			slot_fill(w, slot, t, 0, BS_SLOT_SKIP);
		slot = slot_after(w, slot);
	}
	reservation_end(w, slot, t);
}

/* Something is reserved, and the reader is there: 0. If he is not, nothing is reserved any more. */
static inline int reservation_check(struct bstream_writer *w, bool fits)
{
	if (bs_unlikely(bs_fork_stale(w->fork_stamp)))
		return -ESTALE;
	if (!fits)
		return -EINVAL;
	if (bs_reader_gone(w)) {
		reservation_publish(w, NULL, 0);
		return -EPIPE;
	}
	return 0;
}

static inline int reservation_commit(struct bstream_writer *w, size_t len)
{
	int rc = reservation_check(w, w->reserved == 1 && len <= w->reserved_len);

	if (bs_unlikely(rc < 0))
		return rc;
	slot_fill(w, w->slot, w->claim, (uint32_t)len, w->reserved_class << BS_SLOT_CLASS_AT);
	reservation_end(w, slot_after(w, w->slot), w->claim + 1);
	return 0;
}

int bstream_commit(struct bstream_writer *w, size_t len)
{
	return reservation_commit(w, len);
}

int bstream_commit_many(struct bstream_writer *w, const struct iovec *chunks, int n)
{
	bool fit = n >= 1 && (uint32_t)n <= w->reserved;

	for (int i = 0; fit && i < n; i++)
		fit = chunks[i].iov_len <= w->reserved_len;
	int rc = reservation_check(w, fit);
	if (rc == 0)
		reservation_publish(w, chunks, (uint32_t)n);
	return rc;
}

/* Can the next chunk be claimed without a wait, and without taking what is another's turn? */
static bool next_is_free(struct bstream_writer *w)
{
	uint64_t t = w->lone ? w->tail : tail_look(w->g);

	if (t - w->head_seen >= w->capacity && !bs_room_look(w, t))
		return false;
	return w->lone || !bs_turn_is_anothers(w);
}

/* The two calls one after the other, for whoever kills or watches it too: only what would have to be
 * waited for, or to be told of, is left to a bstream_reserve. */
int bstream_commit_reserve(struct bstream_writer *w, size_t len, void **spanp)
{
	int rc = reservation_commit(w, len);

	if (bs_unlikely(rc < 0))
		return rc;
	if (!next_is_free(w) || reservation_take(w, w->reserved_len, 1, BSTREAM_DONT_WAIT) < 0)
		return 0;
	*spanp = span_fetch(w, w->slot);
	return 1;
}

void bstream_cancel(struct bstream_writer *w)
{
	if (!bs_fork_stale(w->fork_stamp) && w->reserved)
		reservation_publish(w, NULL, 0);
}
