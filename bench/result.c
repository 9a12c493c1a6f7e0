/* SPDX-License-Identifier: MIT */
/*
 * result.c - the store of samples, and medians over it.
 */
#include "bench/result.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEDIAN_MAX 64u

const struct metric_row metric_rows[N_METRICS] = {
	[METRIC_RATE] = { "chunks_per_s", "Mchunks/s", 1e-6, 4 },
	[METRIC_BYTES] = { "bytes_per_s", "GB/s", 1e-9, 3 },
	[METRIC_CPU] = { "cpu_ns_per_chunk", "CPU ns/chunk", 1, 1 },
	[METRIC_CPU_BYTE] = { "cpu_ns_per_byte", "CPU ns/byte", 1, 4 },
	[METRIC_SLEEPS] = { "sleeps_per_chunk", "sleeps/chunk", 1, 5 },
	[METRIC_PREEMPTED] = { "preempted_per_s", "preempted/s", 1, 0 },
	[METRIC_P50] = { "p50_ns", "p50 us", 1e-3, 3 },
	[METRIC_P99] = { "p99_ns", "p99 us", 1e-3, 3 },
	[METRIC_P999] = { "p999_ns", "p99.9 us", 1e-3, 3 },
	[METRIC_WAKER] = { "waker_p50_ns", "waker us", 1e-3, 3 },
	[METRIC_BURST] = { "burst_p50_ns", "burst us", 1e-3, 2 },
	[METRIC_SHARE] = { "min_share", "least share", 1, 2 },
	[METRIC_WAKEUPS] = { "wakeups_per_s", "wake-ups/s", 1, 2 },
	[METRIC_CPU_SECOND] = { "cpu_us_per_s", "CPU us/s", 1, 1 },
	[METRIC_SECONDS] = { "seconds", "ms", 1e3, 3 },
	[METRIC_FOREIGN] = { "foreign_load", "foreign %", 100, 1 },
};

const char *const verdict_names[] = { "good", "loaded", "empty", "failed" };
const char *const placement_names[] = { "pinned", "free" };

void sample_init(struct sample *s, const struct point *p, unsigned round)
{
	memset(s, 0, sizeof(*s));
	s->point = *p;
	s->round = round;
	for (unsigned m = 0; m < N_METRICS; m++)
		s->value[m] = NAN;
}

int results_add(struct results *r, const struct sample *s)
{
	if (r->n_samples == r->samples_cap) {
		size_t cap = r->samples_cap ? 2 * r->samples_cap : 256;
		struct sample *more = realloc(r->samples, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->samples = more;
		r->samples_cap = cap;
	}
	r->samples[r->n_samples++] = *s;
	return 0;
}

bool point_equal(const struct point *a, const struct point *b)
{
	return a->kase == b->kase && a->len == b->len && a->n_writers == b->n_writers &&
	       a->n_pairs == b->n_pairs && a->placement == b->placement &&
	       strcmp(a->transport, b->transport) == 0 && strcmp(a->what, b->what) == 0;
}

unsigned results_count(const struct results *r, const struct point *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->n_samples; i++)
		n += r->samples[i].verdict == VERDICT_GOOD && point_equal(&r->samples[i].point, p);
	return n;
}

unsigned results_failed(const struct results *r)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->n_samples; i++)
		n += r->samples[i].verdict == VERDICT_FAILED;
	return n;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct median results_median(const struct results *r, const struct point *p, enum metric m)
{
	struct median median = { NAN, NAN, NAN, 0 };
	double values[MEDIAN_MAX];

	for (size_t i = 0; i < r->n_samples && median.n < MEDIAN_MAX; i++) {
		const struct sample *s = &r->samples[i];

		if (s->verdict == VERDICT_GOOD && point_equal(&s->point, p) && !isnan(s->value[m]))
			values[median.n++] = s->value[m];
	}
	if (median.n == 0)
		return median;
	qsort(values, median.n, sizeof(values[0]), compare_doubles);
	median.min = values[0];
	median.max = values[median.n - 1];
	median.value = (values[(median.n - 1) / 2] + values[median.n / 2]) / 2;
	return median;
}

const char *results_excuse(const struct results *r, const struct point *p)
{
	const char *excuse = "not run";

	for (size_t i = 0; i < r->n_samples; i++) {
		const struct sample *s = &r->samples[i];

		if (!point_equal(&s->point, p) || s->verdict == VERDICT_GOOD)
			continue;
		if (s->verdict == VERDICT_LOADED)
			excuse = "the machine was never quiet";
		else
			excuse = s->verdict == VERDICT_EMPTY ? "nothing arrived" : s->reason;
	}
	return excuse;
}

void results_fini(struct results *r)
{
	free(r->samples);
	memset(r, 0, sizeof(*r));
}
