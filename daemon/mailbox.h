/* SPDX-License-Identifier: MIT */
/*
 * mailbox.h - names at which processes receive messages. A mailbox is held by the connection on which
 * it was opened, and goes with it. It has room for so many messages; who sends more is parked, and
 * served in the order of arrival.
 */
#ifndef BSTREAMD_MAILBOX_H
#define BSTREAMD_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/rights.h"
#include "daemon/sorted.h"
#include "proto/wire.h"

#define MAILBOX_ROOM 16 /* messages */

struct broker;
struct client;
struct letter;

struct mailbox {
	char name[BS_WIRE_NAME];
	struct client *owner;
	struct owner owned_by; /* who may send: those who have the right to write */
	struct letter *first, **last; /* the queue, the oldest first */
	uint32_t n_letters;
	bool rung; /* a bell lies in the owner's socket, or he is about to ask for the next */
	struct client *first_sender, *last_sender; /* parked: there is no room */
};

/* All mailboxes of a broker. */
struct post {
	struct sorted names;
	uint32_t n_parked_ends; /* read ends that parked clients want to send */
};

void post_init(struct post *p);
void post_fini(struct post *p);

/* The mailbox of that name, borrowed, or NULL. */
struct mailbox *mailbox_find(const struct post *p, const char *name);

/* The same, and if its owner has hung up it is none. Drops that client. */
void mailbox_check(struct broker *b, const char *name);

/* Has the broker something to hear of @c, though it is parked or others are busy? */
bool post_may_speak(const struct client *c);

/* @c goes: its mailbox, and what it wants to send. */
void post_forget(struct broker *b, struct client *c);

#endif
