/* SPDX-License-Identifier: MIT */
/*
 * chunk.h - what is in a chunk, and how its reader knows that it is the right one.
 *
 * The first eight bytes are its head: the writer's number in the upper 16 bits, and how many chunks
 * that writer sent before. The last eight are the head again, scrambled: a chunk that was cut,
 * shifted or mixed with another does not pass. That is the cheap check, the same for every
 * transport. With a full check the bytes between are filled anew for each chunk, and the last eight
 * hold a checksum over all of them.
 *
 * A writer's last chunk has CHUNK_END set in its head and says how many there were.
 */
#ifndef BENCH_CHUNK_H
#define BENCH_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CHUNK_LEN_MIN	   16u
#define CHUNK_STAMP_AT	   8u /* case F: when the burst began */
#define CHUNK_WRITER_SHIFT 48
#define CHUNK_END	   (UINT64_C(1) << 47)
#define CHUNK_SCRAMBLE	   UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t chunk_load(const void *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline void chunk_store(void *at, uint64_t v)
{
	memcpy(at, &v, sizeof(v));
}

static inline uint64_t chunk_head(const unsigned char *buf)
{
	return chunk_load(buf);
}

static inline uint64_t chunk_tail(const unsigned char *buf, size_t len)
{
	return chunk_load(buf + len - sizeof(uint64_t));
}

/* Number a chunk for the cheap check. */
static inline void chunk_stamp(unsigned char *buf, size_t len, uint64_t head)
{
	chunk_store(buf, head);
	chunk_store(buf + len - sizeof(uint64_t), head ^ CHUNK_SCRAMBLE);
}

/* Fill a chunk from its head and put its checksum at the end. */
void chunk_fill(unsigned char *buf, size_t len, uint64_t head);

/* Is every byte of a filled chunk what its checksum says? */
bool chunk_is_whole(const unsigned char *buf, size_t len);

#endif
