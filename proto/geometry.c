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

/* Place the bodies of each class behind the slots. Returns where they end: at most
 * 2^24 * (2^30 + 2^13), so that nothing overflows. */
static uint64_t bodies_place(struct bs_geometry *geo)
{
	static const uint32_t sizes[] = BS_BODY_SIZES;
	uint64_t at = geo->slots_at + (uint64_t)geo->capacity * sizeof(struct bs_slot);
	uint32_t n = 0;

	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && sizes[i] < geo->chunk_max; i++)
		geo->body[n++].size = sizes[i];
	geo->body[n++].size = geo->chunk_max;
	geo->n_bodies = n;
	for (uint32_t c = 0; c < n; c++) {
		struct bs_body *body = &geo->body[c];

		if (c == 0 && body->size <= BS_SLOT_INLINE) {
			body->at = geo->slots_at + offsetof(struct bs_slot, bytes);
			body->stride = sizeof(struct bs_slot);
			continue;
		}
		body->at = at;
		body->stride = round_up(body->size, BS_CACHE_LINE);
		if (body->stride > BS_PAGE && body->stride % BS_PAGE == 0)
			body->stride += BS_BODY_SKEW;
		at += body->stride * geo->capacity;
	}
	return at;
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
		.sealed = (flags & BS_FLAG_SEALED) != 0,
	};
	geo->slots_at = round_up(sizeof(struct bs_segment) +
					 (uint64_t)max_writers * sizeof(struct bs_writer_line),
				 BS_PAGE);
	geo->size = round_up(bodies_place(geo), BS_PAGE);
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
