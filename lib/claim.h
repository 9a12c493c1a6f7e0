/* SPDX-License-Identifier: MIT */
/*
 * claim.h - how a write end comes by its next slots, and how it tells a sleeping reader: what writer.c and
 * reserve.c share. The quick half is here, the rest in claim.c. Called by the handle's owner only.
 *
 * A lone writer owns tail: it enters (inside), looks whether it is still alone, fills the slot, publishes
 * it, stores tail, leaves. One of several stores its intent, claims the chunk by compare-and-swap of tail,
 * fills, publishes, and clears the intent. In both cases the slot is free: head, as last seen, is less than
 * capacity behind. Waiting happens in room.c, while neither inside nor intent is set.
 */
#ifndef BS_CLAIM_H
#define BS_CLAIM_H

#include "lib/handle.h"

#define BS_CLAIM_ROUNDS	  1024 /* lost claims between two looks at the clock */
#define BS_FETCH_MAX	  4096 /* bytes: of larger chunks the first lines help little */
#define BS_FETCH_ROOM_MAX 256 /* likewise, where lines of many are asked for at once */

/* claim.c: bs_claim_some(), not inline: what is inline knows that it wants one. */
int bs_claim_several(struct bstream_writer *w, uint32_t want, uint64_t deadline);

/* claim.c: likewise by one that is inside, and has found that it is not alone any more. */
int bs_claim_no_more_alone(struct bstream_writer *w, uint32_t want, uint64_t deadline);

/* claim.c: from now on it is one among several. */
void bs_lone_no_more(struct bstream_writer *w);

/* claim.c: lost claims, and it is late: the error; or 0. */
int bs_claim_late(uint64_t deadline);

/* claim.c: a look at head has found room, and w->tail is at its first chunk. */
void bs_room_fetch(struct bstream_writer *w);

/* claim.c: the two rare halves of bs_items_wake(). */
void bs_items_fence(struct bstream_writer *w, uint64_t count);
void bs_items_post(struct bstream_writer *w, uint64_t count);

/* How full the stream is by a look at head. True: there is room for chunk @t. */
static inline bool bs_room_look(struct bstream_writer *w, uint64_t t)
{
	w->head_seen = head_look(w->g);
	return t - w->head_seen < w->capacity;
}

/* Has the reader gone, or must this writer stop believing it is alone? Both words are in one line
 * that hardly ever changes. */
static inline bool bs_writer_news(const struct bstream_writer *w)
{
	return (word_look(&w->g->verdicts.reader) & BS_R_BROKEN) != 0 ||
	       shared_look(w->g) != BS_SHARED_NO;
}

static inline bool bs_reader_gone(const struct bstream_writer *w)
{
	return (word_look(&w->g->verdicts.reader) & BS_R_STATE) == BS_R_BROKEN;
}

/* How far a lone writer may go without looking at anything but news. */
static inline void bs_limit_set(struct bstream_writer *w)
{
	uint64_t full_at = w->head_seen + w->capacity;

	w->limit = w->fencing || w->reserved ? 0 : full_at < w->probe_at ? full_at : w->probe_at;
}

/* For how many of @want chunks there is room from chunk @t on: for one, as was found out before. */
static inline uint32_t bs_room_count(struct bstream_writer *w, uint64_t t, uint32_t want)
{
	if (bs_likely(want == 1))
		return 1;
	if (w->capacity - (t - w->head_seen) < want)
		bs_room_look(w, t);
	uint64_t used = t - w->head_seen;
	uint64_t room = used < w->capacity ? w->capacity - used : 1;
	return room < want ? (uint32_t)room : want;
}

/* Does one that lost its room to others ask for its turn, and had this one its own? */
static inline bool bs_turn_is_anothers(const struct bstream_writer *w)
{
	return bs_unlikely(hungry_look(w->g) != 0) && w->fed;
}

/* The slot of chunk @t, without a division where it is near that of the last one. */
static inline void bs_writer_seek(struct bstream_writer *w, uint64_t t)
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

/* One try to claim up to @want chunks among several. How many, from chunk w->tail on; 0: lost or full,
 * look again. */
static inline int bs_claim_try(struct bstream_writer *w, uint32_t want, uint64_t deadline)
{
	uint64_t peer_tail = tail_look(w->g);
	bool full = peer_tail - w->head_seen >= w->capacity;

	if (full && !bs_room_look(w, peer_tail)) {
		if (tail_look(w->g) != peer_tail)
			return 0; /* the two were not of one moment */
		intent_store(w->line, 0);
		return bs_room_await(w, deadline);
	}
	uint32_t n = bs_room_count(w, peer_tail, want);
	intent_store(w->line, intent_of(peer_tail, n));
	if (!tail_claim(w->g, peer_tail, n)) {
		intent_store(w->line, 0);
		return 0;
	}
	w->streak = peer_tail == w->next_mine;
	w->next_mine = peer_tail + n;
	bs_writer_seek(w, peer_tail);
	if (full && w->streak)
		bs_room_fetch(w);
	return (int)n;
}

/* A claim among several, of up to @want chunks: how many, from chunk w->tail on; or why not. */
static inline __attribute__((always_inline)) int bs_claim_some(struct bstream_writer *w,
							       uint32_t want, uint64_t deadline)
{
	int rc;

	if (deadline != BSTREAM_DONT_WAIT && bs_turn_is_anothers(w))
		bs_room_step_back(w);
	for (uint32_t i = 1;; i++) {
		if (bs_reader_gone(w))
			return -EPIPE;
		rc = bs_claim_try(w, want, deadline);
		if (rc == 0 && i % BS_CLAIM_ROUNDS == 0)
			rc = bs_claim_late(deadline);
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
		bs_room_hand_on(w, w->tail + (uint32_t)rc);
	return rc;
}

static inline int bs_claim_shared(struct bstream_writer *w, uint32_t want, uint64_t deadline)
{
	return want == 1 ? bs_claim_some(w, 1, deadline) : bs_claim_several(w, want, deadline);
}

/* Get up to @want slots: how many, from w->slot on, for the chunks from w->tail on. A lone writer is
 * inside afterwards. */
static inline __attribute__((always_inline)) int bs_claim(struct bstream_writer *w, uint32_t want,
							  uint64_t deadline)
{
	uint64_t now_at = w->lone ? w->tail : ++w->calls;

	if (bs_unlikely(now_at >= w->probe_at)) {
		int rc = bs_reader_probe(w, now_at);
		if (rc < 0)
			return rc;
	}
	if (!w->lone)
		return bs_claim_shared(w, want, deadline);
	bool full = w->tail - w->head_seen >= w->capacity;
	for (uint32_t i = 1; bs_unlikely(full) && !bs_room_look(w, w->tail); i++) {
		/* Once others claim too, its own tail says nothing any more. */
		if (shared_look(w->g) != BS_SHARED_NO) {
			bs_lone_no_more(w);
			return bs_claim_shared(w, want, deadline);
		}
		int rc = bs_room_await(w, deadline);
		/* Room that comes and goes again and again: a peer plays with head. */
		if (rc == 0 && i % BS_CLAIM_ROUNDS == 0)
			rc = bs_claim_late(deadline);
		if (rc < 0)
			return rc;
	}
	if (full)
		bs_room_fetch(w);
	inside_enter(w->line);
	bs_barrier_light(w->fences); /* Dekker with bs_writer_join() */
	if (bs_unlikely(bs_writer_news(w)))
		return bs_claim_no_more_alone(w, want, deadline);
	return (int)bs_room_count(w, w->tail, want);
}

/* The reader may sleep: publish, then look. */
static inline void bs_items_wake(struct bstream_writer *w, uint64_t count)
{
	if (bs_unlikely(w->fencing))
		bs_items_fence(w, count);
	else
		fence_compiler(); /* Dekker with the reader's hint_raise() */
	if (bs_unlikely(bs_hint_reached(hint_look(&w->g->items.wake_at), count)))
		bs_items_post(w, count);
}

/* In its own line, where whoever looks finds them: nothing depends on them. */
static inline void bs_figures_count(struct bs_writer_line *l, uint32_t len)
{
	figure_store(&l->chunks, figure_load(&l->chunks) + 1);
	figure_store(&l->bytes, figure_load(&l->bytes) + len);
}

static inline void bs_bytes_fetch(const unsigned char *at, size_t len)
{
	for (size_t i = 0; i < len; i += BS_CACHE_LINE)
		bs_fetch_to_write(at + i);
}

static inline int bs_writer_ready(const struct bstream_writer *w, size_t len)
{
	if (bs_unlikely(len > w->chunk_max))
		return -EMSGSIZE;
	if (bs_unlikely(bs_fork_stale(w->fork_stamp)))
		return -ESTALE;
	return bs_unlikely(w->reserved) ? -EBUSY : 0;
}

#endif
