/* SPDX-License-Identifier: MIT */
/*
 * bus.h - surviving SIGBUS in memory whose file somebody else may truncate.
 *
 * Before the broker looks into a segment it says which, by bus_guard(). If the memory then is not
 * there, zeros are put in its place, the region is marked, and the look goes on; whoever looked asks
 * afterwards, by bus_struck(), whether what he saw was the segment.
 */
#ifndef BSTREAMD_BUS_H
#define BSTREAMD_BUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct bus_region {
	void *base;
	size_t len;
	_Atomic bool struck; /* set in the signal handler */
};

/* Install the handler: once, at start. 0 or a negative errno. */
int bus_init(void);

/* From now on, and until the next call, @region (borrowed, or NULL) is what is looked into. */
void bus_guard(struct bus_region *region);

static inline bool bus_struck(const struct bus_region *region)
{
	return atomic_load(&region->struck);
}

#endif
