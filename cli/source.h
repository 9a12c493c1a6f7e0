/* SPDX-License-Identifier: MIT */
/* source.h - a file descriptor that is read, and what is known of it before read(2). */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct source {
	int fd; /* borrowed */
	bool pollable; /* read(2) may have to wait */
	bool sized; /* a pipe or a regular file: it is known whether bytes are there */
	int64_t left; /* of a regular file: bytes it still had when opened */
};

enum source_state {
	SOURCE_READY, /* read(2) would give bytes */
	SOURCE_MAYBE, /* read(2) would not wait, but may find the end */
	SOURCE_END,
	SOURCE_WAIT, /* nothing yet */
	SOURCE_ERROR, /* errno says which */
};

/* Looks at @fd. Returns 0 or -errno. */
int source_init(struct source *source, int fd);

/* What read(2) would do; waits for input at most @wait_ms. */
enum source_state source_look(const struct source *source, int wait_ms);

/* read(2), not waiting if the kernel can help it: bytes, 0 at the end, or -errno (-EAGAIN). */
ssize_t source_read(struct source *source, void *buf, size_t size);

#endif
