/* SPDX-License-Identifier: MIT */
/*
 * check_door.c - who finds the queue before a broker full stands in it asleep, in place of coming again and again:
 * a thousand who come again leave the broker no time to let anybody in. The brokers are played here, with
 * room for one.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "proto/meeting.h"
#include "tests/broker/raw.h"

struct door {
	int listener, first; /* who has the one place */
	_Atomic int *n_knocks; /* of the child */
};

static _Atomic int *n_knocks; /* in the child */
static struct guard_gate stands;

/* Never without an end, which is no later than that of a request. */
static void note_patience(int fd)
{
	struct timeval patience = { 0 };
	socklen_t len = sizeof(patience);

	MUST(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, &len) == 0);
	MUST(patience.tv_sec > 0 || patience.tv_usec > 0);
	MUST(patience.tv_sec <= 5);
	guard_gate_open(&stands);
}

int __real_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (n_knocks) {
		++*n_knocks;
		if (!(fcntl(fd, F_GETFL) & O_NONBLOCK))
			note_patience(fd);
	}
	return __real_connect(fd, addr, len);
}

static void door_init(struct door *d)
{
	struct sockaddr_un addr;
	int r;

	guard_gate_init(&stands);
	d->n_knocks = guard_shared_new(sizeof(*d->n_knocks));
	d->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	MUST(d->listener >= 0);
	GIVES(bs_meeting_listen(d->listener, raw_socket_path(), 0600), 0);
	MUST(listen(d->listener, 0) == 0);
	d->first = raw_connect();
	GIVES(bs_meeting_addr(&addr, raw_socket_path()), 0);
	r = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	MUST(connect(r, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno == EAGAIN);
	close(r);
}

static void door_fini(struct door *d)
{
	if (d->listener >= 0)
		close(d->listener);
	close(d->first);
	guard_shared_free(d->n_knocks, sizeof(*d->n_knocks));
	guard_gate_fini(&stands);
	unlink(raw_socket_path());
}

/* In a child: ask for a name that is not there. Returns when the child stands in the queue, or is about to. */
static pid_t ask_in_child(struct door *d, uint32_t flags, int want)
{
	pid_t pid = guard_fork();

	if (pid == 0) {
		close(d->listener);
		n_knocks = d->n_knocks;
		GIVES(bstream_broker_use(NULL, flags), 0);
		GIVES(bstream_wait("nobody", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT), want);
		if (flags == 0)
			GIVES(bstream_broker_stop(), 0);
		_exit(0);
	}
	guard_gate_pass(&stands);
	return pid;
}

/* Let two in, and answer the second. */
static void let_in(struct door *d)
{
	struct bs_reply no = { .result = -ENOENT };
	struct bs_req_name q;
	int conn;

	close(accept(d->listener, NULL, NULL));
	conn = accept(d->listener, NULL, NULL);
	MUST(conn >= 0 && recv(conn, &q, sizeof(q), 0) == sizeof(q));
	no.head = q.head;
	no.head.size = sizeof(no);
	MUST(raw_send(conn, &no, sizeof(no), NULL, 0));
	close(conn);
}

START_TEST(who_finds_the_queue_full_stands_in_it_and_does_not_come_again)
{
	struct door d;
	pid_t pid;

	door_init(&d);
	pid = ask_in_child(&d, BSTREAM_NO_START, -ENOENT);
	let_in(&d);
	guard_reap(pid);
	GIVES(*d.n_knocks, 2);
	door_fini(&d);
}
END_TEST

START_TEST(who_stands_in_the_queue_is_told_when_the_broker_goes)
{
	struct door d;
	pid_t pid;

	door_init(&d);
	pid = ask_in_child(&d, BSTREAM_NO_START, -ECONNREFUSED);
	close(d.listener);
	d.listener = -1;
	guard_reap(pid);
	door_fini(&d);
}
END_TEST

START_TEST(who_stands_in_the_queue_of_a_broker_that_goes_starts_the_next)
{
	struct door d;
	pid_t pid;

	door_init(&d);
	pid = ask_in_child(&d, 0, -ENOENT);
	close(d.listener);
	d.listener = -1;
	guard_reap(pid);
	door_fini(&d);
}
END_TEST

static void do_nothing(int sig)
{
	(void)sig;
}

static bool interrupt(pid_t pid, const struct door *d)
{
	MUST(kill(pid, SIGUSR1) == 0);
	return *d->n_knocks >= 6;
}

/* The child's own handler, which interrupts what it can. */
static pid_t ask_with_a_handler(struct door *d)
{
	struct sigaction sa = { .sa_handler = do_nothing }, before;
	pid_t pid;

	MUST(sigaction(SIGUSR1, &sa, &before) == 0);
	pid = ask_in_child(d, BSTREAM_NO_START, -ENOENT);
	MUST(sigaction(SIGUSR1, &before, NULL) == 0);
	return pid;
}

START_TEST(who_is_interrupted_in_the_queue_stands_in_it_again)
{
	struct door d;
	pid_t pid;

	door_init(&d);
	pid = ask_with_a_handler(&d);
	UNTIL(interrupt(pid, &d));
	let_in(&d);
	guard_reap(pid);
	door_fini(&d);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(who_finds_the_queue_full_stands_in_it_and_does_not_come_again),
		ONCE(who_stands_in_the_queue_is_told_when_the_broker_goes),
		ONCE(who_stands_in_the_queue_of_a_broker_that_goes_starts_the_next),
		ONCE(who_is_interrupted_in_the_queue_stands_in_it_again),
	};

	guard_need_broker();
	return GUARD_RUN("broker/door", cases);
}
