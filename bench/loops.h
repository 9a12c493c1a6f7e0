/* SPDX-License-Identifier: MIT */
/*
 * loops.h - what the parties of a round do all the time: send, receive, answer.
 *
 * TRANSPORT_LOOPS(pipe) makes pipe_send(), pipe_receive() and so on of pipe_write() and
 * pipe_read(), and TRANSPORT_LOOP_OPS(pipe) puts them into a struct transport. Every transport
 * does the same work around its calls: a private buffer is numbered and written, read into another
 * and checked.
 *
 * The number is put into a buffer some chunks before it is written (chunk_ahead): a copy that loads
 * 16 bytes of what was just stored as two times 8 waits for the stores to leave the core, and that
 * would be measured in place of the transport.
 */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include <errno.h>
#include <sys/types.h>

#include "bench/clock.h"
#include "bench/seat.h"

#define LOOP_INLINE static inline __attribute__((always_inline))

typedef int (*write_fn)(void *end, const void *buf, size_t len); /* 0 or -errno */
typedef ssize_t (*read_fn)(void *end, void *buf, size_t cap); /* length or -errno */

LOOP_INLINE uint64_t chunk_ahead(const struct seat *s)
{
	return s->lane_mask / 2u + (s->lane_mask == 0);
}

/* The last chunk of a writer that has sent @n. */
LOOP_INLINE int loop_send_end(struct seat *s, write_fn write, uint64_t n)
{
	unsigned char *buf = seat_lane(s, 0);
	int err;

	chunk_stamp(buf, s->round->len, seat_head(s, n) | CHUNK_END);
	err = write(s->out, buf, s->round->len);
	return err ? seat_fail(s, "write of the end", err) : 0;
}

LOOP_INLINE int loop_send(struct seat *s, write_fn write)
{
	const size_t len = s->round->len;
	const uint64_t ahead = chunk_ahead(s);
	uint64_t n = 0;
	int err;

	for (uint64_t i = 0; i < ahead; i++)
		seat_make(s, i);
	for (;; n++) {
		uint32_t phase = seat_phase(s);

		if (__builtin_expect(phase != s->phase, 0)) {
			seat_on_phase(s, phase, n);
			if (phase == PHASE_STOP)
				break;
		}
		err = write(s->out, seat_lane(s, n), len);
		if (__builtin_expect(err, 0))
			return seat_fail(s, "write", err);
		seat_make(s, n + ahead);
	}
	return loop_send_end(s, write, n);
}

LOOP_INLINE int loop_receive(struct seat *s, read_fn read)
{
	unsigned char *const buf = s->buf;
	const size_t cap = s->round->len;
	enum take take;

	do {
		ssize_t len = read(s->in, buf, cap);

		if (__builtin_expect(len < 0, 0))
			return seat_fail(s, "read", (int)len);
		take = seat_take(s, buf, (size_t)len);
	} while (__builtin_expect(take == TAKE_MORE, 1));
	return take == TAKE_END ? 0 : -EBADMSG;
}

/* One burst: all its chunks say when it began. */
LOOP_INLINE int loop_send_burst(struct seat *s, write_fn write, uint64_t *n)
{
	uint64_t began = ticks();
	int err;

	for (unsigned i = 0; i < s->round->burst; i++, ++*n) {
		unsigned char *buf = seat_lane(s, *n);

		chunk_stamp(buf, s->round->len, seat_head(s, *n));
		chunk_store(buf + CHUNK_STAMP_AT, began);
		err = write(s->out, buf, s->round->len);
		if (err)
			return seat_fail(s, "write", err);
		if (i == 0 && s->phase == PHASE_MEASURE)
			histogram_add(&s->me->hist[HIST_WAKER], ticks() - began);
	}
	return 0;
}

LOOP_INLINE int loop_send_bursts(struct seat *s, write_fn write)
{
	uint64_t n = 0;
	int err;

	for (;;) {
		uint32_t phase = seat_phase(s);

		if (phase != s->phase)
			seat_on_phase(s, phase, n);
		if (phase == PHASE_STOP)
			return loop_send_end(s, write, n);
		sleep_ns(s->round->pause_ns);
		err = loop_send_burst(s, write, &n);
		if (err)
			return err;
	}
}

LOOP_INLINE int loop_receive_bursts(struct seat *s, read_fn read)
{
	const unsigned burst = s->round->burst;
	uint64_t n = 0;

	for (;; n++) {
		ssize_t len = read(s->in, s->buf, s->round->len);
		enum take take;
		uint64_t took;

		if (len < 0)
			return seat_fail(s, "read", (int)len);
		took = ticks() - chunk_load(s->buf + CHUNK_STAMP_AT);
		take = seat_take(s, s->buf, (size_t)len);
		if (take != TAKE_MORE)
			return take == TAKE_END ? 0 : -EBADMSG;
		if (s->phase != PHASE_MEASURE)
			continue;
		if (n % burst == 0)
			histogram_add(&s->me->hist[HIST_WAKE], took);
		else if (n % burst == burst - 1)
			histogram_add(&s->me->hist[HIST_BURST], took);
	}
}

/* There and back, and again. The time runs from one answer to the next. */
LOOP_INLINE int loop_ping(struct seat *s, write_fn write, read_fn read)
{
	const size_t len = s->round->len;
	const uint64_t cost = s->round->tick_cost;
	uint64_t before = ticks(), n;
	unsigned char *answer = s->buf + 4 * s->lane_stride;

	for (n = 0;; n++) {
		uint32_t phase = seat_phase(s);
		uint64_t now;
		ssize_t got;
		int err;

		if (__builtin_expect(phase != s->phase, 0)) {
			seat_on_phase(s, phase, n);
			if (phase == PHASE_STOP)
				return loop_send_end(s, write, n);
			before = ticks();
		}
		chunk_stamp(s->buf, len, seat_head(s, n));
		err = write(s->out, s->buf, len);
		if (__builtin_expect(err, 0))
			return seat_fail(s, "write", err);
		got = read(s->in, answer, len);
		if (__builtin_expect(got < 0, 0))
			return seat_fail(s, "read", (int)got);
		if (__builtin_expect((size_t)got != len || chunk_head(answer) != seat_head(s, n) ||
					     chunk_tail(answer, len) != chunk_tail(s->buf, len),
				     0))
			return seat_fail(s, "the answer", -EBADMSG);
		now = ticks();
		if (s->phase == PHASE_MEASURE)
			histogram_add(&s->me->hist[HIST_TRIP],
				      now - before > cost ? now - before - cost : 0);
		before = now;
	}
}

LOOP_INLINE int loop_pong(struct seat *s, write_fn write, read_fn read)
{
	for (;;) {
		ssize_t len = read(s->in, s->buf, s->round->len);
		enum take take;
		int err;

		if (__builtin_expect(len < 0, 0))
			return seat_fail(s, "read", (int)len);
		take = seat_take(s, s->buf, (size_t)len);
		if (__builtin_expect(take != TAKE_MORE, 0))
			return take == TAKE_END ? 0 : -EBADMSG;
		err = write(s->out, s->buf, (size_t)len);
		if (__builtin_expect(err, 0))
			return seat_fail(s, "write", err);
	}
}

#define TRANSPORT_LOOPS(prefix)                                     \
	static int prefix##_send(struct seat *s)                    \
	{                                                           \
		return loop_send(s, prefix##_write);                \
	}                                                           \
	static int prefix##_receive(struct seat *s)                 \
	{                                                           \
		return loop_receive(s, prefix##_read);              \
	}                                                           \
	static int prefix##_send_bursts(struct seat *s)             \
	{                                                           \
		return loop_send_bursts(s, prefix##_write);         \
	}                                                           \
	static int prefix##_receive_bursts(struct seat *s)          \
	{                                                           \
		return loop_receive_bursts(s, prefix##_read);       \
	}                                                           \
	static int prefix##_ping(struct seat *s)                    \
	{                                                           \
		return loop_ping(s, prefix##_write, prefix##_read); \
	}                                                           \
	static int prefix##_pong(struct seat *s)                    \
	{                                                           \
		return loop_pong(s, prefix##_write, prefix##_read); \
	}

#define TRANSPORT_LOOP_OPS(prefix)                                                               \
	.send = prefix##_send, .receive = prefix##_receive, .send_bursts = prefix##_send_bursts, \
	.receive_bursts = prefix##_receive_bursts, .ping = prefix##_ping, .pong = prefix##_pong

#endif
