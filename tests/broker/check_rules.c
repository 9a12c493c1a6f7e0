/* SPDX-License-Identifier: MIT */
/* check_rules.c - which patterns there can be, what they match, and whose list decides. */
#include <stdio.h>
#include <string.h>

#include "daemon/rules.h"
#include "tests/guard.h"

#define ANNA 1001
#define BERT 1002
#define BAND 2001
#define CREW 2002

static bool is_in_both(void *who, gid_t gid)
{
	return *(const uid_t *)who == ANNA && (gid == BAND || gid == CREW);
}

/* Where it is forbidden to create that, as "FILE:LINE"; "": it is not. */
static const char *forbidden(const struct rules *r, uid_t uid, const char *name)
{
	static char text[64];
	const struct rule_asker asker = { uid, is_in_both, &uid };
	const struct rule_place *place = rules_find_denial(r, RULE_CREATE, name, &asker);

	if (!place)
		return "";
	snprintf(text, sizeof(text), "%s:%u", place->file, place->line);
	return text;
}

#define MAY(uid, name)		   ck_assert_str_eq(forbidden(&rules, (uid), (name)), "")
#define MAY_NOT(uid, name, place)  ck_assert_str_eq(forbidden(&rules, (uid), (name)), (place))
#define OF_USER(uid)		   ((struct rule_key){ RULE_OF_USER, (uid), RULE_CREATE })
#define OF_GROUP(gid)		   ((struct rule_key){ RULE_OF_GROUP, (gid), RULE_CREATE })
#define OF_ALL			   ((struct rule_key){ RULE_OF_ALL, 0, RULE_CREATE })
#define SAY_RULE(key, pattern, at) MUST(rules_add(&rules, &(key), (pattern), (at)))

static struct rules rules;
static struct rule_place one, two, three;

static void places_set(void)
{
	one = (struct rule_place){ rules_add_file(&rules, "a.conf"), 1 };
	two = (struct rule_place){ one.file, 2 };
	three = (struct rule_place){ rules_add_file(&rules, "b.conf"), 3 };
	MUST(one.file && three.file);
}

/* ---- patterns ------------------------------------------------------------------------------- */

static const struct {
	const char *pattern, *name;
	bool matches;
} matches[] = {
	{ "a", "a", true },	    { "a", "ab", false },	{ "a", "A", false },
	{ "*", "a", true },	    { "*", "a/b.c_d-e", true }, { "a/*", "a/b", true },
	{ "a/*", "a/b/c", true }, /* a star crosses slashes, as in bstreamctl ls */
	{ "a/*", "a", false },	    { "a/*", "ba/b", false },	{ "*/log", "a/b/log", true },
	{ "a?c", "abc", true },	    { "a?c", "a/c", true },	{ "a?c", "ac", false },
	{ "[a-c]1", "b1", true },   { "[a-c]1", "d1", false },	{ "[!a-c]1", "d1", true },
	{ "[^a-c]1", "a1", false }, { "*.log", "a.log", true }, /* a dot is nothing special */
	{ "a*", "a.b", true },
};

START_TEST(a_pattern_matches_as_in_the_shell_and_across_slashes)
{
	places_set();
	ck_assert_ptr_null(rule_pattern_fault(matches[_i].pattern));
	SAY_RULE(OF_ALL, matches[_i].pattern, &one);
	if (matches[_i].matches)
		MAY(BERT, matches[_i].name);
	else
		MAY_NOT(BERT, matches[_i].name, "a.conf:1");
	rules_fini(&rules);
}
END_TEST

START_TEST(a_pattern_of_many_stars_takes_no_time)
{
	char name[201] = { 0 };

	places_set();
	memset(name, 'a', 200);
	SAY_RULE(OF_ALL, "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", &one);
	MAY_NOT(BERT, name, "a.conf:1"); /* or the test's deadline passes */
	rules_fini(&rules);
}
END_TEST

static const struct {
	const char *pattern, *fault;
} faults[] = {
	{ "", "an exception to what?" },
	{ "!", "an exception to what?" },
	{ "/a", "no name begins with that" },
	{ "!.a", "no name begins with that" },
	{ "a,b", "no name has such characters" },
	{ "a:b", "no name has such characters" },
	{ "=", "no name has such characters" },
	{ "a\\*", "no name has such characters" },
	{ "!!a", "no name has such characters" },
	{ "a]", "no name has such characters" },
	{ "{a,b}", "no name has such characters" },
	{ "\xc3\xa4", "no name has such characters" },
	{ "a[", "[ without a set of characters and a ]" },
	{ "a[b", "[ without a set of characters and a ]" },
	{ "a[]", "[ without a set of characters and a ]" },
	{ "a[!]", "[ without a set of characters and a ]" },
	{ "[[:alpha:]]", "[ without a set of characters and a ]" },
};

START_TEST(a_pattern_that_can_match_nothing_is_told)
{
	ck_assert_str_eq(rule_pattern_fault(faults[_i].pattern), faults[_i].fault);
}
END_TEST

/* ---- whose ---------------------------------------------------------------------------------- */

START_TEST(what_no_rule_names_is_free)
{
	const struct rule_key reads = { RULE_OF_ALL, 0, RULE_READ };

	MAY(ANNA, "x");
	places_set();
	SAY_RULE(reads, NULL, &one); /* another right */
	SAY_RULE(OF_USER(BERT), "b", &two); /* another user */
	MAY(ANNA, "x");
	MAY_NOT(BERT, "x", "a.conf:2");
	rules_fini(&rules);
}
END_TEST

START_TEST(a_users_own_rule_comes_before_his_groups_and_that_before_all)
{
	places_set();
	SAY_RULE(OF_ALL, "all", &one);
	MAY_NOT(ANNA, "x", "a.conf:1");
	MAY(ANNA, "all");
	SAY_RULE(OF_GROUP(BAND), "band", &two);
	MAY(ANNA, "band");
	MAY_NOT(ANNA, "all", "a.conf:2");
	MAY(BERT, "all"); /* he is in no group */
	SAY_RULE(OF_USER(ANNA), "anna", &three);
	MAY(ANNA, "anna");
	MAY_NOT(ANNA, "band", "b.conf:3");
	rules_fini(&rules);
}
END_TEST

START_TEST(who_is_in_two_groups_may_what_either_may)
{
	places_set();
	SAY_RULE(OF_GROUP(BAND), "*", &one);
	SAY_RULE(OF_GROUP(BAND), "!crew", &one);
	SAY_RULE(OF_GROUP(CREW), "crew", &two);
	MAY(ANNA, "band");
	MAY(ANNA, "crew");
	rules_fini(&rules);
}
END_TEST

START_TEST(an_exception_counts_wherever_it_stands)
{
	places_set();
	SAY_RULE(OF_ALL, "!sys/*", &one);
	SAY_RULE(OF_ALL, "*", &two);
	SAY_RULE(OF_ALL, "sys/open", &two);
	SAY_RULE(OF_ALL, "!db/*", &three); /* another file's */
	MAY(BERT, "x");
	MAY_NOT(BERT, "sys/open", "a.conf:1");
	MAY_NOT(BERT, "db/x", "b.conf:3");
	ck_assert_ptr_null(rules_find_empty(&rules));
	rules_fini(&rules);
}
END_TEST

START_TEST(nothing_is_a_list_too)
{
	places_set();
	SAY_RULE(OF_ALL, NULL, &one);
	MAY_NOT(BERT, "x", "a.conf:1");
	ck_assert_ptr_null(rules_find_empty(&rules)); /* it was meant */
	SAY_RULE(OF_ALL, "x", &two); /* and another file has something */
	MAY(BERT, "x");
	SAY_RULE(OF_USER(BERT), "!x", &three);
	ck_assert_ptr_nonnull(rules_find_empty(&rules));
	ck_assert_uint_eq(rules_find_empty(&rules)->place.line, 3);
	rules_fini(&rules);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(a_pattern_matches_as_in_the_shell_and_across_slashes,
		       sizeof(matches) / sizeof(matches[0])),
		ONCE(a_pattern_of_many_stars_takes_no_time),
		N_WAYS(a_pattern_that_can_match_nothing_is_told,
		       sizeof(faults) / sizeof(faults[0])),
		ONCE(what_no_rule_names_is_free),
		ONCE(a_users_own_rule_comes_before_his_groups_and_that_before_all),
		ONCE(who_is_in_two_groups_may_what_either_may),
		ONCE(an_exception_counts_wherever_it_stands),
		ONCE(nothing_is_a_list_too),
	};

	return GUARD_RUN("rules", cases);
}
