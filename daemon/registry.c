/* SPDX-License-Identifier: MIT */
/*
 * registry.c - owns the streams, their watches, and their files' names in the shm directory.
 *
 * A stream whose deaths we would not hear of is served all the same, but its byte stays unlocked:
 * that byte tells its ends that they need not look for themselves every quarter of a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/log.h"
#include "daemon/registry.h"
#include "daemon/watch.h"
#include "proto/end.h"
#include "proto/meeting.h"
#include "proto/segment.h"

static int registry_cmp_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct stream *)item)->header.name);
}

static int registry_cmp_watch(const void *key, const void *item)
{
	int a = *(const int *)key, b = ((const struct stream *)item)->watch;

	return (a > b) - (a < b);
}

/* On which devices segments are: the shm directory's, and that of all memfds. */
static int registry_find_devices(struct registry *r)
{
	int fd = memfd_create("bstreamd", MFD_CLOEXEC);
	struct stat shm, memfd;
	int rc = 0;

	if (fd < 0 || fstat(fd, &memfd) < 0 || fstat(r->shm, &shm) < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	r->shm_dev = rc == 0 ? shm.st_dev : 0;
	r->memfd_dev = rc == 0 ? memfd.st_dev : 0;
	return rc;
}

int registry_init(struct registry *r, int inotify, const char *prefix, struct accounts *accounts)
{
	*r = (struct registry){ .inotify = inotify, .accounts = accounts };
	snprintf(r->prefix, sizeof(r->prefix), "%s", prefix);
	sorted_init(&r->names, registry_cmp_name);
	sorted_init(&r->watches, registry_cmp_watch);
	r->shm = open(BS_SHM_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->shm < 0 ? -errno : registry_find_devices(r);
}

void registry_fini(struct registry *r)
{
	for (size_t i = 0; i < r->watches.n; i++) {
		struct stream *s = r->watches.items[i];

		if (!s->named)
			stream_free(s);
	}
	for (size_t i = 0; i < r->names.n; i++)
		stream_free(r->names.items[i]);
	sorted_fini(&r->watches);
	sorted_fini(&r->names);
	close(r->shm);
}

struct stream *registry_find(const struct registry *r, const char *name)
{
	return sorted_find(&r->names, name);
}

struct stream *registry_find_watch(const struct registry *r, int watch)
{
	return sorted_find(&r->watches, &watch);
}

static void registry_watch(struct registry *r, struct stream *s)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->sight.fd);
	s->watch = inotify_add_watch(r->inotify, path, IN_CLOSE_WRITE);
	if (s->watch >= 0 && sorted_add(&r->watches, &s->watch, s) < 0) {
		inotify_rm_watch(r->inotify, s->watch);
		s->watch = -1;
	}
	if (s->watch >= 0)
		stream_stand(s);
}

int registry_take(struct registry *r, struct stream *s)
{
	int rc = sorted_add(&r->names, s->header.name, s);

	if (rc < 0)
		return rc;
	s->named = true;
	stream_stand(s);
	figures_begin(r, s);
	r->bytes += s->sight.geo.size;
	r->n_streams++;
	account_add(r->accounts, s->header.uid, QUOTA_STREAMS, 1);
	account_add(r->accounts, s->header.uid, QUOTA_BYTES, (int64_t)s->sight.geo.size);
	return 0;
}

void registry_attend(struct registry *r, struct stream *s)
{
	if (s->attended)
		return;
	s->attended = true;
	registry_watch(r, s);
	if (s->watch < 0) {
		stream_stand_down(s);
		watch_stir(r, s);
	}
}

void registry_unname(struct registry *r, struct stream *s)
{
	keeper_drop(s);
	if (s->named) {
		sorted_drop(&r->names, s->header.name);
		figures_end(r, s);
	}
	s->named = false;
	if (s->file[0])
		unlinkat(r->shm, s->file, 0);
	s->file[0] = '\0';
}

static void registry_unwatch(struct registry *r, struct stream *s)
{
	if (s->watch < 0)
		return;
	sorted_drop(&r->watches, &s->watch);
	inotify_rm_watch(r->inotify, s->watch); /* gone already if the kernel took it */
	s->watch = -1;
}

void registry_watch_nameless(struct registry *r, struct stream *s)
{
	registry_unwatch(r, s);
	registry_watch(r, s);
}

static void grant_drop(struct registry *r, struct stream *s, uint32_t i)
{
	account_add(r->accounts, s->grants[i].uid, QUOTA_ENDS, -1);
	s->grants[i] = s->grants[--s->n_grants];
}

void registry_settle_grants(struct registry *r, struct stream *s)
{
	for (uint32_t i = s->n_grants; i-- > 0;)
		if (bs_end_held(s->sight.fd, s->grants[i].byte, 1) == 0)
			grant_drop(r, s, i);
}

void registry_grant(struct registry *r, struct stream *s, uint64_t byte, uid_t uid)
{
	/* Whoever had this place before has gone. */
	for (uint32_t i = s->n_grants; i-- > 0;)
		if (s->grants[i].byte == byte)
			grant_drop(r, s, i);
	if (s->n_grants == s->grants_cap) {
		uint32_t cap = s->grants_cap ? 2 * s->grants_cap : 4;
		struct grant *more = reallocarray(s->grants, cap, sizeof(*more));

		if (!more)
			return;
		s->grants = more;
		s->grants_cap = cap;
	}
	s->grants[s->n_grants++] = (struct grant){ byte, uid };
	account_add(r->accounts, uid, QUOTA_ENDS, 1);
}

void registry_forget(struct registry *r, struct stream *s)
{
	if (stream_is_ruined(s))
		log_blame(s->header.uid, 0, "the memory of stream %s was cut off", s->header.name);
	registry_unname(r, s);
	watch_settle(r, s);
	registry_unwatch(r, s);
	r->bytes -= s->sight.geo.size;
	r->n_streams--;
	account_add(r->accounts, s->header.uid, QUOTA_STREAMS, -1);
	account_add(r->accounts, s->header.uid, QUOTA_BYTES, -(int64_t)s->sight.geo.size);
	while (s->n_grants > 0)
		grant_drop(r, s, 0);
	stream_free(s);
}

int registry_file_name(const struct registry *r, char file[STREAM_FILE_SIZE], const char *name)
{
	uint64_t unique;

	if (getrandom(&unique, sizeof(unique), 0) != (ssize_t)sizeof(unique))
		return -errno;
	snprintf(file, STREAM_FILE_SIZE, "%.25s%016" PRIx64 ".%016" PRIx64, r->prefix,
		 bs_meeting_hash(name), unique);
	return 0;
}

void registry_remove(struct registry *r, struct stream *s)
{
	/* The words first: if we are killed in between, the next broker finds the file, and them. */
	stream_remove(s);
	registry_unname(r, s);
	if (s->attended)
		registry_watch_nameless(r, s);
	/* It stays for as long as it has ends, if we hear of it when they go. */
	if (s->watch < 0 || stream_is_over(s))
		registry_forget(r, s);
}
