/* SPDX-License-Identifier: MIT */
/*
 * rules.c - owns the patterns, and the decision.
 *
 * Everything that is said for one user (one group, all) and one act is one list, from however many
 * files: so files that know nothing of each other do not undo each other, and their order does not
 * matter. A name is allowed that one pattern of a list matches, and no exception of it. Who is in
 * several groups may do what any of them may.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/rules.h"

struct rule_pattern {
	char *text; /* owned; without the "!" */
	bool except;
	struct rule_place place;
};

static bool is_of_names(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-' || c == '/';
}

/* Behind a "[": a set and its end. NULL: it has none. */
static const char *set_end(const char *at)
{
	if (*at == '!' || *at == '^')
		at++;
	if (!is_of_names(*at))
		return NULL;
	while (is_of_names(*at))
		at++;
	return *at == ']' ? at : NULL;
}

const char *rule_pattern_fault(const char *pattern)
{
	const char *at = pattern[0] == '!' ? pattern + 1 : pattern;

	if (*at == '\0')
		return "an exception to what?";
	if (*at == '/' || *at == '.')
		return "no name begins with that";
	for (; *at != '\0'; at++) {
		if (*at == '[')
			at = set_end(at + 1);
		else if (*at != '*' && *at != '?' && !is_of_names(*at))
			return "no name has such characters";
		if (!at)
			return "[ without a set of characters and a ]";
	}
	return NULL;
}

const char *rules_add_file(struct rules *r, const char *name)
{
	char **more = reallocarray(r->files, r->n_files + 1, sizeof(*more));

	if (!more)
		return NULL;
	r->files = more;
	more[r->n_files] = strdup(name);
	return more[r->n_files] ? more[r->n_files++] : NULL;
}

static bool key_equals(const struct rule_key *a, const struct rule_key *b)
{
	return a->kind == b->kind && a->id == b->id && a->act == b->act;
}

/* The rule of that key, made if there is none. NULL: no memory. */
static struct rule *rules_of(struct rules *r, const struct rule_key *key,
			     const struct rule_place *place)
{
	struct rule *more;

	for (size_t i = 0; i < r->n; i++)
		if (key_equals(&r->items[i].key, key))
			return &r->items[i];
	more = reallocarray(r->items, r->n + 1, sizeof(*more));
	if (!more)
		return NULL;
	r->items = more;
	more[r->n] = (struct rule){ .key = *key, .place = *place };
	return &more[r->n++];
}

bool rules_add(struct rules *r, const struct rule_key *key, const char *pattern,
	       const struct rule_place *place)
{
	struct rule *rule = rules_of(r, key, place);
	struct rule_pattern *more;
	bool except = pattern && pattern[0] == '!';
	char *text;

	if (!rule)
		return false;
	if (!pattern) {
		rule->empty = true;
		return true;
	}
	more = reallocarray(rule->patterns, rule->n_patterns + 1, sizeof(*more));
	if (!more)
		return false;
	rule->patterns = more;
	text = strdup(pattern + except);
	if (!text)
		return false;
	more[rule->n_patterns++] = (struct rule_pattern){ text, except, *place };
	return true;
}

const struct rule *rules_find_empty(const struct rules *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct rule *rule = &r->items[i];
		bool gives = rule->empty;

		for (size_t k = 0; k < rule->n_patterns; k++)
			gives |= !rule->patterns[k].except;
		if (!gives)
			return rule;
	}
	return NULL;
}

void rules_fini(struct rules *r)
{
	for (size_t i = 0; i < r->n; i++) {
		for (size_t k = 0; k < r->items[i].n_patterns; k++)
			free(r->items[i].patterns[k].text);
		free(r->items[i].patterns);
	}
	free(r->items);
	for (size_t i = 0; i < r->n_files; i++)
		free(r->files[i]);
	free(r->files);
	*r = (struct rules){ 0 };
}

/* NULL, or what is in the way. Whatever fnmatch cannot say counts as the worse. */
static const struct rule_place *rule_denies(const struct rule *rule, const char *name)
{
	const struct rule_place *denial = &rule->place;

	for (size_t i = 0; i < rule->n_patterns; i++) {
		const struct rule_pattern *p = &rule->patterns[i];
		int r = fnmatch(p->text, name, 0);

		if (p->except && r != FNM_NOMATCH)
			return &p->place;
		if (!p->except && r == 0)
			denial = NULL;
	}
	return denial;
}

static bool rule_is_for(const struct rule *rule, const struct rule_asker *asker)
{
	switch (rule->key.kind) {
	case RULE_OF_USER:
		return rule->key.id == asker->uid;
	case RULE_OF_GROUP:
		return asker->is_in(asker->who, rule->key.id);
	default:
		return true;
	}
}

const struct rule_place *rules_find_denial(const struct rules *r, enum rule_act act,
					   const char *name, const struct rule_asker *asker)
{
	const struct rule_place *denial = NULL;

	for (int kind = 0; kind < RULE_KINDS && !denial; kind++) {
		for (size_t i = 0; i < r->n; i++) {
			const struct rule *rule = &r->items[i];
			const struct rule_place *place;

			if ((int)rule->key.kind != kind || rule->key.act != act ||
			    !rule_is_for(rule, asker))
				continue;
			place = rule_denies(rule, name);
			if (!place)
				return NULL;
			if (!denial)
				denial = place;
		}
	}
	return denial;
}
