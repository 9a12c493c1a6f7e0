/* SPDX-License-Identifier: MIT */
/*
 * verb_write.c - owns the verb write: files or stdin into a stream, which it makes if need be.
 *
 * Exit code 0 means that all of the input is in the stream, and only then the write end is closed.
 * With any other code the process ends with the end still open, so that the reader learns that a
 * writer died and takes a part for no whole. The handle is static because of that: it is never
 * given back, and a leak checker need not ask for it.
 */
#include "config.h"
#include "bstream.h"
#include "intake.h"
#include "outcome.h"
#include "outlet.h"
#include "units.h"
#include "verb.h"

static struct {
	struct outlet outlet;
	struct intake intake;
	struct bstream_writer *writer;
} job = { .outlet = { .creation = CREATION_INIT }, .intake = { .timeout_ns = NO_TIMEOUT } };

static const struct option_row write_options[] = {
	CREATION_OPTIONS(job.outlet.creation),
	{ .name = "no-create",
	  .to = &job.outlet.no_create,
	  .help = "a stream that does not exist is exit 3; with --timeout, wait for it" },
	INTAKE_OPTIONS(job.intake, "the name"),
	{ 0 },
};

static int write_run(const struct call *call)
{
	const char *name = call->operands[0];
	int n_files = call->n_operands - 1;
	char *const *files = call->operands + 1;
	int code = intake_check(n_files, files);

	if (code == CODE_DONE)
		code = progress_choose(&job.intake.progress, call->globals->json,
				       call->globals->quiet);
	if (code)
		return code;
	progress_start(name, job.intake.progress);
	job.outlet.timeout_ns = job.intake.timeout_ns;
	code = outlet_open(&job.outlet, name, &job.writer);
	if (code == CODE_DONE) {
		progress_opened();
		code = intake_run(&job.intake, job.writer, name, n_files, files);
	}
	progress_stop();
	if (code == CODE_DONE)
		bstream_writer_close(job.writer);
	return code;
}

const struct verb verb_write = {
	.name = "write",
	.args = "NAME [FILE...]",
	.help = "stdin, or files, into a stream; makes it if need be",
	.notes = "Returns when all is in the stream. Options on what a stream is like count only\n"
		 "when this makes it. A write that exits other than 0 ends as died, not as closed.",
	.examples = { "tar c . | bstreamctl write backup -p",
		      "bstreamctl write logs --frame line --rate 1M /var/log/syslog" },
	.operands = OPERANDS_NAME_FILES,
	.options = write_options,
	.run = write_run,
};
