/* SPDX-License-Identifier: MIT */
/*
 * listing.c - owns the collection of all streams: filter, second look, rates.
 *
 * A rate needs two looks, and a person who asks "what is going on" wants the rate of now, not of a
 * stream's whole life. So the list is asked for again after SAMPLE_MS, but only when something can
 * be moving. The time between is that of the two answers. verb_ls.c uses it.
 */
#include "config.h"
#include "listing.h"
#include "state.h"
#include "units.h"

#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_MS 100

struct collecting {
	struct listing *listing;
	int n_patterns;
	char *const *patterns;
};

struct column_look listing_row_look(const struct listing_row *row)
{
	return (struct column_look){ &row->stat, row->rate, row->chunk_rate,
				     stuck_longest(&row->stuck), row->moving };
}

bool listing_wants(int n_patterns, char *const *patterns, const char *name)
{
	for (int i = 0; i < n_patterns; i++)
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	return n_patterns == 0;
}

static int on_stream(const struct bstream_stat *stat, void *arg)
{
	struct collecting *c = arg;
	struct listing *listing = c->listing;

	if (!listing_wants(c->n_patterns, c->patterns, stat->name))
		return 0;
	if (listing->n_rows == listing->rows_cap) {
		size_t cap = listing->rows_cap ? 2 * listing->rows_cap : 16;
		struct listing_row *rows = realloc(listing->rows, cap * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		listing->rows = rows;
		listing->rows_cap = cap;
	}
	listing->rows[listing->n_rows++] = (struct listing_row){ .stat = *stat };
	return 0;
}

static int row_compare(const void *a, const void *b)
{
	return strcmp(((const struct listing_row *)a)->stat.name,
		      ((const struct listing_row *)b)->stat.name);
}

static bool listing_may_move(const struct listing *listing)
{
	for (size_t i = 0; i < listing->n_rows; i++)
		if (state_may_move(&listing->rows[i].stat))
			return true;
	return false;
}

/* What went through the stream between its two looks. */
static void row_measure(struct listing_row *row, const struct listing_row *before, uint64_t ns)
{
	/* The name may have been given to a new stream meanwhile. */
	if (row->stat.created_ns != before->stat.created_ns)
		return;
	if (row->stat.bytes_read > before->stat.bytes_read)
		row->rate = units_per_second(row->stat.bytes_read - before->stat.bytes_read, ns);
	if (row->stat.chunks_read > before->stat.chunks_read)
		row->chunk_rate =
			units_per_second(row->stat.chunks_read - before->stat.chunks_read, ns);
	row->moving = row->stat.chunks_read != before->stat.chunks_read;
}

static int listing_measure(struct listing *listing, struct collecting *c, uint64_t since)
{
	struct listing before = *listing;
	int r;

	*listing = (struct listing){ 0 };
	poll(NULL, 0, SAMPLE_MS);
	r = bstream_list(on_stream, c);
	for (size_t i = 0; r == 0 && i < listing->n_rows; i++) {
		struct listing_row *row = &listing->rows[i];
		const struct listing_row *old = before.n_rows
							? bsearch(row, before.rows, before.n_rows,
								  sizeof(*row), row_compare)
							: NULL;

		if (old)
			row_measure(row, old, units_now() - since);
	}
	listing_fini(&before);
	return r;
}

int listing_collect(struct listing *listing, int n_patterns, char *const *patterns, bool measure)
{
	struct collecting c = { listing, n_patterns, patterns };
	uint64_t since;
	int r;

	*listing = (struct listing){ 0 };
	r = bstream_list(on_stream, &c);
	since = units_now();
	if (r < 0 || !measure || !listing_may_move(listing))
		return r;
	return listing_measure(listing, &c, since);
}

void listing_find_stuck(struct listing *listing)
{
	for (size_t i = 0; i < listing->n_rows; i++) {
		struct listing_row *row = &listing->rows[i];
		struct bstream_view *view;

		if (row->moving || (!row->stat.writers && row->stat.reader != BSTREAM_READER_OPEN))
			continue;
		if (bstream_view_open(row->stat.name, &view) < 0)
			continue; /* it went meanwhile, or is not ours to look into */
		stuck_look(&row->stuck, view);
		bstream_view_close(view);
	}
}

void listing_fini(struct listing *listing)
{
	free(listing->rows);
	*listing = (struct listing){ 0 };
}
