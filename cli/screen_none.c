/* SPDX-License-Identifier: MIT */
/* screen_none.c - owns what top says on a terminal in a build without ncursesw. */
#include "config.h"
#include "outcome.h"
#include "say.h"
#include "screen.h"

int screen_run(const struct screen_plan *plan)
{
	(void)plan;
	return say_usage("top",
			 "this bstreamctl was built without ncursesw (top -b prints tables)");
}
