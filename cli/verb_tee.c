/* SPDX-License-Identifier: MIT */
/*
 * verb_tee.c - owns the verb tee: stdin to stdout and into every stream, or one stream into several.
 *
 * A reader that leaves does not hurt the others: they get everything, and their streams end as whole;
 * only the exit code tells. With every other code but 0 the write ends stay open, so that each reader
 * learns that a writer died; the handles are static because of that. With --from a chunk is released
 * when all have it, and chunks stay what they are.
 */
#include "config.h"
#include "bstream.h"
#include "fanout.h"
#include "feed.h"
#include "name.h"
#include "outcome.h"
#include "outlet.h"
#include "progress.h"
#include "say.h"
#include "units.h"
#include "verb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WATCH_NS INT64_C(250000000) /* how long readers may be gone before a waiting tee notices */

static struct {
	struct outlet outlet;
	const char *from;
	struct framing framing;
	enum progress_form progress;
	struct fanout fanout;
	struct feed feed;
} job = { .outlet = { .creation = CREATION_INIT, .timeout_ns = NO_TIMEOUT } };

static bool tee_take_slow(void *to, const char *text)
{
	*(bool *)to = !strcmp(text, "skip");
	return *(bool *)to || !strcmp(text, "block");
}

static const struct option_row tee_options[] = {
	{ .name = "from",
	  .kind = OPTION_TEXT,
	  .arg = "SRC",
	  .to = &job.from,
	  .help = "read this stream, chunk by chunk, in place of stdin; nothing goes\n"
		  "to stdout then; waits for it to exist" },
	{ .name = "slow",
	  .kind = OPTION_OWN,
	  .arg = "block|skip",
	  .to = &job.fanout.skip,
	  .take = tee_take_slow,
	  .help = "block: wait for the slowest (the default); skip: a full stream\n"
		  "never gets the chunk, how many is said at the end" },
	FRAMING_OPTION_IN(job.framing),
	{ .name = "timeout",
	  .kind = OPTION_TIME,
	  .arg = "T",
	  .to = &job.outlet.timeout_ns,
	  .help = "give up a wait for a name, for room or for a chunk: exit 124" },
	PROGRESS_OPTION(job.progress),
	{ .name = "no-create",
	  .to = &job.outlet.no_create,
	  .help = "a stream that does not exist is exit 3; with --timeout, wait for it" },
	CREATION_OPTIONS(job.outlet.creation),
	{ 0 },
};

static int tee_check(const struct call *call)
{
	int code = job.from ? name_check(job.from) : CODE_DONE;

	if (code)
		return code;
	if (job.from && job.framing.kind != FRAMING_RAW)
		return say_usage("--frame", "is for stdin; with --from, chunks stay what they are");
	for (int i = 0; i < call->n_operands && job.from; i++)
		if (!strcmp(call->operands[i], job.from))
			return say_usage(job.from, "cannot be copied into itself");
	return progress_choose(&job.progress, call->globals->json, call->globals->quiet);
}

static int tee_open(const struct call *call)
{
	job.fanout.n_branches = call->n_operands;
	job.fanout.timeout_ns = job.outlet.timeout_ns;
	job.fanout.branches = calloc((size_t)call->n_operands, sizeof(*job.fanout.branches));
	if (!job.fanout.branches)
		return outcome_fail(DOING_ANYTHING, "tee", -ENOMEM);
	for (int i = 0; i < call->n_operands; i++) {
		struct branch *branch = &job.fanout.branches[i];
		struct bstream_stat stat = { .size = sizeof(stat) };
		int r, code;

		branch->name = call->operands[i];
		code = outlet_open(&job.outlet, branch->name, &branch->writer);
		if (code)
			return code;
		r = bstream_writer_stat(branch->writer, &stat);
		if (r < 0)
			return outcome_fail(DOING_WRITE, branch->name, r);
		branch->chunk_max = stat.chunk_max;
	}
	return CODE_DONE;
}

static int sink_put(void *arg, const void *chunk, size_t len)
{
	return fanout_put(arg, chunk, len); /* who feeds it counts what has gone through */
}

static void sink_watch(void *arg)
{
	fanout_look(arg);
}

static int tee_stdin(void)
{
	const struct feed_sink sink = { .chunk_max = fanout_chunk_max(&job.fanout),
					.put = sink_put,
					.watch = sink_watch,
					.arg = &job.fanout };
	int code;

	job.feed = (struct feed){ .sink = &sink,
				  .copied = true,
				  .name = job.fanout.branches[0].name,
				  .framing = job.framing,
				  .timeout_ns = job.outlet.timeout_ns };
	code = feed_init(&job.feed);
	if (code)
		return code;
	code = feed_file(&job.feed, STDIN_FILENO, "stdin");
	feed_fini(&job.feed);
	return code;
}

/* As bstream_peek, but watches the readers meanwhile: -EPIPE when all have left. */
static int source_peek(struct bstream_reader *reader, const void **chunkp, size_t *lenp)
{
	uint64_t deadline = units_deadline(job.outlet.timeout_ns);

	while (job.fanout.n_left < job.fanout.n_branches) {
		uint64_t slice = units_deadline(WATCH_NS);
		int r = bstream_peek(reader, chunkp, lenp, slice < deadline ? slice : deadline);

		if (r != -ETIMEDOUT || slice >= deadline)
			return r;
		fanout_look(&job.fanout);
	}
	return -EPIPE;
}

static int tee_stream(struct bstream_reader *reader)
{
	for (;;) {
		const void *chunk;
		size_t len;
		int code, r = source_peek(reader, &chunk, &len);

		if (r == 0 || r == -EPIPE)
			return CODE_DONE;
		if (r < 0) {
			progress_stop();
			return outcome_fail(DOING_READ, job.from, r);
		}
		code = fanout_put(&job.fanout, chunk, len);
		if (code)
			return code;
		/* The last reader left without it: it is not gone. */
		if (job.fanout.n_left == job.fanout.n_branches)
			return CODE_DONE;
		r = bstream_release(reader);
		if (r < 0)
			return outcome_fail(DOING_READ, job.from, r);
		progress_add(len);
	}
}

static int tee_from_stdin(const struct call *call)
{
	int code = tee_open(call);

	if (code)
		return code;
	progress_opened();
	return tee_stdin();
}

static int tee_from_stream(const struct call *call)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_reader *reader;
	int code, r;

	r = bstream_open_reader(job.from, units_deadline(job.outlet.timeout_ns), &reader);
	if (r < 0)
		return outcome_fail(DOING_OPEN_READER, job.from, r);
	/* What is made here can hold what comes. */
	r = bstream_reader_stat(reader, &stat);
	if (r == 0 && job.outlet.creation.chunk_max < stat.chunk_max)
		job.outlet.creation.chunk_max = stat.chunk_max;
	code = tee_open(call);
	if (code) {
		/* Nothing was taken from it: it is as if this had never come. */
		if (bstream_reader_park(reader) < 0)
			bstream_reader_close(reader);
		return code;
	}
	progress_opened();
	code = tee_stream(reader);
	bstream_reader_close(reader);
	return code;
}

static int tee_run(const struct call *call)
{
	int code = tee_check(call);

	if (code)
		return code;
	progress_start(job.from ? job.from : call->operands[0], job.progress);
	code = job.from ? tee_from_stream(call) : tee_from_stdin(call);
	progress_stop();
	if (code)
		return code;
	fanout_close(&job.fanout);
	return job.fanout.n_left ? CODE_READER_GONE : CODE_DONE;
}

const struct verb verb_tee = {
	.name = "tee",
	.args = "NAME...",
	.help = "stdin to stdout and into streams, or one stream into several",
	.notes =
		"Makes the streams as write does. When a reader leaves, the others still get all, and\n"
		"tee exits 10 at the end. A tee that exits otherwise than 0 or 10 ends as died.",
	.examples = { "make 2>&1 | bstreamctl tee log/make --frame line",
		      "bstreamctl tee --from camera screen recorder --slow=skip" },
	.operands = OPERANDS_NAMES,
	.options = tee_options,
	.run = tee_run,
};
