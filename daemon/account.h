/* SPDX-License-Identifier: MIT */
/*
 * account.h - what each user has of the broker, and how much of it one may have. Counted always;
 * limited with --system, where users do not trust each other, and wherever a limit was asked for.
 */
#ifndef BSTREAMD_ACCOUNT_H
#define BSTREAMD_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/sorted.h"
#include "proto/wire.h"

/* What is counted: in this order on the wire. */
enum quota {
	QUOTA_STREAMS, /* that he has created */
	QUOTA_BYTES, /* of shared memory in them */
	QUOTA_ENDS, /* that he was given by name and that are open still, wherever they went */
	QUOTA_MAILBOXES, /* that he has open */
	QUOTA_MESSAGES, /* of his that nobody has received yet */
	QUOTA_CONNECTIONS,
	QUOTA_COUNT,
};

struct accounts {
	struct sorted by_uid;
	uint64_t limits[QUOTA_COUNT];
};

void accounts_init(struct accounts *a);
void accounts_fini(struct accounts *a);

/* The limits of --system, for all that no other was set for. */
void accounts_set_defaults(struct accounts *a);

/* "NAME=N": N as a number, or with K, M, G, T (1024). False: no such name, or no number. */
bool accounts_set_limit(struct accounts *a, const char *text);

const char *quota_name(enum quota q);

/* The @i-th user who has anything, below by_uid.n. */
uid_t accounts_uid(const struct accounts *a, size_t i);

uint64_t account_used(const struct accounts *a, uid_t uid, enum quota q);

/* May he be served once more in this round of the loop, as one who has been less than @max times? */
bool account_take_turn(struct accounts *a, uid_t uid, uint64_t round, unsigned max);

/* What he was served with then has cost as much as @n more. */
void account_take_more_turns(struct accounts *a, uid_t uid, unsigned n);

/* May he have @n more? Root may. 0, or EDQUOT and @refusal says why. */
int account_check(const struct accounts *a, uid_t uid, enum quota q, uint64_t n,
		  struct bs_refusal *refusal);

/* He has @n more, or less. Counted as far as there is memory. */
void account_add(struct accounts *a, uid_t uid, enum quota q, int64_t n);

#endif
