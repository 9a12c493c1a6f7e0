/* SPDX-License-Identifier: MIT */
/*
 * transport_memcpy.c - a bare limit: copying through shared memory from one core to the other.
 *
 * Two halves of at least 512 KiB: the writer fills one while the reader empties the other, and
 * they meet once a half. No number, no length, no flag a chunk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/loops.h"
#include "bench/mapping.h"
#include "bench/transport.h"

#define HALF_MIN (512u * 1024u)

struct copies {
	alignas(64) _Atomic uint64_t filled; /* halves */
	alignas(64) _Atomic uint64_t emptied;
	alignas(64) unsigned char bytes[];
};

struct copies_end {
	struct copies *copies;
	size_t len, total;
	unsigned per_half;
	unsigned at; /* chunks of this half that are done */
	uint64_t half; /* halves that are done */
};

static int copies_open(struct channel *c)
{
	struct copies_end *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->len = c->len;
	e->per_half = (unsigned)(c->len < HALF_MIN / 4 ? HALF_MIN / c->len : 4);
	e->total = sizeof(struct copies) + 2 * e->per_half * e->len;
	e->copies = mapping_new(e->total);
	if (!e->copies) {
		free(e);
		return -ENOMEM;
	}
	c->state = e;
	return 0;
}

static void copies_close(struct channel *c)
{
	struct copies_end *e = c->state;

	mapping_free(e->copies, e->total);
	free(e);
}

static int copies_attach_reader(struct channel *c, void **endp)
{
	*endp = c->state;
	return 0;
}

static int copies_attach_writer(struct channel *c, unsigned k, void **endp)
{
	(void)k;
	return copies_attach_reader(c, endp);
}

static unsigned char *place(const struct copies_end *e)
{
	return e->copies->bytes + ((e->half & 1) * e->per_half + e->at) * e->len;
}

static void publish(struct copies_end *e, _Atomic uint64_t *mine)
{
	if (++e->at < e->per_half)
		return;
	e->at = 0;
	/* Pairs with the load of the other side: the half is filled, or empty. */
	atomic_store_explicit(mine, ++e->half, memory_order_release);
}

static int copies_write(void *end, const void *buf, size_t len)
{
	struct copies_end *e = end;

	/* Pairs with publish() in copies_read(). */
	while (e->at == 0 &&
	       e->half - atomic_load_explicit(&e->copies->emptied, memory_order_acquire) >= 2)
		relax();
	memcpy(place(e), buf, len);
	publish(e, &e->copies->filled);
	/* The end of all is not held back for the rest of its half. */
	if (__builtin_expect((chunk_head(buf) & CHUNK_END) != 0, 0))
		atomic_store_explicit(&e->copies->filled, e->half + 1, memory_order_release);
	return 0;
}

static ssize_t copies_read(void *end, void *buf, size_t cap)
{
	struct copies_end *e = end;

	/* Pairs with publish() in copies_write(). */
	while (e->at == 0 &&
	       atomic_load_explicit(&e->copies->filled, memory_order_acquire) <= e->half)
		relax();
	memcpy(buf, place(e), cap);
	publish(e, &e->copies->emptied);
	return (ssize_t)cap;
}

TRANSPORT_LOOPS(copies)

const struct transport transport_memcpy = {
	.name = "memcpy",
	.about = "bare limit: memcpy through shared memory",
	.traits = TRANSPORT_SPINS | TRANSPORT_BARE | TRANSPORT_ONE_WAY,
	.open = copies_open,
	.close = copies_close,
	.attach_writer = copies_attach_writer,
	.attach_reader = copies_attach_reader,
	TRANSPORT_LOOP_OPS(copies),
};
