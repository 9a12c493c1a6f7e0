/* SPDX-License-Identifier: MIT */
/*
 * checkup_shm.c - owns what doctor knows about /dev/shm: whether there is room, and what was left.
 *
 * Every end of a stream, and a broker that watches one, holds a lock in its file. A file without any
 * lock is in nobody's hands: the next broker of its socket finds it, if there comes one. Whether
 * there is a lock is asked without taking one, so nobody is disturbed. What is younger than
 * YOUNG_S is left alone: somebody may be making it.
 */
#include "config.h"
#include "checkup.h"
#include "units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define SHM	    "/dev/shm"
#define TMPFS	    0x01021994 /* statfs(2) */
#define FREE_MIN    (UINT64_C(16) << 20)
#define YOUNG_S	    10
#define PREFIX	    "bstream."
#define NEW_PREFIX  PREFIX "new."
#define PREFIX_LEN  25 /* "bstream." and 16 digits and a dot: one broker's */
#define GROUPS_MAX  64
#define STARTER_END "~" /* a socket on its way to its place */

/* ---- room ------------------------------------------------------------------------------------ */

static void shm_check_room(struct checkup *c)
{
	char left[UNITS_MAX], all[UNITS_MAX];
	struct statvfs vfs;
	uint64_t n_left;

	if (statvfs(SHM, &vfs) < 0)
		return;
	n_left = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	units_print_size(left, n_left);
	units_print_size(all, (uint64_t)vfs.f_blocks * vfs.f_frsize);
	if (vfs.f_flag & ST_RDONLY)
		checkup_problem(c, "shm", SHM, "remount it for writing", "it is read-only");
	else if (n_left < FREE_MIN)
		checkup_problem(c, "shm", SHM,
				"mount -o remount,size=1G /dev/shm; docker run --shm-size=1g",
				"%s left of %s: a stream of 16 chunks of 64 KiB takes 1.1 MiB",
				left, all);
	else
		checkup_fine(c, "shm", "%s left of %s", left, all);
}

void checkup_shm(struct checkup *c)
{
	struct statfs fs;
	int fd;

	if (statfs(SHM, &fs) < 0) {
		checkup_problem(c, "shm", SHM, "mount a tmpfs there", "%s", strerror(errno));
		return;
	}
	if (fs.f_type != TMPFS) {
		checkup_problem(c, "shm", SHM, "mount a tmpfs there",
				"it is no tmpfs, so streams would be written to a disk");
		return;
	}
	fd = open(SHM, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != EROFS)
		checkup_problem(c, "shm", SHM, "chmod 1777 /dev/shm",
				"no file can be made there: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	shm_check_room(c);
}

/* ---- leftovers ------------------------------------------------------------------------------- */

/* Files of one kind, told of in one line. */
struct group {
	char prefix[PREFIX_LEN + 1];
	unsigned n;
	uint64_t bytes;
};

struct leftovers {
	size_t n_groups;
	struct group groups[GROUPS_MAX];
};

static void leftovers_add(struct leftovers *found, const char *name, const struct stat *st)
{
	size_t len =
		strncmp(name, NEW_PREFIX, strlen(NEW_PREFIX)) ? PREFIX_LEN : strlen(NEW_PREFIX);
	struct group *group = NULL;

	for (size_t i = 0; i < found->n_groups && !group; i++)
		if (strlen(found->groups[i].prefix) == len &&
		    !strncmp(found->groups[i].prefix, name, len))
			group = &found->groups[i];
	if (!group) {
		if (found->n_groups == GROUPS_MAX)
			return;
		group = &found->groups[found->n_groups++];
		memcpy(group->prefix, name, len);
	}
	group->n++;
	group->bytes += (uint64_t)st->st_blocks * 512;
}

/* Whether nobody has an end of it, and no broker watches it. */
static bool segment_is_abandoned(int dir, const char *name, struct stat *st)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int r, fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return false;
	r = fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || st->st_uid != geteuid() ||
	    time(NULL) - st->st_mtime < YOUNG_S || fcntl(fd, F_OFD_GETLK, &lock) < 0;
	close(fd);
	return !r && lock.l_type == F_UNLCK;
}

static void leftovers_find(struct leftovers *found)
{
	DIR *dir = opendir(SHM);
	struct dirent *entry;
	struct stat st;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    strlen(entry->d_name) < PREFIX_LEN)
			continue;
		if (segment_is_abandoned(dirfd(dir), entry->d_name, &st))
			leftovers_add(found, entry->d_name, &st);
	}
	closedir(dir);
}

static void group_tell(struct checkup *c, const struct group *group)
{
	char about[64], advice[128], size[UNITS_MAX];
	bool ours = c->place_err == 0 && !strncmp(c->place.segments, SHM "/", strlen(SHM "/")) &&
		    !strcmp(c->place.segments + strlen(SHM "/"), group->prefix);
	const char *files = group->n == 1 ? "file" : "files";

	snprintf(about, sizeof(about), SHM "/%s*", group->prefix);
	snprintf(advice, sizeof(advice), "rm %s", about);
	units_print_size(size, group->bytes);
	if (!strcmp(group->prefix, NEW_PREFIX))
		checkup_problem(c, "leftovers", about, advice,
				"%u %s, %s, whose makers died before they had a name", group->n,
				files, size);
	else if (ours && c->running)
		checkup_problem(
			c, "leftovers", about, advice,
			"%u %s, %s, which the broker does not take for streams of its version",
			group->n, files, size);
	else if (ours)
		checkup_problem(
			c, "leftovers", about,
			"bstreamctl daemon start brings back what is of use, and removes the rest",
			"%u %s, %s, of a broker that was killed", group->n, files, size);
	else
		checkup_problem(c, "leftovers", about, advice,
				"%u %s, %s, of a broker at another socket, which is not there",
				group->n, files, size);
}

/* A socket that was bound and never put in its place: its maker died in between. */
static bool starter_left(struct checkup *c, char path[sizeof(c->place.socket) + 1])
{
	struct stat st;

	if (c->place_err < 0)
		return false;
	snprintf(path, sizeof(c->place.socket) + 1, "%s" STARTER_END, c->place.socket);
	return lstat(path, &st) == 0 && time(NULL) - st.st_mtime >= YOUNG_S;
}

void checkup_leftovers(struct checkup *c)
{
	char path[sizeof(c->place.socket) + 1];
	struct leftovers found = { 0 };
	bool starter = starter_left(c, path);

	leftovers_find(&found);
	for (size_t i = 0; i < found.n_groups; i++)
		group_tell(c, &found.groups[i]);
	if (starter)
		checkup_problem(c, "leftovers", path, "remove it",
				"whoever was starting a broker died on the way");
	if (found.n_groups == 0 && !starter)
		checkup_fine(c, "leftovers", "none");
}
