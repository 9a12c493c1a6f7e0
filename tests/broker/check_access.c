/* SPDX-License-Identifier: MIT */
/* check_access.c - files of rules: what is read from them, and what is said of those that are wrong. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "daemon/access.h"
#include "tests/guard.h"

static char dir[128], why[ACCESS_WHY_SIZE];
static struct rules rules;

static void dir_make(void)
{
	snprintf(dir, sizeof(dir), "%s/access.d", guard_dir());
	MUST(mkdir(dir, 0700) == 0 && chmod(dir, 0755) == 0);
}

/* With all that is in it: nothing of a test is left. */
static void dir_remove(void)
{
	const struct dirent *entry;
	DIR *d = opendir(dir);

	MUST(d != NULL);
	while ((entry = readdir(d)) != NULL)
		unlinkat(dirfd(d), entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	closedir(d);
	MUST(rmdir(dir) == 0);
	rules_fini(&rules);
}

/* A file of that name with these bytes. */
static void file_make(const char *name, const void *bytes, size_t len)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	MUST(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && fchmod(fd, 0644) == 0);
	close(fd);
}

static void text_make(const char *name, const char *text)
{
	file_make(name, text, strlen(text));
}

/* They are wrong, and that is said, of the directory or what is in it. */
static void is_told(const char *of, const char *what)
{
	char want[512];

	snprintf(want, sizeof(want), "%s%s%s", dir, of, what);
	MUST(!access_read(&rules, dir, false, why));
	ck_assert_str_eq(why, want);
	ck_assert_ptr_null(strchr(why, '\n'));
}

/* ---- what is right -------------------------------------------------------------------------- */

START_TEST(no_directory_is_no_rules_if_nobody_named_it)
{
	snprintf(dir, sizeof(dir), "%s/none", guard_dir());
	MUST(access_read(&rules, dir, true, why));
	GIVES(rules.n, 0);
	MUST(!access_read(&rules, dir, false, why));
	MUST(strstr(why, "/none: No such file or directory") != NULL);
}
END_TEST

START_TEST(only_files_that_end_in_conf_are_read)
{
	dir_make();
	text_make("README", "nonsense");
	text_make(".conf", "nonsense");
	text_make(".hidden.conf", "nonsense");
	text_make("a.conf.bak", "nonsense");
	text_make("a.conf~", "nonsense");
	MUST(access_read(&rules, dir, false, why));
	GIVES(rules.n, 0);
	dir_remove();
}
END_TEST

#ifdef HAVE_INIH

static bool is_in_none(void *who, gid_t gid)
{
	(void)who;
	return gid == 2001;
}

static bool may(enum rule_act act, uid_t uid, const char *name)
{
	const struct rule_asker asker = { uid, is_in_none, NULL };

	return rules_find_denial(&rules, act, name, &asker) == NULL;
}

START_TEST(rules_of_users_groups_and_all_are_read)
{
	dir_make();
	text_make("10-a.conf", "\xef\xbb\xbf# a comment, which may be as long as it likes: "
			       "........................................................."
			       "........................................................."
			       ".........................................................\r\n"
			       "; another\n"
			       "\n"
			       "[default] # theirs\n"
			       "create = * !sys/*\r\n"
			       "\tread =   news/*\tsys/log ; and no more\n"
			       "  write =\n"
			       "[user  1001]\n"
			       "read = one\n"
			       "read = two/*\n"
			       "[group 2001]\n"
			       "write: x");
	text_make("20-b.conf", "[default]\ncreate = !db/*\n");
	if (!access_read(&rules, dir, false, why))
		guard_fail(__FILE__, __LINE__, "%s", why);
	MUST(may(RULE_CREATE, 1002, "x") && !may(RULE_CREATE, 1002, "sys/x"));
	MUST(!may(RULE_CREATE, 1002, "db/x"));
	MUST(may(RULE_READ, 1002, "sys/log") && may(RULE_READ, 1002, "news/x"));
	MUST(!may(RULE_READ, 1002, "and"));
	MUST(may(RULE_READ, 1001, "one") && may(RULE_READ, 1001, "two/x"));
	MUST(!may(RULE_READ, 1001, "news/x"));
	MUST(may(RULE_WRITE, 1001, "x") && !may(RULE_WRITE, 1001, "y"));
	dir_remove();
}
END_TEST

START_TEST(users_and_groups_have_names)
{
	dir_make();
	text_make("a.conf", "[user daemon]\nread = x\n[group root]\nread = y\n");
	MUST(access_read(&rules, dir, false, why));
	GIVES(rules.n, 2);
	GIVES(rules.items[0].key.kind, RULE_OF_USER);
	MUST(rules.items[0].key.id != 0);
	GIVES(rules.items[1].key.kind, RULE_OF_GROUP);
	GIVES(rules.items[1].key.id, 0);
	dir_remove();
}
END_TEST

/* ---- what is wrong -------------------------------------------------------------------------- */

#define LONG_LIST                                                             \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa " \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb " \
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define LONG_WORD "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *text, *what;
} bad[] = {
	{ "create = x\n", "1: a rule belongs under [user ...], [group ...] or [default]" },
	{ "\n[default]\ncreate\n", "3: neither [SECTION] nor RIGHT = PATTERN..." },
	{ "[default\ncreate = x\n", "1: neither [SECTION] nor RIGHT = PATTERN..." },
	{ "[default] create = x\n", "1: there is something behind the ]" },
	{ "[default]\nraed = x\n", "2: raed: not create, read or write" },
	{ "[default]\nCREATE = x\n", "2: CREATE: not create, read or write" },
	{ "[Default]\nread = x\n", "1: Default: not [user NAME], [group NAME] or [default]" },
	{ "[usr 1001]\n", "1: usr 1001: not [user NAME], [group NAME] or [default]" },
	{ "[]\nread = x\n", "1: not [user NAME], [group NAME] or [default]" },
	{ "[user]\nread = x\n", "1: user: not [user NAME], [group NAME] or [default]" },
	{ "[users 1]\nread = x\n", "1: users 1: not [user NAME], [group NAME] or [default]" },
	{ "[user no-such-user]\nread = x\n", "1: no-such-user: there is no such user" },
	{ "[user 4294967295]\nread = x\n", "1: 4294967295: there is no such user" },
	{ "[user -1]\nread = x\n", "1: -1: there is no such user" },
	{ "[user 1 2]\nread = x\n", "1: 1 2: there is no such user" },
	{ "[group no-such-group]\nread = x\n", "1: no-such-group: there is no such group" },
	{ "[user 0]\nread = x\n", "1: 0: root is held to no rules" },
	{ "[user root]\nread = x\n", "1: root: root is held to no rules" },
	{ "[user " LONG_WORD "]\nread = x\n",
	  "1: user xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: "
	  "too long for a section (a number will do)" },
	{ "[default]\nread = a # b\n", "2: #: no name has such characters" },
	{ "[default]\nread = a, b\n", "2: a,: no name has such characters" },
	{ "[default]\nread = a\n    b\n", "3: neither [SECTION] nor RIGHT = PATTERN..." },
	{ "[default]\nread = a !\n", "2: !: an exception to what?" },
	{ "[default]\nread = [a\n", "2: [a: [ without a set of characters and a ]" },
	{ "[default]\nread = " LONG_LIST "\n",
	  "2: the line is too long (the same can be said in several)" },
	{ "[default]\nread = !a\nread = !b\n",
	  "2: exceptions to nothing (begin with *, as in * !a/*)" },
	/* the first is told */
	{ "[default]\nread = !\nwrite\n", "2: !: an exception to what?" },
	{ "[default]\nwrite\nread = !\n", "2: neither [SECTION] nor RIGHT = PATTERN..." },
};

START_TEST(a_bad_line_is_told_by_file_and_number)
{
	dir_make();
	text_make("10-good.conf", "[default]\nread = *\nwrite = *\ncreate = *\n");
	MUST(access_read(&rules, dir, false, why));
	if (strstr(bad[_i].what, "exceptions"))
		text_make("10-good.conf", "");
	text_make("20-bad.conf", bad[_i].text);
	is_told("/20-bad.conf:", bad[_i].what);
	GIVES(rules.n, 3); /* the old ones hold */
	dir_remove();
}
END_TEST

START_TEST(a_line_with_a_nul_in_it_is_told)
{
	static const char text[] = "[default]\nread = a\0 b\n";

	dir_make();
	file_make("a.conf", text, sizeof(text) - 1);
	is_told("/a.conf:2: ", "a line with a NUL in it");
	dir_remove();
}
END_TEST

#else

START_TEST(rules_are_told_that_cannot_be_read)
{
	dir_make();
	text_make("a.conf", "[default]\nread = *\n");
	is_told("/a.conf: ", "there are rules, and this bstreamd cannot read them: "
			     "it was built without inih");
	dir_remove();
}
END_TEST

#endif

/* ---- whose files ---------------------------------------------------------------------------- */

START_TEST(files_that_others_may_write_are_not_believed)
{
	char path[160];

	dir_make();
	text_make("a.conf", "");
	snprintf(path, sizeof(path), "%s/a.conf", dir);
	MUST(chmod(path, 0664) == 0);
	is_told("/a.conf: ", "others than its owner may write to it (chmod go-w)");
	MUST(chmod(path, 0646) == 0);
	is_told("/a.conf: ", "others than its owner may write to it (chmod go-w)");
	MUST(chmod(path, 0644) == 0 && chmod(dir, 01777) == 0);
	is_told(": ", "others than its owner may write to it (chmod go-w)");
	MUST(chmod(dir, 0755) == 0);
	dir_remove();
}
END_TEST

START_TEST(files_of_other_users_are_not_believed)
{
	char path[160];

	if (geteuid() != 0)
		return; /* nobody else gives files away */
	dir_make();
	text_make("a.conf", "");
	snprintf(path, sizeof(path), "%s/a.conf", dir);
	MUST(chown(path, 61001, 0) == 0);
	is_told("/a.conf: ", "belongs to uid 61001, and not to root");
	MUST(chown(path, 0, 0) == 0 && chown(dir, 61001, 0) == 0);
	is_told(": ", "belongs to uid 61001, and not to root");
	dir_remove();
}
END_TEST

START_TEST(what_is_no_file_is_told_and_not_waited_for)
{
	char path[160];

	dir_make();
	snprintf(path, sizeof(path), "%s/a.conf", dir);
	MUST(mkfifo(path, 0600) == 0);
	is_told("/a.conf: ", "not a file");
	MUST(unlink(path) == 0 && mkdir(path, 0700) == 0);
	is_told("/a.conf: ", "not a file");
	MUST(rmdir(path) == 0 && symlink("nowhere", path) == 0);
	is_told("/a.conf: ", "No such file or directory");
	dir_remove();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(no_directory_is_no_rules_if_nobody_named_it),
		ONCE(only_files_that_end_in_conf_are_read),
#ifdef HAVE_INIH
		ONCE(rules_of_users_groups_and_all_are_read),
		ONCE(users_and_groups_have_names),
		N_WAYS(a_bad_line_is_told_by_file_and_number, sizeof(bad) / sizeof(bad[0])),
		ONCE(a_line_with_a_nul_in_it_is_told),
#else
		ONCE(rules_are_told_that_cannot_be_read),
#endif
		ONCE(files_that_others_may_write_are_not_believed),
		ONCE(files_of_other_users_are_not_believed),
		ONCE(what_is_no_file_is_told_and_not_waited_for),
	};

	return GUARD_RUN("access", cases);
}
