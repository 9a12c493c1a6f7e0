/* SPDX-License-Identifier: MIT */
/*
 * verb_top.c - owns the verb top: its options, and what it prints with -b; the screen is screen.c's.
 *
 * Without a terminal on both sides, or on one that can do nothing (TERM=dumb), top is as with -b. A
 * broker is started by the first look at most: later ones must not keep bringing back one that has
 * left because nobody needs it.
 */
#include "config.h"
#include "bstream.h"
#include "color.h"
#include "json_line.h"
#include "outcome.h"
#include "say.h"
#include "screen.h"
#include "state.h"
#include "table.h"
#include "units.h"
#include "verb.h"
#include "watch.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_NS   INT64_C(100000000) /* from the first look to the first rates */
#define DELAY_MIN  INT64_C(10000000)
#define NS_PER_MS  INT64_C(1000000)
#define MS_AT_ONCE 1000000 /* poll(2) takes an int */

static struct {
	int64_t delay_ns;
	uint64_t iterations; /* 0: no end */
	bool batch, reverse;
	const char *sort;
} job = { .delay_ns = INT64_C(1000000000), .sort = "RATE" };

static const struct option_row top_options[] = {
	{ .name = "delay",
	  .letter = 'd',
	  .kind = OPTION_TIME,
	  .arg = "SEC",
	  .to = &job.delay_ns,
	  .help = "look again after this (default 1)" },
	{ .name = "iterations",
	  .letter = 'n',
	  .kind = OPTION_COUNT,
	  .arg = "ITER",
	  .to = &job.iterations,
	  .help = "leave after so many looks" },
	{ .name = "batch",
	  .letter = 'b',
	  .to = &job.batch,
	  .help = "print one table after the other; so it does where there is no\n"
		  "terminal, and with --json" },
	{ .name = "sort",
	  .kind = OPTION_TEXT,
	  .arg = "COL",
	  .to = &job.sort,
	  .help = "by a column of ls -o (default RATE), what matters most on top" },
	{ .name = "reverse", .letter = 'r', .to = &job.reverse, .help = "the other way round" },
	{ 0 },
};

static void wait_ns(int64_t ns)
{
	while (ns > 0) {
		int64_t ms = (ns + NS_PER_MS - 1) / NS_PER_MS;

		ms = ms < MS_AT_ONCE ? ms : MS_AT_ONCE;
		poll(NULL, 0, (int)ms);
		ns -= ms * NS_PER_MS;
	}
}

static void row_add(struct table *table, const struct listing_row *row,
		    const struct column *const *columns, size_t n_columns)
{
	const struct column_look look = listing_row_look(row);
	char cell[COLUMN_CELL_MAX], why[STUCK_MAX];

	for (size_t i = 0; i < n_columns; i++) {
		columns[i]->print(cell, &look);
		table_add(table, cell, i == 1 ? state_color(&row->stat, row->moving) : TABLE_PLAIN);
	}
	table_add(table, stuck_say(why, &row->stat, &row->stuck),
		  stuck_color(&row->stat, &row->stuck));
}

static int batch_print_table(const struct watch *watch, bool colored)
{
	static const char *const names[] = { "NAME",   "STATE",	  "FILL",   "RATE", "CHUNKS/S",
					     "CHUNKS", "WRITERS", "READER", "AGE" };
	const struct column *columns[sizeof(names) / sizeof(names[0])];
	size_t n = sizeof(names) / sizeof(names[0]);
	struct table table;
	int r;

	table_init(&table, n + 1);
	for (size_t i = 0; i < n; i++) {
		columns[i] = column_find(names[i], strlen(names[i]));
		table_add(&table, names[i], TABLE_BOLD);
	}
	table_add(&table, "", TABLE_PLAIN);
	for (size_t i = 0; i < watch->n_rows; i++)
		row_add(&table, &watch->rows[i].row, columns, n);
	r = table_print(&table, stdout, colored);
	table_fini(&table);
	return r < 0 ? outcome_fail(DOING_ANYTHING, "top", r) : CODE_DONE;
}

static void batch_print_json(const struct watch *watch)
{
	uint64_t now = units_today();

	for (size_t i = 0; i < watch->n_rows; i++) {
		const struct listing_row *row = &watch->rows[i].row;
		struct json_line *line = json_line_new();

		json_line_look(line, row);
		json_line_number(line, "looked_ns", now);
		json_line_print(line, stdout);
	}
}

static int batch_print(const struct watch *watch, const struct call *call, bool first)
{
	int code = CODE_DONE;

	if (call->globals->json) {
		batch_print_json(watch);
	} else {
		if (!first)
			putchar('\n');
		code = batch_print_table(watch, color_wanted(call->globals->color, STDOUT_FILENO));
	}
	/* What could not be written is said by main.c. */
	return fflush(stdout) == 0 ? code : CODE_FAILURE;
}

static int batch_run(struct watch *watch, const struct column *sort, const struct call *call)
{
	int code = CODE_DONE;

	wait_ns(job.delay_ns < FIRST_NS ? job.delay_ns : FIRST_NS);
	for (uint64_t i = 0; code == CODE_DONE; i++) {
		watch_look(watch);
		watch_sort(watch, sort, job.reverse);
		code = batch_print(watch, call, i == 0);
		if (job.iterations && i + 1 >= job.iterations)
			break;
		wait_ns(job.delay_ns);
	}
	return code;
}

static bool terminal_there(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
	       strcmp(term, "dumb") != 0;
}

static int top_show(struct watch *watch, const struct column *sort, const struct call *call)
{
	const struct globals *globals = call->globals;
	struct screen_plan plan = {
		.watch = watch,
		.sort = sort,
		.reverse = job.reverse,
		.delay_ns = job.delay_ns,
		.iterations = job.iterations,
		.colored = color_wanted(globals->color, STDOUT_FILENO),
	};
	int r = watch_look(watch);

	if (r < 0)
		return outcome_fail(DOING_ASK, "top", r);
	bstream_broker_use(globals->socket,
			   (globals->system ? BSTREAM_SYSTEM : 0) | BSTREAM_NO_START);
	if (job.batch || globals->json || !terminal_there())
		return batch_run(watch, sort, call);
	return screen_run(&plan);
}

static int top_run(const struct call *call)
{
	struct watch watch = { .n_patterns = call->n_operands, .patterns = call->operands };
	const struct column *sort = column_find(job.sort, strlen(job.sort));
	char safe[COLUMN_CELL_MAX];
	int code;

	if (!sort)
		return say_usage("--sort", "no column '%s' (see bstreamctl ls --help)",
				 say_safely(safe, sizeof(safe), job.sort));
	if (job.delay_ns < DELAY_MIN)
		job.delay_ns = DELAY_MIN;
	code = top_show(&watch, sort, call);
	watch_fini(&watch);
	return code;
}

const struct verb verb_top = {
	.name = "top",
	.args = "[PATTERN...]",
	.help = "a live table: what moves, how fast, who is stuck on whom",
	.notes = "Reads the segments and disturbs nobody. Keys: h shows them, q leaves.",
	.examples = { "bstreamctl top", "bstreamctl top -b -n 3 -d 10 --sort BLOCKED 'log*'" },
	.operands = OPERANDS_PATTERNS,
	.options = top_options,
	.run = top_run,
};
