/* SPDX-License-Identifier: MIT */
/* check_mailbox.c - messages to a name: order, room, who sent them, ends that move in them; and what
 * becomes of all that when its receiver, a sender or the broker goes. */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/hint.h"
#include "tests/broker/raw.h"

#define ROOM 16 /* messages that a mailbox holds at least */

static struct bstream_mailbox *m;
static struct bstream_message msg;
static struct bstream_writer *w;
static struct bstream_reader *r;

static void box_close(void)
{
	bstream_mailbox_close(m);
	m = NULL;
}

/* The next message is this note, and is there already. */
static void hear_note(const char *note)
{
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), 0);
	GIVES(msg.len, strlen(note));
	MUST(memcmp(msg.note, note, msg.len + 1) == 0); /* and a NUL */
}

static int say_note(const char *note, uint64_t deadline)
{
	return bstream_send("m", note, strlen(note), NULL, deadline);
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	MUST(poll(&p, 1, 0) >= 0);
	return (p.revents & POLLIN) != 0;
}

/* Notes until it is full. How many. */
static int box_fill(void)
{
	int n = 0;

	while (say_note("fill", BSTREAM_DONT_WAIT) == 0)
		n++;
	GIVES(say_note("fill", BSTREAM_DONT_WAIT), -EAGAIN);
	MUST(n >= ROOM);
	return n;
}

/* Descriptors that the broker has open on what begins like @what. */
static int n_broker_files(const char *what)
{
	char path[64], target[256];
	const struct dirent *e;
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)raw_broker_pid());
	dir = opendir(path);
	MUST(dir);
	while ((e = readdir(dir)) != NULL) {
		ssize_t len = readlinkat(dirfd(dir), e->d_name, target, sizeof(target));

		n += len >= (ssize_t)strlen(what) && memcmp(target, what, strlen(what)) == 0;
	}
	closedir(dir);
	return n;
}

static int n_broker_fds(void)
{
	return n_broker_files("");
}

/* Read ends of pairs that are queued, or that somebody waits to send. */
static int n_broker_ends(void)
{
	return n_broker_files("/memfd:bstream");
}

/* ---- notes ---------------------------------------------------------------------------------- */

START_TEST(a_note_arrives_and_who_sent_it)
{
	char *longest = calloc(1, BSTREAM_NOTE_MAX + 1);
	pid_t pid;

	GIVES(bstream_mailbox_open("m", &m), 0);
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_mailbox_recv(m, &msg, bstream_after_ms(1)), -ETIMEDOUT);
	pid = guard_fork();
	if (pid == 0) {
		GIVES(say_note("hello", guard_patience()), 0);
		_exit(0);
	}
	guard_reap(pid);
	hear_note("hello");
	MUST(msg.pid == pid && msg.uid == getuid() && msg.reader == NULL);
	GIVES(bstream_send("m", NULL, 0, NULL, BSTREAM_DONT_WAIT), 0);
	hear_note("");
	MUST(msg.pid == getpid());
	memset(longest, 'x', BSTREAM_NOTE_MAX);
	GIVES(say_note(longest, BSTREAM_DONT_WAIT), 0);
	hear_note(longest);
	free(longest);
	GIVES(say_note("past", bstream_after_ms(-1)), 0); /* nothing has to be waited for */
	GIVES(bstream_mailbox_recv(m, &msg, bstream_after_ms(-1)), 0);
	box_close();
}
END_TEST

START_TEST(wrong_arguments_are_found_first)
{
	struct bstream_options keep = BSTREAM_OPTIONS_INIT;
	char note[BSTREAM_NOTE_MAX + 1] = "";
	struct bstream_writer *none = NULL;

	keep.keep = BSTREAM_KEEP_READER;
	GIVES(bstream_mailbox_open("/m", &m), -EINVAL);
	GIVES(bstream_mailbox_open("", &m), -EINVAL);
	GIVES(bstream_send(".m", NULL, 0, NULL, BSTREAM_FOREVER), -EINVAL);
	GIVES(bstream_send("m", note, sizeof(note), NULL, BSTREAM_FOREVER), -EMSGSIZE);
	GIVES(bstream_send("m", NULL, 1, NULL, BSTREAM_FOREVER), -EINVAL);
	GIVES(bstream_connect("m m", "", 0, NULL, BSTREAM_FOREVER, &none), -EINVAL);
	GIVES(bstream_connect("m", note, sizeof(note), &keep, BSTREAM_FOREVER, &none), -EMSGSIZE);
	GIVES(bstream_connect("m", "", 0, &keep, BSTREAM_FOREVER, &none), -EINVAL);
	MUST(access(raw_socket_path(), F_OK) < 0); /* and nobody had to be asked */
	GIVES(bstream_wait("a b", BSTREAM_WAIT_MAILBOX, BSTREAM_FOREVER), -EINVAL);
	GIVES(bstream_send("m", NULL, 0, NULL, BSTREAM_FOREVER), -ENOENT);
	GIVES(bstream_connect("m", "", 0, NULL, BSTREAM_FOREVER, &none), -ENOENT);
	MUST(none == NULL && guard_n_mappings() == 0);
}
END_TEST

START_TEST(mailboxes_and_streams_have_names_of_their_own)
{
	GIVES(bstream_create("m", NULL), 0);
	GIVES(bstream_wait("m", BSTREAM_WAIT_MAILBOX, BSTREAM_DONT_WAIT), -ENOENT);
	GIVES(say_note("x", BSTREAM_FOREVER), -ENOENT);
	GIVES(bstream_mailbox_open("m", &m), 0);
	GIVES(bstream_remove("m"), 0);
	GIVES(bstream_wait("m", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT), -ENOENT);
	GIVES(bstream_open_writer("m", BSTREAM_DONT_WAIT, &w), -ENOENT);
	GIVES(bstream_wait("m", BSTREAM_WAIT_MAILBOX, BSTREAM_DONT_WAIT), 0);
	GIVES(say_note("x", BSTREAM_DONT_WAIT), 0);
	hear_note("x");
	box_close();
}
END_TEST

START_TEST(a_name_is_had_once_and_is_free_at_once)
{
	struct bstream_mailbox *other;
	struct guard_gate open;
	pid_t pid;

	guard_gate_init(&open);
	for (int i = 0; i < 20; i++) {
		GIVES(bstream_mailbox_open("m", &m), 0);
		GIVES(bstream_mailbox_open("m", &other), -EADDRINUSE);
		GIVES(say_note("not read", BSTREAM_DONT_WAIT), 0);
		box_close();
		GIVES(say_note("x", BSTREAM_FOREVER), -ENOENT);
		pid = guard_fork();
		if (pid == 0) {
			GIVES(bstream_mailbox_open("m", &m), 0);
			guard_gate_open(&open);
			bstream_mailbox_recv(m, &msg, BSTREAM_FOREVER);
			_exit(0);
		}
		guard_gate_pass(&open);
		GIVES(bstream_mailbox_open("m", &other), -EADDRINUSE);
		guard_kill(pid);
		if (i % 2)
			GIVES(say_note("x", BSTREAM_FOREVER), -ENOENT);
	}
	guard_gate_fini(&open);
}
END_TEST

static void *mailbox_comes(void *gate)
{
	guard_gate_pass(gate);
	GIVES(bstream_mailbox_open("late", &m), 0);
	return NULL;
}

START_TEST(waiting_for_a_mailbox)
{
	struct guard_gate go;
	pthread_t thread;

	guard_gate_init(&go);
	GIVES(bstream_wait("late", BSTREAM_WAIT_MAILBOX, BSTREAM_DONT_WAIT), -ENOENT);
	GIVES(bstream_wait("late", BSTREAM_WAIT_MAILBOX, bstream_after_ms(5)), -ETIMEDOUT);
	MUST(pthread_create(&thread, NULL, mailbox_comes, &go) == 0);
	guard_gate_open(&go);
	GIVES(bstream_wait("late", BSTREAM_WAIT_MAILBOX, guard_patience()), 0);
	pthread_join(thread, NULL);
	GIVES(bstream_wait("late", BSTREAM_WAIT_MAILBOX, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_wait("late", BSTREAM_WAIT_MAILBOX, bstream_after_ms(-1)), 0);
	box_close();
	guard_gate_fini(&go);
}
END_TEST

/* ---- room and order ------------------------------------------------------------------------- */

START_TEST(many_wait_for_their_receiver_and_the_poll_fd_says_so)
{
	char note[16];
	int fd;

	GIVES(bstream_mailbox_open("m", &m), 0);
	fd = bstream_mailbox_pollfd(m);
	MUST(fd >= 0 && !is_readable(fd));
	for (int i = 0; i < ROOM; i++) {
		snprintf(note, sizeof(note), "%d", i);
		GIVES(say_note(note, BSTREAM_DONT_WAIT), 0);
		MUST(is_readable(fd));
	}
	for (int i = 0; i < ROOM; i++) {
		MUST(is_readable(fd));
		snprintf(note, sizeof(note), "%d", i);
		hear_note(note);
	}
	MUST(!is_readable(fd));
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_mailbox_pollfd(m), fd);
	box_close();
}
END_TEST

START_TEST(a_full_mailbox_refuses_or_times_out_and_the_end_stays)
{
	int n;

	guard_pair(4, 0, &w, &r);
	SAY(w, "a");
	GIVES(bstream_mailbox_open("m", &m), 0);
	n = box_fill();
	GIVES(bstream_send("m", "x", 1, r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_send("m", "x", 1, r, bstream_after_ms(-1)), -ETIMEDOUT);
	GIVES(bstream_send("m", "x", 1, r, bstream_after_ms(20)), -ETIMEDOUT);
	for (int i = 0; i < 50; i++) /* the answer and the withdrawal cross */
		GIVES(bstream_send("m", "x", 1, r, bs_now() + 1000u * (unsigned)i), -ETIMEDOUT);
	HEAR(r, "a");
	SAY(w, "b");
	for (int i = 0; i < n; i++)
		hear_note("fill");
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_send("m", "x", 1, r, bstream_after_ms(-1)), 0);
	hear_note("x");
	HEAR(msg.reader, "b");
	bstream_reader_close(msg.reader);
	bstream_writer_close(w);
	box_close();
}
END_TEST

/* Messages that a sender withdraws as they are being accepted come, or do not, but as it was told. */
START_TEST(timed_out_means_not_delivered)
{
	enum { ROUNDS = 200 };
	int *n_sent = guard_shared_new(sizeof(*n_sent)), n_got = 0, n_filled;
	pid_t pid;

	GIVES(bstream_mailbox_open("m", &m), 0);
	n_filled = box_fill();
	pid = guard_fork();
	if (pid == 0) {
		for (int i = 0; i < ROUNDS; i++) {
			int rc = say_note("x", bs_now() + 20000u + 1000u * (unsigned)i);

			MUST(rc == 0 || rc == -ETIMEDOUT);
			*n_sent += rc == 0;
		}
		GIVES(say_note("end", guard_patience()), 0);
		_exit(0);
	}
	for (;;) {
		GIVES(bstream_mailbox_recv(m, &msg, guard_patience()), 0);
		if (strcmp(msg.note, "end") == 0)
			break;
		n_got++;
	}
	guard_reap(pid);
	GIVES(n_got, n_filled + *n_sent);
	guard_shared_free(n_sent, sizeof(*n_sent));
	box_close();
}
END_TEST

/* ---- an answer that comes as its sender gives up -------------------------------------------- */

static unsigned n_late; /* so many answers to come are heard too late, by a moment */
static time_t later; /* that much time has passed */

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	int rc = __real_clock_gettime(clock, t);

	if (clock == CLOCK_MONOTONIC)
		t->tv_sec += later;
	return rc;
}

int __real_ppoll(struct pollfd *p, nfds_t n, const struct timespec *t, const sigset_t *mask);
int __wrap_ppoll(struct pollfd *p, nfds_t n, const struct timespec *t, const sigset_t *mask);
int __wrap_ppoll(struct pollfd *p, nfds_t n, const struct timespec *t, const sigset_t *mask)
{
	if (n_late == 0)
		return __real_ppoll(p, n, t, mask);
	if (t != NULL && t->tv_sec == 0 && t->tv_nsec == 0) { /* the last look */
		n_late--;
		MUST(poll(p, n, -1) == 1);
	} else {
		later += 100;
	}
	return 0;
}

/* A broker that has answered in the moment after the sender's last look: the sender says what is true. */
START_TEST(an_answer_that_comes_too_late_is_heard_or_untrue)
{
	GIVES(bstream_mailbox_open("m", &m), 0);
	guard_pair(4, 0, &w, &r);
	GIVES(bstream_wait("m", BSTREAM_WAIT_MAILBOX, BSTREAM_DONT_WAIT), 0);
	n_late = _i / 2 > 0 ? 2 : 1; /* who waits asks for an answer, at the deadline */
	int rc = bstream_send("m", "late", 4, _i % 2 > 0 ? r : NULL,
			      _i / 2 > 0 ? guard_patience() : BSTREAM_DONT_WAIT);
	GIVES(n_late, 0);
	MUST(rc == 0 || rc == -ETIMEDOUT);
	GIVES(say_note("next", BSTREAM_DONT_WAIT), 0);
	if (rc == 0) {
		hear_note("late");
		if (_i % 2 > 0)
			r = msg.reader;
	}
	hear_note("next");
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	SAY(w, "whole");
	HEAR(r, "whole");
	bstream_reader_close(r);
	bstream_writer_close(w);
	box_close();
}
END_TEST

enum { SENDERS = 5, EACH = 60 };

static void sender_run(int sender, uint64_t deadline)
{
	int note[2] = { sender, 0 };

	for (note[1] = 0; note[1] < EACH; note[1]++)
		GIVES(bstream_send("m", note, sizeof(note), NULL, deadline), 0);
	_exit(0);
}

START_TEST(each_senders_order_is_kept_and_nobody_starves)
{
	int next[SENDERS] = { 0 }, note[2];
	pid_t pids[SENDERS];

	GIVES(bstream_mailbox_open("m", &m), 0);
	for (int i = 0; i < SENDERS; i++) {
		pids[i] = guard_fork();
		if (pids[i] == 0)
			sender_run(i, guard_patience());
	}
	for (int i = 0; i < SENDERS * EACH; i++) {
		GIVES(bstream_mailbox_recv(m, &msg, guard_patience()), 0);
		GIVES(msg.len, sizeof(note));
		memcpy(note, msg.note, sizeof(note));
		MUST(note[0] >= 0 && note[0] < SENDERS && msg.pid == pids[note[0]]);
		GIVES(note[1], next[note[0]]++);
	}
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	for (int i = 0; i < SENDERS; i++)
		guard_reap(pids[i]);
	box_close();
}
END_TEST

START_TEST(who_waits_for_room_is_served_in_the_order_of_arrival)
{
	char note[16];
	pid_t pids[SENDERS];
	int n;

	GIVES(bstream_mailbox_open("m", &m), 0);
	n = box_fill();
	for (int i = 0; i < SENDERS; i++) {
		snprintf(note, sizeof(note), "%d", i);
		pids[i] = guard_fork();
		if (pids[i] == 0) {
			GIVES(bstream_connect("m", note, strlen(note), NULL, guard_patience(), &w),
			      0);
			bstream_writer_close(w);
			_exit(0);
		}
		UNTIL(n_broker_ends() == i + 1); /* it is in line */
		GIVES(say_note("not before them", BSTREAM_DONT_WAIT), -EAGAIN);
	}
	for (int i = 0; i < n; i++)
		hear_note("fill");
	for (int i = 0; i < SENDERS; i++) {
		snprintf(note, sizeof(note), "%d", i);
		hear_note(note);
		bstream_reader_close(msg.reader);
		guard_reap(pids[i]);
	}
	box_close();
}
END_TEST

static void on_alarm(int sig)
{
	(void)sig;
}

START_TEST(a_signal_does_not_end_a_wait)
{
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { 0 };
	struct sigaction sa = { .sa_handler = on_alarm };

	GIVES(bstream_mailbox_open("m", &m), 0);
	alarm(0);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	GIVES(bstream_mailbox_recv(m, &msg, bstream_after_ms(50)), -ETIMEDOUT);
	box_fill();
	GIVES(say_note("x", bstream_after_ms(50)), -ETIMEDOUT);
	setitimer(ITIMER_REAL, &never, NULL);
	box_close();
}
END_TEST

/* ---- ends ----------------------------------------------------------------------------------- */

START_TEST(a_read_end_moves_with_its_chunks)
{
	const void *chunk;
	size_t len;
	int n_fds;

	GIVES(bstream_mailbox_open("m", &m), 0);
	guard_pair(4, 0, &w, &r);
	n_fds = guard_n_fds();
	SAY(w, "a");
	SAY(w, "b");
	HEAR(r, "a");
	GIVES(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), 1);
	GIVES(bstream_send("m", "take it", 7, r, BSTREAM_DONT_WAIT), 0);
	GIVES(guard_n_fds(), n_fds - 1);
	GIVES(guard_n_mappings(), 1);
	SAY(w, "c");
	hear_note("take it");
	HEAR(msg.reader, "b");
	HEAR(msg.reader, "c");
	bstream_writer_close(w);
	GIVES(guard_read(msg.reader, BSTREAM_DONT_WAIT), 0);
	bstream_reader_close(msg.reader);
	box_close();
}
END_TEST

START_TEST(a_named_streams_read_end_moves)
{
	GIVES(bstream_mailbox_open("m", &m), 0);
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	SAY(w, "a");
	GIVES(bstream_send("m", "s", 1, r, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), -EBUSY);
	hear_note("s");
	HEAR(msg.reader, "a");
	GIVES(bstream_reader_park(msg.reader), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	bstream_writer_close(w);
	GIVES(guard_read(r, guard_patience()), 0);
	bstream_reader_close(r);
	box_close();
}
END_TEST

static void serve(void)
{
	GIVES(bstream_mailbox_open("m", &m), 0);
	for (int i = 0; i < 3; i++) {
		GIVES(bstream_mailbox_recv(m, &msg, guard_patience()), 0);
		HEAR_IN_TIME(msg.reader, msg.note);
		GIVES(guard_read(msg.reader, guard_patience()), 0);
		bstream_reader_close(msg.reader);
	}
	box_close();
	_exit(0);
}

START_TEST(a_stream_is_opened_to_whoever_owns_a_mailbox)
{
	struct bstream_options small = BSTREAM_OPTIONS_INIT;
	const char *note[] = { "one", "two", "three" };
	pid_t pid = guard_fork();

	if (pid == 0)
		serve();
	small.capacity = 1;
	GIVES(bstream_wait("m", BSTREAM_WAIT_MAILBOX, guard_patience()), 0);
	for (int i = 0; i < 3; i++) {
		GIVES(bstream_connect("m", note[i], strlen(note[i]), i ? NULL : &small,
				      guard_patience(), &w),
		      0);
		SAY(w, note[i]);
		GIVES(bstream_drain(w, guard_patience()), 0);
		bstream_writer_close(w);
	}
	guard_reap(pid);
}
END_TEST

START_TEST(a_message_whose_sender_took_its_end_back_never_came)
{
	int fd, copy;

	GIVES(bstream_mailbox_open("m", &m), 0);
	guard_pair(4, 0, &w, &r);
	fd = bstream_reader_detach(r);
	copy = dup(fd);
	GIVES(bstream_reader_attach(fd, &r), 0);
	GIVES(bstream_send("m", "lie", 3, r, BSTREAM_DONT_WAIT), 0);
	GIVES(say_note("truth", BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_reader_attach(copy, &r), 0); /* of all who have a copy one can */
	hear_note("truth");
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	SAY(w, "a");
	HEAR(r, "a");
	bstream_reader_close(r);
	bstream_writer_close(w);
	box_close();
}
END_TEST

/* Its sender, who was not told that it is queued, has sent the end on, to somebody who has not got it
 * yet: the first message is none any more. */
START_TEST(a_message_does_not_take_an_end_that_is_on_its_way_elsewhere)
{
	int fd, copy;

	GIVES(bstream_mailbox_open("m", &m), 0);
	guard_pair(4, 0, &w, &r);
	fd = bstream_reader_detach(r);
	copy = dup(fd);
	GIVES(bstream_reader_attach(fd, &r), 0);
	GIVES(bstream_send("m", "lie", 3, r, BSTREAM_DONT_WAIT), 0);
	GIVES(say_note("truth", BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_reader_attach(copy, &r), 0);
	fd = bstream_reader_detach(r);
	hear_note("truth");
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_reader_attach(fd, &r), 0);
	SAY(w, "a");
	HEAR(r, "a");
	bstream_reader_close(r);
	bstream_writer_close(w);
	box_close();
}
END_TEST

#ifndef GUARD_TSAN /* it needs memory of its own, and ends where there is none */
/* The message has left the socket, and its end cannot be mapped: it waits in the handle. */
START_TEST(without_memory_the_message_stays_and_the_poll_fd_says_so)
{
	struct rlimit old, none;
	pid_t pid;
	int fd;

	GIVES(bstream_mailbox_open("m", &m), 0);
	fd = _i > 0 ? -1 : bstream_mailbox_pollfd(m);
	pid = guard_fork(); /* a stream that is mapped here already need not be mapped again */
	if (pid == 0) {
		GIVES(bstream_connect("m", "one", 3, NULL, BSTREAM_DONT_WAIT, &w), 0);
		SAY(w, "a");
		bstream_writer_close(w);
		_exit(0);
	}
	guard_reap(pid);
	GIVES(getrlimit(RLIMIT_AS, &old), 0);
	none = old;
	none.rlim_cur = 1 << 20; /* less than there is already */
	GIVES(setrlimit(RLIMIT_AS, &none), 0);
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -ENOMEM);
	GIVES(setrlimit(RLIMIT_AS, &old), 0);
	if (_i > 0)
		fd = bstream_mailbox_pollfd(m);
	MUST(is_readable(fd));
	hear_note("one");
	HEAR(msg.reader, "a");
	MUST(!is_readable(fd));
	bstream_reader_close(msg.reader);
	box_close();
}
END_TEST
#endif

START_TEST(without_a_free_descriptor_the_message_stays)
{
	struct raw_famine famine;
	int fd;

	GIVES(bstream_mailbox_open("m", &m), 0);
	fd = bstream_mailbox_pollfd(m);
	GIVES(bstream_connect("m", "one", 3, NULL, BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	raw_famine_begin(&famine, 0);
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EMFILE);
	MUST(is_readable(fd));
	GIVES(bstream_mailbox_recv(m, &msg, guard_patience()), -EMFILE);
	raw_famine_end(&famine);
	hear_note("one");
	HEAR(msg.reader, "a");
	MUST(!is_readable(fd));
	bstream_reader_close(msg.reader);
	bstream_writer_close(w);
	box_close();
}
END_TEST

/* No descriptor is free but 0, 1 and 2, where an end has no business. */
START_TEST(with_only_the_standard_descriptors_free_the_message_stays)
{
	struct raw_famine famine;
	int saved[3], fd, rc;

	GIVES(bstream_mailbox_open("m", &m), 0);
	fd = bstream_mailbox_pollfd(m);
	GIVES(bstream_connect("m", "one", 3, NULL, BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	raw_famine_begin(&famine, 3);
	raw_standard_away(saved);
	rc = bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT);
	raw_standard_back(saved);
	GIVES(rc, -EMFILE);
	MUST(is_readable(fd));
	hear_note("one"); /* it needs but one */
	raw_famine_end(&famine);
	HEAR(msg.reader, "a");
	MUST(!is_readable(fd));
	bstream_reader_close(msg.reader);
	bstream_writer_close(w);
	box_close();
}
END_TEST

/* A read end of which a copy stays here: the kernel counts it as held whoever dies, so that its
 * writers are told only if somebody receives it and gives it up. */
static int end_with_a_copy(void)
{
	int fd, copy;

	guard_pair(4, 0, &w, &r);
	fd = bstream_reader_detach(r);
	MUST(fd >= 0);
	copy = dup(fd);
	MUST(copy >= 0);
	GIVES(bstream_reader_attach(fd, &r), 0);
	return copy;
}

static void fill_up(struct bstream_writer *writer)
{
	while (bstream_write(writer, "x", 1, BSTREAM_DONT_WAIT) == 0)
		;
}

static void *writer_blocks(void *writer)
{
	GIVES(bstream_write(writer, "x", 1, guard_patience()), -EPIPE);
	return NULL;
}

START_TEST(close_tells_the_writers_of_what_it_had_not_received)
{
	pthread_t thread;
	struct bstream_writer *x;
	int copy = end_with_a_copy();

	GIVES(bstream_mailbox_open("m", &m), 0);
	GIVES(say_note("first", BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_send("m", "", 0, r, BSTREAM_DONT_WAIT), 0);
	if (_i > 0) /* the bell is out of the socket */
		hear_note("first");
	GIVES(bstream_writer_clone(w, &x), 0);
	fill_up(w);
	MUST(pthread_create(&thread, NULL, writer_blocks, w) == 0);
	box_close();
	GIVES(bstream_write(x, "x", 1, BSTREAM_DONT_WAIT),
	      -EPIPE); /* at once, and its reader is gone */
	pthread_join(thread, NULL);
	close(copy);
	bstream_writer_close(w);
	bstream_writer_close(x);
}
END_TEST

static pid_t owner_start(struct guard_gate *open)
{
	pid_t pid = guard_fork();

	if (pid == 0) {
		GIVES(bstream_mailbox_open("m", &m), 0);
		guard_gate_open(open);
		for (;;)
			pause();
	}
	guard_gate_pass(open);
	return pid;
}

START_TEST(the_death_of_the_owner_tells_the_writers)
{
	struct guard_gate open;
	pthread_t thread;
	int copy, n_fds;
	pid_t pid;

	guard_gate_init(&open);
	GIVES(bstream_broker_start(), 0);
	n_fds = n_broker_fds();
	pid = owner_start(&open);
	copy = end_with_a_copy();
	GIVES(bstream_send("m", "", 0, r, BSTREAM_DONT_WAIT), 0);
	fill_up(w);
	MUST(pthread_create(&thread, NULL, writer_blocks, w) == 0);
	guard_kill(pid);
	pthread_join(thread, NULL);
	close(copy);
	bstream_writer_close(w);
	UNTIL(n_broker_fds() <= n_fds && n_broker_ends() == 0);
	guard_gate_fini(&open);
}
END_TEST

/* In spite of a copy of the end, whose lock would keep the stream. */
START_TEST(a_named_stream_whose_read_end_was_queued_is_collected)
{
	struct guard_gate open;
	int fd, copy;
	pid_t pid;

	guard_gate_init(&open);
	pid = owner_start(&open);
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	fd = bstream_reader_detach(r);
	copy = dup(fd);
	GIVES(bstream_reader_attach(fd, &r), 0);
	GIVES(bstream_send("m", "", 0, r, BSTREAM_DONT_WAIT), 0);
	guard_kill(pid);
	fill_up(w);
	GIVES(bstream_write(w, "x", 1, guard_patience()), -EPIPE);
	bstream_writer_close(w);
	UNTIL(bstream_wait("s", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT) == -ENOENT);
	UNTIL(guard_n_segments() == 0);
	close(copy);
	guard_gate_fini(&open);
}
END_TEST

/* It sends its own mailbox the read end of a stream that it writes to itself, and dies. */
START_TEST(an_owner_who_is_the_writer_leaks_nothing)
{
	struct guard_gate ready;
	int n_fds;
	pid_t pid;

	GIVES(bstream_broker_start(), 0);
	n_fds = n_broker_fds();
	guard_gate_init(&ready);
	pid = guard_fork();
	if (pid == 0) {
		GIVES(bstream_mailbox_open("m", &m), 0);
		for (int i = 0; i < ROOM; i++)
			GIVES(bstream_connect("m", "", 0, NULL, BSTREAM_DONT_WAIT, &w), 0);
		GIVES(bstream_create("s", NULL), 0);
		GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), 0);
		GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
		GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
		GIVES(bstream_send("m", "", 0, r, BSTREAM_DONT_WAIT), 0);
		guard_gate_open(&ready);
		for (;;)
			pause();
	}
	guard_gate_pass(&ready);
	MUST(n_broker_ends() >= ROOM - 1);
	guard_kill(pid);
	UNTIL(n_broker_fds() <= n_fds && n_broker_ends() == 0);
	UNTIL(guard_n_segments() == 0);
	guard_gate_fini(&ready);
}
END_TEST

START_TEST(a_message_outlives_its_sender)
{
	pid_t pid;

	GIVES(bstream_mailbox_open("m", &m), 0);
	guard_pair(4, 0, &w, &r);
	SAY(w, "a");
	int fd = bstream_reader_detach(r);
	pid = guard_fork();
	if (pid == 0) {
		GIVES(bstream_reader_attach(fd, &r), 0);
		GIVES(bstream_send("m", "left", 4, r, BSTREAM_DONT_WAIT), 0);
		kill(getpid(), SIGKILL);
	}
	close(fd);
	MUST(waitpid(pid, NULL, 0) == pid);
	SAY(w, "b");
	hear_note("left");
	MUST(msg.pid == pid);
	HEAR(msg.reader, "a");
	HEAR(msg.reader, "b");
	bstream_reader_close(msg.reader);
	bstream_writer_close(w);
	box_close();
}
END_TEST

START_TEST(a_sender_that_dies_waiting_has_not_sent)
{
	int copy, fd, n;
	pid_t pid;

	GIVES(bstream_mailbox_open("m", &m), 0);
	n = box_fill();
	copy = end_with_a_copy();
	fd = bstream_reader_detach(r);
	pid = guard_fork();
	if (pid == 0) {
		close(copy);
		GIVES(bstream_reader_attach(fd, &r), 0);
		bstream_send("m", "x", 1, r, BSTREAM_FOREVER);
		_exit(1);
	}
	close(fd);
	UNTIL(n_broker_ends() == 1);
	guard_kill(pid);
	fill_up(w);
	GIVES(bstream_write(w, "x", 1, guard_patience()), -EPIPE); /* in spite of the copy */
	close(copy);
	for (int i = 0; i < n; i++)
		hear_note("fill");
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	bstream_writer_close(w);
	box_close();
}
END_TEST

static void *sender_waits(void *want)
{
	GIVES(bstream_send("m", "x", 1, r, guard_patience()), *(int *)want);
	return NULL;
}

/* A sender that waits, in a thread; returns when it does. */
static void sender_start(pthread_t *thread, int *want)
{
	MUST(pthread_create(thread, NULL, sender_waits, want) == 0);
	UNTIL(n_broker_ends() == 1);
}

START_TEST(a_mailbox_that_goes_is_told_to_who_waits_for_room)
{
	int want = -ENOENT;
	pthread_t thread;

	GIVES(bstream_mailbox_open("m", &m), 0);
	box_fill();
	guard_pair(4, 0, &w, &r);
	sender_start(&thread, &want);
	box_close();
	pthread_join(thread, NULL);
	SAY(w, "a");
	HEAR(r, "a"); /* the end is the sender's, whole */
	bstream_reader_close(r);
	bstream_writer_close(w);
}
END_TEST

/* ---- the broker goes ------------------------------------------------------------------------ */

static void *owner_serves(void *arg)
{
	(void)arg;
	do
		GIVES(bstream_mailbox_recv(m, &msg, guard_patience()), 0);
	while (strcmp(msg.note, "end") != 0);
	return NULL;
}

START_TEST(a_mailbox_survives_the_broker)
{
	pthread_t thread;

	GIVES(bstream_mailbox_open("m", &m), 0);
	MUST(pthread_create(&thread, NULL, owner_serves, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		GIVES(say_note("x", guard_patience()), 0);
		raw_broker_kill();
		GIVES(bstream_wait("m", BSTREAM_WAIT_MAILBOX, guard_patience()), 0);
	}
	GIVES(bstream_broker_stop(), 0);
	GIVES(bstream_wait("m", BSTREAM_WAIT_MAILBOX, guard_patience()), 0);
	GIVES(say_note("end", guard_patience()), 0);
	pthread_join(thread, NULL);
	box_close();
}
END_TEST

START_TEST(the_poll_fd_tells_of_the_brokers_death_and_stays)
{
	int fd;

	GIVES(bstream_mailbox_open("m", &m), 0);
	fd = bstream_mailbox_pollfd(m);
	MUST(!is_readable(fd));
	raw_broker_kill();
	MUST(is_readable(fd));
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	MUST(!is_readable(fd));
	GIVES(bstream_mailbox_pollfd(m), fd);
	GIVES(say_note("x", BSTREAM_DONT_WAIT), 0);
	MUST(is_readable(fd));
	raw_broker_kill(); /* with the bell in the socket */
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(say_note("y", BSTREAM_DONT_WAIT), 0);
	hear_note("y");
	MUST(!is_readable(fd));
	box_close();
}
END_TEST

START_TEST(what_was_queued_in_a_dead_broker_is_told_to_its_writers)
{
	struct bstream_writer *named;

	GIVES(bstream_mailbox_open("m", &m), 0);
	GIVES(bstream_connect("m", "", 0, NULL, BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &named), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_send("m", "", 0, r, BSTREAM_DONT_WAIT), 0);
	if (_i == 0)
		raw_broker_kill();
	else
		GIVES(bstream_broker_stop(), 0);
	fill_up(w);
	fill_up(named);
	GIVES(bstream_write(w, "x", 1, guard_patience()), -EPIPE);
	GIVES(bstream_write(named, "x", 1, guard_patience()), -EPIPE);
	bstream_writer_close(w);
	bstream_writer_close(named);
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	box_close();
	GIVES(bstream_wait("s", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT), -ENOENT);
}
END_TEST

START_TEST(who_waits_for_room_asks_the_next_broker)
{
	pthread_t thread;
	int want = 0;

	GIVES(bstream_mailbox_open("m", &m), 0);
	box_fill();
	guard_pair(4, 0, &w, &r);
	SAY(w, "a");
	sender_start(&thread, &want);
	if (_i == 0)
		raw_broker_kill();
	else
		GIVES(bstream_broker_stop(), 0);
	GIVES(bstream_mailbox_recv(m, &msg, guard_patience()), 0);
	GIVES(msg.len, 1);
	pthread_join(thread, NULL);
	HEAR(msg.reader, "a");
	bstream_reader_close(msg.reader);
	bstream_writer_close(w);
	box_close();
}
END_TEST

START_TEST(a_name_that_another_has_by_then_is_said_to_be_taken)
{
	struct bstream_mailbox *other;
	int fd;

	GIVES(bstream_mailbox_open("m", &m), 0);
	fd = bstream_mailbox_pollfd(m);
	raw_broker_kill();
	GIVES(bstream_mailbox_open("m", &other), 0);
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EADDRINUSE);
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_FOREVER), -EADDRINUSE);
	GIVES(bstream_mailbox_pollfd(m), fd);
	bstream_mailbox_close(other);
	UNTIL(is_readable(fd));
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(say_note("x", BSTREAM_DONT_WAIT), 0);
	MUST(is_readable(fd));
	hear_note("x");
	box_close();
}
END_TEST

/* Nobody comes to this one: what was waited for is told by the broker's age. */
START_TEST(a_young_broker_is_given_time_to_hear_of_the_mailbox)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	GIVES(bstream_mailbox_open("m", &m), 0);
	raw_broker_kill();
	GIVES(bstream_broker_start(), 0);
	GIVES(say_note("x", BSTREAM_DONT_WAIT), -ENOENT);
	GIVES(say_note("x", bstream_after_ms(-1)), -ENOENT);
	GIVES(say_note("x", bstream_after_ms(1)), -ENOENT);
	GIVES(say_note("x", BSTREAM_FOREVER), -ENOENT);
	GIVES(bstream_broker_stat(&stat), 0);
	MUST(stat.uptime_ns >= BS_MS(1000));
	GIVES(say_note("x", BSTREAM_FOREVER), -ENOENT);
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(say_note("x", BSTREAM_FOREVER), 0);
	hear_note("x");
	box_close();
}
END_TEST

START_TEST(a_message_reaches_an_owner_who_finds_the_next_broker_later)
{
	enum { ROUNDS = 10 };
	int n_sent = 0;
	pthread_t thread;

	GIVES(bstream_mailbox_open("m", &m), 0);
	MUST(pthread_create(&thread, NULL, owner_serves, NULL) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		raw_broker_kill();
		int rc = say_note("x", guard_patience());

		MUST(rc == 0 || rc == -ENOENT); /* he took longer than a second */
		n_sent += rc == 0;
		GIVES(bstream_wait("m", BSTREAM_WAIT_MAILBOX, guard_patience()), 0);
	}
	MUST(n_sent > ROUNDS / 2);
	GIVES(say_note("end", guard_patience()), 0);
	pthread_join(thread, NULL);
	box_close();
}
END_TEST

START_TEST(the_poll_fd_says_when_to_look_for_a_broker_again)
{
	int fd;

	GIVES(bstream_mailbox_open("m", &m), 0);
	fd = bstream_mailbox_pollfd(m);
	GIVES(bstream_broker_use(NULL, BSTREAM_NO_START), 0);
	raw_broker_kill();
	for (int i = 0; i < 4; i++) {
		UNTIL(is_readable(fd));
		GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -ECONNREFUSED);
	}
	GIVES(bstream_broker_use(NULL, 0), 0);
	GIVES(bstream_broker_start(), 0);
	UNTIL(is_readable(fd));
	MUST(is_readable(fd)); /* until somebody tries */
	GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_DONT_WAIT), -EAGAIN);
	MUST(!is_readable(fd));
	GIVES(say_note("x", BSTREAM_DONT_WAIT), 0);
	MUST(is_readable(fd));
	hear_note("x");
	MUST(!is_readable(fd));
	box_close();
}
END_TEST

START_TEST(closing_after_the_broker_went_starts_none)
{
	GIVES(bstream_mailbox_open("m", &m), 0);
	GIVES(bstream_connect("m", "", 0, NULL, BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_broker_stop(), 0);
	box_close();
	MUST(access(raw_socket_path(), F_OK) < 0);
	GIVES(bstream_write(w, "x", 1, guard_patience()), -EPIPE);
	bstream_writer_close(w);
}
END_TEST

START_TEST(a_broker_with_a_mailbox_does_not_leave)
{
	int pidfd;
	pid_t pid;

	/* A stream keeps the broker there until it has the mailbox. */
	GIVES(bstream_create("held", NULL), 0);
	raw_broker_kill();
	pid = raw_broker_start("--idle-timeout", "1");
	pidfd = pidfd_open(pid, 0);
	GIVES(bstream_mailbox_open("m", &m), 0);
	GIVES(bstream_remove("held"), 0);
	GIVES(bstream_connect("m", "", 0, NULL, BSTREAM_DONT_WAIT, &w), 0);
	MUST(!raw_await_end(pidfd, 2500)); /* time itself: it would have left */
	box_close();
	bstream_writer_close(w);
	MUST(raw_await_end(pidfd, 10000 * (int)guard_slowness()));
	guard_reap(pid);
	close(pidfd);
}
END_TEST

/* ---- fork ----------------------------------------------------------------------------------- */

START_TEST(a_forked_child_has_no_mailbox)
{
	int n_fds = guard_n_fds();
	pid_t pid;

	GIVES(bstream_mailbox_open("m", &m), 0);
	MUST(bstream_mailbox_pollfd(m) >= 0);
	GIVES(say_note("x", BSTREAM_DONT_WAIT), 0);
	guard_pair(4, 0, &w, &r);
	pid = guard_fork();
	if (pid == 0) {
		GIVES(bstream_mailbox_recv(m, &msg, BSTREAM_FOREVER), -ESTALE);
		GIVES(bstream_mailbox_pollfd(m), -ESTALE);
		GIVES(bstream_send("m", "", 0, r, BSTREAM_FOREVER), -ESTALE);
		GIVES(guard_n_fds(), n_fds);
		box_close();
		GIVES(bstream_mailbox_open("m", &m), -EADDRINUSE);
		GIVES(bstream_mailbox_open("child", &m), 0);
		GIVES(say_note("y", BSTREAM_DONT_WAIT), 0);
		box_close();
		_exit(0);
	}
	guard_reap(pid);
	hear_note("x");
	hear_note("y");
	bstream_reader_close(r);
	bstream_writer_close(w);
	box_close();
}
END_TEST

START_TEST(a_child_does_not_keep_its_dead_parents_mailbox)
{
	struct guard_gate ready, done;
	pid_t pid;

	guard_gate_init(&ready);
	guard_gate_init(&done);
	pid = guard_fork();
	if (pid == 0) {
		GIVES(bstream_mailbox_open("m", &m), 0);
		if (fork() == 0) {
			guard_gate_open(&ready);
			guard_gate_pass(&done);
			guard_gate_open(&ready);
			_exit(0);
		}
		pause();
	}
	guard_gate_pass(&ready);
	guard_kill(pid);
	GIVES(bstream_mailbox_open("m", &m), 0);
	box_close();
	guard_gate_open(&done);
	guard_gate_pass(&ready);
	guard_gate_fini(&ready);
	guard_gate_fini(&done);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_note_arrives_and_who_sent_it),
		ONCE(wrong_arguments_are_found_first),
		ONCE(mailboxes_and_streams_have_names_of_their_own),
		ONCE(a_name_is_had_once_and_is_free_at_once),
		ONCE(waiting_for_a_mailbox),
		ONCE(many_wait_for_their_receiver_and_the_poll_fd_says_so),
		ONCE(a_full_mailbox_refuses_or_times_out_and_the_end_stays),
		ONCE(timed_out_means_not_delivered),
		N_WAYS(an_answer_that_comes_too_late_is_heard_or_untrue, 4),
		ONCE(each_senders_order_is_kept_and_nobody_starves),
		ONCE(who_waits_for_room_is_served_in_the_order_of_arrival),
		ONCE(a_signal_does_not_end_a_wait),
		ONCE(a_read_end_moves_with_its_chunks),
		ONCE(a_named_streams_read_end_moves),
		ONCE(a_stream_is_opened_to_whoever_owns_a_mailbox),
		ONCE(a_message_whose_sender_took_its_end_back_never_came),
		ONCE(a_message_does_not_take_an_end_that_is_on_its_way_elsewhere),
		ONCE(without_a_free_descriptor_the_message_stays),
		ONCE(with_only_the_standard_descriptors_free_the_message_stays),
#ifndef GUARD_TSAN
		N_WAYS(without_memory_the_message_stays_and_the_poll_fd_says_so, 2),
#endif
		N_WAYS(close_tells_the_writers_of_what_it_had_not_received, 2),
		ONCE(the_death_of_the_owner_tells_the_writers),
		ONCE(a_named_stream_whose_read_end_was_queued_is_collected),
		ONCE(an_owner_who_is_the_writer_leaks_nothing),
		ONCE(a_message_outlives_its_sender),
		ONCE(a_sender_that_dies_waiting_has_not_sent),
		ONCE(a_mailbox_that_goes_is_told_to_who_waits_for_room),
		ONCE(a_mailbox_survives_the_broker),
		ONCE(the_poll_fd_tells_of_the_brokers_death_and_stays),
		N_WAYS(what_was_queued_in_a_dead_broker_is_told_to_its_writers, 2),
		N_WAYS(who_waits_for_room_asks_the_next_broker, 2),
		ONCE(a_name_that_another_has_by_then_is_said_to_be_taken),
		ONCE(a_young_broker_is_given_time_to_hear_of_the_mailbox),
		ONCE(a_message_reaches_an_owner_who_finds_the_next_broker_later),
		ONCE(the_poll_fd_says_when_to_look_for_a_broker_again),
		ONCE(closing_after_the_broker_went_starts_none),
		ONCE(a_broker_with_a_mailbox_does_not_leave),
		ONCE(a_forked_child_has_no_mailbox),
		ONCE(a_child_does_not_keep_its_dead_parents_mailbox),
	};

	guard_need_broker();
	return GUARD_RUN("mailbox", cases);
}
