/* SPDX-License-Identifier: MIT */
/*
 * scan.c - the start of a broker: all that it has to know stands in the shm directory.
 *
 * A file is ours if it has our prefix and our owner, and its name the hash of the name in its
 * header. What has our prefix and cannot be a segment any more (somebody truncated it) is taken
 * away, unless somebody has an end of it; what another version made is left alone. Data that waits
 * for a reader is not garbage.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/scan.h"
#include "daemon/watch.h"
#include "proto/end.h"
#include "proto/meeting.h"
#include "proto/segment.h"

static bool scan_name_fits(const struct registry *r, const char *file, const char *name)
{
	char want[STREAM_FILE_SIZE];

	snprintf(want, sizeof(want), "%.25s%016" PRIx64 ".", r->prefix, bs_meeting_hash(name));
	return bs_name_ok(name) && strncmp(file, want, strlen(want)) == 0;
}

static bool scan_is_garbage(int fd, int why)
{
	return why == -EPROTO &&
	       bs_end_held(fd, BS_BYTE_BROKER, 2 + (uint64_t)BS_MAX_WRITERS_LIMIT) == 0;
}

/* Open and check one file. The descriptor, or a negative errno. */
static int scan_open(const struct broker *b, struct stream_parts *parts)
{
	const struct registry *r = &b->registry;
	int rc, fd = openat(r->shm, parts->file,
			    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != b->uid) {
		close(fd);
		return -EACCES;
	}
	rc = bs_segment_check(fd, &parts->geo, &parts->header, NULL);
	if (rc == 0 && !scan_name_fits(r, parts->file, parts->header.name))
		rc = -EPROTO;
	if (rc == 0)
		return fd;
	if (scan_is_garbage(fd, rc))
		unlinkat(r->shm, parts->file, 0);
	close(fd);
	return rc;
}

/* Only want of memory is an error of ours; a file that cannot be had is somebody else's. */
static int scan_take(struct broker *b, const char *file)
{
	struct stream_parts parts = { .file = file };
	struct stream *s;
	int rc;

	parts.fd = scan_open(b, &parts);
	if (parts.fd < 0)
		return 0;
	rc = stream_new(&s, &parts);
	if (rc < 0) {
		close(parts.fd);
		return rc;
	}
	rc = registry_take(&b->registry, s);
	if (rc < 0) {
		stream_free(s);
		return rc == -EEXIST ? 0 : rc;
	}
	registry_attend(&b->registry, s);
	if (stream_is_removed(s))
		registry_remove(&b->registry, s); /* what the last broker was about to do */
	else
		watch_stir(&b->registry, s);
	return 0;
}

int scan_streams(struct broker *b)
{
	struct registry *r = &b->registry;
	int fd = openat(r->shm, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int rc = 0;

	if (!dir) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (rc == 0 && (e = readdir(dir)))
		if (strncmp(e->d_name, r->prefix, strlen(r->prefix)) == 0 &&
		    strlen(e->d_name) < STREAM_FILE_SIZE)
			rc = scan_take(b, e->d_name);
	closedir(dir);
	watch_run_all(r);
	return rc;
}
