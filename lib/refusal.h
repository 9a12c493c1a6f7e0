/* SPDX-License-Identifier: MIT */
/* refusal.h - what a broker told this thread of why it refused. For broker.c. */
#ifndef BS_REFUSAL_H
#define BS_REFUSAL_H

#include <stddef.h>

#include "proto/wire.h"

/* A new request: nothing has been told yet. */
void bs_refusal_clear(void);

/* A reply of @len bytes to @request, whose result is an error: take note of what it says of that. */
void bs_refusal_note(const struct bs_reply *peer_reply, size_t len,
		     const struct bs_wire_head *request);

#endif
