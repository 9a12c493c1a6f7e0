/* SPDX-License-Identifier: MIT */
/*
 * spin.c - the learning half of spinning, yielding and looking away. Its state is in the handle; the limit
 * is read from the environment once a process.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/spin.h"
#include "proto/hint.h"

#define SPIN_MAX_NS	50000u /* about what a wake-up costs: looking longer cannot win */
#define SPIN_START_NS	20000u
#define SPIN_MIN_NS	1000u /* below this it is none */
#define SHORT_FIRST	4u /* short sleeps in a row before a look is tried again */
#define SHORT_MOST	1024u
#define YIELD_LONG_NS	500000u /* somebody has taken the CPU for much longer than a peer would */
#define YIELD_MARGIN_NS BS_MS(5) /* before a deadline: so long somebody may take it */
#define YIELD_SELDOM	15u /* waits between two tries where nothing came of it */
#define YIELD_RAREST	1023u /* where it took long */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t limit_ns;
static bool told_never;

static void limit_find(void)
{
	const char *set = secure_getenv("BSTREAM_SPIN");
	unsigned long us = SPIN_MAX_NS / 1000;

	if (set != NULL && *set != '\0')
		us = strtoul(set, NULL, 10);
	if (us > 1000000)
		us = 1000000;
	told_never = us == 0;
	limit_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? (uint32_t)us * 1000u : 0;
}

void bs_spin_init(struct bs_spin *spin)
{
	pthread_once(&once, limit_find);
	spin->max_ns = limit_ns;
	spin->budget_ns = limit_ns < SPIN_START_NS ? limit_ns : SPIN_START_NS;
	spin->short_sleeps = 0;
	spin->short_enough = SHORT_FIRST;
	spin->may_yield = !told_never;
	spin->yield_after = spin->yield_every = 0;
}

static void budget_double(struct bs_spin *spin)
{
	uint32_t next = spin->budget_ns < SPIN_MIN_NS ? SPIN_MIN_NS : spin->budget_ns * 2;

	spin->budget_ns = next < spin->max_ns ? next : spin->max_ns;
}

void bs_spin_paid(struct bs_spin *spin)
{
	budget_double(spin);
	spin->short_enough = SHORT_FIRST;
}

uint64_t bs_spin_end(const struct bs_spin *spin, uint64_t deadline)
{
	uint64_t end = bs_now() + spin->budget_ns;

	return end < deadline ? end : deadline;
}

void bs_spin_slept(struct bs_spin *spin, uint64_t slept_ns)
{
	if (spin->budget_ns != 0) {
		spin->budget_ns /= 2;
		if (spin->budget_ns >= SPIN_MIN_NS)
			return;
		spin->budget_ns = 0;
		spin->short_sleeps = 0;
		if (spin->short_enough < SHORT_MOST)
			spin->short_enough *= 2;
	} else if (slept_ns >= spin->max_ns) {
		spin->short_sleeps = 0;
	} else if (++spin->short_sleeps >= spin->short_enough) {
		spin->short_sleeps = 0;
		spin->budget_ns = spin->max_ns < SPIN_START_NS ? spin->max_ns : SPIN_START_NS;
	}
}

/* ---- yielding ------------------------------------------------------------------------------- */

bool bs_yield_begin(struct bs_spin *spin, uint64_t deadline, uint64_t *beganp)
{
	if (!spin->may_yield)
		return false;
	if (spin->yield_after != 0) {
		spin->yield_after--;
		return false;
	}
	*beganp = bs_now();
	return *beganp < deadline && deadline - *beganp >= YIELD_MARGIN_NS;
}

bool bs_yield_now(void)
{
	uint64_t began = bs_now();

	sched_yield();
	return bs_now() - began < YIELD_LONG_NS;
}

void bs_yield_end(struct bs_spin *spin, bool there, bool soon)
{
	uint32_t rarest = soon ? YIELD_SELDOM : YIELD_RAREST;

	if (there && soon)
		spin->yield_every = spin->yield_every > YIELD_SELDOM ? spin->yield_every / 2 : 0;
	else if (spin->yield_every < rarest)
		spin->yield_every = spin->yield_every * 2 + 1;
	spin->yield_after = spin->yield_every;
}

/* ---- looking away --------------------------------------------------------------------------- */

#define AWAY_FIRST_NS 100u
#define AWAY_MAX_NS   8000u
#define WORTH_NS      256u /* a chunk, after a moment away: a slower writer was not worth it */
#define RUN_TOP	      256u /* chunks: more is not worth the delay */
#define TRY_FIRST     16u
#define TRY_RAREST    1024u

void bs_pace_init(struct bs_pace *pace, uint32_t capacity)
{
	*pace = (struct bs_pace){ .until_try = TRY_FIRST, .try_every = TRY_FIRST };
	pace->run_min = capacity / 8 < 3 ? 3 : capacity / 8 > RUN_TOP ? RUN_TOP : capacity / 8;
	pace->run_max = capacity / 2;
}

static void away_for(uint32_t ns)
{
	uint64_t until = bs_now() + ns;

	while (bs_now() < until)
		;
}

/* It did not pay: try again, but more rarely. */
static void pace_give_up(struct bs_pace *pace)
{
	pace->away_ns = 0;
	if (pace->try_every < TRY_RAREST)
		pace->try_every *= 2;
	pace->until_try = pace->try_every;
}

static void pace_learn(struct bs_pace *pace, uint64_t run)
{
	if (run < 3 + pace->away_ns / WORTH_NS) {
		pace_give_up(pace);
	} else if (run > pace->run_max) {
		pace->away_ns /= 2; /* the other side was kept waiting */
		if (pace->away_ns < AWAY_FIRST_NS)
			pace_give_up(pace);
	} else if (run < pace->run_min) {
		pace->away_ns = pace->away_ns * 2 < AWAY_MAX_NS ? pace->away_ns * 2 : AWAY_MAX_NS;
	} else {
		pace->try_every = TRY_FIRST;
	}
}

void bs_pace_away(struct bs_pace *pace, uint64_t count)
{
	uint64_t run = count - pace->since;

	pace->since = count;
	if (pace->away_ns != 0)
		pace_learn(pace, run);
	else if (--pace->until_try == 0)
		pace->away_ns = AWAY_FIRST_NS;
	if (pace->away_ns != 0)
		away_for(pace->away_ns);
}
