/* SPDX-License-Identifier: MIT */
/*
 * pour.c - owns the way of chunks from a stream into a file descriptor, straight from their slots.
 *
 * A chunk is released only after write(2) has taken all of it, so whatever interrupts us, the next
 * reader of a kept stream begins with a chunk that was not delivered whole. Into stdout it acts as
 * cat, which learns that nobody reads when it writes. A pipe of ours is watched while a chunk is
 * waited for, because nobody should wait for data that nobody wants.
 */
#include "config.h"
#include "bstream.h"
#include "outcome.h"
#include "pour.h"
#include "progress.h"
#include "units.h"

#include <errno.h>
#include <poll.h>

#define WATCH_NS INT64_C(250000000) /* how long nobody may read before it is noticed */

static int pour_fail(enum doing doing, const char *about, int err)
{
	progress_stop();
	return outcome_fail(doing, about, err);
}

static bool pipe_unread(int fd)
{
	struct pollfd poll_fd = { .fd = fd };

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLERR);
}

/* As bstream_peek; -EPIPE when nobody reads the pipe any more. */
static int pour_peek(const struct pour *pour, const void **chunkp, size_t *lenp)
{
	uint64_t deadline = units_deadline(pour->timeout_ns);
	int r;

	if (pour->path || pour->fd < 0)
		return bstream_peek(pour->reader, chunkp, lenp, deadline);
	for (;;) {
		uint64_t slice = units_deadline(WATCH_NS);

		r = bstream_peek(pour->reader, chunkp, lenp, slice < deadline ? slice : deadline);
		if (r != -ETIMEDOUT)
			return r;
		if (pipe_unread(pour->fd))
			return -EPIPE;
		if (slice >= deadline)
			return r;
	}
}

static int pour_put(const struct pour *pour, const void *chunk, size_t len)
{
	int r;

	if (pour->fd < 0)
		return 0;
	if (pour->lock)
		pthread_mutex_lock(pour->lock);
	r = framing_put(&pour->framing, pour->fd, chunk, len);
	if (pour->lock)
		pthread_mutex_unlock(pour->lock);
	return r;
}

int pour_all(const struct pour *pour)
{
	for (uint64_t n = 0; n < pour->count; n++) {
		const void *chunk;
		size_t len;
		int r = pour_peek(pour, &chunk, &len);

		if (r == 0 || r == -EPIPE)
			return CODE_DONE;
		if (r < 0)
			return pour_fail(DOING_READ, pour->name, r);
		r = pour_put(pour, chunk, len);
		if (r == -EPIPE && !pour->path)
			return CODE_DONE;
		if (r < 0)
			return pour_fail(DOING_OUTPUT, pour->path ? pour->path : pour->name, r);
		r = bstream_release(pour->reader);
		if (r < 0)
			return pour_fail(DOING_READ, pour->name, r);
		progress_add(len);
	}
	return CODE_DONE;
}
