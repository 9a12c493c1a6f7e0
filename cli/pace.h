/* SPDX-License-Identifier: MIT */
/* pace.h - --rate: how many bytes a second may go into a stream. */
#ifndef CLI_PACE_H
#define CLI_PACE_H

#include <stddef.h>
#include <stdint.h>

struct pace {
	uint64_t rate; /* bytes a second; 0: as fast as it goes */
	uint64_t due_ns; /* CLOCK_MONOTONIC: not before */
};

/* How long to wait before the next byte, in nanoseconds; 0: not at all. */
uint64_t pace_due_in(const struct pace *pace);
/* The most of @max that should go at once, so that a slow rate is steady, not in bursts. */
size_t pace_at_once(const struct pace *pace, size_t max);
/* Says that @n bytes have gone. */
void pace_spend(struct pace *pace, size_t n);

#endif
