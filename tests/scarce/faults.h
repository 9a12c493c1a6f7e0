/* SPDX-License-Identifier: MIT */
/*
 * faults.h - system calls that fail when the test says so. Linked with -Wl,--wrap for each of them
 * (local.mk), the library, the broker and the tool run with one call failing: the k-th they make, with
 * each error that the kernel gives there.
 *
 * A program that is not a test is told by the environment: BSTREAM_FAULT=K,E (the E-th error of call
 * number K), and BSTREAM_FAULT_LOG, a file to which it writes that it came, and when it leaves
 * unkilled, how many calls it made.
 */
#ifndef SCARCE_FAULTS_H
#define SCARCE_FAULTS_H

#include <stdbool.h>

/* From now on call number @k of this thread's process (from 0) fails with the @e-th of its errors. */
void faults_arm(long k, int e);

/* No more. What it was that failed: "name: error", or NULL if nothing was reached; static. @more: that
 * call has yet another error. */
const char *faults_disarm(bool *more);

/* Calls made while armed. */
long faults_count(void);

#endif
