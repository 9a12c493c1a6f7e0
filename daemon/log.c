/* SPDX-License-Identifier: MIT */
/*
 * log.c - owns standard error, and for each user who misbehaved lately how much was said of him.
 *
 * A user has five lines in half a minute; all users together have fifty, so that one who has many
 * uids fills no disk either. What was left out is counted, and told when the half minute is over. There
 * are places for so many users: who comes when all are taken gets that of the one who came first.
 *
 * A line goes out whole or not at all: standard error may be a pipe that nobody reads, and the broker
 * waits for nobody.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "proto/hint.h"

#define LINE_SIZE   1024
#define WINDOW_NS   BS_MS(30000)
#define PER_USER    5u
#define PER_WINDOW  50u
#define USERS_NOTED 32

struct noted {
	uid_t uid;
	uint64_t until_ns; /* 0: a free place */
	uint64_t n_said, n_left_out;
};

static bool prefixed;
static struct noted users[USERS_NOTED], everybody;

void log_init(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;
	int end = 0;

	prefixed = text && sscanf(text, "%ju:%ju%n", &dev, &ino, &end) == 2 && text[end] == '\0' &&
		   fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* Takes @len bytes of a buffer that has one more. */
static void line_put(char *line, size_t len)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	line[len] = '\n';
	if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) && write(STDERR_FILENO, line, len + 1) < 0)
		return; /* there is nobody to tell */
}

__attribute__((format(printf, 3, 0))) static void say(int priority, const char *who,
						      const char *format, va_list args)
{
	char line[LINE_SIZE + 1];
	int n = prefixed ? snprintf(line, LINE_SIZE, "<%d>%s", priority, who)
			 : snprintf(line, LINE_SIZE, "bstreamd: %s", who);
	int more = vsnprintf(line + n, (size_t)(LINE_SIZE - n), format, args);

	n += more < 0 ? 0 : more;
	line_put(line, n < LINE_SIZE ? (size_t)n : LINE_SIZE - 1);
}

void log_say(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(priority, "", format, args);
	va_end(args);
}

/* ---- misbehaviour --------------------------------------------------------------------------- */

static void noted_end(struct noted *n)
{
	if (n->n_left_out > 0 && n == &everybody)
		log_say(LOG_WARNING, "%" PRIu64 " more lines about others suppressed",
			n->n_left_out);
	else if (n->n_left_out > 0)
		log_say(LOG_WARNING, "uid %" PRIu32 ": %" PRIu64 " more suppressed",
			(uint32_t)n->uid, n->n_left_out);
	*n = (struct noted){ 0 };
}

static struct noted *noted_find(uid_t uid, uint64_t now)
{
	struct noted *place = &users[0];

	for (int i = 0; i < USERS_NOTED; i++) {
		if (users[i].until_ns != 0 && users[i].uid == uid)
			return &users[i];
		if (users[i].until_ns < place->until_ns)
			place = &users[i];
	}
	noted_end(place);
	*place = (struct noted){ .uid = uid, .until_ns = now + WINDOW_NS };
	return place;
}

/* May one more line be said of it? */
static bool noted_take(struct noted *n, uint64_t most)
{
	if (n->n_said >= most) {
		n->n_left_out++;
		return false;
	}
	n->n_said++;
	return true;
}

void log_blame(uid_t uid, pid_t pid, const char *format, ...)
{
	uint64_t now = bs_now();
	char who[64];
	va_list args;

	log_run();
	if (everybody.until_ns == 0)
		everybody.until_ns = now + WINDOW_NS;
	if (!noted_take(noted_find(uid, now), PER_USER) || !noted_take(&everybody, PER_WINDOW))
		return;
	snprintf(who, sizeof(who), "uid %" PRIu32 " (pid %" PRId32 "): ", (uint32_t)uid,
		 (int32_t)pid);
	va_start(args, format);
	say(LOG_WARNING, who, format, args);
	va_end(args);
}

uint64_t log_due(void)
{
	uint64_t due = everybody.n_left_out > 0 ? everybody.until_ns : UINT64_MAX;

	for (int i = 0; i < USERS_NOTED; i++)
		if (users[i].n_left_out > 0 && users[i].until_ns < due)
			due = users[i].until_ns;
	return due;
}

static void noted_end_all(uint64_t now)
{
	for (int i = 0; i < USERS_NOTED; i++)
		if (users[i].until_ns != 0 && users[i].until_ns <= now)
			noted_end(&users[i]);
	if (everybody.until_ns != 0 && everybody.until_ns <= now)
		noted_end(&everybody);
}

void log_run(void)
{
	if (everybody.until_ns != 0) /* nobody was ever blamed without that */
		noted_end_all(bs_now());
}

void log_flush(void)
{
	noted_end_all(UINT64_MAX);
}
