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

#endif
