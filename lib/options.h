/* SPDX-License-Identifier: MIT */
/* options.h - struct bstream_options, as a caller of any version gave it, made into geometry. */
#ifndef BS_OPTIONS_H
#define BS_OPTIONS_H

#include "bstream.h"
#include "proto/geometry.h"
#include "proto/segment.h"

/* @options may be NULL. @named: keep is allowed. 0, -EINVAL, -E2BIG, -EOPNOTSUPP. */
int bs_options_resolve(const struct bstream_options *options, bool named, struct bs_geometry *geo,
		       struct bs_segment_spec *spec);

/*
 * Copy a struct that a caller of any version gave over @to, which holds the defaults: what is missing in
 * its @size bytes stays, what is unknown must be 0. @size_first: of its first version. 0; -EINVAL it is
 * shorter than that; -E2BIG.
 */
int bs_options_copy(void *to, size_t to_size, const void *from, size_t size, size_t size_first);

#endif
