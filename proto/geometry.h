/* SPDX-License-Identifier: MIT */
/*
 * geometry.h - the private copy of a segment's geometry: the bounds everything else is checked
 * against. A plain value, of whoever holds it.
 */
#ifndef BS_GEOMETRY_H
#define BS_GEOMETRY_H

#include <stdbool.h>

#include "proto/layout.h"

/* Where the bytes of a chunk of one size class are: of slot i, at + i * stride. */
struct bs_body {
	uint32_t size; /* bytes in the largest chunk of the class */
	uint64_t at; /* of slot 0, bytes from the start of the segment */
	uint64_t stride; /* bytes from slot to slot */
};

struct bs_geometry {
	uint32_t capacity, chunk_max, max_writers;
	uint32_t flags, keep;
	bool fences; /* publishers make real fences: a heavy barrier is not needed */
	bool sealed; /* the file cannot change its size, and nobody trusts anybody with a semaphore */
	uint64_t slots_at; /* bytes from the start of the segment */
	uint64_t size; /* bytes in all */
	uint32_t n_bodies; /* classes in use; the last one's size is chunk_max */
	struct bs_body body[BS_BODY_CLASSES];
};

/* Fill @geo from the options; a capacity of 0 is 1. -EINVAL: out of limits. */
int bs_geometry_init(struct bs_geometry *geo, uint32_t capacity, uint32_t chunk_max,
		     uint32_t max_writers, uint32_t flags, uint32_t keep);

/* Fill @geo from a header somebody else wrote, already copied to private memory, and the size that
 * fstat gave. -EPROTO: not a segment, or it does not fit; -EPROTONOSUPPORT: another layout. */
int bs_geometry_check(struct bs_geometry *geo, const struct bs_header *peer_header,
		      uint64_t file_size);

/* The smallest class that fits @len bytes, which are not more than chunk_max. */
static inline uint32_t bs_geometry_class(const struct bs_geometry *geo, size_t len)
{
	uint32_t c = 0;

	while (len > geo->body[c].size)
		c++;
	return c;
}

/* It is to be a sealed one: nothing in it is anywhere else then. */
static inline void bs_geometry_seal(struct bs_geometry *geo)
{
	geo->flags |= BS_FLAG_SEALED;
	geo->sealed = true;
}

/* Is @name one that a stream may have? */
bool bs_name_ok(const char *name);

#endif
