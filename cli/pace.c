/* SPDX-License-Identifier: MIT */
/*
 * pace.c - owns --rate: each byte that went moves the time of the next one on by 1/rate.
 *
 * Time that nobody used is not saved up but for SAVED_NS, so a writer whose input stood still does
 * not burst afterwards. Does not sleep; feed.c does, and watches its reader meanwhile.
 */
#include "config.h"
#include "pace.h"
#include "units.h"

#define SAVED_NS   UINT64_C(50000000)
#define CUTS_PER_S 20

uint64_t pace_due_in(const struct pace *pace)
{
	uint64_t now;

	if (!pace->rate)
		return 0;
	now = units_now();
	return pace->due_ns > now ? pace->due_ns - now : 0;
}

size_t pace_at_once(const struct pace *pace, size_t max)
{
	uint64_t cut = pace->rate / CUTS_PER_S;

	if (!pace->rate || cut >= max)
		return max;
	return cut ? (size_t)cut : 1;
}

void pace_spend(struct pace *pace, size_t n)
{
	uint64_t now;

	if (!pace->rate)
		return;
	now = units_now();
	if (pace->due_ns + SAVED_NS < now)
		pace->due_ns = now - SAVED_NS;
	pace->due_ns += (uint64_t)((double)n / (double)pace->rate * 1e9);
}
