/* SPDX-License-Identifier: MIT */
/*
 * zero-copy.c - a thread computes rows of numbers right in the stream's memory, and another adds
 * them up there: no buffer of anybody's is copied.
 *
 * Usage: zero-copy [ROWS]
 */
#include <bstream.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW 4096 /* numbers in a row */

static uint64_t rows = 1000;

static void *compute(void *arg)
{
	struct bstream_writer *writer = arg;
	uint64_t n = 0;
	void *span;

	for (uint64_t i = 0; i < rows; i++) {
		if (bstream_reserve(writer, ROW * sizeof(n), &span, BSTREAM_FOREVER) < 0)
			break;
		for (uint64_t *row = span, *end = row + ROW; row < end; row++)
			*row = ++n;
		if (bstream_commit(writer, ROW * sizeof(n)) < 0)
			break;
	}
	bstream_writer_close(writer);
	return NULL;
}

int main(int argc, char **argv)
{
	struct bstream_writer *writer;
	struct bstream_reader *reader;
	const void *chunk;
	pthread_t thread;
	uint64_t sum = 0;
	size_t len;
	int r;

	if (argc > 1)
		rows = strtoull(argv[1], NULL, 10);
	r = bstream_pair(NULL, &writer, &reader);
	if (r < 0) {
		fprintf(stderr, "bstream_pair: %s\n", strerror(-r));
		return 1;
	}
	if (pthread_create(&thread, NULL, compute, writer) != 0)
		return 1;
	while ((r = bstream_peek(reader, &chunk, &len, BSTREAM_FOREVER)) == 1) {
		for (const uint64_t *row = chunk, *end = row + len / sizeof(*row); row < end; row++)
			sum += *row;
		bstream_release(reader);
	}
	pthread_join(thread, NULL);
	bstream_reader_close(reader);
	printf("1 + 2 + ... + %" PRIu64 " = %" PRIu64 "\n", rows * ROW, sum);
	return r < 0;
}
