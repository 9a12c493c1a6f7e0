/* SPDX-License-Identifier: MIT */
/* outcome.h - what a failure means to the shell: an exit code and a line on stderr. */
#ifndef CLI_OUTCOME_H
#define CLI_OUTCOME_H

enum exit_code {
	CODE_DONE = 0,
	CODE_FAILURE = 1,
	CODE_USAGE = 2,
	CODE_NO_STREAM = 3,
	CODE_NO_BROKER = 4,
	CODE_NOT_PERMITTED = 5,
	CODE_NO_SPACE = 6,
	CODE_WRITER_DIED = 7,
	CODE_NOT_A_STREAM = 8,
	CODE_TAKEN = 9,
	CODE_READER_GONE = 10,
	CODE_TIMED_OUT = 124,
	CODE_OWN_FAILURE = 125, /* exec, listen: where others exit 1 */
	CODE_NOT_EXECUTABLE = 126,
	CODE_NOT_FOUND = 127,
};

/* What was being done when a call failed: one errno means different things at different times. */
enum doing {
	DOING_ANYTHING,
	DOING_CREATE,
	DOING_OPEN_WRITER,
	DOING_OPEN_READER,
	DOING_WRITE,
	DOING_DRAIN,
	DOING_READ,
	DOING_LISTEN,
	DOING_REACH, /* waiting for a mailbox */
	DOING_SEND,
	DOING_CONNECT, /* making a stream and sending its read end */
	DOING_WAIT,
	DOING_ASK, /* a question to the broker that has no deadline of ours */
	DOING_INPUT, /* on a file that is read */
	DOING_OUTPUT, /* on a file that is written */
};

/* The broker asked is the machine's, which no program starts. */
void outcome_set_system(void);

/* Says why @doing failed on @about with @err, a negative errno, and returns the exit code. */
int outcome_fail(enum doing doing, const char *about, int err);

/* For verbs that run a command, which may exit 1 as well: @code, but 125 where it is 1. */
int outcome_own(int code);

#endif
