/* SPDX-License-Identifier: MIT */
/*
 * adopt.c - CREATE and RESTORE: taking over a segment that a client has made, which is checked as a
 * stranger's.
 *
 * Before anything that could sleep is done with the descriptor, it is known to be a regular file in
 * the shm directory's file system, or where memfds are (statx, told not to ask anybody). A sealed
 * segment is a memfd: it has no name there, and goes with its last description.
 *
 * A sealed stream whose broker died is known to nobody but its ends. One that finds itself without a
 * broker offers it to the next (RESTORE); the first who comes gets its name. An end may have been moved
 * to a process that uses another broker: so a name is had back only where the header says that it was.
 * Not with --system: what the header says by then of owner and mode was anybody's to write who had an
 * end.
 *
 * The client keeps its own description, so the broker opens one for itself, not waiting for leases, and
 * uses no other. What the segment says is read by pread(2): memory is mapped only when all has been
 * found right.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/request.h"
#include "daemon/watch.h"
#include "proto/end.h"
#include "proto/meeting.h"
#include "proto/segment.h"

static_assert(offsetof(struct bs_header, gid) == offsetof(struct bs_header, uid) + 4,
	      "they are written together");

#define NEW_PREFIX "bstream.new." /* a private name, where there are no nameless files */

/* Where, what, whose: as far as the file itself tells. EPROTO, EACCES, EOPNOTSUPP. */
static int adopt_check_file(struct broker *b, const struct client *c, int fd, struct statx *st)
{
	const struct registry *r = &b->registry;
	bool sealed;
	dev_t dev;
	int flags;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, st) < 0)
		return EPROTO;
	dev = makedev(st->stx_dev_major, st->stx_dev_minor);
	sealed = dev == r->memfd_dev && bs_segment_is_sealed(fd);
	flags = fcntl(fd, F_GETFL);
	if (!S_ISREG(st->stx_mode) || flags < 0 || (flags & O_PATH) ||
	    (flags & O_ACCMODE) != O_RDWR || (!sealed && dev == r->memfd_dev))
		return EPROTO;
	/* Not in our shm directory: the client has another one, in a container. */
	if (!sealed && (b->system || dev != r->shm_dev))
		return rights_refuse_unsealed(b, c);
	if (st->stx_uid != c->uid)
		return EACCES;
	if (!sealed && ((st->stx_mode & 077) != 0 || st->stx_nlink > 1))
		return EPROTO;
	return 0;
}

/* Nothing has happened in it yet, and nobody has an end of it. */
static bool adopt_is_fresh(int fd, const struct bs_geometry *geo)
{
	struct bs_verdicts peer;
	uint64_t writers = geo->keep & BS_KEEP_WRITERS ? BS_W_KEPT : 0;
	uint64_t reader = (geo->keep & BS_KEEP_READER ? BS_R_KEPT : 0) | BS_R_PARKED;

	if (pread(fd, &peer, sizeof(peer), offsetof(struct bs_segment, verdicts)) != sizeof(peer))
		return false;
	return atomic_load(&peer.writers) == writers && atomic_load(&peer.reader) == reader &&
	       atomic_load(&peer.shared) == BS_SHARED_NO &&
	       bs_end_held(fd, BS_BYTE_BROKER, 2 + (uint64_t)geo->max_writers) == 0;
}

/* It may be in use, but it is nobody's, and its name was not taken away. */
static bool adopt_is_astray(int fd, const struct bs_geometry *geo)
{
	struct bs_verdicts peer;

	if (!geo->sealed ||
	    pread(fd, &peer, sizeof(peer), offsetof(struct bs_segment, verdicts)) != sizeof(peer))
		return false;
	return (atomic_load(&peer.writers) & BS_W_REMOVED) == 0 &&
	       bs_end_held(fd, BS_BYTE_BROKER, 1) == 0;
}

/* Has it its name here, or nowhere yet? Then that is noted. EXDEV: at another socket, whose broker may have
 * died: who has an end of it and this socket cannot know better than to ask. */
static int adopt_home(const struct broker *b, struct stream_parts *parts)
{
	uint64_t home = bs_meeting_hash(b->path);

	if (!parts->geo.sealed || parts->header.home == home)
		return 0;
	if (parts->header.home != 0)
		return EXDEV;
	parts->header.home = home;
	if (pwrite(parts->fd, &home, sizeof(home),
		   offsetof(struct bs_segment, header) + offsetof(struct bs_header, home)) < 0)
		return errno;
	return 0;
}

/* In a user namespace of its own a client knows its user and his groups by other numbers than we do. The file has
 * ours; and no group that the kernel would not let him give it. */
static bool adopt_owner(struct stream_parts *parts, const struct statx *st)
{
	uint32_t owner[2] = { st->stx_uid, st->stx_gid };
	off_t at = offsetof(struct bs_segment, header) + offsetof(struct bs_header, uid);

	if (parts->header.uid == st->stx_uid)
		return true;
	parts->header.uid = st->stx_uid;
	parts->header.gid = st->stx_gid;
	return pwrite(parts->fd, owner, sizeof(owner), at) == sizeof(owner);
}

/* What it says of itself. EPROTO, EPROTONOSUPPORT, ENOSPC: it has not all its memory. */
static int adopt_check_contents(struct stream_parts *parts, const struct request *q,
				const struct statx *st)
{
	bool restore = q->question->head.type == BS_REQ_RESTORE;
	int r = bs_segment_check(parts->fd, &parts->geo, &parts->header, NULL);

	if (r < 0)
		return -r;
	if (strncmp(parts->header.name, q->question->name, sizeof(parts->header.name)) != 0 ||
	    (restore && parts->header.uid != st->stx_uid) || (parts->header.mode & ~0777u) != 0 ||
	    parts->geo.sealed != bs_segment_is_sealed(parts->fd))
		return EPROTO;
	if (!(restore ? adopt_is_astray : adopt_is_fresh)(parts->fd, &parts->geo))
		return EPROTO;
	if (st->stx_blocks * 512 < parts->geo.size)
		return ENOSPC;
	return adopt_owner(parts, st) ? 0 : EPROTO;
}

/* The private name of @fd, if that is what it has. */
static bool adopt_private_name(const struct registry *r, int fd, const struct statx *st,
			       char name[STREAM_FILE_SIZE])
{
	char link[40], path[PATH_MAX];
	struct stat at;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	n = snprintf(name, STREAM_FILE_SIZE, "%s",
		     strrchr(path, '/') ? strrchr(path, '/') + 1 : "");
	return n < STREAM_FILE_SIZE && strncmp(name, NEW_PREFIX, strlen(NEW_PREFIX)) == 0 &&
	       fstatat(r->shm, name, &at, AT_SYMLINK_NOFOLLOW) == 0 && at.st_ino == st->stx_ino;
}

/* Give it its file name. */
static int adopt_link(const struct registry *r, int fd, const struct statx *st, const char *file)
{
	char from[STREAM_FILE_SIZE];
	int rc;

	if (st->stx_nlink == 0) {
		snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
		rc = linkat(AT_FDCWD, from, r->shm, file, AT_SYMLINK_FOLLOW);
	} else {
		if (!adopt_private_name(r, fd, st, from))
			return EPROTO;
		rc = renameat2(r->shm, from, r->shm, file, RENAME_NOREPLACE);
	}
	if (rc < 0 && errno == EXDEV) /* our shm directory, by a mount of the client's own */
		return EOPNOTSUPP;
	if (rc < 0) /* ENOENT: it had a name once, and cannot have one again */
		return errno == ENOENT ? EPROTO : errno;
	return 0;
}

/* All of it has been checked: it gets its name, and is ours. On failure the file is gone. */
static int adopt_take(struct registry *r, const struct stream_parts *parts, const struct statx *st)
{
	struct stream *s;
	int rc = parts->geo.sealed ? 0 : adopt_link(r, parts->fd, st, parts->file);

	if (rc != 0)
		return rc;
	rc = stream_new(&s, parts);
	if (rc == 0) {
		rc = registry_take(r, s);
		if (rc == 0) {
			keeper_put(s);
			return 0;
		}
		s->sight.fd = -1; /* stays with the parts */
		stream_free(s);
	}
	if (!parts->geo.sealed)
		unlinkat(r->shm, parts->file, 0);
	return -rc;
}

/* It is of our layout, but for what it makes use of: say what that is. */
static void adopt_refuse_layout(struct broker *b, const struct request *q,
				const struct bs_header *header)
{
	if (header->version == BS_LAYOUT_VERSION)
		b->refusal = (struct bs_refusal){
			.why = BS_WHY_LAYOUT,
			.uid = q->client->uid,
			.limit = header->flags & ~BS_FLAG_KNOWN,
		};
}

int serve_create(struct broker *b, struct request *q)
{
	struct registry *r = &b->registry;
	char file[STREAM_FILE_SIZE] = "";
	struct stream_parts parts = { .fd = -1, .file = file };
	struct statx st;
	int rc;

	if (r->n_streams >= b->limits.max_streams)
		return request_over_limit(b, "streams", b->limits.max_streams);
	if (q->stream)
		return EEXIST;
	rc = account_check(&b->accounts, q->client->uid, QUOTA_STREAMS, 1, &b->refusal);
	if (rc != 0)
		return rc;
	rc = adopt_check_file(b, q->client, *q->fds, &st);
	if (rc != 0)
		return rc;
	parts.fd = bs_end_reopen(*q->fds, O_RDWR | O_NONBLOCK);
	if (parts.fd < 0)
		return parts.fd == -EWOULDBLOCK ? EPROTO : -parts.fd;
	rc = adopt_check_contents(&parts, q, &st);
	if (rc == EPROTONOSUPPORT)
		adopt_refuse_layout(b, q, &parts.header);
	if (rc == 0)
		rc = rights_check_group(b, q->client, parts.header.gid);
	if (rc == 0)
		rc = account_check(&b->accounts, q->client->uid, QUOTA_BYTES, parts.geo.size,
				   &b->refusal);
	if (rc == 0 && !parts.geo.sealed)
		rc = -registry_file_name(r, file, q->question->name);
	if (rc == 0)
		rc = adopt_home(b, &parts);
	if (rc == 0)
		rc = adopt_take(r, &parts, &st);
	if (rc != 0) {
		close(parts.fd);
		return rc;
	}
	close(*q->fds); /* memory, as has been checked, and not the last of it */
	*q->fds = -1;
	if (q->question->head.type == BS_REQ_CREATE)
		figures_are_fresh(registry_find(r, q->question->name));
	return 0;
}

int serve_restore(struct broker *b, struct request *q)
{
	int rc = b->system ? EACCES : serve_create(b, q);
	struct stream *s;

	if (rc != 0)
		return rc;
	s = registry_find(&b->registry, q->question->name);
	registry_attend(&b->registry, s);
	watch_stir(&b->registry, s); /* whatever happened while nobody was looking */
	return 0;
}
