/* SPDX-License-Identifier: MIT */
/* stat.h - figures in the layout of the public structs. */
#ifndef BS_STAT_H
#define BS_STAT_H

#include "bstream.h"
#include "proto/wire.h"

/* Is @size one that a caller of this or an earlier version can have? */
int bs_stat_size_ok(size_t size);

/* Copy into the caller's struct, of his size. */
void bs_stat_export(struct bstream_stat *to, const struct bs_wire_stat *from);

#endif
