/* SPDX-License-Identifier: MIT */
/*
 * sight.c - a stream in numbers, for whoever may look. Only reads; figures may be a few chunks
 * apart. Nothing is decided from them.
 */
#include <stdio.h>

#include "proto/atomic.h"
#include "proto/end.h"
#include "proto/verdict.h"
#include "proto/wire.h"

static bool writer_there(const struct bs_sight *s, uint32_t place)
{
	uint64_t byte = BS_BYTE_WRITERS + place;

	if ((owner_look(&s->g->writers[place].owner) & BS_END_STATE) == BS_END_FREE)
		return false;
	return byte == s->own_byte || bs_end_held(s->fd, byte, 1) != 0;
}

static void stat_writers(const struct bs_sight *s, struct bs_wire_stat *stat)
{
	struct bs_segment *g = s->g;

	stat->chunks_written = figure_load(&g->totals.chunks);
	stat->bytes_written = figure_load(&g->totals.bytes);
	stat->writer_waits = figure_load(&g->totals.waits);
	for (uint32_t i = 0; i < s->geo.max_writers; i++) {
		struct bs_writer_line *l = &g->writers[i];

		stat->writers += writer_there(s, i);
		stat->chunks_written += figure_load(&l->chunks);
		stat->bytes_written += figure_load(&l->bytes);
		stat->writer_waits += figure_load(&l->waits);
	}
	if (stat->writers > 0)
		stat->writer_pid = figure_load(&g->totals.last_pid);
}

static uint32_t in_flight(const struct bs_sight *s)
{
	uint64_t peer_head = head_look(s->g);
	uint64_t peer_tail = tail_look(s->g);
	int64_t n = (int64_t)(peer_tail - peer_head);

	if (n < 0)
		return 0;
	return (uint64_t)n < s->geo.capacity ? (uint32_t)n : s->geo.capacity;
}

static void stat_words(const struct bs_sight *s, struct bs_wire_stat *stat)
{
	uint64_t peer_writers = word_look(&s->g->verdicts.writers);
	uint64_t peer_reader = word_look(&s->g->verdicts.reader);

	if (peer_writers & BS_W_ENDED)
		stat->flags |= BS_STAT_ENDED;
	if (peer_writers & BS_W_LOST)
		stat->flags |= BS_STAT_LOST;
	if (peer_writers & BS_W_REMOVED)
		stat->flags |= BS_STAT_REMOVED;
	switch (peer_reader & BS_R_STATE) {
	case BS_R_OPEN:
		stat->reader = BS_STAT_READER_OPEN;
		stat->reader_pid = figure_load(&s->g->reader.pid);
		break;
	case BS_R_PARKED:
		stat->reader = BS_STAT_READER_PARKED;
		break;
	default:
		stat->flags |= BS_STAT_BROKEN;
	}
}

void bs_sight_stat(const struct bs_sight *s, const struct bs_header *header,
		   struct bs_wire_stat *stat)
{
	*stat = (struct bs_wire_stat){
		.capacity = s->geo.capacity,
		.chunk_max = s->geo.chunk_max,
		.max_writers = s->geo.max_writers,
		.keep = s->geo.keep,
		.flags = s->geo.flags,
		.mode = header->mode,
		.uid = header->uid,
		.gid = header->gid,
		.created_ns = header->created_ns,
		.in_flight = in_flight(s),
		.chunks_read = figure_load(&s->g->reader.chunks),
		.bytes_read = figure_load(&s->g->reader.bytes),
		.chunks_abandoned = figure_load(&s->g->reader.abandoned),
		.reader_waits = figure_load(&s->g->reader.waits),
	};
	snprintf(stat->name, sizeof(stat->name), "%.200s", header->name);
	stat_words(s, stat);
	stat_writers(s, stat);
}

void bs_sight_stalls(const struct bs_sight *s, uint64_t now, uint64_t least_ns,
		     struct bs_stalls *stalls)
{
	*stalls = (struct bs_stalls){ 0 };
	for (uint32_t i = 0; i < s->geo.max_writers; i++) {
		struct bs_writer_line *l = &s->g->writers[i];
		uint32_t peer_waits_for = figure_load(&l->waits_for);
		uint64_t peer_since = figure_load(&l->waits_since_ns);

		if (peer_waits_for != BS_WAITS_ROOM || peer_since == 0 || peer_since > now ||
		    now - peer_since < least_ns || !writer_there(s, i))
			continue;
		stalls->n++;
		if (now - peer_since > stalls->longest_ns)
			stalls->longest_ns = now - peer_since;
	}
}
