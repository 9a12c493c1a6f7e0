/* SPDX-License-Identifier: MIT */
/*
 * pump.c - N chunks of SIZE bytes through one stream, each written and then read, by one thread: both
 * sides are always awake, and what is executed is the hot paths and nothing else. For bounds.sh.
 *
 * Usage: pump copy|place|onward|several|many|spans N SIZE (onward: in place, one call for a chunk's commit
 * and the next one's reserve; many: 10 at a time; spans: likewise, in place)
 *        pump names N SIZE (no chunks: N times a stream is created, opened at both ends, removed and closed)
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bstream.h"

#define MANY 10

static unsigned char from[65536], to[65536];

static int once_copy(struct bstream_writer *w, struct bstream_reader *r, size_t size)
{
	size_t len;

	return bstream_write(w, from, size, BSTREAM_FOREVER) == 0 &&
	       bstream_read(r, to, sizeof(to), &len, BSTREAM_FOREVER) == 1 && len == size;
}

static int once_place(struct bstream_writer *w, struct bstream_reader *r, size_t size)
{
	const void *chunk;
	void *span;
	size_t len;

	return bstream_reserve(w, size, &span, BSTREAM_FOREVER) == 0 &&
	       bstream_commit(w, size) == 0 &&
	       bstream_peek(r, &chunk, &len, BSTREAM_FOREVER) == 1 && len == size &&
	       bstream_release(r) == 0;
}

static int once_onward(struct bstream_writer *w, struct bstream_reader *r, size_t size)
{
	static bool reserved;
	const void *chunk;
	void *span;
	size_t len;

	if (!reserved && bstream_reserve(w, size, &span, BSTREAM_FOREVER) != 0)
		return 0;
	reserved = true;
	return bstream_commit_reserve(w, size, &span) == 1 &&
	       bstream_peek(r, &chunk, &len, BSTREAM_FOREVER) == 1 && len == size &&
	       bstream_release(r) == 0;
}

static int once_many(struct bstream_writer *w, struct bstream_reader *r, size_t size)
{
	struct iovec out[MANY], in[MANY];

	for (int i = 0; i < MANY; i++)
		out[i] = (struct iovec){ from, size };
	return bstream_write_many(w, out, MANY, BSTREAM_FOREVER) == MANY &&
	       bstream_peek_many(r, in, MANY, BSTREAM_FOREVER) == MANY &&
	       in[MANY - 1].iov_len == size && bstream_release_many(r, MANY) == 0;
}

static int once_spans(struct bstream_writer *w, struct bstream_reader *r, size_t size)
{
	struct iovec out[MANY], in[MANY];

	return bstream_reserve_many(w, size, out, MANY, BSTREAM_FOREVER) == MANY &&
	       bstream_commit_many(w, out, MANY) == 0 &&
	       bstream_peek_many(r, in, MANY, BSTREAM_FOREVER) == MANY &&
	       in[MANY - 1].iov_len == size && bstream_release_many(r, MANY) == 0;
}

static int once_names(void)
{
	struct bstream_options small = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *w;
	struct bstream_reader *r;

	small.capacity = 1;
	small.chunk_max = 64;
	if (bstream_create("pump", &small) != 0 ||
	    bstream_open_writer("pump", BSTREAM_DONT_WAIT, &w) != 0 ||
	    bstream_open_reader("pump", BSTREAM_DONT_WAIT, &r) != 0 || bstream_remove("pump") != 0)
		return 0;
	bstream_writer_close(w);
	bstream_reader_close(r);
	return 1;
}

static int names(unsigned long n)
{
	while (n > 0 && once_names())
		n--;
	return n > 0;
}

int main(int argc, char **argv)
{
	struct bstream_writer *w, *second = NULL;
	struct bstream_reader *r;

	if (argc == 4 && strcmp(argv[1], "names") == 0)
		return names(strtoul(argv[2], NULL, 10));
	if (argc != 4 || bstream_pair(NULL, &w, &r) != 0)
		return 2;
	if (strcmp(argv[1], "several") == 0 && bstream_writer_clone(w, &second) != 0)
		return 2;
	int (*once)(struct bstream_writer *, struct bstream_reader *, size_t) =
		strcmp(argv[1], "place") == 0	 ? once_place
		: strcmp(argv[1], "onward") == 0 ? once_onward
		: strcmp(argv[1], "many") == 0	 ? once_many
		: strcmp(argv[1], "spans") == 0	 ? once_spans
						 : once_copy;
	unsigned long each = once == once_many || once == once_spans ? MANY : 1;
	size_t size = strtoul(argv[3], NULL, 10);
	for (unsigned long n = strtoul(argv[2], NULL, 10); n > 0; n -= each)
		if (!once(w, r, size))
			return 1;
	bstream_writer_close(second);
	bstream_writer_close(w);
	bstream_reader_close(r);
	return 0;
}
