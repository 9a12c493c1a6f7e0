/* SPDX-License-Identifier: MIT */
/* verb_eof.c - owns the verb eof: gives up a kept write end, so that the stream can end. */
#include "config.h"
#include "bstream.h"
#include "outcome.h"
#include "verb.h"

static int eof_run(const struct call *call)
{
	const char *name = call->operands[0];
	int r = bstream_eof(name);

	return r < 0 ? outcome_fail(DOING_ASK, name, r) : CODE_DONE;
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
