/* SPDX-License-Identifier: MIT */
/*
 * party.h - one process of a round: its place, its ends, its loop. And how it and its parent talk.
 */
#ifndef BENCH_PARTY_H
#define BENCH_PARTY_H

#include "bench/round.h"
#include "bench/seat.h"
#include "bench/transport.h"

struct role {
	bool writes; /* a writer, or who asks in a round trip */
	unsigned writer; /* its number in its pair */
	struct channel *there; /* and the channel after it leads back, in a round trip */
	struct party *reader; /* whom a writer waits for before it leaves */
};

/* Move the round on, and wake who waits for it. */
void party_phase_set(struct round *r, uint32_t phase);

/* What a party says of itself; its notes are whole when it says it is done. */
uint32_t party_state(struct party *p);

/* Be that party: attach, wait for the start, work, leave. Does not return. */
_Noreturn void party_run(const struct plan *plan, struct round *r, struct party *me,
			 const struct role *role);

#endif
