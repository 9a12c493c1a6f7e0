/* SPDX-License-Identifier: MIT */
/* screen.h - the screen of top. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "watch.h"

struct screen_plan {
	struct watch *watch; /* borrowed; looked at once already */
	const struct column *sort;
	bool reverse, colored;
	int64_t delay_ns;
	uint64_t iterations; /* looks, then it leaves; 0: no end */
};

/* Shows it until somebody leaves. Returns the exit code; may die by a signal instead. */
int screen_run(const struct screen_plan *plan);

#endif
