/* SPDX-License-Identifier: MIT */
/*
 * transport_nng.c - nng, push to pull over ipc, defaults but for a quick first connection.
 */
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/loops.h"
#include "bench/transport.h"

#define RECONNECT_MS 1

struct nng_end {
	nng_socket socket;
	int flags;
};

static int nng_channel_open(struct channel *c)
{
	char *path;

	if (asprintf(&path, "/tmp/bstream-bench-%d-%u.nng", (int)getpid(), c->id) < 0)
		return -ENOMEM;
	c->state = path;
	return 0;
}

static void nng_channel_close(struct channel *c)
{
	unlink(c->state);
	free(c->state);
}

static int nng_end_new(struct channel *c, bool writes, void **endp)
{
	struct nng_end *e = calloc(1, sizeof(*e));
	char url[128];
	int err;

	if (!e)
		return -ENOMEM;
	snprintf(url, sizeof(url), "ipc://%s", (const char *)c->state);
	e->flags = c->spin ? NNG_FLAG_NONBLOCK : 0;
	err = writes ? nng_push0_open(&e->socket) : nng_pull0_open(&e->socket);
	if (!err)
		err = nng_socket_set_ms(e->socket, NNG_OPT_RECONNMINT, RECONNECT_MS);
	if (!err)
		err = nng_socket_set_size(e->socket, NNG_OPT_RECVMAXSZ, 0);
	if (!err && writes)
		err = nng_dial(e->socket, url, NULL, NNG_FLAG_NONBLOCK);
	else if (!err)
		err = nng_listen(e->socket, url, NULL, 0);
	*endp = e;
	return err ? -EIO : 0;
}

static int nng_attach_writer(struct channel *c, unsigned k, void **endp)
{
	(void)k;
	return nng_end_new(c, true, endp);
}

static int nng_attach_reader(struct channel *c, void **endp)
{
	return nng_end_new(c, false, endp);
}

static void nng_leave(void *end)
{
	struct nng_end *e = end;

	nng_close(e->socket);
	free(e);
}

static int nng_end_write(void *end, const void *buf, size_t len)
{
	const struct nng_end *e = end;
	int err;

	while ((err = nng_send(e->socket, (void *)(uintptr_t)buf, len, e->flags)) != 0) {
		if (err != NNG_EAGAIN)
			return -EIO;
		relax();
	}
	return 0;
}

static ssize_t nng_end_read(void *end, void *buf, size_t cap)
{
	const struct nng_end *e = end;
	size_t len = cap;
	int err;

	while ((err = nng_recv(e->socket, buf, &len, e->flags)) != 0) {
		if (err != NNG_EAGAIN)
			return err == NNG_EMSGSIZE ? -EMSGSIZE : -EIO;
		relax();
		len = cap;
	}
	return (ssize_t)len;
}

TRANSPORT_LOOPS(nng_end)

const struct transport transport_nng = {
	.name = "nng",
	.about = "nng, push and pull over ipc",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS | TRANSPORT_FAN_IN,
	.open = nng_channel_open,
	.close = nng_channel_close,
	.attach_writer = nng_attach_writer,
	.attach_reader = nng_attach_reader,
	.leave = nng_leave,
	TRANSPORT_LOOP_OPS(nng_end),
};
