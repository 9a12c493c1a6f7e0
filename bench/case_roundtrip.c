/* SPDX-License-Identifier: MIT */
/*
 * case_roundtrip.c - B: 64 bytes there and back, one at a time. Sleeping: whoever waits sleeps at
 * once, bstream by BSTREAM_SPIN=0. Spinning: whoever waits polls, bstream as it does by default.
 */
#include "bench/suite.h"

#define TRIP_LEN 64u

static int measure_trips(struct suite *suite, enum placement placement, bool spin)
{
	struct cell cells[SUITE_CELLS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; transports[i] && n < SUITE_CELLS_MAX; i++) {
		struct cell *c = &cells[n];

		cell_init(c, suite, 'B', transports[i], TRIP_LEN);
		c->plan.shape = SHAPE_TRIP;
		c->plan.spin = spin;
		c->plan.never_spin = !spin;
		c->plan.placement = c->point.placement = placement;
		c->point.what = spin ? "spinning" : "sleeping";
		n += cell_wanted(c, suite, spin ? TRANSPORT_SPINS : TRANSPORT_SLEEPS);
	}
	return suite_measure(suite, cells, n);
}

static int roundtrip_run(struct suite *suite)
{
	int err = 0;

	for (unsigned placed = 0; placed < N_PLACEMENTS && !err; placed++) {
		if (!suite->settings.placed[placed])
			continue;
		err = measure_trips(suite, placed, false);
		if (!err)
			err = measure_trips(suite, placed, true);
	}
	return err;
}

const struct kase case_roundtrip = {
	.letter = 'B',
	.title = "round trip, 64 B",
	.metrics = { METRIC_P50, METRIC_P99, METRIC_P999, METRIC_CPU, METRIC_SLEEPS },
	.n_metrics = 5,
	.run = roundtrip_run,
};
