/* SPDX-License-Identifier: MIT */
/*
 * check_log.c - what the broker says on standard error: a little, whatever anybody does; with priorities
 * where the journal listens; and its state at SIGUSR1.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/broker/raw.h"

#define N_BAD	  9000u
#define N_STREAMS 60u
#define SAID_MAX  65536

static char said[SAID_MAX];

static const char *log_path(void)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/log", guard_dir());
	return path;
}

/* A broker whose standard error is @err. @journal: what JOURNAL_STREAM says, or NULL. */
static pid_t broker_start(int err, const char *journal)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };
	pid_t pid = guard_fork();

	if (pid == 0) {
		alarm(0);
		if (journal)
			setenv("JOURNAL_STREAM", journal, 1);
		else
			unsetenv("JOURNAL_STREAM");
		dup2(err, STDERR_FILENO);
		execl(getenv("BSTREAM_DAEMON"), "bstreamd", "--foreground", (char *)NULL);
		_exit(127);
	}
	UNTIL(bstream_broker_stat(&stat) == 0);
	return pid;
}

static int log_open(void)
{
	int fd = open(log_path(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	MUST(fd >= 0 && unlink(log_path()) == 0);
	return fd;
}

static void log_read(int fd)
{
	ssize_t n = pread(fd, said, sizeof(said) - 1, 0);

	MUST(n >= 0);
	said[n] = '\0';
}

/* End the broker, and read all that it has said. */
static void broker_end(pid_t pid, int fd)
{
	MUST(kill(pid, SIGTERM) == 0 && waitpid(pid, NULL, 0) == pid);
	log_read(fd);
	close(fd);
}

static unsigned count_of(const char *part)
{
	unsigned n = 0;

	for (const char *at = said; (at = strstr(at, part)); at++)
		n++;
	return n;
}

START_TEST(start_and_stop_are_told_and_nothing_else)
{
	int fd = log_open();
	pid_t pid = broker_start(fd, NULL);

	GIVES(raw_ask(BS_REQ_STAT, "nobody", 0, NULL), -ENOENT);
	broker_end(pid, fd);
	GIVES(count_of("\n"), 2);
	GIVES(count_of("bstreamd: "), 2);
	MUST(strstr(said, " serves ") && strstr(said, " leaves "));
}
END_TEST

START_TEST(a_client_that_misbehaves_on_and_on_gives_a_few_lines_and_a_number)
{
	unsigned n = N_BAD / guard_slowness();
	int fd = log_open();
	pid_t pid = broker_start(fd, NULL);
	const char *more;

	for (unsigned i = 0; i < n; i++) {
		int conn = raw_connect();

		MUST(raw_send(conn, "rubbish", 7, NULL, 0));
		GIVES(raw_result(conn, NULL), -ENOTCONN);
		close(conn);
	}
	broker_end(pid, fd);
	more = strstr(said, " more suppressed");
	MUST(more != NULL);
	while (more[-1] != ' ')
		more--;
	/* A slow machine takes longer than one half minute for it. */
	MUST(count_of("sent what is no request") >= 5);
	MUST(count_of("\n") <= 60);
	if (count_of(" more suppressed") == 1)
		GIVES(strtoul(more, NULL, 10), n - count_of("sent what is no request"));
}
END_TEST

START_TEST(other_versions_are_named_both)
{
	struct bs_req_name q = raw_question(BS_REQ_STAT, "s", 0);
	int fd = log_open(), conn;
	pid_t pid = broker_start(fd, NULL);
	char want[128];

	q.head.version = 77;
	conn = raw_connect();
	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	GIVES(raw_result(conn, NULL), -EPROTONOSUPPORT);
	close(conn);
	broker_end(pid, fd);
	snprintf(want, sizeof(want), "speaks wire 77 and layout %u, served are wire %u to %u",
		 q.head.layout, BS_WIRE_OLDEST, BS_WIRE_VERSION);
	MUST(strstr(said, want) != NULL);
}
END_TEST

/* JOURNAL_STREAM for @fd, or for another file. */
static const char *journal_of(int fd, unsigned other)
{
	static char text[64];
	struct stat st;

	MUST(fstat(fd, &st) == 0);
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + other);
	return text;
}

START_TEST(where_the_journal_listens_lines_have_priorities)
{
	int fd = log_open();
	pid_t pid = broker_start(fd, journal_of(fd, 0));
	int conn = raw_connect();

	MUST(raw_send(conn, "rubbish", 7, NULL, 0));
	GIVES(raw_result(conn, NULL), -ENOTCONN);
	close(conn);
	broker_end(pid, fd);
	MUST(strncmp(said, "<6>", 3) == 0);
	GIVES(count_of("\n<4>uid "), 1);
	GIVES(count_of("bstreamd: "), 0);
}
END_TEST

START_TEST(where_another_file_is_the_journal_they_have_none)
{
	int fd = log_open();
	pid_t pid = broker_start(fd, journal_of(fd, 1));

	broker_end(pid, fd);
	MUST(strncmp(said, "bstreamd: ", 10) == 0);
	GIVES(count_of("<"), 0);
}
END_TEST

START_TEST(its_state_is_told_at_sigusr1_and_bounded)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	int fd = log_open();
	pid_t pid = broker_start(fd, NULL);
	char name[32];

	o.capacity = 1;
	o.chunk_max = 16;
	o.max_writers = 1;
	for (unsigned i = 0; i < N_STREAMS; i++) {
		snprintf(name, sizeof(name), "s%02u", i);
		GIVES(bstream_create(name, &o), 0);
	}
	MUST(kill(pid, SIGUSR1) == 0);
	UNTIL((log_read(fd), strstr(said, "end of state\n")));
	GIVES(count_of("bstreamd: stream s"), 50);
	MUST(strstr(said, "and 10 more streams"));
	MUST(strstr(said, "stream s07: of uid ") && strstr(said, "bstreamd: user "));
	for (unsigned i = 0; i < N_STREAMS; i++) {
		snprintf(name, sizeof(name), "s%02u", i);
		GIVES(bstream_remove(name), 0);
	}
	broker_end(pid, fd);
}
END_TEST

START_TEST(a_log_that_nobody_reads_holds_up_nobody)
{
	int ends[2];
	pid_t pid;

	MUST(pipe2(ends, O_CLOEXEC) == 0);
	MUST(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
	pid = broker_start(ends[1], NULL);
	for (unsigned i = 0; i < 40; i++)
		MUST(kill(pid, SIGUSR1) == 0);
	GIVES(raw_ask(BS_REQ_STAT, "nobody", 0, NULL), -ENOENT);
	MUST(kill(pid, SIGTERM) == 0 && waitpid(pid, NULL, 0) == pid);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(start_and_stop_are_told_and_nothing_else),
		ONCE(a_client_that_misbehaves_on_and_on_gives_a_few_lines_and_a_number),
		ONCE(other_versions_are_named_both),
		ONCE(where_the_journal_listens_lines_have_priorities),
		ONCE(where_another_file_is_the_journal_they_have_none),
		ONCE(its_state_is_told_at_sigusr1_and_bounded),
		ONCE(a_log_that_nobody_reads_holds_up_nobody),
	};

	guard_need_broker();
	return GUARD_RUN("broker/log", cases);
}
