/* SPDX-License-Identifier: MIT */
/* verb_help.c - owns the verb help: the overview, or one verb's help, on stdout. */
#include "config.h"
#include "outcome.h"
#include "say.h"
#include "verb.h"

static int help_run(const struct call *call)
{
	const struct verb *verb;

	if (call->n_operands == 0) {
		verb_print_all(stdout);
		return CODE_DONE;
	}
	verb = verb_find(call->operands[0]);
	if (!verb)
		return say_usage(call->operands[0], "no such verb (bstreamctl help lists them)");
	verb_print(stdout, verb);
	return CODE_DONE;
}

const struct verb verb_help = {
	.name = "help",
	.args = "[VERB]",
	.help = "explain bstreamctl, or one of its verbs",
	.examples = { "bstreamctl help", "bstreamctl help write" },
	.operands = OPERANDS_MAYBE_WORD,
	.run = help_run,
};
