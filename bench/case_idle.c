/* SPDX-License-Identifier: MIT */
/*
 * case_idle.c - C: what waiting costs while nothing happens. Empty: the reader waits for a chunk.
 * Full: the writer waits for room. Wake-ups and CPU time of both sides, as the kernel counts them.
 */
#include "bench/suite.h"

#define IDLE_LEN   64u
#define SETTLE_NS  UINT64_C(500000000)
#define WATCH_NS   UINT64_C(2000000000)
#define ROUNDS_MAX 3u

static int measure_idle(struct suite *suite, enum shape shape)
{
	struct cell cells[SUITE_CELLS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; transports[i] && n < SUITE_CELLS_MAX; i++) {
		struct cell *c = &cells[n];

		cell_init(c, suite, 'C', transports[i], IDLE_LEN);
		c->plan.shape = shape;
		c->plan.warm_ns = SETTLE_NS;
		c->plan.measure_ns = WATCH_NS;
		c->plan.placement = c->point.placement = PLACED_FREE;
		c->plan.foreign_max = 1e9; /* what others do costs a sleeper nothing */
		c->point.what = shape == SHAPE_IDLE_EMPTY ? "empty" : "full";
		n += cell_wanted(c, suite, TRANSPORT_SLEEPS);
	}
	return suite_measure(suite, cells, n);
}

static int idle_run(struct suite *suite)
{
	unsigned rounds = suite->settings.rounds;
	int err;

	suite->settings.rounds = rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
	err = measure_idle(suite, SHAPE_IDLE_EMPTY);
	if (!err)
		err = measure_idle(suite, SHAPE_IDLE_FULL);
	suite->settings.rounds = rounds;
	return err;
}

const struct kase case_idle = {
	.letter = 'C',
	.title = "idle",
	.metrics = { METRIC_WAKEUPS, METRIC_CPU_SECOND },
	.n_metrics = 2,
	.run = idle_run,
};
