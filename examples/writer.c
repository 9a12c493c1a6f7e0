/* SPDX-License-Identifier: MIT */
/*
 * writer.c - writes numbered messages to a stream, and makes the stream if nobody has.
 *
 * Usage: writer NAME [COUNT]
 */
#include <bstream.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct bstream_writer *writer;
	long count = argc > 2 ? atol(argv[2]) : 3;
	int r;

	if (argc < 2) {
		fputs("usage: writer NAME [COUNT]\n", stderr);
		return 2;
	}
	r = bstream_create(argv[1], NULL);
	if (r == 0 || r == -EEXIST)
		r = bstream_open_writer(argv[1], BSTREAM_FOREVER, &writer);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-r));
		return 1;
	}
	for (long i = 0; i < count && r == 0; i++) {
		char text[64];
		int len = snprintf(text, sizeof(text), "message %ld", i);

		r = bstream_write(writer, text, (size_t)len, BSTREAM_FOREVER);
	}
	if (r == 0)
		r = bstream_drain(writer, BSTREAM_FOREVER); /* until all of it has been read */
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[1],
			r == -EPIPE ? "the reader is gone" : strerror(-r));
	bstream_writer_close(writer);
	return r < 0;
}
