/* SPDX-License-Identifier: MIT */
/*
 * users.h - a broker of many users, and two of them: for tests that run as root. Where root or the
 * users cannot be had a test says so and is skipped.
 */
#ifndef USERS_H
#define USERS_H

#include "tests/guard.h"

/* Two who are nobody in particular, a group that both may be in, and one that neither is in. */
#define ANNA	61001
#define BERT	61002
#define BAND	61003
#define STRANGE 61004

/* Exit 77 with the reason, unless this is root and may become others. First thing in main. */
void users_need_root(void);

/* Start bstreamd --system with more options, NULL-terminated; every call here then goes to it. */
void users_broker_start(const char *const *options);
void users_broker_end(void);

/* The same as a service, on a socket that was made for it: the broker is that user's, and not root's. */
void users_broker_start_as(uid_t uid);

/* SIGKILL it and start another on the same socket. */
void users_broker_again(const char *const *options);

/* Do something as that user, alone in his group but for @group, if that is not 0. In a child, which has
 * to come to its end. */
void as_user(uid_t uid, gid_t group, void (*fn)(void *arg), void *arg);

/* The same without waiting for the child, whose pid it returns. */
pid_t as_user_meanwhile(uid_t uid, gid_t group, void (*fn)(void *arg), void *arg);

#endif
