/* SPDX-License-Identifier: MIT */
/*
 * crowd.h - a thousand clients of one broker at once: threads of several processes, each of which asks
 * now and then, as programs do.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include "bench/histogram.h"

#define CROWD_CLIENTS 1000u
#define CROWD_NS      600000000u /* from one request of a client to its next: 100,000 a minute in all */

/* What one of them does for his @nth request. 0 or a negative errno. */
typedef int (*crowd_fn)(unsigned client, unsigned nth);

struct crowd_result {
	struct histogram hist; /* of all requests, ticks */
	uint64_t slowest; /* ticks */
	int err; /* the first failure, or 0 */
};

/* Each asks @n times at its pace; with @at_once, all at the same moment. -errno: it could not be. */
int crowd_run(struct crowd_result *result, unsigned n, int at_once, crowd_fn ask);

#endif
