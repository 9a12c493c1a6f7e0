/* SPDX-License-Identifier: MIT */
/*
 * verb_ls.c - owns the verb ls: the streams there are, as a table or as objects.
 *
 * Which columns there are is columns.c's; -o chooses among them.
 */
#include "config.h"
#include "bstream.h"
#include "color.h"
#include "columns.h"
#include "json_line.h"
#include "listing.h"
#include "outcome.h"
#include "say.h"
#include "state.h"
#include "table.h"
#include "verb.h"

#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX	32
#define COLUMNS_DEFAULT "NAME,STATE,FILL,CHUNKS,RATE,WRITERS,READER,AGE"

static struct {
	const char *columns;
	bool no_headings;
} ls = { .columns = COLUMNS_DEFAULT };

static const struct option_row ls_options[] = {
	{ .name = "columns",
	  .letter = 'o',
	  .kind = OPTION_TEXT,
	  .arg = "COLS",
	  .to = &ls.columns,
	  .help = "print these, split by commas: NAME STATE FILL CHUNKS RATE WRITERS\n"
		  "READER AGE, and BYTES READ CHUNKS/S BLOCKED CHUNK-MAX MODE USER\n"
		  "KEEP WAITS" },
	{ .name = "no-headings", .to = &ls.no_headings, .help = "print no headings" },
	{ 0 },
};

/* Takes -o apart. Returns how many columns, or 0 after having said what is wrong. */
static size_t columns_choose(const struct column *chosen[COLUMNS_MAX])
{
	const char *at = ls.columns;
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(at, ",");
		const struct column *column = column_find(at, len);
		char safe[COLUMN_CELL_MAX];

		if (!column || n == COLUMNS_MAX) {
			say_usage("-o", "no column '%s' (see bstreamctl ls --help)",
				  say_safely(safe,
					     len + 1 < COLUMN_CELL_MAX ? len + 1 : COLUMN_CELL_MAX,
					     at));
			return 0;
		}
		chosen[n++] = column;
		if (!at[len])
			return n;
		at += len + 1;
	}
}

static void row_add(struct table *table, const struct listing_row *row,
		    const struct column *const *chosen, size_t n_chosen)
{
	const struct column_look look = listing_row_look(row);
	char cell[COLUMN_CELL_MAX], why[STUCK_MAX];

	for (size_t i = 0; i < n_chosen; i++) {
		enum table_color color = TABLE_PLAIN;

		if (!strcmp(chosen[i]->heading, "STATE"))
			color = state_color(&row->stat, row->moving);
		chosen[i]->print(cell, &look);
		table_add(table, cell, color);
	}
	table_add(table, stuck_say(why, &row->stat, &row->stuck),
		  stuck_color(&row->stat, &row->stuck));
}

static int ls_print_table(const struct listing *listing, const struct globals *globals,
			  const struct column *const *chosen, size_t n_chosen)
{
	struct table table;
	int r;

	table_init(&table, n_chosen + 1);
	table.cols = table_cols(STDOUT_FILENO);
	for (size_t i = 0; i < n_chosen && !ls.no_headings; i++)
		table_add(&table, chosen[i]->heading, TABLE_BOLD);
	if (!ls.no_headings)
		table_add(&table, "", TABLE_PLAIN);
	for (size_t i = 0; i < listing->n_rows; i++)
		row_add(&table, &listing->rows[i], chosen, n_chosen);
	r = table_print(&table, stdout, color_wanted(globals->color, STDOUT_FILENO));
	table_fini(&table);
	return r < 0 ? outcome_fail(DOING_ANYTHING, "ls", r) : CODE_DONE;
}

static void ls_print_json(const struct listing *listing)
{
	for (size_t i = 0; i < listing->n_rows; i++) {
		const struct listing_row *row = &listing->rows[i];
		struct json_line *line = json_line_new();

		json_line_look(line, row);
		json_line_print(line, stdout);
	}
}

static int ls_run(const struct call *call)
{
	const struct column *chosen[COLUMNS_MAX];
	size_t n_chosen = columns_choose(chosen);
	bool measure = false;
	struct listing listing;
	int r, code = CODE_DONE;

	if (n_chosen == 0)
		return CODE_USAGE;
	for (size_t i = 0; i < n_chosen; i++)
		measure = measure || chosen[i]->measured;
	r = listing_collect(&listing, call->n_operands, call->operands,
			    measure || call->globals->json);
	if (r < 0) {
		code = outcome_fail(DOING_ASK, "ls", r);
	} else {
		listing_find_stuck(&listing);
		if (call->globals->json)
			ls_print_json(&listing);
		else
			code = ls_print_table(&listing, call->globals, chosen, n_chosen);
	}
	listing_fini(&listing);
	return code;
}

const struct verb verb_ls = {
	.name = "ls",
	.args = "[PATTERN...]",
	.help = "a table of the streams there are",
	.notes =
		"Patterns are as the shell's: * ? [...]; quote them. RATE is what was read in the\n"
		"last tenth of a second.",
	.examples = { "bstreamctl ls", "bstreamctl ls 'log*' -o NAME,FILL --no-headings" },
	.operands = OPERANDS_PATTERNS,
	.options = ls_options,
	.run = ls_run,
};
