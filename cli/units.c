/* SPDX-License-Identifier: MIT */
/*
 * units.c - owns how sizes, times and rates are read from a command line and printed for people.
 *
 * Pure functions but for the two clocks. What is read is exact or refused: no rounding, no
 * overflow, no trailing bytes. What is printed never needs more than UNITS_MAX bytes. Any file of
 * cli/ may call it.
 */
#include "config.h"
#include "bstream.h"
#include "units.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS 1000000u
#define NS_PER_S  UINT64_C(1000000000)

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "k", UINT64_C(1) << 10 },
	{ "K", UINT64_C(1) << 10 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "M", UINT64_C(1) << 20 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "G", UINT64_C(1) << 30 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "T", UINT64_C(1) << 40 },
	{ "TiB", UINT64_C(1) << 40 },
	{ "kB", 1000 },
	{ "KB", 1000 },
	{ "MB", 1000 * 1000 },
	{ "GB", 1000 * 1000 * 1000 },
	{ "TB", UINT64_C(1000) * 1000 * 1000 * 1000 },
	{ NULL, 0 },
};

static const struct unit time_units[] = {
	{ "", NS_PER_S },
	{ "s", NS_PER_S },
	{ "ms", NS_PER_MS },
	{ "us", 1000 },
	{ "ns", 1 },
	{ "m", 60 * NS_PER_S },
	{ "min", 60 * NS_PER_S },
	{ "h", 3600 * NS_PER_S },
	{ "d", 24 * 3600 * NS_PER_S },
	{ NULL, 0 },
};

/* The digits at *@textp; strtoull would take blanks and signs. */
static bool digits_take(const char **textp, uint64_t max, uint64_t *numberp)
{
	const char *s = *textp;
	uint64_t number = 0;

	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++) {
		unsigned digit = (unsigned)(*s - '0');

		if (number > (max - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*textp = s;
	*numberp = number;
	return true;
}

static uint64_t unit_find(const struct unit *units, const char *name)
{
	for (; units->name; units++)
		if (!strcmp(units->name, name))
			return units->factor;
	return 0;
}

bool units_number(const char *text, uint64_t max, uint64_t *numberp)
{
	uint64_t number;

	if (!digits_take(&text, max, &number) || *text)
		return false;
	*numberp = number;
	return true;
}

bool units_size(const char *text, uint64_t *bytesp)
{
	uint64_t number, factor;

	if (!digits_take(&text, INT64_MAX, &number))
		return false;
	factor = unit_find(size_units, text);
	if (!factor || number > INT64_MAX / factor)
		return false;
	*bytesp = number * factor;
	return true;
}

bool units_time(const char *text, int64_t *nsp)
{
	uint64_t number, ns, scale = 1, fraction = 0;
	uint64_t factor;

	if (!digits_take(&text, INT64_MAX, &number))
		return false;
	if (*text == '.') {
		const char *from = ++text;

		if (!digits_take(&text, NS_PER_S - 1, &fraction) || text - from > 9)
			return false;
		for (; from < text; from++)
			scale *= 10;
	}
	factor = unit_find(time_units, text);
	if (!factor || number > INT64_MAX / factor)
		return false;
	/* The fraction is below 1, so it adds less than one factor. */
	ns = number * factor;
	ns += (uint64_t)((long double)fraction / (long double)scale * (long double)factor);
	if (ns > INT64_MAX)
		return false;
	*nsp = (int64_t)ns;
	return true;
}

const char *units_print_size(char buf[UNITS_MAX], uint64_t bytes)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, UNITS_MAX, "%" PRIu64 " B", bytes);
		return buf;
	}
	/* 999.5 and more would print as four digits. */
	for (value /= 1024; value >= 999.5 && i + 1 < sizeof(names) / sizeof(names[0]); i++)
		value /= 1024;
	if (value < 9.995)
		snprintf(buf, UNITS_MAX, "%.2f %s", value, names[i]);
	else if (value < 99.95)
		snprintf(buf, UNITS_MAX, "%.1f %s", value, names[i]);
	else
		snprintf(buf, UNITS_MAX, "%.0f %s", value, names[i]);
	return buf;
}

const char *units_print_rate(char buf[UNITS_MAX], uint64_t bytes_per_s)
{
	if (bytes_per_s == 0) {
		memcpy(buf, "0", 2);
		return buf;
	}
	units_print_size(buf, bytes_per_s);
	memcpy(buf + strlen(buf), "/s", 3);
	return buf;
}

static const char *time_print(char buf[UNITS_MAX], uint64_t ns, const char *blank)
{
	uint64_t s = ns / NS_PER_S;

	if (s < 120)
		snprintf(buf, UNITS_MAX, "%" PRIu64 "%ss", s, blank);
	else if (s < 120 * 60)
		snprintf(buf, UNITS_MAX, "%" PRIu64 "%sm", s / 60, blank);
	else if (s < 48 * 3600)
		snprintf(buf, UNITS_MAX, "%" PRIu64 "%sh", s / 3600, blank);
	else
		snprintf(buf, UNITS_MAX, "%" PRIu64 "%sd", s / (24 * 3600), blank);
	return buf;
}

const char *units_print_age(char buf[UNITS_MAX], uint64_t ns)
{
	return time_print(buf, ns, "");
}

const char *units_print_time(char buf[UNITS_MAX], uint64_t ns)
{
	return time_print(buf, ns, " ");
}

uint64_t units_per_second(uint64_t part, uint64_t ns)
{
	double rate = ns ? (double)part / (double)ns * (double)NS_PER_S : 0;

	return rate < (double)UINT64_MAX ? (uint64_t)rate : UINT64_MAX;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t units_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t units_today(void)
{
	return clock_ns(CLOCK_REALTIME);
}

uint64_t units_deadline(int64_t timeout_ns)
{
	if (timeout_ns < 0)
		return BSTREAM_FOREVER;
	/* Rounded up: a wait may be a millisecond too long, never too short. */
	return bstream_after_ms(timeout_ns / NS_PER_MS + (timeout_ns % NS_PER_MS != 0));
}
