/* SPDX-License-Identifier: MIT */
/* check_spin.c - what is learnt from looking, yielding and looking away: the state, never the time that
 * it took; and that who waits yields before he sleeps. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/spin.h"
#include "tests/guard.h"

#define DEEP	4096u
#define SHALLOW 16u

static struct bs_pace pace;
static uint64_t count; /* chunks read so far */

/* The reader has caught up again, @run chunks later. */
static void caught_up(uint64_t run)
{
	count += run;
	bs_pace_away(&pace, count);
}

static void pace_begin(uint32_t capacity)
{
	count = 0;
	bs_pace_init(&pace, capacity);
}

/* Until it looks away: how many catch-ups that took. */
static unsigned until_tried(void)
{
	unsigned n = 0;

	while (pace.away_ns == 0) {
		caught_up(1);
		n++;
		MUST(n <= 100000);
	}
	return n;
}

/* A writer of 20 ns a chunk, in a deep stream. */
static void look_away_long(void)
{
	pace_begin(DEEP);
	until_tried();
	for (int i = 0; i < 20 && pace.away_ns < 3000; i++)
		caught_up(3 + pace.away_ns / 20);
	MUST(pace.away_ns >= 3000);
}

START_TEST(whoever_meets_at_every_chunk_is_tried_more_and_more_rarely)
{
	pace_begin(DEEP);
	unsigned before = until_tried(), n;

	/* A ping-pong: one chunk, whether one looked away or not. */
	for (int i = 0; i < 4; i++, before = n) {
		caught_up(1);
		GIVES(pace.away_ns, 0);
		n = until_tried();
		MUST(n > before);
	}
	for (int i = 0; i < 20; i++) {
		caught_up(1);
		n = until_tried();
	}
	MUST(n <= 1024); /* but never given up for good */
}
END_TEST

START_TEST(short_runs_in_a_deep_stream_lengthen_the_look_away)
{
	pace_begin(DEEP);
	until_tried();
	/* As many chunks as a writer makes in that time at 20 ns each: few at first, and yet it pays. */
	for (uint32_t before = 0; pace.away_ns != before;) {
		before = pace.away_ns;
		caught_up(3 + before / 20);
		MUST(pace.away_ns >= before);
	}
	MUST(pace.away_ns >= 3000); /* runs of some hundred chunks */
	for (int i = 0; i < 10; i++)
		caught_up(3 + pace.away_ns / 60);
	MUST(pace.away_ns <= 8000); /* a slower writer: nobody comes later than that */
}
END_TEST

START_TEST(a_slow_writer_is_not_kept_waiting)
{
	look_away_long();
	/* A chunk in a microsecond: nothing is gained by coming late. */
	for (int i = 0; i < 10 && pace.away_ns != 0; i++)
		caught_up(1 + pace.away_ns / 1000);
	GIVES(pace.away_ns, 0);
}
END_TEST

START_TEST(runs_that_fill_the_stream_shorten_the_look_away)
{
	look_away_long();
	for (uint32_t before = pace.away_ns; before != 0; before = pace.away_ns) {
		caught_up(DEEP / 2 + 1);
		MUST(pace.away_ns < before);
	}
	MUST(until_tried() <= 1024);
}
END_TEST

START_TEST(a_shallow_stream_is_content_with_few_chunks)
{
	pace_begin(SHALLOW);
	until_tried();
	uint32_t first = pace.away_ns;
	for (int i = 0; i < 100; i++)
		caught_up(SHALLOW / 4);
	GIVES(pace.away_ns, first);
	caught_up(SHALLOW / 2 + 1);
	MUST(pace.away_ns < first);
}
END_TEST

START_TEST(looks_that_pay_grow_and_those_that_do_not_stop)
{
	struct bs_spin spin;

	setenv("BSTREAM_SPIN", "50", 1);
	bs_spin_init(&spin);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		GIVES(spin.budget_ns, 0);
		return;
	}
	for (int i = 0; i < 10; i++)
		bs_spin_paid(&spin);
	GIVES(spin.budget_ns, 50000);
	for (int i = 0; i < 10; i++)
		bs_spin_slept(&spin, 1000000);
	GIVES(spin.budget_ns, 0);
	for (int i = 0; i < 1000; i++) { /* long sleeps: looking could not have spared one */
		bs_spin_slept(&spin, 1000000);
		GIVES(spin.budget_ns, 0);
	}
	unsigned n = 0;
	for (; spin.budget_ns == 0 && n < 2000; n++)
		bs_spin_slept(&spin, 1000);
	MUST(n < 2000);
}
END_TEST

START_TEST(told_not_to_spin_it_never_does)
{
	struct bs_spin spin;
	uint64_t began;

	setenv("BSTREAM_SPIN", "0", 1);
	bs_spin_init(&spin);
	for (int i = 0; i < 5000; i++)
		bs_spin_slept(&spin, 1);
	bs_spin_paid(&spin);
	GIVES(spin.budget_ns, 0);
	MUST(!bs_yield_begin(&spin, BSTREAM_FOREVER, &began));
}
END_TEST

/* How many waits go by until one begins with yields. */
static unsigned until_yield(struct bs_spin *spin)
{
	unsigned n = 0;
	uint64_t began;

	while (!bs_yield_begin(spin, BSTREAM_FOREVER, &began)) {
		n++;
		MUST(n <= 100000);
	}
	return n;
}

START_TEST(yields_that_pay_go_on_and_others_become_rare)
{
	struct bs_spin spin;

	unsetenv("BSTREAM_SPIN");
	bs_spin_init(&spin);
	for (int i = 0; i < 10; i++) {
		GIVES(until_yield(&spin), 0);
		bs_yield_end(&spin, true, true);
	}
	unsigned n = 0;
	for (int i = 0; i < 20; i++) { /* nothing came of it */
		bs_yield_end(&spin, false, true);
		MUST(until_yield(&spin) >= n);
		n = spin.yield_every;
	}
	MUST(n >= 8 && n <= 16); /* a yield is cheap */
	for (int i = 0; i < 20; i++) { /* somebody kept the CPU, whatever came of it */
		bs_yield_end(&spin, i % 2 == 0, false);
		MUST(until_yield(&spin) >= n);
		n = spin.yield_every;
	}
	MUST(n >= 1000 && n <= 1024);
	for (int i = 0; i < 7; i++) /* once may have been luck */
		bs_yield_end(&spin, true, true);
	GIVES(until_yield(&spin), 0);
}
END_TEST

/* ---- in a stream ---------------------------------------------------------------------------- */

static struct bstream_writer *w;
static struct bstream_reader *r;
static unsigned n_yields, write_at,
	read_at; /* the yield in which the peer gets its turn; 0: none */

/*
 * While this is set, a microsecond passes from one look at the clock to the next: however long we do not get the CPU,
 * no yield has taken long and no deadline comes. A sleep goes by the kernel's clock.
 */
static bool clock_is_ours;
static struct timespec our_time;

static void clock_take(void)
{
	clock_gettime(CLOCK_MONOTONIC, &our_time);
	clock_is_ours = true;
}

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	if (!clock_is_ours || clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, t);
	our_time.tv_nsec += 1000;
	our_time.tv_sec += our_time.tv_nsec / 1000000000;
	our_time.tv_nsec %= 1000000000;
	*t = our_time;
	return 0;
}

/* The library's calls come here: this program's own goes before libc's. */
int sched_yield(void)
{
	n_yields++;
	if (n_yields == BS_YIELDS && read_at == 0)
		clock_is_ours = false; /* what comes now is a sleep */
	if (n_yields == write_at)
		SAY(w, "late");
	if (n_yields == read_at)
		HEAR(r, "full");
	return 0;
}

static void stream_begin(const char *spin)
{
	if (spin != NULL)
		setenv("BSTREAM_SPIN", spin, 1);
	else
		unsetenv("BSTREAM_SPIN");
	n_yields = write_at = read_at = 0;
	clock_is_ours = false;
	guard_pair(1, 64, &w, &r);
}

static void stream_end(void)
{
	bstream_writer_close(w);
	bstream_reader_close(r);
}

START_TEST(who_waits_yields_and_goes_on_without_a_sleep)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	stream_begin(NULL);
	clock_take();
	write_at = 3;
	guard_hear(__FILE__, __LINE__, r, "late", BSTREAM_FOREVER);
	GIVES(n_yields, 3);
	SAY(w, "full");
	n_yields = write_at = 0;
	read_at = BS_YIELDS;
	GIVES(bstream_write(w, "more", 4, BSTREAM_FOREVER), 0);
	GIVES(n_yields, BS_YIELDS);
	n_yields = read_at = 0;
	write_at = 1; /* it paid, so it is done again */
	HEAR(r, "more");
	guard_hear(__FILE__, __LINE__, r, "late", BSTREAM_FOREVER);
	GIVES(n_yields, 1);
	GIVES(bstream_reader_stat(r, &stat), 0);
	GIVES(stat.writer_waits, 0);
	GIVES(stat.reader_waits, 0);
	stream_end();
}
END_TEST

START_TEST(a_wait_for_nothing_yields_a_few_times)
{
	char buf[64];
	size_t len;

	stream_begin(NULL);
	GIVES(bstream_read(r, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_read(r, buf, sizeof(buf), &len, bstream_after_ms(1)), -ETIMEDOUT);
	GIVES(n_yields, 0); /* that may take longer than there is */
	clock_take();
	GIVES(bstream_read(r, buf, sizeof(buf), &len, bstream_after_ms(20)), -ETIMEDOUT);
	GIVES(n_yields, BS_YIELDS);
	GIVES(bstream_read(r, buf, sizeof(buf), &len, bstream_after_ms(20)), -ETIMEDOUT);
	GIVES(n_yields, BS_YIELDS); /* nothing came of it */
	stream_end();
}
END_TEST

START_TEST(told_not_to_spin_nobody_yields)
{
	char buf[64];
	size_t len;

	stream_begin("0");
	GIVES(bstream_read(r, buf, sizeof(buf), &len, bstream_after_ms(20)), -ETIMEDOUT);
	SAY(w, "full");
	GIVES(bstream_write(w, "more", 4, bstream_after_ms(20)), -ETIMEDOUT);
	GIVES(n_yields, 0);
	stream_end();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(whoever_meets_at_every_chunk_is_tried_more_and_more_rarely),
		ONCE(short_runs_in_a_deep_stream_lengthen_the_look_away),
		ONCE(a_slow_writer_is_not_kept_waiting),
		ONCE(runs_that_fill_the_stream_shorten_the_look_away),
		ONCE(a_shallow_stream_is_content_with_few_chunks),
		ONCE(looks_that_pay_grow_and_those_that_do_not_stop),
		ONCE(told_not_to_spin_it_never_does),
		ONCE(yields_that_pay_go_on_and_others_become_rare),
		ONCE(who_waits_yields_and_goes_on_without_a_sleep),
		ONCE(a_wait_for_nothing_yields_a_few_times),
		ONCE(told_not_to_spin_nobody_yields),
	};

	return GUARD_RUN("spin", cases);
}
