/* SPDX-License-Identifier: MIT */
/*
 * guard.h - what every C test stands in: a process of its own, a runtime directory of its own (and
 * with it a broker of its own), a deadline, and a count of everything that must not be left behind.
 *
 * A test program is a table of tests and guard_run(). CK_RUN_CASE=name runs one test, CK_FORK=no
 * keeps it in one process for a debugger. Before a test descriptors, mappings and shared memory are
 * counted; after it the broker is stopped and they are counted again: what differs fails the test,
 * and so does a child process.
 *
 * Nothing here waits for time to pass: tests wait for what they wait for, by UNTIL() and by gates.
 */
#ifndef GUARD_H
#define GUARD_H

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bstream.h"

/* Built for ThreadSanitizer. */
#if defined(__SANITIZE_THREAD__)
#define GUARD_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GUARD_TSAN
#endif
#endif

/* ---- programs ------------------------------------------------------------------------------- */

struct guard_case {
	const TTest *test;
	int n_ways; /* how often it runs, with _i = 0, 1, …; 0 is taken as 1 */
};

/* A test of check_<module>: one that runs once, or once between threads and once between processes. */
#define ONCE(test)        \
	{                 \
		(test), 1 \
	}
#define EITHER_WAY(test)  \
	{                 \
		(test), 2 \
	}
#define N_WAYS(test, ways)     \
	{                      \
		(test), (ways) \
	}
#define GUARD_RUN(module, cases) guard_run((module), (cases), sizeof(cases) / sizeof((cases)[0]))

/* Run them all. What main returns. */
int guard_run(const char *module, const struct guard_case *cases, size_t n_cases);

/* Exit 77 with the reason printed, unless the broker is built. First thing in main. */
void guard_need_broker(void);

/* ---- claims --------------------------------------------------------------------------------- */

/* As ck_assert, and good in threads and child processes, too: the test fails wherever it is said. */
#define MUST(cond)                                                   \
	do {                                                         \
		if (!(cond))                                         \
			guard_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

/* The call gives this number (0, a positive outcome or a negative errno). */
#define GIVES(call, want) guard_gives(__FILE__, __LINE__, #call, (call), (want))

void guard_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));
void guard_gives(const char *file, int line, const char *text, long long got, long long want);

/* Look until it is true; the test fails after ten seconds (more in slow builds). */
#define UNTIL(cond)                                                              \
	do {                                                                     \
		uint64_t guard_end_ = guard_patience();                          \
		while (!(cond))                                                  \
			guard_look_again(__FILE__, __LINE__, #cond, guard_end_); \
	} while (0)

uint64_t guard_patience(void); /* a deadline that only a fault can reach */
void guard_look_again(const char *file, int line, const char *text, uint64_t end);

/* 1; more where everything is slow: a sanitizer, valgrind. For counts of rounds, divided by it. */
unsigned guard_slowness(void);

/* ---- other parties -------------------------------------------------------------------------- */

/* A gate: closed until somebody opens it; each opening lets one through. Good across fork. */
struct guard_gate {
	int fd[2];
};

void guard_gate_init(struct guard_gate *gate);
void guard_gate_open(struct guard_gate *gate);
void guard_gate_pass(struct guard_gate *gate);
void guard_gate_fini(struct guard_gate *gate);

/* Memory that a child process shares with us; zero. */
void *guard_shared_new(size_t size);
void guard_shared_free(void *memory, size_t size);

enum guard_way { BY_THREAD, BY_PROCESS };

/* Another party, a thread or a process, that owns one end. Its function closes the end (or dies). */
struct guard_peer {
	enum guard_way way;
	pthread_t thread;
	pid_t pid;
	void *start; /* ours */
};

typedef void guard_writer_fn(struct bstream_writer *writer, void *arg);
typedef void guard_reader_fn(struct bstream_reader *reader, void *arg);

/* Give the end to a new party. The handle is consumed. */
void guard_writer_away(struct guard_peer *peer, enum guard_way way, struct bstream_writer *writer,
		       guard_writer_fn *fn, void *arg);
void guard_reader_away(struct guard_peer *peer, enum guard_way way, struct bstream_reader *reader,
		       guard_reader_fn *fn, void *arg);

/* Wait for it; it must have come to its end. */
void guard_join(struct guard_peer *peer);

/* A child process that dies with us and has our deadline. 0 in the child. */
pid_t guard_fork(void);

/* Wait for a child: it must have exited with 0. */
void guard_reap(pid_t pid);

/* SIGKILL it and wait. */
void guard_kill(pid_t pid);

/* Stop it (and wait until it has stopped); let it go on. */
void guard_stop(pid_t pid);
void guard_continue(pid_t pid);

/* ---- what is there -------------------------------------------------------------------------- */

int guard_n_fds(void);
int guard_n_mappings(void); /* of segments, in this process */
int guard_n_segments(void); /* in the shared-memory directory, of this test's broker */

/* The test's own directory. */
const char *guard_dir(void);

/* ---- streams -------------------------------------------------------------------------------- */

/* A pair of this capacity, with the defaults or chunk_max where that is not 0. */
void guard_pair(uint32_t capacity, uint32_t chunk_max, struct bstream_writer **writerp,
		struct bstream_reader **readerp);

/* Write a string; read a chunk and compare it with one; both without waiting. */
#define SAY(writer, text)  GIVES(bstream_write((writer), (text), strlen(text), BSTREAM_DONT_WAIT), 0)
#define HEAR(reader, text) guard_hear(__FILE__, __LINE__, (reader), (text), BSTREAM_DONT_WAIT)
#define HEAR_IN_TIME(reader, text) \
	guard_hear(__FILE__, __LINE__, (reader), (text), guard_patience())

void guard_hear(const char *file, int line, struct bstream_reader *reader, const char *text,
		uint64_t deadline);

/* What the next read gives, the chunk being thrown away. */
int guard_read(struct bstream_reader *reader, uint64_t deadline);

#endif
