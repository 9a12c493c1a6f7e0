/* SPDX-License-Identifier: MIT */
/*
 * keeper.c - what is said of a stream by the name of its kept descriptor, and believed when that comes
 * back:
 *
 *	stream.ID.UID.GID.MODE.NAME
 *
 * Owner, mode and name are in it, since in the segment anybody may have changed them meanwhile who had
 * an end. ID is the file's inode number, so that no two are called the same. What stands in the header
 * of geometry is checked as ever; who has spoilt it has spoilt his own stream.
 *
 * What is kept is a description of its own, without the lock that says a broker stands: ends must
 * notice when none does. If the manager does not listen, streams are kept that come later, and this one
 * goes with us: its ends are asked to bring it back as without a manager.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/notify.h"
#include "daemon/watch.h"
#include "proto/end.h"
#include "proto/segment.h"

#define PREFIX "stream."

static_assert(sizeof(PREFIX) + 16 + 1 + 10 + 1 + 10 + 1 + 4 + 1 + 200 <= NOTIFY_NAME_MAX,
	      "all of it is a name the manager takes");

bool keeper_knows(const char *fd_name)
{
	return strncmp(fd_name, PREFIX, strlen(PREFIX)) == 0;
}

static bool keeper_name(const struct stream *s, char name[NOTIFY_NAME_MAX + 1])
{
	struct stat st;

	if (fstat(s->sight.fd, &st) < 0)
		return false;
	snprintf(name, NOTIFY_NAME_MAX + 1, PREFIX "%" PRIx64 ".%" PRIu32 ".%" PRIu32 ".%04o.%s",
		 (uint64_t)st.st_ino, s->header.uid, s->header.gid, s->header.mode & 0777u,
		 s->header.name);
	return true;
}

void keeper_put(struct stream *s)
{
	char name[NOTIFY_NAME_MAX + 1];
	int fd;

	if (!s->sight.geo.sealed || !notify_is_heard() || !keeper_name(s, name))
		return;
	fd = bs_end_reopen(s->sight.fd, O_RDWR);
	if (fd < 0)
		return;
	s->kept = notify_keep(name, fd);
	close(fd);
}

void keeper_drop(struct stream *s)
{
	char name[NOTIFY_NAME_MAX + 1];

	if (s->kept && keeper_name(s, name))
		notify_forget(name);
	s->kept = false;
}

/* One number of @base, and the dot behind it. */
static bool field_take(const char **at, int base, uint64_t limit, uint64_t *np)
{
	char *end;

	errno = 0;
	*np = strtoull(*at, &end, base);
	if (end == *at || *end != '.' || errno != 0 || *np > limit || **at == '-')
		return false;
	*at = end + 1;
	return true;
}

static bool name_take(const char *fd_name, struct bs_header *h)
{
	const char *at = fd_name + strlen(PREFIX);
	uint64_t id, uid, gid, mode;

	if (!field_take(&at, 16, UINT64_MAX, &id) || !field_take(&at, 10, UINT32_MAX, &uid) ||
	    !field_take(&at, 10, UINT32_MAX, &gid) || !field_take(&at, 8, 0777, &mode) ||
	    !bs_name_ok(at))
		return false;
	h->uid = (uint32_t)uid;
	h->gid = (uint32_t)gid;
	h->mode = (uint32_t)mode;
	snprintf(h->name, sizeof(h->name), "%s", at);
	return true;
}

/* Check it as ever, and open it anew: the descriptor that was kept stays as it is. */
static bool parts_init(struct stream_parts *parts, const char *fd_name, int fd)
{
	parts->fd = bs_segment_is_sealed(fd) ? bs_end_reopen(fd, O_RDWR) : -1;
	if (parts->fd < 0)
		return false;
	if (bs_segment_check(parts->fd, &parts->geo, &parts->header, NULL) == 0 &&
	    parts->geo.sealed && name_take(fd_name, &parts->header))
		return true;
	close(parts->fd);
	return false;
}

int keeper_take_back(struct broker *b, const char *fd_name, int fd)
{
	struct stream_parts parts = { .file = "" };
	struct stream *s;
	int r;

	if (!parts_init(&parts, fd_name, fd)) {
		notify_forget(fd_name);
		close(fd);
		return 0;
	}
	close(fd);
	r = stream_new(&s, &parts);
	if (r < 0) {
		close(parts.fd);
		return r;
	}
	r = registry_take(&b->registry, s);
	if (r < 0) {
		stream_free(s);
		notify_forget(fd_name);
		return r == -EEXIST ? 0 : r;
	}
	s->kept = true;
	registry_attend(&b->registry, s);
	watch_stir(&b->registry, s);
	return 0;
}
