/* SPDX-License-Identifier: MIT */
/*
 * targets.h - the ratios that were asked for, and what came out.
 */
#ifndef BENCH_TARGETS_H
#define BENCH_TARGETS_H

#include <stdio.h>

#include "bench/suite.h"

/* Have no more measured than the targets of the cases asked for need. */
void targets_narrow(struct settings *set);

/* Print every target with its measured ratio. Returns how many were measured and missed. */
unsigned targets_report(FILE *f, const struct suite *suite);

#endif
