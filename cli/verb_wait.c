/* SPDX-License-Identifier: MIT */
/* verb_wait.c - owns the verb wait: scripts wait for a stream's state instead of sleeping. */
#include "config.h"
#include "bstream.h"
#include "outcome.h"
#include "say.h"
#include "units.h"
#include "verb.h"

#include <string.h>

static uint32_t wait_what;
static int64_t wait_timeout = NO_TIMEOUT;

static bool wait_take_what(void *to, const char *text)
{
	static const struct {
		const char *name;
		uint32_t what;
	} whats[] = {
		{ "exists", BSTREAM_WAIT_EXISTS }, { "reader", BSTREAM_WAIT_READER },
		{ "writer", BSTREAM_WAIT_WRITER }, { "empty", BSTREAM_WAIT_EMPTY },
		{ "end", BSTREAM_WAIT_END },	   { "mailbox", BSTREAM_WAIT_MAILBOX },
	};

	for (unsigned i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
		if (!strcmp(text, whats[i].name)) {
			*(uint32_t *)to = whats[i].what;
			return true;
		}
	}
	return false;
}

static const struct option_row wait_options[] = {
	{ .name = "for",
	  .kind = OPTION_OWN,
	  .arg = "exists|reader|writer|empty|end|mailbox",
	  .to = &wait_what,
	  .take = wait_take_what,
	  .help = "what to wait for: the name; a process at its read end; one at a\n"
		  "write end; every chunk read; every writer gone as well; somebody\n"
		  "who listens at this name" },
	{ .name = "timeout",
	  .kind = OPTION_TIME,
	  .arg = "T",
	  .to = &wait_timeout,
	  .help = "give up after this time: exit 124" },
	{ 0 },
};

static int wait_run(const struct call *call)
{
	const char *name = call->operands[0];
	int r;

	if (!wait_what)
		return say_usage(
			name, "--for is missing (exists, reader, writer, empty, end or mailbox)");
	r = bstream_wait(name, wait_what, units_deadline(wait_timeout));
	return r < 0 ? outcome_fail(DOING_WAIT, name, r) : CODE_DONE;
}

const struct verb verb_wait = {
	.name = "wait",
	.args = "NAME --for=WHAT",
	.help = "wait for something to be true of a stream",
	.notes =
		"A reader and a writer are waited for at a name that does not exist yet, too; for empty\n"
		"and end it must exist.",
	.examples = { "bstreamctl wait logs --for=exists --timeout 5s",
		      "bstreamctl wait logs --for=empty && echo all read" },
	.operands = OPERANDS_NAME,
	.options = wait_options,
	.run = wait_run,
};
