/* SPDX-License-Identifier: MIT */
/*
 * crowd.c - owns the processes and threads of a crowd while it lasts. What a thread has measured it
 * writes into shared memory of its own, and nobody else does.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/crowd.h"

#define N_PROCESSES 10u
#define N_THREADS   (CROWD_CLIENTS / N_PROCESSES)
#define STACK	    (256u << 10)
#define START_NS    500000000u /* until everybody is there */

struct client {
	struct crowd_result result;
	unsigned number, n;
	int at_once;
	uint64_t start_ns;
	crowd_fn ask;
};

static void wait_until(uint64_t ns)
{
	uint64_t now = now_ns();

	if (now < ns)
		sleep_ns(ns - now);
}

static void *client_run(void *arg)
{
	struct client *c = arg;
	uint64_t offset = c->at_once ? 0 : CROWD_NS / CROWD_CLIENTS * c->number;

	for (unsigned i = 0; i < c->n && c->result.err == 0; i++) {
		uint64_t began, took;

		wait_until(c->start_ns + offset + (uint64_t)i * CROWD_NS);
		began = ticks();
		c->result.err = c->ask(c->number, i);
		took = ticks() - began;
		histogram_add(&c->result.hist, took);
		if (took > c->result.slowest)
			c->result.slowest = took;
	}
	return NULL;
}

static void process_run(struct client *clients)
{
	pthread_t threads[N_THREADS];
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	for (unsigned i = 0; i < N_THREADS; i++)
		if (pthread_create(&threads[i], &attr, client_run, &clients[i]) != 0)
			_exit(1);
	for (unsigned i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

static void result_add(struct crowd_result *sum, const struct crowd_result *r)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum->hist.bucket[i] += r->hist.bucket[i];
	sum->hist.n += r->hist.n;
	if (r->slowest > sum->slowest)
		sum->slowest = r->slowest;
	if (sum->err == 0)
		sum->err = r->err;
}

int crowd_run(struct crowd_result *result, unsigned n, int at_once, crowd_fn ask)
{
	size_t size = CROWD_CLIENTS * sizeof(struct client);
	struct client *clients =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t start_ns = now_ns() + START_NS;
	pid_t pids[N_PROCESSES];
	int err = 0, status;

	if (clients == MAP_FAILED)
		return -errno;
	for (unsigned i = 0; i < CROWD_CLIENTS; i++) {
		clients[i].number = i;
		clients[i].n = n;
		clients[i].at_once = at_once;
		clients[i].start_ns = start_ns;
		clients[i].ask = ask;
	}
	for (unsigned i = 0; i < N_PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			process_run(&clients[i * N_THREADS]);
		}
		if (pids[i] < 0)
			err = -errno;
	}
	for (unsigned i = 0; i < N_PROCESSES; i++)
		if (pids[i] > 0 && waitpid(pids[i], &status, 0) == pids[i] && status != 0)
			err = -EAGAIN;
	memset(result, 0, sizeof(*result));
	for (unsigned i = 0; i < CROWD_CLIENTS; i++)
		result_add(result, &clients[i].result);
	munmap(clients, size);
	return err;
}
