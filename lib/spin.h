/* SPDX-License-Identifier: MIT */
/*
 * spin.h - how long an end looks before it sleeps. It learns: a look that found what it was for makes
 * the next one longer; one that found nothing makes it shorter, down to none: the peer may be waiting
 * for this very CPU. Many short sleeps in a row are worth a try; more of them each time it fails. On one CPU, or with BSTREAM_SPIN=0 in the environment, it never spins.
 */
#ifndef BS_SPIN_H
#define BS_SPIN_H

#include <stdint.h>

struct bs_spin {
	uint32_t budget_ns; /* how long to look next time */
	uint32_t max_ns; /* 0: never */
	uint32_t short_sleeps; /* in a row, with no look before them */
	uint32_t short_enough; /* so many are worth a try */
};

void bs_spin_init(struct bs_spin *spin);

/* The look paid. */
void bs_spin_paid(struct bs_spin *spin);

/* It did not, or there was none, and the sleep after it took @slept_ns. */
void bs_spin_slept(struct bs_spin *spin, uint64_t slept_ns);

/*
 * How long an end that has caught up looks away before it looks again.
 *
 * Two sides that meet at every chunk fight over each cache line. One that looks away for a moment
 * lets the other get ahead, and then works on lines that nobody is writing; but in a ping-pong the
 * same moment is pure delay. Which of the two it is shows in the run: how many chunks were there,
 * one after the other, after a moment away. So it tries now and then, stays away longer while runs
 * are short of what the capacity can hide, and gives up when a run is one or two.
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
