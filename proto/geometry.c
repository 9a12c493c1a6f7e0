/* SPDX-License-Identifier: MIT */
/*
 * geometry.c - where the slots of a segment are, from three numbers, and whether a header that
 * somebody else wrote can be true. Pure functions; anybody may call them.
 */
#include <errno.h>
#include <string.h>

#include "proto/geometry.h"

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

int bs_geometry_init(struct bs_geometry *geo, uint32_t capacity, uint32_t chunk_max,
		     uint32_t max_writers, uint32_t flags, uint32_t keep)
{
	if (capacity == 0)
		capacity = 1;
	if (capacity > BS_CAPACITY_LIMIT)
		return -EINVAL;
	if (chunk_max == 0 || chunk_max > BS_CHUNK_MAX_LIMIT)
		return -EINVAL;
	if (max_writers == 0 || max_writers > BS_MAX_WRITERS_LIMIT)
		return -EINVAL;
	if ((flags & ~BS_FLAG_KNOWN) != 0 || (keep & ~(BS_KEEP_READER | BS_KEEP_WRITERS)) != 0)
		return -EINVAL;

	*geo = (struct bs_geometry){
		.capacity = capacity,
		.chunk_max = chunk_max,
		.max_writers = max_writers,
		.flags = flags,
		.keep = keep,
		.fences = (flags & BS_FLAG_FENCES) != 0,
	};
	geo->stride = round_up(sizeof(struct bs_slot) + chunk_max, BS_CACHE_LINE);
	geo->slots_at = round_up(sizeof(struct bs_segment) +
					 (uint64_t)max_writers * sizeof(struct bs_writer_line),
				 BS_PAGE);
	/* at most 2^24 * (2^30 + 2^7): no overflow */
	geo->size = round_up(geo->slots_at + geo->stride * capacity, BS_PAGE);
	return geo->size <= BS_SEGMENT_LIMIT ? 0 : -EINVAL;
}

int bs_geometry_check(struct bs_geometry *geo, const struct bs_header *peer_header,
		      uint64_t file_size)
{
	const struct bs_header *h = peer_header;

	if (memcmp(h->magic, BS_LAYOUT_MAGIC, sizeof(h->magic)) != 0)
		return -EPROTO;
	if (h->version != BS_LAYOUT_VERSION || (h->flags & ~BS_FLAG_KNOWN) != 0)
		return -EPROTONOSUPPORT;
	if (h->capacity == 0 ||
	    bs_geometry_init(geo, h->capacity, h->chunk_max, h->max_writers, h->flags, h->keep) < 0)
		return -EPROTO;
	if (h->size != geo->size || file_size < geo->size)
		return -EPROTO;
	if (memchr(h->name, '\0', sizeof(h->name)) == NULL)
		return -EPROTO;
	if (h->name[0] != '\0' && !bs_name_ok(h->name))
		return -EPROTO;
	return 0;
}

static bool name_byte_ok(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-' || c == '/';
}

bool bs_name_ok(const char *name)
{
	size_t len = 0;

	if (name == NULL || name[0] == '/' || name[0] == '.')
		return false;
	while (name[len] != '\0') {
		if (len == 200 || !name_byte_ok(name[len]))
			return false;
		len++;
	}
	return len > 0;
}
