/* SPDX-License-Identifier: MIT */
/*
 * stat.c - handles and streams in figures and in words. Only looks, but for finding out that a peer
 * has died, which any look may do.
 */
#include <stdio.h>
#include <string.h>

#include "lib/handle.h"
#include "lib/stat.h"

static_assert(BSTREAM_READER_NONE == BS_STAT_READER_NONE &&
		      BSTREAM_READER_OPEN == BS_STAT_READER_OPEN &&
		      BSTREAM_READER_PARKED == BS_STAT_READER_PARKED,
	      "same numbers on the wire");
static_assert(BSTREAM_ENDED == BS_STAT_ENDED && BSTREAM_BROKEN == BS_STAT_BROKEN &&
		      BSTREAM_LOST_WRITER == BS_STAT_LOST && BSTREAM_REMOVED == BS_STAT_REMOVED,
	      "same bits on the wire");
static_assert(sizeof(((struct bs_wire_stat *)0)->name) >= BSTREAM_NAME_MAX + 1, "a name fits");

int bs_stat_size_ok(size_t size)
{
	return size >= sizeof(struct bstream_stat) ? 0 : -EINVAL;
}

void bs_stat_export(struct bstream_stat *to, const struct bs_wire_stat *from)
{
	*to = (struct bstream_stat){
		.size = to->size,
		.capacity = from->capacity,
		.chunk_max = from->chunk_max,
		.max_writers = from->max_writers,
		.keep = from->keep,
		.mode = from->mode,
		.uid = from->uid,
		.gid = from->gid,
		.in_flight = from->in_flight,
		.writers = from->writers,
		.reader = from->reader,
		.flags = from->flags,
		.reader_pid = from->reader_pid,
		.writer_pid = from->writer_pid,
		.chunks_written = from->chunks_written,
		.chunks_read = from->chunks_read,
		.chunks_abandoned = from->chunks_abandoned,
		.bytes_written = from->bytes_written,
		.bytes_read = from->bytes_read,
		.writer_waits = from->writer_waits,
		.reader_waits = from->reader_waits,
		.created_ns = from->created_ns,
	};
	snprintf(to->name, sizeof(to->name), "%.200s", from->name);
}

static int hold_stat(const struct bs_hold *hold, struct bstream_stat *stat)
{
	struct bs_wire_stat wire;

	bs_sight_stat(&hold->sight, &hold->header, &wire);
	bs_stat_export(stat, &wire);
	return 0;
}

int bstream_writer_stat(const struct bstream_writer *w, struct bstream_stat *stat)
{
	int rc = bs_stat_size_ok(stat->size);

	if (rc < 0)
		return rc;
	if (bs_fork_stale(w->fork_stamp))
		return -ESTALE;
	if (bs_verdict_reader(&w->hold.sight))
		bs_verdict_wake_all(&w->hold.sight);
	return hold_stat(&w->hold, stat);
}

int bstream_reader_stat(const struct bstream_reader *r, struct bstream_stat *stat)
{
	int rc = bs_stat_size_ok(stat->size);

	if (rc < 0)
		return rc;
	if (bs_fork_stale(r->fork_stamp))
		return -ESTALE;
	if (bs_verdict_writers(&r->hold.sight))
		bs_verdict_wake_all(&r->hold.sight);
	return hold_stat(&r->hold, stat);
}

static int describe(const char *what, const struct bs_hold *hold, bool stale, char *buf,
		    size_t size)
{
	const char *name = hold->name[0] != '\0' ? hold->name : "(pair)";
	struct bs_wire_stat now;

	if (stale)
		return snprintf(buf, size, "%s(%s, -/%u chunks, stale)", what, name,
				hold->sight.geo.capacity);
	bs_sight_stat(&hold->sight, &hold->header, &now);
	const char *state = now.flags & BS_STAT_BROKEN	? "broken"
			    : now.flags & BS_STAT_ENDED ? "ended"
							: "open";
	return snprintf(buf, size, "%s(%s, %u/%u chunks, %s)", what, name, now.in_flight,
			now.capacity, state);
}

int bstream_writer_describe(const struct bstream_writer *w, char *buf, size_t size)
{
	return describe("bstream_writer", &w->hold, bs_fork_stale(w->fork_stamp), buf, size);
}

int bstream_reader_describe(const struct bstream_reader *r, char *buf, size_t size)
{
	return describe("bstream_reader", &r->hold, bs_fork_stale(r->fork_stamp), buf, size);
}
