/* SPDX-License-Identifier: MIT */
/* refusal.h - what a broker told this thread of why it refused. For broker.c, and those who look at segments. */
#ifndef BS_REFUSAL_H
#define BS_REFUSAL_H

#include <stddef.h>

#include "proto/layout.h"
#include "proto/wire.h"

/* A segment was looked at, and that gave @rc, which is returned: if it is of another layout, take note
 * of what it has that is not known here. */
int bs_refusal_layout(int rc, const struct bs_header *peer_header);

/* A new request: nothing has been told yet. */
void bs_refusal_clear(void);

/* A reply of @len bytes to @request, whose result is an error: take note of what it says of that. */
void bs_refusal_note(const struct bs_reply *peer_reply, size_t len,
		     const struct bs_wire_head *request);

#endif
