/* SPDX-License-Identifier: MIT */
/*
 * transport_boost.c - Boost.Interprocess message_queue, 16 and 1024 deep.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/boost_queue.h"
#include "bench/loops.h"
#include "bench/transport.h"

struct boost_end {
	struct boost_queue *queue;
	bool wait;
};

static int boost_open(struct channel *c)
{
	struct boost_end *e = calloc(1, sizeof(*e));
	char name[64];

	if (!e)
		return -ENOMEM;
	snprintf(name, sizeof(name), "bstream-bench-%d-%u", (int)getpid(), c->id);
	e->wait = !c->spin;
	e->queue = boost_queue_new(name, c->transport->depth, c->len);
	if (!e->queue) {
		free(e);
		return -ENOMEM;
	}
	c->state = e;
	return 0;
}

static void boost_close(struct channel *c)
{
	struct boost_end *e = c->state;

	boost_queue_free(e->queue);
	free(e);
}

static int boost_attach_reader(struct channel *c, void **endp)
{
	*endp = c->state;
	return 0;
}

static int boost_attach_writer(struct channel *c, unsigned k, void **endp)
{
	(void)k;
	return boost_attach_reader(c, endp);
}

static int boost_write(void *end, const void *buf, size_t len)
{
	const struct boost_end *e = end;
	int err;

	while ((err = boost_queue_send(e->queue, buf, len, e->wait)) == -EAGAIN)
		relax();
	return err;
}

static ssize_t boost_read(void *end, void *buf, size_t cap)
{
	const struct boost_end *e = end;
	ssize_t len;

	while ((len = boost_queue_receive(e->queue, buf, cap, e->wait)) == -EAGAIN)
		relax();
	return len;
}

TRANSPORT_LOOPS(boost)

#define BOOST_QUEUE(slots, limit)                                                                  \
	{                                                                                          \
		.name = "boost-" #slots,                                                           \
		.about = "Boost.Interprocess message_queue, " #slots " deep",                      \
		.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS | TRANSPORT_FAN_IN, .depth = (slots), \
		.len_max = (limit), .open = boost_open, .close = boost_close,                      \
		.attach_writer = boost_attach_writer, .attach_reader = boost_attach_reader,        \
		TRANSPORT_LOOP_OPS(boost)                                                          \
	}

const struct transport transport_boost16 = BOOST_QUEUE(16, 0);
const struct transport transport_boost1024 = BOOST_QUEUE(1024, 65536);
