/* SPDX-License-Identifier: MIT */
/*
 * state.c - owns the words for what a stream is; who is stuck at it, and why, is stuck.c's.
 *
 * The words are part of the interface (STATE of ls, "state" of --json) and stand in the man page:
 *	new      nobody has written to it yet    flowing  bytes went through it just now
 *	idle     all read, writers may write on   waiting  chunks wait for somebody to read them
 *	full     capacity chunks wait            ended    every writer closed, chunks may be left
 *	died     ended, but a writer died        broken   the reader is gone
 */
#include "config.h"
#include "state.h"

#include <string.h>

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

unsigned state_urgency(const struct bstream_stat *stat, bool moving)
{
	static const char *const by_urgency[] = { "new",     "idle", "ended",  "flowing",
						  "waiting", "full", "broken", "died" };
	const char *word = state_word(stat, moving);
	unsigned n = 0;

	while (strcmp(by_urgency[n], word) != 0)
		n++;
	return n;
}

bool state_may_move(const struct bstream_stat *stat)
{
	return stat->reader == BSTREAM_READER_OPEN && (stat->writers > 0 || stat->in_flight > 0);
}
