/* SPDX-License-Identifier: MIT */
/*
 * case_writers.c - D: 1, 2, 4 and 16 writers into one reader, and what the least of them gets: 1 is
 * its fair share. Pinned, all writers are on CPU 0.
 */
#include "bench/suite.h"

#define MEASURE_NS UINT64_C(500000000)

static const size_t own_sizes[] = { 64, 1024, 65536 };
static const unsigned n_writers[] = { 1, 2, 4, 16 };

static int measure_writers(struct suite *suite, enum placement placement, size_t len, unsigned w)
{
	struct cell cells[SUITE_CELLS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; transports[i] && n < SUITE_CELLS_MAX; i++) {
		struct cell *c = &cells[n];

		cell_init(c, suite, 'D', transports[i], len);
		c->plan.n_writers = c->point.n_writers = w;
		c->plan.placement = c->point.placement = placement;
		if (c->plan.measure_ns < MEASURE_NS)
			c->plan.measure_ns = MEASURE_NS;
		n += cell_wanted(c, suite, TRANSPORT_FAN_IN);
	}
	return suite_measure(suite, cells, n);
}

static int writers_run(struct suite *suite)
{
	const size_t *sizes;
	unsigned n =
		suite_sizes(suite, own_sizes, sizeof(own_sizes) / sizeof(own_sizes[0]), &sizes);
	int err = 0;

	for (unsigned placed = 0; placed < N_PLACEMENTS; placed++)
		for (unsigned i = 0; i < n && suite->settings.placed[placed]; i++)
			for (unsigned w = 0; w < sizeof(n_writers) / sizeof(n_writers[0]); w++) {
				err = measure_writers(suite, placed, sizes[i], n_writers[w]);
				if (err)
					return err;
			}
	return 0;
}

const struct kase case_writers = {
	.letter = 'D',
	.title = "several writers",
	.metrics = { METRIC_RATE, METRIC_BYTES, METRIC_SHARE, METRIC_CPU, METRIC_SLEEPS },
	.n_metrics = 5,
	.run = writers_run,
};
