/* SPDX-License-Identifier: MIT */
/* fanout.h - one chunk into several streams, whose readers may be slow, or leave. */
#ifndef CLI_FANOUT_H
#define CLI_FANOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bstream_writer;

/* One of the streams. */
struct branch {
	const char *name; /* borrowed */
	struct bstream_writer *writer; /* owned; NULL: its reader has left */
	uint32_t chunk_max;
	bool took; /* the chunk that is being put */
	uint64_t n_skipped, bytes_skipped;
};

struct fanout {
	struct branch *branches; /* borrowed, n of them */
	int n_branches;
	bool skip; /* what a full stream cannot take at once it never gets */
	int64_t timeout_ns; /* bounds each wait for room */

	int n_left; /* how many readers have left */
	uint64_t n_chunks;
};

/* What the smallest chunk_max of those left is; 0 if none is left. */
uint32_t fanout_chunk_max(const struct fanout *fanout);

/*
 * Puts a chunk into every stream that is left. One whose reader has left is dropped from then on,
 * and that is said. Returns 0, or an exit code whose reason has been said.
 */
int fanout_put(struct fanout *fanout, const void *chunk, size_t len);

/* Drops those whose readers have left, so that it is said before the next chunk comes. */
void fanout_look(struct fanout *fanout);

/* Closes those that are left: they end as whole. Says how much was skipped. */
void fanout_close(struct fanout *fanout);

#endif
