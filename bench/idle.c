/* SPDX-License-Identifier: MIT */
/*
 * idle.c - CPU time and sleeps of other processes, by their CPU clocks and /proc.
 */
#include "bench/idle.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/clock.h"

static uint64_t thread_sleeps(pid_t pid, const char *tid)
{
	char path[64], line[128];
	unsigned long long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", (int)pid, tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1)
			break;
	fclose(f);
	return n;
}

static uint64_t process_sleeps(pid_t pid)
{
	char path[64];
	uint64_t n = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		return 0;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			n += thread_sleeps(pid, e->d_name);
	closedir(d);
	return n;
}

static uint64_t process_cpu_ns(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void idle_read(struct idle *idle, const pid_t *pids, unsigned n)
{
	memset(idle, 0, sizeof(*idle));
	idle->wall_ns = now_ns();
	for (unsigned i = 0; i < n; i++) {
		idle->cpu_ns += process_cpu_ns(pids[i]);
		idle->sleeps += process_sleeps(pids[i]);
	}
}
