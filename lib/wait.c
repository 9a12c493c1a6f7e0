/* SPDX-License-Identifier: MIT */
/*
 * wait.c - waiting for something to be true of a named stream, without an end of it.
 *
 * The name is waited for at the broker; everything else in the segment, at the place where drain
 * waits too: the reader wakes whoever sleeps there when it has released as much as was asked for,
 * and every change of who is there wakes all. No process is asked, none is disturbed.
 */
#include <unistd.h>

#include "lib/broker.h"
#include "lib/handle.h"
#include "lib/link.h"
#include "lib/refusal.h"
#include "proto/end.h"

/* How long a release count can matter: never reached, so only a change of the words wakes. */
#define COUNT_NEVER UINT64_MAX

struct lookout {
	struct bs_hold hold;
	uint32_t what;
	uint64_t wake_at; /* the release count at which to look again */
};

static int lookout_init(struct lookout *l, const char *name, uint64_t deadline)
{
	struct bs_sight *s = &l->hold.sight;
	/* Peers may be on their way to a name that is still to come; chunks and ends are not: a stream
	 * that is not there has nothing left to be read. */
	bool comes = l->what == BSTREAM_WAIT_READER || l->what == BSTREAM_WAIT_WRITER;
	bool patient = comes && deadline != BSTREAM_DONT_WAIT;
	uint32_t flags = BS_WANT_WRITE | (patient ? BS_WANT_WAIT : 0);
	int rc = bs_broker_ask(BS_REQ_LOOK, name, flags, deadline, &s->fd, NULL);

	if (rc < 0)
		return rc;
	bs_link_forget(s->fd); /* no end */
	rc = bs_segment_check(s->fd, &s->geo, &l->hold.header, NULL);
	bs_refusal_layout(rc, &l->hold.header);
	if (rc == 0) {
		s->g = bs_segment_map(s->fd, s->geo.slots_at, true);
		rc = s->g != NULL ? 0 : -ENOMEM;
	}
	if (rc < 0)
		close(s->fd);
	return rc;
}

static void lookout_fini(struct lookout *l)
{
	bs_segment_unmap(l->hold.sight.g, l->hold.sight.geo.slots_at);
	close(l->hold.sight.fd);
}

static bool all_released(struct lookout *l)
{
	struct bs_segment *g = l->hold.sight.g;
	uint64_t peer_tail = tail_look(g);

	l->wake_at = peer_tail != 0 ? peer_tail : 1;
	return (int64_t)(head_look(g) - peer_tail) >= 0;
}

/* Is a write end there? Lines are looked at, and the kernel is asked about those that say so. */
static bool writer_there(const struct bs_sight *s)
{
	for (uint32_t i = 0; i < s->geo.max_writers; i++)
		if ((owner_look(&s->g->writers[i].owner) & BS_END_STATE) != BS_END_FREE &&
		    bs_end_held(s->fd, BS_BYTE_WRITERS + i, 1) > 0)
			return true;
	return false;
}

/* 1: it is true; 0: not yet; or why it never will be. */
static int lookout_look(struct lookout *l)
{
	const struct bs_sight *s = &l->hold.sight;
	/* In this order: a reader that is seen to have left saw the end before, if there was one. */
	uint64_t peer_state = word_look(&s->g->verdicts.reader) & BS_R_STATE;
	uint64_t peer_writers = word_look(&s->g->verdicts.writers);
	bool ended = (peer_writers & BS_W_ENDED) != 0;

	l->wake_at = COUNT_NEVER;
	switch (l->what) {
	case BSTREAM_WAIT_READER:
		if (peer_state == BS_R_OPEN && bs_end_held(s->fd, BS_BYTE_READER, 1) > 0)
			return 1;
		break;
	case BSTREAM_WAIT_WRITER:
		if (writer_there(s))
			return 1;
		break;
	case BSTREAM_WAIT_EMPTY:
		if (all_released(l))
			return 1;
		break;
	default:
		if (ended && all_released(l))
			return 1;
	}
	if ((peer_writers & BS_W_REMOVED) != 0)
		return -ENOENT;
	if (peer_state == BS_R_BROKEN)
		return -EPIPE;
	return ended && l->what == BSTREAM_WAIT_WRITER ? -ESHUTDOWN : 0;
}

static void peers_ask(struct lookout *l)
{
	bool news = bs_verdict_writers(&l->hold.sight);

	if (bs_verdict_reader(&l->hold.sight) || news)
		bs_verdict_wake_all(&l->hold.sight);
}

static int lookout_wait(struct lookout *l, uint64_t deadline)
{
	struct bs_space *space = &l->hold.sight.g->space;
	int rc;

	peers_ask(l);
	while ((rc = lookout_look(l)) == 0) {
		uint64_t now = bs_now();
		if (now >= deadline)
			return deadline == BSTREAM_DONT_WAIT ? -EAGAIN : -ETIMEDOUT;
		uint32_t gen = gen_look(&space->watch_gen);
		hint_raise(&space->watch_at, l->wake_at);
		fence_full();
		/* Dekker with bs_reader_advance() */
		bs_barrier_heavy(l->hold.sight.geo.fences ||
				 fencing_look(&l->hold.sight.g->head.fencing));
		rc = lookout_look(l);
		if (rc != 0)
			break;
		if (!bs_watch_sleep(&space->watch_gen, gen, bs_slice_end(&l->hold, now, deadline)))
			peers_ask(l);
	}
	return rc < 0 ? rc : 0;
}

int bstream_wait(const char *name, uint32_t what, uint64_t deadline)
{
	struct lookout l = { .what = what };

	if (!bs_name_ok(name) || what < BSTREAM_WAIT_EXISTS || what > BSTREAM_WAIT_MAILBOX)
		return -EINVAL;
	if (what == BSTREAM_WAIT_EXISTS || what == BSTREAM_WAIT_MAILBOX) {
		uint32_t flags = deadline == BSTREAM_DONT_WAIT ? 0 : BS_WANT_WAIT;
		uint16_t type = what == BSTREAM_WAIT_EXISTS ? BS_REQ_EXISTS : BS_REQ_MAILBOX_EXISTS;

		return bs_broker_ask(type, name, flags, deadline, NULL, NULL);
	}
	int rc = lookout_init(&l, name, deadline);
	if (rc < 0)
		return rc;
	rc = lookout_wait(&l, deadline);
	lookout_fini(&l);
	return rc;
}
