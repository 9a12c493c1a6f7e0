/* SPDX-License-Identifier: MIT */
/*
 * idle.h - what processes use while they wait, seen from outside.
 */
#ifndef BENCH_IDLE_H
#define BENCH_IDLE_H

#include <stdint.h>
#include <sys/types.h>

struct idle {
	uint64_t wall_ns, cpu_ns, sleeps;
};

/* Add up CPU time and voluntary context switches of all threads of @n processes. */
void idle_read(struct idle *idle, const pid_t *pids, unsigned n);

#endif
