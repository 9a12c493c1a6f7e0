/* SPDX-License-Identifier: MIT */
/*
 * load.c - foreign load, by /proc/stat: all that was busy less what was ours.
 *
 * /proc/stat counts in ticks of 10 ms and samples, so that a round of 200 ms on two CPUs is known
 * to some 5 %: enough to tell a compiler next door from silence.
 */
#include "bench/load.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/clock.h"

void load_read(struct load *l)
{
	unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
	uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	FILE *f = fopen("/proc/stat", "re");

	memset(l, 0, sizeof(*l));
	if (!f)
		return;
	if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
		   &iowait, &irq, &softirq, &steal) == 8) {
		l->wall_ns = now_ns();
		l->busy_ns = (user + nice + system + irq + softirq + steal) * tick_ns;
	}
	fclose(f);
}

double load_foreign(const struct load *from, const struct load *to, uint64_t own_ns)
{
	uint64_t busy = to->busy_ns - from->busy_ns, wall = to->wall_ns - from->wall_ns;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (wall == 0 || busy <= own_ns)
		return 0;
	return (double)(busy - own_ns) / ((double)wall * (double)(cpus > 0 ? cpus : 1));
}
