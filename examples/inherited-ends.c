/* SPDX-License-Identifier: MIT */
/*
 * inherited-ends.c - a program that is given real ends, not pipes: chunks come one by one as they
 * were written, and one counts as read only when its answer is in the other stream. Here the answer
 * is the chunk in capital letters.
 *
 * Usage: bstreamctl exec -r NAME -w NAME -- inherited-ends
 */
#include <bstream.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The descriptor of the first end of this kind, r or w, in "3:r:NAME,4:w:NAME"; or -1. */
static int end_find(char kind)
{
	const char *at = getenv("BSTREAM_FDS");

	for (; at && *at; at = strchr(at, ',')) {
		char *rest;
		long fd = strtol(at += *at == ',', &rest, 10);

		if (rest[0] == ':' && rest[1] == kind)
			return (int)fd;
	}
	return -1;
}

static int answer(struct bstream_writer *writer, const unsigned char *chunk, size_t len)
{
	void *span;
	int r = bstream_reserve(writer, len, &span, BSTREAM_FOREVER);

	if (r < 0)
		return r;
	for (size_t i = 0; i < len; i++)
		((unsigned char *)span)[i] = (unsigned char)toupper(chunk[i]);
	return bstream_commit(writer, len);
}

int main(void)
{
	struct bstream_reader *reader;
	struct bstream_writer *writer;
	const void *chunk;
	size_t len;
	int r = bstream_reader_attach(end_find('r'), &reader);

	if (r == 0)
		r = bstream_writer_attach(end_find('w'), &writer);
	if (r < 0) {
		fprintf(stderr, "no ends to inherit: %s\n", strerror(-r));
		return 1;
	}
	while ((r = bstream_peek(reader, &chunk, &len, BSTREAM_FOREVER)) == 1) {
		r = answer(writer, chunk, len);
		if (r == 0)
			r = bstream_release(reader);
		if (r < 0)
			break;
	}
	if (r < 0) {
		fprintf(stderr, "stopped: %s\n", strerror(-r));
		return 1; /* not closed: whoever reads the answers is told that they are not all */
	}
	bstream_writer_close(writer);
	bstream_reader_close(reader);
	return 0;
}
