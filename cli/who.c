/* SPDX-License-Identifier: MIT */
/*
 * who.c - owns how a pid and a uid are shown.
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
