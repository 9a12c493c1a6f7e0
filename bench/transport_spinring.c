/* SPDX-License-Identifier: MIT */
/*
 * transport_spinring.c - a bare limit: a ring of 16 slots whose two sides spin, never sleep, and
 * check nothing. One writer, one reader, each slot's number beside its bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/loops.h"
#include "bench/mapping.h"
#include "bench/transport.h"

struct spinring {
	alignas(64) _Atomic uint64_t head; /* chunks read; the reader's line */
	alignas(64) unsigned char slots[];
};

struct slot {
	_Atomic uint64_t seq; /* i + 1 once it holds chunk i */
	uint64_t len;
	unsigned char bytes[];
};

struct spinring_end {
	struct spinring *ring;
	size_t stride, total;
	unsigned depth;
	uint64_t next; /* chunk to write or read */
	uint64_t head_seen; /* a writer's */
};

static int spinring_open(struct channel *c)
{
	struct spinring_end *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->depth = c->transport->depth;
	e->stride = (sizeof(struct slot) + c->len + 63) & ~(size_t)63;
	e->total = sizeof(struct spinring) + e->stride * e->depth;
	e->ring = mapping_new(e->total);
	if (!e->ring) {
		free(e);
		return -ENOMEM;
	}
	c->state = e;
	return 0;
}

static void spinring_close(struct channel *c)
{
	struct spinring_end *e = c->state;

	mapping_free(e->ring, e->total);
	free(e);
}

static int spinring_attach_reader(struct channel *c, void **endp)
{
	*endp = c->state;
	return 0;
}

static int spinring_attach_writer(struct channel *c, unsigned k, void **endp)
{
	(void)k;
	return spinring_attach_reader(c, endp);
}

static struct slot *slot_at(const struct spinring_end *e, uint64_t i)
{
	return (struct slot *)(e->ring->slots + (i & (e->depth - 1)) * e->stride);
}

static int spinring_write(void *end, const void *buf, size_t len)
{
	struct spinring_end *e = end;
	struct slot *slot = slot_at(e, e->next);

	while (e->next - e->head_seen >= e->depth) {
		/* Pairs with the store in spinring_read(): the slot has been copied out. */
		e->head_seen = atomic_load_explicit(&e->ring->head, memory_order_acquire);
		if (e->next - e->head_seen >= e->depth)
			relax();
	}
	slot->len = len;
	memcpy(slot->bytes, buf, len);
	/* Pairs with the load in spinring_read(): the bytes are there. */
	atomic_store_explicit(&slot->seq, ++e->next, memory_order_release);
	return 0;
}

static ssize_t spinring_read(void *end, void *buf, size_t cap)
{
	struct spinring_end *e = end;
	struct slot *slot = slot_at(e, e->next);
	size_t len;

	(void)cap;
	/* Pairs with the store in spinring_write(). */
	while (atomic_load_explicit(&slot->seq, memory_order_acquire) != e->next + 1)
		relax();
	len = slot->len;
	memcpy(buf, slot->bytes, len);
	/* Pairs with the load in spinring_write(). */
	atomic_store_explicit(&e->ring->head, ++e->next, memory_order_release);
	return (ssize_t)len;
}

TRANSPORT_LOOPS(spinring)

const struct transport transport_spinring = {
	.name = "spinring-16",
	.about = "bare spinning ring, 16 slots, no sleep, no checks",
	.traits = TRANSPORT_SPINS | TRANSPORT_BARE,
	.depth = 16,
	.open = spinring_open,
	.close = spinring_close,
	.attach_writer = spinring_attach_writer,
	.attach_reader = spinring_attach_reader,
	TRANSPORT_LOOP_OPS(spinring),
};
