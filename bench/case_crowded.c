/* SPDX-License-Identifier: MIT */
/*
 * case_crowded.c - E: eight pairs on the machine's CPUs, wherever the scheduler puts them. Rates
 * are of all pairs together.
 */
#include "bench/suite.h"

#define PAIRS	   8u
#define MEASURE_NS UINT64_C(500000000)

static const size_t own_sizes[] = { 64, 1024, 4096, 65536, 1048576 };

static int measure_crowd(struct suite *suite, size_t len)
{
	struct cell cells[SUITE_CELLS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; transports[i] && n < SUITE_CELLS_MAX; i++) {
		struct cell *c = &cells[n];

		cell_init(c, suite, 'E', transports[i], len);
		c->plan.n_pairs = c->point.n_pairs = PAIRS;
		c->plan.placement = c->point.placement = PLACED_FREE;
		if (c->plan.measure_ns < MEASURE_NS)
			c->plan.measure_ns = MEASURE_NS;
		n += cell_wanted(c, suite, TRANSPORT_SLEEPS);
	}
	return suite_measure(suite, cells, n);
}

static int crowded_run(struct suite *suite)
{
	const size_t *sizes;
	unsigned n =
		suite_sizes(suite, own_sizes, sizeof(own_sizes) / sizeof(own_sizes[0]), &sizes);
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		err = measure_crowd(suite, sizes[i]);
	return err;
}

const struct kase case_crowded = {
	.letter = 'E',
	.title = "crowded: 8 pairs",
	.metrics = { METRIC_RATE, METRIC_BYTES, METRIC_CPU, METRIC_CPU_BYTE, METRIC_SLEEPS },
	.n_metrics = 5,
	.run = crowded_run,
};
