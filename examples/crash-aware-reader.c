/* SPDX-License-Identifier: MIT */
/*
 * crash-aware-reader.c - a stream into a file that is there whole or not at all: if a writer dies
 * before it has closed, the file does not get its name, and what came stays in FILE.part.
 *
 * Usage: crash-aware-reader NAME FILE
 */
#include <bstream.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* 0: all of it. -ECONNRESET: what there was, but a writer died. */
static int copy(struct bstream_reader *reader, FILE *out)
{
	const void *chunk;
	size_t len;
	int r;

	while ((r = bstream_peek(reader, &chunk, &len, BSTREAM_FOREVER)) == 1) {
		if (fwrite(chunk, 1, len, out) < len)
			return -EIO;
		bstream_release(reader);
		printf("%zu bytes\n", len);
		fflush(stdout);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct bstream_reader *reader;
	char part[4096];
	FILE *out;
	int r;

	if (argc != 3 || snprintf(part, sizeof(part), "%s.part", argv[2]) >= (int)sizeof(part)) {
		fputs("usage: crash-aware-reader NAME FILE\n", stderr);
		return 2;
	}
	out = fopen(part, "w");
	if (!out) {
		perror(part);
		return 1;
	}
	r = bstream_open_reader(argv[1], BSTREAM_FOREVER, &reader);
	if (r == 0) {
		r = copy(reader, out);
		bstream_reader_close(reader);
	}
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(part, argv[2]) < 0)
		r = -errno;
	if (r == -ECONNRESET)
		fprintf(stderr, "%s: a writer died, see %s\n", argv[1], part);
	else if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-r));
	return r < 0;
}
