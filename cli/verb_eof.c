/* SPDX-License-Identifier: MIT */
/* verb_eof.c - owns the verb eof: gives up a kept write end, so that the stream can end. */
#include "config.h"
#include "bstream.h"
#include "outcome.h"
#include "say.h"
#include "verb.h"

static int eof_run(const struct call *call)
{
	const char *name = call->operands[0];
	int r = bstream_eof(name);

	if (r < 0)
		return outcome_fail(DOING_ASK, name, r);
	/* The broker does not say whether one was: this is true of both. */
	say_note(name, "no write end is kept any more (it ends when its last writer has gone)");
	return CODE_DONE;
}

const struct verb verb_eof = {
	.name = "eof",
	.args = "NAME",
	.help = "give up the kept write end, so that the stream can end",
	.notes = "Does nothing to a stream made without --keep=writers.",
	.examples = { "bstreamctl eof jobs",
		      "bstreamctl eof jobs && bstreamctl wait jobs --for=end" },
	.operands = OPERANDS_NAME,
	.run = eof_run,
};
