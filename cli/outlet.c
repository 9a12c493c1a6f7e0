/* SPDX-License-Identifier: MIT */
/*
 * outlet.c - owns how a verb comes to a write end by name: by opening the stream, or by making it.
 *
 * Others may make, end or remove the name at the same time; then it is tried again. Every verb that
 * writes to names calls this.
 */
#include "config.h"
#include "bstream.h"
#include "outcome.h"
#include "outlet.h"
#include "say.h"
#include "units.h"

#include <errno.h>

#define OPEN_TRIES 100 /* a name that comes and goes this often is not worth more */
#define SLICE_NS   INT64_C(1000000000)

/* Opens a name that was there a moment ago; waits for writers in the middle of a write only. */
static int outlet_open_existing(const char *name, uint64_t deadline,
				struct bstream_writer **writerp)
{
	int r = bstream_open_writer(name, BSTREAM_DONT_WAIT, writerp);

	while (r == -EAGAIN) {
		uint64_t slice = units_deadline(SLICE_NS);

		r = bstream_open_writer(name, slice < deadline ? slice : deadline, writerp);
		if (r == -ETIMEDOUT && units_now() < deadline)
			r = bstream_open_writer(name, BSTREAM_DONT_WAIT, writerp);
	}
	return r;
}

int outlet_open(const struct outlet *outlet, const char *name, struct bstream_writer **writerp)
{
	struct bstream_options options = creation_options(&outlet->creation);
	uint64_t deadline = units_deadline(outlet->timeout_ns);

	for (int i = 0; i < OPEN_TRIES; i++) {
		int r = outlet_open_existing(name, deadline, writerp);

		if (r == 0)
			return CODE_DONE;
		if (r == -ENOENT && outlet->no_create && outlet->timeout_ns != NO_TIMEOUT)
			r = bstream_open_writer(name, deadline, writerp);
		if (r == 0)
			return CODE_DONE;
		if (r != -ENOENT || outlet->no_create)
			return outcome_fail(DOING_OPEN_WRITER, name, r);
		r = bstream_create(name, &options);
		if (r == 0)
			say_note(name, "created");
		else if (r != -EEXIST)
			return outcome_fail(DOING_CREATE, name, r);
	}
	return outcome_fail(DOING_CREATE, name, -EAGAIN);
}
