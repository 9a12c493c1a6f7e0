/* SPDX-License-Identifier: MIT */
/*
 * hint.c - the cold half of sleeping and waking: barriers, clocks, semaphores and futexes. Every
 * errno of a wait or a post is taken for "look again": what is in a semaphore or behind a futex is a
 * peer's as much as ours, and nothing is counted with it. Every sleep has an end of its own, which the
 * kernel keeps and no peer can move.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proto/hint.h"

#define NAP_NS	  BS_MS(1) /* where the kernel refuses to let us sleep on a word */
#define POSTS_MAX 64 /* more posts than this are not left behind, however often somebody looks */

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

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
				  .tv_nsec = (long)(ns % 1000000000u) };
}

/* ---- a futex on a generation ---------------------------------------------------------------- */

/* Sleep while the generation is @seen. The kernel says EAGAIN if it is not; whoever changed it has
 * published before, so that the caller will see it. */
static bool gen_sleep(_Atomic uint32_t *gen, uint32_t seen, uint64_t until)
{
	struct timespec t = timespec_of(until);

	if (syscall(SYS_futex, gen, FUTEX_WAIT_BITSET, seen, &t, NULL, FUTEX_BITSET_MATCH_ANY) == 0)
		return true;
	if (errno == ETIMEDOUT)
		return false;
	if (errno != EAGAIN && errno != EINTR) {
		uint64_t now = bs_now();

		t = timespec_of(now + NAP_NS < until ? now + NAP_NS : until);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	}
	return bs_now() < until;
}

static void gen_wake(_Atomic uint32_t *gen, int n)
{
	gen_bump(gen);
	syscall(SYS_futex, gen, FUTEX_WAKE, n, NULL, NULL, 0);
}

/* ---- hints ---------------------------------------------------------------------------------- */

uint32_t bs_hint_seen(const struct bs_hint *hint)
{
	return gen_look(hint->gen);
}

bool bs_hint_sleep(const struct bs_hint *hint, uint32_t seen, uint64_t until)
{
	struct timespec t = timespec_of(until);

	if (hint->sem == NULL)
		return gen_sleep(hint->gen, seen, until);
	if (sem_clockwait(hint->sem, CLOCK_MONOTONIC, &t) == 0 || errno == EINTR)
		return true;
	return errno != ETIMEDOUT && bs_now() < until;
}

void bs_hint_post(const struct bs_hint *hint)
{
	if (hint->sem == NULL)
		gen_wake(hint->gen, 1);
	else
		sem_post(hint->sem); /* EOVERFLOW: there are posts enough */
}

/* Post in any case: who was woken, or was about to wake, may have died with the flag down, and whoever
 * sleeps behind it would sit out his slice. */
void bs_hint_rouse(const struct bs_hint *hint)
{
	int peer_posts = 0;

	hint_take(hint->wake_at);
	if (hint->sem == NULL)
		gen_wake(hint->gen, INT_MAX);
	else if (sem_getvalue(hint->sem, &peer_posts) == 0 && peer_posts < POSTS_MAX)
		sem_post(hint->sem);
}

void bs_hint_drain(const struct bs_hint *hint)
{
	if (hint->sem == NULL)
		return; /* a generation keeps no posts */
	for (int i = 0; i < 10000 && sem_trywait(hint->sem) == 0; i++)
		;
}

/* ---- a place where all wake ----------------------------------------------------------------- */

bool bs_watch_sleep(_Atomic uint32_t *gen, uint32_t seen, uint64_t until)
{
	return gen_sleep(gen, seen, until);
}

void bs_watch_rouse(_Atomic uint32_t *gen)
{
	gen_wake(gen, INT_MAX);
}

void bs_watch_wake(_Atomic uint64_t *watch_at, _Atomic uint32_t *gen)
{
	if (hint_take(watch_at))
		bs_watch_rouse(gen);
}
