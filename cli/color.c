/* SPDX-License-Identifier: MIT */
/* color.c - owns when to colour: --color, NO_COLOR (no-color.org), TERM. Verbs with tables ask. */
#include "config.h"
#include "color.h"

#include <stdlib.h>
#include <string.h>

bool color_wanted(enum color_when when, int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (when != COLOR_AUTO)
		return when == COLOR_ALWAYS;
	return isatty(fd) && !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0;
}
