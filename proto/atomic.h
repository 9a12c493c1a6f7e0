/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - every memory order of bstream, as named operations on the words of layout.h.
 *
 * Nothing else in the tree names a memory order. Each operation says what it pairs with. The
 * argument that they suffice is in doc/memory-model.md.
 *
 * Three kinds of agreement are at work:
 *	publication	release store, acquire load: whoever sees the number sees what it stands for;
 *	claim		compare-and-swap: one of several wins;
 *	Dekker		"I store mine, then look at yours", on both sides: needs a full barrier on
 *			both. Where one side is hot it makes only bs_barrier_light(), and the other
 *			pays for both by bs_barrier_heavy() (barrier.h).
 */
#ifndef BS_ATOMIC_H
#define BS_ATOMIC_H

#include <stdbool.h>

#include "proto/layout.h"

/* ---- barriers ------------------------------------------------------------------------------- */

/* What a Dekker needs on both sides (bs_barrier_heavy); on the hot one only where the stream has
 * fences (bs_barrier_light). */
static inline void fence_full(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

/* Keeps the compiler from moving accesses; the processor is held to it by the other side's
 * membarrier(2). */
static inline void fence_compiler(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/* ---- slots ---------------------------------------------------------------------------------- */

/* Publish chunk @i. Pairs with slot_holds() in the reader: whoever sees the number sees the bytes. */
static inline void slot_publish(struct bs_slot *s, uint64_t i)
{
	atomic_store_explicit(&s->seq, i + 1, memory_order_release);
}

/* Does the slot hold chunk @i? Pairs with slot_publish(). */
static inline bool slot_holds(struct bs_slot *s, uint64_t i)
{
	return atomic_load_explicit(&s->seq, memory_order_acquire) == i + 1;
}

/* What comes with the bytes; ordered by slot_publish() and slot_holds(). */
static inline void slot_store_len(struct bs_slot *s, uint32_t len, uint32_t flags)
{
	atomic_store_explicit(&s->len, len, memory_order_relaxed);
	atomic_store_explicit(&s->flags, flags, memory_order_relaxed);
}

static inline uint32_t slot_load_len(struct bs_slot *s)
{
	return atomic_load_explicit(&s->len, memory_order_relaxed);
}

static inline uint32_t slot_load_flags(struct bs_slot *s)
{
	return atomic_load_explicit(&s->flags, memory_order_relaxed);
}

/* ---- head and tail -------------------------------------------------------------------------- */

/* Free the slots below @h. Pairs with head_look(): who sees the count may overwrite them, the
 * reader's loads of their bytes being over. */
static inline void head_release(struct bs_segment *g, uint64_t h)
{
	atomic_store_explicit(&g->head.count, h, memory_order_release);
}

/* Pairs with head_release(). */
static inline uint64_t head_look(struct bs_segment *g)
{
	return atomic_load_explicit(&g->head.count, memory_order_acquire);
}

/* The only writer's own tail. Pairs with tail_look() in the reader, for which "claimed" must not be
 * seen before the intent that was stored ahead of it. */
static inline void tail_store(struct bs_segment *g, uint64_t t)
{
	atomic_store_explicit(&g->tail.count, t, memory_order_release);
}

/* Pairs with tail_store() and tail_claim(). */
static inline uint64_t tail_look(struct bs_segment *g)
{
	return atomic_load_explicit(&g->tail.count, memory_order_acquire);
}

/* Claim the @n chunks from @t on for the caller, whose intent is stored: release, so that who sees the
 * claim by tail_look() sees the intent; acquire, so that the claimer is behind all earlier claimers. */
static inline bool tail_claim(struct bs_segment *g, uint64_t t, uint32_t n)
{
	return atomic_compare_exchange_strong_explicit(&g->tail.count, &t, t + n,
						       memory_order_acq_rel, memory_order_relaxed);
}

/* A writer was woken and found the room taken again: others, who have written since, step back for a
 * moment. Manners only; it orders nothing. */
static inline void hungry_store(struct bs_segment *g, uint32_t hungry)
{
	atomic_store_explicit(&g->tail.hungry, hungry, memory_order_relaxed);
}

static inline uint32_t hungry_look(struct bs_segment *g)
{
	return atomic_load_explicit(&g->tail.hungry, memory_order_relaxed);
}

/* ---- a writer's line ------------------------------------------------------------------------ */

/* The intent of the @n chunks, 1 to BS_INTENT_MOST, from @t on: one word, as they are claimed by one. */
static inline uint64_t intent_of(uint64_t t, uint32_t n)
{
	return (t + 1) | (uint64_t)(n - 1) << BS_INTENT_MORE_AT;
}

/* Is chunk @i among what @peer_intent intends? */
static inline bool intent_covers(uint64_t peer_intent, uint64_t i)
{
	uint64_t first = peer_intent & ((UINT64_C(1) << BS_INTENT_MORE_AT) - 1);

	return first != 0 && i + 1 - first <= peer_intent >> BS_INTENT_MORE_AT;
}

/* Ordered before the claim by tail_claim() or tail_store(); cleared with release, behind the
 * slot_publish() of all of them: who finds it cleared, by intent_look(), finds the chunks published. */
static inline void intent_store(struct bs_writer_line *l, uint64_t intent)
{
	atomic_store_explicit(&l->intent, intent, memory_order_release);
}

static inline uint64_t intent_look(struct bs_writer_line *l)
{
	return atomic_load_explicit(&l->intent, memory_order_acquire);
}

/* "I am in a write", then (bs_barrier_light) a look at shared: Dekker with one who marks shared,
 * then (bs_barrier_heavy) looks here. */
static inline void inside_enter(struct bs_writer_line *l)
{
	atomic_store_explicit(&l->inside, 1, memory_order_relaxed);
}

/* Release: who sees it left, by inside_look(), sees its chunk and its tail. */
static inline void inside_leave(struct bs_writer_line *l)
{
	atomic_store_explicit(&l->inside, 0, memory_order_release);
}

static inline bool inside_look(struct bs_writer_line *l)
{
	return atomic_load_explicit(&l->inside, memory_order_acquire) != 0;
}

/* ---- from one writer to several ------------------------------------------------------------- */

/* The hot side of the Dekker above; acquire, so that a writer that finds the switch begun claims
 * behind what the switcher rolled forward. */
static inline uint32_t shared_look(struct bs_segment *g)
{
	return atomic_load_explicit(&g->verdicts.shared, memory_order_acquire);
}

/* The cold side. It never goes back: a store of SWITCHING over DONE is what the next attacher
 * mends, since whoever finds less than DONE does the whole of it. */
static inline void shared_store(struct bs_segment *g, uint32_t state)
{
	atomic_store_explicit(&g->verdicts.shared, state, memory_order_release);
}

/* ---- the verdict words ---------------------------------------------------------------------- */

/* Acquire: who sees `ended` or `broken` sees all that the ends did before they went. */
static inline uint64_t word_look(_Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_acquire);
}

/* The only way a word changes: from the value that the evidence was gathered under, and with a
 * version of its own. Sequentially consistent: an attach is ordered against every verdict. */
static inline bool word_swap(_Atomic uint64_t *word, uint64_t from, uint64_t to)
{
	return atomic_compare_exchange_strong_explicit(word, &from, to + BS_WORD_STEP,
						       memory_order_seq_cst, memory_order_relaxed);
}

/* ---- who owns an end ------------------------------------------------------------------------ */

static inline uint64_t owner_look(_Atomic uint64_t *owner)
{
	return atomic_load_explicit(owner, memory_order_acquire);
}

/* By the owner itself, or by who holds the lock on the end's byte. Release: behind its last write. */
static inline void owner_store(_Atomic uint64_t *owner, uint64_t value)
{
	atomic_store_explicit(owner, value, memory_order_release);
}

/* A move: one of several dups wins, and sees what the last owner did. */
static inline bool owner_swap(_Atomic uint64_t *owner, uint64_t from, uint64_t to)
{
	return atomic_compare_exchange_strong_explicit(owner, &from, to, memory_order_acq_rel,
						       memory_order_relaxed);
}

/* ---- hints ---------------------------------------------------------------------------------- */

/* The publisher's look, behind a light barrier: Dekker with hint_raise() and a heavy one. */
static inline uint64_t hint_look(_Atomic uint64_t *wake_at)
{
	return atomic_load_explicit(wake_at, memory_order_relaxed);
}

/* Ask to be woken at @count, or earlier if somebody else has asked for that. A rival can only
 * lower it or take it down, so a few rounds do; a peer that plays with it delays us by a slice. */
static inline void hint_raise(_Atomic uint64_t *wake_at, uint64_t count)
{
	uint64_t seen = atomic_load_explicit(wake_at, memory_order_relaxed);

	for (int i = 0; i < 64 && (seen == 0 || seen > count); i++)
		if (atomic_compare_exchange_weak_explicit(
			    wake_at, &seen, count, memory_order_seq_cst, memory_order_relaxed))
			return;
}

/* Take it down; true for the one who did, and who then has to wake. */
static inline bool hint_take(_Atomic uint64_t *wake_at)
{
	return atomic_exchange_explicit(wake_at, 0, memory_order_seq_cst) != 0;
}

/* "I poll": before hint_raise(). The fence lies between the two because that may find the flag up and
 * leave it: then whoever takes it down must find this all the same. */
static inline void poll_raise(_Atomic uint32_t *poll)
{
	atomic_store_explicit(poll, 1, memory_order_relaxed);
	fence_full();
}

/* "I sleep, and do not poll": before hint_raise(), by the only one there. */
static inline void poll_clear(_Atomic uint32_t *poll)
{
	atomic_store_explicit(poll, 0, memory_order_relaxed);
}

/* Behind hint_take(): true for the one who then has to make a file event. */
static inline bool poll_take(_Atomic uint32_t *poll)
{
	return atomic_exchange_explicit(poll, 0, memory_order_seq_cst) != 0;
}

/*
 * A publisher whose peer sleeps often makes real fences, and says so; then the sleeper need not pay
 * for both. It says so between two looks at hints, never in the middle of one. Set: release, so
 * that who sees it sees all that was published without a fence. Cleared: a full fence and a look at
 * the hint behind it, so that either the sleeper, who raised before he asked, finds it cleared, or the
 * publisher finds the flag.
 */
static inline void fencing_store(_Atomic uint32_t *fencing, bool on)
{
	atomic_store_explicit(fencing, on, memory_order_release);
}

static inline bool fencing_look(_Atomic uint32_t *fencing)
{
	return atomic_load_explicit(fencing, memory_order_acquire) != 0;
}

/* About how many sleep there: before the flag is raised, and after the sleep, by the sleeper. */
static inline void sleepers_enter(_Atomic uint32_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_seq_cst);
	fence_full(); /* as in poll_raise() */
}

/* Behind hint_take(): may somebody be asleep behind the flag? */
static inline bool sleepers_look(_Atomic uint32_t *n)
{
	return atomic_fetch_add_explicit(n, 0, memory_order_seq_cst) != 0;
}

/* True: others may be asleep. */
static inline bool sleepers_leave(_Atomic uint32_t *n)
{
	return atomic_fetch_sub_explicit(n, 1, memory_order_seq_cst) != 1;
}

/* The generation that a futex sleeper compares; the sleeper reads it before it raises. */
static inline uint32_t gen_look(_Atomic uint32_t *gen)
{
	return atomic_load_explicit(gen, memory_order_seq_cst);
}

static inline void gen_bump(_Atomic uint32_t *gen)
{
	atomic_fetch_add_explicit(gen, 1, memory_order_seq_cst);
}

/* ---- figures that nothing depends on -------------------------------------------------------- */

#define figure_store(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define figure_load(p)	   atomic_load_explicit((p), memory_order_relaxed)
#define figure_add(p, v)   atomic_fetch_add_explicit((p), (v), memory_order_relaxed)

#endif
