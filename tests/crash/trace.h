/* SPDX-License-Identifier: MIT */
/*
 * trace.h - a child process that is single-stepped: started, stopped at any instruction, killed there
 * or let go. Whoever calls is its tracer; one thread.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <sys/types.h>

/* Wait for the turn of this program among those of its directory, and keep it until the end; and leave the CPU to
 * whoever else wants it, of the one on which this program and what it forks stay from here on. Two processes that take turns at every instruction are charged for a part of the time that
 * they take: with as many such pairs as CPUs, Linux 6.18 let nobody else run for up to 30 s. What is forked later is
 * as polite. */
void trace_begin(void);

/* Fork. In the child, which dies with us and is traced from here on: 0. Then it prepares and calls
 * trace_ready(), and the first step is from there. Negative errno. */
pid_t trace_fork(void);
void trace_ready(void);

/* Wait until the child is ready. 0, or the status with which it left before. */
int trace_await(pid_t pid);

/* Step it until it ends, or @k times. The number of steps; *endedp: it ended and is reaped, and
 * *statusp, if not NULL, says how. */
unsigned long trace_step(pid_t pid, unsigned long k, bool *endedp, int *statusp);

/* Let it run through @n system calls, stopping behind each. How many there were; as trace_step. */
unsigned long trace_syscalls(pid_t pid, unsigned long n, bool *endedp, int *statusp);

/* Step it to its end, and note in @lens the steps between two system calls, the last of which makes the
 * call: so that each moment can be had again by trace_syscalls() and a few steps. How many there are,
 * no more than @max; 0 where nobody knows how a system call looks. */
unsigned trace_profile(pid_t pid, unsigned long *lens, unsigned max);

/* Let it go on, untraced, and wait for its end. The status. */
int trace_let_go(pid_t pid);

/* SIGKILL it, and reap it. */
void trace_kill(pid_t pid);

#endif
