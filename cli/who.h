/* SPDX-License-Identifier: MIT */
/* who.h - processes and users by the names people know them by. */
#ifndef CLI_WHO_H
#define CLI_WHO_H

#include <stdbool.h>
#include <stdint.h>

#define WHO_MAX 64 /* bytes that hold any name printed here */

/* What the kernel says a process does, as far as people ask who holds up whom. */
enum who_doing {
	WHO_UNSEEN, /* it is not there, or not to be seen from here */
	WHO_RUNS,
	WHO_SLEEPS,
	WHO_HANGS, /* sleeps in the kernel, and no signal wakes it */
	WHO_STOPPED, /* SIGSTOP, or ^Z */
	WHO_TRACED, /* held by a debugger */
	WHO_EXITED, /* a zombie */
};

enum who_doing who_doing(int32_t pid);
/* Whether it does nothing until somebody else lets it go on. */
bool who_halted(enum who_doing doing);

/* The command of a process, safe to print; "?" if it cannot be known. Returns @buf. */
const char *who_command(char buf[WHO_MAX], int32_t pid);
/* "command[pid]", or "-" for pid 0. Returns @buf. */
const char *who_process(char buf[WHO_MAX], int32_t pid);
/* The user's name, or the number if it has none. Returns @buf. */
const char *who_user(char buf[WHO_MAX], uint32_t uid);

#endif
