/* SPDX-License-Identifier: MIT */
/*
 * items.c - the cold side of the read end: waiting for a chunk, stepping over what a dead writer had
 * claimed, and telling the end. Called by the handle's owner, when its next slot is not published.
 *
 * A chunk that is claimed and not published belongs to the writer whose intent it is. If no live
 * writer has that intent, and the slot is still not published when looked at again, its owner has
 * died and the slot is passed. Time never decides it (tests/model/claim-and-recover.pml).
 */
#include "lib/handle.h"
#include "lib/pollfd.h"

#define LOOKS_FIRST 256 /* half a microsecond; a pause takes as long as a line needs to come */

static bool items_there(const struct bstream_reader *r)
{
	return slot_holds(r->slot, r->head);
}

static void slot_abandon(struct bstream_reader *r)
{
	figure_store(&r->g->reader.abandoned, figure_load(&r->g->reader.abandoned) + 1);
	bs_reader_advance(r);
}

/* Every writer has gone and everything was read. Said once, noted for whoever waits for it. */
static void end_note(struct bstream_reader *r, uint64_t peer_word)
{
	r->end = (peer_word & BS_W_LOST) != 0 ? -ECONNRESET : 0;
	bs_reader_saw_end(&r->hold.sight);
	bs_verdict_wake_watch(&r->hold.sight);
}

/* Everything that may have happened but a sleep. 1: look again (or r->end says so); 0: nothing;
 * -EPROTO. */
static int items_news(struct bstream_reader *r)
{
	uint64_t peer_word = word_look(&r->g->verdicts.writers);

	/* After the word: if it says ended, all that was ever published is to be seen here. */
	if (items_there(r))
		return 1;
	int64_t claimed = (int64_t)(tail_look(r->g) - r->head);
	/* One behind: a lone writer between its seq and its tail, or dead there. */
	if (claimed < -1 || claimed > (int64_t)r->capacity)
		return -EPROTO;
	bool ended = (peer_word & BS_W_ENDED) != 0;
	if (claimed > 0) {
		if (!ended && bs_writer_intends(&r->hold.sight, r->head))
			return 0;
		if (!items_there(r))
			slot_abandon(r);
		return 1;
	}
	if (ended)
		end_note(r, peer_word);
	return ended;
}

/*
 * Where the next chunk's first bytes will lie, if it is as long as the last one: a line of their own,
 * or NULL. To ask for it with each look at the slot makes both come at once when both are written,
 * instead of one after the other.
 */
static const unsigned char *items_body(const struct bstream_reader *r)
{
	return r->last_class == 0 ? NULL
				  : bs_segment_bytes(r->g, &r->hold.sight.geo,
						     (uint64_t)(r->slot - r->slots), r->last_class);
}

/* A look from close by. */
static bool items_look(const struct bstream_reader *r, const unsigned char *body)
{
	if (body != NULL)
		__builtin_prefetch(body);
	return items_there(r);
}

static bool items_spin(struct bstream_reader *r, uint64_t deadline)
{
	if (r->spin.budget_ns == 0)
		return false;
	const unsigned char *body = items_body(r);
	bs_pace_away(&r->pace, r->head);
	for (int i = 0; i < LOOKS_FIRST; i++)
		if (items_look(r, body))
			return true;
	uint64_t until = bs_spin_end(&r->spin, deadline);
	do {
		for (int i = 0; i < 16; i++) {
			if (items_look(r, body)) {
				bs_spin_paid(&r->spin);
				return true;
			}
			bs_spin_pause();
		}
	} while (bs_now() < until);
	return false;
}

/* Let others run, who may be the writers. True: look again. */
static bool items_yield(struct bstream_reader *r, uint64_t deadline)
{
	bool soon = true, there = false;
	uint64_t began;

	if (!bs_yield_begin(&r->spin, deadline, &began))
		return false;
	for (int i = 0; i < BS_YIELDS && soon && !there; i++) {
		soon = bs_yield_now();
		there = items_there(r);
	}
	bs_yield_end(&r->spin, there, soon);
	if (there)
		bs_spin_slept(&r->spin, bs_now() - began);
	return there;
}

/* Ask the kernel whether the writers are there. */
static void writers_ask(struct bstream_reader *r)
{
	if (bs_verdict_writers(&r->hold.sight))
		bs_verdict_wake_watch(&r->hold.sight);
}

/* Behind hint_raise(): Dekker with bs_items_wake() in claim.h */
static void items_barrier(struct bstream_reader *r)
{
	fence_full();
	bs_barrier_heavy(r->fences || bs_writers_fence(&r->hold.sight));
}

int bs_items_poll(struct bstream_reader *r)
{
	struct bs_items *items = &r->g->items;

	bs_poll_drain(r->hold.poll, &r->hold);
	poll_raise(&items->poll);
	hint_raise(&items->wake_at, r->head + 1);
	items_barrier(r);
	writers_ask(r);
	int rc = items_news(r);
	if (rc == 0)
		bs_poll_rest(r->hold.poll);
	else
		bs_poll_ring(r->hold.poll);
	return rc;
}

static int items_refuse(struct bstream_reader *r, uint64_t deadline)
{
	int rc;

	bs_refuse_note(&r->hold);
	if (r->hold.poll != NULL) {
		rc = bs_items_poll(r);
	} else {
		writers_ask(r);
		rc = items_news(r);
	}
	if (rc != 0)
		return rc;
	return deadline == BSTREAM_DONT_WAIT ? -EAGAIN : -ETIMEDOUT;
}

static void wait_note(struct bstream_reader *r, uint32_t what, uint64_t since)
{
	struct bs_reader_line *l = &r->g->reader;

	figure_store(&l->waits_for, what);
	figure_store(&l->waits_since_ns, since);
	if (what != BS_WAITS_NOT)
		figure_store(&l->waits, figure_load(&l->waits) + 1);
}

/* 1: there is news, and the flag is down; 0: it is up, and there was none behind it; -EPROTO. */
static int items_raise(struct bstream_reader *r, const struct bs_hint *items)
{
	poll_clear(&r->g->items.poll);
	hint_raise(items->wake_at, r->head + 1);
	items_barrier(r);
	int rc = items_news(r);
	if (rc != 0)
		hint_take(items->wake_at); /* nobody else sleeps here: spare the next post */
	return rc;
}

/*
 * One sleep of at most a slice, @again if there was one before. Returns as items_news does.
 *
 * Nobody but us raises this flag. If it is still up it has been since we looked behind it: whoever
 * publishes finds it, and to look again behind another barrier would tell nothing.
 */
static int items_sleep(struct bstream_reader *r, bool again, uint64_t now, uint64_t deadline)
{
	const struct bs_hint items = bs_hint_items(r->g, &r->hold.sight.geo);
	uint32_t seen = bs_hint_seen(&items);
	bool up = again && hint_look(items.wake_at) == r->head + 1;
	int rc = up ? 0 : items_raise(r, &items);

	if (rc != 0)
		return rc;
	bool woken = bs_hint_sleep(&items, seen, bs_slice_end(&r->hold, now, deadline));
	/* The slot and its bytes lie with whoever woke us: ask for both at once. */
	__builtin_prefetch(r->slot);
	__builtin_prefetch(items_body(r)); /* NULL does no harm */
	if (!woken)
		writers_ask(r);
	return items_news(r);
}

int bs_items_await(struct bstream_reader *r, uint64_t deadline)
{
	if (deadline != BSTREAM_DONT_WAIT && (items_spin(r, deadline) || items_yield(r, deadline)))
		return 0;
	int rc = items_news(r);
	if (rc == 0 && r->hold.poll != NULL) { /* as in bs_room_await() */
		writers_ask(r);
		rc = items_news(r);
	}
	uint64_t began = bs_now(), now = began;
	bool slept = false;
	while (rc == 0) {
		if (now >= deadline) {
			rc = items_refuse(r, deadline);
			break;
		}
		if (!slept)
			wait_note(r, BS_WAITS_ITEMS, began);
		rc = items_sleep(r, slept, now, deadline);
		slept = true;
		now = bs_now();
	}
	if (slept) {
		wait_note(r, BS_WAITS_NOT, 0);
		bs_spin_slept(&r->spin, now - began);
		/* The sleep took the poller's flag; a refusal has raised it again. */
		if (r->hold.poll != NULL && rc != -EAGAIN && rc != -ETIMEDOUT)
			bs_poll_ring(r->hold.poll);
	}
	return rc < 0 ? rc : 0;
}
