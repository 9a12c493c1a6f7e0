/* SPDX-License-Identifier: MIT */
/* letter.h - what is sent to a mailbox. */
#ifndef CLI_LETTER_H
#define CLI_LETTER_H

#include "bstream.h"
#include "options.h"

struct letter {
	const char *mailbox, *note; /* borrowed; a note of NULL is an empty one */
	int64_t timeout_ns; /* bounds each wait; NO_TIMEOUT: a mailbox must be there, its room is waited for */
};

/* The row, with @l, a struct letter of static storage, as its target. */
#define LETTER_NOTE_OPTION(l)                                                             \
	{                                                                                 \
		.name = "note", .kind = OPTION_TEXT, .arg = "TEXT", .to = &(l).note,      \
		.help = "what the receiver is told, 4096 bytes at most (default nothing)" \
	}

/* Returns 0, or exit code 2 and has said why this cannot be sent. */
int letter_check(const struct letter *letter);

/* Waits for the mailbox as long as may be. Returns 0, or an exit code whose reason has been said. */
int letter_await(const struct letter *letter);

/* Sends it, with @reader unless that is NULL, which is consumed on success. Returns the same. */
int letter_send(const struct letter *letter, struct bstream_reader *reader);

/* Sends it with the read end of a new stream, whose write end is put in *@writerp. The same. */
int letter_connect(const struct letter *letter, const struct bstream_options *options,
		   struct bstream_writer **writerp);

#endif
