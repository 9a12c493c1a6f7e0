/* SPDX-License-Identifier: MIT */
/*
 * letter.c - owns how open and send reach a mailbox, which may not be there yet.
 *
 * Without a timeout it must be there. With one it is waited for, also when it goes between the
 * waiting and the sending.
 */
#include "config.h"
#include "letter.h"
#include "outcome.h"
#include "say.h"
#include "units.h"

#include <errno.h>
#include <string.h>

int letter_check(const struct letter *letter)
{
	size_t len = letter->note ? strlen(letter->note) : 0;

	if (len <= BSTREAM_NOTE_MAX)
		return CODE_DONE;
	return say_usage("--note", "has %zu bytes, a note has %d at most", len, BSTREAM_NOTE_MAX);
}

int letter_await(const struct letter *letter)
{
	uint64_t deadline = letter->timeout_ns == NO_TIMEOUT ? BSTREAM_DONT_WAIT
							     : units_deadline(letter->timeout_ns);
	int r = bstream_wait(letter->mailbox, BSTREAM_WAIT_MAILBOX, deadline);

	if (r == -EAGAIN) /* there is none, and it was not to be waited for */
		r = -ENOENT;
	return r < 0 ? outcome_fail(DOING_REACH, letter->mailbox, r) : CODE_DONE;
}

/* Sends either @reader, or with @writerp a stream of @options. Returns 0 or -errno. */
static int letter_try(const struct letter *letter, struct bstream_reader *reader,
		      const struct bstream_options *options, struct bstream_writer **writerp)
{
	size_t len = letter->note ? strlen(letter->note) : 0;
	uint64_t deadline = units_deadline(letter->timeout_ns);

	if (writerp)
		return bstream_connect(letter->mailbox, letter->note, len, options, deadline,
				       writerp);
	return bstream_send(letter->mailbox, letter->note, len, reader, deadline);
}

static int letter_deliver(const struct letter *letter, struct bstream_reader *reader,
			  const struct bstream_options *options, struct bstream_writer **writerp)
{
	int code, r;

	while ((r = letter_try(letter, reader, options, writerp)) == -ENOENT) {
		code = letter_await(letter);
		if (code)
			return code;
	}
	return r < 0 ? outcome_fail(writerp ? DOING_CONNECT : DOING_SEND, letter->mailbox, r)
		     : CODE_DONE;
}

int letter_send(const struct letter *letter, struct bstream_reader *reader)
{
	return letter_deliver(letter, reader, NULL, NULL);
}

int letter_connect(const struct letter *letter, const struct bstream_options *options,
		   struct bstream_writer **writerp)
{
	return letter_deliver(letter, NULL, options, writerp);
}
