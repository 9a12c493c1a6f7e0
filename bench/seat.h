/* SPDX-License-Identifier: MIT */
/*
 * seat.h - what one process of a round sees: the round's orders, its own notes, its ends.
 *
 * struct round is shared by all processes of a round. Its parent moves the phase on; each party
 * looks at it once a chunk (a line that changes three times in a round, so the look is a hit in its
 * own cache), takes a snapshot of its own clock, CPU time and sleeps when measuring begins and when
 * it stops, and writes nothing else there meanwhile.
 */
#ifndef BENCH_SEAT_H
#define BENCH_SEAT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/chunk.h"
#include "bench/histogram.h"

#define SEAT_WRITERS_MAX 16u
#define SEAT_PARTIES_MAX 32u
#define SEAT_LANES	 8u /* private buffers of a writer of small chunks */
#define SEAT_LANE_MAX	 4096u /* larger chunks have one */

enum phase { PHASE_ATTACH, PHASE_WARM, PHASE_MEASURE, PHASE_STOP };
enum party_state { PARTY_STARTS, PARTY_READY, PARTY_DONE, PARTY_FAILED };

/* The histograms of a party. */
enum { HIST_TRIP, HIST_WAKE = HIST_TRIP, HIST_WAKER, HIST_BURST, N_HISTS };

struct snapshot {
	uint64_t wall_ns, cpu_ns, sleeps, preempted;
	uint64_t n_chunks;
	uint64_t n_from[SEAT_WRITERS_MAX]; /* a reader's: chunks of each writer */
};

struct party {
	alignas(64) _Atomic uint32_t state;
	struct snapshot from, to;
	struct histogram hist[N_HISTS];
	char failure[160];
};

struct round {
	alignas(64) _Atomic uint32_t phase;
	alignas(64) size_t len; /* bytes in a chunk */
	unsigned n_writers;
	unsigned burst; /* chunks in a burst */
	uint64_t pause_ns; /* between bursts */
	uint64_t tick_cost; /* what a look at the clock and a note in a histogram take, in ticks */
	bool full_check;
	struct party party[SEAT_PARTIES_MAX];
};

struct seat {
	struct round *round;
	struct party *me;
	unsigned writer; /* its number, if it writes */
	void *out, *in; /* the ends that the transport gave it */
	unsigned char *buf; /* private, of a writer: its lanes, of a reader: one chunk */
	size_t lane_stride;
	unsigned lane_mask;
	uint32_t phase; /* as this party saw it last */
	unsigned n_ended;
	uint64_t next[SEAT_WRITERS_MAX]; /* a reader's: the head to come from each writer */
};

enum take { TAKE_MORE, TAKE_END, TAKE_FAILED };

/* Set up the private buffers; -ENOMEM. */
int seat_init(struct seat *s, struct round *round, struct party *me, unsigned writer);

/* Note that the phase has changed; @n_chunks is what this party has written so far. */
void seat_on_phase(struct seat *s, uint32_t phase, uint64_t n_chunks);

/* Say why this party cannot go on; returns @err, so that callers can return it. */
int seat_fail(struct seat *s, const char *what, int err);

/* A chunk that is not the next one: the end of a writer, or a failure. */
enum take seat_take_odd(struct seat *s, const unsigned char *buf, size_t len);

static inline uint32_t seat_phase(const struct seat *s)
{
	/* Nothing is handed over by the phase: each party goes by its own snapshots. */
	return atomic_load_explicit(&s->round->phase, memory_order_relaxed);
}

static inline unsigned char *seat_lane(const struct seat *s, uint64_t n)
{
	return s->buf + (n & s->lane_mask) * s->lane_stride;
}

static inline uint64_t seat_head(const struct seat *s, uint64_t n)
{
	return (uint64_t)s->writer << CHUNK_WRITER_SHIFT | n;
}

/* Make chunk @n in its lane. */
static inline void seat_make(const struct seat *s, uint64_t n)
{
	if (__builtin_expect(s->round->full_check, 0))
		chunk_fill(seat_lane(s, n), s->round->len, seat_head(s, n));
	else
		chunk_stamp(seat_lane(s, n), s->round->len, seat_head(s, n));
}

/* Check a chunk that was read into a private buffer, and count it. */
static inline enum take seat_take(struct seat *s, const unsigned char *buf, size_t len)
{
	uint32_t phase = seat_phase(s);
	uint64_t head, writer;

	if (__builtin_expect(phase != s->phase, 0))
		seat_on_phase(s, phase, 0);
	if (__builtin_expect(len != s->round->len, 0))
		return seat_take_odd(s, buf, len);
	head = chunk_head(buf);
	writer = head >> CHUNK_WRITER_SHIFT;
	if (__builtin_expect(writer >= s->round->n_writers || head != s->next[writer], 0))
		return seat_take_odd(s, buf, len);
	if (__builtin_expect(chunk_tail(buf, len) != (head ^ CHUNK_SCRAMBLE), 0) &&
	    (!s->round->full_check || !chunk_is_whole(buf, len)))
		return seat_take_odd(s, buf, len);
	s->next[writer] = head + 1;
	return TAKE_MORE;
}

#endif
