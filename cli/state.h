/* SPDX-License-Identifier: MIT */
/* state.h - what a stream's numbers mean, in a word or two. */
#ifndef CLI_STATE_H
#define CLI_STATE_H

#include "bstream.h"
#include "table.h"

#include <stdbool.h>

/* The word for a stream through which bytes go (@moving) or not. */
const char *state_word(const struct bstream_stat *stat, bool moving);
/* The colour of that word. */
enum table_color state_color(const struct bstream_stat *stat, bool moving);
/* How soon somebody should look at it; more is sooner. */
unsigned state_urgency(const struct bstream_stat *stat, bool moving);
/* Whether bytes can be moving at all: somebody writes, somebody reads. */
bool state_may_move(const struct bstream_stat *stat);

#endif
