/* SPDX-License-Identifier: MIT */
/*
 * verdict.h - who is there, who has gone, and what became of the stream: the transitions of the
 * writers' word and the reader's word, and of nothing else.
 *
 * Every function may be called by any process that has the segment mapped for writing, at any time,
 * as often as it likes; a death at any step leaves a state from which the next caller goes on. A
 * verdict is swapped in only from the word under which the evidence was gathered. They wake nobody
 * themselves but say whether something changed, so that the caller wakes (bs_verdict_wake_all).
 */
#ifndef BS_VERDICT_H
#define BS_VERDICT_H

#include "proto/geometry.h"

/* The two sides of a stream as one process sees them: what the functions below need. */
struct bs_sight {
	struct bs_segment *g; /* mapped at least as far as the slots, writable */
	struct bs_geometry geo;
	int fd; /* any description of the segment; its own locks are not seen by the kernel's answers */
	uint64_t own_byte; /* the byte that description locks, or 0: counted as held */
};

/* ---- places: place.c ---- */

/* Pick a place for a new write end and lock its byte through @fd, which must hold none. Returns the
 * place, or -EMFILE: all are taken. */
int bs_writer_take_place(const struct bs_sight *s, int fd);

/*
 * Become write end @place, whose byte the caller holds: mends what a dead predecessor left, swaps
 * the word, then writes the line. 0; -ESHUTDOWN: ended; -EPIPE: the reader is gone; -EPROTO.
 * On failure the caller unlocks.
 */
int bs_writer_settle(const struct bs_sight *s, uint32_t place);

/* Become write end @place, which travelled here and whose byte the caller holds. 0; -EPROTO: it is
 * not travelling, or another was faster; -ESHUTDOWN, -EPIPE. Unlocks nothing. */
int bs_writer_arrive(const struct bs_sight *s, uint32_t place);

/*
 * From one writer to several: done by everybody who attaches, before its first write. Rolls tail
 * forward over what a dead lone writer had published; if others are there, makes all claim. Waits
 * for a lone writer to leave its write, to @deadline. @alonep: nobody else is there, and shared is
 * still no. 0, -EAGAIN, -ETIMEDOUT, -EPROTO.
 */
int bs_writer_join(const struct bs_sight *s, uint32_t place, uint64_t deadline, bool *alonep);

/* ---- writers: verdict.c ---- */

/* Has every writer gone? If so marks `ended` (and `lost`). True: this call did it. Not to be called
 * through the description of a live write end, whose own lock the kernel would not show. */
bool bs_verdict_writers(const struct bs_sight *s);

/* Is any live writer's intent chunk @i? Asks the kernel of each that says so. */
bool bs_writer_intends(const struct bs_sight *s, uint64_t i);

/* Do all writers make real fences before they look at the reader's hint? Asked behind hint_raise() and
 * a full fence: one who attaches later looks at the hint when he has. */
bool bs_writers_fence(const struct bs_sight *s);

/* Fold what write end @place had written into the totals and free its line; its byte stays locked.
 * The caller then unlocks and calls bs_verdict_writers. */
void bs_writer_leave(const struct bs_sight *s, uint32_t place);

/* ---- reader ---- */

/* Become the read end, parked until now, whose byte the caller holds. 0; -EPIPE: broken. */
int bs_reader_settle(const struct bs_sight *s);

/* Is the open read end gone? If so breaks the stream, or parks a kept read end; a parked one breaks
 * when its name is gone. True: changed. Not to be called through the read end's own description. */
bool bs_verdict_reader(const struct bs_sight *s);

/* The owner gives the read end back to its name; unlocks afterwards. 0; -ENOENT: no name any more. */
int bs_reader_park(const struct bs_sight *s);

/* The owner closes the read end, its byte unlocked already: breaks the stream, or parks a read end
 * that is kept and whose end has not been seen. */
void bs_reader_leave(const struct bs_sight *s);

/* A reader has been told the end. */
void bs_reader_saw_end(const struct bs_sight *s);

/* ---- the name ---- */

/* The name is gone: kept ends are given up, a parked read end breaks, and nobody can come. */
void bs_verdict_removed(const struct bs_sight *s);

/* The kept write end is given up. */
void bs_verdict_eof(const struct bs_sight *s);

/* Is the stream over and its last end gone, so that its name can go? */
bool bs_verdict_over(const struct bs_sight *s);

/* ---- waking: wake.c ---- */

/* Wake everybody who sleeps in the segment or polls, so that he looks again; also who sleeps behind a
 * flag that is down, because one who was to wake him died. */
void bs_verdict_wake_all(const struct bs_sight *s);

/* Wake those who wait for a change of who is there (bstream_wait, drain). */
void bs_verdict_wake_watch(const struct bs_sight *s);

/* The flag of those who wait for chunks, or for room, is reached: take it down and, whoever did, wake
 * who sleeps or polls behind it. @s->fd: a description opened by path or /proc, not memfd_create's own,
 * whose doings the kernel does not report. */
void bs_wake_items(const struct bs_sight *s);
void bs_wake_room(const struct bs_sight *s);

/* ---- looking: sight.c ---- */

struct bs_wire_stat;

/* Fill @stat from the segment; @header is a private, checked copy. Reads only: @s->g may be mapped
 * for reading. Counters that make no sense are shown as they are. */
void bs_sight_stat(const struct bs_sight *s, const struct bs_header *header,
		   struct bs_wire_stat *stat);

struct bs_stalls {
	uint32_t n;
	uint64_t longest_ns;
};

/* The writers that are there, and have waited for room for @least_ns or longer at @now (bs_now()). */
void bs_sight_stalls(const struct bs_sight *s, uint64_t now, uint64_t least_ns,
		     struct bs_stalls *stalls);

#endif
