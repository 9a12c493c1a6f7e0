/* SPDX-License-Identifier: MIT */
/* check_move.c - ends that are sent in messages: they arrive whole, or stay, or are gone; never two. */
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/handle.h"
#include "proto/packet.h"
#include "tests/guard.h"

static struct bstream_writer *w;
static struct bstream_reader *r;
static int s[2];

static void setup(int type)
{
	guard_pair(4, 0, &w, &r);
	GIVES(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, s), 0);
}

static void teardown(void)
{
	bstream_writer_close(w);
	bstream_reader_close(r);
	close(s[0]);
	close(s[1]);
}

static const int types[] = { SOCK_SEQPACKET, SOCK_STREAM, SOCK_DGRAM };

START_TEST(ends_arrive_whole_over_every_kind_of_socket)
{
	setup(types[_i]);
	SAY(w, "a");
	SAY(w, "b");
	HEAR(r, "a");
	GIVES(bstream_reader_send(s[0], r), 0);
	GIVES(bstream_writer_send(s[0], w), 0);
	GIVES(guard_n_mappings(), 0);
	GIVES(bstream_reader_recv(s[1], &r), 0);
	GIVES(bstream_writer_recv(s[1], &w), 0);
	SAY(w, "c");
	HEAR(r, "b");
	HEAR(r, "c");
	teardown();
}
END_TEST

START_TEST(a_blocked_writer_goes_on_with_the_next_owner)
{
	pid_t pid;

	setup(SOCK_SEQPACKET);
	for (int i = 0; i < 4; i++)
		SAY(w, "chunk");
	pid = guard_fork();
	if (pid == 0) {
		struct bstream_reader *mine;

		GIVES(bstream_reader_recv(s[1], &mine), 0);
		for (int i = 0; i < 5; i++)
			HEAR_IN_TIME(mine, "chunk");
		GIVES(guard_read(mine, guard_patience()), 0);
		bstream_reader_close(mine);
		_exit(0);
	}
	GIVES(bstream_reader_send(s[0], r), 0);
	r = NULL;
	GIVES(bstream_write(w, "chunk", 5, guard_patience()), 0);
	bstream_writer_close(w);
	w = NULL;
	guard_reap(pid);
	teardown();
}
END_TEST

START_TEST(a_send_that_fails_leaves_the_end_as_it_was)
{
	char byte = 0;

	setup(SOCK_SEQPACKET);
	while (send(s[0], &byte, 1, MSG_DONTWAIT) == 1)
		;
	GIVES(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	uint64_t owner = owner_look(&r->g->reader.owner);
	GIVES(bstream_reader_send(s[0], r), -EAGAIN);
	/* Whoever got the message in spite of that has not got the next one's. */
	GIVES(owner_look(&r->g->reader.owner), owner + BS_END_STEP);
	GIVES(bstream_writer_send(s[0], w), -EAGAIN);
	close(s[1]);
	GIVES(bstream_reader_send(s[0], r), -ECONNRESET); /* with messages unread: told once */
	GIVES(bstream_reader_send(s[0], r), -EPIPE);
	GIVES(bstream_writer_send(s[0], w), -EPIPE);
	GIVES(bstream_reader_send(-1, r), -EBADF);
	SAY(w, "still ours");
	HEAR(r, "still ours");
	s[1] = -1;
	teardown();
}
END_TEST

START_TEST(a_reserved_writer_is_not_sent)
{
	void *span;

	setup(SOCK_SEQPACKET);
	GIVES(bstream_reserve(w, 1, &span, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_writer_send(s[0], w), -EBUSY);
	GIVES(bstream_commit(w, 0), 0);
	teardown();
}
END_TEST

START_TEST(what_is_no_end_of_that_kind_is_refused)
{
	struct bstream_reader *none;

	setup(SOCK_SEQPACKET);
	GIVES(send(s[0], "r", 1, 0), 1);
	GIVES(bstream_reader_recv(s[1], &none), -EPROTO); /* no descriptor */
	GIVES(send(s[0], "long", 4, 0), 4);
	GIVES(bstream_reader_recv(s[1], &none), -EPROTO);
	GIVES(bstream_writer_send(s[0], w), 0);
	w = NULL;
	GIVES(bstream_reader_recv(s[1], &none),
	      -EPROTO); /* of the other kind: closed, so it has died */
	GIVES(guard_read(r, guard_patience()), -ECONNRESET);
	close(s[0]);
	s[0] = -1;
	GIVES(bstream_reader_recv(s[1], &none), -ECONNRESET);
	teardown();
}
END_TEST

START_TEST(an_empty_message_is_taken_and_what_is_behind_it_arrives)
{
	struct bstream_reader *none;

	setup(types[_i * 2]); /* a stream socket has no messages */
	GIVES(send(s[0], "", 0, 0), 0);
	GIVES(bstream_reader_send(s[0], r), 0);
	GIVES(bstream_reader_recv(s[1], &none), -EPROTO);
	GIVES(bstream_reader_recv(s[1], &r), 0);
	GIVES(bstream_write(w, "x", 1, guard_patience()), 0);
	GIVES(guard_read(r, guard_patience()), 1);
	teardown();
}
END_TEST

/* A TCP connection with data that nobody takes, which lingers for longer than a test may last. */
static int lingerer_new(int listener, int *otherp)
{
	static const char much[65536];
	struct linger linger = { .l_onoff = 1, .l_linger = 3600 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	GIVES(bind(listener, (struct sockaddr *)&a, len), 0);
	GIVES(listen(listener, 1), 0);
	GIVES(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	GIVES(connect(fd, (struct sockaddr *)&a, len), 0);
	*otherp = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(*otherp, 0);
	while (send(fd, much, sizeof(much), MSG_DONTWAIT) > 0)
		;
	GIVES(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return fd;
}

START_TEST(a_socket_that_lingers_holds_up_nobody)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), other, fd;
	struct bstream_reader *none;

	setup(SOCK_SEQPACKET);
	fd = lingerer_new(listener, &other);
	GIVES(bs_packet_send(s[0], "r", 1, fd, 0), 0);
	close(fd);
	GIVES(bstream_reader_recv(s[1], &none), -EPROTO);
	close(other);
	close(listener);
	teardown();
}
END_TEST

START_TEST(without_a_free_descriptor_the_message_stays)
{
	struct rlimit old, none;
	int full[1024], n = 0;

	setup(SOCK_SEQPACKET);
	GIVES(bstream_reader_send(s[0], r), 0);
	r = NULL;
	GIVES(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 64;
	GIVES(setrlimit(RLIMIT_NOFILE, &none), 0);
	while ((full[n] = dup(s[1])) >= 0)
		n++;
	GIVES(bstream_reader_recv(s[1], &r), -EMFILE);
	while (n > 0)
		close(full[--n]);
	GIVES(setrlimit(RLIMIT_NOFILE, &old), 0);
	SAY(w, "kept");
	GIVES(bstream_reader_recv(s[1], &r), 0);
	HEAR(r, "kept");
	teardown();
}
END_TEST

START_TEST(an_end_in_a_message_that_nobody_takes_goes_with_the_socket)
{
	setup(SOCK_SEQPACKET);
	GIVES(bstream_reader_send(s[0], r), 0);
	r = NULL;
	SAY(w, "on its way"); /* it counts as alive */
	close(s[1]);
	s[1] = -1;
	struct bstream_stat stat = { .size = sizeof(stat) };
	GIVES(bstream_writer_stat(w, &stat), 0);
	MUST((stat.flags & BSTREAM_BROKEN) != 0);
	GIVES(bstream_write(w, "x", 1, BSTREAM_DONT_WAIT), -EPIPE);
	teardown();
}
END_TEST

/* A worker of a pool: whatever it gets says its number, which goes into @seen. */
static void work(int socket, _Atomic unsigned *seen)
{
	struct bstream_reader *mine;
	uint32_t number;
	size_t len;
	int rc;

	while ((rc = bstream_reader_recv(socket, &mine)) == 0) {
		GIVES(bstream_read(mine, &number, sizeof(number), &len, guard_patience()), 1);
		GIVES(guard_read(mine, guard_patience()), 0);
		bstream_reader_close(mine);
		seen[number]++;
	}
	GIVES(rc, -ECONNRESET);
}

/* All of them wait for the next message at once, and each message is for one of them. */
START_TEST(of_several_processes_with_one_socket_each_end_goes_to_one)
{
	enum { WORKERS = 4, ENDS = 400 };
	_Atomic unsigned *seen = guard_shared_new(ENDS * sizeof(*seen));
	pid_t pids[WORKERS];

	setup(types[_i]);
	for (int i = 0; i < WORKERS; i++) {
		pids[i] = guard_fork();
		if (pids[i] == 0) {
			close(s[0]);
			work(s[1], seen);
			_exit(0);
		}
	}
	for (uint32_t number = 0; number < ENDS; number++) {
		struct bstream_writer *to;
		struct bstream_reader *from;

		guard_pair(1, sizeof(number), &to, &from);
		GIVES(bstream_write(to, &number, sizeof(number), BSTREAM_DONT_WAIT), 0);
		bstream_writer_close(to);
		GIVES(bstream_reader_send(s[0], from), 0);
	}
	close(s[0]);
	s[0] = -1;
	for (int i = 0; i < WORKERS; i++)
		guard_reap(pids[i]);
	for (uint32_t number = 0; number < ENDS; number++)
		GIVES(seen[number], 1);
	guard_shared_free(seen, ENDS * sizeof(*seen));
	teardown();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(ends_arrive_whole_over_every_kind_of_socket, 3),
		ONCE(a_blocked_writer_goes_on_with_the_next_owner),
		ONCE(a_send_that_fails_leaves_the_end_as_it_was),
		ONCE(a_reserved_writer_is_not_sent),
		ONCE(what_is_no_end_of_that_kind_is_refused),
		N_WAYS(an_empty_message_is_taken_and_what_is_behind_it_arrives, 2),
		ONCE(a_socket_that_lingers_holds_up_nobody),
		ONCE(without_a_free_descriptor_the_message_stays),
		ONCE(an_end_in_a_message_that_nobody_takes_goes_with_the_socket),
		N_WAYS(of_several_processes_with_one_socket_each_end_goes_to_one, 2),
	};

	return GUARD_RUN("move", cases);
}
