/* SPDX-License-Identifier: MIT */
/* listing.h - every stream there is, with its rate and who is stuck at it. */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include "bstream.h"
#include "columns.h"
#include "stuck.h"

struct listing_row {
	struct bstream_stat stat;
	uint64_t rate, chunk_rate; /* bytes, chunks a second that were read */
	bool moving; /* a chunk was written or read meanwhile */
	struct stuck stuck;
};

struct listing {
	size_t n_rows, rows_cap;
	struct listing_row *rows; /* in the order of their names */
};

/* What the columns show of @row, which is borrowed. */
struct column_look listing_row_look(const struct listing_row *row);
/* Whether @name matches one of @patterns, or there are none. */
bool listing_wants(int n_patterns, char *const *patterns, const char *name);

/*
 * Collects the streams that match one of @patterns, or all if there are none. With @measure it
 * looks twice, a tenth of a second apart, if any stream may be moving. Returns 0 or -errno; the
 * caller calls listing_fini in both cases.
 */
int listing_collect(struct listing *listing, int n_patterns, char *const *patterns, bool measure);
/* Looks into those streams where somebody may be stuck. */
void listing_find_stuck(struct listing *listing);
void listing_fini(struct listing *listing);

#endif
