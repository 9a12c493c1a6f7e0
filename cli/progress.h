/* SPDX-License-Identifier: MIT */
/* progress.h - -p and SIGUSR1: how far a write or a read has come. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

enum progress_form { PROGRESS_NONE, PROGRESS_LINES, PROGRESS_JSON };

/* An option_take_fn for an enum progress_form: nothing or json. */
bool progress_take(void *to, const char *text);

/*
 * Makes of the form that -p asked for what the global options leave of it. Returns 0, or exit code 2
 * and has said why.
 */
int progress_choose(enum progress_form *form, bool json, bool quiet);

/* Starts to answer SIGUSR1, and with a form to print by itself. @name is borrowed until stop. */
void progress_start(const char *name, enum progress_form form);
/* Says, between start and opened, that @name is no stream's: its fill cannot be looked up. */
void progress_nameless(void);
/* Says that the stream is open from now on; times and rates count from here. */
void progress_opened(void);
/* Counts one chunk of @len bytes. Called by one thread only. */
void progress_add(size_t len);
/* Ends all that, and with a form prints the last line. */
void progress_stop(void);

/* The row, with @form, an enum progress_form of static storage, as its target. */
#define PROGRESS_OPTION(form)                                                            \
	{                                                                                \
		.name = "progress", .letter = 'p', .kind = OPTION_OWN, .optional = true, \
		.arg = "json", .to = &(form), .take = progress_take,                     \
		.help = "show on stderr how far it is; SIGUSR1 prints one line"          \
	}

#endif
