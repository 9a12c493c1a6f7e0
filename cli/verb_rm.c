/* SPDX-License-Identifier: MIT */
/* verb_rm.c - owns the verb rm: removes names. One that fails does not keep the others. */
#include "config.h"
#include "bstream.h"
#include "outcome.h"
#include "say.h"
#include "verb.h"

#include <errno.h>

static bool rm_force;

static const struct option_row rm_options[] = {
	{ .name = "force",
	  .letter = 'f',
	  .to = &rm_force,
	  .help = "a name that is not there is no failure" },
	{ 0 },
};

static int rm_run(const struct call *call)
{
	int code = CODE_DONE;

	for (int i = 0; i < call->n_operands; i++) {
		int r = bstream_remove(call->operands[i]);

		if (r == 0)
			say_note(call->operands[i], "removed");
		else if (r == -ENOENT && rm_force)
			say_note(call->operands[i], "was not there");
		if (r == 0 || (r == -ENOENT && rm_force))
			continue;
		r = outcome_fail(DOING_ASK, call->operands[i], r);
		if (code == CODE_DONE)
			code = r;
	}
	return code;
}

const struct verb verb_rm = {
	.name = "rm",
	.args = "NAME...",
	.help = "remove names; open ends work on",
	.notes = "Chunks that wait for a reader go with the last end.",
	.examples = { "bstreamctl rm logs", "bstreamctl rm -f logs jobs" },
	.operands = OPERANDS_NAMES,
	.options = rm_options,
	.run = rm_run,
};
