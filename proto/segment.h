/* SPDX-License-Identifier: MIT */
/*
 * segment.h - the memory of a stream: made, allocated, checked and mapped. Owns no end (end.h).
 */
#ifndef BS_SEGMENT_H
#define BS_SEGMENT_H

#include <sys/stat.h>

#include "proto/geometry.h"

#define BS_SHM_DIR "/dev/shm"

struct bs_segment_spec { /* what the creator says of it; the rest is in the geometry */
	const char *name; /* borrowed; "" for a pair */
	uint32_t mode;
	uint32_t gid; /* 0: the caller's own */
};

/* Make a memfd with the header written and every page allocated, sealed if the geometry says so: a
 * pair's segment, or any sealed one. Returns the fd. */
int bs_segment_new_nameless(const struct bs_geometry *geo, const struct bs_segment_spec *spec);

/* Likewise, a file in the shm directory that has no name yet, for the broker to link. Where there
 * is no O_TMPFILE, one under a random name, stored at @tmp_name (else ""). Returns the fd. */
int bs_segment_new_linkable(const struct bs_geometry *geo, const struct bs_segment_spec *spec,
			    char tmp_name[64]);

/* Is it a memfd that can neither shrink nor grow, nor be sealed against writing? Asks no other file
 * system than the kernel's own. */
bool bs_segment_is_sealed(int fd);

/* Copy the header out by pread and check it against the file: fstat, regular or memfd, size,
 * geometry, and seals if it says that it is sealed. @st may be NULL. Takes no lock, maps nothing. 0, -EPROTO, -EPROTONOSUPPORT, -EBADF. */
int bs_segment_check(int fd, struct bs_geometry *geo, struct bs_header *header, struct stat *st);

/* Map the first @len bytes, not inherited by fork. @write false: to look only. NULL and errno. */
struct bs_segment *bs_segment_map(int fd, uint64_t len, bool write);
void bs_segment_unmap(struct bs_segment *g, uint64_t len);

/* Slot number @index (not chunk), which must be below capacity. */
static inline struct bs_slot *bs_segment_slot(struct bs_segment *g, const struct bs_geometry *geo,
					      uint64_t index)
{
	return (struct bs_slot *)((char *)g + geo->slots_at) + index;
}

/* Where the bytes of a chunk of class @c are, in slot number @index. */
static inline unsigned char *bs_segment_bytes(struct bs_segment *g, const struct bs_geometry *geo,
					      uint64_t index, uint32_t c)
{
	return (unsigned char *)g + geo->body[c].at + index * geo->body[c].stride;
}

#endif
