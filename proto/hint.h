/* SPDX-License-Identifier: MIT */
/*
 * hint.h - sleeping and waking. A hint only ever means "look again".
 *
 * The sleeper: bs_hint_seen, hint_raise (atomic.h), bs_barrier_heavy, look again, bs_hint_sleep.
 * The publisher: publish, bs_barrier_light, hint_look; if it is up and reached, bs_wake_items or
 * bs_wake_room (verdict.h).
 * Either the publisher sees the flag, or the sleeper sees what was published.
 *
 * There are two kinds, and only hint.c knows which does what. Where peers are trusted one sleeps in a
 * semaphore. In a sealed stream it is a futex on a generation: libc reads from a sem_t how to use
 * it, and a peer that scribbles there can have us abort or sleep for ever.
 */
#ifndef BS_HINT_H
#define BS_HINT_H

#include "proto/geometry.h"
#include "proto/atomic.h"

#define BS_MS(n) ((uint64_t)(n)*1000000u) /* milliseconds in nanoseconds */

/* The hot side's barrier: a compiler barrier, or a real one where the stream has @fences. */
static inline void bs_barrier_light(bool fences)
{
	if (fences)
		fence_full();
	else
		fence_compiler();
}

/* The cold side's: pays for both, by membarrier(2), or a real one where the stream has @fences. */
void bs_barrier_heavy(bool fences);

/* Let other processes' heavy barriers reach this one; after every exec and fork, so at every attach.
 * 0 or -EOPNOTSUPP. */
int bs_barrier_register(void);

/* CLOCK_MONOTONIC, ns; and the coarse one: a few ns to ask, a few ms exact. */
uint64_t bs_now(void);
uint64_t bs_now_coarse(void);

/* One place to sleep at. A plain value; what it points to is the segment's. */
struct bs_hint {
	_Atomic uint64_t *wake_at;
	sem_t *sem; /* NULL: a sealed stream's, which has none */
	_Atomic uint32_t *gen;
};

/* Where the reader sleeps for chunks, and where writers do for room. */
static inline struct bs_hint bs_hint_items(struct bs_segment *g, const struct bs_geometry *geo)
{
	return (struct bs_hint){ &g->items.wake_at, geo->sealed ? NULL : &g->items.sem,
				 &g->items.gen };
}

static inline struct bs_hint bs_hint_space(struct bs_segment *g, const struct bs_geometry *geo)
{
	return (struct bs_hint){ &g->space.wake_at, geo->sealed ? NULL : &g->space.sem,
				 &g->space.gen };
}

/* What the sleeper has to have looked at before it raises the flag; for bs_hint_sleep. */
uint32_t bs_hint_seen(const struct bs_hint *hint);

/* Sleep until woken, to @until at the latest. A signal, a bad semaphore, a stale post, a word that a
 * peer plays with: returns, the caller looks again. False: @until has passed. */
bool bs_hint_sleep(const struct bs_hint *hint, uint32_t seen, uint64_t until);

/* Wake one, whether the flag is up or not. */
void bs_hint_post(const struct bs_hint *hint);

/* Take the flag down and have whoever sleeps look again: one of them, or in a sealed stream all. */
void bs_hint_rouse(const struct bs_hint *hint);

/* Take back posts that woke nobody. By the only sleeper, who then raises and looks again. */
void bs_hint_drain(const struct bs_hint *hint);

/* The same for a place where all sleepers wake: a futex on a generation. The sleeper reads the
 * generation before it raises the flag. */
bool bs_watch_sleep(_Atomic uint32_t *gen, uint32_t seen, uint64_t until);
void bs_watch_wake(_Atomic uint64_t *watch_at, _Atomic uint32_t *gen);

/* Wake them whether the flag is up or not. */
void bs_watch_rouse(_Atomic uint32_t *gen);

#endif
