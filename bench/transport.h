/* SPDX-License-Identifier: MIT */
/*
 * transport.h - what a way of carrying chunks has to provide. One file, transport_*.c, for each.
 *
 * open() and close() run in the process that holds the round and forks the parties; the attach
 * calls run in the party, which never comes back: what it holds goes with it, unless leave() is
 * given. The loops (loops.h) are compiled once for each transport, with its read and write inside
 * them, so that no transport pays for an indirect call and the bare ones are really bare.
 */
#ifndef BENCH_TRANSPORT_H
#define BENCH_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/seat.h"

struct transport;

/* traits */
#define TRANSPORT_SLEEPS    0x01u /* a side that waits sleeps */
#define TRANSPORT_SPINS	    0x02u /* a side that waits can be told to poll */
#define TRANSPORT_FAN_IN    0x04u /* several writers */
#define TRANSPORT_BARE	    0x08u /* a limit, not a peer */
#define TRANSPORT_OURS	    0x10u
#define TRANSPORT_ONE_WAY   0x20u /* it has no round trip */
#define TRANSPORT_TRIP_ONLY 0x40u /* it has nothing but a round trip */
#define TRANSPORT_BOTH_WAYS 0x80u /* one channel carries the answers too */
#define TRANSPORT_BROKER    0x100u /* it needs a broker */
#define TRANSPORT_IDLE_ONLY 0x200u /* it carries nothing */

struct channel {
	const struct transport *transport;
	size_t len; /* the largest chunk */
	unsigned n_writers;
	unsigned n_channels; /* channels open at the same time, for those that use much memory */
	bool spin; /* who waits is to poll */
	bool never_spin; /* who waits is to sleep at once */
	unsigned id; /* differs for all channels of a run: for names */
	void *state; /* the transport's */
};

struct transport {
	const char *name;
	const char *about;
	unsigned traits;
	size_t len_max; /* bytes in the largest chunk; 0: no limit */
	unsigned depth; /* its number of slots, where that is a choice */
	int (*open)(struct channel *c); /* -EOPNOTSUPP: not with these parameters */
	void (*close)(struct channel *c);
	int (*attach_writer)(struct channel *c, unsigned k, void **endp);
	int (*attach_reader)(struct channel *c, void **endp);
	void (*leave)(void *end); /* may be NULL */
	int (*send)(struct seat *s);
	int (*receive)(struct seat *s);
	int (*send_bursts)(struct seat *s);
	int (*receive_bursts)(struct seat *s);
	int (*ping)(struct seat *s);
	int (*pong)(struct seat *s);
};

/* All that were built in, in the order in which they are shown; NULL at the end. */
extern const struct transport *const transports[];

/* The transport of this name, or NULL. */
const struct transport *transport_find(const char *name);

/* Does @name match one of the comma-separated shell patterns in @patterns? */
bool transport_matches(const char *name, const char *patterns);

#endif
