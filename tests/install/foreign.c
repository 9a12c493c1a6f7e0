/* SPDX-License-Identifier: MIT */
/*
 * foreign.c - a program of somebody else's, in the language that C and C++ share: uses what is installed,
 * and is told which version that should be.
 */
#include <bstream.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct bstream_options options = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *writer = NULL;
	struct bstream_reader *reader = NULL;
	char text[6] = "";
	size_t len = 0;

	if (argc != 2 || strcmp(argv[1], bstream_version()) != 0) {
		fprintf(stderr, "the library's version is %s\n", bstream_version());
		return 1;
	}
	options.capacity = 2;
	if (bstream_pair(&options, &writer, &reader) != 0)
		return 2;
	if (bstream_write(writer, "bytes", 5, bstream_after_ms(1000)) != 0)
		return 3;
	bstream_writer_close(writer);
	if (bstream_read(reader, text, sizeof(text), &len, BSTREAM_FOREVER) != 1 || len != 5 ||
	    strcmp(text, "bytes") != 0)
		return 4;
	if (bstream_read(reader, text, sizeof(text), &len, BSTREAM_DONT_WAIT) != 0)
		return 5;
	bstream_reader_close(reader);
	return 0;
}
