/* SPDX-License-Identifier: MIT */
/*
 * chunk.c - the full check: every byte differs from chunk to chunk, and is in the checksum.
 */
#include "bench/chunk.h"

#define BODY_AT 16u

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * CHUNK_SCRAMBLE;
	return h ^ (h >> 29);
}

static uint64_t checksum(const unsigned char *buf, size_t len)
{
	uint64_t h = len;
	size_t at = 0, end = len - sizeof(uint64_t);

	for (; at + sizeof(uint64_t) <= end; at += sizeof(uint64_t))
		h = mix(h, chunk_load(buf + at));
	for (; at < end; at++)
		h = mix(h, buf[at]);
	return h;
}

void chunk_fill(unsigned char *buf, size_t len, uint64_t head)
{
	uint64_t x = head * CHUNK_SCRAMBLE | 1;

	chunk_store(buf, head);
	for (size_t at = BODY_AT; at + 2 * sizeof(x) <= len; at += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		chunk_store(buf + at, x);
	}
	chunk_store(buf + len - sizeof(x), checksum(buf, len));
}

bool chunk_is_whole(const unsigned char *buf, size_t len)
{
	return chunk_tail(buf, len) == checksum(buf, len);
}
