/* SPDX-License-Identifier: MIT */
/*
 * verb_read.c - owns the verb read: a stream to stdout, as pour.c does it.
 *
 * The read end is closed in every case we live to see, because writers then learn of it at once, or
 * it is back at its name at once.
 */
#include "config.h"
#include "bstream.h"
#include "outcome.h"
#include "pour.h"
#include "progress.h"
#include "units.h"
#include "verb.h"

#include <unistd.h>

static struct {
	struct framing framing;
	bool no_wait;
	int64_t timeout_ns;
	uint64_t count;
	enum progress_form progress;
} job = { .timeout_ns = NO_TIMEOUT, .count = UINT64_MAX };

static const struct option_row read_options[] = {
	{ .name = "no-wait", .to = &job.no_wait, .help = "a stream that does not exist is exit 3" },
	{ .name = "timeout",
	  .kind = OPTION_TIME,
	  .arg = "T",
	  .to = &job.timeout_ns,
	  .help = "give up each wait, for the name or a chunk, after this: exit 124" },
	FRAMING_OPTION_OUT(job.framing),
	{ .name = "count",
	  .kind = OPTION_COUNT,
	  .arg = "N",
	  .to = &job.count,
	  .help = "leave after so many chunks; with --keep=reader the read end goes\n"
		  "back to its name, else the stream breaks" },
	PROGRESS_OPTION(job.progress),
	{ 0 },
};

static int read_run(const struct call *call)
{
	const char *name = call->operands[0];
	uint64_t deadline = job.no_wait ? BSTREAM_DONT_WAIT : units_deadline(job.timeout_ns);
	struct pour pour = { .name = name,
			     .framing = job.framing,
			     .timeout_ns = job.timeout_ns,
			     .count = job.count,
			     .fd = STDOUT_FILENO,
			     .path = "stdout" };
	int code, r;

	code = progress_choose(&job.progress, call->globals->json, call->globals->quiet);
	if (code)
		return code;
	progress_start(name, job.progress);
	r = bstream_open_reader(name, deadline, &pour.reader);
	if (r < 0) {
		progress_stop();
		return outcome_fail(DOING_OPEN_READER, name, r);
	}
	progress_opened();
	code = pour_all(&pour);
	progress_stop();
	bstream_reader_close(pour.reader);
	return code;
}

const struct verb verb_read = {
	.name = "read",
	.args = "NAME",
	.help = "a stream to stdout, to its end; waits for it to exist",
	.notes =
		"Exit 0: every writer closed and all was read. Exit 7: a writer died, and what it\n"
		"had written is all there is.",
	.examples = { "bstreamctl read backup | tar x",
		      "bstreamctl read jobs --frame line --count 1 --timeout 5s" },
	.operands = OPERANDS_NAME,
	.options = read_options,
	.run = read_run,
};
