/* SPDX-License-Identifier: MIT */
/*
 * programs.h - bstreamd and bstreamctl, and a broker of the benchmark's own in a directory of its
 * own, so that the user's is neither disturbed nor measured.
 */
#ifndef BENCH_PROGRAMS_H
#define BENCH_PROGRAMS_H

#include "bench/suite.h"

#define PROGRAMS_TMP_MAX 60u

/* Where files go: $TMPDIR, or /tmp where that would make a socket's path too long. */
const char *programs_tmp(void);

/*
 * Start the broker once; later calls find it there. Says on stderr why it cannot. 0 or -errno.
 */
int programs_broker_start(const struct suite *suite);

/* Stop it, if it was started, and remove its directory. */
void programs_broker_stop(void);

/* Beside it one for all users, which is asked from then on until it is stopped. 0 or a negative errno. */
int programs_system_start(void);
void programs_system_stop(void);

/* Where bstreamctl is; "bstreamctl" if only $PATH can tell. Static. */
const char *programs_ctl(const struct suite *suite);

#endif
