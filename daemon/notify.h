/* SPDX-License-Identifier: MIT */
/*
 * notify.h - talking with the service manager that has started us, if one has: what it gives at the
 * start (LISTEN_FDS), and what it wants to hear (NOTIFY_SOCKET).
 */
#ifndef BSTREAMD_NOTIFY_H
#define BSTREAMD_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_NAME_MAX 255 /* bytes in a descriptor's name: the manager's limit */

/* Descriptors given at the start: 3, 4, … */
#define NOTIFY_FIRST_FD 3

/*
 * Read the environment, once, before there are threads, and take those variables out of it. How many
 * descriptors were given; each is close-on-exec from now on. Not to be called by a broker that a
 * program started: the variables are then meant for that program.
 */
int notify_init(void);

/* What descriptor NOTIFY_FIRST_FD + @i is called; "" if it was given no name. Borrowed. */
const char *notify_fd_name(int i);

/* Is there a manager that listens? */
bool notify_is_heard(void);

/* Tell it: "READY=1" and the like, as of sd_notify(3). Where it is not heard, or does not listen within
 * a second: false. */
bool notify_say(const char *text);

/* Have it keep a descriptor (borrowed) under a name; have it forget all of that name. */
bool notify_keep(const char *name, int fd);
bool notify_forget(const char *name);

/* How often it wants to hear that we live, ns; 0: never. */
uint64_t notify_watchdog_ns(void);

#endif
