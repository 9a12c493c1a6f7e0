/* SPDX-License-Identifier: MIT */
/*
 * hint.h - sleeping and waking. A hint only ever means "look again".
 *
 * The sleeper: hint_raise (atomic.h), bs_barrier_heavy, look again, bs_hint_sleep.
 * The publisher: publish, bs_barrier_light, hint_look; if it is up and reached, bs_hint_wake.
 * Either the publisher sees the flag, or the sleeper sees what was published.
 */
#ifndef BS_HINT_H
#define BS_HINT_H

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

/* Sleep until woken, to @until at the latest. A signal, a bad semaphore, a stale post: returns, the
 * caller looks again. False: @until has passed. */
bool bs_hint_sleep(sem_t *sem, uint64_t until);

/* Take the flag down and, whoever did, post once. */
void bs_hint_wake(_Atomic uint64_t *wake_at, sem_t *sem);

/* Take back posts that woke nobody. By the only sleeper, who then raises and looks again. */
void bs_hint_drain(sem_t *sem);

/* The same for a place where all sleepers wake: a futex on a generation. The sleeper reads the
 * generation before it raises the flag. */
bool bs_watch_sleep(_Atomic uint32_t *gen, uint32_t seen, uint64_t until);
void bs_watch_wake(_Atomic uint64_t *watch_at, _Atomic uint32_t *gen);

/* Wake them whether the flag is up or not. */
void bs_watch_rouse(_Atomic uint32_t *gen);

#endif
