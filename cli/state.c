/* SPDX-License-Identifier: MIT */
/*
 * state.c - owns the words for what a stream is and who is stuck at it.
 *
 * The words are part of the interface (STATE of ls, "state" of --json) and stand in the man page:
 *	new      nobody has written to it yet    flowing  bytes went through it just now
 *	idle     all read, writers may write on   waiting  chunks wait for somebody to read them
 *	full     capacity chunks wait            ended    every writer closed, chunks may be left
 *	died     ended, but a writer died        broken   the reader is gone
 */
#include "config.h"
#include "state.h"
#include "units.h"

#include <inttypes.h>
#include <stdio.h>

#define STUCK_NS UINT64_C(1000000000) /* a shorter wait is the flow of things */

const char *state_word(const struct bstream_stat *stat, bool moving)
{
	if (stat->flags & BSTREAM_BROKEN)
		return "broken";
	if (stat->flags & BSTREAM_ENDED)
		return stat->flags & BSTREAM_LOST_WRITER ? "died" : "ended";
	if (moving)
		return "flowing";
	if (stat->in_flight >= stat->capacity)
		return "full";
	if (stat->in_flight > 0)
		return "waiting";
	return stat->chunks_written == 0 && stat->writers == 0 ? "new" : "idle";
}

enum table_color state_color(const struct bstream_stat *stat, bool moving)
{
	if (stat->flags & BSTREAM_BROKEN)
		return TABLE_RED;
	if (stat->flags & BSTREAM_ENDED)
		return stat->flags & BSTREAM_LOST_WRITER ? TABLE_RED : TABLE_PLAIN;
	if (moving)
		return TABLE_GREEN;
	return stat->in_flight >= stat->capacity ? TABLE_YELLOW : TABLE_PLAIN;
}

bool state_may_move(const struct bstream_stat *stat)
{
	return stat->reader == BSTREAM_READER_OPEN && (stat->writers > 0 || stat->in_flight > 0);
}

uint64_t state_waited(const struct bstream_end *end)
{
	uint64_t now = units_now();

	if (end->waits_for == BSTREAM_WAITS_NOT || !end->waits_since_ns ||
	    end->waits_since_ns > now)
		return 0;
	return now - end->waits_since_ns;
}

const char *state_waits_for(const struct bstream_end *end)
{
	switch (end->waits_for) {
	case BSTREAM_WAITS_ITEMS:
		return "a chunk";
	case BSTREAM_WAITS_ROOM:
		return "room";
	case BSTREAM_WAITS_DRAIN:
		return "the reader to take all";
	default:
		return "nothing";
	}
}

void state_count_end(struct stuck *stuck, const struct bstream_end *end)
{
	uint64_t waited = state_waited(end);

	if (end->waits_for == BSTREAM_WAITS_NOT)
		return;
	if (end->kind == BSTREAM_END_READER) {
		stuck->reader = true;
		stuck->reader_ns = waited;
		return;
	}
	stuck->n_writers++;
	if (waited > stuck->writers_ns)
		stuck->writers_ns = waited;
}

const char *state_remark(char *buf, size_t size, const struct bstream_stat *stat,
			 const struct stuck *stuck)
{
	bool nobody_reads = stat->reader != BSTREAM_READER_OPEN;
	const char *died = stat->flags & BSTREAM_LOST_WRITER ? "a writer died" : "";
	char waited[UNITS_MAX];

	if (stuck->n_writers > 0 && (nobody_reads || stuck->writers_ns >= STUCK_NS))
		snprintf(buf, size, "%" PRIu32 " writer%s blocked %s%s%s%s", stuck->n_writers,
			 stuck->n_writers == 1 ? "" : "s",
			 units_print_time(waited, stuck->writers_ns),
			 nobody_reads ? ", no reader" : "", *died ? ", " : "", died);
	else if (stuck->reader && stuck->reader_ns >= STUCK_NS)
		snprintf(buf, size, "reader waits %s%s%s%s",
			 units_print_time(waited, stuck->reader_ns),
			 stat->writers == 0 ? ", no writer" : "", *died ? ", " : "", died);
	else
		snprintf(buf, size, "%s", died);
	return buf;
}
