/* SPDX-License-Identifier: MIT */
/*
 * figures.c - owns each stream's figures, and the sum of those that are not shown by name.
 *
 * Whoever has an end can write any number into a segment. Each is loaded once (proto/sight.c), and
 * counts as far as it is above what it was, and not above what can have happened since: no stream
 * carries more than a chunk, or a thousand bytes, in a nanosecond, and none is older than the
 * machine's last start. So a counter never falls, and who scribbles cannot spoil the sum for good.
 */
#include <unistd.h>

#include "daemon/figures.h"
#include "daemon/registry.h"
#include "proto/hint.h"

#define BYTES_PER_NS 1000u
#define STALL_NS     BS_MS(1000)

static bool may_be_named(const struct registry *r, uid_t uid)
{
	uint32_t n = 0;

	if (r->n_labelled >= FIGURES_NAMED)
		return false;
	if (uid == geteuid())
		return true;
	for (uint32_t i = 0; i < r->n_labelled; i++)
		n += r->labelled[i]->header.uid == uid;
	return n < FIGURES_PER_USER;
}

void figures_begin(struct registry *r, struct stream *s)
{
	s->label = -1;
	if (!may_be_named(r, s->header.uid))
		return;
	s->label = (int)r->n_labelled;
	r->labelled[r->n_labelled++] = s;
}

void figures_are_fresh(struct stream *s)
{
	s->figures.seen_ns = bs_now();
}

/* What may be counted of a figure that was @last, and is said to be @peer: as much as can be new. */
static uint64_t figure_check(uint64_t last, uint64_t peer, uint64_t most)
{
	if (peer <= last)
		return 0;
	return peer - last < most ? peer - last : most;
}

static void figure_take(struct registry *r, struct stream *s, enum figure f, uint64_t peer,
			uint64_t most)
{
	uint64_t more = figure_check(s->figures.n[f], peer, most);

	s->figures.n[f] += more;
	if (s->label < 0)
		r->others.n[f] = figures_sum(r->others.n[f], more);
}

void figures_look(struct registry *r, struct stream *s)
{
	uint64_t now = bs_now(), chunks = now - s->figures.seen_ns, bytes;
	struct bs_wire_stat peer;
	struct bs_stalls peer_stalls;

	stream_stat(s, &peer);
	stream_stalls(s, now, STALL_NS, &peer_stalls);
	s->levels = (struct levels){ 0 };
	if (stream_is_ruined(s))
		return;
	if (__builtin_mul_overflow(chunks, (uint64_t)BYTES_PER_NS, &bytes))
		bytes = UINT64_MAX;
	s->figures.seen_ns = now;
	figure_take(r, s, FIGURE_WRITTEN_CHUNKS, peer.chunks_written, chunks);
	figure_take(r, s, FIGURE_READ_CHUNKS, peer.chunks_read, chunks);
	figure_take(r, s, FIGURE_ABANDONED_CHUNKS, peer.chunks_abandoned, chunks);
	figure_take(r, s, FIGURE_WRITTEN_BYTES, peer.bytes_written, bytes);
	figure_take(r, s, FIGURE_READ_BYTES, peer.bytes_read, bytes);
	figure_take(r, s, FIGURE_WRITER_WAITS, peer.writer_waits, chunks);
	figure_take(r, s, FIGURE_READER_WAITS, peer.reader_waits, chunks);
	s->levels = (struct levels){
		.bytes = s->sight.geo.size,
		.capacity = s->sight.geo.capacity,
		.in_flight = peer.in_flight,
		.writers = peer.writers,
		.readers = peer.reader == BS_STAT_READER_OPEN,
		.stalled = peer_stalls.n,
		.stall_ns = peer_stalls.longest_ns,
	};
}

void figures_end(struct registry *r, struct stream *s)
{
	figures_look(r, s);
	if (s->label < 0)
		return;
	for (int f = 0; f < FIGURE_COUNT; f++)
		r->others.n[f] = figures_sum(r->others.n[f], s->figures.n[f]);
	r->labelled[s->label] = r->labelled[--r->n_labelled];
	r->labelled[s->label]->label = s->label;
	s->label = -1;
}
