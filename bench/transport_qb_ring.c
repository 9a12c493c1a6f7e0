/* SPDX-License-Identifier: MIT */
/*
 * transport_qb_ring.c - libqb's ring buffer with its semaphore: one writer, one reader.
 *
 * Its reader sleeps. Its writer has nothing to sleep on: it is told that the ring is full, and
 * tries again, here with a look at the scheduler now and then.
 */
#include <errno.h>
#include <qb/qbrb.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/loops.h"
#include "bench/transport.h"

#define RING_MIN    1048576u
#define RING_CHUNKS 16u
#define TRIES	    64u

struct qb_ring {
	qb_ringbuffer_t *ring;
	int timeout_ms;
};

static int qb_ring_open(struct channel *c)
{
	struct qb_ring *q = calloc(1, sizeof(*q));
	size_t size = c->len * RING_CHUNKS;
	char name[64];

	if (!q)
		return -ENOMEM;
	snprintf(name, sizeof(name), "bstream-bench-%d-%u", (int)getpid(), c->id);
	q->timeout_ms = c->spin ? 0 : -1;
	q->ring = qb_rb_open(name, size < RING_MIN ? RING_MIN : size,
			     QB_RB_FLAG_CREATE | QB_RB_FLAG_SHARED_PROCESS, 0);
	if (!q->ring) {
		free(q);
		return -errno;
	}
	c->state = q;
	return 0;
}

static void qb_ring_close(struct channel *c)
{
	struct qb_ring *q = c->state;

	qb_rb_close(q->ring);
	free(q);
}

static int qb_ring_attach_reader(struct channel *c, void **endp)
{
	*endp = c->state;
	return 0;
}

static int qb_ring_attach_writer(struct channel *c, unsigned k, void **endp)
{
	(void)k;
	return qb_ring_attach_reader(c, endp);
}

static int qb_ring_write(void *end, const void *buf, size_t len)
{
	const struct qb_ring *q = end;
	ssize_t done;

	for (unsigned try = 1; (done = qb_rb_chunk_write(q->ring, buf, len)) == -EAGAIN; try++) {
		if (try % TRIES == 0)
			sched_yield();
		else
			relax();
	}
	return done < 0 ? (int)done : 0;
}

static ssize_t qb_ring_read(void *end, void *buf, size_t cap)
{
	const struct qb_ring *q = end;
	ssize_t len;

	for (;;) {
		len = qb_rb_chunk_read(q->ring, buf, cap, q->timeout_ms);
		if (len != -ETIMEDOUT && len != -EAGAIN && len != -EINTR)
			return len;
		relax();
	}
}

TRANSPORT_LOOPS(qb_ring)

const struct transport transport_qb_ring = {
	.name = "qb-ring",
	.about = "libqb ring buffer, semaphore; its writer polls when it is full",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS,
	.open = qb_ring_open,
	.close = qb_ring_close,
	.attach_writer = qb_ring_attach_writer,
	.attach_reader = qb_ring_attach_reader,
	TRANSPORT_LOOP_OPS(qb_ring),
};
