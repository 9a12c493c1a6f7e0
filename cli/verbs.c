/* SPDX-License-Identifier: MIT */
/*
 * verbs.c - owns the table of verbs and the help that is printed from it.
 *
 * A verb is one file that defines one row; it becomes known by its line here. main.c finds verbs,
 * main.c and verb_help.c print them.
 */
#include "config.h"
#include "verb.h"

#include <string.h>

const struct verb *const verbs[] = {
	&verb_create,	  &verb_write, &verb_read,  &verb_tee,	  &verb_exec,	 &verb_listen,
	&verb_open,	  &verb_send,  &verb_ls,    &verb_stat,	  &verb_top,	 &verb_rm,
	&verb_eof,	  &verb_wait,  &verb_bench, &verb_daemon, &verb_metrics, &verb_doctor,
	&verb_completion, &verb_help,  NULL,
};

const struct verb *verb_find(const char *name)
{
	for (const struct verb *const *v = verbs; *v; v++)
		if (!strcmp((*v)->name, name))
			return *v;
	return NULL;
}

void verb_print_all(FILE *out)
{
	fprintf(out, "usage: bstreamctl [GLOBAL] VERB [OPTIONS] [NAME...]\n\n"
		     "Byte streams between processes, by name. Without a verb: ls.\n\nverbs:\n");
	for (const struct verb *const *v = verbs; *v; v++) {
		int n = fprintf(out, "  %s %s", (*v)->name, (*v)->args);

		fprintf(out, "%*s%s\n", n < 32 ? 32 - n : 1, "", (*v)->help);
	}
	fprintf(out, "\nglobal options:\n");
	options_print(out, global_options);
	fprintf(out, "\nSizes: 64K 1M 2G (1024), 64kB 1MB (1000). Times: 250ms 5s 2m, or seconds.\n"
		     "bstreamctl VERB --help says more; so does man bstreamctl.\n");
}

void verb_print(FILE *out, const struct verb *verb)
{
	fprintf(out, "usage: bstreamctl [GLOBAL] %s%s%s%s\n\n%s\n", verb->name,
		verb->options ? " [OPTIONS]" : "", *verb->args ? " " : "", verb->args, verb->help);
	if (verb->notes)
		fprintf(out, "\n%s\n", verb->notes);
	fprintf(out, "\nexamples:\n  %s\n  %s\n", verb->examples[0], verb->examples[1]);
	if (verb->options) {
		fprintf(out, "\noptions:\n");
		options_print(out, verb->options);
	}
	fprintf(out, "\nglobal options:\n");
	options_print(out, global_options);
}
