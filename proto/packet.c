/* SPDX-License-Identifier: MIT */
/*
 * packet.c - owns nothing: sockets and buffers are the caller's, descriptors pass through.
 *
 * A message is looked at (MSG_PEEK) before it is taken. The look already gives us descriptors of our
 * own; if the table is full they do not all come (MSG_CTRUNC), we drop those that did, and the
 * message stays where it is. Otherwise the look's descriptors are the ones we keep, and the message
 * is then taken without asking for descriptors again, so that nothing can fail in between.
 *
 * Anybody may call it, from any thread; two readers of one socket at a time are the caller's error.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proto/packet.h"

union packet_control { /* room for all that can come, aligned as CMSG_* wants it */
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int) * BS_PACKET_FDS)];
};

int bs_packet_send(int socket, const void *buf, size_t len, int fd, int flags)
{
	union packet_control control = { 0 };
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(socket, &m, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ETOOMANYREFS ? -EAGAIN : -errno;
	return (size_t)n == len ? 0 : -EMSGSIZE; /* packets are whole */
}

static void packet_collect(struct msghdr *m, struct bs_packet_fds *got)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (n > BS_PACKET_FDS - got->n) /* cannot be: the buffer has no room for more */
			n = BS_PACKET_FDS - got->n;
		memcpy(&got->fds[got->n], CMSG_DATA(c), n * sizeof(int));
		got->n += n;
	}
}

static void packet_close(struct bs_packet_fds *got)
{
	while (got->n > 0)
		close(got->fds[--got->n]);
}

static ssize_t packet_receive(int socket, struct msghdr *m, int flags)
{
	ssize_t n;

	do
		n = recvmsg(socket, m, flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Take what has been looked at; its descriptors are ours already. */
static ssize_t packet_consume(int socket)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	return packet_receive(socket, &m, MSG_DONTWAIT);
}

ssize_t bs_packet_recv_all(int socket, void *buf, size_t size, struct bs_packet_fds *got, int flags)
{
	union packet_control control;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t n, taken;

	got->n = 0;
	n = packet_receive(socket, &m, flags | MSG_PEEK | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return n;
	packet_collect(&m, got);
	if (m.msg_flags & MSG_CTRUNC) {
		packet_close(got); /* never the last: the message has them too */
		return -EMFILE;
	}
	if (n == 0 && got->n == 0)
		return 0;
	taken = packet_consume(socket);
	if (taken < 0)
		return taken;
	return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

ssize_t bs_packet_recv(int socket, void *buf, size_t size, int *fdp, int flags)
{
	struct bs_packet_fds got;
	ssize_t n = bs_packet_recv_all(socket, buf, size, &got, flags);

	if (n <= 0 || got.n > (fdp ? 1u : 0u)) {
		if (n > 0)
			n = -EPROTO;
		packet_close(&got);
		return n;
	}
	if (fdp)
		*fdp = got.n ? got.fds[0] : -1;
	return n;
}
