/* SPDX-License-Identifier: MIT */
/*
 * load.h - how much the machine did in a while that was not ours.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdint.h>

struct load {
	uint64_t wall_ns;
	uint64_t busy_ns; /* of all CPUs, what was stolen from the guest included */
};

/* Read the clocks now; all zero where /proc/stat cannot be read. */
void load_read(struct load *l);

/*
 * The share of the machine's time between @from and @to that went to others: neither idle nor in
 * the @own_ns of CPU time that the round's processes used. 0 to 1.
 */
double load_foreign(const struct load *from, const struct load *to, uint64_t own_ns);

#endif
