/* SPDX-License-Identifier: MIT */
/* watch.h - streams looked at again and again: what moves, how fast, and who is stuck. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "listing.h"

struct watch_row {
	struct listing_row row;
	struct bstream_view *view; /* NULL: not ours to look into, or no descriptor is free */
	uint64_t looked_ns; /* CLOCK_MONOTONIC; 0: not yet */
	uint64_t bytes_then, chunks_then; /* read by then */
	bool listed; /* the broker named it just now */
};

/* Begins as zero, but for the first line. */
struct watch {
	int n_patterns;
	char *const *patterns; /* borrowed */

	size_t n_rows, rows_cap;
	struct watch_row *rows; /* in the order last asked for */
	int err; /* what the last look returned */
};

/*
 * Looks at everything anew. Returns 0, or -errno where the broker did not tell the names: then the
 * streams known so far are looked at. The caller calls watch_fini in any case.
 */
int watch_look(struct watch *watch);
/* Sorts by @column, and by name where that says nothing. */
void watch_sort(struct watch *watch, const struct column *column, bool reverse);
/* How many streams stand in the way of somebody, and how many move. */
size_t watch_n_stuck(const struct watch *watch);
size_t watch_n_moving(const struct watch *watch);
void watch_fini(struct watch *watch);

#endif
