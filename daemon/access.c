/* SPDX-License-Identifier: MIT */
/*
 * access.c - from files to rules. The form is inih's:
 *
 *	[user NAME|UID], [group NAME|GID] or [default]
 *	create|read|write = PATTERN...
 *
 * Whatever is not understood is wrong, and then nothing of it holds: a line that was passed over would be
 * a right that was not taken away. So it is with files and directories that others than root and the
 * broker's own user could have written.
 *
 * inih is seen nowhere else. It is given lines without their indentation, which else would make one
 * line out of two; and none that does not fit, which it would cut in two.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "daemon/access.h"

#define BLANK " \t\r\n\v\f"
#define BOM   "\xef\xbb\xbf"

static bool wrong(char why[ACCESS_WHY_SIZE], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Note what is wrong. False, always. */
static bool wrong(char why[ACCESS_WHY_SIZE], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, ACCESS_WHY_SIZE, format, args);
	va_end(args);
	return false;
}

/* ---- what is in a file ---------------------------------------------------------------------- */

#ifdef HAVE_INIH
#include <ini.h>

struct reading {
	const char *path; /* for people … */
	const char *name; /* … and its last part, for those who are refused */
	FILE *file;
	unsigned line, wrong_line; /* 0: nothing is wrong yet */
	struct rules *rules;
	struct rule_key key; /* of the section, but for what is done */
	char section[64]; /* the one that @key is of */
	char *why;
};

static const char *const acts[RULE_ACTS] = {
	[RULE_CREATE] = "create",
	[RULE_READ] = "read",
	[RULE_WRITE] = "write",
};

static int wrong_here(struct reading *at, const char *what, const char *of)
{
	at->wrong_line = at->line;
	wrong(at->why, "%s:%u: %.200s%s%s", at->path, at->line, of, of[0] ? ": " : "", what);
	return 0;
}

/* A number that is no more than an id can be. */
static bool id_parse(const char *text, uint32_t *idp)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	*idp = (uint32_t)n;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && n < UINT32_MAX;
}

static bool user_find(const char *name, uint32_t *idp)
{
	const struct passwd *user;

	if (id_parse(name, idp))
		return true;
	user = getpwnam(name);
	if (user)
		*idp = user->pw_uid;
	return user != NULL;
}

static bool group_find(const char *name, uint32_t *idp)
{
	const struct group *group;

	if (id_parse(name, idp))
		return true;
	group = getgrnam(name);
	if (group)
		*idp = group->gr_gid;
	return group != NULL;
}

/* "user" and the blanks behind it: where the name begins. NULL: it is something else. */
static const char *section_name(const char *section, const char *word)
{
	size_t len = strlen(word), blanks;

	if (strncmp(section, word, len) != 0)
		return NULL;
	blanks = strspn(section + len, BLANK);
	return blanks > 0 && section[len + blanks] != '\0' ? section + len + blanks : NULL;
}

static bool section_parse(struct reading *at, const char *section)
{
	const char *user = section_name(section, "user"), *group = section_name(section, "group");

	if (strlen(section) >= 49) /* inih cuts it there */
		return wrong_here(at, "too long for a section (a number will do)", section);
	at->key = (struct rule_key){ .kind = RULE_OF_ALL };
	if (user) {
		at->key.kind = RULE_OF_USER;
		if (!user_find(user, &at->key.id))
			return wrong_here(at, "there is no such user", user);
		if (at->key.id == 0)
			return wrong_here(at, "root is held to no rules", user);
	} else if (group) {
		at->key.kind = RULE_OF_GROUP;
		if (!group_find(group, &at->key.id))
			return wrong_here(at, "there is no such group", group);
	} else if (strcmp(section, "default") != 0) {
		return wrong_here(at, "not [user NAME], [group NAME] or [default]", section);
	}
	snprintf(at->section, sizeof(at->section), "%s", section);
	return true;
}

/* A line with a "]" in it: the section, which inih tells only with what is below it, and that nothing is
 * behind it, which inih would pass over. */
static void section_take(struct reading *at, const char *line, const char *end)
{
	char section[sizeof(at->section)];

	if (strchr("#;", end[1 + strspn(end + 1, BLANK)]) == NULL) {
		wrong_here(at, "there is something behind the ]", "");
		return;
	}
	snprintf(section, sizeof(section), "%.*s", (int)(end - line - 1), line + 1);
	section_parse(at, section);
}

/* One line, as fgets(3) gives it, without what stands before and behind. NULL: that was all. */
static char *line_read(char *room, int size, void *arg)
{
	struct reading *at = arg;
	char *text = NULL, *from;
	size_t cap = 0, len;
	ssize_t n = at->wrong_line ? -1 : getline(&text, &cap, at->file);

	if (n < 0) {
		free(text);
		return NULL;
	}
	at->line++;
	from = at->line == 1 && strncmp(text, BOM, strlen(BOM)) == 0 ? text + strlen(BOM) : text;
	from += strspn(from, BLANK);
	len = strcspn(from, "\n");
	if (*from == '#' || *from == ';')
		len = 0; /* as long as it likes */
	if (strlen(text) != (size_t)n)
		wrong_here(at, "a line with a NUL in it", "");
	else if (len + 2 > (size_t)size)
		wrong_here(at, "the line is too long (the same can be said in several)", "");
	else
		snprintf(room, (size_t)size, "%.*s\n", (int)len, from);
	if (!at->wrong_line && *from == '[' && strchr(from, ']'))
		section_take(at, from, strchr(from, ']'));
	free(text);
	return at->wrong_line ? NULL : room;
}

static bool act_parse(const char *word, enum rule_act *actp)
{
	for (int i = 0; i < RULE_ACTS; i++) {
		*actp = (enum rule_act)i;
		if (strcmp(word, acts[i]) == 0)
			return true;
	}
	return false;
}

/* Each pattern of a line, or that there is none. */
static int patterns_take(struct reading *at, char *patterns)
{
	struct rule_place place = { at->name, at->line };
	char *rest, *one = strtok_r(patterns, BLANK, &rest);
	const char *fault = NULL;

	do {
		if (one)
			fault = rule_pattern_fault(one);
		if (fault)
			return wrong_here(at, fault, one);
		if (!rules_add(at->rules, &at->key, one, &place))
			return wrong_here(at, "no memory", "");
		one = one ? strtok_r(NULL, BLANK, &rest) : NULL;
	} while (one);
	return 1;
}

/* inih's: 0 is an error. */
static int on_pair(void *arg, const char *section, const char *word, const char *value)
{
	struct reading *at = arg;
	char *patterns;
	int r;

	if (at->wrong_line)
		return 0;
	if (strcmp(at->section, section) != 0 || section[0] == '\0')
		return wrong_here(at, "a rule belongs under [user ...], [group ...] or [default]",
				  "");
	if (!act_parse(word, &at->key.act))
		return wrong_here(at, "not create, read or write", word);
	patterns = strdup(value);
	if (!patterns)
		return wrong_here(at, "no memory", "");
	r = patterns_take(at, patterns);
	free(patterns);
	return r;
}

static bool file_read(struct rules *rules, FILE *file, const char *path, char why[ACCESS_WHY_SIZE])
{
	struct reading at = { .path = path, .file = file, .rules = rules, .why = why };
	int r = -2;

	at.name = rules_add_file(rules, strrchr(path, '/') + 1);
	if (at.name)
		r = ini_parse_stream(line_read, &at, on_pair, &at);
	if (r > 0 && (at.wrong_line == 0 || (unsigned)r < at.wrong_line))
		return wrong(why, "%s:%d: neither [SECTION] nor RIGHT = PATTERN...", path, r);
	if (r == 0 && ferror(file))
		return wrong(why, "%s: %s", path, strerror(errno));
	if (r < 0)
		return wrong(why, "%s: no memory", path);
	return at.wrong_line == 0;
}

#else

static bool file_read(struct rules *rules, FILE *file, const char *path, char why[ACCESS_WHY_SIZE])
{
	(void)rules;
	(void)file;
	return wrong(
		why,
		"%s: there are rules, and this bstreamd cannot read them: it was built without inih",
		path);
}

#endif

/* ---- files ---------------------------------------------------------------------------------- */

static int is_rules_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), end = strlen(".conf");

	return entry->d_name[0] != '.' && len > end &&
	       strcmp(entry->d_name + len - end, ".conf") == 0;
}

/* Is it of that @type, and could nobody have written it but root and we? */
static bool is_trusted(int fd, mode_t type, const char *path, char why[ACCESS_WHY_SIZE])
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return wrong(why, "%s: %s", path, strerror(errno));
	if ((st.st_mode & S_IFMT) != type)
		return wrong(why, "%s: not a %s", path, type == S_IFDIR ? "directory" : "file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return wrong(why, "%s: belongs to uid %" PRIu32 ", and not to root", path,
			     (uint32_t)st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return wrong(why, "%s: others than its owner may write to it (chmod go-w)", path);
	return true;
}

static bool file_take(struct rules *rules, int dir, const char *path, char why[ACCESS_WHY_SIZE])
{
	int fd = openat(dir, strrchr(path, '/') + 1, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	bool ok;

	if (!file) {
		wrong(why, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	ok = is_trusted(fd, S_IFREG, path, why) && file_read(rules, file, path, why);
	fclose(file);
	return ok;
}

/* Each file of the directory, by name. */
static bool files_take(struct rules *rules, int dir, const char *dir_path,
		       char why[ACCESS_WHY_SIZE])
{
	struct dirent **entries;
	int n = scandirat(dir, ".", &entries, is_rules_file, alphasort);
	char path[PATH_MAX + NAME_MAX + 2];
	bool ok = n >= 0 || wrong(why, "%s: %s", dir_path, strerror(errno));

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir_path, entries[i]->d_name);
		ok = ok && file_take(rules, dir, path, why);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return ok;
}

static bool rules_make_sense(const struct rules *rules, const char *dir, char why[ACCESS_WHY_SIZE])
{
	const struct rule *rule = rules_find_empty(rules);

	return !rule || wrong(why, "%s/%s:%u: exceptions to nothing (begin with *, as in * !a/*)",
			      dir, rule->place.file, rule->place.line);
}

bool access_read(struct rules *rules, const char *dir, bool optional, char why[ACCESS_WHY_SIZE])
{
	struct rules fresh = { 0 };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok;

	if (fd < 0 && !(optional && errno == ENOENT))
		return wrong(why, "%s: %s", dir, strerror(errno));
	ok = fd < 0 || (is_trusted(fd, S_IFDIR, dir, why) && files_take(&fresh, fd, dir, why) &&
			rules_make_sense(&fresh, dir, why));
	if (fd >= 0)
		close(fd);
	if (!ok) {
		rules_fini(&fresh);
		return false;
	}
	rules_fini(rules);
	*rules = fresh;
	return true;
}
