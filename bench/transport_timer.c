/* SPDX-License-Identifier: MIT */
/*
 * transport_timer.c - a bare limit of idleness: a process that sleeps and wakes as often as a stream without a
 * broker may, and does nothing else. It carries nothing.
 */
#include <time.h>

#include "bench/seat.h"
#include "bench/transport.h"

#define SLICE_NS 250000000L /* four a second: targets.c allows as many */

static int timer_open(struct channel *c)
{
	(void)c;
	return 0;
}

static void timer_close(struct channel *c)
{
	(void)c;
}

static int timer_attach_reader(struct channel *c, void **endp)
{
	(void)c;
	*endp = NULL;
	return 0;
}

static int timer_attach_writer(struct channel *c, unsigned k, void **endp)
{
	(void)k;
	return timer_attach_reader(c, endp);
}

static int timer_wait(struct seat *s)
{
	for (;;) {
		struct timespec slice = { .tv_nsec = SLICE_NS };
		uint32_t phase = seat_phase(s);

		if (phase != s->phase)
			seat_on_phase(s, phase, 0);
		if (phase == PHASE_STOP)
			return 0;
		nanosleep(&slice, NULL);
	}
}

const struct transport transport_timer = {
	.name = "timer-4",
	.about = "bare limit: waking four times a second",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_BARE | TRANSPORT_IDLE_ONLY,
	.open = timer_open,
	.close = timer_close,
	.attach_writer = timer_attach_writer,
	.attach_reader = timer_attach_reader,
	.send = timer_wait,
	.receive = timer_wait,
};
