/* SPDX-License-Identifier: MIT */
/*
 * transport_unix.c - AF_UNIX socket pairs: a stream, framed, and seqpacket, which keeps chunks
 * apart by itself.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/framing.h"
#include "bench/loops.h"
#include "bench/transport.h"

static int pair(const struct channel *c, int type, int fds[2])
{
	type |= SOCK_CLOEXEC | (c->spin ? SOCK_NONBLOCK : 0);
	return socketpair(AF_UNIX, type, 0, fds) < 0 ? -errno : 0;
}

static int unix_stream_open(struct channel *c)
{
	int fds[2], err = pair(c, SOCK_STREAM, fds);

	return err ? err : framing_open(c, fds[0], fds[1]);
}

struct packets {
	int fds[2];
};

static int seqpacket_open(struct channel *c)
{
	struct packets *p = malloc(sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	err = pair(c, SOCK_SEQPACKET, p->fds);
	if (err)
		free(p);
	else
		c->state = p;
	return err;
}

static void seqpacket_close(struct channel *c)
{
	struct packets *p = c->state;

	close(p->fds[0]);
	close(p->fds[1]);
	free(p);
}

static int seqpacket_attach_writer(struct channel *c, unsigned k, void **endp)
{
	struct packets *p = c->state;

	(void)k;
	*endp = &p->fds[0];
	return 0;
}

static int seqpacket_attach_reader(struct channel *c, void **endp)
{
	struct packets *p = c->state;

	*endp = &p->fds[1];
	return 0;
}

static int seqpacket_write(void *end, const void *buf, size_t len)
{
	const int *fd = end;

	while (send(*fd, buf, len, MSG_NOSIGNAL) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		relax();
	}
	return 0;
}

static ssize_t seqpacket_read(void *end, void *buf, size_t cap)
{
	const int *fd = end;
	ssize_t len;

	while ((len = recv(*fd, buf, cap, 0)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		relax();
	}
	return len ? len : -ECONNRESET;
}

TRANSPORT_LOOPS(framing)
TRANSPORT_LOOPS(seqpacket)

const struct transport transport_unix_stream = {
	.name = "unix-stream",
	.about = "AF_UNIX stream socket pair, framed",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS | TRANSPORT_FAN_IN,
	.open = unix_stream_open,
	.close = framing_close,
	.attach_writer = framing_attach_writer,
	.attach_reader = framing_attach_reader,
	TRANSPORT_LOOP_OPS(framing),
};

const struct transport transport_unix_seqpacket = {
	.name = "unix-seqpacket",
	.about = "AF_UNIX seqpacket socket pair",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS | TRANSPORT_FAN_IN,
	.len_max = 131072,
	.open = seqpacket_open,
	.close = seqpacket_close,
	.attach_writer = seqpacket_attach_writer,
	.attach_reader = seqpacket_attach_reader,
	TRANSPORT_LOOP_OPS(seqpacket),
};
