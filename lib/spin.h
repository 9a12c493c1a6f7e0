/* SPDX-License-Identifier: MIT */
/*
 * spin.h - how long an end looks before it sleeps. It learns: a look that found what it was for, or
 * a sleep that turned out short, makes the next look longer; one that found nothing makes it
 * shorter, down to none. On one CPU, or with BSTREAM_SPIN=0 in the environment, it never spins.
 */
#ifndef BS_SPIN_H
#define BS_SPIN_H

#include <stdint.h>

struct bs_spin {
	uint32_t budget_ns; /* how long to look next time */
	uint32_t max_ns; /* 0: never */
};

void bs_spin_init(struct bs_spin *spin);

/* The look paid. */
void bs_spin_paid(struct bs_spin *spin);

/* The look did not, and the sleep after it took @slept_ns. */
void bs_spin_slept(struct bs_spin *spin, uint64_t slept_ns);

static inline void bs_spin_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("isb" ::: "memory");
#endif
}

#endif
