/* SPDX-License-Identifier: MIT */
/*
 * report_file.c - CSV of raw rounds, and JSON.
 */
#include "bench/report.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static void csv_row(FILE *f, const struct sample *s)
{
	const struct point *p = &s->point;

	fprintf(f, "%c,%s,%s,%zu,%u,%u,%s,%u,%s", p->kase, p->what, p->transport, p->len,
		p->n_writers, p->n_pairs, placement_names[p->placement], s->round,
		verdict_names[s->verdict]);
	for (unsigned m = 0; m < N_METRICS; m++) {
		fputc(',', f);
		if (!isnan(s->value[m]))
			fprintf(f, "%.9g", s->value[m]);
	}
	fprintf(f, ",\"%s\"\n", s->reason);
}

int report_csv(const char *path, const struct suite *suite)
{
	FILE *f = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");

	if (!f)
		return -errno;
	report_machine(f, "# ", "; ", "\n");
	fprintf(f, "case,what,transport,len,writers,pairs,placement,round,verdict");
	for (unsigned m = 0; m < N_METRICS; m++)
		fprintf(f, ",%s", metric_rows[m].key);
	fprintf(f, ",reason\n");
	for (size_t i = 0; i < suite->results.n_samples; i++)
		csv_row(f, &suite->results.samples[i]);
	if (f == stdout)
		return fflush(f) == 0 ? 0 : -errno;
	return fclose(f) == 0 ? 0 : -errno;
}

static void json_metric(FILE *f, const struct results *r, const struct point *p, enum metric m)
{
	struct median v = results_median(r, p, m);
	const char *comma = "";

	if (v.n == 0)
		return;
	fprintf(f, ",\"%s\":{\"median\":%.9g,\"min\":%.9g,\"max\":%.9g,\"rounds\":[",
		metric_rows[m].key, v.value, v.min, v.max);
	for (size_t i = 0; i < r->n_samples; i++) {
		const struct sample *s = &r->samples[i];

		if (s->verdict != VERDICT_GOOD || !point_equal(&s->point, p) || isnan(s->value[m]))
			continue;
		fprintf(f, "%s%.9g", comma, s->value[m]);
		comma = ",";
	}
	fprintf(f, "]}");
}

static bool is_first(const struct results *r, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (point_equal(&r->samples[i].point, &r->samples[at].point))
			return false;
	return true;
}

static void json_point(FILE *f, const struct results *r, const struct point *p)
{
	unsigned n = results_count(r, p);

	fprintf(f,
		"{\"case\":\"%c\",\"what\":\"%s\",\"transport\":\"%s\",\"len\":%zu,\"writers\":%u,"
		"\"pairs\":%u,\"placement\":\"%s\",\"good\":%u",
		p->kase, p->what, p->transport, p->len, p->n_writers, p->n_pairs,
		placement_names[p->placement], n);
	for (unsigned m = 0; m < N_METRICS; m++)
		json_metric(f, r, p, m);
	fputc('}', f);
}

int report_json(const char *path, const struct suite *suite)
{
	const struct results *r = &suite->results;
	FILE *f = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	const char *comma = "\n";

	if (!f)
		return -errno;
	report_machine(f, "{\"v\":1,\"machine\":\"", "; ", "\",\"points\":[");
	for (size_t i = 0; i < r->n_samples; i++) {
		if (!is_first(r, i))
			continue;
		fprintf(f, "%s", comma);
		json_point(f, r, &r->samples[i].point);
		comma = ",\n";
	}
	fprintf(f, "\n]}\n");
	if (f == stdout)
		return fflush(f) == 0 ? 0 : -errno;
	return fclose(f) == 0 ? 0 : -errno;
}
