/* SPDX-License-Identifier: MIT */
/*
 * guard.c - runs tests one by one, each in a process of its own, and sees to it that they leave
 * nothing behind. Owns a directory for the program and in it one for each test; when a test has
 * died, the program stops the broker it left and takes away what is in its directory.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/hint.h"
#include "proto/meeting.h"
#include "tests/guard.h"

#define PATIENCE_MS 10000
#define TIMEOUT_S   30

static char top_dir[64]; /* of the program */
static char test_dir[96]; /* of the running test, "" between tests */
static pid_t test_pid;
static int fds_before, mappings_before;

/* ---- slow builds ---------------------------------------------------------------------------- */

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define BUILT_SLOW 5
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define BUILT_SLOW 5
#endif
#endif
#ifndef BUILT_SLOW
#define BUILT_SLOW 1
#endif

unsigned guard_slowness(void)
{
	const char *set = getenv("BSTREAM_TEST_SLOWNESS"); /* 20 under valgrind */
	unsigned n = set != NULL ? (unsigned)atoi(set) : 0;

	return n > 0 ? n : BUILT_SLOW;
}

/* Of one test. */
static unsigned timeout_s(void)
{
	return TIMEOUT_S * guard_slowness() * (getenv("BSTREAM_LONG") != NULL ? 10 : 1);
}

/* ---- claims --------------------------------------------------------------------------------- */

void guard_fail(const char *file, int line, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (getpid() == test_pid)
		_ck_assert_failed(file, line, "claim", "%s", text);
	fprintf(stderr, "%s:%d: in a child process: %s\n", file, line, text);
	_exit(70);
}

static const char *outcome_name(long long n, char buf[64])
{
	if (n < 0 && n > -4096 && strerrorname_np((int)-n) != NULL)
		snprintf(buf, 64, "-%s", strerrorname_np((int)-n));
	else
		snprintf(buf, 64, "%lld", n);
	return buf;
}

void guard_gives(const char *file, int line, const char *text, long long got, long long want)
{
	char got_name[64], want_name[64];

	if (got != want)
		guard_fail(file, line, "%s gives %s, not %s", text, outcome_name(got, got_name),
			   outcome_name(want, want_name));
}

uint64_t guard_patience(void)
{
	return bstream_after_ms((int64_t)PATIENCE_MS * guard_slowness());
}

void guard_look_again(const char *file, int line, const char *text, uint64_t end)
{
	if (bs_now() >= end)
		guard_fail(file, line, "it never came to be that %s", text);
	poll(NULL, 0, 1);
}

/* ---- gates, shared memory ------------------------------------------------------------------- */

void guard_gate_init(struct guard_gate *gate)
{
	MUST(pipe2(gate->fd, O_CLOEXEC) == 0);
}

void guard_gate_open(struct guard_gate *gate)
{
	MUST(write(gate->fd[1], "", 1) == 1);
}

void guard_gate_pass(struct guard_gate *gate)
{
	char byte;
	ssize_t n;

	do
		n = read(gate->fd[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	MUST(n == 1);
}

void guard_gate_fini(struct guard_gate *gate)
{
	close(gate->fd[0]);
	close(gate->fd[1]);
}

void *guard_shared_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	return p;
}

void guard_shared_free(void *memory, size_t size)
{
	munmap(memory, size);
}

/* ---- child processes ------------------------------------------------------------------------ */

static void child_begin(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(71);
	alarm(timeout_s());
}

pid_t guard_fork(void)
{
	pid_t parent = getpid();

	fflush(NULL);
	pid_t pid = fork();
	MUST(pid >= 0);
	if (pid == 0)
		child_begin(parent);
	return pid;
}

void guard_reap(pid_t pid)
{
	int status = 0;

	MUST(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status))
		guard_fail(__FILE__, __LINE__, "child %d was killed by signal %d", (int)pid,
			   WTERMSIG(status));
	GIVES(WEXITSTATUS(status), 0);
}

void guard_kill(pid_t pid)
{
	int status = 0;

	MUST(kill(pid, SIGKILL) == 0);
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void guard_stop(pid_t pid)
{
	int status = 0;

	MUST(kill(pid, SIGSTOP) == 0);
	MUST(waitpid(pid, &status, WUNTRACED) == pid);
	MUST(WIFSTOPPED(status));
}

void guard_continue(pid_t pid)
{
	MUST(kill(pid, SIGCONT) == 0);
}

/* ---- parties -------------------------------------------------------------------------------- */

struct start {
	struct bstream_writer *writer;
	struct bstream_reader *reader;
	guard_writer_fn *writer_fn;
	guard_reader_fn *reader_fn;
	void *arg;
};

static void *start_run(void *p)
{
	const struct start *s = p;

	if (s->writer_fn != NULL)
		s->writer_fn(s->writer, s->arg);
	else
		s->reader_fn(s->reader, s->arg);
	return NULL;
}

static void peer_start_thread(struct guard_peer *peer, const struct start *start)
{
	struct start *own = malloc(sizeof(*own));

	MUST(own != NULL);
	*own = *start;
	peer->start = own;
	MUST(pthread_create(&peer->thread, NULL, start_run, own) == 0);
}

static void peer_start_process(struct guard_peer *peer, struct start *start)
{
	int fd = start->writer_fn != NULL ? bstream_writer_detach(start->writer)
					  : bstream_reader_detach(start->reader);

	MUST(fd >= 0);
	peer->pid = guard_fork();
	if (peer->pid == 0) {
		if (start->writer_fn != NULL)
			GIVES(bstream_writer_attach(fd, &start->writer), 0);
		else
			GIVES(bstream_reader_attach(fd, &start->reader), 0);
		start_run(start);
		_exit(0);
	}
	close(fd);
}

static void peer_start(struct guard_peer *peer, enum guard_way way, struct start *start)
{
	*peer = (struct guard_peer){ .way = way };
	if (way == BY_THREAD)
		peer_start_thread(peer, start);
	else
		peer_start_process(peer, start);
}

void guard_writer_away(struct guard_peer *peer, enum guard_way way, struct bstream_writer *writer,
		       guard_writer_fn *fn, void *arg)
{
	struct start start = { .writer = writer, .writer_fn = fn, .arg = arg };

	peer_start(peer, way, &start);
}

void guard_reader_away(struct guard_peer *peer, enum guard_way way, struct bstream_reader *reader,
		       guard_reader_fn *fn, void *arg)
{
	struct start start = { .reader = reader, .reader_fn = fn, .arg = arg };

	peer_start(peer, way, &start);
}

void guard_join(struct guard_peer *peer)
{
	if (peer->way == BY_PROCESS) {
		guard_reap(peer->pid);
		return;
	}
	MUST(pthread_join(peer->thread, NULL) == 0);
	free(peer->start);
}

/* ---- what is there -------------------------------------------------------------------------- */

int guard_n_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -3; /* ".", ".." and the directory itself */

	MUST(dir != NULL);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

int guard_n_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4200];
	int n = 0;

	MUST(maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL)
		n += strstr(line, "/memfd:bstream") != NULL || strstr(line, "/dev/shm/") != NULL;
	fclose(maps);
	return n;
}

static void socket_path(char path[BS_SOCKET_PATH], const char *dir)
{
	int n = snprintf(path, BS_SOCKET_PATH, "%s/bstream/broker.sock", dir);

	MUST(n > 0 && n < (int)BS_SOCKET_PATH);
}

/* Segments of the broker that lives in @dir; taken away if @unlink_them. */
static int segments_count(const char *dir, bool unlink_them)
{
	char path[BS_SOCKET_PATH], prefix[64];
	DIR *shm = opendir("/dev/shm");
	const struct dirent *e;
	int n = 0;

	socket_path(path, dir);
	MUST(shm != NULL && bs_meeting_prefix(prefix, sizeof(prefix), path) == 0);
	while ((e = readdir(shm)) != NULL) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		n++;
		if (unlink_them)
			unlinkat(dirfd(shm), e->d_name, 0);
	}
	closedir(shm);
	return n;
}

int guard_n_segments(void)
{
	return segments_count(test_dir, false);
}

const char *guard_dir(void)
{
	return test_dir;
}

/* ---- before and after a test ---------------------------------------------------------------- */

static void test_begin(void)
{
	test_pid = getpid();
	snprintf(test_dir, sizeof(test_dir), "%s/%d", top_dir, (int)test_pid);
	MUST(mkdir(test_dir, 0700) == 0);
	setenv("XDG_RUNTIME_DIR", test_dir, 1);
	unsetenv("BSTREAM_SOCKET");
	alarm(timeout_s());
	guard_n_mappings(); /* what the C library allocates for good, it has now */
	fds_before = guard_n_fds();
	mappings_before = guard_n_mappings();
}

static void broker_stop_own(void)
{
	char path[BS_SOCKET_PATH];

	socket_path(path, test_dir);
	if (access(path, F_OK) == 0) {
		int rc = bstream_broker_stop();

		MUST(rc == 0 || rc == -ECONNREFUSED);
	}
	MUST(access(path, F_OK) < 0); /* the socket goes with the broker */
}

static void test_end(void)
{
	char path[BS_SOCKET_PATH + 16];

	if (getpid() != test_pid)
		return;
	MUST(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	UNTIL(guard_n_segments() ==
	      0); /* the broker hears of the last end's going a little later */
	broker_stop_own();
	GIVES(guard_n_segments(), 0);
	GIVES(guard_n_mappings(), mappings_before);
	GIVES(guard_n_fds(), fds_before);
	snprintf(path, sizeof(path), "%s/bstream", test_dir);
	rmdir(path);
	MUST(rmdir(test_dir) == 0); /* and nothing else was in it */
	alarm(0);
}

/* ---- programs ------------------------------------------------------------------------------- */

void guard_need_broker(void)
{
	const char *daemon = getenv("BSTREAM_DAEMON");

	if (daemon != NULL && access(daemon, X_OK) == 0)
		return;
	printf("skipped: BSTREAM_DAEMON (%s) is not a program\n", daemon ? daemon : "unset");
	exit(77);
}

static void entry_remove(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (unlink(path) < 0)
		rmdir(path);
}

static void dir_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			entry_remove(path, e->d_name);
	if (dir != NULL)
		closedir(dir);
}

/* A test died: what it left goes now. */
static void left_clear(const char *name)
{
	char dir[512], inner[600], path[BS_SOCKET_PATH];

	snprintf(dir, sizeof(dir), "%s/%s", top_dir, name);
	snprintf(inner, sizeof(inner), "%s/bstream", dir);
	socket_path(path, dir);
	if (bstream_broker_use(path, BSTREAM_NO_START) == 0)
		bstream_broker_stop();
	segments_count(dir, true);
	dir_empty(inner);
	dir_empty(dir);
	rmdir(dir);
}

static void program_end(void)
{
	DIR *dir = opendir(top_dir);
	const struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			left_clear(e->d_name);
	if (dir != NULL)
		closedir(dir);
	rmdir(top_dir);
}

static void case_add(Suite *suite, const struct guard_case *c)
{
	TCase *tc = tcase_create(c->test->name);

	tcase_add_checked_fixture(tc, test_begin, test_end);
	tcase_set_timeout(tc, timeout_s());
	if (c->n_ways > 1)
		tcase_add_loop_test(tc, c->test, 0, c->n_ways);
	else
		tcase_add_test(tc, c->test);
	suite_add_tcase(suite, tc);
}

int guard_run(const char *module, const struct guard_case *cases, size_t n_cases)
{
	Suite *suite = suite_create(module);
	SRunner *runner;
	int n_failed;

	snprintf(top_dir, sizeof(top_dir), "/tmp/bstream-test.XXXXXX");
	if (mkdtemp(top_dir) == NULL) {
		perror(top_dir);
		return 99;
	}
	test_pid = getpid();
	for (size_t i = 0; i < n_cases; i++)
		case_add(suite, &cases[i]);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	program_end();
	return n_failed != 0;
}

/* ---- streams -------------------------------------------------------------------------------- */

void guard_pair(uint32_t capacity, uint32_t chunk_max, struct bstream_writer **wp,
		struct bstream_reader **rp)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = capacity;
	if (chunk_max != 0)
		o.chunk_max = chunk_max;
	GIVES(bstream_pair(&o, wp, rp), 0);
}

void guard_hear(const char *file, int line, struct bstream_reader *r, const char *text,
		uint64_t deadline)
{
	const void *chunk;
	size_t len;

	guard_gives(file, line, "bstream_peek(…)", bstream_peek(r, &chunk, &len, deadline), 1);
	if (len != strlen(text) || memcmp(chunk, text, len) != 0)
		guard_fail(file, line, "heard \"%.*s\" (%zu bytes), not \"%s\"", (int)(len % 64),
			   (const char *)chunk, len, text);
	guard_gives(file, line, "bstream_release(…)", bstream_release(r), 0);
}

int guard_read(struct bstream_reader *r, uint64_t deadline)
{
	const void *chunk;
	size_t len;
	int rc = bstream_peek(r, &chunk, &len, deadline);

	if (rc == 1)
		GIVES(bstream_release(r), 0);
	return rc;
}
