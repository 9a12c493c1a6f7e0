/* SPDX-License-Identifier: MIT */
/*
 * targets.c - the table of targets, and the judge.
 *
 * A target compares a figure of ours with the best of some peers in the same run, by ratio: what a
 * machine can do differs, what one way does beside another differs less. What was not measured (a
 * peer that is not installed, a round that failed) is neither met nor missed, and is said so.
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
};

#define A(ours, len, bound, peers)                                               \
	{                                                                        \
		'A', ours, "", len, 1, METRIC_RATE, AT_LEAST, bound, peers, NULL \
	}
#define COPIERS	   "qb-ring,qb-ipc,boost-*"
#define LARGE(len) A("bstream-16", len, 0.85, "spinring-16"), A("bstream-16", len, 1, COPIERS)
#define B(what, metric, bound, peers)                                               \
	{                                                                           \
		'B', "bstream-16", what, 64, 1, metric, AT_MOST, bound, peers, NULL \
	}
#define C(ours, what, wakeups)                                                                \
	{ 'C', ours, what, 64, 1, METRIC_WAKEUPS, AT_MOST_VALUE, wakeups, NULL, NULL },       \
	{                                                                                     \
		'C', ours, what, 64, 1, METRIC_CPU_SECOND, AT_MOST_MORE, 100, "pipe64k", NULL \
	}
#define D(ours, len, bound)                                                          \
	{ 'D', ours, "", len, 4, METRIC_RATE, AT_LEAST, bound, SLEEPERS, NULL },     \
	{                                                                            \
		'D', ours, "", len, 4, METRIC_SHARE, AT_LEAST_VALUE, 0.5, NULL, NULL \
	}
#define E(len)                                                                              \
	{ 'E', "bstream-16", "", len, 1, METRIC_RATE, AT_LEAST, 1, "pipe64k", NULL },       \
	{                                                                                   \
		'E', "bstream-16", "", len, 1, METRIC_CPU_BYTE, AT_MOST, 1, "pipe64k", NULL \
	}
#define G(what)                                                                         \
	{ 'G', "bstreamctl", what, 0, 1, METRIC_BYTES, AT_LEAST, 2, "fifo+cat", NULL }, \
	{                                                                               \
		'G', "bstreamctl", what, 0, 1, METRIC_BYTES, AT_LEAST, 1.3,             \
			"fifo+pv,fifo+mbuffer", NULL                                    \
	}

static const struct target targets[] = {
	A("bstream-16", 16, 30, "pipe64k"),
	A("bstream-16", 16, 6, SLEEPERS),
	A("bstream-16", 16, 0.9, "spinring-16"),
	A("bstream-4096", 16, 1.6, "spinring-16"),
	A("bstream-4096", 128, 2, "spinring-16"),
	A("bstream-4096", 256, 2, "spinring-16"),
	A("bstream-4096", KIB(1), 2.5, "spinring-16"),
	LARGE(KIB(4)),
	LARGE(KIB(64)),
	LARGE(KIB(1024)),
	B("spinning", METRIC_P50, 1.3, "one-line"),
	B("spinning", METRIC_P99, 2, "one-line"),
	B("sleeping", METRIC_P50, 1.05, "pipe64k"),
	C("bstream-16", "empty", 4),
	C("bstream-16-named", "empty", 1),
	C("bstream-16", "full", 4),
	C("bstream-16-named", "full", 1),
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
	{ 'H', "sequence", "default options", 0, 1, METRIC_P50, AT_MOST, 16, "seqpacket-trip", "" },
	{ 'H', "sequence", "small streams", 0, 1, METRIC_P50, AT_MOST, 16, "seqpacket-trip", "" },
	{ 'H', "list", "", 0, 1, METRIC_SECONDS, AT_MOST_VALUE, 0.050, NULL, NULL },
};

#define N_TARGETS (sizeof(targets) / sizeof(targets[0]))

void targets_narrow(struct settings *set)
{
	static const char narrow[] =
		"bstream-16,bstream-4096,bstream-16-named,pipe*,unix-*,mq,zeromq,"
		"nng,qb-*,boost-*,semring-*,spinring-16,one-line,bstreamctl,"
		"fifo+*";

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

static struct figure ours_of(const struct target *t, const struct results *r)
{
	for (size_t i = 0; i < r->n_samples; i++) {
		const struct point *p = &r->samples[i].point;

		if (point_matches(t, p, t->what) && strcmp(p->transport, t->ours) == 0)
			return (struct figure){ results_median(r, p, t->metric).value,
						p->transport };
	}
	return (struct figure){ NAN, t->ours };
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
	fprintf(f, "%c  %-28s %8s %-13s %10.3f  %-16s %10.3f  %10.3f  %4s %-6g %s\n", t->kase, name,
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
		"bytes", "figure", "is", "best peer", "is", "outcome", "asked for");
	for (unsigned i = 0; i < N_TARGETS; i++) {
		const struct target *t = &targets[i];
		struct figure ours = ours_of(t, &suite->results);
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
	}
	fprintf(f, "%u met, %u missed, %u not measured\n", met, missed, open);
	return missed;
}
