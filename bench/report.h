/* SPDX-License-Identifier: MIT */
/*
 * report.h - what is printed and written of a run.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "bench/suite.h"

/* The machine and the versions: two phrases, with text around them. */
void report_machine(FILE *f, const char *before, const char *between, const char *after);

/* A case: a table for each point but for its transport: medians, and the spread of the first column. */
void report_tables(FILE *f, const struct suite *suite, const struct kase *k);

/* Every round, those that do not count included. 0 or -errno. */
int report_csv(const char *path, const struct suite *suite);

/* Medians, spreads and rounds of every point. 0 or -errno. */
int report_json(const char *path, const struct suite *suite);

#endif
