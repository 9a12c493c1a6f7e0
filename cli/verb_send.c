/* SPDX-License-Identifier: MIT */
/* verb_send.c - owns the verb send: a note to a mailbox, and with it, perhaps, a stream's read end. */
#include "config.h"
#include "bstream.h"
#include "letter.h"
#include "name.h"
#include "outcome.h"
#include "say.h"
#include "units.h"
#include "verb.h"

static struct letter letter = { .timeout_ns = NO_TIMEOUT };
static const char *send_reader;

static const struct option_row send_options[] = {
	LETTER_NOTE_OPTION(letter),
	{ .name = "reader",
	  .kind = OPTION_TEXT,
	  .arg = "NAME",
	  .to = &send_reader,
	  .help = "move this stream's read end along, with the chunks in it" },
	{ .name = "timeout",
	  .kind = OPTION_TIME,
	  .arg = "T",
	  .to = &letter.timeout_ns,
	  .help = "wait so long for the mailbox, for room in it and for NAME: exit 124" },
	{ 0 },
};

/* The read end is taken only when there is somebody to have it, and goes back if he has left. */
static int send_with_reader(void)
{
	uint64_t deadline = letter.timeout_ns == NO_TIMEOUT ? BSTREAM_DONT_WAIT
							    : units_deadline(letter.timeout_ns);
	struct bstream_reader *reader;
	int code = letter_await(&letter);
	int r;

	if (code)
		return code;
	r = bstream_open_reader(send_reader, deadline, &reader);
	if (r < 0)
		return outcome_fail(DOING_OPEN_READER, send_reader, r);
	code = letter_send(&letter, reader);
	if (code && bstream_reader_park(reader) < 0)
		bstream_reader_close(reader);
	return code;
}

static int send_run(const struct call *call)
{
	int code = send_reader ? name_check(send_reader) : CODE_DONE;

	letter.mailbox = call->operands[0];
	if (code == CODE_DONE)
		code = letter_check(&letter);
	if (code)
		return code;
	code = send_reader ? send_with_reader() : letter_send(&letter, NULL);
	if (code == CODE_DONE)
		say_note(letter.mailbox, "sent");
	return code;
}

const struct verb verb_send = {
	.name = "send",
	.args = "MAILBOX",
	.help = "a note to whoever listens, and a stream's read end along with it",
	.notes = "Returns when the message is in the mailbox.",
	.examples = { "bstreamctl send workers --note reload",
		      "bstreamctl send workers --note job-7 --reader jobs/7" },
	.operands = OPERANDS_NAME,
	.options = send_options,
	.run = send_run,
};
