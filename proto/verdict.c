/* SPDX-License-Identifier: MIT */
/*
 * verdict.c - the transitions of the writers' word and of the reader's word.
 *
 * The rule behind all of them: read the word; gather evidence from the kernel's locks, and only
 * then from the lines; swap the word, from the value read. Everything that could spoil the evidence
 * (an attach, a park, an open) changes the word itself, so that the swap fails and the evidence is
 * thrown away. tests/model/verdicts.pml and keep-and-park.pml show that each step is needed.
 *
 * A loop on a word is bounded: a peer that keeps changing it gains nothing but our giving up.
 */
#include <errno.h>

#include "proto/atomic.h"
#include "proto/end.h"
#include "proto/verdict.h"

#define SWAP_ROUNDS 1000

static bool writers_held(const struct bs_sight *s)
{
	return bs_end_held(s->fd, BS_BYTE_WRITERS, s->geo.max_writers) != 0;
}

/* Does a line still say that its writer is there? Asked after the range was found free: it died. */
static bool any_line_taken(const struct bs_sight *s)
{
	for (uint32_t i = 0; i < s->geo.max_writers; i++)
		if ((owner_look(&s->g->writers[i].owner) & BS_END_STATE) != BS_END_FREE)
			return true;
	return false;
}

bool bs_verdict_writers(const struct bs_sight *s)
{
	uint64_t peer_word = word_look(&s->g->verdicts.writers);

	if ((peer_word & (BS_W_ENDED | BS_W_KEPT)) != 0)
		return false;
	/* A stream nobody has ever written to has not ended, unless nobody can any more. */
	if ((peer_word & (BS_W_ATTACHED | BS_W_REMOVED)) == 0)
		return false;
	if (writers_held(s))
		return false;
	uint64_t lost = any_line_taken(s) ? BS_W_LOST : 0;
	return word_swap(&s->g->verdicts.writers, peer_word, peer_word | BS_W_ENDED | lost);
}

static bool reader_held(const struct bs_sight *s)
{
	return bs_end_held(s->fd, BS_BYTE_READER, 1) != 0;
}

/* What becomes of an open read end whose owner has gone. */
static uint64_t word_without_owner(uint64_t word)
{
	bool stays = (word & BS_R_KEPT) != 0 && (word & BS_R_END_SEEN) == 0;

	return (word & ~(uint64_t)BS_R_STATE) | (stays ? BS_R_PARKED : BS_R_BROKEN);
}

bool bs_verdict_reader(const struct bs_sight *s)
{
	uint64_t peer_word = word_look(&s->g->verdicts.reader);
	uint64_t state = peer_word & BS_R_STATE;
	uint64_t next;

	if (state == BS_R_OPEN) {
		next = word_without_owner(peer_word);
	} else if (state == BS_R_PARKED) {
		if ((word_look(&s->g->verdicts.writers) & BS_W_REMOVED) == 0)
			return false;
		next = (peer_word & ~(uint64_t)BS_R_STATE) | BS_R_BROKEN;
	} else {
		return false;
	}
	if (reader_held(s))
		return false;
	return word_swap(&s->g->verdicts.reader, peer_word, next);
}

int bs_reader_settle(const struct bs_sight *s)
{
	/* Read after the lock was taken: parked and locked by us, nobody else can open it. */
	uint64_t peer_word = word_look(&s->g->verdicts.reader);

	if ((peer_word & BS_R_STATE) == BS_R_BROKEN)
		return -EPIPE;
	if ((peer_word & BS_R_STATE) != BS_R_PARKED)
		return -EPROTO;
	return word_swap(&s->g->verdicts.reader, peer_word, peer_word | BS_R_OPEN) ? 0 : -EPIPE;
}

int bs_reader_park(const struct bs_sight *s)
{
	for (int i = 0; i < SWAP_ROUNDS; i++) {
		uint64_t peer_word = word_look(&s->g->verdicts.reader);

		if ((word_look(&s->g->verdicts.writers) & BS_W_REMOVED) != 0)
			return -ENOENT;
		if ((peer_word & BS_R_STATE) != BS_R_OPEN)
			return -EPROTO;
		if (word_swap(&s->g->verdicts.reader, peer_word,
			      (peer_word & ~(uint64_t)BS_R_STATE) | BS_R_PARKED))
			return 0;
	}
	return -EPROTO;
}

void bs_reader_leave(const struct bs_sight *s)
{
	for (int i = 0; i < SWAP_ROUNDS; i++) {
		uint64_t peer_word = word_look(&s->g->verdicts.reader);

		/* Somebody found the byte free before us and has said so, or a next owner is there. */
		if ((peer_word & BS_R_STATE) != BS_R_OPEN || reader_held(s))
			return;
		if (word_swap(&s->g->verdicts.reader, peer_word, word_without_owner(peer_word)))
			return;
	}
}

void bs_reader_saw_end(const struct bs_sight *s)
{
	for (int i = 0; i < SWAP_ROUNDS; i++) {
		uint64_t peer_word = word_look(&s->g->verdicts.reader);

		if ((peer_word & BS_R_END_SEEN) != 0 ||
		    word_swap(&s->g->verdicts.reader, peer_word, peer_word | BS_R_END_SEEN))
			return;
	}
}

/* Change flags of a word whatever else happens to it. */
static void word_mend(_Atomic uint64_t *word, uint64_t set, uint64_t clear)
{
	for (int i = 0; i < SWAP_ROUNDS; i++) {
		uint64_t peer_word = word_look(word);
		uint64_t next = (peer_word | set) & ~clear;

		if (next == peer_word || word_swap(word, peer_word, next))
			return;
	}
}

void bs_verdict_removed(const struct bs_sight *s)
{
	word_mend(&s->g->verdicts.writers, BS_W_REMOVED, BS_W_KEPT);
	word_mend(&s->g->verdicts.reader, 0, BS_R_KEPT);
	bs_verdict_reader(s);
	bs_verdict_writers(s);
}

void bs_verdict_eof(const struct bs_sight *s)
{
	/* The kept end was a write end like any other: a stream whose only one it was has ended, too. */
	if ((word_look(&s->g->verdicts.writers) & BS_W_KEPT) != 0)
		word_mend(&s->g->verdicts.writers, BS_W_ATTACHED, BS_W_KEPT);
	bs_verdict_writers(s);
}

bool bs_verdict_over(const struct bs_sight *s)
{
	uint64_t peer_writers = word_look(&s->g->verdicts.writers);
	uint64_t peer_reader = word_look(&s->g->verdicts.reader);
	bool broken = (peer_reader & BS_R_STATE) == BS_R_BROKEN;
	bool read_out = (peer_writers & BS_W_ENDED) != 0 && (peer_reader & BS_R_END_SEEN) != 0;

	if (!broken && !read_out)
		return false;
	return bs_end_held(s->fd, BS_BYTE_READER, 1 + (uint64_t)s->geo.max_writers) == 0;
}
