/* SPDX-License-Identifier: MIT */
/* check_pollfd.c - descriptors for event loops: readable whenever a call would not be refused, and
 * exact again once one was. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/handle.h"
#include "proto/end.h"
#include "tests/guard.h"

static struct bstream_writer *w, *x;
static struct bstream_reader *r;

static void close_all(void)
{
	bstream_writer_close(w);
	bstream_writer_close(x);
	bstream_reader_close(r);
	w = x = NULL;
	r = NULL;
}

/* ---- the kernel's limits, on demand --------------------------------------------------------- */

static int no_instance, no_watch; /* an errno, or 0 */
static _Thread_local void (*on_watch)(void); /* just before this thread adds a watch; once */

int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);
int __wrap_inotify_init1(int flags)
{
	if (no_instance == 0)
		return __real_inotify_init1(flags);
	errno = no_instance;
	return -1;
}

int __real_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	void (*fn)(void) = on_watch;

	on_watch = NULL;
	if (fn != NULL)
		fn();
	if (no_watch == 0)
		return __real_inotify_add_watch(fd, path, mask);
	errno = no_watch;
	return -1;
}

/* The looks that the timer makes for ends on their way out would hide an event that was missed. */
static bool no_looks;

int __real_timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old)
{
	if (no_looks && (to->it_value.tv_sec != 0 || to->it_value.tv_nsec > 1))
		return 0;
	return __real_timerfd_settime(fd, flags, to, old);
}

/* ---- polling -------------------------------------------------------------------------------- */

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n = poll(&p, 1, 0);

	MUST(n == 0 || p.revents == POLLIN);
	return n == 1;
}

/* It becomes readable; not to is to hang. */
static void await(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t end = guard_patience();
	int n;

	do
		n = poll(&p, 1, 1000);
	while (n <= 0 && bs_now() < end);
	if (n != 1)
		guard_fail(__FILE__, __LINE__, "the descriptor never became readable");
}

/* Refused, and not readable then. More than once where the library looks for an end that has gone. */
#define READ_IS_REFUSED(fd) UNTIL(guard_read(r, BSTREAM_DONT_WAIT) == -EAGAIN && !readable(fd))
#define WRITE_IS_REFUSED(writer, fd) \
	UNTIL(bstream_write((writer), "no", 2, BSTREAM_DONT_WAIT) == -EAGAIN && !readable(fd))

static int reader_fd(void)
{
	int fd = bstream_reader_pollfd(r);

	MUST(fd > 2);
	GIVES(bstream_reader_pollfd(r), fd);
	return fd;
}

static int writer_fd(struct bstream_writer *writer)
{
	int fd = bstream_writer_pollfd(writer);

	MUST(fd > 2);
	GIVES(bstream_writer_pollfd(writer), fd);
	return fd;
}

/* Read by polling only. What a read gives that is not a refusal. */
static int read_polling(int fd, struct bstream_reader *reader)
{
	int rc;

	while ((rc = guard_read(reader, BSTREAM_DONT_WAIT)) == -EAGAIN)
		await(fd);
	return rc;
}

static int write_polling(int fd, struct bstream_writer *writer, const void *buf, size_t len)
{
	int rc;

	while ((rc = bstream_write(writer, buf, len, BSTREAM_DONT_WAIT)) == -EAGAIN)
		await(fd);
	return rc;
}

/* ---- reading -------------------------------------------------------------------------------- */

START_TEST(a_chunk_that_was_there_before_makes_it_readable)
{
	guard_pair(4, 0, &w, &r);
	SAY(w, "early");
	int fd = reader_fd();
	MUST(readable(fd));
	HEAR(r, "early");
	READ_IS_REFUSED(fd);
	close_all();
}
END_TEST

START_TEST(an_empty_stream_is_not_readable)
{
	guard_pair(4, 0, &w, &r);
	int fd = reader_fd();
	READ_IS_REFUSED(fd);
	close_all();
}
END_TEST

START_TEST(it_is_readable_from_the_first_chunk_to_the_last)
{
	guard_pair(4, 0, &w, &r);
	int fd = reader_fd();
	for (int round = 0; round < 20; round++) {
		READ_IS_REFUSED(fd);
		for (int i = 0; i < 4; i++)
			SAY(w, "chunk");
		for (int i = 0; i < 4; i++) {
			MUST(readable(fd));
			HEAR(r, "chunk");
		}
	}
	READ_IS_REFUSED(fd);
	close_all();
}
END_TEST

START_TEST(only_the_first_chunk_after_a_refusal_makes_an_event)
{
	guard_pair(4, 0, &w, &r);
	struct bs_items *items = &r->g->items;
	MUST(figure_load(&items->poll) == 0); /* free for those who never ask */
	SAY(w, "one");
	HEAR(r, "one");
	int fd = reader_fd();
	READ_IS_REFUSED(fd);
	MUST(hint_look(&items->wake_at) != 0 && figure_load(&items->poll) == 1);
	SAY(w, "two");
	MUST(hint_look(&items->wake_at) == 0 && figure_load(&items->poll) == 0);
	SAY(w, "three");
	HEAR(r, "two");
	HEAR(r, "three");
	MUST(hint_look(&items->wake_at) == 0 && readable(fd));
	close_all();
}
END_TEST

START_TEST(a_peeked_chunk_keeps_it_readable)
{
	const void *chunk;
	size_t len;

	guard_pair(4, 0, &w, &r);
	int fd = reader_fd();
	READ_IS_REFUSED(fd);
	SAY(w, "one");
	GIVES(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), 1);
	GIVES(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), 1);
	MUST(readable(fd));
	GIVES(bstream_release(r), 0);
	READ_IS_REFUSED(fd);
	close_all();
}
END_TEST

START_TEST(a_chunk_too_large_keeps_it_readable)
{
	char small[2];
	size_t len;

	guard_pair(4, 0, &w, &r);
	int fd = reader_fd();
	READ_IS_REFUSED(fd);
	SAY(w, "large");
	GIVES(bstream_read(r, small, sizeof(small), &len, BSTREAM_DONT_WAIT), -EMSGSIZE);
	MUST(readable(fd));
	close_all();
}
END_TEST

START_TEST(a_cancelled_chunk_is_a_refusal_more)
{
	void *span;

	guard_pair(4, 0, &w, &r);
	int fd = reader_fd();
	READ_IS_REFUSED(fd);
	GIVES(bstream_reserve(w, 8, &span, BSTREAM_DONT_WAIT), 0);
	READ_IS_REFUSED(fd);
	bstream_cancel(w);
	MUST(readable(fd));
	READ_IS_REFUSED(fd);
	GIVES(bstream_reserve(w, 8, &span, BSTREAM_DONT_WAIT), 0);
	memcpy(span, "reserved", 8);
	GIVES(bstream_commit(w, 8), 0);
	MUST(readable(fd));
	HEAR(r, "reserved");
	close_all();
}
END_TEST

START_TEST(a_call_that_sleeps_leaves_it_readable_and_right)
{
	guard_pair(4, 0, &w, &r);
	int fd = reader_fd();
	for (int round = 0; round < 5; round++) {
		READ_IS_REFUSED(fd);
		GIVES(guard_read(r, bstream_after_ms(2)), -ETIMEDOUT);
		SAY(w, "one");
		MUST(readable(fd));
		GIVES(guard_read(r, BSTREAM_FOREVER), 1);
		READ_IS_REFUSED(fd);
	}
	close_all();
}
END_TEST

/* One party sleeps, the other writes; then the first polls. The sleep must take no event with it. */
static void write_two(struct bstream_writer *writer, void *arg)
{
	struct bs_segment *g = writer->g;

	(void)arg;
	UNTIL(figure_load(&g->reader.waits_for) == BS_WAITS_ITEMS);
	SAY(writer, "one");
	UNTIL(head_look(g) == 1);
	SAY(writer, "two");
	UNTIL(head_look(g) == 2);
	bstream_writer_close(writer);
}

START_TEST(sleeping_and_polling_can_take_turns)
{
	struct guard_peer peer;

	no_looks = true;
	guard_pair(4, 0, &w, &r);
	int fd = reader_fd();
	READ_IS_REFUSED(fd);
	guard_writer_away(&peer, (enum guard_way)_i, w, write_two, NULL);
	w = NULL;
	GIVES(guard_read(r, BSTREAM_FOREVER), 1);
	await(fd); /* the sleep took the flag that would have told */
	GIVES(read_polling(fd, r), 1);
	GIVES(read_polling(fd, r), 0);
	guard_join(&peer);
	close_all();
}
END_TEST

/* ---- ends and deaths ------------------------------------------------------------------------ */

START_TEST(the_end_is_readable_for_ever)
{
	guard_pair(4, 0, &w, &r);
	int fd = reader_fd();
	READ_IS_REFUSED(fd);
	SAY(w, "last");
	bstream_writer_close(w);
	w = NULL;
	MUST(readable(fd));
	HEAR(r, "last");
	for (int i = 0; i < 3; i++) {
		MUST(readable(fd));
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	}
	MUST(readable(fd));
	close_all();
}
END_TEST

START_TEST(an_end_that_was_told_before_is_readable)
{
	guard_pair(4, 0, &w, &r);
	bstream_writer_close(w);
	w = NULL;
	if (_i == 1)
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	int fd = reader_fd();
	MUST(readable(fd));
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	MUST(readable(fd));
	close_all();
}
END_TEST

static void die(struct bstream_writer *writer, void *arg)
{
	(void)arg;
	SAY(writer, "last words");
	raise(SIGKILL);
}

/* A child that has the write end, and is killed. */
static pid_t writer_child(struct bstream_writer *writer, guard_writer_fn *fn)
{
	int fd = bstream_writer_detach(writer);

	MUST(fd >= 0);
	pid_t pid = guard_fork();
	if (pid == 0) {
		struct bstream_writer *mine;

		GIVES(bstream_writer_attach(fd, &mine), 0);
		fn(mine, NULL);
		_exit(0);
	}
	close(fd);
	return pid;
}

START_TEST(a_killed_writer_is_heard_of_without_a_broker)
{
	for (int round = 0; round < 30; round++) {
		guard_pair(4, 0, &w, &r);
		int fd = reader_fd();
		READ_IS_REFUSED(fd);
		pid_t pid = writer_child(w, die);
		w = NULL;
		GIVES(read_polling(fd, r), 1);
		GIVES(read_polling(fd, r), -ECONNRESET);
		MUST(readable(fd));
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), -ECONNRESET);
		MUST(readable(fd));
		guard_kill(pid);
		close_all();
	}
}
END_TEST

static void claim_and_die(struct bstream_writer *writer, void *arg)
{
	void *span;

	(void)arg;
	GIVES(bstream_reserve(writer, 8, &span, BSTREAM_DONT_WAIT), 0);
	UNTIL(tail_look(writer->g) == 2); /* another has written behind it */
	raise(SIGKILL);
}

START_TEST(a_dead_writers_slot_is_stepped_over)
{
	for (int round = 0; round < 10; round++) {
		guard_pair(4, 0, &w, &r);
		GIVES(bstream_writer_clone(w, &x), 0);
		int fd = reader_fd();
		READ_IS_REFUSED(fd);
		struct bs_segment *g = r->g;
		pid_t pid = writer_child(x, claim_and_die);
		x = NULL;
		UNTIL(tail_look(g) == 1);
		SAY(w, "behind");
		GIVES(read_polling(fd, r), 1);
		READ_IS_REFUSED(fd); /* one writer is alive: no end */
		guard_kill(pid);
		close_all();
	}
}
END_TEST

/* The kernel reports a close a moment before it drops the lock. Here the moment is ours. */
START_TEST(an_end_that_is_still_held_when_reported_is_looked_at_again)
{
	guard_pair(4, 0, &w, &r);
	int fd = reader_fd();
	READ_IS_REFUSED(fd);
	close(bs_end_reopen(w->hold.sight.fd, O_RDWR));
	MUST(readable(fd));
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	bs_end_unlock(w->hold.sight.fd, w->hold.sight.own_byte);
	await(fd); /* nothing is reported any more */
	GIVES(read_polling(fd, r), -ECONNRESET);
	close_all();
}
END_TEST

static void hold_and_be_killed(struct bstream_reader *reader, int ready)
{
	(void)reader;
	MUST(write(ready, "", 1) == 1);
	for (;;)
		pause();
}

static pid_t reader_child(struct bstream_reader *reader)
{
	int fd = bstream_reader_detach(reader), ready[2];
	char byte;

	MUST(fd >= 0 && pipe2(ready, O_CLOEXEC) == 0);
	pid_t pid = guard_fork();
	if (pid == 0) {
		struct bstream_reader *mine;

		GIVES(bstream_reader_attach(fd, &mine), 0);
		hold_and_be_killed(mine, ready[1]);
	}
	close(fd);
	MUST(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

START_TEST(a_killed_reader_is_heard_of_without_a_broker)
{
	for (int round = 0; round < 30; round++) {
		guard_pair(1, 0, &w, &r);
		pid_t pid = reader_child(r);
		r = NULL;
		SAY(w, "full");
		int fd = writer_fd(w);
		WRITE_IS_REFUSED(w, fd);
		guard_kill(pid);
		GIVES(write_polling(fd, w, "no", 2), -EPIPE);
		MUST(readable(fd));
		GIVES(bstream_write(w, "no", 2, BSTREAM_DONT_WAIT), -EPIPE);
		MUST(readable(fd));
		close_all();
	}
}
END_TEST

START_TEST(all_polling_writers_are_told_that_the_reader_has_left)
{
	guard_pair(1, 0, &w, &r);
	GIVES(bstream_writer_clone(w, &x), 0);
	SAY(w, "full");
	int fd_w = writer_fd(w), fd_x = writer_fd(x);
	WRITE_IS_REFUSED(w, fd_w);
	WRITE_IS_REFUSED(x, fd_x);
	bstream_reader_close(r);
	r = NULL;
	MUST(readable(fd_w) && readable(fd_x));
	GIVES(bstream_write(w, "no", 2, BSTREAM_DONT_WAIT), -EPIPE);
	GIVES(bstream_write(x, "no", 2, BSTREAM_DONT_WAIT), -EPIPE);
	MUST(readable(fd_w) && readable(fd_x));
	close_all();
}
END_TEST

/* ---- writing -------------------------------------------------------------------------------- */

START_TEST(a_writer_polls_for_room)
{
	guard_pair(2, 0, &w, &r);
	int fd = writer_fd(w);
	MUST(readable(fd));
	SAY(w, "a");
	MUST(readable(fd));
	SAY(w, "b");
	for (int round = 0; round < 20; round++) {
		WRITE_IS_REFUSED(w, fd);
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), 1);
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), 1);
		MUST(readable(fd));
		SAY(w, "c");
		MUST(readable(fd));
		SAY(w, "d");
	}
	close_all();
}
END_TEST

START_TEST(a_full_stream_is_not_readable_for_a_writer_that_asks_late)
{
	guard_pair(1, 0, &w, &r);
	SAY(w, "full");
	int fd = writer_fd(w);
	WRITE_IS_REFUSED(w, fd);
	HEAR(r, "full");
	MUST(readable(fd));
	close_all();
}
END_TEST

START_TEST(both_sides_can_poll_in_one_process)
{
	guard_pair(1, 0, &w, &r);
	int fd_r = reader_fd(), fd_w = writer_fd(w);
	for (int round = 0; round < 20; round++) {
		READ_IS_REFUSED(fd_r);
		MUST(readable(fd_w));
		SAY(w, "full");
		MUST(readable(fd_r));
		WRITE_IS_REFUSED(w, fd_w);
		HEAR(r, "full");
		MUST(readable(fd_w));
	}
	close_all();
}
END_TEST

START_TEST(a_writer_that_sleeps_for_more_room_delays_no_poller)
{
	guard_pair(16, 0, &w, &r);
	GIVES(bstream_writer_clone(w, &x), 0);
	for (int i = 0; i < 16; i++)
		SAY(w, "full");
	hint_raise(&r->g->space.wake_at, 12); /* as a lone writer's late wake-up does */
	int fd = writer_fd(x);
	WRITE_IS_REFUSED(x, fd);
	HEAR(r, "full");
	MUST(readable(fd));
	close_all();
}
END_TEST

START_TEST(polling_leaves_no_wake_ups_behind)
{
	int posts = -1;

	guard_pair(1, 0, &w, &r);
	int fd_r = reader_fd(), fd_w = writer_fd(w);
	for (int round = 0; round < 200; round++) {
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
		SAY(w, "full");
		GIVES(bstream_write(w, "no", 2, BSTREAM_DONT_WAIT), -EAGAIN);
		HEAR(r, "full");
	}
	MUST(readable(fd_r) && readable(fd_w));
	GIVES(sem_getvalue(&r->g->items.sem, &posts), 0);
	MUST(posts <= 2); /* from the settling of ends */
	GIVES(sem_getvalue(&r->g->space.sem, &posts), 0);
	MUST(posts <= 3);
	close_all();
}
END_TEST

struct writing {
	unsigned n_chunks;
	bool polls;
};

static void write_many(struct bstream_writer *writer, void *arg)
{
	const struct writing *job = arg;
	int fd = job->polls ? bstream_writer_pollfd(writer) : -1;

	for (unsigned i = 0; i < job->n_chunks; i++)
		GIVES(fd >= 0 ? write_polling(fd, writer, &i, sizeof(i))
			      : bstream_write(writer, &i, sizeof(i), BSTREAM_FOREVER),
		      0);
	bstream_writer_close(writer);
}

#define N_PARTIES 4

/* _i: threads or processes; only pollers, or every other one sleeps. */
START_TEST(several_that_wait_for_room_all_get_it)
{
	struct guard_peer peers[N_PARTIES];
	struct writing poller = { 2000 / guard_slowness(), true }, sleeper = poller;
	uint64_t n = 0;
	int rc;

	sleeper.polls = _i >= 2 ? false : true;
	no_looks = true;
	guard_pair(1 + _i % 3, 0, &w, &r);
	for (int i = 0; i < N_PARTIES; i++) {
		x = w;
		if (i < N_PARTIES - 1)
			GIVES(bstream_writer_clone(w, &x), 0);
		guard_writer_away(&peers[i], (enum guard_way)(_i % 2), x, write_many,
				  i % 2 ? &poller : &sleeper);
	}
	w = x = NULL;
	int fd = reader_fd();
	while ((rc = read_polling(fd, r)) == 1)
		n++;
	GIVES(rc, 0);
	GIVES(n, (uint64_t)poller.n_chunks * N_PARTIES);
	for (int i = 0; i < N_PARTIES; i++)
		guard_join(&peers[i]);
	close_all();
}
END_TEST

static void write_late(struct bstream_writer *writer, void *arg)
{
	GIVES(bstream_write(writer, "late", 4, BSTREAM_FOREVER), 0);
	guard_gate_open(arg);
	bstream_writer_close(writer);
}

/* A missed post costs a slice of 250 ms: all of them, more than a test has. */
#define ROUNDS 150

START_TEST(a_poller_that_does_not_write_keeps_no_sleeper_asleep)
{
	struct guard_peer peer;
	struct guard_gate written;
	struct bstream_writer *y;

	guard_gate_init(&written);
	guard_pair(1, 0, &w, &r);
	GIVES(bstream_writer_clone(w, &y), 0);
	int fd = writer_fd(y);
	for (int round = 0; round < ROUNDS; round++) {
		GIVES(bstream_writer_clone(w, &x), 0);
		SAY(w, "full");
		struct bs_writer_line *line = &r->g->writers[x->place];
		guard_writer_away(&peer, (enum guard_way)_i, x, write_late, &written);
		UNTIL(figure_load(&line->waits_for) == BS_WAITS_ROOM);
		GIVES(bstream_write(y, "no", 2, BSTREAM_DONT_WAIT), -EAGAIN);
		HEAR(r, "full");
		guard_gate_pass(&written);
		await(fd);
		HEAR(r, "late");
		guard_join(&peer);
	}
	x = y;
	close_all();
	guard_gate_fini(&written);
}
END_TEST

START_TEST(room_is_told_by_a_process_that_may_write_no_files)
{
	struct rlimit none = { 0, RLIM_INFINITY };

	guard_pair(1, 0, &w, &r);
	SAY(w, "full");
	int fd = writer_fd(w);
	WRITE_IS_REFUSED(w, fd);
	off_t at = lseek(r->hold.sight.fd, 0, SEEK_CUR);
	GIVES(setrlimit(RLIMIT_FSIZE, &none), 0);
	HEAR(r, "full");
	none.rlim_cur = RLIM_INFINITY;
	GIVES(setrlimit(RLIMIT_FSIZE, &none), 0);
	MUST(readable(fd));
	GIVES(lseek(r->hold.sight.fd, 0, SEEK_CUR), at);
	close_all();
}
END_TEST

/* ---- epoll, edge-triggered ------------------------------------------------------------------ */

static void write_bursts(struct bstream_writer *writer, void *arg)
{
	unsigned seed = 1;

	(void)arg;
	for (unsigned i = 0; i < 3000 / guard_slowness(); i++) {
		GIVES(bstream_write(writer, &i, sizeof(i), BSTREAM_FOREVER), 0);
		if (rand_r(&seed) % 4 == 0)
			sched_yield();
	}
	bstream_writer_close(writer);
}

START_TEST(edges_do_for_those_who_read_until_refused)
{
	struct guard_peer peer;
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	unsigned n = 0;
	int rc, epoll = epoll_create1(EPOLL_CLOEXEC);

	no_looks = true;
	guard_pair(3, 0, &w, &r);
	GIVES(epoll_ctl(epoll, EPOLL_CTL_ADD, reader_fd(), &e), 0);
	guard_writer_away(&peer, (enum guard_way)_i, w, write_bursts, NULL);
	w = NULL;
	do {
		if (epoll_wait(epoll, &e, 1, 30000) != 1)
			guard_fail(__FILE__, __LINE__, "no edge after chunk %u", n);
		while ((rc = guard_read(r, BSTREAM_DONT_WAIT)) == 1)
			n++;
	} while (rc == -EAGAIN);
	GIVES(rc, 0);
	GIVES(n, 3000 / guard_slowness());
	guard_join(&peer);
	close(epoll);
	close_all();
}
END_TEST

/* ---- the handle's life ---------------------------------------------------------------------- */

START_TEST(it_goes_with_its_handle)
{
	int before = guard_n_fds();

	guard_pair(4, 0, &w, &r);
	reader_fd();
	writer_fd(w);
	GIVES(guard_n_fds(), before + 2 + 6);
	close_all();
	GIVES(guard_n_fds(), before);
}
END_TEST

START_TEST(an_end_that_moves_leaves_it_behind)
{
	int before = guard_n_fds();

	guard_pair(4, 0, &w, &r);
	reader_fd();
	writer_fd(w);
	READ_IS_REFUSED(reader_fd());
	SAY(w, "in flight");
	int fd_r = bstream_reader_detach(r), fd_w = bstream_writer_detach(w);
	GIVES(guard_n_fds(), before + 2);
	GIVES(bstream_reader_attach(fd_r, &r), 0);
	GIVES(bstream_writer_attach(fd_w, &w), 0);
	GIVES(guard_n_fds(), before + 2);
	int fd = reader_fd();
	MUST(readable(fd));
	HEAR(r, "in flight");
	READ_IS_REFUSED(fd);
	SAY(w, "more");
	MUST(readable(fd));
	close_all();
}
END_TEST

START_TEST(an_end_that_could_not_be_sent_polls_on)
{
	guard_pair(1, 0, &w, &r);
	int fd = reader_fd(), fd_w = writer_fd(w);
	READ_IS_REFUSED(fd);
	GIVES(bstream_reader_send(-1, r), -EBADF);
	GIVES(bstream_writer_send(-1, w), -EBADF);
	MUST(!readable(fd) || guard_read(r, BSTREAM_DONT_WAIT) == -EAGAIN);
	SAY(w, "full");
	MUST(readable(fd));
	WRITE_IS_REFUSED(w, fd_w);
	HEAR(r, "full");
	MUST(readable(fd_w));
	close_all();
}
END_TEST

/* What a poller leaves raised must not be taken for the next owner's, who sleeps. */
START_TEST(the_next_owner_sleeps_as_if_nobody_had_polled)
{
	struct guard_peer peer;

	guard_pair(4, 0, &w, &r);
	READ_IS_REFUSED(reader_fd());
	int fd = bstream_reader_detach(r);
	GIVES(bstream_reader_attach(fd, &r), 0);
	for (int round = 0; round < ROUNDS; round++) {
		poll_raise(&r->g->items.poll); /* at its worst */
		guard_writer_away(&peer, (enum guard_way)_i, w, write_two, NULL);
		GIVES(guard_read(r, BSTREAM_FOREVER), 1);
		GIVES(guard_read(r, BSTREAM_FOREVER), 1);
		GIVES(guard_read(r, BSTREAM_FOREVER), 0);
		guard_join(&peer);
		bstream_reader_close(r);
		guard_pair(4, 0, &w, &r);
	}
	close_all();
}
END_TEST

START_TEST(a_forked_child_has_none_of_it)
{
	guard_pair(1, 0, &w, &r);
	int fd_r = reader_fd(), fd_w = writer_fd(w);
	READ_IS_REFUSED(fd_r);
	pid_t pid = guard_fork();
	if (pid == 0) {
		GIVES(bstream_reader_pollfd(r), -ESTALE);
		GIVES(bstream_writer_pollfd(w), -ESTALE);
		MUST(fcntl(fd_r, F_GETFD) < 0 && fcntl(fd_w, F_GETFD) < 0);
		int n = guard_n_fds();
		close_all();
		GIVES(guard_n_fds(), n);
		_exit(0);
	}
	guard_reap(pid);
	SAY(w, "full");
	MUST(readable(fd_r));
	WRITE_IS_REFUSED(w, fd_w);
	HEAR(r, "full");
	MUST(readable(fd_w));
	close_all();
}
END_TEST

/* ---- the kernel's limits -------------------------------------------------------------------- */

START_TEST(without_an_inotify_instance_or_a_watch_the_call_says_so)
{
	guard_pair(1, 0, &w, &r);
	int before = guard_n_fds();
	no_instance = EMFILE;
	GIVES(bstream_reader_pollfd(r), -EMFILE);
	GIVES(bstream_writer_pollfd(w), -EMFILE);
	no_instance = 0;
	no_watch = ENOSPC;
	GIVES(bstream_reader_pollfd(r), -ENOSPC);
	no_watch = ENOENT;
	GIVES(bstream_writer_pollfd(w), -ENOSYS);
	no_watch = 0;
	GIVES(guard_n_fds(), before);
	int fd = reader_fd();
	READ_IS_REFUSED(fd);
	SAY(w, "full");
	MUST(readable(fd));
	close_all();
}
END_TEST

static void named(const char *name, uint32_t capacity, uint32_t keep)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = capacity;
	o.keep = keep;
	GIVES(bstream_create(name, &o), 0);
	GIVES(bstream_open_writer(name, BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader(name, BSTREAM_DONT_WAIT, &r), 0);
}

/* With the name the kernel takes the watch. _i: and there is no other to be had. */
START_TEST(a_removed_name_does_not_end_it)
{
	named("gone", 1, 0);
	int fd_r = reader_fd(), fd_w = writer_fd(w);
	READ_IS_REFUSED(fd_r);
	SAY(w, "full");
	HEAR(r, "full");
	SAY(w, "full");
	WRITE_IS_REFUSED(w, fd_w);
	HEAR(r, "full");
	no_watch = _i == 0 ? 0 : ENOSPC;
	GIVES(bstream_remove("gone"), 0);
	for (int round = 0; round < 20; round++) {
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
		SAY(w, "full");
		GIVES(bstream_write(w, "no", 2, BSTREAM_DONT_WAIT), -EAGAIN);
		await(fd_r);
		GIVES(read_polling(fd_r, r), 1);
		await(fd_w);
		if (round == 10)
			no_watch = 0;
	}
	READ_IS_REFUSED(fd_r);
	pid_t pid = writer_child(w, die);
	w = NULL;
	GIVES(read_polling(fd_r, r), 1);
	GIVES(read_polling(fd_r, r), -ECONNRESET);
	guard_kill(pid);
	close_all();
}
END_TEST

static void say_two(void)
{
	SAY(w, "one");
	SAY(w, "two");
}

static void hear_two(void)
{
	HEAR(r, "full");
	HEAR(r, "full");
}

/* Behind the first look of a call and before its flag: here, while it adds the watch anew. */
START_TEST(what_comes_while_a_call_is_refused_is_had_and_the_rest_is_told)
{
	named("gone", 2, 0);
	if (_i == 1) {
		SAY(w, "full");
		SAY(w, "full");
	}
	int fd = _i == 0 ? reader_fd() : writer_fd(w);
	no_looks = true;
	no_watch = ENOSPC;
	GIVES(bstream_remove("gone"), 0);
	await(fd); /* the watch has gone */
	if (_i == 0)
		READ_IS_REFUSED(fd);
	else
		WRITE_IS_REFUSED(w, fd);
	no_watch = 0;
	on_watch = _i == 0 ? say_two : hear_two;
	if (_i == 0)
		HEAR(r, "one");
	else
		SAY(w, "one");
	MUST(on_watch == NULL && readable(fd));
	if (_i == 0)
		HEAR(r, "two");
	else
		SAY(w, "two");
	close_all();
}
END_TEST

START_TEST(a_kept_write_end_that_is_given_up_is_the_end)
{
	named("kept", 1, BSTREAM_KEEP_WRITERS);
	int fd = reader_fd();
	bstream_writer_close(w);
	w = NULL;
	READ_IS_REFUSED(fd);
	GIVES(bstream_eof("kept"), 0);
	GIVES(read_polling(fd, r), 0);
	MUST(readable(fd));
	close_all();
	GIVES(bstream_wait("kept", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT), -ENOENT);
}
END_TEST

START_TEST(a_parked_read_end_that_is_given_up_breaks_the_stream)
{
	named("parked", 1, 0);
	SAY(w, "full");
	int fd = writer_fd(w);
	GIVES(bstream_reader_park(r), 0);
	r = NULL;
	WRITE_IS_REFUSED(w, fd);
	GIVES(bstream_remove("parked"), 0);
	GIVES(write_polling(fd, w, "no", 2), -EPIPE);
	MUST(readable(fd));
	close_all();
}
END_TEST

/* ---- long runs ------------------------------------------------------------------------------ */

#define LONG_RUN (100000u / (guard_slowness() == 1 ? 1 : guard_slowness() * 5))

static void dawdle(unsigned *seed)
{
	unsigned n = (unsigned)rand_r(seed) % 64;

	if (n == 0)
		sched_yield();
	for (unsigned i = 0; n < 16 && i < n * 20; i++)
		bs_spin_pause();
}

/* @arg: the seed. */
static void write_fitfully(struct bstream_writer *writer, void *arg)
{
	unsigned seed = *(unsigned *)arg;
	int fd = bstream_writer_pollfd(writer);

	MUST(fd >= 0);
	for (unsigned i = 0; i < LONG_RUN; i++) {
		GIVES(write_polling(fd, writer, &i, sizeof(i)), 0);
		dawdle(&seed);
	}
	bstream_writer_close(writer);
}

static const uint32_t capacities[] = { 1, 2, 16 };

/* A miss is a hang. _i: threads or processes; the capacity; with fences. */
START_TEST(a_poller_misses_nothing_in_a_long_run)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	struct guard_peer peer;
	unsigned seed = (unsigned)_i + 1, i = 0, n;
	size_t len;
	int rc;

	o.capacity = capacities[_i / 2 % 3];
	no_looks = true;
	o.flags = _i >= 6 ? BSTREAM_FENCES : 0;
	GIVES(bstream_pair(&o, &w, &r), 0);
	guard_writer_away(&peer, (enum guard_way)(_i % 2), w, write_fitfully, &seed);
	w = NULL;
	int fd = reader_fd();
	for (;; i++) {
		while ((rc = bstream_read(r, &n, sizeof(n), &len, BSTREAM_DONT_WAIT)) == -EAGAIN)
			await(fd);
		if (rc != 1)
			break;
		GIVES(n, i);
		dawdle(&seed);
	}
	GIVES(rc, 0);
	GIVES(i, LONG_RUN);
	guard_join(&peer);
	close_all();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_chunk_that_was_there_before_makes_it_readable),
		ONCE(an_empty_stream_is_not_readable),
		ONCE(it_is_readable_from_the_first_chunk_to_the_last),
		ONCE(only_the_first_chunk_after_a_refusal_makes_an_event),
		ONCE(a_peeked_chunk_keeps_it_readable),
		ONCE(a_chunk_too_large_keeps_it_readable),
		ONCE(a_cancelled_chunk_is_a_refusal_more),
		ONCE(a_call_that_sleeps_leaves_it_readable_and_right),
		EITHER_WAY(sleeping_and_polling_can_take_turns),
		ONCE(the_end_is_readable_for_ever),
		N_WAYS(an_end_that_was_told_before_is_readable, 2),
		ONCE(a_killed_writer_is_heard_of_without_a_broker),
		ONCE(a_dead_writers_slot_is_stepped_over),
		ONCE(an_end_that_is_still_held_when_reported_is_looked_at_again),
		ONCE(a_killed_reader_is_heard_of_without_a_broker),
		ONCE(all_polling_writers_are_told_that_the_reader_has_left),
		ONCE(a_writer_polls_for_room),
		ONCE(a_full_stream_is_not_readable_for_a_writer_that_asks_late),
		ONCE(both_sides_can_poll_in_one_process),
		ONCE(a_writer_that_sleeps_for_more_room_delays_no_poller),
		ONCE(polling_leaves_no_wake_ups_behind),
		N_WAYS(several_that_wait_for_room_all_get_it, 4),
		EITHER_WAY(a_poller_that_does_not_write_keeps_no_sleeper_asleep),
		ONCE(room_is_told_by_a_process_that_may_write_no_files),
		EITHER_WAY(edges_do_for_those_who_read_until_refused),
		ONCE(it_goes_with_its_handle),
		ONCE(an_end_that_moves_leaves_it_behind),
		ONCE(an_end_that_could_not_be_sent_polls_on),
		EITHER_WAY(the_next_owner_sleeps_as_if_nobody_had_polled),
		ONCE(a_forked_child_has_none_of_it),
		ONCE(without_an_inotify_instance_or_a_watch_the_call_says_so),
		N_WAYS(a_removed_name_does_not_end_it, 2),
		N_WAYS(what_comes_while_a_call_is_refused_is_had_and_the_rest_is_told, 2),
		ONCE(a_kept_write_end_that_is_given_up_is_the_end),
		ONCE(a_parked_read_end_that_is_given_up_breaks_the_stream),
		N_WAYS(a_poller_misses_nothing_in_a_long_run, 8),
	};

	guard_need_broker();
	return GUARD_RUN("pollfd", cases);
}
