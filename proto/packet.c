/* SPDX-License-Identifier: MIT */
/*
 * packet.c - owns nothing: sockets and buffers are the caller's, descriptors pass through.
 *
 * A message is looked at (MSG_PEEK) before it is taken. The look already gives us descriptors of our
 * own; if the table is full they do not all come (MSG_CTRUNC), we drop those that did, and the
 * message stays where it is. Then it is taken, with its descriptors once more, for where several
 * processes read one socket it need not be the one that was looked at. If the table has become full
 * in between, those of the look are kept, so that nothing is lost.
 *
 * Anybody may call it, from any thread or process.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proto/packet.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04 /* since Linux 6.5 */
#endif

/* Room for all that can come, aligned as CMSG_* wants it. What else the owner of the socket has asked
 * the kernel for (credentials, a label, a pidfd) comes before the descriptors. */
#define ASKED_FOR (CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(256))

union packet_control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int) * BS_PACKET_FDS) + ASKED_FOR];
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

/* A descriptor of the sender, which the owner of the socket has asked for and nobody here wants. */
static void pidfd_close(const struct cmsghdr *c)
{
	int fd;

	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	if (fd >= 0)
		close(fd);
}

static void packet_collect(struct msghdr *m, struct bs_packet_fds *got)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_PIDFD)
			pidfd_close(c);
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (n > BS_PACKET_FDS - got->n) /* cannot be: the kernel sends no more at once */
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

/* One recvmsg(2). *@marksp: what it says of the message. */
static ssize_t packet_receive(int socket, struct iovec iov, struct bs_packet_fds *got, int flags,
			      int *marksp)
{
	union packet_control control;
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t n;

	got->n = 0;
	do
		n = recvmsg(socket, &m, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	packet_collect(&m, got);
	*marksp = m.msg_flags;
	return n;
}

/* Take a message, after a look that gave @seen, which is consumed. */
static ssize_t packet_take(int socket, struct iovec iov, struct bs_packet_fds *seen,
			   struct bs_packet_fds *got)
{
	int marks = 0;
	ssize_t n = packet_receive(socket, iov, got, MSG_DONTWAIT, &marks);

	if (n == 0 && got->n == 0 && !(marks & MSG_CTRUNC))
		n = -EAGAIN; /* there was something: another process has it */
	if (n < 0 || (marks & MSG_CTRUNC)) {
		packet_close(got);
		*got = *seen;
	} else {
		packet_close(seen);
	}
	return n > 0 && (marks & MSG_TRUNC) ? -EMSGSIZE : n;
}

ssize_t bs_packet_recv_all(int socket, void *buf, size_t size, struct bs_packet_fds *got, int flags)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct bs_packet_fds seen;
	int marks = 0;
	ssize_t n = packet_receive(socket, iov, &seen, flags | MSG_PEEK, &marks);

	got->n = 0;
	if (n < 0)
		return n;
	if (marks & MSG_CTRUNC) {
		packet_close(&seen); /* never the last: the message has them too */
		return -EMFILE;
	}
	if (n == 0 && seen.n == 0)
		return 0;
	return packet_take(socket, iov, &seen, got);
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
