/* SPDX-License-Identifier: MIT */
/*
 * feed.c - owns the way of bytes from a file descriptor into a stream.
 *
 * Raw input goes straight into the reserved slot: one look at the descriptor, one read(2) and one
 * commit for each chunk. A reservation is never held while input is waited for, because chunks of
 * other writers wait behind it. While input is waited for, the reader is watched: when it has left,
 * there is no use in waiting. Records are cut in a buffer of our own, since where one ends is not
 * known before it has been read; only fixed records of a regular file are read in place. What goes to
 * a sink, not to one writer, is never read in place. intake.c, verb_tee.c and verb_exec.c call it;
 * whatever fails is said here.
 */
#include "config.h"
#include "bstream.h"
#include "feed.h"
#include "outcome.h"
#include "progress.h"
#include "say.h"
#include "source.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define WATCH_MS     1000 /* how long the reader may be gone before a waiting writer notices */
#define PAUSE_MS     250 /* in the input: then a record that is too large is counted no further */
#define IN_PLACE_MIN 16384 /* smaller fixed records are cheaper to read many at once */
#define COUNT_MAX    (UINT64_C(1) << 30) /* a record too large is counted no further */

static int feed_fail(const struct feed *feed, enum doing doing, int err)
{
	progress_stop();
	return outcome_fail(doing, feed->name, err);
}

static int input_fail(const char *path, int err)
{
	progress_stop();
	return outcome_fail(DOING_INPUT, path, err);
}

static uint64_t feed_deadline(const struct feed *feed)
{
	return units_deadline(feed->timeout_ns);
}

static bool feed_reader_left(const struct feed *feed)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	return bstream_writer_stat(feed->writer, &stat) == 0 && (stat.flags & BSTREAM_BROKEN);
}

/* Sleeps until the rate allows more. Returns 0 or -EPIPE. */
static int feed_pace(const struct feed *feed)
{
	uint64_t ns;

	while ((ns = pace_due_in(&feed->pace)) > 0) {
		uint64_t ms = ns / 1000000 + 1;

		poll(NULL, 0, ms < WATCH_MS ? (int)ms : WATCH_MS);
		if (ms >= WATCH_MS && feed_reader_left(feed))
			return -EPIPE;
	}
	return 0;
}

/* Waits for input or its end, and watches the reader. Never returns SOURCE_WAIT. */
static enum source_state feed_await(const struct feed *feed, const struct source *source)
{
	enum source_state state;

	while ((state = source_look(source, WATCH_MS)) == SOURCE_WAIT) {
		if (feed->sink) {
			feed->sink->watch(feed->sink->arg);
		} else if (feed_reader_left(feed)) {
			errno = EPIPE;
			return SOURCE_ERROR;
		}
	}
	return state;
}

/* What feed_await or feed_pace failed with, said. */
static int feed_await_fail(const struct feed *feed, const char *path, int err)
{
	return err == -EPIPE ? feed_fail(feed, DOING_WRITE, err) : input_fail(path, err);
}

/* Input just read, on its way to stdout if that is wanted. Returns 0, or an exit code. */
static int feed_copy(const struct feed *feed, const void *bytes, size_t n)
{
	const struct framing as_it_is = { .kind = FRAMING_RAW };
	int r = feed->copied ? framing_put(&as_it_is, STDOUT_FILENO, bytes, n) : 0;

	if (r == 0)
		return CODE_DONE;
	progress_stop();
	return outcome_fail(DOING_OUTPUT, "stdout", r);
}

/* Returns 0, or an exit code. */
static int feed_put(const struct feed *feed, const void *chunk, size_t len)
{
	int r;

	if (feed->sink)
		return feed->sink->put(feed->sink->arg, chunk, len);
	r = bstream_write(feed->writer, chunk, len, feed_deadline(feed));
	return r < 0 ? feed_fail(feed, DOING_WRITE, r) : CODE_DONE;
}

/* Bytes are known to be there: they go where they will be read. Returns as source_read. */
static ssize_t raw_read_in_place(struct feed *feed, struct source *source, int *code)
{
	size_t size = pace_at_once(&feed->pace, feed->chunk_max);
	void *span;
	ssize_t n;
	int r = bstream_reserve(feed->writer, size, &span, feed_deadline(feed));

	*code = 0;
	if (r < 0) {
		*code = feed_fail(feed, DOING_WRITE, r);
		return -1;
	}
	n = source_read(source, span, size);
	if (n <= 0) {
		bstream_cancel(feed->writer);
		return n;
	}
	r = bstream_commit(feed->writer, (size_t)n);
	if (r < 0)
		*code = feed_fail(feed, DOING_WRITE, r);
	return n;
}

/* This may be the input's end, and an end needs no slot. Returns as source_read. */
static ssize_t raw_read_aside(struct feed *feed, struct source *source, int *code)
{
	ssize_t n;

	*code = 0;
	if (!feed->spare)
		feed->spare = malloc(feed->chunk_max);
	if (!feed->spare) {
		*code = feed_fail(feed, DOING_ANYTHING, -ENOMEM);
		return -1;
	}
	n = source_read(source, feed->spare, pace_at_once(&feed->pace, feed->chunk_max));
	if (n <= 0)
		return n;
	*code = feed_copy(feed, feed->spare, (size_t)n);
	if (*code == CODE_DONE)
		*code = feed_put(feed, feed->spare, (size_t)n);
	return n;
}

static int feed_raw(struct feed *feed, struct source *source, const char *path)
{
	for (;;) {
		enum source_state state;
		ssize_t n;
		int code, r = feed_pace(feed);

		if (r < 0)
			return feed_await_fail(feed, path, r);
		state = feed_await(feed, source);
		if (state == SOURCE_END)
			return CODE_DONE;
		if (state == SOURCE_ERROR)
			return feed_await_fail(feed, path, -errno);
		n = state == SOURCE_READY && !feed->sink ? raw_read_in_place(feed, source, &code)
							 : raw_read_aside(feed, source, &code);
		if (code)
			return code;
		if (n == -EAGAIN) /* somebody else was faster at it */
			continue;
		if (n < 0)
			return input_fail(path, (int)n);
		if (n == 0 && state == SOURCE_MAYBE)
			return CODE_DONE;
		if (n == 0) /* a file that was cut meanwhile, a pipe read empty by others */
			source->left = 0;
		else {
			pace_spend(&feed->pace, (size_t)n);
			progress_add((size_t)n);
		}
	}
}

/* Adds input to the buffer of records. Returns 0, or an exit code. */
static int records_fill(struct feed *feed, struct source *source, const char *path, bool *at_end)
{
	ssize_t n = -EAGAIN;
	char *to = NULL;

	while (n == -EAGAIN) {
		enum source_state state = feed_await(feed, source);
		size_t room;

		if (state == SOURCE_ERROR)
			return feed_await_fail(feed, path, -errno);
		to = cut_room(&feed->cut, &room);
		n = state == SOURCE_END ? 0 : source_read(source, to, room);
	}
	if (n < 0)
		return input_fail(path, (int)n);
	*at_end = n == 0;
	cut_added(&feed->cut, (size_t)n);
	return n > 0 ? feed_copy(feed, to, (size_t)n) : CODE_DONE;
}

/*
 * Reads on to the end of a record that is too large, so that its size can be told. Stops where
 * input does not come at once, or after COUNT_MAX bytes. Returns its size as far as it is known.
 */
static uint64_t record_count(struct feed *feed, struct source *source, bool *known)
{
	uint64_t size = cut_skip(&feed->cut, known);

	while (!*known && size < COUNT_MAX) {
		enum source_state state = source_look(source, PAUSE_MS);
		size_t room;
		char *to = cut_room(&feed->cut, &room);
		ssize_t n;

		if (state == SOURCE_WAIT || state == SOURCE_ERROR)
			break;
		n = state == SOURCE_END ? 0 : source_read(source, to, room);
		if (n < 0)
			break;
		cut_added(&feed->cut, (size_t)n);
		size += cut_skip(&feed->cut, known);
		*known = *known || n == 0;
	}
	return size;
}

static int record_refuse(struct feed *feed, struct source *source, enum cut_result result,
			 size_t len, bool known)
{
	uint64_t size = known ? len : record_count(feed, source, &known);

	progress_stop();
	if (result == CUT_SHORT)
		say_failure(feed->name, "record %" PRIu64 " is cut short: the input ends inside it",
			    feed->n_records + 1);
	else
		say_failure(feed->name,
			    "record %" PRIu64 " has %s%" PRIu64 " bytes, chunk-max is %" PRIu32
			    " (create the stream with a larger --chunk-max)",
			    feed->n_records + 1, known ? "" : "at least ", size, feed->chunk_max);
	return CODE_FAILURE;
}

static int record_write(struct feed *feed, const char *path, const char *record, size_t len)
{
	int code, r = feed_pace(feed);

	if (r < 0)
		return feed_await_fail(feed, path, r);
	code = feed_put(feed, record, len);
	if (code)
		return code;
	feed->n_records++;
	pace_spend(&feed->pace, len);
	progress_add(len);
	return CODE_DONE;
}

static int feed_records(struct feed *feed, struct source *source, const char *path)
{
	bool at_end = false;
	int code = CODE_DONE;

	while (code == CODE_DONE) {
		const char *record = NULL;
		size_t len = 0;
		bool known = true;
		enum cut_result result = cut_next(&feed->cut, at_end, &record, &len, &known);

		switch (result) {
		case CUT_RECORD:
			code = record_write(feed, path, record, len);
			break;
		case CUT_MORE:
			code = records_fill(feed, source, path, &at_end);
			break;
		case CUT_END:
			return CODE_DONE;
		case CUT_LARGE:
		case CUT_SHORT:
			return record_refuse(feed, source, result, len, known);
		}
	}
	return code;
}

/* Reads exactly @len bytes of a regular file, fewer only at its end. Returns bytes or -errno. */
static ssize_t read_whole(struct source *source, char *to, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = source_read(source, to + have, len - have);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

/* Fixed records while the file surely has whole ones, straight into their slots. */
static int feed_fixed_in_place(struct feed *feed, struct source *source, const char *path)
{
	size_t fixed = feed->framing.fixed;

	while (source->left >= (int64_t)fixed) {
		void *span;
		ssize_t n;
		int r = feed_pace(feed);

		if (r < 0)
			return feed_await_fail(feed, path, r);
		r = bstream_reserve(feed->writer, fixed, &span, feed_deadline(feed));
		if (r < 0)
			return feed_fail(feed, DOING_WRITE, r);
		n = read_whole(source, span, fixed);
		if (n <= 0)
			bstream_cancel(feed->writer);
		if (n < 0)
			return input_fail(path, (int)n);
		if (n == 0)
			return CODE_DONE;
		r = bstream_commit(feed->writer, (size_t)n);
		if (r < 0)
			return feed_fail(feed, DOING_WRITE, r);
		feed->n_records++;
		pace_spend(&feed->pace, (size_t)n);
		progress_add((size_t)n);
	}
	return CODE_DONE;
}

int feed_init(struct feed *feed)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	int r = feed->sink ? 0 : bstream_writer_stat(feed->writer, &stat);

	if (r < 0)
		return feed_fail(feed, DOING_WRITE, r);
	feed->chunk_max = feed->sink ? feed->sink->chunk_max : stat.chunk_max;
	feed->spare = NULL;
	feed->cut.bytes = NULL;
	feed->n_records = 0;
	if (feed->framing.kind == FRAMING_RAW)
		return CODE_DONE;
	r = cut_init(&feed->cut, &feed->framing, feed->chunk_max);
	return r < 0 ? feed_fail(feed, DOING_ANYTHING, r) : CODE_DONE;
}

void feed_fini(struct feed *feed)
{
	cut_fini(&feed->cut);
	free(feed->spare);
	feed->spare = NULL;
}

int feed_file(struct feed *feed, int fd, const char *path)
{
	struct source source;
	int code, r = source_init(&source, fd);

	if (r < 0)
		return input_fail(path, r);
	if (feed->framing.kind == FRAMING_RAW)
		return feed_raw(feed, &source, path);
	if (!feed->sink && feed->framing.kind == FRAMING_FIXED && !source.pollable &&
	    source.sized && feed->framing.fixed >= IN_PLACE_MIN &&
	    feed->framing.fixed <= feed->chunk_max) {
		code = feed_fixed_in_place(feed, &source, path);
		if (code)
			return code;
	}
	return feed_records(feed, &source, path);
}
