/* SPDX-License-Identifier: MIT */
/*
 * client.h - one connection. It asks, is answered, and hangs up; or it is parked until the name it
 * asked for exists. Nothing it does is an error of ours: at worst it is dropped.
 */
#ifndef BSTREAMD_CLIENT_H
#define BSTREAMD_CLIENT_H

#include "daemon/broker.h"

struct client {
	struct source source; /* fd -1: dropped, and freed at the end of this round */
	struct client *next, *prev;
	uid_t uid; /* whom the kernel says it is */
	pid_t pid;
	gid_t gid;
	uint16_t wire; /* the version that it speaks; 0: one that we do not, or it has not said */
	gid_t *groups; /* the others; rights.c */
	int n_groups; /* -1: not asked for yet */
	bool surplus; /* one more than its user may have: it is told so when it asks */
	bool polled; /* the loop hears of it */
	bool given; /* a descriptor, with which the connection ends once that has been read */
	bool parked; /* until the name in @question exists, or there is room for @letter */
	struct bs_req_name question; /* checked */
	/* mailbox.c */
	struct mailbox *mailbox; /* this connection is that mailbox */
	struct letter *letter; /* parked: what it is to be rid of … */
	struct mailbox *addressee; /* … and where it stands in line for that */
	struct client *next_sender, *prev_sender;
	bool sent; /* its SEND has been answered: a WITHDRAW may be on its way */
};

/* The listening socket is readable: a loop callback. */
int client_on_connect(struct broker *b, struct source *source, uint32_t events);

/* Is there room again for those who wait to be let in? */
int client_admit(struct broker *b);

/* Send a reply, with @fd unless it is -1 (borrowed). One that cannot be had at once is not waited
 * for: false, and the caller drops the client. */
bool client_send(struct client *c, const void *reply, size_t len, int fd);

/* It was sent a descriptor, and has no more to say: drop it as soon as it has read that. */
void client_leave_given(struct broker *b, struct client *c);

/* Drop those who have, and when to do so again: CLOCK_MONOTONIC ns, or UINT64_MAX. */
void client_run(struct broker *b);
uint64_t client_due(const struct broker *b);

/* Has it hung up, whether we have heard of that or not? */
bool client_has_left(const struct client *c);

/* Is there room for one more who is not to be asked to leave? */
bool client_may_stay(const struct broker *b);

/* End the connection. The object lives until client_bury(). */
void client_drop(struct broker *b, struct client *c);
void client_bury(struct broker *b);
void client_drop_all(struct broker *b);

void client_park(struct broker *b, struct client *c);
void client_unpark(struct broker *b, struct client *c);

#endif
