/* SPDX-License-Identifier: MIT */
/*
 * outcome.c - owns the one table from errno and circumstance to exit code and message.
 *
 * Exit codes are an interface that scripts test; they are chosen here and nowhere else. Rows for a
 * circumstance stand before those for any, and the first that fits counts. Every file of cli/ that
 * calls the library comes here with what the library answered.
 */
#include "config.h"
#include "outcome.h"
#include "refused.h"
#include "say.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct outcome {
	enum doing doing;
	int err;
	enum exit_code code;
	const char *what; /* NULL: as strerror says */
	const char *advice; /* NULL: none */
};

#define LOOK "bstreamctl stat NAME shows its ends"

#define NOBODY_LISTENS \
	"nobody listens there", "bstreamctl listen does; --timeout waits for somebody who will"

static const struct outcome outcomes[] = {
	/* Files of the caller's are no streams: whatever fails there is an ordinary failure. */
	{ DOING_INPUT, 0, CODE_FAILURE, NULL, NULL },
	{ DOING_OUTPUT, 0, CODE_FAILURE, NULL, NULL },

	{ DOING_CREATE, EEXIST, CODE_TAKEN, "there is a stream of this name already",
	  "choose another name, or remove it with bstreamctl rm" },
	{ DOING_CREATE, EINVAL, CODE_USAGE, "a stream cannot be made like this",
	  "capacity, chunk-max or max-writers is out of bounds" },
	{ DOING_CREATE, EOPNOTSUPP, CODE_FAILURE, "not supported here",
	  "without membarrier(2) set BSTREAM_FENCES=1" },
	{ DOING_CREATE, EAGAIN, CODE_FAILURE, "the name comes and goes too quickly", "try again" },

	{ DOING_OPEN_WRITER, ESHUTDOWN, CODE_TAKEN,
	  "the stream has ended, its last writer has left",
	  "make it with --keep=writers to write to it again later" },
	{ DOING_OPEN_WRITER, EPIPE, CODE_READER_GONE, "the reader is gone",
	  "bstreamctl rm removes the name for a new stream" },
	{ DOING_OPEN_WRITER, EMFILE, CODE_NOT_PERMITTED, "too many writers are open",
	  "wait for one to close, or create it with a larger --max-writers" },
	{ DOING_OPEN_WRITER, ETIMEDOUT, CODE_TIMED_OUT, "timed out waiting for the stream", NULL },
	{ DOING_OPEN_WRITER, EAGAIN, CODE_TIMED_OUT, "another writer is stopped inside a write",
	  LOOK },

	{ DOING_OPEN_READER, EBUSY, CODE_TAKEN, "another process holds the read end", LOOK },
	{ DOING_OPEN_READER, EPIPE, CODE_READER_GONE, "an earlier reader left and broke the stream",
	  "create it with --keep=reader to read it in turns" },
	{ DOING_OPEN_READER, ETIMEDOUT, CODE_TIMED_OUT, "timed out waiting for the stream", NULL },

	{ DOING_WRITE, EPIPE, CODE_READER_GONE, "the reader is gone",
	  "what it had not read is lost" },
	{ DOING_WRITE, ETIMEDOUT, CODE_TIMED_OUT, "timed out waiting for room in the stream",
	  LOOK },

	{ DOING_DRAIN, EPIPE, CODE_READER_GONE, "the reader left before it had read everything",
	  NULL },
	{ DOING_DRAIN, ETIMEDOUT, CODE_TIMED_OUT,
	  "timed out waiting for the reader to take everything", LOOK },

	{ DOING_READ, ECONNRESET, CODE_WRITER_DIED, "a writer died without closing",
	  "the data may be cut short" },
	{ DOING_READ, ETIMEDOUT, CODE_TIMED_OUT, "timed out waiting for data", LOOK },

	{ DOING_LISTEN, EADDRINUSE, CODE_TAKEN, "another process listens there",
	  "choose another name" },

	{ DOING_REACH, ENOENT, CODE_NO_STREAM, NOBODY_LISTENS },
	{ DOING_REACH, ETIMEDOUT, CODE_TIMED_OUT, "timed out waiting for somebody to listen there",
	  NULL },

	{ DOING_SEND, ENOENT, CODE_NO_STREAM, NOBODY_LISTENS },
	{ DOING_SEND, ETIMEDOUT, CODE_TIMED_OUT, "timed out: the mailbox is full", NULL },
	{ DOING_SEND, EPIPE, CODE_READER_GONE, "the stream is broken", NULL },

	{ DOING_CONNECT, ENOENT, CODE_NO_STREAM, NOBODY_LISTENS },
	{ DOING_CONNECT, ETIMEDOUT, CODE_TIMED_OUT, "timed out: the mailbox is full", NULL },
	{ DOING_CONNECT, EINVAL, CODE_USAGE, "a stream cannot be made like this",
	  "capacity, chunk-max or max-writers is out of bounds" },
	{ DOING_CONNECT, EOPNOTSUPP, CODE_FAILURE, "not supported here",
	  "without membarrier(2) set BSTREAM_FENCES=1" },

	{ DOING_WAIT, EPIPE, CODE_READER_GONE, "it can no longer happen, the reader is gone",
	  NULL },
	{ DOING_WAIT, ESHUTDOWN, CODE_TAKEN, "it can no longer happen, the stream has ended",
	  NULL },
	{ DOING_WAIT, ETIMEDOUT, CODE_TIMED_OUT, "timed out", NULL },
	{ DOING_WAIT, EAGAIN, CODE_TIMED_OUT, "not yet", NULL },

	{ DOING_ASK, EBUSY, CODE_TAKEN, "another process holds it", LOOK },

	{ DOING_ANYTHING, ENOENT, CODE_NO_STREAM, "no such stream",
	  "bstreamctl ls shows those there are" },
	{ DOING_ANYTHING, ECONNREFUSED, CODE_NO_BROKER, "no broker",
	  "bstreamctl daemon start starts one; BSTREAM_DAEMON says where bstreamd is" },
	{ DOING_ANYTHING, EACCES, CODE_NOT_PERMITTED, "not permitted", NULL },
	{ DOING_ANYTHING, EPERM, CODE_NOT_PERMITTED, "not permitted", NULL },
	{ DOING_ANYTHING, EDQUOT, CODE_NOT_PERMITTED, "over quota",
	  "remove streams that nobody needs" },
	{ DOING_ANYTHING, EMFILE, CODE_NOT_PERMITTED, "too many open files", "raise ulimit -n" },
	{ DOING_ANYTHING, ENFILE, CODE_NO_SPACE, "too many open files in the system", NULL },
	{ DOING_ANYTHING, ENOMEM, CODE_NO_SPACE, "no memory",
	  "a smaller --capacity or --chunk-max needs less" },
	{ DOING_ANYTHING, ENOSPC, CODE_NO_SPACE, "no space in /dev/shm",
	  "a smaller --capacity or --chunk-max needs less" },
	{ DOING_ANYTHING, EPROTO, CODE_NOT_A_STREAM, "not a stream, or a corrupt one", NULL },
	{ DOING_ANYTHING, EPROTONOSUPPORT, CODE_NOT_A_STREAM, "other wire or layout version",
	  "bstreamctl --version and bstreamd --version must agree" },
	{ DOING_ANYTHING, EPIPE, CODE_READER_GONE, "the reader is gone", NULL },
	{ DOING_ANYTHING, ESHUTDOWN, CODE_TAKEN, "the stream has ended", NULL },
	{ DOING_ANYTHING, ETIMEDOUT, CODE_TIMED_OUT, "the broker did not answer within 5 s",
	  "bstreamctl daemon status" },
	{ DOING_ANYTHING, EOPNOTSUPP, CODE_FAILURE, "not supported here",
	  "without membarrier(2) set BSTREAM_FENCES=1" },
	{ DOING_ANYTHING, ENAMETOOLONG, CODE_USAGE, "the path of the broker's socket is too long",
	  "BSTREAM_SOCKET or --socket can give a shorter one" },
	{ DOING_ANYTHING, 0, CODE_FAILURE, NULL, NULL },
};

static bool system_wide;

void outcome_set_system(void)
{
	system_wide = true;
}

static const struct outcome *outcome_find(enum doing doing, int err)
{
	const struct outcome *o = outcomes;

	while (!((o->doing == doing || o->doing == DOING_ANYTHING) && (o->err == err || !o->err)))
		o++;
	return o;
}

int outcome_fail(enum doing doing, const char *about, int err)
{
	const struct outcome *o = outcome_find(doing, -err);
	const char *what = o->what ? o->what : strerror(-err);
	const char *advice = o->advice;
	char told[REFUSED_MAX];

	if (refused_tell(told, err)) {
		say_failure(about, "%s", told);
		return o->code;
	}
	if (system_wide && o->code == CODE_NO_BROKER)
		advice =
			"the machine's is for its administrator to start: systemctl start bstreamd.socket";
	if (advice)
		say_failure(about, "%s (%s)", what, advice);
	else
		say_failure(about, "%s", what);
	return o->code;
}

int outcome_own(int code)
{
	return code == CODE_FAILURE ? CODE_OWN_FAILURE : code;
}
