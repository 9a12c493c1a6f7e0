/* SPDX-License-Identifier: MIT */
/*
 * rules.h - the administrator's rules: which names one may create, read and write, on top of what modes
 * say. They take rights away and never give any. Read by access.c, asked by rights.c.
 */
#ifndef BSTREAMD_RULES_H
#define BSTREAMD_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum rule_act { RULE_CREATE, RULE_READ, RULE_WRITE, RULE_ACTS };

/* Whose a rule is: in this order the first kind that has any for somebody decides. */
enum rule_kind { RULE_OF_USER, RULE_OF_GROUP, RULE_OF_ALL, RULE_KINDS };

struct rule_key {
	enum rule_kind kind;
	uint32_t id; /* uid or gid; 0 if it is of all */
	enum rule_act act;
};

struct rule_place { /* where it stands, for who is refused */
	const char *file; /* the rules' own */
	unsigned line;
};

/* All that was said for one key. Of no patterns at all: nothing is allowed. */
struct rule {
	struct rule_key key;
	struct rule_place place; /* the first of it */
	struct rule_pattern *patterns;
	size_t n_patterns;
	bool empty; /* that was meant: there is a line without patterns */
};

struct rules { /* of zeros: none */
	struct rule *items;
	size_t n;
	char **files; /* their names */
	size_t n_files;
};

/* Who asks. */
struct rule_asker {
	uid_t uid;
	bool (*is_in)(void *who, gid_t gid);
	void *who;
};

/* What is wrong with a pattern, in words; NULL: nothing. */
const char *rule_pattern_fault(const char *pattern);

/* From now on rules come from that file. Its name as the rules keep it; NULL: no memory. */
const char *rules_add_file(struct rules *r, const char *name);

/* To what is said for @key, add a checked pattern, "!" in front if it is an exception; or NULL, for
 * "nothing". False: no memory. */
bool rules_add(struct rules *r, const struct rule_key *key, const char *pattern,
	       const struct rule_place *place);

/* A rule of exceptions to nothing, or NULL. */
const struct rule *rules_find_empty(const struct rules *r);

void rules_fini(struct rules *r);

/* What keeps @asker from doing that to what has this name: the place of the rule, or NULL. */
const struct rule_place *rules_find_denial(const struct rules *r, enum rule_act act,
					   const char *name, const struct rule_asker *asker);

#endif
