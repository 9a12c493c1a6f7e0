/* SPDX-License-Identifier: MIT */
/*
 * transport_semring.c - the textbook ring: two semaphores, one post and one wait of each a chunk.
 *
 * Several writers take turns by a mutex, as the textbook says.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "bench/loops.h"
#include "bench/mapping.h"
#include "bench/transport.h"

struct semring {
	alignas(64) sem_t items;
	alignas(64) sem_t space;
	alignas(64) pthread_mutex_t turn;
	alignas(64) uint64_t tail; /* under turn, or the only writer's */
	alignas(64) uint64_t head; /* the reader's */
	alignas(64) unsigned char slots[];
};

struct slot {
	size_t len;
	unsigned char bytes[];
};

struct semring_end {
	struct semring *ring;
	size_t stride, total;
	unsigned mask;
	bool shared, spin;
};

static int semring_open(struct channel *c)
{
	struct semring_end *e = calloc(1, sizeof(*e));
	pthread_mutexattr_t attr;

	if (!e)
		return -ENOMEM;
	e->stride = (sizeof(struct slot) + c->len + 63) & ~(size_t)63;
	e->total = sizeof(struct semring) + e->stride * c->transport->depth;
	e->mask = c->transport->depth - 1;
	e->shared = c->n_writers > 1;
	e->spin = c->spin;
	e->ring = mapping_new(e->total);
	if (!e->ring) {
		free(e);
		return -ENOMEM;
	}
	sem_init(&e->ring->items, 1, 0);
	sem_init(&e->ring->space, 1, c->transport->depth);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&e->ring->turn, &attr);
	pthread_mutexattr_destroy(&attr);
	c->state = e;
	return 0;
}

static void semring_close(struct channel *c)
{
	struct semring_end *e = c->state;

	mapping_free(e->ring, e->total);
	free(e);
}

static int semring_attach_reader(struct channel *c, void **endp)
{
	*endp = c->state;
	return 0;
}

static int semring_attach_writer(struct channel *c, unsigned k, void **endp)
{
	(void)k;
	return semring_attach_reader(c, endp);
}

static void take(sem_t *sem, bool spin)
{
	if (!spin) {
		while (sem_wait(sem) < 0)
			;
		return;
	}
	while (sem_trywait(sem) < 0)
		relax();
}

static int semring_write(void *end, const void *buf, size_t len)
{
	const struct semring_end *e = end;
	struct semring *r = e->ring;
	struct slot *slot;

	take(&r->space, e->spin);
	if (e->shared)
		pthread_mutex_lock(&r->turn);
	slot = (struct slot *)(r->slots + (r->tail & e->mask) * e->stride);
	slot->len = len;
	memcpy(slot->bytes, buf, len);
	r->tail++;
	if (e->shared)
		pthread_mutex_unlock(&r->turn);
	sem_post(&r->items);
	return 0;
}

static ssize_t semring_read(void *end, void *buf, size_t cap)
{
	const struct semring_end *e = end;
	struct semring *r = e->ring;
	const struct slot *slot;
	size_t len;

	take(&r->items, e->spin);
	slot = (const struct slot *)(r->slots + (r->head & e->mask) * e->stride);
	len = slot->len;
	if (len > cap)
		return -EMSGSIZE;
	memcpy(buf, slot->bytes, len);
	r->head++;
	sem_post(&r->space);
	return (ssize_t)len;
}

TRANSPORT_LOOPS(semring)

#define SEMRING(slots, limit)                                                                      \
	{                                                                                          \
		.name = "semring-" #slots, .about = "two semaphores a chunk, " #slots " slots",    \
		.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS | TRANSPORT_FAN_IN, .depth = (slots), \
		.len_max = (limit), .open = semring_open, .close = semring_close,                  \
		.attach_writer = semring_attach_writer, .attach_reader = semring_attach_reader,    \
		TRANSPORT_LOOP_OPS(semring)                                                        \
	}

const struct transport transport_semring16 = SEMRING(16, 0);
const struct transport transport_semring1024 = SEMRING(1024, 65536);
