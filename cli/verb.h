/* SPDX-License-Identifier: MIT */
/* verb.h - what a verb is, and what it is called with. */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include "options.h"

enum verb_operands {
	OPERANDS_NONE,
	OPERANDS_NAME, /* one stream */
	OPERANDS_NAMES, /* one stream or more */
	OPERANDS_NAME_FILES, /* one stream, then files */
	OPERANDS_NAME_COMMAND, /* one name, then perhaps a command behind -- */
	OPERANDS_COMMAND, /* a command; what stands behind its first word is not our option */
	OPERANDS_PATTERNS, /* any number of patterns */
	OPERANDS_WORD, /* one word that the verb knows */
	OPERANDS_MAYBE_WORD, /* the same, or none */
};

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* The global options, the same for every verb. */
struct globals {
	bool quiet, verbose, json, user, system, no_start, help, version;
	enum color_when color;
	const char *socket;
};

/* One call of a verb. Everything is borrowed. */
struct call {
	const struct globals *globals;
	int n_operands;
	char *const *operands;
};

struct verb {
	const char *name;
	const char *args; /* as usage shows them */
	const char *help; /* one line */
	const char *notes; /* further lines for its own help, or NULL */
	const char *examples[2];
	enum verb_operands operands;
	const struct option_row *options; /* their targets are the verb's own; NULL: none */
	int (*run)(const struct call *call); /* returns the exit code */
};

extern const struct verb verb_bench;
extern const struct verb verb_completion;
extern const struct verb verb_create;
extern const struct verb verb_daemon;
extern const struct verb verb_doctor;
extern const struct verb verb_eof;
extern const struct verb verb_exec;
extern const struct verb verb_help;
extern const struct verb verb_listen;
extern const struct verb verb_ls;
extern const struct verb verb_metrics;
extern const struct verb verb_open;
extern const struct verb verb_read;
extern const struct verb verb_rm;
extern const struct verb verb_send;
extern const struct verb verb_stat;
extern const struct verb verb_tee;
extern const struct verb verb_top;
extern const struct verb verb_wait;
extern const struct verb verb_write;

/* Every verb, in the order of help; ends with NULL. */
extern const struct verb *const verbs[];
/* The rows of the global options; their target is the one struct globals of main.c. */
extern const struct option_row global_options[];

/* The verb of this name, or NULL. */
const struct verb *verb_find(const char *name);
/* Prints the overview: every verb with its line, and the global options. */
void verb_print_all(FILE *out);
/* Prints one verb's help: usage, examples, options. */
void verb_print(FILE *out, const struct verb *verb);

#endif
