/* SPDX-License-Identifier: MIT */
/*
 * lines.c - standard input to a stream, one chunk for each line. Any number of these can write to
 * one stream at once: their lines never mix. The stream ends when all that have come have gone.
 *
 * Usage: lines NAME <FILE
 */
#include <bstream.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every line, or what went wrong. Nobody waits for a dead reader: the write says -EPIPE. */
static int copy(FILE *in, struct bstream_writer *writer)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int r = 0;

	while (r == 0 && (len = getline(&line, &room, in)) >= 0)
		r = bstream_write(writer, line, (size_t)len, BSTREAM_FOREVER);
	free(line);
	return r < 0 ? r : ferror(in) ? -EIO : 0;
}

int main(int argc, char **argv)
{
	struct bstream_options options = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *writer;
	int r;

	if (argc != 2) {
		fputs("usage: lines NAME <FILE\n", stderr);
		return 2;
	}
	options.capacity = 1024; /* lines are short: many small slots */
	options.chunk_max = 4096;
	r = bstream_create(argv[1], &options);
	if (r == 0 || r == -EEXIST)
		r = bstream_open_writer(argv[1], BSTREAM_FOREVER, &writer);
	if (r == 0) {
		r = copy(stdin, writer);
		if (r < 0)
			_Exit(1); /* not closed: the reader is told that this writer died */
		bstream_writer_close(writer);
	}
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-r));
	return r < 0;
}
