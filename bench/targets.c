/* SPDX-License-Identifier: MIT */
/*
 * targets.c - the table of targets, and the judge.
 *
 * A target compares a figure of ours with the best of some peers in the same run, by ratio: what a
 * machine can do differs, what one way does beside another differs less. What was not measured (a
 * peer that is not installed, a round that failed) is neither met nor missed, and is said so.
 *
 * Some targets have a limit beside them: what does less than a stream must, in the same run. Where it would miss
 * the target too, or leaves nothing for the rest, the machine is what is in the way.
 */
#include "bench/targets.h"

#include <math.h>
#include <string.h>

#define SLEEPERS "@" /* every peer that sleeps */
#define KIB(n)	 ((size_t)(n) << 10)

enum rule {
	AT_LEAST, /* ours >= bound * best peer */
	AT_MOST, /* ours <= bound * best peer */
	AT_MOST_MORE, /* ours <= best peer + bound */
	AT_LEAST_VALUE, /* ours >= bound */
	AT_MOST_VALUE, /* ours <= bound */
};

struct target {
	char kase;
	const char *ours, *what;
	size_t len;
	unsigned n_writers;
	enum metric metric;
	enum rule rule;
	double bound;
	const char *peers, *peer_what; /* what: NULL, as ours */
	const char *limit; /* NULL: none */
};

#define A(ours, len, bound, peers)                                                     \
	{                                                                              \
		'A', ours, "", len, 1, METRIC_RATE, AT_LEAST, bound, peers, NULL, NULL \
	}
#define A_LIMITED(ours, len, bound, peers, limit)                                       \
	{                                                                               \
		'A', ours, "", len, 1, METRIC_RATE, AT_LEAST, bound, peers, NULL, limit \
	}
#define COPIERS	   "qb-ring,qb-ipc,boost-*"
#define LARGE(len) A("bstream-16", len, 0.85, "spinring-16"), A("bstream-16", len, 1, COPIERS)
#define B(what, metric, bound, peers, limit)                                               \
	{                                                                                  \
		'B', "bstream-16", what, 64, 1, metric, AT_MOST, bound, peers, NULL, limit \
	}
#define C(ours, what, wakeups, limit)                                                          \
	{ 'C', ours, what, 64, 1, METRIC_WAKEUPS, AT_MOST_VALUE, wakeups, NULL, NULL, NULL },  \
	{                                                                                      \
		'C', ours, what, 64, 1, METRIC_CPU_SECOND, AT_MOST_MORE, 100, "pipe64k", NULL, \
			limit                                                                  \
	}
#define D(ours, len, bound)                                                                \
	{ 'D', ours, "", len, 4, METRIC_RATE, AT_LEAST, bound, SLEEPERS, NULL, NULL },     \
	{                                                                                  \
		'D', ours, "", len, 4, METRIC_SHARE, AT_LEAST_VALUE, 0.5, NULL, NULL, NULL \
	}
#define E(len)                                                                                    \
	{ 'E', "bstream-16", "", len, 1, METRIC_RATE, AT_LEAST, 1, "pipe64k", NULL, NULL },       \
	{                                                                                         \
		'E', "bstream-16", "", len, 1, METRIC_CPU_BYTE, AT_MOST, 1, "pipe64k", NULL, NULL \
	}
#define G(what)                                                                 \
	{                                                                       \
		'G', "bstreamctl", what, 0,	     1, METRIC_BYTES, AT_LEAST, \
		2,   "fifo+cat",   NULL, "cat-alone"                            \
	},                                                                      \
	{                                                                       \
		'G', "bstreamctl", what, 0, 1, METRIC_BYTES, AT_LEAST, 1.3,     \
			"fifo+pv,fifo+mbuffer", NULL, "cat-alone"               \
	}

static const struct target targets[] = {
	A_LIMITED("bstream-16", 16, 30, "pipe64k", "spinring-16"),
	A_LIMITED("bstream-16", 16, 6, SLEEPERS, "spinring-16"),
	A("bstream-16", 16, 0.9, "spinring-16"),
	A("bstream-4096", 16, 1.6, "spinring-16"),
	A("bstream-4096", 128, 2, "spinring-16"),
	A("bstream-4096", 256, 2, "spinring-16"),
	A("bstream-4096", KIB(1), 2.5, "spinring-16"),
	LARGE(KIB(4)),
	LARGE(KIB(64)),
	LARGE(KIB(1024)),
	B("spinning", METRIC_P50, 1.3, "one-line", "spinring-16"),
	B("spinning", METRIC_P99, 2, "one-line", "spinring-16"),
	B("sleeping", METRIC_P50, 1.05, "pipe64k", "futex"),
	C("bstream-16", "empty", 4, "timer-4"),
	C("bstream-16-named", "empty", 1, NULL),
	C("bstream-16", "full", 4, "timer-4"),
	C("bstream-16-named", "full", 1, NULL),
	D("bstream-16", 64, 2),
	D("bstream-4096", 64, 4),
	D("bstream-16", KIB(64), 1),
	E(64),
	E(KIB(1)),
	E(KIB(4)),
	E(KIB(64)),
	E(KIB(1024)),
	G("to null"),
	G("to file"),
	/* four times a round trip for each of its four requests */
	{ 'H', "sequence", "default options", 0, 1, METRIC_P50, AT_MOST, 16, "seqpacket-trip", "",
	  "pages" },
	{ 'H', "sequence", "small streams", 0, 1, METRIC_P50, AT_MOST, 16, "seqpacket-trip", "",
	  NULL },
	{ 'H', "list", "", 0, 1, METRIC_SECONDS, AT_MOST_VALUE, 0.050, NULL, NULL, NULL },
};

#define N_TARGETS (sizeof(targets) / sizeof(targets[0]))

void targets_narrow(struct settings *set)
{
	static const char narrow[] =
		"bstream-16,bstream-4096,bstream-16-named,pipe*,unix-*,mq,zeromq,"
		"nng,qb-*,boost-*,semring-*,spinring-16,one-line,futex,timer-4,"
		"bstreamctl,fifo+*,cat-alone";

	if (strcmp(set->transports, "*") == 0)
		set->transports = narrow;
	set->placed[PLACED_FREE] = false; /* A, B and D; the others have none or their own */
}

static bool peer_matches(const struct target *t, const char *name)
{
	const struct transport *peer;

	if (strcmp(t->peers, SLEEPERS) != 0)
		return transport_matches(name, t->peers);
	peer = transport_find(name);
	return peer && (peer->traits & TRANSPORT_SLEEPS) &&
	       !(peer->traits & (TRANSPORT_OURS | TRANSPORT_BARE));
}

static bool point_matches(const struct target *t, const struct point *p, const char *what)
{
	bool pinned = strchr("ABD", t->kase) != NULL;

	return p->kase == t->kase && strcmp(p->what, what) == 0 && p->n_writers == t->n_writers &&
	       (t->len == 0 || p->len == t->len) &&
	       p->placement == (pinned ? PLACED_PINNED : PLACED_FREE);
}

struct figure {
	double value; /* NAN: there is none */
	const char *name;
};

/* What the way of that name reached where a target is. */
static struct figure figure_of(const struct target *t, const struct results *r, const char *name)
{
	for (size_t i = 0; i < r->n_samples; i++) {
		const struct point *p = &r->samples[i].point;

		if (point_matches(t, p, t->what) && strcmp(p->transport, name) == 0)
			return (struct figure){ results_median(r, p, t->metric).value,
						p->transport };
	}
	return (struct figure){ NAN, name };
}

static struct figure best_peer(const struct target *t, const struct results *r)
{
	const char *what = t->peer_what ? t->peer_what : t->what;
	struct figure best = { NAN, "-" };

	for (size_t i = 0; i < r->n_samples && t->peers; i++) {
		const struct point *p = &r->samples[i].point;
		double v;

		if (!point_matches(t, p, what) || !peer_matches(t, p->transport))
			continue;
		v = results_median(r, p, t->metric).value;
		if (isnan(v))
			continue;
		if (isnan(best.value) || (t->rule == AT_LEAST ? v > best.value : v < best.value))
			best = (struct figure){ v, p->transport };
	}
	return best;
}

/* What the bound is compared with. */
static double outcome(const struct target *t, double ours, double peer)
{
	switch (t->rule) {
	case AT_LEAST:
	case AT_MOST:
		return ours / peer;
	case AT_MOST_MORE:
		return ours - peer;
	default:
		return ours;
	}
}

/* What the limit itself would get. */
static void print_limit(FILE *f, const struct target *t, const struct results *r, double peer)
{
	double got = t->limit ? outcome(t, figure_of(t, r, t->limit).value, peer) : NAN;

	if (!isnan(got))
		fprintf(f, "  (%s: %.3g)", t->limit, got);
	fputc('\n', f);
}

static void print_target(FILE *f, const struct target *t, struct figure ours, struct figure peer,
			 const char *verdict)
{
	static const char *const signs[] = { ">=", "<=", "<= +", ">=", "<=" };
	const struct metric_row *m = &metric_rows[t->metric];
	bool alone = t->peers == NULL;
	char name[64], len[24] = "-";

	snprintf(name, sizeof(name), "%s%s%s", t->ours, t->what[0] ? ", " : "", t->what);
	if (t->len)
		snprintf(len, sizeof(len), "%zu", t->len);
	fprintf(f, "%c  %-28s %8s %-13s %10.3f  %-16s %10.3f  %10.3f  %4s %-6g %s", t->kase, name,
		len, m->heading, ours.value * m->scale, alone ? "-" : peer.name,
		alone ? NAN : peer.value * m->scale,
		outcome(t, ours.value, peer.value) *
			(t->rule == AT_LEAST_VALUE || t->rule == AT_MOST_VALUE ? m->scale : 1),
		signs[t->rule],
		t->bound * (t->rule == AT_LEAST_VALUE || t->rule == AT_MOST_VALUE ? m->scale : 1),
		verdict);
}

unsigned targets_report(FILE *f, const struct suite *suite)
{
	unsigned missed = 0, met = 0, open = 0;

	fprintf(f, "\nTargets\n%-3s%-28s %8s %-13s %10s  %-16s %10s  %10s  %11s\n", "", "ours",
		"bytes", "figure", "is", "best peer", "is", "outcome",
		"asked for        (a limit: its outcome)");
	for (unsigned i = 0; i < N_TARGETS; i++) {
		const struct target *t = &targets[i];
		struct figure ours = figure_of(t, &suite->results, t->ours);
		struct figure peer = best_peer(t, &suite->results);
		double got = outcome(t, ours.value, peer.value);
		bool more = t->rule == AT_LEAST || t->rule == AT_LEAST_VALUE;

		if (!strchr(suite->settings.cases, t->kase))
			continue;
		if (isnan(got))
			open++;
		else if (more ? got >= t->bound : got <= t->bound)
			met++;
		else
			missed++;
		print_target(f, t, ours, peer,
			     isnan(got)					  ? "not measured"
			     : (more ? got >= t->bound : got <= t->bound) ? "met"
									  : "MISSED");
		print_limit(f, t, &suite->results, peer.value);
	}
	fprintf(f, "%u met, %u missed, %u not measured\n", met, missed, open);
	return missed;
}
