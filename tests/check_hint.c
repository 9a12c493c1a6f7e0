/* SPDX-License-Identifier: MIT */
/* check_hint.c - flags and wake-ups: never a count, never lost, and no harm when too many. */
#include <limits.h>
#include <pthread.h>

#include "proto/hint.h"
#include "tests/guard.h"

static _Atomic uint64_t wake_at;
static _Atomic uint32_t gen;
static _Atomic uint32_t awake;
static sem_t sem;
static const struct bs_hint trusting = { &wake_at, &sem, &gen }, sealed = { &wake_at, NULL, &gen };
#define EITHER_KIND(test) N_WAYS(test, 2)
#define KIND		  (_i == 0 ? &trusting : &sealed)

START_TEST(a_flag_is_the_lowest_count_asked_for)
{
	hint_raise(&wake_at, 10);
	hint_raise(&wake_at, 12);
	GIVES(hint_look(&wake_at), 10);
	hint_raise(&wake_at, 3);
	GIVES(hint_look(&wake_at), 3);
	MUST(hint_take(&wake_at));
	MUST(!hint_take(&wake_at));
	GIVES(hint_look(&wake_at), 0);
}
END_TEST

START_TEST(a_sleep_ends_at_its_time_or_by_a_wake_up)
{
	const struct bs_hint *hint = KIND;
	uint64_t until = bs_now() + BS_MS(10);
	uint32_t seen;

	MUST(sem_init(&sem, 1, 0) == 0);
	MUST(!bs_hint_sleep(hint, bs_hint_seen(hint), until));
	MUST(bs_now() >= until);
	MUST(!bs_hint_sleep(hint, bs_hint_seen(hint), 1)); /* long past */
	seen = bs_hint_seen(hint);
	bs_hint_post(hint);
	MUST(bs_hint_sleep(hint, seen, guard_patience()));
	MUST(!bs_hint_sleep(hint, bs_hint_seen(hint), 1));
}
END_TEST

START_TEST(who_sleeps_behind_a_flag_that_is_down_is_roused)
{
	const struct bs_hint *hint = KIND;
	uint32_t seen = bs_hint_seen(hint);

	MUST(sem_init(&sem, 1, 0) == 0);
	bs_hint_rouse(hint);
	MUST(bs_hint_sleep(hint, seen, guard_patience()));
	seen = bs_hint_seen(hint);
	for (int i = 0; i < 1000; i++)
		bs_hint_rouse(hint);
	MUST(bs_hint_sleep(hint, seen, guard_patience()));
	bs_hint_drain(hint);
	MUST(!bs_hint_sleep(hint, bs_hint_seen(hint), 1));
}
END_TEST

static void *sleep_once(void *hint)
{
	uint32_t seen = bs_hint_seen(hint);

	atomic_fetch_add(&awake, 1);
	return bs_hint_sleep(hint, seen, guard_patience()) ? NULL : (void *)1;
}

START_TEST(each_post_wakes_one_of_those_who_sleep)
{
	struct bs_hint hint = *KIND;
	pthread_t threads[4];
	void *late;

	MUST(sem_init(&sem, 1, 0) == 0);
	for (int i = 0; i < 4; i++)
		MUST(pthread_create(&threads[i], NULL, sleep_once, &hint) == 0);
	UNTIL(atomic_load(&awake) == 4);
	for (int i = 0; i < 4; i++) {
		/* Whoever is not asleep yet finds the post, or that the generation has moved on. */
		bs_hint_post(&hint);
	}
	for (int i = 0; i < 4; i++) {
		MUST(pthread_join(threads[i], &late) == 0);
		MUST(late == NULL);
	}
}
END_TEST

static _Atomic bool stop;

static void *scribble(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		gen_bump(&gen); /* and wakes nobody */
	return NULL;
}

START_TEST(a_scribbled_generation_ends_a_sleep_and_cannot_prolong_it)
{
	pthread_t thread;
	uint64_t until;

	/* Changed behind the sleeper's back, without a wake-up: it sleeps on, but not beyond its time. */
	until = bs_now() + BS_MS(20);
	uint32_t seen = bs_hint_seen(&sealed);
	atomic_fetch_sub(&gen, 5);
	MUST(bs_hint_sleep(&sealed, seen, until)); /* EAGAIN: look again */
	MUST(pthread_create(&thread, NULL, scribble, NULL) == 0);
	while (bs_hint_sleep(&sealed, bs_hint_seen(&sealed), until))
		;
	MUST(bs_now() >= until);
	atomic_store(&stop, true);
	MUST(pthread_join(thread, NULL) == 0);
	/* Set back to what the sleeper had seen: a slice is lost, no more. */
	until = bs_now() + BS_MS(20);
	MUST(!bs_hint_sleep(&sealed, bs_hint_seen(&sealed), until));
	MUST(bs_now() >= until);
}
END_TEST

START_TEST(a_word_that_cannot_be_slept_on_is_looked_at_no_more_often_than_needed)
{
	struct bs_hint nowhere = { &wake_at, NULL, (_Atomic uint32_t *)(uintptr_t)16 };
	uint64_t until = bs_now() + BS_MS(20);
	unsigned n = 0;

	while (bs_hint_sleep(&nowhere, 0, until)) /* EFAULT */
		n++;
	MUST(bs_now() >= until);
	MUST(n <= 20);
}
END_TEST

START_TEST(a_bad_semaphore_is_only_a_short_sleep)
{
	MUST(sem_init(&sem, 1, SEM_VALUE_MAX) == 0);
	hint_raise(&wake_at, 1);
	bs_hint_post(&trusting); /* EOVERFLOW: nothing happens */
	MUST(bs_hint_sleep(&trusting, 0, guard_patience()));
}
END_TEST

static void *watch(void *arg)
{
	uint32_t seen = gen_look(&gen);

	(void)arg;
	while (gen_look(&gen) == seen) {
		hint_raise(&wake_at, 1);
		atomic_fetch_or(&awake, 0); /* … and look again */
		if (!bs_watch_sleep(&gen, seen, guard_patience()))
			return (void *)1;
	}
	atomic_fetch_add(&awake, 1);
	return NULL;
}

START_TEST(a_watch_wakes_all_who_sleep_there)
{
	pthread_t threads[4];
	void *late;

	for (int i = 0; i < 4; i++)
		MUST(pthread_create(&threads[i], NULL, watch, NULL) == 0);
	UNTIL((bs_watch_wake(&wake_at, &gen), atomic_load(&awake) == 4));
	for (int i = 0; i < 4; i++) {
		MUST(pthread_join(threads[i], &late) == 0);
		MUST(late == NULL);
	}
}
END_TEST

START_TEST(a_watch_that_has_moved_on_is_no_sleep)
{
	MUST(bs_watch_sleep(&gen, gen_look(&gen) + 1, guard_patience()));
	MUST(!bs_watch_sleep(&gen, gen_look(&gen), bs_now() + BS_MS(5)));
}
END_TEST

START_TEST(a_heavy_barrier_may_be_made_once_registered)
{
	GIVES(bs_barrier_register(), 0);
	GIVES(bs_barrier_register(), 0);
	bs_barrier_heavy(false);
	bs_barrier_heavy(true);
}
END_TEST

START_TEST(a_deadline_says_when)
{
	uint64_t now = bs_now();

	MUST(bstream_after_ms(0) >= now && bstream_after_ms(0) <= bs_now());
	MUST(bstream_after_ms(-1) <= bs_now() && bstream_after_ms(INT64_MIN) != BSTREAM_DONT_WAIT);
	MUST(bstream_after_ms(1000) >= now + BS_MS(1000));
	MUST(bstream_after_ms(INT64_MAX) == BSTREAM_FOREVER);
	MUST(bstream_after_ms(INT64_MAX / 1000000) != 0);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_flag_is_the_lowest_count_asked_for),
		EITHER_KIND(a_sleep_ends_at_its_time_or_by_a_wake_up),
		EITHER_KIND(who_sleeps_behind_a_flag_that_is_down_is_roused),
		EITHER_KIND(each_post_wakes_one_of_those_who_sleep),
		ONCE(a_scribbled_generation_ends_a_sleep_and_cannot_prolong_it),
		ONCE(a_word_that_cannot_be_slept_on_is_looked_at_no_more_often_than_needed),
		ONCE(a_bad_semaphore_is_only_a_short_sleep),
		ONCE(a_watch_wakes_all_who_sleep_there),
		ONCE(a_watch_that_has_moved_on_is_no_sleep),
		ONCE(a_heavy_barrier_may_be_made_once_registered),
		ONCE(a_deadline_says_when),
	};

	return GUARD_RUN("hint", cases);
}
