/* SPDX-License-Identifier: MIT */
/*
 * transport_zmq.c - ZeroMQ, PUSH to PULL over ipc, defaults but for a quick first connection.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "bench/loops.h"
#include "bench/transport.h"

#define RECONNECT_MS 1

struct zmq_end {
	void *context, *socket;
	int flags;
};

static int zmq_channel_open(struct channel *c)
{
	char *path;

	if (asprintf(&path, "/tmp/bstream-bench-%d-%u.zmq", (int)getpid(), c->id) < 0)
		return -ENOMEM;
	c->state = path;
	return 0;
}

static void zmq_channel_close(struct channel *c)
{
	unlink(c->state);
	free(c->state);
}

static int zmq_end_new(struct channel *c, int type, void **endp)
{
	struct zmq_end *e = calloc(1, sizeof(*e));
	int ivl = RECONNECT_MS, err;
	char url[128];

	if (!e)
		return -ENOMEM;
	snprintf(url, sizeof(url), "ipc://%s", (const char *)c->state);
	e->flags = c->spin ? ZMQ_DONTWAIT : 0;
	e->context = zmq_ctx_new();
	e->socket = zmq_socket(e->context, type);
	zmq_setsockopt(e->socket, ZMQ_RECONNECT_IVL, &ivl, sizeof(ivl));
	err = type == ZMQ_PULL ? zmq_bind(e->socket, url) : zmq_connect(e->socket, url);
	*endp = e;
	return err < 0 ? -errno : 0;
}

static int zmq_attach_writer(struct channel *c, unsigned k, void **endp)
{
	(void)k;
	return zmq_end_new(c, ZMQ_PUSH, endp);
}

static int zmq_attach_reader(struct channel *c, void **endp)
{
	return zmq_end_new(c, ZMQ_PULL, endp);
}

static void zmq_leave(void *end)
{
	struct zmq_end *e = end;
	int none = 0;

	zmq_setsockopt(e->socket, ZMQ_LINGER, &none, sizeof(none));
	zmq_close(e->socket);
	zmq_ctx_term(e->context);
	free(e);
}

static int zmq_end_write(void *end, const void *buf, size_t len)
{
	const struct zmq_end *e = end;

	while (zmq_send(e->socket, buf, len, e->flags) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		relax();
	}
	return 0;
}

static ssize_t zmq_end_read(void *end, void *buf, size_t cap)
{
	const struct zmq_end *e = end;
	int len;

	while ((len = zmq_recv(e->socket, buf, cap, e->flags)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		relax();
	}
	return len;
}

TRANSPORT_LOOPS(zmq_end)

const struct transport transport_zmq = {
	.name = "zeromq",
	.about = "ZeroMQ, push and pull over ipc",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS | TRANSPORT_FAN_IN,
	.open = zmq_channel_open,
	.close = zmq_channel_close,
	.attach_writer = zmq_attach_writer,
	.attach_reader = zmq_attach_reader,
	.leave = zmq_leave,
	TRANSPORT_LOOP_OPS(zmq_end),
};
