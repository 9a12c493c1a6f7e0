/* SPDX-License-Identifier: MIT */
/*
 * histogram.h - how long things took: buckets that are 1/64 of their value wide, in ticks.
 *
 * It is filled between two measurements, so that adding is a few instructions and no loop. It lives
 * in memory that the processes of a round share.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS_LOG2 6
#define HISTOGRAM_STEPS	     (1u << HISTOGRAM_STEPS_LOG2)
#define HISTOGRAM_BUCKETS    (HISTOGRAM_STEPS * 42u) /* up to 2^47 ticks */

struct histogram {
	uint64_t n;
	uint32_t bucket[HISTOGRAM_BUCKETS];
};

static inline void histogram_add(struct histogram *h, uint64_t v)
{
	unsigned power = 63u - (unsigned)__builtin_clzll(v | HISTOGRAM_STEPS);
	unsigned shift = power - HISTOGRAM_STEPS_LOG2;
	uint64_t at = ((uint64_t)shift << HISTOGRAM_STEPS_LOG2) + (v >> shift);

	h->bucket[at < HISTOGRAM_BUCKETS ? at : HISTOGRAM_BUCKETS - 1]++;
	h->n++;
}

/* The value that a share @q (0 to 1) of all values do not exceed; 0 if there are none. */
double histogram_quantile(const struct histogram *h, double q);

#endif
