/* SPDX-License-Identifier: MIT */
/*
 * log.h - what the broker says on standard error: that it starts, that it stops, and who misbehaves.
 * Where that is the journal each line begins with its priority. Never waits for whoever reads it.
 */
#ifndef BSTREAMD_LOG_H
#define BSTREAMD_LOG_H

#include <stdint.h>
#include <sys/types.h>
#include <syslog.h> /* LOG_ERR and the like */

/* Is it the journal that listens? Once, at start. */
void log_init(void);

/* One line, cut off at 1 kB. */
void log_say(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same of what a client did wrong: "uid 7 (pid 9): ...". Of one user a few lines in half a minute,
 * and of all users some more; then how many were left out. */
void log_blame(uid_t uid, pid_t pid, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* When it is to be said how many were left out: CLOCK_MONOTONIC ns, or UINT64_MAX. And say it. */
uint64_t log_due(void);
void log_run(void);

/* Say it now, for all. */
void log_flush(void);

#endif
