/* SPDX-License-Identifier: MIT */
/*
 * writer.c - the data path of a write end: claim, fill, publish. Called by the handle's owner only.
 *
 * A lone writer owns tail: it enters (inside), looks whether it is still alone, fills the slot,
 * publishes it, stores tail, leaves. One of several stores its intent, claims the chunk by
 * compare-and-swap of tail, fills, publishes, and clears the intent. In both cases the slot is
 * free: head, as last seen, is less than capacity behind. Waiting happens in room.c, while neither
 * inside nor intent is set.
 */
#include <string.h>

#include "lib/handle.h"

#define IOV_LIMIT    1024
#define CLAIM_ROUNDS 1024 /* lost claims between two looks at the clock */

/* How full the stream is by a look at head. True: there is room for chunk @t. */
static bool room_look(struct bstream_writer *w, uint64_t t)
{
	w->head_seen = head_look(w->g);
	return t - w->head_seen < w->capacity;
}

/* Has the reader gone, or must this writer stop believing it is alone? Both words are in one line
 * that hardly ever changes. */
static bool writer_news(const struct bstream_writer *w)
{
	return (word_look(&w->g->verdicts.reader) & BS_R_BROKEN) != 0 ||
	       shared_look(w->g) != BS_SHARED_NO;
}

static bool reader_gone(const struct bstream_writer *w)
{
	return (word_look(&w->g->verdicts.reader) & BS_R_STATE) == BS_R_BROKEN;
}

/* The index of chunk @t from that of the last one, without a division where they are near. */
static void writer_seek(struct bstream_writer *w, uint64_t t)
{
	uint64_t ahead = t - w->tail;

	if (ahead < w->capacity) {
		w->index += ahead;
		if (w->index >= w->capacity)
			w->index -= w->capacity;
	} else {
		w->index = t % w->capacity;
	}
	w->tail = t;
	w->slot = bs_slot_at(w->g, &w->hold, w->index);
}

/* One try to claim a chunk among several. 1: got chunk w->tail; 0: lost or full, look again. */
static int claim_try(struct bstream_writer *w, uint64_t deadline)
{
	uint64_t peer_tail = tail_look(w->g);

	if (peer_tail - w->head_seen >= w->capacity && !room_look(w, peer_tail)) {
		if (tail_look(w->g) != peer_tail)
			return 0; /* the two were not of one moment */
		intent_store(w->line, 0);
		return bs_room_await(w, deadline);
	}
	intent_store(w->line, peer_tail + 1);
	if (!tail_claim(w->g, peer_tail)) {
		intent_store(w->line, 0);
		return 0;
	}
	writer_seek(w, peer_tail);
	return 1;
}

/* Each lost claim is somebody else's progress, unless a peer plays with tail: not past the deadline. */
static int claim_late(uint64_t deadline)
{
	if (deadline == BSTREAM_FOREVER || bs_now() < deadline)
		return 0;
	return deadline == BSTREAM_DONT_WAIT ? -EAGAIN : -ETIMEDOUT;
}

static int claim_shared(struct bstream_writer *w, uint64_t deadline)
{
	if (bs_unlikely(hungry_look(w->g) != 0) && w->fed && deadline != BSTREAM_DONT_WAIT)
		bs_room_step_back(w);
	for (uint32_t i = 1;; i++) {
		if (reader_gone(w))
			return -EPIPE;
		int rc = claim_try(w, deadline);
		if (rc == 0 && i % CLAIM_ROUNDS == 0)
			rc = claim_late(deadline);
		if (rc < 0)
			return rc;
		if (rc > 0)
			break;
	}
	w->fed = true;
	if (w->hungry) {
		w->hungry = false;
		hungry_store(w->g, 0);
	}
	/* One who has claimed and sees room and a flag that is up passes the wake-up on. */
	if (hint_look(&w->g->space.wake_at) != 0)
		bs_room_hand_on(w);
	return 0;
}

static int claim_no_more_alone(struct bstream_writer *w, uint64_t deadline)
{
	inside_leave(w->line);
	if (shared_look(w->g) == BS_SHARED_NO)
		return -EPIPE;
	w->lone = false;
	return claim_shared(w, deadline);
}

/* Get the next slot: w->slot, for chunk w->tail. A lone writer is inside afterwards. */
static inline int claim(struct bstream_writer *w, uint64_t deadline)
{
	if (bs_unlikely(--w->until_probe == 0)) {
		int rc = bs_reader_probe(w);
		if (rc < 0)
			return rc;
	}
	if (!w->lone)
		return claim_shared(w, deadline);
	while (bs_unlikely(w->tail - w->head_seen >= w->capacity) && !room_look(w, w->tail)) {
		/* Once others claim too, its own tail says nothing any more. */
		if (shared_look(w->g) != BS_SHARED_NO) {
			w->lone = false;
			return claim_shared(w, deadline);
		}
		int rc = bs_room_await(w, deadline);
		if (rc < 0)
			return rc;
	}
	inside_enter(w->line);
	bs_barrier_light(w->fences); /* Dekker with bs_writer_join() */
	if (bs_unlikely(writer_news(w)))
		return claim_no_more_alone(w, deadline);
	return 0;
}

/* The hot look at the hint with a real fence, until the reader has not slept for a while. */
static __attribute__((noinline)) void items_fence(struct bstream_writer *w)
{
	if (!w->fences && w->chunks - w->woke_at > BS_FENCING_OFF) {
		w->fencing = false;
		fencing_store(&w->line->fencing, false);
	}
	fence_full();
}

/* The reader sleeps: wake it, and learn how often it does. */
static __attribute__((noinline)) void items_post(struct bstream_writer *w)
{
	const struct bs_hint items = bs_hint_items(w->g, &w->hold.sight.geo);

	bs_hint_wake(&items);
	if (!w->fencing && w->chunks - w->woke_at < BS_FENCING_ON) {
		w->fencing = true;
		fencing_store(&w->line->fencing, true);
	}
	w->woke_at = w->chunks;
	w->until_probe = 1; /* one who sleeps may sleep for ever: look at the clock next time */
}

/* The reader may sleep: publish, then look. */
static inline void items_wake(struct bstream_writer *w, uint64_t count)
{
	if (bs_unlikely(w->fencing))
		items_fence(w);
	else
		fence_compiler(); /* Dekker with the reader's hint_raise() */
	if (bs_unlikely(bs_hint_reached(hint_look(&w->g->items.wake_at), count)))
		items_post(w);
}

static inline void figures_count(struct bstream_writer *w, uint32_t len)
{
	figure_store(&w->line->chunks, ++w->chunks);
	figure_store(&w->line->bytes, w->bytes += len);
}

/* The slot of a lone writer's next chunk. */
static inline void writer_step(struct bstream_writer *w)
{
	w->tail++;
	w->slot++;
	if (++w->index == w->capacity) {
		w->index = 0;
		w->slot = bs_slot_at(w->g, &w->hold, 0);
	}
}

/* Where the bytes of the claimed chunk go, if it is of class @c. */
static inline unsigned char *body(struct bstream_writer *w, uint32_t c)
{
	return bs_segment_bytes(w->g, &w->hold.sight.geo, w->index, c);
}

/* Publish what was claimed by claim() and filled in at body(@c). */
static inline void publish(struct bstream_writer *w, uint32_t len, uint32_t c)
{
	uint64_t t = w->tail;

	slot_store_len(w->slot, len, c << BS_SLOT_CLASS_AT);
	slot_publish(w->slot, t);
	if (w->lone) {
		tail_store(w->g, t + 1);
		figures_count(w, len);
		inside_leave(w->line);
		writer_step(w);
	} else {
		intent_store(w->line, 0);
		figures_count(w, len);
	}
	items_wake(w, t + 1);
}

static inline int writer_ready(const struct bstream_writer *w, size_t len)
{
	if (bs_unlikely(len > w->chunk_max))
		return -EMSGSIZE;
	if (bs_unlikely(bs_fork_stale(w->fork_stamp)))
		return -ESTALE;
	return bs_unlikely(w->reserved) ? -EBUSY : 0;
}

int bstream_write(struct bstream_writer *w, const void *buf, size_t len, uint64_t deadline)
{
	int rc = writer_ready(w, len);

	if (bs_unlikely(rc < 0))
		return rc;
	rc = claim(w, deadline);
	if (bs_unlikely(rc < 0))
		return rc;
	uint32_t c = bs_geometry_class(&w->hold.sight.geo, len);
	if (len > 0)
		memcpy(body(w, c), buf, len);
	publish(w, (uint32_t)len, c);
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
	int rc = writer_ready(w, len);
	if (rc < 0)
		return rc;
	rc = claim(w, deadline);
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

/*
 * A reservation is a claim, also by a lone writer: intent, then tail. So it keeps nobody from
 * attaching, and if its owner dies the reader finds a claimed slot that nobody alive intends.
 */
int bstream_reserve(struct bstream_writer *w, size_t len, void **spanp, uint64_t deadline)
{
	int rc = writer_ready(w, len);

	if (rc < 0)
		return rc;
	rc = claim(w, deadline);
	if (rc < 0)
		return rc;
	w->claim = w->tail;
	if (w->lone) {
		intent_store(w->line, w->tail + 1);
		tail_store(w->g, w->tail + 1);
		inside_leave(w->line);
	}
	w->reserved = true;
	w->reserved_len = (uint32_t)len;
	w->reserved_class = bs_geometry_class(&w->hold.sight.geo, len);
	*spanp = body(w, w->reserved_class);
	return 0;
}

/* Publish the reserved slot, as a chunk or as nothing. */
static void reservation_publish(struct bstream_writer *w, uint32_t len, uint32_t flags)
{
	uint64_t t = w->claim;

	slot_store_len(w->slot, len, flags);
	slot_publish(w->slot, t);
	intent_store(w->line, 0);
	if ((flags & BS_SLOT_SKIP) == 0)
		figures_count(w, len);
	w->reserved = false;
	if (w->lone)
		writer_step(w);
	items_wake(w, t + 1);
}

int bstream_commit(struct bstream_writer *w, size_t len)
{
	if (bs_unlikely(bs_fork_stale(w->fork_stamp)))
		return -ESTALE;
	if (!w->reserved || len > w->reserved_len)
		return -EINVAL;
	if (reader_gone(w)) {
		reservation_publish(w, 0, BS_SLOT_SKIP);
		return -EPIPE;
	}
	/* The class of what was reserved, though less may have been written there. */
	reservation_publish(w, (uint32_t)len, w->reserved_class << BS_SLOT_CLASS_AT);
	return 0;
}

void bstream_cancel(struct bstream_writer *w)
{
	if (!bs_fork_stale(w->fork_stamp) && w->reserved)
		reservation_publish(w, 0, BS_SLOT_SKIP);
}
