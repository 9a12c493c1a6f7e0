/* SPDX-License-Identifier: MIT */
/*
 * place.c - the places of write ends: taking one, settling in it, becoming one of several, and
 * leaving. Called by a writer for its own place, whose byte it holds; bs_writer_intends by the
 * reader.
 *
 * The order of the steps is what makes a death between any two of them harmless: lock, clear what
 * a dead predecessor left that could pass for ours, swap the word (with `lost` if he died), then
 * write the line. See tests/model/verdicts.pml, intent-takeover.pml and one-to-several.pml.
 */
#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "proto/atomic.h"
#include "proto/end.h"
#include "proto/hint.h"
#include "proto/segment.h"
#include "proto/verdict.h"

#define SWAP_ROUNDS    1000
#define GRACE_NS       BS_MS(100) /* for who is told not to wait: a write in progress is not a wait */
#define LEAVE_CHECK_NS 1000000 /* between two looks whether a writer has left its write */
#define LEAVE_YIELDS   200

static bool line_taken(struct bs_writer_line *l)
{
	return (owner_look(&l->owner) & BS_END_STATE) != BS_END_FREE;
}

/* The byte is ours: what a dead predecessor was about to claim, or was in, is not our doing. */
static void line_disown(struct bs_writer_line *l)
{
	intent_store(l, 0);
	inside_leave(l);
	fencing_store(&l->fencing, false);
}

static bool place_lock(const struct bs_sight *s, int fd, uint32_t place)
{
	if (bs_end_lock(fd, BS_BYTE_WRITERS + place) < 0)
		return false;
	line_disown(&s->g->writers[place]);
	return true;
}

int bs_writer_take_place(const struct bs_sight *s, int fd)
{
	/* The lines say which places are worth trying: to try them all costs microseconds each. */
	for (uint32_t i = 0; i < s->geo.max_writers; i++)
		if (!line_taken(&s->g->writers[i]) && place_lock(s, fd, i))
			return (int)i;
	for (uint32_t i = 0; i < s->geo.max_writers; i++)
		if (BS_BYTE_WRITERS + i != s->own_byte && place_lock(s, fd, i))
			return (int)i;
	return -EMFILE;
}

/* Add what this line's writer had written to the totals, and forget it. Figures only. */
static void line_fold(struct bs_segment *g, struct bs_writer_line *l)
{
	figure_add(&g->totals.chunks, figure_load(&l->chunks));
	figure_add(&g->totals.bytes, figure_load(&l->bytes));
	figure_add(&g->totals.waits, figure_load(&l->waits));
	figure_store(&l->chunks, 0);
	figure_store(&l->bytes, 0);
	figure_store(&l->waits, 0);
	figure_store(&l->waits_for, BS_WAITS_NOT);
	figure_store(&l->waits_since_ns, 0);
}

static int word_attach(const struct bs_sight *s, uint64_t lost)
{
	for (int i = 0; i < SWAP_ROUNDS; i++) {
		uint64_t peer_word = word_look(&s->g->verdicts.writers);

		if ((word_look(&s->g->verdicts.reader) & BS_R_STATE) == BS_R_BROKEN)
			return -EPIPE;
		if ((peer_word & BS_W_ENDED) != 0)
			return -ESHUTDOWN;
		if (word_swap(&s->g->verdicts.writers, peer_word, peer_word | BS_W_ATTACHED | lost))
			return 0;
	}
	return -EPROTO;
}

int bs_writer_settle(const struct bs_sight *s, uint32_t place)
{
	struct bs_writer_line *l = &s->g->writers[place];
	uint64_t peer_owner = owner_look(&l->owner);

	line_disown(l);
	/* The line keeps saying "taken" until the word has the news of that death. */
	int rc = word_attach(s, line_taken(l) ? BS_W_LOST : 0);
	if (rc < 0)
		return rc;
	line_fold(s->g, l);
	figure_store(&l->pid, (int32_t)getpid());
	figure_store(&l->uid, (uint32_t)getuid());
	figure_store(&s->g->totals.last_pid, (int32_t)getpid());
	owner_store(&l->owner,
		    (peer_owner & ~(uint64_t)BS_END_STATE) + BS_END_STEP + BS_END_ATTACHED);
	return 0;
}

int bs_writer_arrive(const struct bs_sight *s, uint32_t place)
{
	struct bs_writer_line *l = &s->g->writers[place];
	uint64_t peer_owner = owner_look(&l->owner);

	if ((peer_owner & BS_END_STATE) != BS_END_TRAVELLING)
		return -EPROTO;
	fencing_store(&l->fencing, false);
	int rc = word_attach(s, 0);
	if (rc < 0)
		return rc;
	if (!owner_swap(&l->owner, peer_owner,
			peer_owner + BS_END_STEP - BS_END_TRAVELLING + BS_END_ATTACHED))
		return -EPROTO;
	figure_store(&l->pid, (int32_t)getpid());
	figure_store(&l->uid, (uint32_t)getuid());
	figure_store(&s->g->totals.last_pid, (int32_t)getpid());
	return 0;
}

/* What a lone writer that died between its seq and its tail had published is claimed for it. Only
 * forward, only over published slots, so that anybody may do it at any time. */
static void tail_roll(const struct bs_sight *s)
{
	for (uint32_t i = 0; i < s->geo.capacity; i++) {
		uint64_t peer_tail = tail_look(s->g);
		struct bs_slot *slot = bs_segment_slot(s->g, &s->geo, peer_tail % s->geo.capacity);

		if (!slot_holds(slot, peer_tail))
			return;
		tail_claim(s->g, peer_tail, 1);
	}
}

/* Wait until the writer at @place is not in a write, or is dead. */
static int leave_await(const struct bs_sight *s, uint32_t place, uint64_t deadline)
{
	struct bs_writer_line *l = &s->g->writers[place];

	for (uint32_t n = 0; inside_look(l); n++) {
		if (bs_end_held(s->fd, BS_BYTE_WRITERS + place, 1) == 0)
			return 0;
		if (bs_now() >= deadline)
			return -ETIMEDOUT;
		/* It is copying one chunk and tells nobody when it is done: that would cost each
		 * write a barrier. Microseconds, or it is stopped. */
		if (n < LEAVE_YIELDS)
			sched_yield();
		else
			nanosleep(&(struct timespec){ .tv_nsec = LEAVE_CHECK_NS }, NULL);
	}
	return 0;
}

static int others_leave_await(const struct bs_sight *s, uint32_t place, uint64_t deadline)
{
	for (uint32_t i = 0; i < s->geo.max_writers; i++) {
		if (i == place)
			continue;
		int rc = leave_await(s, i, deadline);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int bs_writer_join(const struct bs_sight *s, uint32_t place, uint64_t deadline, bool *alonep)
{
	uint32_t peer_shared = shared_look(s->g);
	bool patient = deadline != 0;
	int rc;

	/* Our byte is locked already: of two who attach at once, one sees the other. */
	*alonep = peer_shared == BS_SHARED_NO &&
		  bs_end_held(s->fd, BS_BYTE_WRITERS, s->geo.max_writers) == 0;
	if (*alonep || peer_shared == BS_SHARED_DONE) {
		tail_roll(s);
		return 0;
	}
	shared_store(s->g, BS_SHARED_SWITCHING);
	bs_barrier_heavy(s->geo.fences); /* Dekker with inside_enter() and shared_look() */
	uint64_t grace = bs_now() + GRACE_NS;
	rc = others_leave_await(s, place, deadline > grace ? deadline : grace);
	if (rc < 0)
		return patient ? rc : -EAGAIN;
	tail_roll(s);
	shared_store(s->g, BS_SHARED_DONE);
	return 0;
}

bool bs_writer_intends(const struct bs_sight *s, uint64_t i)
{
	for (uint32_t k = 0; k < s->geo.max_writers; k++)
		if (intent_covers(intent_look(&s->g->writers[k]), i) &&
		    bs_end_held(s->fd, BS_BYTE_WRITERS + k, 1) != 0)
			return true;
	return false;
}

bool bs_writers_fence(const struct bs_sight *s)
{
	for (uint32_t k = 0; k < s->geo.max_writers; k++)
		if (line_taken(&s->g->writers[k]) && !fencing_look(&s->g->writers[k].fencing))
			return false;
	return true;
}

void bs_writer_leave(const struct bs_sight *s, uint32_t place)
{
	struct bs_writer_line *l = &s->g->writers[place];
	uint64_t owner = owner_look(&l->owner);

	line_disown(l);
	line_fold(s->g, l);
	figure_store(&l->pid, 0);
	owner_store(&l->owner, (owner & ~(uint64_t)BS_END_STATE) | BS_END_FREE);
}
