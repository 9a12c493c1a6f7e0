/* SPDX-License-Identifier: MIT */
/*
 * check_storm.c - signals at a high rate without SA_RESTART, and a wall clock that jumps by years, through
 * whole transfers and every call that waits: nobody is told of it, no deadline moves.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "proto/hint.h"
#include "tests/guard.h"

#define CHUNKS	 3000u
#define EVERY_US 150

static _Atomic unsigned n_signals;

static void on_alarm(int sig)
{
	(void)sig;
	n_signals++;
}

/*
 * In this process; a child of fork has to call it anew. The handler is there before anything ticks.
 * ITIMER_REAL is the guard's deadline: what also ticks for who sleeps is the timer given back.
 */
static timer_t storm_begin(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval busy = { { 0, EVERY_US }, { 0, EVERY_US } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec every = { { 0, EVERY_US * 1000 }, { 0, EVERY_US * 1000 } };
	timer_t timer;

	MUST(sigaction(SIGPROF, &sa, NULL) == 0 && sigaction(SIGUSR1, &sa, NULL) == 0);
	MUST(setitimer(ITIMER_PROF, &busy, NULL) == 0);
	MUST(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	MUST(timer_settime(timer, 0, &every, NULL) == 0);
	return timer;
}

/* The wall clock, at each look somewhere else. Everything else is as it is. */
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	static _Atomic long n;
	int rc = __real_clock_gettime(clock, t);

	if (rc == 0 && clock == CLOCK_REALTIME)
		t->tv_sec += (n++ % 2 ? 1 : -1) * 10L * 365 * 86400;
	return rc;
}

static void reader_of_all(struct bstream_reader *r, void *arg)
{
	timer_t timer = storm_begin();

	(void)arg;
	for (uint32_t i = 0; i < CHUNKS; i++) {
		uint32_t got = ~i;
		size_t len;

		GIVES(bstream_read(r, &got, sizeof(got), &len, guard_patience()), 1);
		MUST(got == i);
	}
	GIVES(guard_read(r, guard_patience()), 0);
	timer_delete(timer);
	bstream_reader_close(r);
}

START_TEST(a_transfer_in_a_storm_of_signals_loses_nothing)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	struct guard_peer peer;

	guard_pair(2, 64, &w, &r);
	guard_reader_away(&peer, BY_PROCESS, r, reader_of_all, NULL);
	timer_t timer = storm_begin();
	for (uint32_t i = 0; i < CHUNKS; i++)
		GIVES(bstream_write(w, &i, sizeof(i), guard_patience()), 0);
	GIVES(bstream_drain(w, guard_patience()), 0);
	timer_delete(timer);
	bstream_writer_close(w);
	guard_join(&peer);
	MUST(n_signals > 0);
}
END_TEST

static int see(const struct bstream_stat *stat, void *arg)
{
	*(int *)arg += strcmp(stat->name, "s") == 0;
	return 0;
}

START_TEST(a_broker_is_found_and_asked_in_a_storm_of_signals)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_writer *w;
	struct bstream_reader *r;
	int n = 0;

	timer_t timer = storm_begin();
	GIVES(bstream_broker_start(), 0);
	for (int i = 0; i < 20; i++) {
		GIVES(bstream_create("s", NULL), 0);
		GIVES(bstream_open_writer("s", guard_patience(), &w), 0);
		GIVES(bstream_open_reader("s", guard_patience(), &r), 0);
		SAY(w, "through");
		HEAR(r, "through");
		GIVES(bstream_stat("s", &stat), 0);
		GIVES(bstream_list(see, &n), 0);
		GIVES(bstream_wait("never", BSTREAM_WAIT_EXISTS, bstream_after_ms(2)), -ETIMEDOUT);
		bstream_writer_close(w);
		bstream_reader_close(r);
		int rc = bstream_remove("s");
		MUST(rc == 0 || rc == -ENOENT);
	}
	GIVES(n, 20);
	timer_delete(timer);
}
END_TEST

/* No wait ends before its deadline, or because of a signal, or of what the clock on the wall says. */
START_TEST(a_deadline_is_kept_whatever_the_clock_on_the_wall_says)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	char buf[8];
	size_t len;

	guard_pair(1, 64, &w, &r);
	timer_t timer = storm_begin();
	uint64_t until = bstream_after_ms(30);
	GIVES(bstream_read(r, buf, sizeof(buf), &len, until), -ETIMEDOUT);
	MUST(bs_now() >= until);
	SAY(w, "a");
	until = bstream_after_ms(30);
	GIVES(bstream_write(w, "b", 1, until), -ETIMEDOUT);
	MUST(bs_now() >= until);
	until = bstream_after_ms(30);
	GIVES(bstream_drain(w, until), -ETIMEDOUT);
	MUST(bs_now() >= until);
	timer_delete(timer);
	bstream_writer_close(w);
	bstream_reader_close(r);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_transfer_in_a_storm_of_signals_loses_nothing),
		ONCE(a_broker_is_found_and_asked_in_a_storm_of_signals),
		ONCE(a_deadline_is_kept_whatever_the_clock_on_the_wall_says),
	};

	guard_need_broker();
	return GUARD_RUN("storm", cases);
}
