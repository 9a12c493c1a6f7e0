/* SPDX-License-Identifier: MIT */
/*
 * watch.c - owns what top knows between two looks: a view of each stream, and its figures before.
 *
 * The broker is asked for names, and once for each new name for a view; the figures come from the
 * segments, which are mapped for reading, without an end and without a lock. So looking costs nobody
 * else anything, and it goes on while the broker is away.
 */
#include "config.h"
#include "watch.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The names the broker has, each with its stream's numbers. */
struct names {
	struct watch *watch;
	size_t n, cap;
	struct bstream_stat *stats;
};

static int on_name(const struct bstream_stat *stat, void *arg)
{
	struct names *names = arg;

	if (!listing_wants(names->watch->n_patterns, names->watch->patterns, stat->name))
		return 0;
	if (names->n == names->cap) {
		size_t cap = names->cap ? 2 * names->cap : 16;
		struct bstream_stat *stats = realloc(names->stats, cap * sizeof(*stats));

		if (!stats)
			return -ENOMEM;
		names->stats = stats;
		names->cap = cap;
	}
	names->stats[names->n++] = *stat;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct watch_row *)a)->row.stat.name,
		      ((const struct watch_row *)b)->row.stat.name);
}

/* A row of this name and this very stream: a name may have been given to another one meanwhile. */
static struct watch_row *row_find(struct watch *watch, const struct bstream_stat *stat)
{
	struct watch_row key = { .row.stat = *stat };
	struct watch_row *found = NULL;

	if (watch->n_rows > 0)
		found = bsearch(&key, watch->rows, watch->n_rows, sizeof(key), compare_names);
	return found && found->row.stat.created_ns == stat->created_ns ? found : NULL;
}

static int row_append(struct watch *watch, const struct bstream_stat *stat)
{
	if (watch->n_rows == watch->rows_cap) {
		size_t cap = watch->rows_cap ? 2 * watch->rows_cap : 16;
		struct watch_row *rows = realloc(watch->rows, cap * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		watch->rows = rows;
		watch->rows_cap = cap;
	}
	watch->rows[watch->n_rows++] = (struct watch_row){ .row.stat = *stat, .listed = true };
	return 0;
}

/* Marks what is known, drops what is gone, adds what is new. Returns 0 or -errno. */
static int names_apply(const struct names *names)
{
	struct watch *watch = names->watch;
	size_t n_known = 0, n_new = 0;
	int r = 0;

	if (watch->n_rows > 0)
		qsort(watch->rows, watch->n_rows, sizeof(*watch->rows), compare_names);
	for (size_t i = 0; i < names->n; i++) {
		struct watch_row *row = row_find(watch, &names->stats[i]);

		if (!row) {
			names->stats[n_new++] = names->stats[i];
			continue;
		}
		row->listed = true;
		if (!row->view)
			row->row.stat = names->stats[i];
	}
	for (size_t i = 0; i < watch->n_rows; i++) {
		if (watch->rows[i].listed)
			watch->rows[n_known++] = watch->rows[i];
		else
			bstream_view_close(watch->rows[i].view);
	}
	watch->n_rows = n_known;
	for (size_t i = 0; i < n_new && r == 0; i++)
		r = row_append(watch, &names->stats[i]);
	return r;
}

/* Asks the broker which streams there are. Returns 0 or -errno. */
static int watch_names(struct watch *watch)
{
	struct names names = { .watch = watch };
	int r = bstream_list(on_name, &names);

	if (r == 0) {
		for (size_t i = 0; i < watch->n_rows; i++)
			watch->rows[i].listed = false;
		r = names_apply(&names);
	}
	free(names.stats);
	return r;
}

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static void row_look(struct watch_row *w)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	uint64_t now, ns;

	if (!w->view && bstream_view_open(w->row.stat.name, &w->view) < 0)
		w->view = NULL;
	now = units_now();
	ns = w->looked_ns ? now - w->looked_ns : 0;
	if (w->view && bstream_view_stat(w->view, &stat) == 0)
		w->row.stat = stat;
	w->row.rate = units_per_second(grown(w->row.stat.bytes_read, w->bytes_then), ns);
	w->row.chunk_rate = units_per_second(grown(w->row.stat.chunks_read, w->chunks_then), ns);
	w->row.moving = ns > 0 && w->row.stat.chunks_read != w->chunks_then;
	w->row.stuck = (struct stuck){ 0 };
	if (w->view && !w->row.moving)
		stuck_look(&w->row.stuck, w->view);
	w->looked_ns = now;
	w->bytes_then = w->row.stat.bytes_read;
	w->chunks_then = w->row.stat.chunks_read;
}

int watch_look(struct watch *watch)
{
	watch->err = watch_names(watch);
	for (size_t i = 0; i < watch->n_rows; i++)
		row_look(&watch->rows[i]);
	return watch->err;
}

/* qsort has no place for these. */
static const struct column *sort_column;
static bool sort_reverse;

static int compare_rows(const void *a, const void *b)
{
	const struct column_look look_a = listing_row_look(&((const struct watch_row *)a)->row);
	const struct column_look look_b = listing_row_look(&((const struct watch_row *)b)->row);
	int order = sort_column->compare(&look_a, &look_b);

	if (order != 0)
		return sort_reverse ? -order : order;
	return strcmp(look_a.stat->name, look_b.stat->name);
}

void watch_sort(struct watch *watch, const struct column *column, bool reverse)
{
	sort_column = column;
	sort_reverse = reverse;
	if (watch->n_rows > 1)
		qsort(watch->rows, watch->n_rows, sizeof(*watch->rows), compare_rows);
}

size_t watch_n_stuck(const struct watch *watch)
{
	size_t n = 0;

	for (size_t i = 0; i < watch->n_rows; i++)
		n += stuck_is(&watch->rows[i].row.stat, &watch->rows[i].row.stuck);
	return n;
}

size_t watch_n_moving(const struct watch *watch)
{
	size_t n = 0;

	for (size_t i = 0; i < watch->n_rows; i++)
		n += watch->rows[i].row.moving;
	return n;
}

void watch_fini(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_rows; i++)
		bstream_view_close(watch->rows[i].view);
	free(watch->rows);
	watch->rows = NULL;
	watch->n_rows = watch->rows_cap = 0;
}
