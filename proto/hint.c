/* SPDX-License-Identifier: MIT */
/*
 * hint.c - the cold half of sleeping and waking: barriers, clocks, semaphores and futexes. Every
 * errno of a wait or a post is taken for "look again": what is in a semaphore is a peer's as much as
 * ours, and nothing is counted with it.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proto/hint.h"

void bs_barrier_heavy(bool fences)
{
	/* The kernel cannot refuse it to one who has registered; the fence is for our own side. */
	fence_full();
	if (!fences)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
}

int bs_barrier_register(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) < 0)
		return -EOPNOTSUPP;
	return 0;
}

static uint64_t clock_read(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bs_now(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

uint64_t bs_now_coarse(void)
{
	return clock_read(CLOCK_MONOTONIC_COARSE);
}

void bs_hint_drain(sem_t *sem)
{
	for (int i = 0; i < 10000 && sem_trywait(sem) == 0; i++)
		;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
				  .tv_nsec = (long)(ns % 1000000000u) };
}

bool bs_hint_sleep(sem_t *sem, uint64_t until)
{
	struct timespec t = timespec_of(until);

	if (sem_clockwait(sem, CLOCK_MONOTONIC, &t) == 0 || errno == EINTR)
		return true;
	return errno != ETIMEDOUT && bs_now() < until;
}

void bs_hint_wake(_Atomic uint64_t *wake_at, sem_t *sem)
{
	if (hint_take(wake_at))
		sem_post(sem); /* EOVERFLOW: there are posts enough */
}

bool bs_watch_sleep(_Atomic uint32_t *gen, uint32_t seen, uint64_t until)
{
	struct timespec t = timespec_of(until);

	if (syscall(SYS_futex, gen, FUTEX_WAIT_BITSET, seen, &t, NULL, FUTEX_BITSET_MATCH_ANY) == 0)
		return true;
	return errno != ETIMEDOUT && bs_now() < until;
}

void bs_watch_rouse(_Atomic uint32_t *gen)
{
	gen_bump(gen);
	syscall(SYS_futex, gen, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void bs_watch_wake(_Atomic uint64_t *watch_at, _Atomic uint32_t *gen)
{
	if (hint_take(watch_at))
		bs_watch_rouse(gen);
}
