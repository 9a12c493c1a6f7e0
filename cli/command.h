/* SPDX-License-Identifier: MIT */
/* command.h - a program that is run, and how it exited. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <signal.h>
#include <sys/types.h>

struct command {
	char *const *argv; /* ends with NULL; everything here is borrowed */
	char *const *environment; /* the same; NULL: ours */
	int stdin_fd, stdout_fd; /* -1: ours */
	const int *inherited; /* descriptors that it keeps, n of them */
	int n_inherited;
	const sigset_t *mask; /* which signals are blocked in it */
};

/*
 * Finds out whether @file could be run, before anything is opened for it. Returns 0, or exit code 126
 * or 127 and has said why.
 */
int command_check(const char *file);

/* Becomes the command, which was checked. Returns only if it cannot: exit code 126, and has said why. */
int command_become(const struct command *command);

/*
 * Starts the command, which was checked, as a child, *@pidp. Any thread may. SIGCHLD must not be ignored. Returns 0, or
 * exit code 125 or 126 and has said why; then there is no child.
 */
int command_start(const struct command *command, pid_t *pidp);

/* The exit code that stands for what waitpid(2) said: 128+N for signal N. */
int command_code(int status);

#endif
