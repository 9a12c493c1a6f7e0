/* SPDX-License-Identifier: MIT */
/*
 * transport_mq.c - a POSIX message queue, as deep as it may be without privileges: 10.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/loops.h"
#include "bench/transport.h"

static int mq_channel_open(struct channel *c)
{
	struct mq_attr attr = { .mq_maxmsg = c->transport->depth, .mq_msgsize = (long)c->len };
	char name[64];
	mqd_t q;

	snprintf(name, sizeof(name), "/bstream-bench-%d-%u", (int)getpid(), c->id);
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | (c->spin ? O_NONBLOCK : 0), 0600,
		    &attr);
	if (q < 0) /* limits, rights, a kernel without them */
		return errno == ENOMEM ? -errno : -EOPNOTSUPP;
	mq_unlink(name);
	c->state = (void *)(intptr_t)q;
	return 0;
}

static void mq_channel_close(struct channel *c)
{
	mq_close((mqd_t)(intptr_t)c->state);
}

static int mq_attach_reader(struct channel *c, void **endp)
{
	*endp = c->state;
	return 0;
}

static int mq_attach_writer(struct channel *c, unsigned k, void **endp)
{
	(void)k;
	return mq_attach_reader(c, endp);
}

static int mqueue_write(void *end, const void *buf, size_t len)
{
	while (mq_send((mqd_t)(intptr_t)end, buf, len, 0) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		relax();
	}
	return 0;
}

static ssize_t mqueue_read(void *end, void *buf, size_t cap)
{
	ssize_t len;

	while ((len = mq_receive((mqd_t)(intptr_t)end, buf, cap, NULL)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		relax();
	}
	return len;
}

TRANSPORT_LOOPS(mqueue)

const struct transport transport_mq = {
	.name = "mq",
	.about = "POSIX message queue, 10 deep",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_SPINS | TRANSPORT_FAN_IN,
	.len_max = 8192,
	.depth = 10,
	.open = mq_channel_open,
	.close = mq_channel_close,
	.attach_writer = mq_attach_writer,
	.attach_reader = mq_attach_reader,
	TRANSPORT_LOOP_OPS(mqueue),
};
