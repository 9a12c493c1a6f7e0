/* SPDX-License-Identifier: MIT */
/* table.h - tables for people: columns as wide as they need to be. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum table_color { TABLE_PLAIN, TABLE_BOLD, TABLE_RED, TABLE_GREEN, TABLE_YELLOW };

struct table_cell {
	char *text;
	enum table_color color;
};

struct table {
	size_t n_columns;
	size_t n_cells, cells_cap;
	struct table_cell *cells; /* row by row */
	bool failed; /* there was no memory for a cell */
	size_t cols; /* of the terminal; 0: what is written has no width */
};

void table_init(struct table *table, size_t n_columns);
void table_fini(struct table *table);
/* Adds the next cell, left to right, row by row; @text is copied. */
void table_add(struct table *table, const char *text, enum table_color color);
/* How wide the terminal is that @fd is; 0 if it is none. */
size_t table_cols(int fd);
/* Prints it all; a last cell that does not fit into the terminal gets a line of its own. Returns 0, or -ENOMEM if a cell is missing; then nothing was printed. */
int table_print(const struct table *table, FILE *out, bool colored);

#endif
