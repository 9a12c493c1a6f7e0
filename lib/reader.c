/* SPDX-License-Identifier: MIT */
/*
 * reader.c - the data path of the read end. Called by the handle's owner only.
 *
 * The reader looks at the slot, not at tail: a small chunk is one cache miss. It stores head to give
 * a slot back, then looks whether somebody sleeps for room. Waiting happens in items.c.
 */
#include <string.h>

#include "lib/handle.h"

#define STEPS_MORE 1024u
#define READ_AHEAD 16u /* chunks */
#define FETCH_MAX  256u /* bytes: in a larger body the prefetcher finds its way */

/* As in claim.c: a real fence before the look at hints, while writers sleep often. */
static __attribute__((noinline)) void space_fence(struct bstream_reader *r)
{
	if (!r->fences && r->head - r->woke_at > BS_FENCING_OFF) {
		r->fencing = false;
		fencing_store(&r->g->head.fencing, false);
	}
	fence_full();
}

static __attribute__((noinline)) void space_post(struct bstream_reader *r)
{
	bs_wake_room(&r->hold.sight);
	if (!r->fencing && r->head - r->woke_at < BS_FENCING_ON) {
		r->fencing = true;
		fencing_store(&r->g->head.fencing, true);
	}
	r->woke_at = r->head;
}

/* Head has moved: the slots below it are the writers'. Several make one store and one look, so at most
 * one wake-up: of those who sleep for room, the one that is woken wakes the next (room.c). */
static inline void head_tell(struct bstream_reader *r)
{
	struct bs_space *space = &r->g->space;

	head_release(r->g, r->head);
	if (bs_unlikely(r->fencing))
		space_fence(r);
	else
		fence_compiler(); /* Dekker with hint_raise() in room.c and wait.c */
	if (bs_unlikely(bs_hint_reached(hint_look(&space->wake_at), r->head)))
		space_post(r);
	if (bs_unlikely(bs_hint_reached(hint_look(&space->watch_at), r->head)))
		bs_watch_wake(&space->watch_at, &space->watch_gen);
}

/* Give slot @head back and go on. */
static inline void reader_step(struct bstream_reader *r)
{
	r->head++;
	if (++r->slot == r->slots_end)
		r->slot = r->slots;
	r->shown = 0;
	head_tell(r);
}

void bs_reader_advance(struct bstream_reader *r)
{
	reader_step(r);
}

static int slot_skip(struct bstream_reader *r, uint32_t peer_flags)
{
	if (peer_flags != BS_SLOT_SKIP)
		return -EPROTO;
	figure_store(&r->g->reader.skipped, figure_load(&r->g->reader.skipped) + 1);
	bs_reader_advance(r);
	return 0;
}

static inline bool slot_fits(const struct bs_geometry *geo, uint32_t peer_class, uint32_t peer_len)
{
	return peer_class < geo->n_bodies && peer_len <= geo->body[peer_class].size;
}

/*
 * A body is not where the last one ended, so no prefetcher finds it. Ask for the one READ_AHEAD, if it
 * will be as this one is, and only where it is claimed, as far as we know, and so most likely there: else
 * its lines would be taken from under the writer's hands. To know that costs him a line, so look at tail
 * seldom: in a deep stream hardly ever, unless we follow him closely. What a peer may have made of tail
 * picks one of our own slots.
 */
static inline void ahead_fetch(struct bstream_reader *r, uint32_t c, uint32_t len)
{
	if (r->head + READ_AHEAD < r->tail_seen) {
		uint64_t i = (uint64_t)(r->slot - r->slots) + READ_AHEAD;
		const unsigned char *at = bs_segment_bytes(
			r->g, &r->hold.sight.geo, i < r->capacity ? i : i - r->capacity, c);
		for (uint32_t line = 0; line < len; line += BS_CACHE_LINE)
			__builtin_prefetch(at + line);
	} else if (r->head >= r->tail_look_at) {
		r->tail_seen = tail_look(r->g);
		r->tail_look_at = r->head + READ_AHEAD;
	}
}

/* What the slot holds. 1: a chunk, at r->chunk; 0: nothing of it is ever read, and it was passed;
 * -EPROTO. */
static inline int slot_take(struct bstream_reader *r)
{
	const struct bs_geometry *geo = &r->hold.sight.geo;
	uint32_t peer_len = slot_load_len(r->slot);
	uint32_t peer_flags = slot_load_flags(r->slot);
	uint32_t peer_class = peer_flags >> BS_SLOT_CLASS_AT;

	if (bs_unlikely((peer_flags & BS_SLOT_MARKS) != 0))
		return slot_skip(r, peer_flags);
	if (bs_unlikely(!slot_fits(geo, peer_class, peer_len)))
		return -EPROTO;
	r->chunk = bs_segment_bytes(r->g, geo, (uint64_t)(r->slot - r->slots), peer_class);
	r->peeked_len = peer_len;
	r->last_class = peer_class;
	if (peer_class != 0 && peer_len <= FETCH_MAX)
		ahead_fetch(r, peer_class, peer_len);
	return 1;
}

/* Find the next chunk: 1, or what read returns. */
static inline int chunk_find(struct bstream_reader *r, uint64_t deadline)
{
	if (bs_unlikely(bs_fork_stale(r->fork_stamp)))
		return -ESTALE;
	for (uint32_t steps = 0;;) {
		int rc;

		if (bs_likely(slot_holds(r->slot, r->head))) {
			rc = slot_take(r);
			if (bs_likely(rc != 0))
				return rc;
		} else {
			if (r->end != 1)
				return r->end;
			rc = bs_items_await(r, deadline);
			if (rc < 0)
				return rc;
		}
		/* Peers that do nothing but cancel, claim and die, or say so, must not hold us past the
		 * deadline. More than there were when we came, by far: a few are no reason to say so. */
		if (++steps > r->capacity + STEPS_MORE && bs_now() >= deadline)
			return deadline == BSTREAM_DONT_WAIT ? -EAGAIN : -ETIMEDOUT;
	}
}

static inline void chunk_done(struct bstream_reader *r, uint32_t len)
{
	struct bs_reader_line *l = &r->g->reader;

	figure_store(&l->chunks, figure_load(&l->chunks) + 1);
	figure_store(&l->bytes, figure_load(&l->bytes) + len);
	reader_step(r);
}

static __attribute__((noinline)) int read_any(struct bstream_reader *r, void *buf, size_t size,
					      size_t *lenp, uint64_t deadline)
{
	int rc = chunk_find(r, deadline);

	if (bs_unlikely(rc != 1))
		return rc;
	*lenp = r->peeked_len;
	if (bs_unlikely(r->peeked_len > size))
		return -EMSGSIZE;
	if (r->peeked_len > 0)
		memcpy(buf, r->chunk, r->peeked_len);
	chunk_done(r, r->peeked_len);
	return 1;
}

/* A read that finds a small chunk is all that read_any() does when it has nothing to decide. */
int bstream_read(struct bstream_reader *r, void *buf, size_t size, size_t *lenp, uint64_t deadline)
{
	struct bs_slot *slot = r->slot;

	if (bs_unlikely(bs_fork_stale(r->fork_stamp) || !slot_holds(slot, r->head)))
		return read_any(r, buf, size, lenp, deadline);
	uint32_t peer_len = slot_load_len(slot);
	uint32_t peer_flags = slot_load_flags(slot);
	if (bs_unlikely(peer_flags != 0 || peer_len > r->inline_max || peer_len > size))
		return read_any(r, buf, size, lenp, deadline);
	*lenp = peer_len;
	bs_copy_inline(buf, slot->bytes, peer_len);
	chunk_done(r, peer_len);
	return 1;
}

int bstream_peek(struct bstream_reader *r, const void **chunkp, size_t *lenp, uint64_t deadline)
{
	int rc = chunk_find(r, deadline);

	if (bs_unlikely(rc != 1))
		return rc;
	r->shown = 1;
	*chunkp = r->chunk;
	*lenp = r->peeked_len;
	return 1;
}

int bstream_release(struct bstream_reader *r)
{
	if (bs_unlikely(bs_fork_stale(r->fork_stamp)))
		return -ESTALE;
	if (bs_unlikely(r->shown != 1))
		return r->shown == 0 ? -EINVAL : bstream_release_many(r, 1);
	chunk_done(r, r->peeked_len);
	return 0;
}

/* ---- several at once ------------------------------------------------------------------------ */

/* The slot @ahead of the one at head. */
static struct bs_slot *slot_ahead(const struct bstream_reader *r, uint32_t ahead)
{
	struct bs_slot *slot = r->slot + ahead;

	return slot >= r->slots_end ? slot - r->capacity : slot;
}

/* Show the chunk that is @ahead of the one at head. False: it is not there yet, or it is one that the
 * next call has something to decide about. */
static bool chunk_show(struct bstream_reader *r, uint32_t ahead, struct iovec *chunk)
{
	const struct bs_geometry *geo = &r->hold.sight.geo;
	struct bs_slot *slot = slot_ahead(r, ahead);

	if (!slot_holds(slot, r->head + ahead))
		return false;
	uint32_t peer_len = slot_load_len(slot);
	uint32_t peer_flags = slot_load_flags(slot);
	uint32_t peer_class = peer_flags >> BS_SLOT_CLASS_AT;
	if ((peer_flags & BS_SLOT_MARKS) != 0 || !slot_fits(geo, peer_class, peer_len))
		return false;
	chunk->iov_base = bs_segment_bytes(r->g, geo, (uint64_t)(slot - r->slots), peer_class);
	chunk->iov_len = peer_len;
	r->last_class = peer_class;
	return true;
}

/*
 * The chunks shown are one run from head on: a slot that is cancelled, or abandoned by one who died,
 * ends the run, and is passed when it is the next. So whoever has the read end after us finds at head
 * the first that we have not released, as behind a single peek.
 */
int bstream_peek_many(struct bstream_reader *r, struct iovec *chunks, int n, uint64_t deadline)
{
	const void *first;
	size_t len;

	if (n < 1)
		return -EINVAL;
	int rc = bstream_peek(r, &first, &len, deadline);
	if (rc != 1)
		return rc;
	uint32_t most = (uint32_t)n < r->capacity ? (uint32_t)n : r->capacity;
	uint32_t shown = 1;
	chunks[0] = (struct iovec){ (void *)(uintptr_t)first, len };
	while (shown < most && chunk_show(r, shown, &chunks[shown]))
		shown++;
	r->shown = shown;
	return (int)shown;
}

/* As it stands in the slot now: for figures only, and never more than a chunk can have. */
static uint32_t len_again(const struct bstream_reader *r, struct bs_slot *slot)
{
	uint32_t peer_len = slot_load_len(slot);
	uint32_t chunk_max = r->hold.sight.geo.chunk_max;

	return peer_len < chunk_max ? peer_len : chunk_max;
}

int bstream_release_many(struct bstream_reader *r, int n)
{
	if (bs_unlikely(bs_fork_stale(r->fork_stamp)))
		return -ESTALE;
	if (n < 1 || (uint32_t)n > r->shown)
		return -EINVAL;
	struct bs_reader_line *l = &r->g->reader;
	uint32_t count = (uint32_t)n;
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < count; i++)
		bytes += len_again(r, slot_ahead(r, i));
	figure_store(&l->chunks, figure_load(&l->chunks) + count);
	figure_store(&l->bytes, figure_load(&l->bytes) + bytes);
	r->slot = slot_ahead(r, count);
	r->head += count;
	r->shown -= count;
	if (r->shown > 0)
		r->peeked_len = len_again(r, r->slot);
	head_tell(r);
	return 0;
}
