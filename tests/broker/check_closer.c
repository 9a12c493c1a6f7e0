/* SPDX-License-Identifier: MIT */
/*
 * check_closer.c - how the broker gets rid of what strangers have sent (daemon/closer.c): the closing
 * of it keeps nobody waiting, and what is not memory is never received.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/closer.h"
#include "proto/segment.h"
#include "tests/broker/raw.h"

#define SOMEBODY 4711

static void closer_begin(void)
{
	struct stat st;

	MUST(stat(BS_SHM_DIR, &st) == 0);
	GIVES(closer_init(st.st_dev, 0), 0);
}

/* A connection as the broker has one, in ends[1]. */
static void pair_open(int ends[2])
{
	int one = 1;

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	MUST(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
}

static bool has_hung_up(int conn)
{
	char byte;

	return recv(conn, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

/* All that was given to it is closed, by whoever. */
static void closer_settle(void)
{
	closer_run();
	GIVES(closer_pending(), 0);
	UNTIL((closer_reap(), closer_dying() == 0));
}

START_TEST(a_connection_with_nothing_but_bytes_is_closed_at_once)
{
	int ends[2];

	closer_begin();
	for (int n = 0; n < 4; n++) {
		pair_open(ends);
		for (int i = 0; i < n; i++)
			MUST(raw_send(ends[0], "packet", i == 1 ? 0 : 6, NULL, 0));
		closer_take_connection(ends[1], SOMEBODY);
		GIVES(closer_pending(), 0);
		MUST(fcntl(ends[1], F_GETFD) < 0);
		MUST(has_hung_up(ends[0]));
		close(ends[0]);
	}
	closer_run();
	GIVES(closer_dying(), 0);
	closer_fini();
}
END_TEST

/* Behind packets without any, one of them empty, lies a descriptor: nobody but a dying process closes it. */
START_TEST(a_connection_with_descriptors_is_buried)
{
	int ends[2], pipes[2];
	char byte;

	closer_begin();
	for (int n = 0; n < 3; n++) {
		pair_open(ends);
		MUST(pipe2(pipes, O_CLOEXEC) == 0);
		for (int i = 0; i < n; i++)
			MUST(raw_send(ends[0], "packet", i == 1 ? 0 : 6, NULL, 0));
		MUST(raw_send(ends[0], "", n == 0 ? 0 : 1, &pipes[1], 1));
		close(pipes[1]);
		closer_take_connection(ends[1], SOMEBODY);
		GIVES(closer_pending_of(SOMEBODY), 1);
		GIVES(closer_pending_of(SOMEBODY + 1), 0);
		closer_settle();
		MUST(read(pipes[0], &byte, 1) == 0); /* all copies are gone */
		MUST(has_hung_up(ends[0]));
		close(pipes[0]);
		close(ends[0]);
	}
	closer_fini();
}
END_TEST

/* More than one packet can take with it, in one round. */
#define N_LINGERING 300

START_TEST(nothing_lingers)
{
	int ends[2], *others = calloc(N_LINGERING, sizeof(*others));

	closer_begin();
	for (int i = 0; i < N_LINGERING; i++) {
		int fd = raw_lingering(&others[i]);

		if (i % 2 == 0) {
			closer_take(fd, SOMEBODY);
			continue;
		}
		pair_open(ends);
		MUST(raw_send(ends[0], "", 1, &fd, 1));
		close(fd);
		close(ends[0]);
		closer_take_connection(ends[1], SOMEBODY);
	}
	GIVES(closer_pending(), N_LINGERING);
	closer_settle();
	for (int i = 0; i < N_LINGERING; i++)
		close(others[i]);
	free(others);
	closer_fini();
}
END_TEST

static void taste_gives(int what, const int *fds, size_t n_fds, enum closer_taste want)
{
	struct bs_packet_fds got;
	int ends[2];
	char buf[8];
	size_t n = 0;

	pair_open(ends);
	MUST(raw_send(ends[0], "packet", (size_t)what, fds, n_fds));
	MUST(raw_send(ends[0], "next", 4, NULL, 0));
	GIVES(closer_taste(ends[1], SOMEBODY, &n), want);
	if (want == TASTE_OTHER) {
		GIVES(n, n_fds);
		GIVES(bs_packet_recv_all(ends[1], buf, sizeof(buf), &got, MSG_DONTWAIT), 4);
		GIVES(got.n, 0);
	} else {
		GIVES(bs_packet_recv_all(ends[1], buf, sizeof(buf), &got, MSG_DONTWAIT), what);
		GIVES(got.n, n_fds);
		while (got.n > 0)
			close(got.fds[--got.n]);
	}
	close(ends[0]);
	close(ends[1]);
}

START_TEST(memory_is_left_in_its_packet_and_all_else_is_eaten)
{
	int fds[BS_PACKET_FDS], pipes[2], n_before;
	char byte;

	closer_begin();
	n_before = guard_n_fds();
	MUST(pipe2(pipes, O_CLOEXEC) == 0);
	for (int i = 0; i < BS_PACKET_FDS; i++)
		fds[i] = pipes[1];
	taste_gives(6, fds, 1, TASTE_OTHER);
	taste_gives(0, fds, 1, TASTE_OTHER);
	taste_gives(6, fds, 2, TASTE_OTHER);
	taste_gives(6, fds, BS_PACKET_FDS, TASTE_OTHER);
	fds[0] = memfd_create("memory", MFD_CLOEXEC);
	taste_gives(6, fds, 1, TASTE_MEMORY);
	taste_gives(6, fds, 2, TASTE_OTHER);
	close(fds[0]);
	close(pipes[1]);
	closer_settle();
	MUST(read(pipes[0], &byte, 1) == 0);
	close(pipes[0]);
	GIVES(guard_n_fds(), n_before);
	closer_fini();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_connection_with_nothing_but_bytes_is_closed_at_once),
		ONCE(a_connection_with_descriptors_is_buried),
		ONCE(nothing_lingers),
		ONCE(memory_is_left_in_its_packet_and_all_else_is_eaten),
	};

	return GUARD_RUN("closer", cases);
}
