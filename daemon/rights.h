/* SPDX-License-Identifier: MIT */
/*
 * rights.h - who may do what with what is whose. A broker of one user serves that user, and root, and
 * nobody is told anything of the others; with --system a name has owner, group and mode, as a file
 * has, and whoever asks is held to them.
 */
#ifndef BSTREAMD_RIGHTS_H
#define BSTREAMD_RIGHTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct broker;
struct client;

/* Bits, the first three as in a mode; one of those that are asked for is enough. */
#define RIGHT_READ  4u /* to take the read end */
#define RIGHT_WRITE 2u /* to take a write end */
#define RIGHT_OWN   1u /* to remove it, and to give up what is kept */
#define RIGHT_SEE   (RIGHT_READ | RIGHT_WRITE) /* to know of it: who may have any end of it */
#define RIGHT_MAKE  8u /* to create it: everybody has it, but for rules */

struct owner {
	uid_t uid;
	gid_t gid;
	uint32_t mode;
};

/* May it talk to this broker at all? 0 or EACCES. */
int rights_check_client(struct broker *b, const struct client *c);

/* Is it the broker's own user, or root: may it stop the broker? 0 or EACCES. */
int rights_check_master(struct broker *b, const struct client *c);

/* Has it one of the rights @wanted to what is @o's? 0 or EACCES, and then the broker's refusal says
 * what was missing. */
int rights_check(struct broker *b, struct client *c, const struct owner *o, uint32_t wanted);

/* Which of the rights *@wanted do the administrator's rules leave it to this name, whoever's it is, and
 * whether it is there or not? 0 or EACCES: none, and then the broker's refusal says by which rule. */
int rights_check_rules(struct broker *b, struct client *c, const char *name, uint32_t *wanted);

/* Both without a refusal: is it to be shown? */
bool rights_may_see(const struct broker *b, struct client *c, const struct owner *o,
		    const char *name);

/* May it give something to this group: does it belong to it? 0 or EACCES, as above. */
int rights_check_group(struct broker *b, struct client *c, gid_t gid);

/* This broker takes sealed streams only. EOPNOTSUPP, and the refusal says so. */
int rights_refuse_unsealed(struct broker *b, const struct client *c);

/* What the kernel says of who is behind the connection. */
bool rights_learn(struct client *c);
void rights_forget(struct client *c);

#endif
