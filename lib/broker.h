/* SPDX-License-Identifier: MIT */
/*
 * broker.h - asking the broker: the client's side of proto/wire.h. For those who know names: name.c,
 * wait.c, view.c, mailbox.c, send.c.
 *
 * Every request has a connection of its own. A request that does not wait takes 5 s at most, the
 * start of a broker included (-ETIMEDOUT, -ECONNREFUSED). If the broker dies in the middle, the next
 * one is found or started, and asked again. No state is kept between requests but which broker to
 * use; all functions may be called by any thread, and in a forked child.
 */
#ifndef BS_BROKER_H
#define BS_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/wire.h"

/*
 * Ask about @name, which has been checked. @type: any whose request is a bs_req_name and whose reply
 * a bs_reply. @flags: BS_WANT_*. With BS_WANT_WAIT the call lasts until the name exists, at most to
 * @deadline (-ETIMEDOUT; BSTREAM_DONT_WAIT: -ENOENT at once); without, @deadline is not looked at.
 *
 * @fdp: receives the descriptor of OPEN_WRITER, OPEN_READER, LOOK, close-on-exec, the caller's; NULL
 * where the reply has none. @connp, may be NULL: receives the connection, which the caller ends by
 * bs_broker_hang_up() when he has attached, or given up. Out-parameters are set on success only.
 * 0 or a negative errno: the broker's result, or one of ours.
 */
int bs_broker_ask(uint16_t type, const char *name, uint32_t flags, uint64_t deadline, int *fdp,
		  int *connp);

/* Open a mailbox, with that mode and group (0: one's own). Where both are what they are if nothing is
 * said, a broker that knows of neither will do. *@connp receives the connection that is the mailbox.
 * 0 or a negative errno. */
int bs_broker_mailbox(const char *name, const struct bs_wire_owner *owner, int *connp);

/*
 * Offer the sealed stream of which @fd is an end to the broker under its name, in case it is a new
 * one: nothing but its ends can tell it of such a stream. Starts no broker, never waits, and does not
 * hear the answer.
 */
void bs_broker_restore(const char *name, int fd);

/* Close a connection that bs_broker_ask() gave. Never close() it: a forked child closes it too. */
void bs_broker_hang_up(int conn);

/* Hand a segment over, which stays the caller's too: 0 and it has the name, or -EEXIST, …; @tmp_name
 * as bs_segment_new_linkable() gave it: on failure the caller unlinks it. */
int bs_broker_create(const char *name, int fd, const char *tmp_name);

/* ---- piece by piece, for other conversations: mailbox.c, send.c, rules.c ---- */

#define BS_BROKER_ROUND_NS UINT64_C(5000000000) /* a round trip, the start of a broker included */
#define BS_BROKER_GONE	   1 /* outcome: nothing more will come from this broker */

/* A connection to the broker, which is started if need be. A link, or a negative errno. */
int bs_broker_connect(uint64_t until);

/* The head of a packet of that size. */
struct bs_wire_head bs_broker_head(uint16_t type, size_t size);

/* Send a packet, with @fd (borrowed) unless it is -1. 0; BS_BROKER_GONE; -EAGAIN: not just now. */
int bs_broker_say(int conn, const void *packet, size_t len, int fd);

/* Wait until there is something to hear. 0 or -ETIMEDOUT. */
int bs_broker_await(int conn, uint64_t until);

/*
 * Hear one packet of @type: what it says of the result, or BS_BROKER_GONE, or an error of ours. Its
 * bytes are at @reply, where there is room for *@lenp of them, which becomes its length. @fdp (NULL:
 * none may come) receives a link or -1; only with a result of 0 there is one.
 */
int bs_broker_hear(int conn, uint16_t type, struct bs_reply *reply, size_t *lenp, int *fdp);

/* ---- figures ---- */

/* How long the broker has been there. Starts none. */
int bs_broker_uptime(uint64_t *uptime_nsp);

/* One stream's figures. 0, -ENOENT. Its strings are terminated, its numbers are as they came. */
int bs_broker_look(const char *name, struct bs_wire_stat *stat);

/* The streams whose names come after @after ("" for the first). *@pagep is to be freed; its
 * n_streams is 0 behind the last one. */
int bs_broker_page(const char *after, struct bs_reply_list **pagep);

#endif
