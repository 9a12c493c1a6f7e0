/* SPDX-License-Identifier: MIT */
/*
 * verb_open.c - owns the verb open: files or stdin into a stream to whoever owns a mailbox.
 *
 * As with write, a code other than 0 leaves the write end open, so that the receiver learns that a
 * writer died; the handle is static because of that.
 */
#include "config.h"
#include "bstream.h"
#include "creation.h"
#include "intake.h"
#include "letter.h"
#include "outcome.h"
#include "units.h"
#include "verb.h"

static struct {
	struct letter letter;
	struct creation creation;
	struct intake intake;
	struct bstream_writer *writer;
} job = { .creation = CREATION_INIT, .intake = { .timeout_ns = NO_TIMEOUT } };

static const struct option_row open_options[] = {
	LETTER_NOTE_OPTION(job.letter),
	INTAKE_OPTIONS(job.intake, "the mailbox"),
	CREATION_PAIR_OPTIONS(job.creation),
	{ 0 },
};

static int open_run(const struct call *call)
{
	struct bstream_options options = creation_options(&job.creation);
	const char *mailbox = call->operands[0];
	int n_files = call->n_operands - 1;
	char *const *files = call->operands + 1;
	int code = intake_check(n_files, files);

	job.letter.mailbox = mailbox;
	job.letter.timeout_ns = job.intake.timeout_ns;
	if (code == CODE_DONE)
		code = letter_check(&job.letter);
	if (code == CODE_DONE)
		code = progress_choose(&job.intake.progress, call->globals->json,
				       call->globals->quiet);
	if (code)
		return code;
	progress_start(mailbox, job.intake.progress);
	progress_nameless();
	code = letter_connect(&job.letter, &options, &job.writer);
	if (code == CODE_DONE) {
		progress_opened();
		code = intake_run(&job.intake, job.writer, mailbox, n_files, files);
	}
	progress_stop();
	if (code == CODE_DONE)
		bstream_writer_close(job.writer);
	return code;
}

const struct verb verb_open = {
	.name = "open",
	.args = "MAILBOX [FILE...]",
	.help = "stdin, or files, into a stream to whoever listens",
	.notes =
		"The stream has no name: its read end goes to the mailbox in a message. Returns when\n"
		"all is in the stream; --drain waits until it was read. An open that exits other than 0\n"
		"ends as died, not as closed.",
	.examples = { "bstreamctl open backup --note \"$(hostname)\" <disk.img",
		      "bstreamctl open print --timeout 10s --drain letter.ps" },
	.operands = OPERANDS_NAME_FILES,
	.options = open_options,
	.run = open_run,
};
