/* SPDX-License-Identifier: MIT */
/*
 * spin.c - the learning half of spinning. Its state is in the handle; the limit is read from the
 * environment once a process.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/spin.h"

#define SPIN_MAX_NS   50000u /* about what a wake-up costs: looking longer cannot win */
#define SPIN_START_NS 20000u
#define SPIN_MIN_NS   1000u /* below this it is none */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t limit_ns;

static void limit_find(void)
{
	const char *set = secure_getenv("BSTREAM_SPIN");
	unsigned long us = SPIN_MAX_NS / 1000;

	if (set != NULL && *set != '\0')
		us = strtoul(set, NULL, 10);
	if (us > 1000000)
		us = 1000000;
	limit_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? (uint32_t)us * 1000u : 0;
}

void bs_spin_init(struct bs_spin *spin)
{
	pthread_once(&once, limit_find);
	spin->max_ns = limit_ns;
	spin->budget_ns = limit_ns < SPIN_START_NS ? limit_ns : SPIN_START_NS;
}

static void budget_double(struct bs_spin *spin)
{
	uint32_t next = spin->budget_ns < SPIN_MIN_NS ? SPIN_MIN_NS : spin->budget_ns * 2;

	spin->budget_ns = next < spin->max_ns ? next : spin->max_ns;
}

void bs_spin_paid(struct bs_spin *spin)
{
	budget_double(spin);
}

void bs_spin_slept(struct bs_spin *spin, uint64_t slept_ns)
{
	if (slept_ns < spin->max_ns)
		budget_double(spin);
	else
		spin->budget_ns = spin->budget_ns < SPIN_MIN_NS ? 0 : spin->budget_ns / 2;
}
