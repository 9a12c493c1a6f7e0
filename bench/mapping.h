/* SPDX-License-Identifier: MIT */
/*
 * mapping.h - memory that the processes of a round share: made before they are forked, gone with
 * the last of them.
 */
#ifndef BENCH_MAPPING_H
#define BENCH_MAPPING_H

#include <stddef.h>
#include <sys/mman.h>

/* Zeroed memory that forked processes share; NULL if there is none. */
static inline void *mapping_new(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static inline void mapping_free(void *at, size_t size)
{
	if (at)
		munmap(at, size);
}

#endif
