/* SPDX-License-Identifier: MIT */
/*
 * case_oneway.c - A: one writer, one reader, as fast as they can, 16 B to 1 MiB.
 */
#include "bench/suite.h"

static const size_t own_sizes[] = { 16, 64, 128, 256, 1024, 4096, 65536, 1048576 };

static int measure_size(struct suite *suite, enum placement placement, size_t len)
{
	struct cell cells[SUITE_CELLS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; transports[i] && n < SUITE_CELLS_MAX; i++) {
		struct cell *c = &cells[n];

		cell_init(c, suite, 'A', transports[i], len);
		c->plan.placement = c->point.placement = placement;
		n += cell_wanted(c, suite, 0);
	}
	return suite_measure(suite, cells, n);
}

static int oneway_run(struct suite *suite)
{
	const size_t *sizes;
	unsigned n =
		suite_sizes(suite, own_sizes, sizeof(own_sizes) / sizeof(own_sizes[0]), &sizes);
	int err = 0;

	for (unsigned placed = 0; placed < N_PLACEMENTS; placed++)
		for (unsigned i = 0; i < n && !err && suite->settings.placed[placed]; i++)
			err = measure_size(suite, placed, sizes[i]);
	return err;
}

const struct kase case_oneway = {
	.letter = 'A',
	.title = "one way",
	.metrics = { METRIC_RATE, METRIC_BYTES, METRIC_CPU, METRIC_SLEEPS },
	.n_metrics = 4,
	.run = oneway_run,
};
