/* SPDX-License-Identifier: MIT */
/*
 * spin.h - what an end does before it sleeps: how long it looks, and whether it yields. It learns.
 *
 * A look that found what it was for makes the next one longer; one that found nothing makes it shorter,
 * down to none: the peer may be waiting for this very CPU. Many short waits in a row are worth a try;
 * more of them each time it fails. On one CPU it never spins, with BSTREAM_SPIN=0 in the environment it
 * neither spins nor yields.
 */
#ifndef BS_SPIN_H
#define BS_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct bs_spin {
	uint32_t budget_ns; /* how long to look next time */
	uint32_t max_ns; /* 0: never */
	uint32_t short_sleeps; /* or yields, in a row, with no look before them */
	uint32_t short_enough; /* so many are worth a try */
	bool may_yield; /* false: it was told never to spin */
	uint32_t yield_after; /* waits until it yields again */
	uint32_t yield_every; /* likewise, after the next failure */
};

void bs_spin_init(struct bs_spin *spin);

/* The look paid. */
void bs_spin_paid(struct bs_spin *spin);

/* Until when this one goes on, in a wait that ends at @deadline. */
uint64_t bs_spin_end(const struct bs_spin *spin, uint64_t deadline);

/* It did not pay, or there was none, and what came in its place, a sleep or yields, took @slept_ns. */
void bs_spin_slept(struct bs_spin *spin, uint64_t slept_ns);

/*
 * Where processes outnumber CPUs the peer is often ready to run, and waits for this very CPU. To let it
 * run and look again is cheaper than a sleep, and spares the peer the wake-up. It learns likewise: when
 * nothing came of it, or somebody kept the CPU for long, it is not tried again for a while.
 */
#define BS_YIELDS 4 /* before a sleep, at most */

/* Shall this wait, until @deadline, begin with yields? Then bs_yield_now() up to BS_YIELDS times, each
 * with a look behind it, and bs_yield_end(). */
bool bs_yield_begin(struct bs_spin *spin, uint64_t deadline, uint64_t *beganp);

/* False: that took long, and shall not be done again in this wait. */
bool bs_yield_now(void);

void bs_yield_end(struct bs_spin *spin, bool there, bool soon);

/*
 * How long an end that has caught up looks away before it looks again.
 *
 * Two sides that meet at every chunk fight over each cache line. One that looks away for a moment
 * lets the other get ahead, and then works on lines that nobody is writing; but in a ping-pong the
 * same moment is pure delay. Which of the two it is shows in the run: how many chunks were there,
 * one after the other, after a moment away. So it tries now and then, stays away longer while runs
 * are short of what the capacity can hide, and gives up when a run is one or two, or too short for the
 * time that it took: then the writer is slow, and nothing is gained by coming late.
 */
struct bs_pace {
	uint64_t since; /* the count at the last look away */
	uint32_t away_ns; /* 0: not at all */
	uint32_t run_min, run_max; /* runs worth having */
	uint32_t until_try, try_every; /* catch-ups */
};

void bs_pace_init(struct bs_pace *pace, uint32_t capacity);

/* Caught up at chunk @count: learn from the run before it, and look away. */
void bs_pace_away(struct bs_pace *pace, uint64_t count);

/* This line will be written soon: have it here by then. A hint; any address will do. */
static inline void bs_fetch_to_write(const void *at)
{
#if defined(__x86_64__)
	__asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)at)); /* where unknown, a nop */
#else
	__builtin_prefetch(at, 1);
#endif
}

static inline void bs_spin_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("isb" ::: "memory");
#endif
}

#endif
