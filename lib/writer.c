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
#define AHEAD	     8 /* chunks: so many go by while a line comes from the reader's cache */
#define FETCH_MAX    4096 /* bytes: of larger chunks the first lines help little */
#define CLAIM_ROUNDS 1024 /* lost claims between two looks at the clock */
#define QUIET_MAX    65536 /* bytes published before a sleeping reader is told: a few microseconds */

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

/* The slot of chunk @t, without a division where it is near that of the last one. */
static void writer_seek(struct bstream_writer *w, uint64_t t)
{
	uint64_t ahead = t - w->tail;

	if (ahead < w->capacity) {
		w->slot += ahead;
		if (w->slot >= w->slots_end)
			w->slot -= w->capacity;
	} else {
		w->slot = w->slots + t % w->capacity;
	}
	w->tail = t;
}

/* How far a lone writer may go without looking at anything but news. */
static void limit_set(struct bstream_writer *w)
{
	uint64_t full_at = w->head_seen + w->capacity;

	w->limit = w->fencing || w->reserved ? 0 : full_at < w->probe_at ? full_at : w->probe_at;
}

/* From now on it is one among several. */
static void lone_no_more(struct bstream_writer *w)
{
	w->lone = false;
	w->limit = 0;
	w->calls = w->tail;
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

/* Does one that lost its room to others ask for its turn, and had this one its own? */
static bool turn_is_anothers(const struct bstream_writer *w)
{
	return bs_unlikely(hungry_look(w->g) != 0) && w->fed;
}

static int claim_shared(struct bstream_writer *w, uint64_t deadline)
{
	if (deadline != BSTREAM_DONT_WAIT && turn_is_anothers(w))
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
	lone_no_more(w);
	return claim_shared(w, deadline);
}

/* Get the next slot: w->slot, for chunk w->tail. A lone writer is inside afterwards. */
static inline int claim(struct bstream_writer *w, uint64_t deadline)
{
	uint64_t now_at = w->lone ? w->tail : ++w->calls;

	if (bs_unlikely(now_at >= w->probe_at)) {
		int rc = bs_reader_probe(w, now_at);
		if (rc < 0)
			return rc;
	}
	if (!w->lone)
		return claim_shared(w, deadline);
	for (uint32_t i = 1;
	     bs_unlikely(w->tail - w->head_seen >= w->capacity) && !room_look(w, w->tail); i++) {
		/* Once others claim too, its own tail says nothing any more. */
		if (shared_look(w->g) != BS_SHARED_NO) {
			lone_no_more(w);
			return claim_shared(w, deadline);
		}
		int rc = bs_room_await(w, deadline);
		if (rc == 0 && i % CLAIM_ROUNDS == 0)
			rc = claim_late(deadline); /* room comes and goes: a peer plays with head */
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
static __attribute__((noinline)) void items_fence(struct bstream_writer *w, uint64_t count)
{
	if (!w->fences && count - w->woke_at > BS_FENCING_OFF) {
		w->fencing = false;
		fencing_store(&w->line->fencing, false);
	}
	fence_full();
}

/* The reader sleeps, or polls: wake it, and learn how often it does. */
static __attribute__((noinline)) void items_post(struct bstream_writer *w, uint64_t count)
{
	bs_wake_items(&w->hold.sight);
	if (!w->fencing && count - w->woke_at < BS_FENCING_ON) {
		w->fencing = true;
		fencing_store(&w->line->fencing, true);
	}
	w->woke_at = count;
	w->probe_at = 0; /* one who sleeps may sleep for ever: look at the clock next time */
	w->limit = 0;
}

/* The reader may sleep: publish, then look. */
static inline void items_wake(struct bstream_writer *w, uint64_t count)
{
	if (bs_unlikely(w->fencing))
		items_fence(w, count);
	else
		fence_compiler(); /* Dekker with the reader's hint_raise() */
	if (bs_unlikely(bs_hint_reached(hint_look(&w->g->items.wake_at), count)))
		items_post(w, count);
}

/* In its own line, where whoever looks finds them: nothing depends on them. */
static inline void figures_count(struct bs_writer_line *l, uint32_t len)
{
	figure_store(&l->chunks, figure_load(&l->chunks) + 1);
	figure_store(&l->bytes, figure_load(&l->bytes) + len);
}

/* The slot of a lone writer's next chunk. */
static inline void writer_step(struct bstream_writer *w)
{
	w->tail++;
	if (++w->slot == w->slots_end)
		w->slot = w->slots;
}

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

static inline void bytes_fetch(const unsigned char *at, size_t len)
{
	for (size_t i = 0; i < len; i += BS_CACHE_LINE)
		bs_fetch_to_write(at + i);
}

/* Its bytes, if it will be as long as this one. */
static inline void body_fetch(struct bstream_writer *w, const unsigned char *at, uint32_t c,
			      size_t len)
{
	if (len <= FETCH_MAX && ahead_is_free(w))
		bytes_fetch(at + AHEAD * w->hold.sight.geo.body[c].stride, len);
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
	figures_count(line, len);
	inside_leave(line);
	w->tail = t + 1;
	w->slot = slot + 1 == w->slots_end ? w->slots : slot + 1;
	if (ahead_is_free(w))
		bs_fetch_to_write(slot + AHEAD);
}

/* Publish what was claimed by claim() and filled in at body(@c). */
static void publish(struct bstream_writer *w, uint32_t len, uint32_t c)
{
	uint64_t t = w->tail;

	if (w->lone) {
		publish_lone(w, w->slot, len, c);
		limit_set(w);
	} else {
		slot_store_len(w->slot, len, c << BS_SLOT_CLASS_AT);
		slot_publish(w->slot, t);
		intent_store(w->line, 0);
		figures_count(w->line, len);
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

static __attribute__((noinline)) int write_any(struct bstream_writer *w, const void *buf,
					       size_t len, uint64_t deadline)
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

/* A lone writer below its limit: enter, and look at the news. False: it has to think. */
static inline bool quick_enter(struct bstream_writer *w)
{
	inside_enter(w->line);
	fence_compiler(); /* Dekker with bs_writer_join(), as in claim() */
	if (bs_likely(!writer_news(w)))
		return true;
	inside_leave(w->line);
	return false;
}

static inline void quick_wake(struct bstream_writer *w)
{
	uint64_t count = w->tail;

	fence_compiler(); /* Dekker with the reader's hint_raise() */
	if (bs_unlikely(bs_hint_reached(hint_look(&w->g->items.wake_at), count)))
		items_post(w, count);
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
	int rc = writer_ready(w, 0);
	return rc < 0 ? rc : chunks_write(w, chunks, n, deadline);
}

/*
 * A reservation is a claim, also by a lone writer: intent, then tail. So it keeps nobody from
 * attaching, and if its owner dies the reader finds a claimed slot that nobody alive intends.
 */
static inline int reservation_take(struct bstream_writer *w, size_t len, void **spanp,
				   uint64_t deadline)
{
	int rc = claim(w, deadline);

	if (rc < 0)
		return rc;
	w->claim = w->tail;
	if (w->lone) {
		intent_store(w->line, w->tail + 1);
		tail_store(w->g, w->tail + 1);
		inside_leave(w->line);
	}
	w->reserved = true;
	w->limit = 0;
	w->reserved_len = (uint32_t)len;
	w->reserved_class = bs_geometry_class(&w->hold.sight.geo, len);
	unsigned char *to = body(w, w->reserved_class);
	/* This writer's now, but their lines are where the reader has read them: ask for them all at once,
	 * before the caller comes to write there. (Those of a chunk far ahead gained nothing here.) */
	bs_fetch_to_write(w->slot);
	if (w->reserved_class != 0 && len <= FETCH_MAX)
		bytes_fetch(to, len);
	*spanp = to;
	return 0;
}

int bstream_reserve(struct bstream_writer *w, size_t len, void **spanp, uint64_t deadline)
{
	int rc = writer_ready(w, len);

	return rc < 0 ? rc : reservation_take(w, len, spanp, deadline);
}

/* Publish the reserved slot, as a chunk or as nothing. */
static void reservation_publish(struct bstream_writer *w, uint32_t len, uint32_t flags)
{
	uint64_t t = w->claim;

	slot_store_len(w->slot, len, flags);
	slot_publish(w->slot, t);
	intent_store(w->line, 0);
	if ((flags & BS_SLOT_SKIP) == 0)
		figures_count(w->line, len);
	w->reserved = false;
	if (w->lone) {
		writer_step(w);
		limit_set(w);
	}
	items_wake(w, t + 1);
}

static inline int reservation_commit(struct bstream_writer *w, size_t len)
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

int bstream_commit(struct bstream_writer *w, size_t len)
{
	return reservation_commit(w, len);
}

/* Can the next chunk be claimed without a wait, and without taking what is another's turn? */
static bool next_is_free(struct bstream_writer *w)
{
	uint64_t t = w->lone ? w->tail : tail_look(w->g);

	if (t - w->head_seen >= w->capacity && !room_look(w, t))
		return false;
	return w->lone || !turn_is_anothers(w);
}

/* The two calls one after the other, for whoever kills or watches it too: only what would have to be
 * waited for, or to be told of, is left to a bstream_reserve. */
int bstream_commit_reserve(struct bstream_writer *w, size_t len, void **spanp)
{
	int rc = reservation_commit(w, len);

	if (bs_unlikely(rc < 0))
		return rc;
	return next_is_free(w) &&
	       reservation_take(w, w->reserved_len, spanp, BSTREAM_DONT_WAIT) == 0;
}

void bstream_cancel(struct bstream_writer *w)
{
	if (!bs_fork_stale(w->fork_stamp) && w->reserved)
		reservation_publish(w, 0, BS_SLOT_SKIP);
}
