/* SPDX-License-Identifier: MIT */
/*
 * open.c - makes handles, clones them and closes them: the life of an end in this process.
 *
 * Order when one is made: everything that may fail for want of memory first; then the lock, which
 * is either ours already or shows a forgery; then the words. Nothing in the segment is trusted
 * before bs_segment_check has been through it, and nothing is locked before that either.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/link.h"
#include "lib/open.h"
#include "lib/refusal.h"
#include "lib/pollfd.h"
#include "proto/end.h"

#define PATIENCE_NS BS_MS(5000)

static _Atomic uint64_t *hold_owner(const struct bs_hold *hold)
{
	const struct bs_sight *s = &hold->sight;

	return s->own_byte == BS_BYTE_READER ? &s->g->reader.owner
					     : &s->g->writers[s->own_byte - BS_BYTE_WRITERS].owner;
}

/*
 * Lock the end's byte: ours already, or free because the descriptor is none. A travelling end's
 * line says so; where it does not, nothing is locked, since a lock taken here and not kept would
 * stay in a descriptor that is the caller's.
 */
static int hold_lock(struct bs_hold *hold, enum bs_origin origin)
{
	if (origin == BS_TRAVELLED &&
	    (owner_look(hold_owner(hold)) & BS_END_STATE) != BS_END_TRAVELLING)
		return -EPROTO;
	return bs_end_lock_byte(hold->sight.fd, hold->sight.own_byte) == 0 ? 0 : -EPROTO;
}

/* Who has made a segment that is not sealed can cut it off under us. A broker chosen by the caller may
 * hand out such; from anybody else it is taken if we, or root, have made it. */
static bool owner_is_trusted(const struct stat *st)
{
	return st->st_uid == geteuid() || st->st_uid == 0;
}

/* Check the segment behind @fd, map it, and take note of it. 0, or as bs_writer_make says. */
static int hold_init(struct bs_hold *hold, int fd, uint64_t first, uint64_t n,
		     enum bs_origin origin, uint64_t *stampp)
{
	struct bs_sight *s = &hold->sight;
	struct stat st;
	int rc = bs_segment_check(fd, &s->geo, &hold->header, &st);

	if (rc < 0)
		return bs_refusal_layout(rc, &hold->header);
	if (origin == BS_TRAVELLED && !s->geo.sealed && !owner_is_trusted(&st))
		return -EPROTO;
	s->fd = fd;
	s->own_byte = bs_end_byte(fd);
	if (s->own_byte - first >= (n != 0 ? n : s->geo.max_writers))
		return -EPROTO;
	memcpy(hold->name, hold->header.name, sizeof(hold->name));
	if (!s->geo.fences && bs_barrier_register() < 0)
		return -EOPNOTSUPP;
	bs_fork_hold_off(); /* a mapping keeps the end alive, and is not to be inherited */
	s->g = bs_segment_map(fd, s->geo.size, true);
	int failed = errno;
	bs_fork_go_on();
	if (s->g == NULL)
		return failed == EACCES || failed == EPERM ? -EPROTO : -ENOMEM;
	*stampp = bs_fork_enlist(hold);
	if (*stampp == 0) {
		bs_segment_unmap(s->g, s->geo.size);
		return -ENOMEM;
	}
	rc = hold_lock(hold, origin);
	if (rc < 0) {
		bs_fork_delist(hold);
		bs_segment_unmap(s->g, s->geo.size);
	}
	return rc;
}

static void hold_fini(struct bs_hold *hold)
{
	bs_poll_free(hold->poll);
	bs_fork_delist(hold);
	bs_segment_unmap(hold->sight.g, hold->sight.geo.size);
}

/* The same, and close the descriptor. */
static void hold_drop(struct bs_hold *hold)
{
	bs_poll_free(hold->poll);
	bs_fork_close(hold);
	bs_segment_unmap(hold->sight.g, hold->sight.geo.size);
}

/* ---- write ends ----------------------------------------------------------------------------- */

static void writer_fill(struct bstream_writer *w, bool alone)
{
	struct bs_sight *s = &w->hold.sight;

	w->g = s->g;
	w->line = &s->g->writers[w->place];
	w->tail = tail_look(s->g);
	w->head_seen = head_look(s->g);
	w->capacity = s->geo.capacity;
	w->chunk_max = s->geo.chunk_max;
	w->fences = w->fencing = s->geo.fences;
	w->inline_max = w->chunk_max < BS_SLOT_INLINE ? w->chunk_max : BS_SLOT_INLINE;
	w->slots = bs_slot_at(w->g, &w->hold, 0);
	w->slots_end = w->slots + w->capacity;
	w->slot = w->slots + w->tail % w->capacity;
	w->lone = alone;
	w->calls = w->woke_at = w->tail;
	w->late_after = w->late_every = 1;
	bs_spin_init(&w->spin);
}

/* Give the end up, cleanly; the descriptor and the handle stay. */
static void writer_go(struct bstream_writer *w)
{
	const struct bs_sight *s = &w->hold.sight;

	bs_writer_leave(s, w->place);
	bs_end_unlock(s->fd, s->own_byte);
	if (bs_verdict_writers(s))
		bs_verdict_wake_all(s);
}

/* Undo what settling or arriving did, as the end's owner. */
static void writer_unsettle(struct bstream_writer *w, enum bs_origin origin)
{
	const struct bs_sight *s = &w->hold.sight;
	_Atomic uint64_t *owner = &s->g->writers[w->place].owner;

	if (origin == BS_TRAVELLED)
		owner_store(owner, owner_look(owner) - BS_END_ATTACHED + BS_END_TRAVELLING);
	else
		writer_go(w);
}

static int writer_settle(struct bstream_writer *w, enum bs_origin origin, uint64_t deadline)
{
	const struct bs_sight *s = &w->hold.sight;
	bool alone = false;
	int rc = origin == BS_TRAVELLED ? bs_writer_arrive(s, w->place)
					: bs_writer_settle(s, w->place);

	if (rc < 0)
		return rc;
	rc = bs_writer_join(s, w->place, deadline, &alone);
	if (rc < 0) {
		writer_unsettle(w, origin);
		return rc;
	}
	writer_fill(w, alone);
	bs_verdict_wake_all(s); /* a reader may wait for a claim of this place's dead owner */
	return 0;
}

int bs_writer_make(int fd, enum bs_origin origin, uint64_t deadline, struct bstream_writer **wp)
{
	struct bstream_writer *w = aligned_alloc(BS_CACHE_LINE, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	int rc = hold_init(&w->hold, fd, BS_BYTE_WRITERS, 0, origin, &w->fork_stamp);
	if (rc < 0) {
		free(w);
		return rc;
	}
	w->place = (uint32_t)(w->hold.sight.own_byte - BS_BYTE_WRITERS);
	rc = writer_settle(w, origin, deadline);
	if (rc < 0) {
		hold_fini(&w->hold);
		free(w);
		return rc;
	}
	*wp = w;
	return 0;
}

int bs_writer_unmake(struct bstream_writer *w)
{
	int fd = w->hold.sight.fd;

	hold_fini(&w->hold);
	free(w);
	return fd;
}

void bs_writer_drop(struct bstream_writer *w)
{
	hold_drop(&w->hold);
	free(w);
}

int bstream_writer_clone(const struct bstream_writer *w, struct bstream_writer **wp)
{
	if (bs_fork_stale(w->fork_stamp))
		return -ESTALE;
	int fd = bs_link_reopen(w->hold.sight.fd, O_RDWR);
	if (fd < 0)
		return fd;
	int rc = bs_writer_take_place(&w->hold.sight, fd);
	if (rc >= 0)
		rc = bs_writer_make(fd, BS_FRESH, bs_now() + PATIENCE_NS, wp);
	if (rc < 0)
		bs_link_close(fd);
	else
		bs_link_forget(fd);
	return rc < 0 ? rc : 0;
}

void bstream_writer_close(struct bstream_writer *w)
{
	if (w == NULL)
		return;
	if (bs_fork_stale(w->fork_stamp)) { /* the parent's: not our end, and not our mapping */
		bs_fork_delist(&w->hold);
		free(w->hold.poll);
		free(w);
		return;
	}
	bstream_cancel(w);
	writer_go(w);
	bs_writer_drop(w);
}

/* ---- the read end --------------------------------------------------------------------------- */

static void reader_fill(struct bstream_reader *r)
{
	struct bs_sight *s = &r->hold.sight;

	r->g = s->g;
	r->head = head_look(s->g);
	r->capacity = s->geo.capacity;
	r->fences = r->fencing = s->geo.fences;
	r->woke_at = r->head;
	r->inline_max = s->geo.chunk_max < BS_SLOT_INLINE ? s->geo.chunk_max : BS_SLOT_INLINE;
	r->slots = bs_slot_at(r->g, &r->hold, 0);
	r->slots_end = r->slots + r->capacity;
	r->slot = r->slots + r->head % r->capacity;
	r->end = 1;
	bs_spin_init(&r->spin);
	bs_pace_init(&r->pace, r->capacity);
	r->tail_look_at = r->capacity < BS_DEEP ? UINT64_MAX : r->head;
}

/* A travelled end: exactly one of its dups gets through the swap. */
static int reader_arrive(const struct bs_sight *s)
{
	_Atomic uint64_t *owner = &s->g->reader.owner;
	uint64_t peer_owner = owner_look(owner);
	uint64_t peer_word = word_look(&s->g->verdicts.reader);

	if ((peer_word & BS_R_STATE) == BS_R_BROKEN)
		return -EPIPE;
	if ((peer_word & BS_R_STATE) != BS_R_OPEN ||
	    (peer_owner & BS_END_STATE) != BS_END_TRAVELLING)
		return -EPROTO;
	return owner_swap(owner, peer_owner,
			  peer_owner + BS_END_STEP - BS_END_TRAVELLING + BS_END_ATTACHED)
		       ? 0
		       : -EPROTO;
}

static int reader_settle(struct bstream_reader *r, enum bs_origin origin)
{
	const struct bs_sight *s = &r->hold.sight;
	struct bs_reader_line *l = &s->g->reader;

	fencing_store(&s->g->head.fencing, false); /* we do not yet; wake_all below has the look */
	if (origin == BS_TRAVELLED) {
		int rc = reader_arrive(s);
		if (rc < 0)
			return rc;
	} else {
		uint64_t peer_owner = owner_look(&l->owner);

		/* Our lock keeps every other opener out, and the word does not say open yet. */
		owner_store(&l->owner,
			    (peer_owner & ~(uint64_t)BS_END_STATE) + BS_END_STEP + BS_END_ATTACHED);
		int rc = origin == BS_FIRST ? 0 : bs_reader_settle(s);
		if (rc < 0)
			return rc;
	}
	figure_store(&l->pid, (int32_t)getpid());
	figure_store(&l->uid, (uint32_t)getuid());
	figure_store(&l->waits_for, BS_WAITS_NOT);
	reader_fill(r);
	bs_verdict_wake_all(s);
	return 0;
}

int bs_reader_make(int fd, enum bs_origin origin, struct bstream_reader **rp)
{
	struct bstream_reader *r = aligned_alloc(BS_CACHE_LINE, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	int rc = hold_init(&r->hold, fd, BS_BYTE_READER, 1, origin, &r->fork_stamp);
	if (rc < 0) {
		free(r);
		return rc;
	}
	rc = reader_settle(r, origin);
	if (rc < 0) {
		hold_fini(&r->hold);
		free(r);
		return rc;
	}
	*rp = r;
	return 0;
}

int bs_reader_unmake(struct bstream_reader *r)
{
	int fd = r->hold.sight.fd;

	hold_fini(&r->hold);
	free(r);
	return fd;
}

void bs_reader_drop(struct bstream_reader *r)
{
	hold_drop(&r->hold);
	free(r);
}

static void reader_line_free(struct bstream_reader *r)
{
	struct bs_reader_line *l = &r->g->reader;

	figure_store(&l->pid, 0);
	owner_store(&l->owner, owner_look(&l->owner) & ~(uint64_t)BS_END_STATE);
}

int bstream_reader_park(struct bstream_reader *r)
{
	const struct bs_sight *s = &r->hold.sight;

	if (bs_fork_stale(r->fork_stamp))
		return -ESTALE;
	if (r->hold.name[0] == '\0')
		return -EINVAL;
	/* The word first: a read end that is free but not parked would be judged as gone. */
	int rc = bs_reader_park(s);
	if (rc < 0)
		return rc;
	reader_line_free(r);
	bs_end_unlock(s->fd, s->own_byte);
	bs_verdict_wake_watch(s);
	bs_reader_drop(r);
	return 0;
}

void bstream_reader_close(struct bstream_reader *r)
{
	if (r == NULL)
		return;
	if (bs_fork_stale(r->fork_stamp)) {
		bs_fork_delist(&r->hold);
		free(r->hold.poll);
		free(r);
		return;
	}
	reader_line_free(r);
	bs_end_unlock(r->hold.sight.fd, r->hold.sight.own_byte);
	bs_reader_leave(&r->hold.sight);
	bs_verdict_wake_all(&r->hold.sight);
	bs_reader_drop(r);
}
