/* SPDX-License-Identifier: MIT */
/*
 * say.c - owns the form of every message on stderr: "bstreamctl: NAME: what happened (what to do)".
 *
 * One message is one line and one write(2), so that messages of several processes on one stderr do
 * not mix. Nothing that came from outside (names, paths, command names) reaches a terminal with its
 * control bytes. The level is set once, before any thread starts. Any file of cli/ may call it.
 */
#include "config.h"
#include "say.h"
#include "outcome.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES	1024
#define ABOUT_MAX_BYTES 512

static enum say_level say_level = SAY_FAILURES;

void say_set_level(enum say_level level)
{
	say_level = level;
}

const char *say_safely_bytes(char *buf, size_t size, const void *bytes, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = ((const unsigned char *)bytes)[i];
		int plain = c >= 0x20 && c < 0x7f && c != '\\';

		if (n + (plain ? 1 : 4) >= size)
			break;
		if (plain) {
			buf[n++] = (char)c;
			continue;
		}
		buf[n++] = '\\';
		buf[n++] = 'x';
		buf[n++] = hex[c >> 4];
		buf[n++] = hex[c & 15];
	}
	buf[n] = '\0';
	return buf;
}

const char *say_safely(char *buf, size_t size, const char *text)
{
	return say_safely_bytes(buf, size, text, strlen(text));
}

static void line_write(const char *line, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, line, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			line += n;
			len -= (size_t)n;
		}
	}
}

static __attribute__((format(printf, 2, 0))) void say_line(const char *about, const char *format,
							   va_list args)
{
	char line[LINE_MAX_BYTES], safe[ABOUT_MAX_BYTES];
	int n, more;

	n = snprintf(line, sizeof(line), "bstreamctl: %s: ", say_safely(safe, sizeof(safe), about));
	more = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);
	if (more > 0)
		n += more;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	line_write(line, (size_t)n);
}

void say_failure(const char *about, const char *format, ...)
{
	va_list args;

	if (say_level < SAY_FAILURES)
		return;
	va_start(args, format);
	say_line(about, format, args);
	va_end(args);
}

int say_usage(const char *about, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_line(about, format, args);
	va_end(args);
	return CODE_USAGE;
}

void say_note(const char *about, const char *format, ...)
{
	va_list args;

	if (say_level < SAY_NOTES)
		return;
	va_start(args, format);
	say_line(about, format, args);
	va_end(args);
}
