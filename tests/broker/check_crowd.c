/* SPDX-License-Identifier: MIT */
/*
 * check_crowd.c - many streams and many clients at once: everybody is answered, and rightly, and the
 * broker does not grow. How fast that is measures case H of the benchmark, at ten times the number.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/broker/raw.h"

#define N_STREAMS 400u
#define N_CLIENTS 100u
#define N_HELD	  150u /* more than the broker looks at in one round */
#define N_ASKED	  12u
#define N_ROUNDS  4u
#define GROWN_MAX \
	(512l << 10) /* an allocator's moods, and far below a leak of one object a request */

static struct bstream_options small(void)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = 1;
	o.chunk_max = 16;
	o.max_writers = 1;
	return o;
}

static const char *stream_name(char name[32], unsigned i)
{
	snprintf(name, 32, "crowd/%04u", i);
	return name;
}

static void *client_run(void *arg)
{
	unsigned number = *(unsigned *)arg;
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_options o = small();
	struct bstream_writer *w;
	char name[32], own[32];

	snprintf(own, sizeof(own), "own/%u", number);
	for (unsigned i = 0; i < N_ASKED; i++) {
		GIVES(bstream_stat(stream_name(name, (number * 31 + i * 17) % N_STREAMS), &stat),
		      0);
		MUST(strcmp(stat.name, name) == 0 && stat.capacity == 1);
		GIVES(bstream_create(own, &o), 0);
		GIVES(bstream_create(own, &o), -EEXIST);
		GIVES(bstream_open_writer(own, BSTREAM_DONT_WAIT, &w), 0);
		SAY(w, "x");
		bstream_writer_close(w);
		GIVES(bstream_remove(own), 0);
		GIVES(bstream_stat(own, &stat), -ENOENT);
	}
	return NULL;
}

static void crowd_run(void)
{
	pthread_t threads[N_CLIENTS];
	unsigned numbers[N_CLIENTS];

	for (unsigned i = 0; i < N_CLIENTS; i++) {
		numbers[i] = i;
		MUST(pthread_create(&threads[i], NULL, client_run, &numbers[i]) == 0);
	}
	for (unsigned i = 0; i < N_CLIENTS; i++)
		MUST(pthread_join(threads[i], NULL) == 0);
}

static long broker_memory(pid_t pid)
{
	char path[64];
	long pages;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "re");
	MUST(f && fscanf(f, "%*d %ld", &pages) == 1);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static int count_one(const struct bstream_stat *stat, void *arg)
{
	(void)stat;
	++*(unsigned *)arg;
	return 0;
}

START_TEST(a_crowd_is_answered_and_the_broker_does_not_grow)
{
	struct bstream_options o = small();
	unsigned n = 0;
	long before, after;
	char name[32];

	for (unsigned i = 0; i < N_STREAMS; i++)
		GIVES(bstream_create(stream_name(name, i), &o), 0);
	crowd_run(); /* once, so that all room is there that it ever needs */
	before = broker_memory(raw_broker_pid());
	for (unsigned i = 0; i < N_ROUNDS / guard_slowness() + 1; i++)
		crowd_run();
	after = broker_memory(raw_broker_pid());
	if (guard_slowness() == 1) /* a sanitizer keeps what was freed */
		MUST(after - before < GROWN_MAX);
	GIVES(bstream_list(count_one, &n), 0);
	GIVES(n, N_STREAMS);
	for (unsigned i = 0; i < N_STREAMS; i++)
		GIVES(bstream_remove(stream_name(name, i)), 0);
}
END_TEST

/* Open both ends of all streams, and stay. */
static void hold_all(struct guard_gate *held)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	char name[32];

	for (unsigned i = 0; i < N_HELD; i++) {
		GIVES(bstream_open_writer(stream_name(name, i), BSTREAM_DONT_WAIT, &w), 0);
		GIVES(bstream_open_reader(stream_name(name, i), BSTREAM_DONT_WAIT, &r), 0);
	}
	guard_gate_open(held);
	pause();
}

static bool nothing_is_there(void)
{
	unsigned n = 0;

	GIVES(bstream_list(count_one, &n), 0);
	return n == 0;
}

START_TEST(of_all_ends_that_die_at_once_the_broker_hears)
{
	struct bstream_options o = small();
	struct guard_gate held;
	char name[32];
	pid_t pid;

	guard_gate_init(&held);
	for (unsigned i = 0; i < N_HELD; i++)
		GIVES(bstream_create(stream_name(name, i), &o), 0);
	pid = guard_fork();
	if (pid == 0)
		hold_all(&held);
	guard_gate_pass(&held);
	guard_kill(pid);
	UNTIL(nothing_is_there());
	guard_gate_fini(&held);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_crowd_is_answered_and_the_broker_does_not_grow),
		ONCE(of_all_ends_that_die_at_once_the_broker_hears),
	};

	guard_need_broker();
	return GUARD_RUN("broker/crowd", cases);
}
