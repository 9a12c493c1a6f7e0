/* SPDX-License-Identifier: MIT */
/* stuck.h - who is stuck at a stream, since when, and because of whom: in one sentence. */
#ifndef CLI_STUCK_H
#define CLI_STUCK_H

#include "bstream.h"
#include "table.h"
#include "who.h"

#include <stdbool.h>
#include <stddef.h>

#define STUCK_MAX 256 /* bytes that hold any sentence made here */

/* What the ends of a stream are about; begins as zero. */
struct stuck {
	uint32_t n_writers; /* ends that were seen */
	uint32_t n_blocked; /* writers waiting for room, or for the reader to take all */
	uint64_t blocked_ns; /* the longest of these waits */
	uint32_t n_halted; /* writers that wait for nothing here, and whose process is halted */
	int32_t halted_pid; /* the first of them */
	enum who_doing halted_doing;
	bool reader; /* somebody has the read end */
	int32_t reader_pid; /* 0: it is between two processes */
	enum who_doing reader_doing;
	bool reader_waits; /* for a chunk */
	uint64_t reader_ns; /* for how long */
};

/* Looks at one end, in the order in which bstream_view_ends shows them: the reader's first. */
void stuck_add(struct stuck *stuck, const struct bstream_end *end);
/* As stuck_add, for every end of @view. */
void stuck_look(struct stuck *stuck, struct bstream_view *view);

/*
 * Who waits for whom, and how long: what people should know beyond a table's row, or "" where all
 * flows as it should. Returns @buf.
 */
const char *stuck_say(char buf[STUCK_MAX], const struct bstream_stat *stat,
		      const struct stuck *stuck);
/* Whether somebody is held up at it, beyond a reader for whom nobody has written anything yet. */
bool stuck_is(const struct bstream_stat *stat, const struct stuck *stuck);
/* The colour of what stuck_say says: red where nothing goes on before somebody does something. */
enum table_color stuck_color(const struct bstream_stat *stat, const struct stuck *stuck);
/* As stuck_say; says also why a stream rests at which nobody is stuck. */
const char *stuck_explain(char buf[STUCK_MAX], const struct bstream_stat *stat,
			  const struct stuck *stuck);

/* The longest wait that stuck_say would name, in nanoseconds. */
uint64_t stuck_longest(const struct stuck *stuck);
/* How long an end has been waiting, in nanoseconds; 0 if it is not. */
uint64_t stuck_waited(const struct bstream_end *end);
/* What an end waits for, in words. */
const char *stuck_waits_for(const struct bstream_end *end);

#endif
