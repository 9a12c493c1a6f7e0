/* SPDX-License-Identifier: MIT */
/*
 * lane.c - owns the descriptors of the ends that bench hands to its children.
 *
 * Every end is one descriptor from its making to its attaching. Who does not use one closes it at
 * once: as long as a copy is open anywhere, nobody learns that its owner has died. trial.c calls it.
 */
#include "config.h"
#include "lane.h"

#include <unistd.h>

int lane_open(struct lane *lane)
{
	int r;

	for (unsigned i = 0; i < LANE_FDS; i++)
		lane->fds[i] = -1;
	lane->write_fd = -1;
	lane->stores = NULL;
	lane->writer = NULL;
	lane->reader = NULL;
	r = lane->ops->open(lane);
	if (r < 0)
		lane_close_fds(lane);
	return r;
}

int lane_attach(struct lane *lane, unsigned which)
{
	return which == LANE_READER ? lane->ops->attach_reader(lane)
				    : lane->ops->attach_writer(lane, which);
}

void lane_close_fds(struct lane *lane)
{
	for (unsigned i = 0; i < LANE_FDS; i++) {
		if (lane->fds[i] >= 0)
			close(lane->fds[i]);
		lane->fds[i] = -1;
	}
}
