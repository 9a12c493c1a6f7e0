/* SPDX-License-Identifier: MIT */
/*
 * who.c - owns how a pid and a uid are shown, and what the kernel says of a process.
 *
 * A process names itself as it likes, so its name is made safe before anybody sees it. A pid may
 * have been given to another process meanwhile: these names are for people, never for decisions.
 */
#include "config.h"
#include "say.h"
#include "who.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_MAX	 16 /* TASK_COMM_LEN */
#define COMMAND_SAFE_MAX 48

/* The letter behind the name, "77 (a name) S 1 ..."; the name may hold anything, brackets too. */
static char stat_letter(const char *line, unsigned *n_threadsp)
{
	const char *at = strrchr(line, ')');
	char letter;

	/* proc(5): the letter is the third field, the number of threads the 20th. */
	if (!at ||
	    sscanf(at + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %u",
		   &letter, n_threadsp) != 2)
		return 0;
	return letter;
}

enum who_doing who_doing(int32_t pid)
{
	char path[32], line[512];
	unsigned n_threads = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return WHO_UNSEEN;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n <= 0)
		return WHO_UNSEEN;
	line[n] = '\0';
	switch (stat_letter(line, &n_threads)) {
	case 'R':
		return WHO_RUNS;
	case 'D':
		return WHO_HANGS;
	case 'T':
		return WHO_STOPPED;
	case 't':
		return WHO_TRACED;
	case 'Z':
	case 'X':
		/* The first thread may have gone before the others. */
		return n_threads > 1 ? WHO_SLEEPS : WHO_EXITED;
	default:
		return WHO_SLEEPS;
	}
}

bool who_halted(enum who_doing doing)
{
	return doing == WHO_STOPPED || doing == WHO_TRACED || doing == WHO_EXITED;
}

const char *who_command(char buf[WHO_MAX], int32_t pid)
{
	char path[32], command[COMMAND_MAX + 1];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return strcpy(buf, "?");
	n = read(fd, command, COMMAND_MAX);
	close(fd);
	if (n <= 0)
		return strcpy(buf, "?");
	if (command[n - 1] == '\n')
		n--;
	command[n] = '\0';
	return say_safely(buf, COMMAND_SAFE_MAX, command);
}

const char *who_process(char buf[WHO_MAX], int32_t pid)
{
	size_t n;

	if (pid == 0)
		return strcpy(buf, "-");
	n = strlen(who_command(buf, pid));
	snprintf(buf + n, WHO_MAX - n, "[%" PRId32 "]", pid);
	return buf;
}

const char *who_user(char buf[WHO_MAX], uint32_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	if (pw)
		return say_safely(buf, WHO_MAX, pw->pw_name);
	snprintf(buf, WHO_MAX, "%" PRIu32, uid);
	return buf;
}
