/* SPDX-License-Identifier: MIT */
/*
 * histogram.c - reading a histogram.
 */
#include "bench/histogram.h"

/* The middle of bucket @at. */
static double bucket_value(unsigned at)
{
	unsigned shift = at < 2 * HISTOGRAM_STEPS ? 0 : (at >> HISTOGRAM_STEPS_LOG2) - 1;
	uint64_t low = (uint64_t)(at - (shift << HISTOGRAM_STEPS_LOG2)) << shift;

	return (double)low + 0.5 * (double)((UINT64_C(1) << shift) - 1);
}

double histogram_quantile(const struct histogram *h, double q)
{
	uint64_t rank = (uint64_t)(q * (double)h->n), seen = 0;

	if (h->n == 0)
		return 0;
	if (rank >= h->n)
		rank = h->n - 1;
	for (unsigned at = 0; at < HISTOGRAM_BUCKETS; at++) {
		seen += h->bucket[at];
		if (seen > rank)
			return bucket_value(at);
	}
	return bucket_value(HISTOGRAM_BUCKETS - 1);
}
