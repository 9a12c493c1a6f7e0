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
	uint64_t until = bs_now() + BS_MS(10);

	MUST(sem_init(&sem, 1, 0) == 0);
	MUST(!bs_hint_sleep(&sem, until));
	MUST(bs_now() >= until);
	MUST(!bs_hint_sleep(&sem, 1)); /* long past */
	hint_raise(&wake_at, 1);
	bs_hint_wake(&wake_at, &sem);
	bs_hint_wake(&wake_at, &sem); /* the flag is down: no second post */
	MUST(bs_hint_sleep(&sem, guard_patience()));
	MUST(!bs_hint_sleep(&sem, 1));
}
END_TEST

START_TEST(a_bad_semaphore_is_only_a_short_sleep)
{
	MUST(sem_init(&sem, 1, SEM_VALUE_MAX) == 0);
	hint_raise(&wake_at, 1);
	bs_hint_wake(&wake_at, &sem); /* EOVERFLOW: nothing happens */
	MUST(bs_hint_sleep(&sem, guard_patience()));
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
		ONCE(a_sleep_ends_at_its_time_or_by_a_wake_up),
		ONCE(a_bad_semaphore_is_only_a_short_sleep),
		ONCE(a_watch_wakes_all_who_sleep_there),
		ONCE(a_watch_that_has_moved_on_is_no_sleep),
		ONCE(a_heavy_barrier_may_be_made_once_registered),
		ONCE(a_deadline_says_when),
	};

	return GUARD_RUN("hint", cases);
}
