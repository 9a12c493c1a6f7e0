/* SPDX-License-Identifier: MIT */
/* check_move.c - ends that are sent in messages: they arrive whole, or stay, or are gone; never two. */
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/handle.h"
#include "tests/broker/raw.h"

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

/* What may come before an end, of somebody who does not know how to send one, or knows it too well. */
static const struct {
	const char *bytes;
	size_t len, n_fds;
	int flags;
} rogues[] = {
	{ "r", 1, 0, 0 },  { "rrrrrrrr", 8, 0, 0 }, { "r", 1, 1, 0 },
	{ "rr", 2, 1, 0 }, { "r", 1, 3, 0 },	    { "w", 1, 1, 0 },
	{ "", 0, 1, 0 },   { "", 0, 0, 0 },	    { "r", 1, 0, MSG_OOB },
};
enum { N_ROGUES = sizeof(rogues) / sizeof(rogues[0]) };

/* A message like that is refused and gone, byte by byte where there are no messages; what is behind it
 * arrives whole. */
START_TEST(what_is_no_end_takes_none_along)
{
	int fds[] = { 0, 1, 2 }, n_before, n_refused = 0, rc;

	setup(types[_i / N_ROGUES]);
	n_before = guard_n_fds();
	const size_t i = (size_t)_i % N_ROGUES;
	if (rogues[i].flags == 0)
		raw_send(s[0], rogues[i].bytes, rogues[i].len, fds, rogues[i].n_fds);
	else /* where that is not known it is refused here */
		send(s[0], rogues[i].bytes, rogues[i].len, rogues[i].flags);
	GIVES(bstream_reader_send(s[0], r), 0);
	while ((rc = bstream_reader_recv(s[1], &r)) == -EPROTO)
		n_refused++;
	GIVES(rc, 0);
	MUST(n_refused <= 8);
	GIVES(guard_n_fds(), n_before);
	SAY(w, "whole");
	HEAR(r, "whole");
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

/* No descriptor is free but 0, 1 and 2, where an end has no business. */
START_TEST(with_only_the_standard_descriptors_free_the_message_stays)
{
	struct raw_famine famine;
	int saved[3], rc;

	setup(types[_i]);
	GIVES(bstream_reader_send(s[0], r), 0);
	r = NULL;
	raw_famine_begin(&famine, 3);
	raw_standard_away(saved);
	rc = bstream_reader_recv(s[1], &r);
	close(famine.fds[--famine.n]);
	int again = bstream_reader_recv(s[1], &r);
	raw_standard_back(saved);
	raw_famine_end(&famine);
	GIVES(rc, -EMFILE);
	GIVES(again, 0);
	SAY(w, "kept");
	HEAR(r, "kept");
	teardown();
}
END_TEST

/* ---- several processes with one socket ------------------------------------------------------ */

static struct guard_gate asked, taken;
static bool another_is_faster; /* when this process has looked, and is about to take */

static void another_takes(int flags)
{
	if (!another_is_faster || (flags & MSG_PEEK))
		return;
	another_is_faster = false;
	guard_gate_open(&asked);
	guard_gate_pass(&taken);
}

ssize_t __real_recvmsg(int fd, struct msghdr *m, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	another_takes(flags);
	return __real_recvmsg(fd, m, flags);
}

ssize_t __real_recv(int fd, void *buf, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags)
{
	another_takes(flags);
	return __real_recv(fd, buf, size, flags);
}

/* The other process: once asked, it takes the first message, and nothing of it matters but that. */
static pid_t another_start(void)
{
	char byte;
	pid_t pid;

	guard_gate_init(&asked);
	guard_gate_init(&taken);
	pid = guard_fork();
	if (pid != 0)
		return pid;
	guard_gate_pass(&asked);
	MUST(__real_recv(s[1], &byte, 1, MSG_DONTWAIT) >= 0);
	guard_gate_open(&taken);
	_exit(0);
}

static void another_end(pid_t pid)
{
	if (another_is_faster) { /* nobody asked */
		another_is_faster = false;
		guard_kill(pid);
	} else {
		guard_reap(pid);
	}
	guard_gate_fini(&asked);
	guard_gate_fini(&taken);
}

/* What was looked at has gone to another, and it is the next one that comes: with one descriptor free
 * for both, neither is taken; with two it arrives. */
START_TEST(what_comes_in_place_of_what_was_looked_at_is_not_lost)
{
	struct bstream_writer *first_w;
	struct bstream_reader *first;
	struct raw_famine famine;
	pid_t pid;

	setup(types[_i / 2]);
	guard_pair(1, 0, &first_w, &first);
	pid = another_start();
	GIVES(bstream_reader_send(s[0], first), 0);
	GIVES(bstream_reader_send(s[0], r), 0);
	another_is_faster = true;
	raw_famine_begin(&famine, 1 + _i % 2);
	int rc = bstream_reader_recv(s[1], &r);
	raw_famine_end(&famine);
	if (_i % 2 == 0) {
		GIVES(rc, -EMFILE);
		MUST(another_is_faster); /* nothing was taken */
		rc = bstream_reader_recv(s[1], &r);
	}
	GIVES(rc, 0);
	another_end(pid);
	SAY(w, "whole");
	HEAR(r, "whole");
	GIVES(bstream_write(first_w, "x", 1, guard_patience()), -EPIPE);
	bstream_writer_close(first_w);
	teardown();
}
END_TEST

/* The same, and what was looked at was nothing. */
START_TEST(an_empty_message_that_another_takes_costs_nobody_his_end)
{
	struct bstream_reader *none;
	pid_t pid;

	setup(types[_i * 2]);
	pid = another_start();
	GIVES(send(s[0], "", 0, 0), 0);
	GIVES(bstream_reader_send(s[0], r), 0);
	another_is_faster = true;
	GIVES(bstream_reader_recv(s[1], &r), 0);
	another_end(pid);
	SAY(w, "whole");
	HEAR(r, "whole");
	GIVES(fcntl(s[1], F_SETFL, O_NONBLOCK), 0);
	GIVES(bstream_reader_recv(s[1], &none), -EAGAIN);
	teardown();
}
END_TEST

/* It is none of ours, and must not be in the way of what is. */
START_TEST(a_message_with_more_descriptors_than_are_free_goes)
{
	struct bstream_reader *none;
	struct raw_famine famine;
	int fds[] = { 2, 2, 2 };

	setup(types[_i]);
	MUST(raw_send(s[0], "r", 1, fds, 3));
	GIVES(bstream_reader_send(s[0], r), 0);
	raw_famine_begin(&famine, 2);
	int rc = bstream_reader_recv(s[1], &none);
	int again = bstream_reader_recv(s[1], &r);
	raw_famine_end(&famine);
	GIVES(rc, -EPROTO);
	GIVES(again, 0);
	SAY(w, "whole");
	HEAR(r, "whole");
	teardown();
}
END_TEST

START_TEST(with_no_descriptor_free_it_is_still_told_that_the_peer_has_closed)
{
	struct bstream_reader *none;
	struct raw_famine famine;

	setup(types[_i]);
	close(s[0]);
	s[0] = -1;
	raw_famine_begin(&famine, 0);
	int rc = bstream_reader_recv(s[1], &none);
	raw_famine_end(&famine);
	GIVES(rc, -ECONNRESET);
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
		N_WAYS(what_is_no_end_takes_none_along, 3 * N_ROGUES),
		ONCE(a_socket_that_lingers_holds_up_nobody),
		ONCE(without_a_free_descriptor_the_message_stays),
		N_WAYS(with_only_the_standard_descriptors_free_the_message_stays, 3),
		N_WAYS(what_comes_in_place_of_what_was_looked_at_is_not_lost, 6),
		N_WAYS(an_empty_message_that_another_takes_costs_nobody_his_end, 2),
		N_WAYS(a_message_with_more_descriptors_than_are_free_goes, 3),
		N_WAYS(with_no_descriptor_free_it_is_still_told_that_the_peer_has_closed, 2),
		ONCE(an_end_in_a_message_that_nobody_takes_goes_with_the_socket),
		N_WAYS(of_several_processes_with_one_socket_each_end_goes_to_one, 2),
	};

	return GUARD_RUN("move", cases);
}
