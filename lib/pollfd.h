/* SPDX-License-Identifier: MIT */
/*
 * pollfd.h - what stands behind a poll descriptor. items.c and room.c call these when a call is about
 * to be refused, in the order: drain, raise the flag, heavy barrier, look; then ring or rest.
 */
#ifndef BS_POLLFD_H
#define BS_POLLFD_H

#include "lib/fork.h"

struct bs_poll;

/* Take what has been reported, so that the descriptor is not readable: before the flag is raised. */
void bs_poll_drain(struct bs_poll *p, const struct bs_hold *hold);

/* Make it readable, until it is drained: for what was there before the flag. */
void bs_poll_ring(struct bs_poll *p);

/* Nothing was there: leave it unreadable until something is reported, or it is time to look for an end
 * that was on its way out. */
void bs_poll_rest(struct bs_poll *p);

/* Close and free. NULL is fine. Not in a forked child: free(3) there, link.c has closed. */
void bs_poll_free(struct bs_poll *p);

#endif
