/* SPDX-License-Identifier: MIT */
/*
 * stream.c - owns a stream's description and its mapping. The file's name is whoever's who made the
 * object: adopt.c and scan.c give it, registry.c takes it away.
 *
 * Everything that looks into the mapping starts with bus_guard(). The broker's own description is
 * open for reading and writing for as long as the stream lives, so nobody can hold a lease on the
 * file that would make another open() of ours wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/closer.h"
#include "daemon/stream.h"
#include "proto/atomic.h"
#include "proto/end.h"
#include "proto/segment.h"

int stream_new(struct stream **sp, const struct stream_parts *parts)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->sight = (struct bs_sight){ .geo = parts->geo, .fd = parts->fd };
	s->sight.g = bs_segment_map(parts->fd, parts->geo.slots_at, true);
	if (!s->sight.g) {
		int r = -errno;

		free(s);
		return r;
	}
	s->header = parts->header;
	s->region.base = s->sight.g;
	s->region.len = parts->geo.slots_at;
	s->watch = -1;
	snprintf(s->file, sizeof(s->file), "%s", parts->file);
	*sp = s;
	return 0;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	bus_guard(NULL);
	bs_segment_unmap(s->sight.g, s->sight.geo.slots_at);
	closer_take_memory(s->sight.fd, s->sight.geo.size, s->header.uid);
	free(s->grants);
	free(s);
}

void stream_stand(struct stream *s)
{
	if (!s->standing)
		s->standing = bs_end_lock_byte(s->sight.fd, BS_BYTE_BROKER) == 0;
}

void stream_stand_down(struct stream *s)
{
	if (s->standing)
		bs_end_unlock(s->sight.fd, BS_BYTE_BROKER);
	s->standing = false;
}

/* Does a line belong to a writer that is not there any more? A reader may be waiting for the chunk
 * that it claimed. */
static bool stream_has_dead_writer(const struct stream *s)
{
	const struct bs_sight *t = &s->sight;

	for (uint32_t i = 0; i < t->geo.max_writers; i++)
		if ((owner_look(&t->g->writers[i].owner) & BS_END_STATE) != BS_END_FREE &&
		    bs_end_held(t->fd, BS_BYTE_WRITERS + i, 1) == 0)
			return true;
	return false;
}

bool stream_is_over(struct stream *s)
{
	bool changed;

	bus_guard(&s->region);
	changed = bs_verdict_writers(&s->sight);
	if (bs_verdict_reader(&s->sight))
		changed = true;
	if (changed || stream_has_dead_writer(s))
		bs_verdict_wake_all(&s->sight);
	return bs_verdict_over(&s->sight) || stream_is_ruined(s);
}

enum stream_life stream_look(struct stream *s)
{
	if (stream_is_over(s))
		return STREAM_OVER;
	return bs_end_held(s->sight.fd, BS_BYTE_READER, 1 + (uint64_t)s->sight.geo.max_writers)
		       ? STREAM_HELD
		       : STREAM_QUIET;
}

static int stream_outcome(const struct stream *s, int fd, int r, int *fdp)
{
	if (r == 0 && stream_is_ruined(s))
		r = EPROTO;
	if (r == 0)
		*fdp = fd;
	else if (fd >= 0)
		close(fd);
	return r;
}

int stream_open_writer(struct stream *s, int *fdp)
{
	int fd, place;

	bus_guard(&s->region);
	if ((word_look(&s->sight.g->verdicts.reader) & BS_R_STATE) == BS_R_BROKEN)
		return EPIPE;
	if (word_look(&s->sight.g->verdicts.writers) & BS_W_ENDED)
		return ESHUTDOWN;
	fd = bs_end_reopen(s->sight.fd, O_RDWR);
	if (fd < 0)
		return -fd;
	place = bs_writer_take_place(&s->sight, fd);
	return stream_outcome(s, fd, place < 0 ? -place : 0, fdp);
}

/* With its byte locked by us, nobody else can open the read end: what the word says now stands. */
static int stream_reader_state(struct stream *s)
{
	switch (word_look(&s->sight.g->verdicts.reader) & BS_R_STATE) {
	case BS_R_PARKED:
		return 0;
	case BS_R_OPEN:
		return EBUSY;
	default:
		return EPIPE;
	}
}

int stream_open_reader(struct stream *s, int *fdp)
{
	int fd, r;

	bus_guard(&s->region);
	if (bs_end_held(s->sight.fd, BS_BYTE_READER, 1))
		return EBUSY;
	r = stream_reader_state(s);
	if (r != 0)
		return r;
	fd = bs_end_reopen(s->sight.fd, O_RDWR);
	if (fd < 0)
		return -fd;
	r = bs_end_lock(fd, BS_BYTE_READER) < 0 ? EBUSY : stream_reader_state(s);
	return stream_outcome(s, fd, r, fdp);
}

int stream_open_view(struct stream *s, bool write, int *fdp)
{
	int fd = bs_end_reopen(s->sight.fd, write ? O_RDWR : O_RDONLY);

	if (fd < 0)
		return -fd;
	*fdp = fd;
	return 0;
}

void stream_remove(struct stream *s)
{
	bus_guard(&s->region);
	bs_verdict_removed(&s->sight);
	bs_verdict_wake_all(&s->sight);
}

bool stream_is_removed(struct stream *s)
{
	bus_guard(&s->region);
	return (word_look(&s->sight.g->verdicts.writers) & BS_W_REMOVED) != 0;
}

void stream_eof(struct stream *s)
{
	bus_guard(&s->region);
	bs_verdict_eof(&s->sight);
	bs_verdict_wake_all(&s->sight);
}

void stream_stat(struct stream *s, struct bs_wire_stat *stat)
{
	bus_guard(&s->region);
	bs_sight_stat(&s->sight, &s->header, stat);
}

void stream_stalls(struct stream *s, uint64_t now, uint64_t least_ns, struct bs_stalls *stalls)
{
	bus_guard(&s->region);
	bs_sight_stalls(&s->sight, now, least_ns, stalls);
}
