/* SPDX-License-Identifier: MIT */
/*
 * transport_line.c - bare limits of a round trip: one cache line that goes to the other core and
 * back, and one futex wake there and one back.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/mapping.h"
#include "bench/seat.h"
#include "bench/transport.h"

#define LINE_OVER UINT32_MAX

struct line {
	alignas(64) _Atomic uint32_t turn; /* odd: sent for the n-th time; even: answered */
};

static int line_open(struct channel *c)
{
	c->state = mapping_new(sizeof(struct line));
	return c->state ? 0 : -ENOMEM;
}

static void line_close(struct channel *c)
{
	mapping_free(c->state, sizeof(struct line));
}

static int line_attach_reader(struct channel *c, void **endp)
{
	*endp = c->state;
	return 0;
}

static int line_attach_writer(struct channel *c, unsigned k, void **endp)
{
	(void)k;
	return line_attach_reader(c, endp);
}

typedef void (*set_fn)(struct line *line, uint32_t turn);
typedef uint32_t (*await_fn)(struct line *line, uint32_t seen); /* until it is not @seen */

static inline void spin_set(struct line *line, uint32_t turn)
{
	/* Pairs with spin_await(). */
	atomic_store_explicit(&line->turn, turn, memory_order_release);
}

static inline uint32_t spin_await(struct line *line, uint32_t seen)
{
	uint32_t turn;

	/* Pairs with spin_set(). */
	while ((turn = atomic_load_explicit(&line->turn, memory_order_acquire)) == seen)
		relax();
	return turn;
}

static inline void futex_set(struct line *line, uint32_t turn)
{
	spin_set(line, turn);
	syscall(SYS_futex, &line->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static inline uint32_t futex_await(struct line *line, uint32_t seen)
{
	uint32_t turn;

	/* Pairs with spin_set() in futex_set(). */
	while ((turn = atomic_load_explicit(&line->turn, memory_order_acquire)) == seen)
		syscall(SYS_futex, &line->turn, FUTEX_WAIT, seen, NULL, NULL, 0);
	return turn;
}

static inline __attribute__((always_inline)) int ping(struct seat *s, set_fn set, await_fn await)
{
	const uint64_t cost = s->round->tick_cost;
	struct line *line = s->out;
	uint64_t before = ticks();

	for (uint32_t turn = 1;; turn += 2) {
		uint32_t phase = seat_phase(s);
		uint64_t now;

		if (phase != s->phase) {
			seat_on_phase(s, phase, turn / 2);
			if (phase == PHASE_STOP) {
				set(line, LINE_OVER);
				return 0;
			}
			before = ticks();
		}
		set(line, turn);
		if (await(line, turn) != turn + 1)
			return seat_fail(s, "the answer", -EBADMSG);
		now = ticks();
		if (s->phase == PHASE_MEASURE)
			histogram_add(&s->me->hist[HIST_TRIP],
				      now - before > cost ? now - before - cost : 0);
		before = now;
	}
}

static inline __attribute__((always_inline)) int pong(struct seat *s, set_fn set, await_fn await)
{
	struct line *line = s->in;
	uint32_t seen = 0;

	for (;;) {
		uint32_t turn = await(line, seen), phase = seat_phase(s);

		if (phase != s->phase)
			seat_on_phase(s, phase, 0);
		if (turn == LINE_OVER)
			return 0;
		if (turn != seen + 1)
			return seat_fail(s, "the turn", -EBADMSG);
		s->next[0]++;
		seen = turn + 1;
		set(line, seen);
	}
}

static int spin_ping(struct seat *s)
{
	return ping(s, spin_set, spin_await);
}

static int spin_pong(struct seat *s)
{
	return pong(s, spin_set, spin_await);
}

static int futex_ping(struct seat *s)
{
	return ping(s, futex_set, futex_await);
}

static int futex_pong(struct seat *s)
{
	return pong(s, futex_set, futex_await);
}

const struct transport transport_line = {
	.name = "one-line",
	.about = "bare limit: one cache line there and back",
	.traits = TRANSPORT_SPINS | TRANSPORT_BARE | TRANSPORT_TRIP_ONLY | TRANSPORT_BOTH_WAYS,
	.open = line_open,
	.close = line_close,
	.attach_writer = line_attach_writer,
	.attach_reader = line_attach_reader,
	.ping = spin_ping,
	.pong = spin_pong,
};

const struct transport transport_futex = {
	.name = "futex",
	.about = "bare limit: one futex wake there, one back",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_BARE | TRANSPORT_TRIP_ONLY | TRANSPORT_BOTH_WAYS,
	.open = line_open,
	.close = line_close,
	.attach_writer = line_attach_writer,
	.attach_reader = line_attach_reader,
	.ping = futex_ping,
	.pong = futex_pong,
};
