/* SPDX-License-Identifier: MIT */
/*
 * report_table.c - tables for people.
 */
#include "bench/report.h"

#include <math.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/bstream.h"

#define NAME_WIDTH   18
#define SPREAD_WIDTH 26
#define WIDTH	     14

static void cpu_model(char *model, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(model, size, "CPU not known");
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || !colon)
			continue;
		snprintf(model, size, "%s", colon + 2);
		model[strcspn(model, "\n")] = '\0';
		break;
	}
	if (f)
		fclose(f);
}

void report_machine(FILE *f, const char *before, const char *between, const char *after)
{
	struct utsname u;
	char model[256];

	uname(&u);
	cpu_model(model, sizeof(model));
	fprintf(f, "%s%s, %ld CPUs online, %s %s%s", before, model, sysconf(_SC_NPROCESSORS_ONLN),
		u.sysname, u.release, between);
	fprintf(f, "bstream %s, compiled by gcc " __VERSION__ "%s", bstream_version(), after);
}

/* Are two points in one table? */
static bool same_table(const struct point *a, const struct point *b)
{
	struct point p = *a;

	p.transport = b->transport;
	return point_equal(&p, b);
}

static bool first_of(const struct results *r, size_t at,
		     bool (*same)(const struct point *, const struct point *))
{
	for (size_t i = 0; i < at; i++)
		if (same(&r->samples[i].point, &r->samples[at].point))
			return false;
	return true;
}

static void print_head(FILE *f, const struct kase *k, const struct point *p)
{
	fprintf(f, "\n%c  %s", k->letter, k->title);
	if (p->what[0])
		fprintf(f, ", %s", p->what);
	if (p->len)
		fprintf(f, ", %zu B", p->len);
	if (p->n_writers > 1)
		fprintf(f, ", %u writers", p->n_writers);
	fprintf(f, ", %s\n%-*s", placement_names[p->placement], NAME_WIDTH, "");
	for (unsigned i = 0; i < k->n_metrics; i++)
		fprintf(f, "%*s", i ? WIDTH : SPREAD_WIDTH, metric_rows[k->metrics[i]].heading);
	fputc('\n', f);
}

static void print_value(FILE *f, enum metric m, struct median v, bool spread)
{
	const struct metric_row *row = &metric_rows[m];
	char text[64];

	if (v.n == 0)
		snprintf(text, sizeof(text), "-");
	else if (spread)
		snprintf(text, sizeof(text), "%.*f [%.*f..%.*f]", row->decimals,
			 v.value * row->scale, row->decimals, v.min * row->scale, row->decimals,
			 v.max * row->scale);
	else
		snprintf(text, sizeof(text), "%.*f", row->decimals, v.value * row->scale);
	fprintf(f, "%*s", spread ? SPREAD_WIDTH : WIDTH, text);
}

static void print_row(FILE *f, const struct results *r, const struct kase *k, const struct point *p)
{
	fprintf(f, "%-*s", NAME_WIDTH, p->transport);
	if (results_count(r, p) == 0) {
		fprintf(f, "  no result: %s\n", results_excuse(r, p));
		return;
	}
	for (unsigned i = 0; i < k->n_metrics; i++)
		print_value(f, k->metrics[i], results_median(r, p, k->metrics[i]), i == 0);
	fputc('\n', f);
}

void report_tables(FILE *f, const struct suite *suite, const struct kase *k)
{
	const struct results *r = &suite->results;

	for (size_t i = 0; i < r->n_samples; i++) {
		const struct point *p = &r->samples[i].point;

		if (p->kase != k->letter || !first_of(r, i, same_table))
			continue;
		print_head(f, k, p);
		for (size_t j = i; j < r->n_samples; j++) {
			const struct point *q = &r->samples[j].point;

			if (same_table(q, p) && first_of(r, j, point_equal))
				print_row(f, r, k, q);
		}
	}
}
