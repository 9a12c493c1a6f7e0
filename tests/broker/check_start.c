/* SPDX-License-Identifier: MIT */
/*
 * check_start.c - how a broker comes to be, and how it goes.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/meeting.h"
#include "tests/broker/raw.h"

#define TWENTY 20

struct party {
	int pid[TWENTY]; /* the broker that each has met */
};

static void starter_run(struct party *party, int i)
{
	char name[32];

	snprintf(name, sizeof(name), "stream-%d", i);
	GIVES(bstream_create(name, NULL), 0);
	party->pid[i] = raw_broker_pid();
	GIVES(bstream_remove(name), 0);
}

START_TEST(twenty_processes_that_start_at_once_get_one_broker)
{
	struct party *party = guard_shared_new(sizeof(*party));
	struct guard_gate gate;
	pid_t pids[TWENTY];

	guard_gate_init(&gate);
	for (int i = 0; i < TWENTY; i++) {
		pids[i] = guard_fork();
		if (pids[i] == 0) {
			guard_gate_pass(&gate);
			starter_run(party, i);
			_exit(0);
		}
	}
	for (int i = 0; i < TWENTY; i++)
		guard_gate_open(&gate);
	for (int i = 0; i < TWENTY; i++)
		guard_reap(pids[i]);
	for (int i = 0; i < TWENTY; i++)
		GIVES(party->pid[i], party->pid[0]);
	guard_gate_fini(&gate);
	guard_shared_free(party, sizeof(*party));
}
END_TEST

struct threads {
	struct party party;
	pthread_barrier_t barrier;
	atomic_int next;
};

static void *thread_run(void *arg)
{
	struct threads *t = arg;

	pthread_barrier_wait(&t->barrier);
	starter_run(&t->party, atomic_fetch_add(&t->next, 1));
	return NULL;
}

START_TEST(twenty_threads_that_start_at_once_get_one_broker)
{
	static struct threads t;
	pthread_t threads[TWENTY];

	pthread_barrier_init(&t.barrier, NULL, TWENTY);
	for (int i = 0; i < TWENTY; i++)
		MUST(pthread_create(&threads[i], NULL, thread_run, &t) == 0);
	for (int i = 0; i < TWENTY; i++)
		MUST(pthread_join(threads[i], NULL) == 0);
	for (int i = 0; i < TWENTY; i++)
		GIVES(t.party.pid[i], t.party.pid[0]);
	pthread_barrier_destroy(&t.barrier);
}
END_TEST

/* The broker's standard descriptors are on nothing; but 0 is the broker's own (closer.c). */
static void fd_is_null(pid_t pid, int fd)
{
	char link[64], target[64] = "";

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
	MUST(readlink(link, target, sizeof(target) - 1) > 0);
	if (fd == 0)
		MUST(strncmp(target, "socket:", 7) == 0);
	else
		ck_assert_str_eq(target, "/dev/null");
}

START_TEST(a_broker_holds_none_of_its_starters_descriptors)
{
	int ends[2];
	char byte;
	pid_t pid;

	MUST(pipe(ends) == 0); /* as in $(…): not close-on-exec */
	pid = guard_fork();
	if (pid == 0) {
		MUST(dup2(ends[1], 1) == 1 && dup2(ends[1], 2) == 2);
		GIVES(bstream_broker_start(), 0);
		_exit(0);
	}
	close(ends[1]);
	guard_reap(pid);
	MUST(read(ends[0], &byte, 1) == 0); /* nobody holds the other side */
	close(ends[0]);
	for (int fd = 0; fd < 3; fd++)
		fd_is_null(raw_broker_pid(), fd);
}
END_TEST

START_TEST(standard_descriptors_closed_at_start_stay_closed)
{
	struct bstream_writer *w;
	pid_t pid = guard_fork();

	if (pid == 0) {
		close(0);
		close(1);
		close(2);
		if (bstream_create("s", NULL) != 0 || bstream_open_writer("s", 0, &w) != 0)
			_exit(1);
		for (int fd = 0; fd < 3; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				_exit(2 + fd);
		bstream_writer_close(w);
		_exit(bstream_remove("s") != 0);
	}
	guard_reap(pid);
	for (int fd = 0; fd < 3; fd++)
		fd_is_null(raw_broker_pid(), fd);
}
END_TEST

START_TEST(a_socket_inherited_in_the_place_of_a_standard_descriptor_is_served)
{
	for (int place = 0; place < 3; place++) {
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		pid_t pid;

		GIVES(bs_meeting_listen(fd, raw_socket_path(), 0600), 0);
		pid = guard_fork();
		if (pid == 0) {
			char number[16];

			snprintf(number, sizeof(number), "%d", place);
			dup2(fd, place);
			execl(getenv("BSTREAM_DAEMON"), "bstreamd", "--listen-fd", number,
			      "--socket", raw_socket_path(), (char *)NULL);
			_exit(127);
		}
		close(fd);
		guard_reap(pid);
		GIVES(raw_ask(BS_REQ_EXISTS, "s", 0, NULL), -ENOENT);
		raw_broker_kill();
		MUST(unlink(raw_socket_path()) == 0);
	}
}
END_TEST

START_TEST(a_program_that_ignores_its_children_starts_one_too)
{
	pid_t pid = guard_fork();

	if (pid == 0) {
		signal(SIGCHLD, SIG_IGN);
		_exit(bstream_broker_start() != 0);
	}
	guard_reap(pid);
	GIVES(bstream_broker_start(), 1);
}
END_TEST

static void no_broker_comes_of(const char *program)
{
	setenv("BSTREAM_DAEMON", program, 1);
	GIVES(bstream_create("s", NULL), -ECONNREFUSED);
	GIVES(bstream_broker_start(), -ECONNREFUSED);
	MUST(access(raw_socket_path(), F_OK) < 0 && errno == ENOENT);
	MUST(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

START_TEST(what_is_no_broker_leaves_no_socket)
{
	char script[128];
	FILE *f;

	no_broker_comes_of("/nonexistent/bstreamd");
	no_broker_comes_of("/");
	no_broker_comes_of("/bin/false");
	no_broker_comes_of("/bin/true");
	snprintf(script, sizeof(script), "%s/hangs", guard_dir());
	f = fopen(script, "we");
	MUST(f && fputs("#!/bin/sh\nexec sleep 1000\n", f) > 0 && fclose(f) == 0);
	MUST(chmod(script, 0700) == 0);
	setenv("BSTREAM_DAEMON", script, 1);
	GIVES(bstream_broker_start(), -ECONNREFUSED); /* in five seconds */
	MUST(access(raw_socket_path(), F_OK) < 0);
	unlink(script);
}
END_TEST

START_TEST(whoever_may_not_start_one_is_told_that_there_is_none)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	GIVES(bstream_broker_use(NULL, BSTREAM_NO_START), 0);
	GIVES(bstream_create("s", NULL), -ECONNREFUSED);
	GIVES(bstream_broker_start(), -ECONNREFUSED);
	GIVES(bstream_broker_use(NULL, 0), 0);
	GIVES(bstream_broker_stat(&stat), -ECONNREFUSED);
	GIVES(bstream_broker_stop(), -ECONNREFUSED);
	GIVES(bstream_broker_start(), 0);
	GIVES(bstream_broker_start(), 1);
	stat.size = 3;
	GIVES(bstream_broker_stat(&stat), -EINVAL);
	GIVES(bstream_broker_use("", 0), -EINVAL);
	GIVES(bstream_broker_use(NULL, 0x80), -EINVAL);
}
END_TEST

START_TEST(stop_returns_when_the_broker_has_gone)
{
	int pidfd;

	GIVES(bstream_broker_start(), 0);
	pidfd = pidfd_open(raw_broker_pid(), 0);
	MUST(pidfd >= 0);
	GIVES(bstream_broker_stop(), 0);
	MUST(raw_await_end(pidfd, 0));
	MUST(access(raw_socket_path(), F_OK) < 0);
	close(pidfd);
}
END_TEST

START_TEST(sigterm_takes_the_socket_and_leaves_the_streams)
{
	pid_t pid = raw_broker_start(NULL, NULL);
	int status;

	GIVES(bstream_create("kept", NULL), 0);
	MUST(kill(pid, SIGTERM) == 0);
	MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	MUST(access(raw_socket_path(), F_OK) < 0);
	GIVES(guard_n_segments(), 1);
	GIVES(bstream_create("kept", NULL), -EEXIST); /* by the next one */
	GIVES(bstream_remove("kept"), 0);
}
END_TEST

START_TEST(an_idle_broker_leaves_but_not_while_it_holds_a_name)
{
	int status, pidfd;
	pid_t pid;

	/* It finds the name as it starts: one that was made later might be made too late. */
	GIVES(bstream_create("held", NULL), 0);
	raw_broker_kill();
	pid = raw_broker_start("--idle-timeout", "1");
	pidfd = pidfd_open(pid, 0);
	MUST(!raw_await_end(pidfd, 2500));
	GIVES(bstream_remove("held"), 0);
	MUST(raw_await_end(pidfd, 10000 * (int)guard_slowness()));
	MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	MUST(access(raw_socket_path(), F_OK) < 0);
	close(pidfd);
}
END_TEST

START_TEST(a_second_broker_by_hand_is_refused)
{
	pid_t first = raw_broker_start(NULL, NULL), second = guard_fork();
	int status;

	if (second == 0) {
		close(2);
		execl(getenv("BSTREAM_DAEMON"), "bstreamd", (char *)NULL);
		_exit(127);
	}
	MUST(waitpid(second, &status, 0) == second && WIFEXITED(status));
	GIVES(WEXITSTATUS(status), 3);
	GIVES(raw_broker_pid(), first);
	GIVES(bstream_broker_stop(), 0);
	guard_reap(first);
}
END_TEST

START_TEST(a_broker_that_nobody_can_find_any_more_leaves)
{
	int pidfd;

	GIVES(bstream_create("found", NULL), 0);
	pidfd = pidfd_open(raw_broker_pid(), 0);
	MUST(unlink(raw_socket_path()) == 0);
	MUST(raw_await_end(pidfd, 10000 * (int)guard_slowness()));
	close(pidfd);
	GIVES(bstream_create("found", NULL), -EEXIST);
	GIVES(bstream_remove("found"), 0);
}
END_TEST

START_TEST(a_dead_brokers_socket_is_replaced)
{
	GIVES(bstream_broker_start(), 0);
	raw_broker_kill();
	MUST(access(raw_socket_path(), F_OK) == 0);
	GIVES(bstream_broker_start(), 0);
}
END_TEST

static void nobody_is_asked(void)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	GIVES(bstream_create("s", NULL), -EACCES);
	GIVES(bstream_broker_start(), -EACCES);
	GIVES(bstream_broker_stat(&stat), -EACCES);
}

/* In a place that all may write to, others may have been there first. */
START_TEST(a_directory_that_is_not_ours_alone_is_not_gone_into)
{
	char dir[128], real[128];

	snprintf(dir, sizeof(dir), "%s/bstream-%u", guard_dir(), (unsigned)geteuid());
	snprintf(real, sizeof(real), "%s/real", guard_dir());
	unsetenv("XDG_RUNTIME_DIR");
	setenv("TMPDIR", guard_dir(), 1);
	MUST(mkdir(real, 0700) == 0 && symlink(real, dir) == 0);
	nobody_is_asked();
	MUST(unlink(dir) == 0 && rename(real, dir) == 0);
	MUST(chmod(dir, 0720) == 0);
	nobody_is_asked();
	MUST(chmod(dir, 0702) == 0);
	nobody_is_asked();
	MUST(chmod(dir, 0700) == 0);
	if (geteuid() == 0) {
		MUST(chown(dir, 65534, 0) == 0);
		nobody_is_asked();
		MUST(chown(dir, 0, 0) == 0);
	}
	GIVES(bstream_broker_start(), 0);
	GIVES(bstream_broker_stop(), 0);
	MUST(rmdir(dir) == 0);
}
END_TEST

struct morgue { /* a socket behind which each broker dies as soon as it is asked */
	int listener;
	_Atomic int n_asked;
};

static void *be_dying_brokers(void *arg)
{
	struct morgue *m = arg;
	int conn;

	while ((conn = accept(m->listener, NULL, NULL)) >= 0) {
		m->n_asked++;
		close(conn);
	}
	return NULL;
}

/* Who has lived for a second is the first again: so a call may ask more often, where it takes so long. */
#define GIVES_UP(morgue, call)                                 \
	do {                                                   \
		unsigned asked = (morgue)->n_asked;            \
		uint64_t in_a_second = bstream_after_ms(1000); \
		GIVES(call, -ECONNREFUSED);                    \
		asked = (morgue)->n_asked - asked;             \
		MUST(asked >= TWENTY + 1);                     \
		if (bstream_after_ms(0) < in_a_second)         \
			GIVES(asked, TWENTY + 1);              \
	} while (0)

/* Neither sooner nor at the deadline: a request that kills brokers is to end. */
START_TEST(a_call_gives_up_when_more_than_twenty_brokers_went_away_under_it)
{
	struct morgue m = { .listener = -1 };
	struct bstream_writer *w;
	pthread_t thread;

	GIVES(bstream_broker_start(), 0);
	raw_broker_kill();
	m.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	MUST(m.listener >= 0);
	GIVES(bs_meeting_listen(m.listener, raw_socket_path(), 0600), 0);
	MUST(pthread_create(&thread, NULL, be_dying_brokers, &m) == 0);
	GIVES_UP(&m, bstream_create("s", NULL));
	GIVES_UP(&m, bstream_open_writer("s", guard_patience(), &w));
	GIVES_UP(&m, bstream_send("m", "", 0, NULL, guard_patience()));
	MUST(shutdown(m.listener, SHUT_RDWR) == 0);
	MUST(pthread_join(thread, NULL) == 0);
	close(m.listener);
	unlink(raw_socket_path());
}
END_TEST

static void *wait_for_name(void *arg)
{
	(void)arg;
	GIVES(bstream_wait("later", BSTREAM_WAIT_EXISTS, guard_patience()), 0);
	return NULL;
}

static uint32_t n_clients(void)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	GIVES(bstream_broker_stat(&stat), 0);
	return stat.clients;
}

START_TEST(a_forked_child_keeps_no_connection_and_can_make_its_own)
{
	struct guard_gate gate;
	pthread_t thread;
	pid_t pid;

	guard_gate_init(&gate);
	GIVES(bstream_broker_start(), 0);
	MUST(pthread_create(&thread, NULL, wait_for_name, NULL) == 0);
	UNTIL(n_clients() == 2);
	pid = guard_fork();
	if (pid == 0) {
		GIVES(bstream_create("later", NULL), 0);
		guard_gate_pass(&gate);
		_exit(0);
	}
	MUST(pthread_join(thread, NULL) == 0);
	UNTIL(n_clients() == 1); /* though the child lives */
	guard_gate_open(&gate);
	guard_reap(pid);
	GIVES(bstream_remove("later"), 0);
	guard_gate_fini(&gate);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(twenty_processes_that_start_at_once_get_one_broker),
		ONCE(twenty_threads_that_start_at_once_get_one_broker),
		ONCE(a_broker_holds_none_of_its_starters_descriptors),
		ONCE(standard_descriptors_closed_at_start_stay_closed),
		ONCE(a_socket_inherited_in_the_place_of_a_standard_descriptor_is_served),
		ONCE(a_program_that_ignores_its_children_starts_one_too),
		ONCE(what_is_no_broker_leaves_no_socket),
		ONCE(whoever_may_not_start_one_is_told_that_there_is_none),
		ONCE(stop_returns_when_the_broker_has_gone),
		ONCE(sigterm_takes_the_socket_and_leaves_the_streams),
		ONCE(an_idle_broker_leaves_but_not_while_it_holds_a_name),
		ONCE(a_second_broker_by_hand_is_refused),
		ONCE(a_broker_that_nobody_can_find_any_more_leaves),
		ONCE(a_dead_brokers_socket_is_replaced),
		ONCE(a_directory_that_is_not_ours_alone_is_not_gone_into),
		ONCE(a_call_gives_up_when_more_than_twenty_brokers_went_away_under_it),
		ONCE(a_forked_child_keeps_no_connection_and_can_make_its_own),
	};

	guard_need_broker();
	return GUARD_RUN("start", cases);
}
