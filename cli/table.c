/* SPDX-License-Identifier: MIT */
/*
 * table.c - owns the form of tables: two blanks between columns, no blanks at a line's end, colour
 * that takes no room.
 *
 * The last cell may be a sentence. At the end of a terminal it would be broken anywhere, so it goes to the
 * next line as a whole.
 *
 * Cells are ASCII (names are checked, commands made safe), so bytes are columns. A cell that could
 * not be stored is remembered and reported once, at the end.
 */
#include "config.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

void table_init(struct table *table, size_t n_columns)
{
	*table = (struct table){ .n_columns = n_columns };
}

void table_fini(struct table *table)
{
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	table->cells = NULL;
	table->n_cells = 0;
}

void table_add(struct table *table, const char *text, enum table_color color)
{
	char *copy = strdup(text);

	if (table->n_cells == table->cells_cap) {
		size_t cap = table->cells_cap ? 2 * table->cells_cap : 64;
		struct table_cell *cells = realloc(table->cells, cap * sizeof(*cells));

		if (cells) {
			table->cells = cells;
			table->cells_cap = cap;
		}
	}
	if (!copy || table->n_cells == table->cells_cap) {
		table->failed = true;
		free(copy);
		return;
	}
	table->cells[table->n_cells++] = (struct table_cell){ copy, color };
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		size_t len = strlen(table->cells[i].text);

		width = len > width ? len : width;
	}
	return width;
}

static void cell_print(const struct table_cell *cell, FILE *out, bool colored)
{
	static const char *const codes[] = {
		[TABLE_BOLD] = "1", [TABLE_RED] = "31", [TABLE_GREEN] = "32", [TABLE_YELLOW] = "33"
	};

	if (colored && cell->color != TABLE_PLAIN && *cell->text)
		fprintf(out, "\033[%sm%s\033[0m", codes[cell->color], cell->text);
	else
		fputs(cell->text, out);
}

size_t table_cols(int fd)
{
	struct winsize window;

	return ioctl(fd, TIOCGWINSZ, &window) < 0 ? 0 : window.ws_col;
}

/* Whether the last cell of a row ends within the line. */
static bool last_fits(const struct table *table, const struct table_cell *row, const size_t *widths)
{
	size_t last = table->n_columns - 1, at = 0;

	for (size_t i = 0; i < last; i++)
		at += widths[i] + 2;
	return at == 0 || table->cols == 0 || at + strlen(row[last].text) <= table->cols;
}

static void row_print(const struct table *table, const struct table_cell *row, const size_t *widths,
		      FILE *out, bool colored)
{
	size_t n = table->n_columns, pending = 0;
	bool fits = last_fits(table, row, widths);

	for (size_t i = 0; i < n; i++) {
		if (i == n - 1 && *row[i].text && !fits) {
			fputc('\n', out);
			pending = 4;
		}
		if (*row[i].text) {
			fprintf(out, "%*s", (int)pending, "");
			pending = 0;
		}
		cell_print(&row[i], out, colored);
		pending += widths[i] - strlen(row[i].text) + 2;
	}
	fputc('\n', out);
}

int table_print(const struct table *table, FILE *out, bool colored)
{
	size_t *widths;

	if (table->failed)
		return -ENOMEM;
	widths = calloc(table->n_columns, sizeof(*widths));
	if (!widths)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_columns; i++)
		widths[i] = column_width(table, i);
	for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
		row_print(table, table->cells + i, widths, out, colored);
	free(widths);
	return 0;
}
