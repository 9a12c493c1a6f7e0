/* SPDX-License-Identifier: MIT */
/* options.h - options as rows of a table: how they are parsed and how help shows them. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
	OPTION_FLAG, /* bool */
	OPTION_NUMBER, /* uint32_t */
	OPTION_COUNT, /* uint64_t */
	OPTION_SIZE, /* uint64_t */
	OPTION_SIZE32, /* uint32_t */
	OPTION_TIME, /* int64_t, nanoseconds */
	OPTION_TEXT, /* const char * */
	OPTION_OWN, /* whatever its take function makes of it */
};

/* Reads @text, NULL when an optional argument is missing; false if it cannot be. */
typedef bool (*option_take_fn)(void *to, const char *text);

/* One option. A table of them ends with a row without name and letter. */
struct option_row {
	const char *name; /* long, or NULL */
	char letter; /* short, or 0 */
	enum option_kind kind;
	bool optional; /* its argument may be missing, and stands behind "=", also with the letter */
	const char *arg; /* its argument, as help shows it */
	void *to;
	const char *help; /* one or more lines, split by \n */
	option_take_fn take; /* OPTION_OWN */
};

/*
 * Takes the options of @first and @second out of @argv, whose element 0 is not looked at. With
 * @in_order it stops at the first operand. Returns the index of the first operand (the operands
 * then stand last in @argv), or -1 when the usage is wrong, which it has said. @verb is for that:
 * "" or " VERB".
 */
int options_parse(const char *verb, const struct option_row *first, const struct option_row *second,
		  int argc, char **argv, bool in_order);

/* Prints one line or more for each row. */
void options_print(FILE *out, const struct option_row *rows);

#endif
