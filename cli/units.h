/* SPDX-License-Identifier: MIT */
/* units.h - sizes, times and rates as people write and read them. */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNITS_MAX  24 /* bytes that hold any text printed here */
#define NO_TIMEOUT (-1) /* a timeout that was not given */

/* Reads "64K", "1M" (1024) or "64kB", "1MB" (1000); false if @text is not a size. */
bool units_size(const char *text, uint64_t *bytesp);
/* Reads "250ms", "5s", "2m", "1.5" (seconds) into nanoseconds; false if @text is not a time. */
bool units_time(const char *text, int64_t *nsp);
/* Reads a decimal number of at most @max; false if @text is not one. */
bool units_number(const char *text, uint64_t max, uint64_t *numberp);

/* Prints bytes with three digits and an IEC unit: "1.42 GiB". Returns @buf. */
const char *units_print_size(char buf[UNITS_MAX], uint64_t bytes);
/* Prints bytes a second: "318 MiB/s", or "0". Returns @buf. */
const char *units_print_rate(char buf[UNITS_MAX], uint64_t bytes_per_s);
/* Prints a time as one number and one unit, without a blank for columns: "2m". Returns @buf. */
const char *units_print_age(char buf[UNITS_MAX], uint64_t ns);
/* As units_print_age, for sentences: "41 s". Returns @buf. */
const char *units_print_time(char buf[UNITS_MAX], uint64_t ns);

/* @part of @ns nanoseconds as so much a second, without overflow. */
uint64_t units_per_second(uint64_t part, uint64_t ns);
/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t units_now(void);
/* Nanoseconds of CLOCK_REALTIME. */
uint64_t units_today(void);
/* The bstream deadline @timeout_ns from now; BSTREAM_FOREVER for NO_TIMEOUT. */
uint64_t units_deadline(int64_t timeout_ns);

#endif
