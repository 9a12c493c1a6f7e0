/* SPDX-License-Identifier: MIT */
/* options.c - reads options; owns nothing. Anybody in the library may call it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/options.h"
#include "proto/hint.h"

#define SIZE_LAST  4096 /* no version's: not a size at all */
#define SIZE_FIRST offsetof(struct bstream_options, flags) + sizeof(uint32_t) /* version 0.1's */

static_assert(BSTREAM_NAME_MAX < BS_NAME_SIZE, "a name and its NUL fit the header");
static_assert(BSTREAM_FENCES == BS_FLAG_FENCES && BSTREAM_SEALED == BS_FLAG_SEALED, "same bits");
static_assert(BSTREAM_KEEP_READER == BS_KEEP_READER && BSTREAM_KEEP_WRITERS == BS_KEEP_WRITERS,
	      "same bits");

int bs_options_copy(void *to, size_t to_size, const void *from, size_t size, size_t size_first)
{
	const unsigned char *bytes = from;

	if (size < size_first)
		return -EINVAL;
	if (size > SIZE_LAST)
		return -E2BIG;
	for (size_t i = to_size; i < size; i++)
		if (bytes[i] != 0)
			return -E2BIG;
	memcpy(to, from, size < to_size ? size : to_size);
	return 0;
}

static bool is_wished(const char *variable)
{
	const char *value = secure_getenv(variable);

	return value != NULL && strcmp(value, "1") == 0;
}

int bs_options_resolve(const struct bstream_options *options, bool named, struct bs_geometry *geo,
		       struct bs_segment_spec *spec)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	if (options != NULL) {
		int rc = bs_options_copy(&o, sizeof(o), options, options->size, SIZE_FIRST);
		if (rc < 0)
			return rc;
	}
	if ((o.flags & ~(BSTREAM_SEALED | BSTREAM_FENCES)) != 0 || (o.mode & ~0777u) != 0)
		return -EINVAL;
	if (o.keep != 0 && !named)
		return -EINVAL;
	if (is_wished("BSTREAM_FENCES"))
		o.flags |= BSTREAM_FENCES;
	if (is_wished("BSTREAM_SEALED"))
		o.flags |= BSTREAM_SEALED;
	int rc = bs_geometry_init(geo, o.capacity, o.chunk_max, o.max_writers, o.flags, o.keep);
	if (rc < 0)
		return rc;
	if (!geo->fences && bs_barrier_register() < 0)
		return -EOPNOTSUPP;
	spec->mode = o.mode;
	spec->gid = o.gid;
	return 0;
}
