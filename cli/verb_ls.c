/* SPDX-License-Identifier: MIT */
/*
 * verb_ls.c - owns the verb ls: the streams there are, as a table or as objects.
 *
 * The columns are rows of one table here; -o, the headings and the cells come from it.
 */
#include "config.h"
#include "bstream.h"
#include "json_line.h"
#include "listing.h"
#include "outcome.h"
#include "say.h"
#include "state.h"
#include "table.h"
#include "units.h"
#include "verb.h"
#include "who.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CELL_MAX	256
#define COLUMNS_MAX	32
#define COLUMNS_DEFAULT "NAME,STATE,FILL,CHUNKS,RATE,WRITERS,READER,AGE"

typedef void (*cell_fn)(char cell[CELL_MAX], const struct listing_row *row);

struct column {
	const char *heading;
	cell_fn print;
	bool measured; /* needs a second look at streams that may be moving */
};

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
		  "READER AGE, and BYTES READ CHUNK-MAX MODE USER KEEP WAITS" },
	{ .name = "no-headings", .to = &ls.no_headings, .help = "print no headings" },
	{ 0 },
};

static void cell_name(char cell[CELL_MAX], const struct listing_row *row)
{
	say_safely(cell, CELL_MAX, row->stat.name);
}

static void cell_state(char cell[CELL_MAX], const struct listing_row *row)
{
	snprintf(cell, CELL_MAX, "%s", state_word(&row->stat, row->moving));
}

static void cell_fill(char cell[CELL_MAX], const struct listing_row *row)
{
	snprintf(cell, CELL_MAX, "%" PRIu32 "/%" PRIu32, row->stat.in_flight, row->stat.capacity);
}

static void cell_chunks(char cell[CELL_MAX], const struct listing_row *row)
{
	snprintf(cell, CELL_MAX, "%" PRIu64, row->stat.chunks_written);
}

static void cell_rate(char cell[CELL_MAX], const struct listing_row *row)
{
	units_print_rate(cell, row->rate);
}

static void cell_writers(char cell[CELL_MAX], const struct listing_row *row)
{
	snprintf(cell, CELL_MAX, "%" PRIu32, row->stat.writers);
}

static void cell_reader(char cell[CELL_MAX], const struct listing_row *row)
{
	bool open = row->stat.reader == BSTREAM_READER_OPEN;

	who_process(cell, open ? row->stat.reader_pid : 0);
}

static void cell_age(char cell[CELL_MAX], const struct listing_row *row)
{
	uint64_t now = units_today();

	units_print_age(cell, now > row->stat.created_ns ? now - row->stat.created_ns : 0);
}

static void cell_bytes(char cell[CELL_MAX], const struct listing_row *row)
{
	units_print_size(cell, row->stat.bytes_written);
}

static void cell_read(char cell[CELL_MAX], const struct listing_row *row)
{
	units_print_size(cell, row->stat.bytes_read);
}

static void cell_chunk_max(char cell[CELL_MAX], const struct listing_row *row)
{
	units_print_size(cell, row->stat.chunk_max);
}

static void cell_mode(char cell[CELL_MAX], const struct listing_row *row)
{
	snprintf(cell, CELL_MAX, "%04" PRIo32, row->stat.mode);
}

static void cell_user(char cell[CELL_MAX], const struct listing_row *row)
{
	who_user(cell, row->stat.uid);
}

static void cell_keep(char cell[CELL_MAX], const struct listing_row *row)
{
	static const char *const words[] = { "-", "reader", "writers", "both" };

	snprintf(cell, CELL_MAX, "%s", words[row->stat.keep & 3]);
}

static void cell_waits(char cell[CELL_MAX], const struct listing_row *row)
{
	snprintf(cell, CELL_MAX, "%" PRIu64 "/%" PRIu64, row->stat.writer_waits,
		 row->stat.reader_waits);
}

static const struct column columns[] = {
	{ "NAME", cell_name, false },
	{ "STATE", cell_state, true },
	{ "FILL", cell_fill, false },
	{ "CHUNKS", cell_chunks, false },
	{ "RATE", cell_rate, true },
	{ "WRITERS", cell_writers, false },
	{ "READER", cell_reader, false },
	{ "AGE", cell_age, false },
	{ "BYTES", cell_bytes, false },
	{ "READ", cell_read, false },
	{ "CHUNK-MAX", cell_chunk_max, false },
	{ "MODE", cell_mode, false },
	{ "USER", cell_user, false },
	{ "KEEP", cell_keep, false },
	{ "WAITS", cell_waits, false },
};

static const struct column *column_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (strlen(columns[i].heading) == len &&
		    strncasecmp(columns[i].heading, name, len) == 0)
			return &columns[i];
	return NULL;
}

/* Takes -o apart. Returns how many columns, or 0 after having said what is wrong. */
static size_t columns_choose(const struct column *chosen[COLUMNS_MAX])
{
	const char *at = ls.columns;
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(at, ",");
		const struct column *column = column_find(at, len);
		char safe[CELL_MAX];

		if (!column || n == COLUMNS_MAX) {
			say_usage("-o", "no column '%s' (see bstreamctl ls --help)",
				  say_safely(safe, len + 1 < CELL_MAX ? len + 1 : CELL_MAX, at));
			return 0;
		}
		chosen[n++] = column;
		if (!at[len])
			return n;
		at += len + 1;
	}
}

static bool ls_colored(const struct globals *globals)
{
	const char *no_color = getenv("NO_COLOR");

	if (globals->color != COLOR_AUTO)
		return globals->color == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no_color && *no_color);
}

static void row_add(struct table *table, const struct listing_row *row,
		    const struct column *const *chosen, size_t n_chosen)
{
	char cell[CELL_MAX];

	for (size_t i = 0; i < n_chosen; i++) {
		enum table_color color = TABLE_PLAIN;

		if (chosen[i]->print == cell_state)
			color = state_color(&row->stat, row->moving);
		chosen[i]->print(cell, row);
		table_add(table, cell, color);
	}
	table_add(table, state_remark(cell, sizeof(cell), &row->stat, &row->stuck), TABLE_YELLOW);
}

static int ls_print_table(const struct listing *listing, const struct globals *globals,
			  const struct column *const *chosen, size_t n_chosen)
{
	struct table table;
	int r;

	table_init(&table, n_chosen + 1);
	for (size_t i = 0; i < n_chosen && !ls.no_headings; i++)
		table_add(&table, chosen[i]->heading, TABLE_BOLD);
	if (!ls.no_headings)
		table_add(&table, "", TABLE_PLAIN);
	for (size_t i = 0; i < listing->n_rows; i++)
		row_add(&table, &listing->rows[i], chosen, n_chosen);
	r = table_print(&table, stdout, ls_colored(globals));
	table_fini(&table);
	return r < 0 ? outcome_fail(DOING_ANYTHING, "ls", r) : CODE_DONE;
}

/* Objects hold counters, not rates: who reads them can look twice himself. */
static void ls_print_json(const struct listing *listing)
{
	for (size_t i = 0; i < listing->n_rows; i++) {
		struct json_line *line = json_line_new();

		json_line_stream(line, &listing->rows[i].stat);
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
			    measure && !call->globals->json);
	if (r < 0) {
		code = outcome_fail(DOING_ASK, "ls", r);
	} else if (call->globals->json) {
		ls_print_json(&listing);
	} else {
		listing_find_stuck(&listing);
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
