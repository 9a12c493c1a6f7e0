/* SPDX-License-Identifier: MIT */
/* lane.h - one way from writers to a reader that bench measures: a stream, or a pipe beside it. */
#ifndef CLI_LANE_H
#define CLI_LANE_H

#include <stddef.h>
#include <stdint.h>

#define LANE_WRITERS_MAX 64
#define LANE_READER	 LANE_WRITERS_MAX /* first read end among the descriptors */
#define LANE_FDS	 (2 * LANE_WRITERS_MAX)

struct bstream_reader;
struct bstream_writer;
struct lane_stores;

/* A process opens it, and its children attach to what they inherit; up to the blank line theirs. */
struct lane {
	const struct lane_ops *ops;
	size_t size; /* bytes in a chunk; all are as long */
	uint32_t capacity; /* of a stream */
	unsigned n_writers;

	int fds[LANE_FDS]; /* of ends that nobody has attached here; -1: none */
	int write_fd; /* pipe */
	struct lane_stores *stores; /* pipe: the reader's */
	struct bstream_writer *writer;
	struct bstream_reader *reader;
};

/* All return 0 or -errno; what fails has left nothing behind. */
struct lane_ops {
	const char *name;
	int (*open)(struct lane *lane);
	int (*attach_writer)(struct lane *lane, unsigned k); /* takes lane->fds[k] */
	int (*attach_reader)(struct lane *lane); /* takes those from LANE_READER on */
	int (*write)(struct lane *lane, const void *chunk);
	int (*read)(struct lane *lane, void *chunk); /* 1: a chunk; 0: the end; or -errno */
	void (*leave)(struct lane *lane); /* closes what this process has attached */
};

extern const struct lane_ops lane_bstream;
extern const struct lane_ops lane_pipe;

/* Makes the ends. @lane is filled up to the blank line. */
int lane_open(struct lane *lane);
/* In a child: takes the ends it uses, a writer's number or LANE_READER. */
int lane_attach(struct lane *lane, unsigned which);
/* Closes the ends that nobody has taken here. */
void lane_close_fds(struct lane *lane);

#endif
