/* SPDX-License-Identifier: MIT */
/*
 * lane_pipe.c - owns the pipe that bench measures beside the stream, as anybody would use one for
 * chunks: a length before each, written with it by one writev(2), and a reader that takes as much
 * as there is and cuts it up. Where that is more than a pipe keeps whole, each of several writers
 * has a pipe of its own, and the reader polls: no lock slows them. trial.c calls it through lane.h.
 */
#include "config.h"
#include "lane.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIPE_BYTES  65536
#define DIRECT_FROM 8192 /* what is as large as this is read where it belongs */

/* The reader's end of one pipe, and what was read from it and not cut up yet. */
struct lane_store {
	int fd;
	size_t at, end;
	char bytes[PIPE_BYTES];
};

struct lane_stores {
	unsigned n, n_open, turn; /* turn: the pipe to look at next */
	struct pollfd polls[LANE_WRITERS_MAX];
	struct lane_store store[];
};

static int one_open(struct lane *lane, unsigned k)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	lane->fds[LANE_READER + k] = fds[0];
	lane->fds[k] = fds[1];
	/* The default unless somebody has used up his share: then it would be less. */
	if (fcntl(fds[1], F_GETPIPE_SZ) != PIPE_BYTES &&
	    fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES) < 0)
		return -errno;
	return 0;
}

static int pipe_open(struct lane *lane)
{
	bool whole = lane->size + sizeof(uint32_t) <= PIPE_BUF;

	if (lane->size > UINT32_MAX)
		return -EINVAL;
	for (unsigned k = 0; k < lane->n_writers; k++) {
		int r = 0;

		if (k == 0 || !whole)
			r = one_open(lane, k);
		else if ((lane->fds[k] = fcntl(lane->fds[0], F_DUPFD_CLOEXEC, 0)) < 0)
			r = -errno;
		if (r < 0)
			return r;
	}
	return 0;
}

static int pipe_attach_writer(struct lane *lane, unsigned k)
{
	lane->write_fd = lane->fds[k];
	lane->fds[k] = -1;
	return 0;
}

static int pipe_attach_reader(struct lane *lane)
{
	unsigned n = 0;

	while (n < lane->n_writers && lane->fds[LANE_READER + n] >= 0)
		n++;
	lane->stores = calloc(1, sizeof(*lane->stores) + n * sizeof(struct lane_store));
	if (!lane->stores)
		return -ENOMEM;
	lane->stores->n = lane->stores->n_open = n;
	for (unsigned k = 0; k < n; k++) {
		int fd = lane->fds[LANE_READER + k];

		lane->stores->store[k].fd = fd;
		lane->stores->polls[k] = (struct pollfd){ .fd = fd, .events = POLLIN };
		lane->fds[LANE_READER + k] = -1;
	}
	return 0;
}

static int iov_write(int fd, struct iovec *iov, int n_iov)
{
	while (n_iov > 0) {
		ssize_t n = writev(fd, iov, n_iov);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (; n_iov > 0 && (size_t)n >= iov->iov_len; n_iov--, iov++)
			n -= (ssize_t)iov->iov_len;
		if (n_iov > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int pipe_write(struct lane *lane, const void *chunk)
{
	uint32_t len = (uint32_t)lane->size;
	struct iovec iov[2] = { { &len, sizeof(len) }, { (void *)(uintptr_t)chunk, len } };

	return iov_write(lane->write_fd, iov, 2);
}

static ssize_t pipe_take(int fd, void *to, size_t size)
{
	ssize_t n;

	do
		n = read(fd, to, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Exactly @len bytes: 1; 0 at the end; -EBADMSG if that comes in the middle; or -errno. */
static int bytes_take(struct lane_store *store, char *to, size_t len)
{
	size_t have = 0;

	while (have < len) {
		size_t n = store->end - store->at, want = len - have;
		ssize_t came;

		n = n < want ? n : want;
		memcpy(to + have, store->bytes + store->at, n);
		store->at += n;
		have += n;
		if (have == len)
			break;
		if (len - have >= DIRECT_FROM) {
			came = pipe_take(store->fd, to + have, len - have);
			have += came > 0 ? (size_t)came : 0;
		} else {
			came = pipe_take(store->fd, store->bytes, sizeof(store->bytes));
			store->at = 0;
			store->end = came > 0 ? (size_t)came : 0;
		}
		if (came <= 0)
			return came == 0 && have > 0 ? -EBADMSG : (int)came;
	}
	return 1;
}

static int chunk_take(struct lane *lane, struct lane_store *store, void *chunk)
{
	uint32_t len;
	int r = bytes_take(store, (char *)&len, sizeof(len));

	if (r != 1)
		return r;
	if (len != lane->size)
		return -EBADMSG;
	r = bytes_take(store, chunk, len);
	return r == 0 ? -EBADMSG : r;
}

/* Of one round over the pipes: the next that has something, or -1. */
static int ready_find(struct lane_stores *s)
{
	for (; s->turn < s->n; s->turn++)
		if (s->polls[s->turn].revents || s->store[s->turn].at < s->store[s->turn].end)
			return (int)s->turn++;
	s->turn = 0;
	return -1;
}

static int pipe_read(struct lane *lane, void *chunk)
{
	struct lane_stores *s = lane->stores;

	if (s->n == 1)
		return chunk_take(lane, &s->store[0], chunk);
	while (s->n_open > 0) {
		int k = ready_find(s), r;

		if (k < 0) {
			if (poll(s->polls, s->n, -1) < 0 && errno != EINTR)
				return -errno;
			continue;
		}
		s->polls[k].revents = 0;
		r = chunk_take(lane, &s->store[k], chunk);
		if (r != 0)
			return r;
		s->polls[k].fd = -1;
		s->n_open--;
	}
	return 0;
}

static void pipe_leave(struct lane *lane)
{
	if (lane->write_fd >= 0)
		close(lane->write_fd);
	lane->write_fd = -1;
	for (unsigned k = 0; lane->stores && k < lane->stores->n; k++)
		close(lane->stores->store[k].fd);
	free(lane->stores);
	lane->stores = NULL;
}

const struct lane_ops lane_pipe = {
	.name = "pipe",
	.open = pipe_open,
	.attach_writer = pipe_attach_writer,
	.attach_reader = pipe_attach_reader,
	.write = pipe_write,
	.read = pipe_read,
	.leave = pipe_leave,
};
