/* SPDX-License-Identifier: MIT */
/*
 * transport_pipe.c - a pipe of 64 KiB (the kernel's default) or 1 MiB, each chunk with its length
 * before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bench/framing.h"
#include "bench/loops.h"
#include "bench/transport.h"

static int pipe_open(struct channel *c)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | (c->spin ? O_NONBLOCK : 0)) < 0)
		return -errno;
	if (fcntl(fds[1], F_SETPIPE_SZ, (int)c->transport->depth) < 0) {
		close(fds[0]);
		close(fds[1]);
		return -EOPNOTSUPP;
	}
	return framing_open(c, fds[1], fds[0]);
}

TRANSPORT_LOOPS(framing)

const struct transport transport_pipe64k = {
	.name = "pipe64k",
	.about = "pipe of 64 KiB, framed",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS | TRANSPORT_FAN_IN,
	.depth = 65536,
	.open = pipe_open,
	.close = framing_close,
	.attach_writer = framing_attach_writer,
	.attach_reader = framing_attach_reader,
	TRANSPORT_LOOP_OPS(framing),
};

const struct transport transport_pipe1m = {
	.name = "pipe1m",
	.about = "pipe of 1 MiB, framed",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS | TRANSPORT_FAN_IN,
	.depth = 1048576,
	.open = pipe_open,
	.close = framing_close,
	.attach_writer = framing_attach_writer,
	.attach_reader = framing_attach_reader,
	TRANSPORT_LOOP_OPS(framing),
};
