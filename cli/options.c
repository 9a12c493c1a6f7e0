/* SPDX-License-Identifier: MIT */
/*
 * options.c - owns the parsing of options and their lines in help, both from the same rows.
 *
 * getopt_long does the walking, so that abbreviations, bundled letters and "--" are what people
 * know; its messages are ours. main.c parses, verbs only list rows.
 */
#include "config.h"
#include "options.h"
#include "say.h"
#include "units.h"

#include <getopt.h>
#include <string.h>

#define MAX_ROWS    48
#define FIRST_VALUE 256 /* getopt_long's values of long options, above every letter */
#define HELP_COLUMN 26

struct options_walk {
	const struct option_row *rows[MAX_ROWS];
	struct option longs[MAX_ROWS + 1];
	char letters[3 * MAX_ROWS + 3];
	int n_rows, n_longs;
};

static bool row_is_last(const struct option_row *row)
{
	return !row->name && !row->letter;
}

static void walk_add(struct options_walk *walk, const struct option_row *row)
{
	size_t at = strlen(walk->letters);

	for (; !row_is_last(row) && walk->n_rows < MAX_ROWS; row++) {
		int has_arg = row->kind == OPTION_FLAG ? no_argument : required_argument;

		if (row->optional)
			has_arg = optional_argument;
		if (row->name)
			walk->longs[walk->n_longs++] =
				(struct option){ row->name, has_arg, NULL,
						 FIRST_VALUE + walk->n_rows };
		if (row->letter)
			walk->letters[at++] = row->letter;
		for (int i = no_argument; row->letter && i < has_arg; i++)
			walk->letters[at++] = ':'; /* one: required, two: optional */
		walk->rows[walk->n_rows++] = row;
	}
	walk->letters[at] = '\0';
}

static const struct option_row *walk_find(const struct options_walk *walk, int value)
{
	if (value >= FIRST_VALUE)
		return walk->rows[value - FIRST_VALUE];
	for (int i = 0; i < walk->n_rows; i++)
		if (walk->rows[i]->letter == value)
			return walk->rows[i];
	return NULL;
}

static bool option_take_u32(const struct option_row *row, const char *arg)
{
	uint64_t number;
	bool ok = row->kind == OPTION_SIZE32 ? units_size(arg, &number)
					     : units_number(arg, UINT32_MAX, &number);

	if (!ok || number > UINT32_MAX)
		return false;
	*(uint32_t *)row->to = (uint32_t)number;
	return true;
}

static bool option_take(const struct option_row *row, const char *arg)
{
	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)row->to = true;
		return true;
	case OPTION_NUMBER:
	case OPTION_SIZE32:
		return option_take_u32(row, arg);
	case OPTION_COUNT:
		return units_number(arg, UINT64_MAX, row->to);
	case OPTION_SIZE:
		return units_size(arg, row->to);
	case OPTION_TIME:
		return units_time(arg, row->to);
	case OPTION_TEXT:
		*(const char **)row->to = arg;
		return true;
	case OPTION_OWN:
		return row->take(row->to, arg);
	}
	return false;
}

/* How the user may have written the option, for messages. */
static const char *option_spelled(const struct option_row *row, char buf[40])
{
	if (row->name)
		snprintf(buf, 40, "--%s", row->name);
	else
		snprintf(buf, 40, "-%c", row->letter);
	return buf;
}

/* Says why getopt_long stopped. @verb is for the advice: "" or " VERB". */
static void option_refuse(const char *verb, const struct options_walk *walk, int result,
			  char **argv)
{
	const struct option_row *row = optopt ? walk_find(walk, optopt) : NULL;
	char letter[3] = { '-', (char)optopt, '\0' }, spelled[40];

	if (result == ':')
		say_usage(option_spelled(row, spelled), "needs %s (see bstreamctl%s --help)",
			  row->arg, verb);
	else if (optopt >= FIRST_VALUE)
		say_usage(option_spelled(row, spelled),
			  "takes no argument (see bstreamctl%s --help)", verb);
	else
		say_usage(optopt ? letter : argv[optind - 1],
			  "no such option (see bstreamctl%s --help)", verb);
}

/*
 * A letter whose argument may be missing has one behind "=" ("-p=json"); what else stands behind it is letters
 * ("-pv"), which go back to be looked at next.
 */
static const char *letter_argument(char **argv)
{
	if (!optarg || *optarg == '=')
		return optarg ? optarg + 1 : NULL;
	*--optarg = '-';
	argv[--optind] = optarg;
	return NULL;
}

int options_parse(const char *verb, const struct option_row *first, const struct option_row *second,
		  int argc, char **argv, bool in_order)
{
	struct options_walk walk = { .letters = ":" };
	int result;

	if (in_order)
		memcpy(walk.letters, "+:", 3);
	walk_add(&walk, first);
	if (second)
		walk_add(&walk, second);
	optind = 0; /* GNU: start anew */
	opterr = 0;
	while ((result = getopt_long(argc, argv, walk.letters, walk.longs, NULL)) != -1) {
		const struct option_row *row;
		const char *arg;
		char text[128], spelled[40];

		if (result == '?' || result == ':') {
			option_refuse(verb, &walk, result, argv);
			return -1;
		}
		row = walk_find(&walk, result);
		arg = row->optional && result < FIRST_VALUE ? letter_argument(argv) : optarg;
		if (option_take(row, arg))
			continue;
		say_usage(option_spelled(row, spelled), "cannot be '%s' (it wants %s)",
			  say_safely(text, sizeof(text), arg ? arg : ""), row->arg);
		return -1;
	}
	return optind;
}

/* The left column: "-p, --progress[=json]". Returns its length. */
static int option_print_name(FILE *out, const struct option_row *row)
{
	int n = fprintf(out, "  ");

	if (row->letter)
		n += fprintf(out, "-%c", row->letter);
	if (row->letter && row->name)
		n += fprintf(out, ", ");
	if (row->name)
		n += fprintf(out, "--%s", row->name);
	if (row->arg && row->optional)
		n += fprintf(out, "[=%s]", row->arg);
	else if (row->arg)
		n += fprintf(out, " %s", row->arg);
	return n;
}

void options_print(FILE *out, const struct option_row *rows)
{
	for (; !row_is_last(rows); rows++) {
		const char *line = rows->help;
		int n = option_print_name(out, rows);

		if (n > HELP_COLUMN - 2) {
			fputc('\n', out);
			n = 0;
		}
		while (line) {
			const char *next = strchr(line, '\n');
			int len = next ? (int)(next - line) : (int)strlen(line);

			fprintf(out, "%*s%.*s\n", HELP_COLUMN - n, "", len, line);
			n = 0;
			line = next ? next + 1 : NULL;
		}
	}
}
