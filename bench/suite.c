/* SPDX-License-Identifier: MIT */
/*
 * suite.c - interleaves rounds over transports, drops what had company, and goes on.
 */
#include "bench/suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WARM_NS 60000000u

const struct kase *const kases[] = {
	&case_oneway, &case_roundtrip, &case_idle,   &case_writers, &case_crowded,
	&case_bursts, &case_shell,     &case_broker, NULL,
};

void cell_init(struct cell *cell, const struct suite *suite, char kase, const struct transport *t,
	       size_t len)
{
	const struct settings *set = &suite->settings;

	*cell = (struct cell){
		.plan = { .transport = t,
			  .shape = SHAPE_ONE_WAY,
			  .len = len,
			  .n_writers = 1,
			  .n_pairs = 1,
			  .full_check = set->full_check,
			  .warm_ns = WARM_NS,
			  .measure_ns = (uint64_t)(set->seconds * 1e9),
			  .foreign_max = set->foreign_max },
		.point = { .kase = kase,
			   .what = "",
			   .transport = t->name,
			   .len = len,
			   .n_writers = 1,
			   .n_pairs = 1 },
	};
}

bool cell_wanted(const struct cell *cell, const struct suite *suite, unsigned traits)
{
	const struct plan *p = &cell->plan;
	const struct transport *t = p->transport;
	bool trip = p->shape == SHAPE_TRIP;

	if (!transport_matches(t->name, suite->settings.transports))
		return false;
	if (t->len_max && p->len > t->len_max)
		return false;
	if (p->n_writers > 1)
		traits |= TRANSPORT_FAN_IN;
	if ((t->traits & traits) != traits)
		return false;
	if ((t->traits & TRANSPORT_IDLE_ONLY) && p->shape != SHAPE_IDLE_EMPTY &&
	    p->shape != SHAPE_IDLE_FULL)
		return false;
	if (p->shape == SHAPE_BURSTS && !t->receive_bursts)
		return false;
	return !(t->traits & (trip ? TRANSPORT_ONE_WAY : TRANSPORT_TRIP_ONLY));
}

int suite_keep(struct suite *suite, const struct sample *s)
{
	const struct point *p = &s->point;

	if (!suite->settings.quiet && s->verdict == VERDICT_FAILED)
		fprintf(stderr, "\r\033[K%c %s %s %zu B, %u writers: no result: %s\n", p->kase,
			p->what, p->transport, p->len, p->n_writers, s->reason);
	return results_add(&suite->results, s);
}

static void progress(const struct suite *suite, const struct point *p, unsigned turn)
{
	if (!suite->settings.quiet)
		fprintf(stderr, "\r\033[K%c %s %zu B, %u writers, %u pairs, %s: turn %u, %s",
			p->kase, p->what, p->len, p->n_writers, p->n_pairs,
			placement_names[p->placement], turn + 1, p->transport);
}

static int measure_once(struct suite *suite, const struct cell *cell, unsigned turn, bool *cannot)
{
	struct sample s;
	int ran;

	progress(suite, &cell->point, turn);
	sample_init(&s, &cell->point, turn);
	ran = round_run(&cell->plan, &s);
	if (ran < 0) {
		s.verdict = VERDICT_FAILED;
		snprintf(s.reason, sizeof(s.reason), "it cannot be set up: %s", strerror(-ran));
	}
	*cannot = ran <= 0 || s.verdict == VERDICT_FAILED;
	return ran != 0 ? suite_keep(suite, &s) : 0;
}

int suite_measure(struct suite *suite, const struct cell *cells, unsigned n)
{
	unsigned rounds = suite->settings.rounds;
	bool cannot[SUITE_CELLS_MAX] = { false };
	int err = 0;

	for (unsigned turn = 0; turn < SUITE_TURNS_MOST * rounds && !err; turn++)
		for (unsigned i = 0; i < n && !err; i++) {
			if (cannot[i] || results_count(&suite->results, &cells[i].point) >= rounds)
				continue;
			err = measure_once(suite, &cells[i], turn, &cannot[i]);
		}
	if (!suite->settings.quiet)
		fprintf(stderr, "\r\033[K");
	return err;
}

unsigned suite_sizes(const struct suite *suite, const size_t *own, unsigned n_own,
		     const size_t **sizesp)
{
	bool asked = suite->settings.n_sizes > 0;

	*sizesp = asked ? suite->settings.sizes : own;
	return asked ? suite->settings.n_sizes : n_own;
}
