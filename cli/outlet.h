/* SPDX-License-Identifier: MIT */
/* outlet.h - streams that are written to, and made if need be. */
#ifndef CLI_OUTLET_H
#define CLI_OUTLET_H

#include "creation.h"

struct bstream_writer;

/* How they are made and opened. */
struct outlet {
	struct creation creation;
	bool no_create; /* wait for the name, as far as timeout_ns goes */
	int64_t timeout_ns; /* NO_TIMEOUT with no_create: not at all */
};

/*
 * Opens @name, or makes it first. Returns 0 and a handle in *@writerp, or an exit code whose reason
 * has been said.
 */
int outlet_open(const struct outlet *outlet, const char *name, struct bstream_writer **writerp);

#endif
