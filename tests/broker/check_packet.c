/* SPDX-License-Identifier: MIT */
/*
 * check_packet.c - packets with descriptors (proto/packet.c), and where broker and clients meet
 * (proto/meeting.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/meeting.h"
#include "tests/broker/raw.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

static void pair_open(int ends[2])
{
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
}

static void pair_close(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

START_TEST(bytes_and_a_descriptor_arrive)
{
	char buf[16];
	int ends[2], fd = -7;

	pair_open(ends);
	GIVES(bs_packet_send(ends[0], "hello", 5, ends[0], 0), 0);
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, 0), 5);
	MUST(memcmp(buf, "hello", 5) == 0 && fd >= 0);
	GIVES(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	GIVES(bs_packet_send(ends[0], "x", 1, -1, 0), 0);
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, 0), 1);
	GIVES(fd, -1);
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, MSG_DONTWAIT), -EAGAIN);
	close(ends[0]);
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, 0), 0);
	GIVES(bs_packet_send(ends[1], "x", 1, -1, 0), -EPIPE); /* and no SIGPIPE */
	close(ends[1]);
}
END_TEST

START_TEST(descriptors_that_are_not_wanted_are_closed)
{
	int ends[2], fd = -1, fds[BS_PACKET_FDS], n_before;
	char buf[4];

	pair_open(ends);
	for (int i = 0; i < BS_PACKET_FDS; i++)
		fds[i] = ends[0];
	n_before = guard_n_fds();
	MUST(raw_send(ends[0], "x", 1, fds, BS_PACKET_FDS));
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, 0), -EPROTO);
	MUST(raw_send(ends[0], "x", 1, fds, 2));
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, 0), -EPROTO);
	MUST(raw_send(ends[0], "x", 1, fds, 1));
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), NULL, 0), -EPROTO);
	MUST(raw_send(ends[0], "12345", 5, fds, 1));
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, 0), -EMSGSIZE);
	MUST(raw_send(ends[0], "", 0, fds, 1));
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, 0), 0);
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, MSG_DONTWAIT), -EAGAIN);
	GIVES(guard_n_fds(), n_before);
	pair_close(ends);
}
END_TEST

/* Who sends and is gone between the kernel's look for a packet and its look for the end: who asks is told of the
 * end, and the packet waits. So it is here the first @n_torn times. */
static int n_torn;

ssize_t recvmsg(int socket, struct msghdr *m, int flags)
{
	if (n_torn == 0)
		return syscall(SYS_recvmsg, socket, m, flags);
	n_torn--;
	m->msg_controllen = 0;
	m->msg_flags = 0;
	return 0;
}

START_TEST(an_end_is_not_believed_before_a_second_look)
{
	int ends[2], one = 1;
	bool laden = false;
	char buf[4];

	pair_open(ends);
	MUST(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
	GIVES(bs_packet_look(ends[1], buf, sizeof(buf), &laden), -EAGAIN);
	GIVES(bs_packet_send(ends[0], "x", 1, ends[0], 0), 0);
	shutdown(ends[0], SHUT_WR);
	n_torn = 1;
	GIVES(bs_packet_look(ends[1], buf, sizeof(buf), &laden), 1);
	MUST(laden);
	bs_packet_skip(ends[1]);
	GIVES(bs_packet_look(ends[1], buf, sizeof(buf), &laden), -ENOTCONN);
	pair_close(ends);
}
END_TEST

START_TEST(with_no_descriptor_free_the_packet_stays)
{
	struct raw_famine famine;
	int ends[2], fd = -1;
	ssize_t n;
	char buf[4];

	pair_open(ends);
	GIVES(bs_packet_send(ends[0], "x", 1, ends[0], 0), 0);
	raw_famine_begin(&famine, 0);
	n = bs_packet_recv(ends[1], buf, sizeof(buf), &fd, 0);
	raw_famine_end(&famine);
	GIVES(n, -EMFILE);
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, 0), 1);
	MUST(fd >= 0);
	close(fd);
	pair_close(ends);
}
END_TEST

START_TEST(who_can_ask_again_takes_a_packet_at_once_and_may_lose_it)
{
	struct bs_packet_fds got;
	struct raw_famine famine;
	int ends[2];
	ssize_t n;
	char buf[4];

	pair_open(ends);
	GIVES(bs_packet_take(ends[1], buf, sizeof(buf), &got), -EAGAIN);
	GIVES(bs_packet_send(ends[0], "x", 1, ends[0], 0), 0);
	GIVES(bs_packet_take(ends[1], buf, sizeof(buf), &got), 1);
	GIVES(got.n, 1);
	close(got.fds[0]);
	GIVES(bs_packet_send(ends[0], "12345", 5, -1, 0), 0);
	GIVES(bs_packet_take(ends[1], buf, sizeof(buf), &got), -EMSGSIZE);
	GIVES(bs_packet_send(ends[0], "x", 1, ends[0], 0), 0);
	raw_famine_begin(&famine, 0);
	n = bs_packet_take(ends[1], buf, sizeof(buf), &got);
	raw_famine_end(&famine);
	GIVES(n, -EMFILE);
	GIVES(got.n, 0);
	GIVES(bs_packet_take(ends[1], buf, sizeof(buf), &got), -EAGAIN);
	pair_close(ends);
}
END_TEST

/* What else may be asked of the kernel on this socket is not in the way, and is not left open. */
START_TEST(of_a_socket_that_tells_who_sends_only_the_descriptor_is_taken)
{
	int ends[2], one = 1, fd = -1, fds[BS_PACKET_FDS], n_before;
	char buf[4];

	pair_open(ends);
	GIVES(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	setsockopt(ends[1], SOL_SOCKET, SO_PASSPIDFD, &one, sizeof(one)); /* since Linux 6.5 */
	for (int i = 0; i < BS_PACKET_FDS; i++)
		fds[i] = ends[0];
	n_before = guard_n_fds();
	GIVES(bs_packet_send(ends[0], "x", 1, ends[0], 0), 0);
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, 0), 1);
	MUST(fd >= 0);
	close(fd);
	MUST(raw_send(ends[0], "x", 1, fds, BS_PACKET_FDS));
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, 0), -EPROTO);
	GIVES(bs_packet_recv(ends[1], buf, sizeof(buf), &fd, MSG_DONTWAIT), -EAGAIN);
	GIVES(guard_n_fds(), n_before);
	pair_close(ends);
}
END_TEST

static void meets_at(const char *want)
{
	char path[BS_SOCKET_PATH];

	GIVES(bs_meeting_path(path, NULL, false, false), 0);
	ck_assert_str_eq(path, want);
}

START_TEST(the_socket_is_where_the_environment_says)
{
	char path[BS_SOCKET_PATH], want[BS_SOCKET_PATH + 64];

	snprintf(want, sizeof(want), "%s/bstream/broker.sock", guard_dir());
	meets_at(want);
	setenv("BSTREAM_SOCKET", "/some/where", 1);
	meets_at("/some/where");
	GIVES(bs_meeting_path(path, "/else/where", true, false), 0);
	ck_assert_str_eq(path, "/else/where");
	unsetenv("BSTREAM_SOCKET");
	GIVES(bs_meeting_path(path, NULL, true, false), 0);
	ck_assert_str_eq(path, BS_SYSTEM_SOCKET);
	setenv("TMPDIR", "/nonexistent", 1);
	setenv("XDG_RUNTIME_DIR", "/nonexistent/run", 1); /* nobody's: as if it were not set */
	snprintf(want, sizeof(want), "/nonexistent/bstream-%u/broker.sock", (unsigned)geteuid());
	meets_at(want);
	GIVES(bs_meeting_path(path, NULL, false, true), -EACCES);
	setenv("XDG_RUNTIME_DIR", guard_dir(), 1);
}
END_TEST

START_TEST(a_directory_open_to_others_is_no_place_to_meet)
{
	char path[BS_SOCKET_PATH], dir[BS_SOCKET_PATH], long_path[BS_SOCKET_PATH + 1];

	GIVES(bs_meeting_path(path, NULL, false, true), 0);
	bs_meeting_dirname(dir, path);
	MUST(chmod(dir, 0750) == 0);
	GIVES(bs_meeting_path(path, NULL, false, true), -EACCES);
	GIVES(bstream_broker_start(), -EACCES);
	MUST(chmod(dir, 0700) == 0 && rmdir(dir) == 0);
	MUST(symlink("/tmp", dir) == 0);
	GIVES(bs_meeting_path(path, NULL, false, true), -EACCES);
	MUST(unlink(dir) == 0);
	memset(long_path, 'x', sizeof(long_path));
	long_path[BS_SOCKET_PATH - 1] = '\0';
	GIVES(bs_meeting_path(path, long_path, false, true), -ENAMETOOLONG);
	GIVES(bstream_broker_use(long_path, 0), -ENAMETOOLONG);
	long_path[BS_SOCKET_PATH - 2] = '\0';
	GIVES(bs_meeting_path(path, long_path, false, true), 0);
	GIVES(bstream_broker_use(NULL, 0), 0);
}
END_TEST

START_TEST(the_hash_is_the_known_one)
{
	MUST(bs_meeting_hash("") == 0xcbf29ce484222325);
	MUST(bs_meeting_hash("a") == 0xaf63dc4c8601ec8c);
	MUST(bs_meeting_hash("foobar") == 0x85944171f73967e8);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(bytes_and_a_descriptor_arrive),
		ONCE(descriptors_that_are_not_wanted_are_closed),
		ONCE(an_end_is_not_believed_before_a_second_look),
		ONCE(with_no_descriptor_free_the_packet_stays),
		ONCE(who_can_ask_again_takes_a_packet_at_once_and_may_lose_it),
		ONCE(of_a_socket_that_tells_who_sends_only_the_descriptor_is_taken),
		ONCE(the_socket_is_where_the_environment_says),
		ONCE(a_directory_open_to_others_is_no_place_to_meet),
		ONCE(the_hash_is_the_known_one),
	};

	return GUARD_RUN("packet", cases);
}
