/* SPDX-License-Identifier: MIT */
/*
 * check_liars.c - who is sent an end, and gets something else: descriptors of every kind, packets of every
 * shape. The receiver gets an error at once, and keeps nothing of it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/handle.h"
#include "proto/end.h"
#include "proto/packet.h"
#include "tests/guard.h"

/* ---- descriptors ---------------------------------------------------------------------------- */

static int file_fd(void)
{
	char path[] = "/tmp/liar-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	MUST(fd >= 0 && unlink(path) == 0 && ftruncate(fd, 1 << 20) == 0);
	return fd;
}

static int fifo_fd(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/fifo", guard_dir());
	MUST(mkfifo(path, 0600) == 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	MUST(unlink(path) == 0);
	return fd;
}

/* A whole segment, with no end of it, its offset where a write end's is; @flags as in its header. */
static int segment_fd(uint32_t flags)
{
	struct bs_geometry geo;
	struct bs_segment_spec spec = { .name = "" };

	GIVES(bs_geometry_init(&geo, 4, 64, 2, flags, 0), 0);
	int fd = bs_segment_new_nameless(&geo, &spec);
	MUST(fd >= 0 && lseek(fd, (off_t)BS_BYTE_WRITERS, SEEK_SET) > 0);
	return fd;
}

static int cut_fd(off_t to)
{
	int fd = segment_fd(0);

	MUST(ftruncate(fd, to) == 0);
	return fd;
}

static int reopened_fd(int flags)
{
	int fd = segment_fd(0), fresh = bs_end_reopen(fd, flags);

	if ((flags & O_PATH) == 0)
		MUST(lseek(fresh, (off_t)BS_BYTE_WRITERS, SEEK_SET) > 0);
	close(fd);
	return fresh;
}

/* The bytes of a segment in @to, which is no segment. Takes both. */
static int copied_fd(int from, int to)
{
	static char bytes[1 << 16];
	ssize_t n = pread(from, bytes, sizeof(bytes), 0);

	MUST(n > 0 && pwrite(to, bytes, (size_t)n, 0) == n);
	MUST(lseek(to, (off_t)BS_BYTE_WRITERS, SEEK_SET) > 0 || errno == EINVAL);
	close(from);
	return to;
}

/* It says sealed, and can be cut; or says not, and is. */
static int unsealed_fd(void)
{
	int fd = memfd_create("liar", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	MUST(ftruncate(fd, 1 << 20) == 0);
	return copied_fd(segment_fd(BS_FLAG_SEALED), fd);
}

static int frozen_fd(void)
{
	int fd = unsealed_fd();

	MUST(fcntl(fd, F_ADD_SEALS,
		   F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0);
	return fd;
}

static int socket_fd(int type)
{
	return socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
}

static int opened(const char *path, int flags)
{
	return open(path, flags | O_CLOEXEC);
}

/* The @i-th lie; -1 where this machine does not tell it; -2: there are no more. */
static int lie(int i)
{
	switch (i) {
	case 0:
		return opened("/dev/zero", O_RDWR);
	case 1:
		return opened("/dev/null", O_RDWR);
	case 2:
		return opened("/etc/passwd", O_RDONLY);
	case 3:
		return opened("/proc/self/status", O_RDONLY);
	case 4:
		return opened("/proc/self/mem", O_RDWR);
	case 5:
		return opened("/", O_RDONLY | O_DIRECTORY);
	case 6:
		return opened("/dev/shm", O_PATH | O_DIRECTORY);
	case 7:
		return fifo_fd();
	case 8:
		return socket_fd(SOCK_STREAM);
	case 9:
		return socket_fd(SOCK_SEQPACKET);
	case 10:
		return eventfd(0, EFD_CLOEXEC);
	case 11:
		return epoll_create1(EPOLL_CLOEXEC);
	case 12:
		return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	case 13:
		return pidfd_open(getpid(), 0);
	case 14:
		return memfd_create("liar", MFD_CLOEXEC);
	case 15:
		return memfd_create("liar", MFD_CLOEXEC | MFD_HUGETLB);
	case 16:
		return file_fd();
	case 17:
		return copied_fd(segment_fd(0), file_fd());
	case 18:
		return cut_fd(0);
	case 19:
		return cut_fd(100);
	case 20:
		return cut_fd(4096);
	case 21:
		return reopened_fd(O_RDONLY);
	case 22:
		return reopened_fd(O_WRONLY);
	case 23:
		return reopened_fd(O_PATH);
	case 24:
		return unsealed_fd();
	case 25:
		return frozen_fd();
	case 26:
		return segment_fd(0); /* whole; but no end of it is travelling */
	default:
		return -2;
	}
}

static int s[2]; /* who sends, who receives */

static void sockets_make(void)
{
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) == 0);
}

static void sockets_close(void)
{
	close(s[0]);
	close(s[1]);
}

START_TEST(a_descriptor_that_is_no_end_is_refused_and_closed)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	int n = 0;

	sockets_make();
	for (int fd; (fd = lie(n)) != -2; n++) {
		if (fd == -1)
			continue;
		int fds = guard_n_fds();
		MUST(bs_packet_send(s[0], "w", 1, fd, 0) == 0);
		GIVES(bstream_writer_recv(s[1], &w), -EPROTO);
		GIVES(guard_n_fds(), fds);
		MUST(bs_packet_send(s[0], "r", 1, fd, 0) == 0);
		GIVES(bstream_reader_recv(s[1], &r), -EPROTO);
		GIVES(guard_n_fds(), fds);
		GIVES(bstream_writer_attach(fd, &w), -EPROTO);
		GIVES(bstream_reader_attach(fd, &r), -EPROTO);
		GIVES(guard_n_fds(), fds);
		close(fd);
	}
	MUST(n > 20);
	sockets_close();
}
END_TEST

/* ---- packets -------------------------------------------------------------------------------- */

static void fds_send(const void *bytes, size_t len, int fd, size_t n)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * BS_PACKET_FDS)];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.room,
			    .msg_controllen = CMSG_SPACE(sizeof(int) * n) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fds[BS_PACKET_FDS];

	for (size_t i = 0; i < n; i++)
		fds[i] = fd;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	MUST(sendmsg(s[0], &m, 0) == (ssize_t)len);
}

START_TEST(a_packet_that_carries_no_end_is_refused_and_gone)
{
	static const char long_one[4096] = "w";
	struct bstream_writer *w, *real;
	struct bstream_reader *r;
	int fd = segment_fd(0);

	sockets_make();
	guard_pair(4, 0, &real, &r);
	int fds = guard_n_fds();
	MUST(bs_packet_send(s[0], "w", 1, -1, 0) == 0); /* no descriptor */
	GIVES(bstream_writer_recv(s[1], &w), -EPROTO);
	MUST(bs_packet_send(s[0], long_one, sizeof(long_one), -1, 0) == 0);
	GIVES(bstream_writer_recv(s[1], &w), -EPROTO);
	MUST(bs_packet_send(s[0], long_one, sizeof(long_one), fd, 0) == 0);
	GIVES(bstream_writer_recv(s[1], &w), -EPROTO);
	MUST(bs_packet_send(s[0], "?", 1, fd, 0) == 0); /* a kind that there is not */
	GIVES(bstream_writer_recv(s[1], &w), -EPROTO);
	MUST(bs_packet_send(s[0], "r", 1, fd, 0) == 0); /* the other kind */
	GIVES(bstream_writer_recv(s[1], &w), -EPROTO);
	fds_send("w", 1, fd, 2);
	GIVES(bstream_writer_recv(s[1], &w), -EPROTO);
	fds_send("w", 1, fd, BS_PACKET_FDS);
	GIVES(bstream_writer_recv(s[1], &w), -EPROTO);
	GIVES(guard_n_fds(), fds);
	GIVES(bstream_writer_send(s[0], real), 0); /* and what comes behind them is well */
	GIVES(bstream_writer_recv(s[1], &real), 0);
	SAY(real, "here");
	HEAR(r, "here");
	bstream_writer_close(real);
	bstream_reader_close(r);
	close(fd);
	sockets_close();
}
END_TEST

START_TEST(an_end_that_comes_twice_is_taken_once)
{
	struct bstream_writer *w, *x;
	struct bstream_reader *r;

	sockets_make();
	guard_pair(4, 0, &w, &r);
	int fd = bstream_writer_detach(w);
	MUST(bs_packet_send(s[0], "w", 1, fd, 0) == 0 && bs_packet_send(s[0], "w", 1, fd, 0) == 0);
	GIVES(bstream_writer_recv(s[1], &w), 0);
	GIVES(bstream_writer_recv(s[1], &x), -EPROTO);
	GIVES(bstream_writer_attach(fd, &x), -EPROTO);
	close(fd);
	SAY(w, "mine");
	HEAR(r, "mine");
	bstream_writer_close(w);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	bstream_reader_close(r);
	sockets_close();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_descriptor_that_is_no_end_is_refused_and_closed),
		ONCE(a_packet_that_carries_no_end_is_refused_and_gone),
		ONCE(an_end_that_comes_twice_is_taken_once),
	};

	return GUARD_RUN("liars", cases);
}
