/* SPDX-License-Identifier: MIT */
/*
 * reader.c - prints what comes through a stream, a line for each chunk; waits for the stream to
 * exist, but not forever.
 *
 * Usage: reader NAME
 */
#include <bstream.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct bstream_reader *reader;
	char buf[65536];
	size_t len;
	int r;

	if (argc != 2) {
		fputs("usage: reader NAME\n", stderr);
		return 2;
	}
	r = bstream_open_reader(argv[1], bstream_after_ms(10000), &reader);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-r));
		return 1;
	}
	while ((r = bstream_read(reader, buf, sizeof(buf), &len, BSTREAM_FOREVER)) == 1)
		printf("%zu bytes: %.*s\n", len, (int)len, buf);
	bstream_reader_close(reader);

	if (r == 0)
		puts("the end");
	else if (r == -ECONNRESET)
		puts("the end, but a writer died: something may be missing");
	else
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-r));
	return r < 0;
}
