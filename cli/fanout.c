/* SPDX-License-Identifier: MIT */
/*
 * fanout.c - owns what tee does with one chunk and many streams.
 *
 * A chunk goes first into every stream that has room, then into the full ones, one after the other:
 * so nobody waits for the slowest before he has the chunk, and all are at most one chunk apart in
 * what was given to them. A stream whose reader leaves is closed and forgotten; the others are not
 * to suffer. verb_tee.c calls this, from one thread.
 */
#include "config.h"
#include "bstream.h"
#include "fanout.h"
#include "outcome.h"
#include "progress.h"
#include "say.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>

uint32_t fanout_chunk_max(const struct fanout *fanout)
{
	uint32_t least = 0;

	for (int i = 0; i < fanout->n_branches; i++) {
		const struct branch *branch = &fanout->branches[i];

		if (branch->writer && (!least || branch->chunk_max < least))
			least = branch->chunk_max;
	}
	return least;
}

static void branch_drop(struct fanout *fanout, struct branch *branch)
{
	bstream_writer_close(branch->writer);
	branch->writer = NULL;
	fanout->n_left++;
	say_failure(branch->name, "the reader is gone (%s)",
		    fanout->n_left < fanout->n_branches ? "the other streams go on"
							: "what it had not read is lost");
}

/* Says what @branch made of the chunk; 0, or an exit code. */
static int branch_result(struct fanout *fanout, struct branch *branch, size_t len, int err)
{
	if (err == 0) {
		branch->took = true;
		return CODE_DONE;
	}
	if (err == -EPIPE) {
		branch_drop(fanout, branch);
		return CODE_DONE;
	}
	progress_stop();
	if (err != -EMSGSIZE)
		return outcome_fail(DOING_WRITE, branch->name, err);
	say_failure(branch->name,
		    "chunk %" PRIu64 " has %zu bytes, chunk-max is %" PRIu32
		    " (create the stream with a larger --chunk-max)",
		    fanout->n_chunks + 1, len, branch->chunk_max);
	return CODE_FAILURE;
}

int fanout_put(struct fanout *fanout, const void *chunk, size_t len)
{
	int code = CODE_DONE;

	for (int i = 0; i < fanout->n_branches && code == CODE_DONE; i++) {
		struct branch *branch = &fanout->branches[i];
		int r;

		branch->took = !branch->writer;
		if (branch->took)
			continue;
		r = bstream_write(branch->writer, chunk, len, BSTREAM_DONT_WAIT);
		if (r == -EAGAIN && fanout->skip) {
			branch->n_skipped++;
			branch->bytes_skipped += len;
		}
		if (r != -EAGAIN)
			code = branch_result(fanout, branch, len, r);
	}
	for (int i = 0; i < fanout->n_branches && code == CODE_DONE && !fanout->skip; i++) {
		struct branch *branch = &fanout->branches[i];

		if (branch->writer && !branch->took)
			code = branch_result(fanout, branch, len,
					     bstream_write(branch->writer, chunk, len,
							   units_deadline(fanout->timeout_ns)));
	}
	fanout->n_chunks++;
	return code;
}

void fanout_look(struct fanout *fanout)
{
	for (int i = 0; i < fanout->n_branches; i++) {
		struct branch *branch = &fanout->branches[i];
		struct bstream_stat stat = { .size = sizeof(stat) };

		if (branch->writer && bstream_writer_stat(branch->writer, &stat) == 0 &&
		    (stat.flags & BSTREAM_BROKEN))
			branch_drop(fanout, branch);
	}
}

void fanout_close(struct fanout *fanout)
{
	for (int i = 0; i < fanout->n_branches; i++) {
		struct branch *branch = &fanout->branches[i];
		char size[UNITS_MAX];

		bstream_writer_close(branch->writer);
		branch->writer = NULL;
		if (branch->n_skipped)
			say_failure(branch->name,
				    "%" PRIu64 " of %" PRIu64 " chunks skipped, %s (it was full)",
				    branch->n_skipped, fanout->n_chunks,
				    units_print_size(size, branch->bytes_skipped));
	}
}
