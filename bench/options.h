/* SPDX-License-Identifier: MIT */
/*
 * options.h - the command line.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "bench/suite.h"

enum mode { MODE_RUN, MODE_TARGETS, MODE_LIST };

/* Read the command line; prints what is wrong, or help, and exits if there is nothing to do. */
enum mode options_parse(struct settings *set, int argc, char **argv);

#endif
