/* SPDX-License-Identifier: MIT */
/*
 * room.c - the cold side of a write end: waiting for a slot, waiting for the reader to have
 * released everything, and finding out that the reader has died. Called by the handle's owner,
 * outside of a write: neither inside nor intent is set while it waits, so that a waiting writer
 * keeps nobody from attaching and holds up no chunk.
 *
 * Several writers sleep behind one flag, in one place. A post wakes one of them; he raises the
 * flag again if others may sleep, and whoever then claims a slot and sees more room passes the wake-up
 * on (bs_room_hand_on). tests/model/hints.pml shows what happens without.
 */
#include <sched.h>

#include "lib/broker.h"
#include "lib/handle.h"
#include "lib/pollfd.h"
#include "proto/end.h"

#define SLICE_ALONE_NS	 BS_MS(250)
#define SLICE_BROKER_NS	 BS_MS(1000)
#define RESTORE_EVERY_NS BS_MS(200)
#define STEP_BACK_NS	 50000u
#define LATE_NS		 200000u
#define LATE_RAREST	 256u /* waits between two tries to be woken late */
#define PROBE_EVERY_NS \
	BS_MS(500) /* the kernel is asked for the reader no more often while writing */
#define PROBE_STRIDE  8 /* writes between two looks at the clock, when they come fast */
#define PROBE_SLOW_NS BS_MS(4) /* for one stride: slower than that, look each time */

/* Does a broker stand for this stream? The name of a sealed one is known to its broker alone: if that
 * has gone, tell the next. */
static bool broker_told(struct bs_hold *hold, uint64_t now)
{
	if (hold->header.name[0] == '\0') /* no broker ever does */
		return false;
	if (bs_end_held(hold->sight.fd, BS_BYTE_BROKER, 1) > 0)
		return true;
	if (!hold->sight.geo.sealed ||
	    (word_look(&hold->sight.g->verdicts.writers) & BS_W_REMOVED) != 0)
		return false;
	if (hold->restored_ns == 0 || now - hold->restored_ns >= RESTORE_EVERY_NS) {
		hold->restored_ns = now;
		bs_broker_restore(hold->header.name, hold->sight.fd);
	}
	return false;
}

void bs_refuse_note(struct bs_hold *hold)
{
	if (hold->sight.geo.sealed)
		broker_told(hold, bs_now());
}

uint64_t bs_slice_end(struct bs_hold *hold, uint64_t now, uint64_t deadline)
{
	uint64_t end = now + (broker_told(hold, now) ? SLICE_BROKER_NS : SLICE_ALONE_NS);

	return end < deadline ? end : deadline;
}

/* Ask the kernel whether the reader is there, and make it known if not. */
static void reader_ask(struct bstream_writer *w)
{
	if (bs_verdict_reader(&w->hold.sight))
		bs_verdict_wake_all(&w->hold.sight);
}

static bool reader_gone(struct bstream_writer *w)
{
	return (word_look(&w->g->verdicts.reader) & BS_R_STATE) == BS_R_BROKEN;
}

/*
 * Where a broker watches, a death becomes a word within milliseconds. Where none does, a writer
 * that never finds the stream full has to ask by itself: within a second of writing, without a
 * clock in every write. Writes that come slowly can afford one.
 */
int bs_reader_probe(struct bstream_writer *w, uint64_t now_at)
{
	uint64_t now = bs_now_coarse();

	w->probe_at = now_at + (now - w->probed_ns > PROBE_SLOW_NS ? 1 : PROBE_STRIDE);
	w->probed_ns = now;
	if (now - w->asked_ns < PROBE_EVERY_NS)
		return 0;
	w->asked_ns = now;
	reader_ask(w);
	return reader_gone(w) ? -EPIPE : 0;
}

/* The chunk this writer would claim next. */
static uint64_t next_chunk(struct bstream_writer *w)
{
	return w->lone ? w->tail : tail_look(w->g);
}

/* A writer that was alone when it began to wait may not be any more: its own tail is old then. Asked
 * after a look at head, which passes that tail only behind the switch. */
static bool alone_still(struct bstream_writer *w)
{
	return w->lone && shared_look(w->g) == BS_SHARED_NO;
}

/* 1: there is room, or bs_claim() has to find out; 0: full; -EPROTO: head cannot be true. */
static int room_check(struct bstream_writer *w)
{
	uint64_t peer_tail = next_chunk(w);
	uint64_t peer_head = head_look(w->g);
	uint64_t used = peer_tail - peer_head;

	if (w->lone && !alone_still(w))
		return 1;
	if (used > w->capacity) {
		/* Head may have overtaken the tail we read a moment ago, but then tail has moved. */
		if (w->lone || next_chunk(w) == peer_tail)
			return -EPROTO;
		return 1;
	}
	w->head_seen = peer_head;
	return used < w->capacity;
}

void bs_room_step_back(struct bstream_writer *w)
{
	uint64_t until = bs_now() + STEP_BACK_NS;

	w->fed = false;
	while (hungry_look(w->g) != 0) {
		if (bs_now() >= until) {
			hungry_store(w->g, 0); /* it has had its chance, or has died */
			return;
		}
		sched_yield(); /* it may need this CPU */
	}
}

void bs_room_hand_on(struct bstream_writer *w, uint64_t t)
{
	if (t - w->head_seen < w->capacity &&
	    bs_hint_reached(hint_look(&w->g->space.wake_at), w->head_seen))
		bs_wake_room(&w->hold.sight);
}

/* What a look is for: there may be room, or news. */
static bool room_look(struct bstream_writer *w)
{
	return next_chunk(w) - head_look(w->g) < w->capacity || reader_gone(w) ||
	       (w->lone && !alone_still(w));
}

/* Look for a while. True: there may be room, or news. */
static bool room_spin(struct bstream_writer *w, uint64_t deadline)
{
	if (w->spin.budget_ns == 0)
		return false;
	uint64_t until = bs_spin_end(&w->spin, deadline);
	do {
		for (int i = 0; i < 16; i++) {
			if (room_look(w)) {
				bs_spin_paid(&w->spin);
				return true;
			}
			bs_spin_pause();
		}
	} while (bs_now() < until);
	return false;
}

/* Let others run, who may be the reader. True: look again. */
static bool room_yield(struct bstream_writer *w, uint64_t deadline)
{
	bool soon = true, there = false;
	uint64_t began;

	if (!bs_yield_begin(&w->spin, deadline, &began))
		return false;
	for (int i = 0; i < BS_YIELDS && soon && !there; i++) {
		soon = bs_yield_now();
		there = room_look(w);
	}
	bs_yield_end(&w->spin, there, soon);
	if (there)
		bs_spin_slept(&w->spin, bs_now() - began);
	return there;
}

/* Everything that may have happened, without asking the kernel. 1: go on; 0: wait; or the error. */
static int room_news(struct bstream_writer *w)
{
	if (reader_gone(w))
		return -EPIPE;
	return room_check(w);
}

/* Behind hint_raise(): Dekker with bs_reader_advance() */
static void space_barrier(struct bstream_writer *w)
{
	fence_full();
	bs_barrier_heavy(w->fences || fencing_look(&w->g->head.fencing));
}

int bs_room_poll(struct bstream_writer *w)
{
	struct bs_space *space = &w->g->space;

	bs_poll_drain(w->hold.poll, &w->hold);
	poll_raise(&space->poll);
	hint_raise(&space->wake_at, head_look(w->g) + 1);
	space_barrier(w);
	reader_ask(w);
	int rc = room_news(w);
	if (rc == 0)
		bs_poll_rest(w->hold.poll);
	else
		bs_poll_ring(w->hold.poll); /* the flag stays up: it may be others' too */
	return rc;
}

static int room_refuse(struct bstream_writer *w, uint64_t deadline)
{
	int rc;

	bs_refuse_note(&w->hold);
	if (w->hold.poll != NULL) {
		rc = bs_room_poll(w);
	} else {
		reader_ask(w);
		rc = reader_gone(w) ? -EPIPE : 0;
	}
	if (rc != 0)
		return rc;
	return deadline == BSTREAM_DONT_WAIT ? -EAGAIN : -ETIMEDOUT;
}

static void wait_note(struct bstream_writer *w, uint32_t what, uint64_t since)
{
	figure_store(&w->line->waits_for, what);
	figure_store(&w->line->waits_since_ns, since);
	if (what != BS_WAITS_NOT)
		figure_store(&w->line->waits, figure_load(&w->line->waits) + 1);
}

/* Woken, or tired of waiting: whoever else sleeps here lost his flag to our wake-up. */
static void room_rise(struct bstream_writer *w)
{
	struct bs_space *space = &w->g->space;
	uint64_t peer_head = head_look(w->g);

	/* Reached already: the next to claim and see room passes it on. */
	if (sleepers_leave(&space->sleepers))
		hint_raise(&space->wake_at, peer_head != 0 ? peer_head : 1);
}

/*
 * One sleep until @ahead more chunks are released, to @until at most. Returns as room_news does.
 */
static int room_sleep(struct bstream_writer *w, uint32_t ahead, uint64_t until)
{
	const struct bs_hint space = bs_hint_space(w->g, &w->hold.sight.geo);
	uint32_t seen = bs_hint_seen(&space);

	sleepers_enter(&w->g->space.sleepers);
	hint_raise(space.wake_at, head_look(w->g) + ahead);
	space_barrier(w);
	int rc = room_news(w);
	if (rc != 0) {
		/* The flag stays up: to take it down might take it from one who sleeps since. */
		sleepers_leave(&w->g->space.sleepers);
		return rc;
	}
	bool woken = bs_hint_sleep(&space, seen, until);
	room_rise(w);
	rc = room_news(w);
	if (rc == 0 && woken && alone_still(w))
		bs_hint_drain(&space); /* left over from flags that nobody slept behind */
	return rc;
}

/* A sleep of a slice, at the end of which the kernel is asked. */
static int room_sleep_slice(struct bstream_writer *w, uint64_t now, uint64_t deadline)
{
	uint64_t until = bs_slice_end(&w->hold, now, deadline);
	int rc = room_sleep(w, 1, until);

	if (rc != 0 || bs_now() < until)
		return rc;
	reader_ask(w);
	return room_news(w);
}

/*
 * Where the reader drains fast, to be woken at the first free slot is to be woken for each. So ask
 * for most of the stream to be free, and wait for that no longer than 200 us; then for one slot. If
 * it took longer, do not try again for a while.
 */
static int room_sleep_late(struct bstream_writer *w, uint64_t now, uint64_t deadline)
{
	if (w->capacity < 4 || !w->lone || --w->late_after != 0)
		return 0;
	uint64_t until = now + LATE_NS < deadline ? now + LATE_NS : deadline;
	int rc = room_sleep(w, w->capacity - w->capacity / 4, until);
	bool paid = rc > 0 && bs_now() < until;
	w->late_every = paid ? 1 : w->late_every < LATE_RAREST ? w->late_every * 2 : LATE_RAREST;
	w->late_after = w->late_every;
	return rc;
}

static void room_tell(struct bstream_writer *w)
{
	const struct bs_hint space = bs_hint_space(w->g, &w->hold.sight.geo);

	bs_hint_post(&space);
}

int bs_room_await(struct bstream_writer *w, uint64_t deadline)
{
	int rc = room_news(w);

	if (rc != 0 ||
	    (deadline != BSTREAM_DONT_WAIT && (room_spin(w, deadline) || room_yield(w, deadline))))
		return rc < 0 ? rc : 0;
	if (rc == 0 &&
	    w->hold.poll != NULL) { /* which may have told of a death that no word does yet */
		reader_ask(w);
		rc = room_news(w);
	}
	uint64_t began = bs_now();
	bool slept = false;
	for (uint64_t now = began; rc == 0; now = bs_now()) {
		if (now >= deadline) {
			rc = room_refuse(w, deadline);
			break;
		}
		if (!slept) {
			wait_note(w, BS_WAITS_ROOM, began);
			rc = room_sleep_late(w, now, deadline);
			slept = true;
			continue;
		}
		rc = room_sleep_slice(w, now, deadline);
		if (rc == 0 && !w->lone && bs_now() - now < SLICE_ALONE_NS) {
			w->hungry = true; /* woken, and too late */
			hungry_store(w->g, 1);
		}
	}
	if (slept) {
		wait_note(w, BS_WAITS_NOT, 0);
		bs_spin_slept(&w->spin, bs_now() - began);
	}
	if (rc == -EPIPE && slept) /* to whoever sleeps behind us: the same news */
		room_tell(w);
	return rc < 0 ? rc : 0;
}

/* ---- drain ---------------------------------------------------------------------------------- */

/* 1: all of it is released; 0: not yet; -EPIPE. */
static int drain_news(struct bstream_writer *w, uint64_t target)
{
	/* The word first: a reader that has left had released by then all that it ever did. */
	bool gone = reader_gone(w);

	if ((int64_t)(head_look(w->g) - target) >= 0)
		return 1;
	return gone ? -EPIPE : 0;
}

static int drain_sleep(struct bstream_writer *w, uint64_t target, uint64_t now, uint64_t deadline)
{
	struct bs_space *space = &w->g->space;
	uint32_t gen = gen_look(&space->watch_gen);

	hint_raise(&space->watch_at, target);
	space_barrier(w);
	int rc = drain_news(w, target);
	if (rc != 0)
		return rc;
	if (!bs_watch_sleep(&space->watch_gen, gen, bs_slice_end(&w->hold, now, deadline)))
		reader_ask(w);
	return drain_news(w, target);
}

int bstream_drain(struct bstream_writer *w, uint64_t deadline)
{
	if (bs_fork_stale(w->fork_stamp))
		return -ESTALE;
	if (w->reserved)
		return -EBUSY;
	uint64_t target =
		tail_look(w->g); /* of all writers; a lone one stores it with each write */
	int rc = drain_news(w, target);
	uint64_t began = bs_now();
	for (uint64_t now = began; rc == 0; now = bs_now()) {
		if (now >= deadline) {
			reader_ask(w);
			rc = drain_news(w, target);
			if (rc == 0)
				rc = deadline == BSTREAM_DONT_WAIT ? -EAGAIN : -ETIMEDOUT;
			break;
		}
		if (now == began)
			wait_note(w, BS_WAITS_DRAIN, began);
		rc = drain_sleep(w, target, now, deadline);
	}
	wait_note(w, BS_WAITS_NOT, 0);
	return rc < 0 ? rc : 0;
}
