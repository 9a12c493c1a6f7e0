/* SPDX-License-Identifier: MIT */
/*
 * letter.c - owns a message and its descriptor. For mailbox.c.
 *
 * What came with a message is a stranger's until letter_check_end() has found it to be a file in
 * shared memory that says of itself that its read end travels. That may still be a lie. All that we
 * rely on is that a look at it does not sleep; its receiver checks it again, as one who attaches does.
 *
 * A letter that nobody will receive is received by the broker: it takes the end by the swap that a
 * receiver uses, so that of a sender who takes it back and us exactly one has it, and then leaves as
 * a reader does. Only from the word that it came with: a sender who took it back may have sent it on
 * to somebody else meanwhile. The memory is mapped for that only, under bus_guard().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/bus.h"
#include "daemon/closer.h"
#include "daemon/letter.h"
#include "proto/atomic.h"
#include "proto/end.h"
#include "proto/segment.h"
#include "proto/verdict.h"

/* A word of the segment, read as a file: nothing is mapped yet. */
static bool word_read(int fd, size_t at, uint64_t *peer_word)
{
	return pread(fd, peer_word, sizeof(*peer_word), (off_t)at) == sizeof(*peer_word);
}

int letter_check_end(int fd, uint64_t *peer_ownerp)
{
	struct bs_geometry geo;
	struct bs_header header;
	uint64_t peer_reader, peer_owner;
	int flags, r;

	if (!closer_is_memory(fd))
		return EPROTO;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) != O_RDWR)
		return EPROTO;
	r = bs_segment_check(fd, &geo, &header, NULL);
	if (r < 0)
		return r == -EPROTONOSUPPORT ? EPROTONOSUPPORT : EPROTO;
	if (!word_read(fd, offsetof(struct bs_segment, verdicts.reader), &peer_reader) ||
	    !word_read(fd, offsetof(struct bs_segment, reader.owner), &peer_owner))
		return EPROTO;
	if ((peer_reader & BS_R_STATE) != BS_R_OPEN ||
	    (peer_owner & BS_END_STATE) != BS_END_TRAVELLING)
		return EPROTO;
	*peer_ownerp = peer_owner;
	/* Its own lock is the one that it does not see. Where it is set to is not asked: another who
	 * has the descriptor can make lseek(2) wait. */
	return bs_end_held(fd, BS_BYTE_READER, 1) == 0 ? 0 : EPROTO;
}

bool letter_is_void(const struct letter *l)
{
	uint64_t peer_owner;

	if (l->fd < 0)
		return false;
	return !word_read(l->fd, offsetof(struct bs_segment, reader.owner), &peer_owner) ||
	       peer_owner != l->peer_owner;
}

struct letter *letter_new(int fd, const char *note, uint32_t note_len)
{
	struct letter *l = malloc(sizeof(*l) + note_len);

	if (!l)
		return NULL;
	*l = (struct letter){ .fd = fd, .note_len = note_len };
	memcpy(l->note, note, note_len);
	return l;
}

void letter_free(struct letter *l)
{
	closer_take_file(l->fd, l->uid);
	free(l);
}

/* Take the end as its receiver would, and leave the stream. */
static void end_break(const struct bs_sight *s, uint64_t peer_owner)
{
	if (!owner_swap(&s->g->reader.owner, peer_owner, peer_owner & ~(uint64_t)BS_END_STATE))
		return;
	bs_end_unlock(s->fd, BS_BYTE_READER);
	bs_reader_leave(s);
	bs_verdict_wake_all(s);
}

void letter_return(struct letter *l)
{
	struct bs_sight s = { .fd = l->fd, .own_byte = BS_BYTE_READER };
	struct bus_region region = { .base = NULL };
	struct bs_header header;

	if (l->fd >= 0 && bs_segment_check(l->fd, &s.geo, &header, NULL) == 0)
		s.g = bs_segment_map(l->fd, s.geo.slots_at, true);
	if (s.g) { /* else the lock goes with the descriptor, and its writers find that out */
		region.base = s.g;
		region.len = s.geo.slots_at;
		bus_guard(&region);
		end_break(&s, l->peer_owner);
		bus_guard(NULL);
		bs_segment_unmap(s.g, s.geo.slots_at);
	}
	letter_free(l);
}
