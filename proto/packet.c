/* SPDX-License-Identifier: MIT */
/*
 * packet.c - owns nothing: sockets and buffers are the caller's, descriptors pass through.
 *
 * A message is looked at (MSG_PEEK) before it is taken. The look already gives us descriptors of our
 * own; if the table is full they do not all come (MSG_CTRUNC), we drop those that did, and the
 * message stays where it is. Then it is taken, with its descriptors once more. If the table has become
 * full in between, those of the look are kept, so that nothing is lost.
 *
 * Where several processes read one socket the message that is taken need not be the one that was
 * looked at, whose descriptor is then no help. So it is not taken unless there is room for one more
 * than the look has used.
 *
 * Who can ask for the same again does without the look (bs_packet_take).
 *
 * A descriptor that comes is moved away from 0, 1 and 2. Its place is made sure of before the message
 * is taken: it is that of the look's, which was moved there first.
 *
 * Anybody may call it, from any thread or process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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

int bs_packet_send_all(int socket, const void *buf, size_t len, const int *fds, size_t n_fds,
		       int flags)
{
	union packet_control control = { 0 };
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds > 0) {
		struct cmsghdr *c;

		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(socket, &m, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ETOOMANYREFS ? -EAGAIN : -errno;
	return (size_t)n == len ? 0 : -EMSGSIZE; /* packets are whole */
}

int bs_packet_send(int socket, const void *buf, size_t len, int fd, int flags)
{
	return bs_packet_send_all(socket, buf, len, &fd, fd >= 0, flags);
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

/* One look. -ENOTCONN: it has found no packet, and then the end. */
static ssize_t packet_glance(int socket, void *buf, size_t size, bool *ladenp)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct ucred))]; /* and for no descriptor */
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t n;

	do
		n = recvmsg(socket, &m, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0 && m.msg_controllen == 0 && !(m.msg_flags & MSG_CTRUNC))
		return -ENOTCONN;
	*ladenp = (m.msg_flags & MSG_CTRUNC) != 0;
	return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

ssize_t bs_packet_look(int socket, void *buf, size_t size, bool *ladenp)
{
	ssize_t n = packet_glance(socket, buf, size, ladenp);

	/* A packet and the end may both have come between the kernel's look for the one and that for the other.
	 * Behind the end nothing comes. */
	return n == -ENOTCONN ? packet_glance(socket, buf, size, ladenp) : n;
}

void bs_packet_skip(int socket)
{
	while (recv(socket, NULL, 0, MSG_DONTWAIT) < 0 && errno == EINTR)
		;
}

ssize_t bs_packet_copy(int socket, struct bs_packet_fds *got)
{
	int marks = 0;
	char byte;
	ssize_t n = packet_receive(socket, (struct iovec){ &byte, 1 }, got, MSG_DONTWAIT | MSG_PEEK,
				   &marks);

	return n >= 0 && (marks & MSG_CTRUNC) ? -EMFILE : n;
}

ssize_t bs_packet_take(int socket, void *buf, size_t size, struct bs_packet_fds *got)
{
	int marks = 0;
	ssize_t n = packet_receive(socket, (struct iovec){ buf, size }, got, MSG_DONTWAIT, &marks);

	if (n >= 0 && (marks & MSG_CTRUNC))
		return -EMFILE;
	return n > 0 && (marks & MSG_TRUNC) ? -EMSGSIZE : n;
}

int bs_packet_raise(int fd)
{
	int up;

	if (fd < 0 || fd > 2)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (up < 0)
		up = -errno;
	close(fd);
	return up;
}

/* What a look has given, and what is ready for the message to be taken. */
struct packet_look {
	struct bs_packet_fds seen; /* its descriptors; one alone is moved to @place */
	int place; /* above the standard ones, for one that comes in among them; or -1 */
	bool one; /* @place is the descriptor of the message that was looked at */
	bool shared; /* others read this socket, too */
};

static void look_end(struct packet_look *l)
{
	packet_close(&l->seen);
	if (l->place >= 0)
		close(l->place);
	l->place = -1;
}

/* See that a message with one descriptor can be taken. If not, -EMFILE, and the look is over. */
static int look_make_room(struct packet_look *l, int socket)
{
	int room;

	l->place = -1;
	l->one = l->seen.n == 1;
	if (l->one) {
		l->place = bs_packet_raise(l->seen.fds[0]);
		l->seen.n = 0;
	} else if (l->shared) {
		packet_close(
			&l->seen); /* more than one is none of ours, but what is taken may be */
		l->place = fcntl(socket, F_DUPFD_CLOEXEC, 3);
	} else {
		return 0;
	}
	if (l->place < 0)
		return -EMFILE;
	if (!l->shared)
		return 0; /* the same will come: it need not, if there is no room */
	room = fcntl(l->place, F_DUPFD_CLOEXEC, 0);
	if (room < 0) {
		look_end(l);
		return -EMFILE;
	}
	close(room);
	return 0;
}

/* The table has become full: what the look has given is kept. */
static void look_keep(struct packet_look *l, struct bs_packet_fds *got)
{
	packet_close(got);
	*got = l->seen;
	l->seen.n = 0;
	if (!l->one)
		return;
	got->fds[got->n++] = l->place;
	l->place = -1;
}

/* One that came in among the standard ones goes to the place that was made for it. */
static void look_place(struct packet_look *l, struct bs_packet_fds *got)
{
	if (got->n != 1 || got->fds[0] > 2 || l->place < 0 ||
	    dup3(got->fds[0], l->place, O_CLOEXEC) < 0)
		return;
	close(got->fds[0]);
	got->fds[0] = l->place;
	l->place = -1;
}

/* Take a message, after a look, which is over then. */
static ssize_t packet_take(int socket, struct iovec iov, struct packet_look *l,
			   struct bs_packet_fds *got)
{
	int marks = 0;
	ssize_t n = packet_receive(socket, iov, got, MSG_DONTWAIT, &marks);
	bool torn = n >= 0 && (marks & MSG_CTRUNC);

	if (n == 0 && got->n == 0 && !torn && !l->shared)
		n = -EAGAIN; /* there was something: another process has it */
	if (torn && l->shared && !l->one)
		n = -EPROTO; /* too many, as the look has said */
	else if (n < 0 || torn)
		look_keep(l, got);
	else
		look_place(l, got);
	look_end(l);
	return n > 0 && (marks & MSG_TRUNC) ? -EMSGSIZE : n;
}

/* Look, and take. */
static ssize_t packet_recv(int socket, struct iovec iov, struct bs_packet_fds *got, int flags,
			   bool shared)
{
	struct packet_look l = { .shared = shared };
	int marks = 0;
	ssize_t n = packet_receive(socket, iov, &l.seen, flags | MSG_PEEK, &marks);

	got->n = 0;
	if (n < 0)
		return n;
	if (marks & MSG_CTRUNC) {
		bool many = l.seen.n > 0; /* not all have come: it is none of ours, and may go */

		packet_close(&l.seen); /* never the last: the message has them too */
		if (!many || !shared)
			return -EMFILE;
	} else if (n == 0 && l.seen.n == 0 && !shared) {
		return 0;
	}
	return look_make_room(&l, socket) < 0 ? -EMFILE : packet_take(socket, iov, &l, got);
}

ssize_t bs_packet_recv_all(int socket, void *buf, size_t size, struct bs_packet_fds *got, int flags)
{
	return packet_recv(socket, (struct iovec){ buf, size }, got, flags, false);
}

ssize_t bs_packet_recv_shared(int socket, void *buf, size_t size, struct bs_packet_fds *got)
{
	return packet_recv(socket, (struct iovec){ buf, size }, got, MSG_DONTWAIT, true);
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
