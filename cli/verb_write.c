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
#include "creation.h"
#include "feed.h"
#include "json_line.h"
#include "outcome.h"
#include "progress.h"
#include "say.h"
#include "units.h"
#include "verb.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_TRIES 100 /* a name that comes and goes this often is not worth more */
#define SLICE_NS   INT64_C(1000000000)

static struct {
	struct creation creation;
	struct framing framing;
	bool no_create, drain;
	int64_t timeout_ns;
	uint64_t rate;
	enum progress_form progress;
	struct bstream_writer *writer;
	struct feed feed;
} job = { .creation = CREATION_INIT, .timeout_ns = NO_TIMEOUT };

static const struct option_row write_options[] = {
	CREATION_OPTIONS(job.creation),
	{ .name = "no-create",
	  .to = &job.no_create,
	  .help = "a stream that does not exist is exit 3; with --timeout, wait for it" },
	{ .name = "frame",
	  .kind = OPTION_OWN,
	  .arg = "raw|line|nul|len32|fixed:N",
	  .to = &job.framing,
	  .take = framing_take,
	  .help = "what a chunk is: what one read(2) gives (raw, the default);\n"
		  "or one record, so that records of many writers do not mix" },
	{ .name = "timeout",
	  .kind = OPTION_TIME,
	  .arg = "T",
	  .to = &job.timeout_ns,
	  .help = "give up a wait for the name, for room or for --drain: exit 124" },
	{ .name = "drain", .to = &job.drain, .help = "return when the reader has taken all" },
	{ .name = "rate",
	  .kind = OPTION_SIZE,
	  .arg = "SIZE",
	  .to = &job.rate,
	  .help = "so many bytes a second at most" },
	PROGRESS_OPTION(job.progress),
	{ 0 },
};

/* A file that cannot be read should be found before a stream is made for it. */
static int files_check(int n_files, char *const *files)
{
	struct stat st;

	for (int i = 0; i < n_files; i++) {
		if (!strcmp(files[i], "-"))
			continue;
		if (stat(files[i], &st) < 0 || access(files[i], R_OK) < 0)
			return outcome_fail(DOING_INPUT, files[i], -errno);
		if (S_ISDIR(st.st_mode))
			return outcome_fail(DOING_INPUT, files[i], -EISDIR);
	}
	return CODE_DONE;
}

/* Opens a name that was there a moment ago; waits for writers in the middle of a write only. */
static int writer_open_existing(const char *name, uint64_t deadline)
{
	int r = bstream_open_writer(name, BSTREAM_DONT_WAIT, &job.writer);

	while (r == -EAGAIN) {
		uint64_t slice = units_deadline(SLICE_NS);

		r = bstream_open_writer(name, slice < deadline ? slice : deadline, &job.writer);
		if (r == -ETIMEDOUT && units_now() < deadline)
			r = bstream_open_writer(name, BSTREAM_DONT_WAIT, &job.writer);
	}
	return r;
}

/* Opens the name, or makes it; whoever else does so at the same time, one of us wins. */
static int writer_open(const char *name)
{
	struct bstream_options options = creation_options(&job.creation);
	uint64_t deadline = units_deadline(job.timeout_ns);

	for (int i = 0; i < OPEN_TRIES; i++) {
		int r = writer_open_existing(name, deadline);

		if (r == 0)
			return CODE_DONE;
		if (r == -ENOENT && job.no_create && job.timeout_ns != NO_TIMEOUT)
			r = bstream_open_writer(name, deadline, &job.writer);
		if (r == 0)
			return CODE_DONE;
		if (r != -ENOENT || job.no_create)
			return outcome_fail(DOING_OPEN_WRITER, name, r);
		r = bstream_create(name, &options);
		if (r == 0)
			say_note(name, "created");
		else if (r != -EEXIST)
			return outcome_fail(DOING_CREATE, name, r);
	}
	return outcome_fail(DOING_CREATE, name, -EAGAIN);
}

static int write_file(const char *path)
{
	int code, fd = STDIN_FILENO;

	if (strcmp(path, "-") != 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		progress_stop();
		return outcome_fail(DOING_INPUT, path, -errno);
	}
	code = feed_file(&job.feed, fd, fd == STDIN_FILENO ? "stdin" : path);
	if (fd != STDIN_FILENO)
		close(fd);
	return code;
}

static int write_files(const char *name, int n_files, char *const *files)
{
	int code, r;

	job.feed.writer = job.writer;
	job.feed.name = name;
	job.feed.framing = job.framing;
	job.feed.timeout_ns = job.timeout_ns;
	job.feed.pace.rate = job.rate;
	code = feed_init(&job.feed);
	if (code)
		return code;
	if (n_files == 0)
		code = write_file("-");
	for (int i = 0; i < n_files && code == CODE_DONE; i++)
		code = write_file(files[i]);
	feed_fini(&job.feed);
	if (code || !job.drain)
		return code;
	r = bstream_drain(job.writer, units_deadline(job.timeout_ns));
	if (r == 0)
		return CODE_DONE;
	progress_stop();
	return outcome_fail(DOING_DRAIN, name, r);
}

static int write_run(const struct call *call)
{
	const char *name = call->operands[0];
	int code = files_check(call->n_operands - 1, call->operands + 1);

	if (code)
		return code;
	if (job.progress && call->globals->json)
		job.progress = PROGRESS_JSON;
	if (job.progress == PROGRESS_JSON && !json_line_available())
		return say_usage("--progress=json", "this bstreamctl was built without jansson");
	progress_start(name, call->globals->quiet ? PROGRESS_NONE : job.progress);
	code = writer_open(name);
	if (code == CODE_DONE) {
		progress_opened();
		code = write_files(name, call->n_operands - 1, call->operands + 1);
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
