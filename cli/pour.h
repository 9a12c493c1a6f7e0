/* SPDX-License-Identifier: MIT */
/* pour.h - from a stream into a file descriptor. */
#ifndef CLI_POUR_H
#define CLI_POUR_H

#include "framing.h"

#include <pthread.h>

struct bstream_reader;

/* What goes on between one read end and its output; filled by the caller. */
struct pour {
	struct bstream_reader *reader; /* borrowed */
	const char *name; /* of the stream, for messages */
	struct framing framing;
	int64_t timeout_ns; /* bounds each wait for a chunk */
	uint64_t count; /* chunks at most */
	int fd; /* -1: what is read is dropped */
	const char *path; /* of fd, for messages; NULL: a pipe of ours, see below */
	pthread_mutex_t *lock; /* held while a chunk is put out, if others put theirs there too */
};

/*
 * Puts the stream's chunks out, to its end. A chunk is released when all of it has been written.
 * Into a pipe of ours it goes no longer than somebody can read it; that nobody does is no failure.
 * SIGPIPE is the caller's to ignore then. Returns 0, or an exit code whose reason has been said.
 */
int pour_all(const struct pour *pour);

#endif
