/* SPDX-License-Identifier: MIT */
/*
 * transport_bstream.c - bstream itself, by its public interface: bstream_write and bstream_read.
 *
 * A pair is made before the parties are forked, its ends are detached, and each party attaches its
 * own. Streams with a name go through the broker, each party by itself. chunk_max is the default,
 * and the chunk's length only where that is more ("fit": always), since that is what users get.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/loops.h"
#include "bench/transport.h"
#include "lib/bstream.h"

#define CHUNK_MAX_DEFAULT 65536u
#define MEMORY_MAX	  (UINT64_C(3) << 30)
#define SPIN_VARIABLE	  "BSTREAM_SPIN"

struct ends {
	int reader_fd;
	int writer_fds[SEAT_WRITERS_MAX];
	char name[64];
};

static void fds_close(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Whether sides of this channel may spin is in the environment, for the library to see. */
static void spin_say(const struct channel *c, bool never)
{
	if (never || c->never_spin)
		setenv(SPIN_VARIABLE, "0", 1);
	else
		unsetenv(SPIN_VARIABLE);
}

static int options_for(const struct channel *c, bool fit, struct bstream_options *o)
{
	*o = (struct bstream_options)BSTREAM_OPTIONS_INIT;
	o->capacity = c->transport->depth;
	if (fit || c->len > CHUNK_MAX_DEFAULT)
		o->chunk_max = (uint32_t)c->len;
	return (uint64_t)o->capacity * o->chunk_max * c->n_channels > MEMORY_MAX ? -EOPNOTSUPP : 0;
}

static int ends_detach(struct ends *e, unsigned n_writers, struct bstream_writer *w,
		       struct bstream_reader *r)
{
	int err = 0;

	for (unsigned k = 1; k < n_writers && !err; k++) {
		struct bstream_writer *more;

		err = bstream_writer_clone(w, &more);
		if (!err)
			e->writer_fds[k] = bstream_writer_detach(more);
	}
	e->writer_fds[0] = bstream_writer_detach(w);
	e->reader_fd = bstream_reader_detach(r);
	return err;
}

static int pair_open_with(struct channel *c, bool fit, bool never_spin)
{
	struct bstream_options options;
	struct bstream_writer *w;
	struct bstream_reader *r;
	struct ends *e;
	int err = options_for(c, fit, &options);

	if (err)
		return err;
	spin_say(c, never_spin);
	err = bstream_pair(&options, &w, &r);
	if (err)
		return err;
	e = calloc(1, sizeof(*e));
	if (!e) {
		bstream_writer_close(w);
		bstream_reader_close(r);
		return -ENOMEM;
	}
	for (unsigned k = 0; k < SEAT_WRITERS_MAX; k++)
		e->writer_fds[k] = -1;
	c->state = e;
	return ends_detach(e, c->n_writers, w, r);
}

static int pair_open(struct channel *c)
{
	return pair_open_with(c, false, false);
}

static int pair_open_fit(struct channel *c)
{
	return pair_open_with(c, true, false);
}

static int pair_open_nospin(struct channel *c)
{
	return pair_open_with(c, false, true);
}

static void pair_close(struct channel *c)
{
	struct ends *e = c->state;

	if (!e)
		return;
	fds_close(e->writer_fds, SEAT_WRITERS_MAX);
	fds_close(&e->reader_fd, 1);
	free(e);
}

static int pair_attach_writer(struct channel *c, unsigned k, void **endp)
{
	struct ends *e = c->state;
	struct bstream_writer *w;
	int err = bstream_writer_attach(e->writer_fds[k], &w);

	if (err)
		return err;
	e->writer_fds[k] = -1;
	fds_close(e->writer_fds, SEAT_WRITERS_MAX);
	*endp = w;
	return 0;
}

static int pair_attach_reader(struct channel *c, void **endp)
{
	struct ends *e = c->state;
	struct bstream_reader *r;
	int err = bstream_reader_attach(e->reader_fd, &r);

	if (err)
		return err;
	fds_close(e->writer_fds, SEAT_WRITERS_MAX);
	*endp = r;
	return 0;
}

static int named_open(struct channel *c)
{
	struct bstream_options options;
	struct ends *e;
	int err = options_for(c, false, &options);

	if (err)
		return err;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	snprintf(e->name, sizeof(e->name), "bench-%d-%u", (int)getpid(), c->id);
	c->state = e;
	spin_say(c, false);
	return bstream_create(e->name, &options);
}

static void named_close(struct channel *c)
{
	struct ends *e = c->state;

	if (!e)
		return;
	bstream_remove(e->name);
	free(e);
}

static int named_attach_writer(struct channel *c, unsigned k, void **endp)
{
	struct ends *e = c->state;

	(void)k;
	return bstream_open_writer(e->name, bstream_after_ms(5000), (struct bstream_writer **)endp);
}

static int named_attach_reader(struct channel *c, void **endp)
{
	struct ends *e = c->state;

	return bstream_open_reader(e->name, bstream_after_ms(5000), (struct bstream_reader **)endp);
}

static int ours_write(void *end, const void *buf, size_t len)
{
	return bstream_write(end, buf, len, BSTREAM_FOREVER);
}

static ssize_t ours_read(void *end, void *buf, size_t cap)
{
	size_t len = 0;
	int got = bstream_read(end, buf, cap, &len, BSTREAM_FOREVER);

	if (__builtin_expect(got != 1, 0))
		return got < 0 ? got : -ENODATA;
	return (ssize_t)len;
}

TRANSPORT_LOOPS(ours)

#define PAIR(suffix, slots, text, how)                                                            \
	{                                                                                         \
		.name = "bstream-" suffix, .about = "bstream, " text,                             \
		.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS | TRANSPORT_FAN_IN | TRANSPORT_OURS, \
		.depth = (slots), .open = how, .close = pair_close,                               \
		.attach_writer = pair_attach_writer, .attach_reader = pair_attach_reader,         \
		TRANSPORT_LOOP_OPS(ours)                                                          \
	}

const struct transport transport_bstream16 = PAIR("16", 16, "capacity 16", pair_open);
const struct transport transport_bstream256 = PAIR("256", 256, "capacity 256", pair_open);
const struct transport transport_bstream4096 = PAIR("4096", 4096, "capacity 4096", pair_open);
const struct transport transport_bstream4096_fit =
	PAIR("4096-fit", 4096, "capacity 4096, chunk_max to match", pair_open_fit);
const struct transport transport_bstream16_nospin =
	PAIR("16-nospin", 16, "capacity 16, BSTREAM_SPIN=0", pair_open_nospin);

const struct transport transport_bstream16_named = {
	.name = "bstream-16-named",
	.about = "bstream, capacity 16, opened by name",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS | TRANSPORT_FAN_IN | TRANSPORT_OURS |
		  TRANSPORT_BROKER,
	.depth = 16,
	.open = named_open,
	.close = named_close,
	.attach_writer = named_attach_writer,
	.attach_reader = named_attach_reader,
	TRANSPORT_LOOP_OPS(ours),
};
