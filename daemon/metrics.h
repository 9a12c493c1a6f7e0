/* SPDX-License-Identifier: MIT */
/*
 * metrics.h - the broker and its streams as OpenMetrics text. To look at all streams takes a while,
 * so it is done in steps, between the rounds of the loop; whoever has asked by then is given the text.
 */
#ifndef BSTREAMD_METRICS_H
#define BSTREAMD_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/figures.h"
#include "proto/wire.h"

#define METRICS_USERS 50u /* whose use is shown by uid, at most; the rest is summed */

struct broker;

struct metrics { /* one look at everything */
	bool running;
	uint64_t began_ns;
	char after[BS_WIRE_NAME]; /* the stream that was looked at last */
	struct levels others; /* of those that are not shown by name */
};

/* Text that several may be reading. */
struct metrics_page {
	unsigned n_readers;
	size_t len;
	char *text;
};

/* Start looking, from the first stream. */
void metrics_begin(struct broker *b);

/* Look at some more streams; for some tenths of a millisecond. True: at all. */
bool metrics_step(struct broker *b);

/* What was seen. With one reader; NULL: no memory. */
struct metrics_page *metrics_page_new(const struct broker *b);
void metrics_page_drop(struct metrics_page *page);

#endif
