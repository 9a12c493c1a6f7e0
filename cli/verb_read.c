/* SPDX-License-Identifier: MIT */
/*
 * verb_read.c - owns the verb read: a stream to stdout, straight from its slots.
 *
 * A chunk is released only after write(2) has taken all of it, so whatever interrupts us, the next
 * reader of a kept stream begins with a chunk that was not delivered whole. The read end is closed
 * in every case we live to see, because writers then learn of it at once.
 */
#include "config.h"
#include "bstream.h"
#include "framing.h"
#include "json_line.h"
#include "outcome.h"
#include "progress.h"
#include "say.h"
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
	{ .name = "frame",
	  .kind = OPTION_OWN,
	  .arg = "raw|line|nul|len32|fixed:N",
	  .to = &job.framing,
	  .take = framing_take,
	  .help = "what is put around chunks: nothing (raw, fixed), a newline\n"
		  "(line) or a zero (nul) behind, the length before (len32)" },
	{ .name = "count",
	  .kind = OPTION_COUNT,
	  .arg = "N",
	  .to = &job.count,
	  .help = "leave after so many chunks; with --keep=reader the read end goes\n"
		  "back to its name, else the stream breaks" },
	PROGRESS_OPTION(job.progress),
	{ 0 },
};

static int read_chunks(struct bstream_reader *reader, const char *name)
{
	for (uint64_t n = 0; n < job.count; n++) {
		const void *chunk;
		size_t len;
		int r = bstream_peek(reader, &chunk, &len, units_deadline(job.timeout_ns));

		if (r == 0)
			return CODE_DONE;
		if (r < 0) {
			progress_stop();
			return outcome_fail(DOING_READ, name, r);
		}
		r = framing_put(&job.framing, STDOUT_FILENO, chunk, len);
		if (r < 0) {
			progress_stop();
			return outcome_fail(DOING_OUTPUT, "stdout", r);
		}
		r = bstream_release(reader);
		if (r < 0)
			return outcome_fail(DOING_READ, name, r);
		progress_add(len);
	}
	return CODE_DONE;
}

static int read_run(const struct call *call)
{
	const char *name = call->operands[0];
	uint64_t deadline = job.no_wait ? BSTREAM_DONT_WAIT : units_deadline(job.timeout_ns);
	struct bstream_reader *reader;
	int code, r;

	if (job.progress && call->globals->json)
		job.progress = PROGRESS_JSON;
	if (job.progress == PROGRESS_JSON && !json_line_available())
		return say_usage("--progress=json", "this bstreamctl was built without jansson");
	progress_start(name, call->globals->quiet ? PROGRESS_NONE : job.progress);
	r = bstream_open_reader(name, deadline, &reader);
	if (r < 0) {
		progress_stop();
		return outcome_fail(DOING_OPEN_READER, name, r);
	}
	progress_opened();
	code = read_chunks(reader, name);
	progress_stop();
	bstream_reader_close(reader);
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
