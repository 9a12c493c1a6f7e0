/* SPDX-License-Identifier: MIT */
/*
 * fork.h - which process an end belongs to, and the descriptors that a forked child must drop.
 *
 * A handle carries the stamp of the process that made it. The stamp of the running process lies in
 * a page that the kernel wipes at fork, so a call on a parent's handle is found out by one load,
 * without a system call. An atfork handler closes the descriptors of ends in the child, without
 * unlocking: an unlock there would drop the parent's lock.
 */
#ifndef BS_FORK_H
#define BS_FORK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/layout.h"
#include "proto/verdict.h"

/* What holds an end: its description, its mapping, and its place in the list that fork walks. */
struct bs_hold {
	struct bs_sight sight; /* the whole segment mapped; own_byte is the end's */
	struct bs_poll *poll; /* what its owner polls (pollfd.h); NULL: nobody asked */
	struct bs_hold *next, *prev;
	char name[BS_NAME_SIZE]; /* "" for a pair */
	struct bs_header header; /* private copy */
	uint64_t restored_ns; /* when a broker was last told of the stream */
};

extern const uint64_t *bs_fork_page; /* the running process's stamp; valid once a hold was taken */

/* Between the two nobody forks: for what is inherited unless it is told otherwise a moment later. */
void bs_fork_hold_off(void);
void bs_fork_go_on(void);

/* Take note of an end of this process. The stamp for its handle, or 0: no memory. */
uint64_t bs_fork_enlist(struct bs_hold *hold);
void bs_fork_delist(struct bs_hold *hold);

/* Delist it and close its descriptor, before anything can fork: a copy that a child had of an end
 * that was sent would keep it alive when its next owner dies. */
void bs_fork_close(struct bs_hold *hold);

/* The stamp for a handle that is no end: what it has to close in a child, link.c has. 0: no memory. */
uint64_t bs_fork_stamp(void);

static inline bool bs_fork_stale(uint64_t stamp)
{
	return *bs_fork_page != stamp;
}

#endif
