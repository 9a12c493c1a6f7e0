/* SPDX-License-Identifier: MIT */
/* state.h - what a stream's numbers mean, in a word or two. */
#ifndef CLI_STATE_H
#define CLI_STATE_H

#include "bstream.h"
#include "table.h"

#include <stdbool.h>

/* Who is stuck at a stream, and for how long. */
struct stuck {
	uint32_t n_writers; /* waiting for room, or for the reader to take all */
	bool reader; /* waiting for a chunk */
	uint64_t writers_ns, reader_ns; /* the longest of these waits */
};

/* The word for a stream through which bytes go (@moving) or not. */
const char *state_word(const struct bstream_stat *stat, bool moving);
/* The colour of that word. */
enum table_color state_color(const struct bstream_stat *stat, bool moving);
/* Whether bytes can be moving at all: somebody writes, somebody reads. */
bool state_may_move(const struct bstream_stat *stat);

/* Adds one end to @stuck, which begins as zero. */
void state_count_end(struct stuck *stuck, const struct bstream_end *end);
/* What people should know beyond the table, or "". Returns @buf. */
const char *state_remark(char *buf, size_t size, const struct bstream_stat *stat,
			 const struct stuck *stuck);

/* How long an end has been waiting, in nanoseconds; 0 if it is not. */
uint64_t state_waited(const struct bstream_end *end);
/* What an end waits for, in words. */
const char *state_waits_for(const struct bstream_end *end);

#endif
