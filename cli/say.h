/* SPDX-License-Identifier: MIT */
/* say.h - the lines bstreamctl prints on stderr. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include <stddef.h>

enum say_level { SAY_QUIET, SAY_FAILURES, SAY_NOTES };

/* How much to say from now on: nothing (-q), failures, or notes too (-v). */
void say_set_level(enum say_level level);

/* "bstreamctl: @about: ..." for a failure; silent under -q. */
void say_failure(const char *about, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for wrong usage, which is said under -q too. Returns exit code 2. */
int say_usage(const char *about, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what is going on; only under -v. */
void say_note(const char *about, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies @text so that a terminal shows it and does nothing else with it. Returns @buf. */
const char *say_safely(char *buf, size_t size, const char *text);
/* The same for @len bytes, zero bytes among them. */
const char *say_safely_bytes(char *buf, size_t size, const void *bytes, size_t len);

#endif
