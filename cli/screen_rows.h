/* SPDX-License-Identifier: MIT */
/* screen_rows.h - what stands on the screen of top, line by line. */
#ifndef CLI_SCREEN_ROWS_H
#define CLI_SCREEN_ROWS_H

#include "screen.h"

enum screen_shows { SHOW_TABLE, SHOW_ENDS, SHOW_HELP };

struct screen {
	struct watch *watch; /* borrowed */
	const struct column *sort;
	bool reverse, paused;
	bool colored; /* there are colour pairs */
	bool utf8; /* the terminal shows more than ASCII */
	int64_t delay_ns;
	enum screen_shows shows;
	char selected[BSTREAM_NAME_MAX + 1]; /* the stream the cursor is at */
	size_t at, first; /* its row; the first row on the screen */
	uint64_t looked_ns; /* CLOCK_MONOTONIC */
};

/* Draws everything, in whatever size the terminal has now. */
void screen_draw(struct screen *screen);

#endif
