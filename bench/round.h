/* SPDX-License-Identifier: MIT */
/*
 * round.h - one round: a process for each party, one measurement, one verdict.
 */
#ifndef BENCH_ROUND_H
#define BENCH_ROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/result.h"
#include "bench/transport.h"

enum shape {
	SHAPE_ONE_WAY,
	SHAPE_TRIP, /* there and back, histogram */
	SHAPE_BURSTS, /* bursts and pauses, histograms */
	SHAPE_IDLE_EMPTY, /* the reader waits for a chunk, nobody writes */
	SHAPE_IDLE_FULL, /* the writer waits for room, nobody reads */
};

struct plan {
	const struct transport *transport;
	enum shape shape;
	size_t len;
	unsigned n_writers; /* of each pair */
	unsigned n_pairs;
	enum placement placement;
	bool spin; /* who waits polls */
	bool never_spin; /* who waits sleeps at once */
	bool full_check;
	unsigned burst;
	uint64_t pause_ns;
	uint64_t warm_ns, measure_ns;
	double foreign_max; /* share of the machine; more of it drops the round */
};

/*
 * Run one round and put its figures and its verdict into @s, whose point is set. Returns 1 if it
 * was run, 0 if this transport cannot do it (nothing is put into @s), -errno if nothing can be run.
 */
int round_run(const struct plan *plan, struct sample *s);

/* Nanoseconds in a tick of the clock; measured once. */
double round_ns_per_tick(void);

#endif
