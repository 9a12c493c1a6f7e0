/* SPDX-License-Identifier: MIT */
/* columns.h - what can stand in a row about a stream: for ls and top. */
#ifndef CLI_COLUMNS_H
#define CLI_COLUMNS_H

#include "bstream.h"

#include <stdbool.h>
#include <stddef.h>

#define COLUMN_CELL_MAX 256 /* bytes that hold any cell */

/* What is known of one stream. */
struct column_look {
	const struct bstream_stat *stat; /* borrowed */
	uint64_t rate; /* bytes a second that were read */
	uint64_t chunk_rate; /* chunks a second that were read */
	uint64_t longest_ns; /* the longest wait at it */
	bool moving; /* a chunk was written or read meanwhile */
};

struct column {
	const char *heading;
	void (*print)(char cell[COLUMN_CELL_MAX], const struct column_look *look);
	/* What to sort by: less, equal, greater than 0 when @a comes before @b. */
	int (*compare)(const struct column_look *a, const struct column_look *b);
	bool measured; /* needs a second look at streams that may be moving */
};

/* The column whose heading is the first @len bytes of @name, in any case; or NULL. */
const struct column *column_find(const char *name, size_t len);
/* Every column, in the order of help; *@np receives how many. */
const struct column *column_all(size_t *np);

#endif
