/* SPDX-License-Identifier: MIT */
/*
 * case_bursts.c - F: 100 chunks of 64 bytes, a pause, again. p50 and p99 are from the begin of a
 * burst to its first chunk's being read: what a wake-up takes. "waker" is what that write costs
 * its writer.
 */
#include "bench/suite.h"

#define BURST_LEN  64u
#define BURST	   100u
#define MEASURE_NS UINT64_C(1000000000)

static int measure_bursts(struct suite *suite, enum placement placement, uint64_t pause_ns,
			  const char *what)
{
	struct cell cells[SUITE_CELLS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; transports[i] && n < SUITE_CELLS_MAX; i++) {
		struct cell *c = &cells[n];

		cell_init(c, suite, 'F', transports[i], BURST_LEN);
		c->plan.shape = SHAPE_BURSTS;
		c->plan.burst = BURST;
		c->plan.pause_ns = pause_ns;
		c->plan.full_check = false; /* the chunks carry times */
		c->plan.measure_ns = MEASURE_NS;
		c->plan.placement = c->point.placement = placement;
		c->point.what = what;
		n += cell_wanted(c, suite, TRANSPORT_SLEEPS);
	}
	return suite_measure(suite, cells, n);
}

static int bursts_run(struct suite *suite)
{
	int err = 0;

	for (unsigned placed = 0; placed < N_PLACEMENTS && !err; placed++) {
		if (!suite->settings.placed[placed])
			continue;
		err = measure_bursts(suite, placed, 1000000, "pause 1 ms");
		if (!err)
			err = measure_bursts(suite, placed, 10000000, "pause 10 ms");
	}
	return err;
}

const struct kase case_bursts = {
	.letter = 'F',
	.title = "bursts of 100 chunks",
	.metrics = { METRIC_P50, METRIC_P99, METRIC_WAKER, METRIC_BURST, METRIC_CPU,
		     METRIC_SLEEPS },
	.n_metrics = 6,
	.run = bursts_run,
};
