/* SPDX-License-Identifier: MIT */
/*
 * figures.h - what streams have carried, as far as the broker believes it: counters that never fall
 * while it lives, whatever is written into a segment. A hundred streams have figures under their own
 * name; the others, and those that have gone, are summed in one row.
 */
#ifndef BSTREAMD_FIGURES_H
#define BSTREAMD_FIGURES_H

#include <stdint.h>

#define FIGURES_NAMED	 100u /* streams with figures under their own name, at most … */
#define FIGURES_PER_USER 25u /* … of one user who is not the broker's own */

struct registry;
struct stream;

enum figure {
	FIGURE_WRITTEN_CHUNKS,
	FIGURE_READ_CHUNKS,
	FIGURE_ABANDONED_CHUNKS,
	FIGURE_WRITTEN_BYTES,
	FIGURE_READ_BYTES,
	FIGURE_WRITER_WAITS,
	FIGURE_READER_WAITS,
	FIGURE_COUNT,
};

struct figures {
	uint64_t n[FIGURE_COUNT];
	uint64_t seen_ns; /* when they were looked at last; 0: never, and it may be old */
};

/* How it is now: not counters. */
struct levels {
	uint64_t bytes, capacity;
	uint64_t in_flight, writers, readers;
	uint64_t stalled; /* writers that have waited for room for a second or longer */
	uint64_t stall_ns; /* how long the longest of them has waited */
};

/* A stream has come into the registry: may it be shown by name? For as long as it is there. */
void figures_begin(struct registry *r, struct stream *s);

/* It was made just now: it cannot have carried anything yet. */
void figures_are_fresh(struct stream *s);

/* Look at it: note its levels, and count what was added. */
void figures_look(struct registry *r, struct stream *s);

/* Its name goes: look once more, and count it among the others. */
void figures_end(struct registry *r, struct stream *s);

/* Add, and stay at the largest number there is. */
static inline uint64_t figures_sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

#endif
