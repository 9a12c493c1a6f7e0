/* SPDX-License-Identifier: MIT */
/* peer.h - a process that has a stream's memory and ill will. */
#ifndef HOSTILE_PEER_H
#define HOSTILE_PEER_H

#include "proto/verdict.h"

enum deed {
	DEED_ANYWHERE, /* any word of the segment */
	DEED_WORDS, /* header, words, counters, lines */
	DEED_VERDICTS, /* ended, broken, or not; one writer, or several */
	DEED_OWNERS, /* whose the ends are, and what they are about to do */
	DEED_CLAIMS, /* chunks are claimed without end, by nobody */
	DEED_ROOM, /* there is room, and there is not */
	DEED_NUMBERS, /* there is a chunk, and there is not */
	DEED_LENGTHS, /* the chunk's length changes while it is read */
	DEED_SKIPS, /* every chunk was cancelled */
	DEED_HINTS, /* who sleeps, and when to wake him */
	DEED_POSTS, /* wake-ups without reason, and none with */
	DEED_SIZES, /* the file is cut, stretched, and punched, where it is sealed */
	N_DEEDS,
};

/* Fork one that does this, as fast as it can, to the stream seen by @s, until it is killed. It has begun.
 * There is one at a time. */
pid_t peer_begin(const struct bs_sight *s, enum deed deed);

/* Until it has done it once more: calls that fail at once would all meet the same. */
void peer_await(void);

/* Kill it. */
void peer_end(pid_t pid);

#endif
