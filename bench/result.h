/* SPDX-License-Identifier: MIT */
/*
 * result.h - every round that was run, and the medians of those that count.
 *
 * A point is what was measured (case, transport, size, ...); a sample is one round of it. Samples
 * that failed their check or had company on the machine stay in the raw rounds with their verdict,
 * and are in no median.
 */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include <stdbool.h>
#include <stddef.h>

enum metric {
	METRIC_RATE, /* chunks a second */
	METRIC_BYTES, /* bytes a second */
	METRIC_CPU, /* CPU time a chunk, all parties, ns */
	METRIC_CPU_BYTE, /* CPU time a byte, ns */
	METRIC_SLEEPS, /* voluntary context switches a chunk, all parties */
	METRIC_PREEMPTED, /* involuntary ones a second */
	METRIC_P50, /* round trip, or wake-up, ns */
	METRIC_P99,
	METRIC_P999,
	METRIC_WAKER, /* what the write that wakes costs its writer, ns, median */
	METRIC_BURST, /* first write to last read of a burst, ns, median */
	METRIC_SHARE, /* the least writer's share, of a fair one */
	METRIC_WAKEUPS, /* voluntary context switches a second, all parties */
	METRIC_CPU_SECOND, /* CPU time a second of idling, us */
	METRIC_SECONDS, /* how long an operation or a file took */
	METRIC_FOREIGN, /* share of the machine that others used */
	N_METRICS
};

enum verdict {
	VERDICT_GOOD,
	VERDICT_LOADED, /* others used the machine: once more */
	VERDICT_EMPTY, /* nothing arrived, which is no figure: once more */
	VERDICT_FAILED
};

enum placement { PLACED_PINNED, PLACED_FREE, N_PLACEMENTS };

struct point {
	char kase; /* 'A' to 'H' */
	const char *what; /* variant: "", "sleeping", "spinning", ... static */
	const char *transport; /* static */
	size_t len;
	unsigned n_writers, n_pairs;
	enum placement placement;
};

struct sample {
	struct point point;
	unsigned round;
	enum verdict verdict;
	char reason[160]; /* of a failure */
	double value[N_METRICS]; /* NAN: not measured */
};

struct metric_row {
	const char *key; /* in CSV and JSON */
	const char *heading; /* in tables */
	double scale; /* for tables */
	int decimals;
};

extern const struct metric_row metric_rows[N_METRICS];
extern const char *const verdict_names[];
extern const char *const placement_names[];

struct results {
	struct sample *samples;
	size_t n_samples, samples_cap;
};

struct median {
	double value, min, max;
	unsigned n; /* rounds that count; 0: no result */
};

/* No values yet. */
void sample_init(struct sample *s, const struct point *p, unsigned round);

/* Keep a sample; -ENOMEM. */
int results_add(struct results *r, const struct sample *s);

/* Is it the same point? */
bool point_equal(const struct point *a, const struct point *b);

/* How many samples of @p count. */
unsigned results_count(const struct results *r, const struct point *p);

/* How many samples failed, at any point. */
unsigned results_failed(const struct results *r);

/* The median of metric @m at @p, over the rounds that count. */
struct median results_median(const struct results *r, const struct point *p, enum metric m);

/* Why there is no result at @p: the reason of its last failure, or a word for what happened. */
const char *results_excuse(const struct results *r, const struct point *p);

void results_fini(struct results *r);

#endif
