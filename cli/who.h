/* SPDX-License-Identifier: MIT */
/* who.h - processes and users by the names people know them by. */
#ifndef CLI_WHO_H
#define CLI_WHO_H

#include <stdint.h>

#define WHO_MAX 64 /* bytes that hold any name printed here */

/* The command of a process, safe to print; "?" if it cannot be known. Returns @buf. */
const char *who_command(char buf[WHO_MAX], int32_t pid);
/* "command[pid]", or "-" for pid 0. Returns @buf. */
const char *who_process(char buf[WHO_MAX], int32_t pid);
/* The user's name, or the number if it has none. Returns @buf. */
const char *who_user(char buf[WHO_MAX], uint32_t uid);

#endif
