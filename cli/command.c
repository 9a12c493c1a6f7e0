/* SPDX-License-Identifier: MIT */
/*
 * command.c - owns running programs for exec and listen.
 *
 * Every descriptor of ours is close-on-exec; what a program inherits is made so between fork and
 * exec, in the child alone, so that programs started at the same time by other threads do not get
 * it. Whether the exec succeeded comes back through a pipe that an exec closes. Between the two the
 * child calls nothing that could need a lock.
 */
#include "config.h"
#include "command.h"
#include "outcome.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_PATH "/bin:/usr/bin" /* what execvp(3) takes if there is no PATH */

/* It was there when command_check looked: what is missing now is its interpreter. */
static int exec_fail(const char *file, int err)
{
	say_failure(file, "cannot be run: %s", strerror(err));
	return CODE_NOT_EXECUTABLE;
}

static int check_fail(const char *file, int err)
{
	if (err != ENOENT && err != ENOTDIR)
		return exec_fail(file, err);
	say_failure(file, "no such command");
	return CODE_NOT_FOUND;
}

/* Returns 0 or an errno. */
static int file_check(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

int command_check(const char *file)
{
	const char *dir = getenv("PATH");
	int err = ENOENT;

	if (strchr(file, '/')) {
		err = file_check(file);
		return err ? check_fail(file, err) : CODE_DONE;
	}
	for (dir = dir ? dir : DEFAULT_PATH; *file; dir++) {
		size_t len = strcspn(dir, ":");
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), "%.*s%s%s", (int)len, dir, len ? "/" : "",
				 file);
		int r = (size_t)n < sizeof(path) ? file_check(path) : ENAMETOOLONG;

		if (r == 0)
			return CODE_DONE;
		/* As execvp: one that was found and cannot be run is worth more than none. */
		if (r == EACCES)
			err = EACCES;
		dir += len;
		if (!*dir)
			break;
	}
	return check_fail(file, err);
}

/* In the child, or in a process that becomes the command. Returns an errno. */
static int command_exec(const struct command *command)
{
	if (command->stdin_fd >= 0 && dup2(command->stdin_fd, STDIN_FILENO) < 0)
		return errno;
	if (command->stdout_fd >= 0 && dup2(command->stdout_fd, STDOUT_FILENO) < 0)
		return errno;
	for (int i = 0; i < command->n_inherited; i++)
		if (fcntl(command->inherited[i], F_SETFD, 0) < 0)
			return errno;
	sigprocmask(SIG_SETMASK, command->mask, NULL);
	execvpe(command->argv[0], command->argv,
		command->environment ? command->environment : environ);
	return errno;
}

int command_become(const struct command *command)
{
	return exec_fail(command->argv[0], command_exec(command));
}

static void child_run(const struct command *command, int report_fd)
{
	int err = command_exec(command);
	ssize_t n = write(report_fd, &err, sizeof(err));

	(void)n; /* a pipe that is empty takes this much */
	_exit(CODE_NOT_FOUND);
}

/* What the child reports before it is the command: 0, or its errno. */
static int report_read(int fd)
{
	int err = 0;
	ssize_t n;

	do {
		n = read(fd, &err, sizeof(err));
	} while (n < 0 && errno == EINTR);
	return n == sizeof(err) ? err : 0;
}

int command_start(const struct command *command, pid_t *pidp)
{
	int report[2], err;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0) {
		say_failure(command->argv[0], "no pipe: %s", strerror(errno));
		return CODE_OWN_FAILURE;
	}
	pid = fork();
	if (pid == 0)
		child_run(command, report[1]);
	err = errno;
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		say_failure(command->argv[0], "no process: %s", strerror(err));
		return CODE_OWN_FAILURE;
	}
	err = report_read(report[0]);
	close(report[0]);
	if (!err) {
		*pidp = pid;
		return CODE_DONE;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return exec_fail(command->argv[0], err);
}

int command_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
