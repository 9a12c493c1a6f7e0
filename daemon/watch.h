/* SPDX-License-Identifier: MIT */
/*
 * watch.h - hearing of deaths, and looking at the streams they may concern: at once, and again after
 * 1, 2, 4 and 8 ms while somebody still holds an end, since the kernel may tell of a death a moment
 * before it has given the lock back.
 */
#ifndef BSTREAMD_WATCH_H
#define BSTREAMD_WATCH_H

#include "daemon/broker.h"

/* Something happened to @s: look at it soon, and again. */
void watch_stir(struct registry *r, struct stream *s);
void watch_stir_all(struct registry *r);

/* Look no more. */
void watch_settle(struct registry *r, struct stream *s);

/* When something is to be looked at: CLOCK_MONOTONIC ns, or UINT64_MAX. */
uint64_t watch_due(const struct registry *r);

/* Look at all that is due. Streams that are over are forgotten. */
void watch_run_all(struct registry *r);

/* The same for some, those first that have waited longest: the next are for the next round. */
void watch_run(struct registry *r);

/* inotify has something to say: a loop callback. */
int watch_on_event(struct broker *b, struct source *source, uint32_t events);

#endif
