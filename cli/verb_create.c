/* SPDX-License-Identifier: MIT */
/* verb_create.c - owns the verb create: makes a named stream whose read end waits at its name. */
#include "config.h"
#include "bstream.h"
#include "creation.h"
#include "outcome.h"
#include "say.h"
#include "verb.h"

static struct creation creation = CREATION_INIT;

static const struct option_row create_options[] = {
	CREATION_OPTIONS(creation),
	{ 0 },
};

static int create_run(const struct call *call)
{
	struct bstream_options options = creation_options(&creation);
	const char *name = call->operands[0];
	int r = bstream_create(name, &options);

	if (r < 0)
		return outcome_fail(DOING_CREATE, name, r);
	say_note(name, "created");
	return CODE_DONE;
}

const struct verb verb_create = {
	.name = "create",
	.args = "NAME",
	.help = "make a stream; exit 9 if it exists",
	.notes = "Writers may write before any reader comes.",
	.examples = { "bstreamctl create logs",
		      "bstreamctl create jobs --capacity 64 --chunk-max 4K --keep=reader" },
	.operands = OPERANDS_NAME,
	.options = create_options,
	.run = create_run,
};
