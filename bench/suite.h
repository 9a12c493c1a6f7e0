/* SPDX-License-Identifier: MIT */
/*
 * suite.h - a run of the benchmark: what was asked for, what came of it, and the cases.
 */
#ifndef BENCH_SUITE_H
#define BENCH_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/result.h"
#include "bench/round.h"
#include "bench/transport.h"

#define SUITE_SIZES_MAX 16u
#define SUITE_CELLS_MAX 32u
#define SUITE_TURNS_MOST \
	6 /* for each round that is wanted: the others had company, or nothing arrived */

struct settings {
	const char *cases; /* letters */
	const char *transports; /* patterns */
	size_t sizes[SUITE_SIZES_MAX]; /* none: each case's own */
	unsigned n_sizes;
	unsigned rounds;
	double seconds; /* of one round; cases that need more take more */
	bool placed[N_PLACEMENTS];
	bool full_check;
	bool quiet;
	double foreign_max;
	const char *csv, *json; /* paths, NULL: none */
	const char *daemon, *ctl; /* bstreamd, bstreamctl; NULL: beside this program, else $PATH */
	unsigned file_mib; /* case G */
	unsigned n_streams; /* case H */
};

struct suite {
	struct settings settings;
	struct results results;
	bool no_broker; /* a case had none, and so no result */
};

struct kase {
	char letter;
	const char *title;
	enum metric metrics[7]; /* columns of its table; the first with its spread */
	unsigned n_metrics;
	bool needs_broker;
	int (*run)(struct suite *suite);
};

extern const struct kase case_oneway, case_roundtrip, case_idle, case_writers, case_crowded,
	case_bursts, case_shell, case_broker;
extern const struct kase *const kases[];

/* One thing to measure: a plan, and the point its samples belong to. */
struct cell {
	struct plan plan;
	struct point point;
};

/* Start a cell from the suite's settings: one-way, one writer, one pair. */
void cell_init(struct cell *cell, const struct suite *suite, char kase, const struct transport *t,
	       size_t len);

/*
 * Can the transport do what the plan says, and was it asked for? @traits are those it needs beside
 * that.
 */
bool cell_wanted(const struct cell *cell, const struct suite *suite, unsigned traits);

/*
 * Measure @n cells: their rounds in turn, so that what the machine does meanwhile happens to all of
 * them. Rounds that had company, or in which nothing arrived, are tried again: SUITE_TURNS_MOST.
 */
int suite_measure(struct suite *suite, const struct cell *cells, unsigned n);

/* The sizes a case runs at: those asked for, else its own. Returns how many. */
unsigned suite_sizes(const struct suite *suite, const size_t *own, unsigned n_own,
		     const size_t **sizesp);

/* Keep a sample, say so on stderr. */
int suite_keep(struct suite *suite, const struct sample *s);

#endif
