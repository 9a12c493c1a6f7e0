/* SPDX-License-Identifier: MIT */
/*
 * metrics.c - owns the names of what is measured: the one table of it is in here, and bstreamd(8) says
 * what each means.
 *
 * The text is bounded: so many streams and users by name, one series for each as the rest, whatever
 * anybody makes. Counters come from figures.c and never fall; the sum over all of a family's series is
 * what all streams have carried, those that have gone included.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "daemon/broker.h"
#include "daemon/closer.h"
#include "daemon/metrics.h"
#include "proto/hint.h"
#include "proto/layout.h"

#define STEP_LINES 2048u /* lines of writers looked at in one step, about */
#define REST	   "*" /* no stream can be called that */

/* ---- looking -------------------------------------------------------------------------------- */

void metrics_begin(struct broker *b)
{
	b->scraping.metrics = (struct metrics){ .running = true, .began_ns = bs_now() };
}

static void levels_add(struct levels *sum, const struct levels *l)
{
	sum->bytes += l->bytes;
	sum->capacity += l->capacity;
	sum->in_flight += l->in_flight;
	sum->writers += l->writers;
	sum->readers += l->readers;
	sum->stalled += l->stalled;
	if (l->stall_ns > sum->stall_ns)
		sum->stall_ns = l->stall_ns;
}

bool metrics_step(struct broker *b)
{
	struct metrics *m = &b->scraping.metrics;
	const struct sorted *names = &b->registry.names;
	size_t i = sorted_from(names, m->after);
	uint32_t cost = 0;

	if (i < names->n && names->cmp(m->after, names->items[i]) == 0)
		i++;
	for (; i < names->n && cost < STEP_LINES; i++) {
		struct stream *s = names->items[i];

		cost += 16 + 2 * s->sight.geo.max_writers;
		snprintf(m->after, sizeof(m->after), "%.200s", s->header.name);
		figures_look(&b->registry, s);
		if (s->label < 0)
			levels_add(&m->others, &s->levels);
	}
	m->running = i < names->n;
	return !m->running;
}

/* ---- text ----------------------------------------------------------------------------------- */

static void family(FILE *out, const char *name, const char *type, const char *unit,
		   const char *help)
{
	fprintf(out, "# TYPE %s %s\n", name, type);
	if (unit[0] != '\0')
		fprintf(out, "# UNIT %s %s\n", name, unit);
	fprintf(out, "# HELP %s %s\n", name, help);
}

static void gauge(FILE *out, const char *name, const char *unit, uint64_t value, const char *help)
{
	family(out, name, "gauge", unit, help);
	fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void counter(FILE *out, const char *name, uint64_t value, const char *help)
{
	family(out, name, "counter", "", help);
	fprintf(out, "%s_total %" PRIu64 "\n", name, value);
}

/* A label's value. Names have been checked when they were given; that they are harmless here does not
 * hang on it. */
static void label_value(FILE *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc((unsigned char)*value < 0x80 ? *value : '?', out);
	}
}

static void put_seconds(FILE *out, uint64_t ns)
{
	fprintf(out, "%" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000u, ns % 1000000000u);
}

static uint64_t messages_queued(const struct broker *b)
{
	uint64_t n = 0;

	for (size_t i = 0; i < b->post.names.n; i++)
		n += ((const struct mailbox *)b->post.names.items[i])->n_letters;
	return n;
}

static void broker_levels(FILE *out, const struct broker *b)
{
	family(out, "bstream_build", "info", "", "Versions of the broker.");
	fprintf(out, "bstream_build_info{version=\"%s\",wire=\"%u\",layout=\"%u\"} 1\n",
		PACKAGE_VERSION, BS_WIRE_VERSION, BS_LAYOUT_VERSION);
	family(out, "bstream_start_time_seconds", "gauge", "seconds",
	       "When the broker started, since the epoch: all its counters began then.");
	fprintf(out, "bstream_start_time_seconds ");
	put_seconds(out, b->scraping.started_ns);
	gauge(out, "bstream_streams", "", b->registry.names.n, "Streams that have a name.");
	gauge(out, "bstream_streams_limit", "", b->limits.max_streams,
	      "Streams that there may be.");
	gauge(out, "bstream_streams_named", "", b->registry.n_labelled,
	      "Streams that have series of their own; all others are in stream " REST ".");
	gauge(out, "bstream_memory_bytes", "bytes", b->registry.bytes,
	      "Shared memory of all streams.");
	gauge(out, "bstream_clients", "", b->n_clients, "Connections.");
	gauge(out, "bstream_clients_limit", "", b->limits.max_clients,
	      "Connections that there may be.");
	gauge(out, "bstream_clients_waiting", "", b->n_parked,
	      "Connections that wait for a name, or for room in a mailbox.");
	gauge(out, "bstream_mailboxes", "", b->post.names.n, "Mailboxes that are open.");
	gauge(out, "bstream_mailboxes_limit", "", b->limits.max_mailboxes,
	      "Mailboxes that there may be.");
	gauge(out, "bstream_messages_queued", "", messages_queued(b),
	      "Messages that wait in mailboxes.");
	gauge(out, "bstream_descriptors_closing", "", closer_pending(),
	      "Descriptors of clients that are still to be closed.");
}

static void broker_counters(FILE *out, const struct broker *b)
{
	static const char *const requests[BS_REQ_COUNT] = {
		[BS_REQ_CREATE] = "create",
		[BS_REQ_OPEN_WRITER] = "open_writer",
		[BS_REQ_OPEN_READER] = "open_reader",
		[BS_REQ_REMOVE] = "remove",
		[BS_REQ_EOF] = "eof",
		[BS_REQ_EXISTS] = "exists",
		[BS_REQ_LOOK] = "look",
		[BS_REQ_STAT] = "stat",
		[BS_REQ_LIST] = "list",
		[BS_REQ_BROKER] = "broker",
		[BS_REQ_STOP] = "stop",
		[BS_REQ_RESTORE] = "restore",
		[BS_REQ_MAILBOX_OPEN] = "mailbox_open",
		[BS_REQ_MAILBOX_EXISTS] = "mailbox_exists",
		[BS_REQ_SEND] = "send",
		[BS_REQ_WITHDRAW] = "withdraw",
		[BS_REQ_NEXT] = "next",
		[BS_REQ_MAILBOX_CLOSE] = "mailbox_close",
		[BS_REQ_METRICS] = "metrics",
		[BS_REQ_RULES] = "rules",
	};
	const struct tally *t = &b->tally;
	const struct {
		const char *why;
		uint64_t n;
	} refused[] = {
		{ "denied", t->denied },	 { "over_quota", t->over_quota },
		{ "unsealed", t->unsealed },	 { "malformed", t->malformed },
		{ "version", t->other_version },
	};

	counter(out, "bstream_connections", t->connections, "Connections that were taken.");
	counter(out, "bstream_connections_evicted", t->evicted,
		"Connections that had to leave for others.");
	family(out, "bstream_requests", "counter", "", "Requests, by what was asked.");
	for (int i = 0; i < BS_REQ_COUNT; i++)
		if (requests[i])
			fprintf(out, "bstream_requests_total{request=\"%s\"} %" PRIu64 "\n",
				requests[i], t->requests[i]);
	family(out, "bstream_refusals", "counter", "",
	       "Requests that were refused, by the reason.");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		fprintf(out, "bstream_refusals_total{reason=\"%s\"} %" PRIu64 "\n", refused[i].why,
			refused[i].n);
}

/* ---- users ---------------------------------------------------------------------------------- */

static void quotas(FILE *out, const struct broker *b)
{
	const struct accounts *a = &b->accounts;
	size_t n = a->by_uid.n, n_shown = n < METRICS_USERS ? n : METRICS_USERS;

	family(out, "bstream_quota_limit", "gauge", "",
	       "What one user may have, root excepted; +Inf: any number.");
	for (int q = 0; q < QUOTA_COUNT; q++) {
		fprintf(out, "bstream_quota_limit{quota=\"%s\"} ", quota_name(q));
		if (a->limits[q] == UINT64_MAX)
			fprintf(out, "+Inf\n");
		else
			fprintf(out, "%" PRIu64 "\n", a->limits[q]);
	}
	family(out, "bstream_quota_used", "gauge", "",
	       "What users have; those behind the first fifty in uid " REST ".");
	for (int q = 0; q < QUOTA_COUNT; q++) {
		uint64_t rest = 0;

		for (size_t i = 0; i < n_shown; i++)
			fprintf(out,
				"bstream_quota_used{uid=\"%" PRIu32 "\",quota=\"%s\"} %" PRIu64
				"\n",
				accounts_uid(a, i), quota_name(q),
				account_used(a, accounts_uid(a, i), q));
		for (size_t i = n_shown; i < n; i++)
			rest += account_used(a, accounts_uid(a, i), q);
		fprintf(out, "bstream_quota_used{uid=\"" REST "\",quota=\"%s\"} %" PRIu64 "\n",
			quota_name(q), rest);
	}
}

/* ---- streams -------------------------------------------------------------------------------- */

static const struct {
	const char *name, *unit, *help;
} counters[FIGURE_COUNT] = {
	[FIGURE_WRITTEN_CHUNKS] = { "bstream_stream_written_chunks", "chunks", "Chunks written." },
	[FIGURE_READ_CHUNKS] = { "bstream_stream_read_chunks", "chunks", "Chunks read." },
	[FIGURE_ABANDONED_CHUNKS] = { "bstream_stream_abandoned_chunks", "chunks",
				      "Chunks whose writer died before they were whole." },
	[FIGURE_WRITTEN_BYTES] = { "bstream_stream_written_bytes", "bytes", "Bytes written." },
	[FIGURE_READ_BYTES] = { "bstream_stream_read_bytes", "bytes", "Bytes read." },
	[FIGURE_WRITER_WAITS] = { "bstream_stream_writer_waits", "",
				  "Times a writer went to sleep for room." },
	[FIGURE_READER_WAITS] = { "bstream_stream_reader_waits", "",
				  "Times the reader went to sleep for a chunk." },
};

static void stream_sample(FILE *out, const char *metric, const char *suffix, const char *stream)
{
	fprintf(out, "%s%s{stream=\"", metric, suffix);
	label_value(out, stream);
	fputs("\"} ", out);
}

static void stream_counters(FILE *out, const struct broker *b)
{
	const struct registry *r = &b->registry;

	for (int f = 0; f < FIGURE_COUNT; f++) {
		family(out, counters[f].name, "counter", counters[f].unit, counters[f].help);
		for (uint32_t i = 0; i < r->n_labelled; i++) {
			const struct stream *s = r->labelled[i];

			stream_sample(out, counters[f].name, "_total", s->header.name);
			fprintf(out, "%" PRIu64 "\n", s->figures.n[f]);
		}
		stream_sample(out, counters[f].name, "_total", REST);
		fprintf(out, "%" PRIu64 "\n", r->others.n[f]);
	}
}

#define LEVEL(member) offsetof(struct levels, member)

static const struct {
	const char *name, *unit, *help;
	size_t at;
} stream_gauges[] = {
	{ "bstream_stream_memory_bytes", "bytes", "Shared memory.", LEVEL(bytes) },
	{ "bstream_stream_capacity_chunks", "chunks", "Chunks that it can hold.", LEVEL(capacity) },
	{ "bstream_stream_in_flight_chunks", "chunks", "Chunks in it.", LEVEL(in_flight) },
	{ "bstream_stream_writers", "", "Write ends that are open.", LEVEL(writers) },
	{ "bstream_stream_readers", "", "Read ends that are open.", LEVEL(readers) },
	{ "bstream_stream_stalled_writers", "",
	  "Writers that have waited for room for a second or longer.", LEVEL(stalled) },
};

static uint64_t level_of(const struct levels *l, size_t at)
{
	return *(const uint64_t *)((const char *)l + at);
}

static void stream_levels(FILE *out, const struct broker *b)
{
	const struct metrics *m = &b->scraping.metrics;
	const struct registry *r = &b->registry;

	for (size_t g = 0; g < sizeof(stream_gauges) / sizeof(stream_gauges[0]); g++) {
		const char *name = stream_gauges[g].name;

		family(out, name, "gauge", stream_gauges[g].unit, stream_gauges[g].help);
		for (uint32_t i = 0; i < r->n_labelled; i++) {
			stream_sample(out, name, "", r->labelled[i]->header.name);
			fprintf(out, "%" PRIu64 "\n",
				level_of(&r->labelled[i]->levels, stream_gauges[g].at));
		}
		stream_sample(out, name, "", REST);
		fprintf(out, "%" PRIu64 "\n", level_of(&m->others, stream_gauges[g].at));
	}
	family(out, "bstream_stream_stall_seconds", "gauge", "seconds",
	       "How long the writer that has waited longest for room has waited, from one second on.");
	for (uint32_t i = 0; i < r->n_labelled; i++) {
		stream_sample(out, "bstream_stream_stall_seconds", "", r->labelled[i]->header.name);
		put_seconds(out, r->labelled[i]->levels.stall_ns);
	}
	stream_sample(out, "bstream_stream_stall_seconds", "", REST);
	put_seconds(out, m->others.stall_ns);
}

/* ---- pages ---------------------------------------------------------------------------------- */

static bool page_write(FILE *out, const struct broker *b)
{
	broker_levels(out, b);
	broker_counters(out, b);
	quotas(out, b);
	stream_counters(out, b);
	stream_levels(out, b);
	fputs("# EOF\n", out);
	return !ferror(out);
}

struct metrics_page *metrics_page_new(const struct broker *b)
{
	struct metrics_page *page = calloc(1, sizeof(*page));
	FILE *out = page ? open_memstream(&page->text, &page->len) : NULL;
	bool whole = out && page_write(out, b);

	if (out && fclose(out) == 0 && whole) {
		page->n_readers = 1;
		return page;
	}
	if (page)
		free(page->text);
	free(page);
	return NULL;
}

void metrics_page_drop(struct metrics_page *page)
{
	if (!page || --page->n_readers > 0)
		return;
	free(page->text);
	free(page);
}
