/* SPDX-License-Identifier: MIT */
/* feed.h - from a file descriptor into a stream. */
#ifndef CLI_FEED_H
#define CLI_FEED_H

#include "framing.h"
#include "pace.h"

#include <stdbool.h>

struct bstream_writer;

/* Where chunks go that are not for one writer alone. */
struct feed_sink {
	uint32_t chunk_max;
	/* Takes a chunk. Returns 0, or an exit code whose reason has been said. */
	int (*put)(void *arg, const void *chunk, size_t len);
	/* Called again and again while input is waited for. */
	void (*watch)(void *arg);
	void *arg;
};

/* What goes on between one writer and its inputs; filled by the caller up to the blank line. */
struct feed {
	struct bstream_writer *writer; /* borrowed; NULL: to @sink */
	const struct feed_sink *sink; /* borrowed */
	bool copied; /* all input goes to stdout first, as it is */
	const char *name; /* of the stream, for messages */
	struct framing framing;
	int64_t timeout_ns; /* bounds each wait for room */
	struct pace pace;

	uint32_t chunk_max;
	struct cut cut; /* record framings */
	char *spare; /* raw: for input that may turn out to be its end; made when needed */
	uint64_t n_records;
};

/* Returns 0, or an exit code whose reason has been said; then there is nothing to fini. */
int feed_init(struct feed *feed);
void feed_fini(struct feed *feed);

/*
 * Writes all of @fd into the stream. The file's end is a record's end. @path is for messages.
 * Returns 0, or an exit code whose reason has been said; then the stream must end as died.
 */
int feed_file(struct feed *feed, int fd, const char *path);

#endif
