/* SPDX-License-Identifier: MIT */
/*
 * rights.c - owns nothing but the lists of groups of those connections for which they were needed.
 *
 * Who asks is known from the kernel (SO_PEERCRED, SO_PEERGROUPS), as of the moment he connected;
 * what is whose, from the private copy of a header that was checked against it when the name was
 * made. Nothing that has since been written into a segment counts. Nor does which process it is: its
 * number is only told to others, so there is no use for SO_PEERPIDFD here (lib/broker.c has one).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/client.h"
#include "daemon/rights.h"

bool rights_learn(struct client *c)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(c->source.fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	c->uid = cred.uid;
	c->pid = cred.pid;
	c->gid = cred.gid;
	c->n_groups = -1;
	return true;
}

void rights_forget(struct client *c)
{
	free(c->groups);
	c->groups = NULL;
}

/* Ask for its groups, once. Without them it is in none: that can only take rights away. */
static void groups_learn(struct client *c)
{
	socklen_t len = 0;

	if (c->n_groups >= 0)
		return;
	c->n_groups = 0;
	if (getsockopt(c->source.fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 ||
	    errno != ERANGE || len > NGROUPS_MAX * sizeof(gid_t))
		return;
	c->groups = malloc(len);
	if (c->groups && getsockopt(c->source.fd, SOL_SOCKET, SO_PEERGROUPS, c->groups, &len) == 0)
		c->n_groups = (int)(len / sizeof(gid_t));
}

static bool is_in_group(struct client *c, gid_t gid)
{
	if (c->gid == gid)
		return true;
	groups_learn(c);
	for (int i = 0; i < c->n_groups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

/* As for a file: the first class that fits counts, and no other. */
static uint32_t rights_of(const struct broker *b, struct client *c, const struct owner *o)
{
	if (!b->system || c->uid == 0)
		return RIGHT_READ | RIGHT_WRITE | RIGHT_OWN;
	if (c->uid == o->uid)
		return ((o->mode >> 6) & RIGHT_SEE) | RIGHT_OWN;
	if (is_in_group(c, o->gid))
		return (o->mode >> 3) & RIGHT_SEE;
	return o->mode & RIGHT_SEE;
}

int rights_check_client(struct broker *b, const struct client *c)
{
	return b->system || c->uid == b->uid || c->uid == 0 ? 0 : EACCES;
}

int rights_check_master(struct broker *b, const struct client *c)
{
	if (c->uid == b->uid || c->uid == 0)
		return 0;
	b->refusal = (struct bs_refusal){
		.why = BS_WHY_RIGHT, .right = RIGHT_OWN, .uid = c->uid, .owner_uid = b->uid
	};
	return EACCES;
}

int rights_check(struct broker *b, struct client *c, const struct owner *o, uint32_t wanted)
{
	if ((rights_of(b, c, o) & wanted) != 0)
		return 0;
	b->refusal = (struct bs_refusal){
		.why = BS_WHY_RIGHT,
		.right = wanted,
		.uid = c->uid,
		.owner_uid = o->uid,
		.owner_gid = o->gid,
		.mode = o->mode,
	};
	return EACCES;
}

static bool asker_is_in(void *who, gid_t gid)
{
	return is_in_group(who, gid);
}

/* What the rules leave of @rights, and where it is said that they do not leave more. */
static uint32_t rights_by_rules(const struct broker *b, struct client *c, const char *name,
				uint32_t rights, const struct rule_place **denialp)
{
	static const struct {
		uint32_t right;
		enum rule_act act;
	} ruled[] = {
		{ RIGHT_READ, RULE_READ },
		{ RIGHT_WRITE, RULE_WRITE },
		{ RIGHT_MAKE, RULE_CREATE },
	};
	const struct rule_asker asker = { c->uid, asker_is_in, c };

	if (c->uid == 0)
		return rights;
	for (size_t i = 0; i < sizeof(ruled) / sizeof(ruled[0]); i++) {
		const struct rule_place *denial = NULL;

		if (rights & ruled[i].right)
			denial = rules_find_denial(&b->rules, ruled[i].act, name, &asker);
		if (denial) {
			rights &= ~ruled[i].right;
			*denialp = denial;
		}
	}
	return rights;
}

int rights_check_rules(struct broker *b, struct client *c, const char *name, uint32_t *wanted)
{
	const struct rule_place *denial = NULL;
	uint32_t left = rights_by_rules(b, c, name, *wanted, &denial);

	if (left != 0 || *wanted == 0) {
		*wanted = left;
		return 0;
	}
	b->refusal = (struct bs_refusal){
		.why = BS_WHY_RULE,
		.right = *wanted == RIGHT_MAKE ? RIGHT_OWN : *wanted,
		.uid = c->uid,
		.limit = denial->line,
	};
	snprintf(b->refusal.limit_name, sizeof(b->refusal.limit_name), "%.15s", denial->file);
	return EACCES;
}

bool rights_may_see(const struct broker *b, struct client *c, const struct owner *o,
		    const char *name)
{
	const struct rule_place *denial = NULL;
	uint32_t rights = rights_of(b, c, o) & (RIGHT_SEE | RIGHT_OWN);

	return rights != 0 && rights_by_rules(b, c, name, rights, &denial) != 0;
}

int rights_check_group(struct broker *b, struct client *c, gid_t gid)
{
	if (!b->system || c->uid == 0 || is_in_group(c, gid))
		return 0;
	b->refusal = (struct bs_refusal){ .why = BS_WHY_GROUP, .uid = c->uid, .owner_gid = gid };
	return EACCES;
}

int rights_refuse_unsealed(struct broker *b, const struct client *c)
{
	b->refusal = (struct bs_refusal){ .why = BS_WHY_UNSEALED, .uid = c->uid };
	return EOPNOTSUPP;
}
