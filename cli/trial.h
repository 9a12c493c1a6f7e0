/* SPDX-License-Identifier: MIT */
/* trial.h - one measured run of bench: processes, a lane or two between them, and the check. */
#ifndef CLI_TRIAL_H
#define CLI_TRIAL_H

#include <stddef.h>
#include <stdint.h>

struct lane_ops;

#define TRIAL_SIZE_MIN 8 /* bytes: a chunk holds its number */

struct trial_plan {
	size_t size; /* bytes in a chunk */
	uint32_t capacity;
	uint32_t n_writers;
	int64_t ns; /* how long */
};

/* What one run gave; of one way, or of a round trip. */
struct trial_figures {
	uint64_t chunks, ns; /* that came, and in which time */
	uint64_t cpu_ns, sleeps; /* of all processes: user and system; voluntary switches */
	uint64_t p50_ns, p99_ns; /* round trip */
};

/*
 * Writers write and a reader reads for plan->ns. Returns 0, or an exit code whose reason has been
 * said; then there are no figures, as when the check of one chunk fails.
 */
int trial_one_way(const struct lane_ops *ops, const struct trial_plan *plan,
		  struct trial_figures *figures);
/* One chunk goes there and back again and again; plan->n_writers is not looked at. */
int trial_round_trip(const struct lane_ops *ops, const struct trial_plan *plan,
		     struct trial_figures *figures);

#endif
