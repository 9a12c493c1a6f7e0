/* SPDX-License-Identifier: MIT */
/* claim.c - the other half of claim.h: claims among several writers, and waking the reader. */
#include "lib/claim.h"

#define FETCH_SLOTS 16 /* as many lines as a core waits for at a time, about */

/* From now on it is one among several. */
void bs_lone_no_more(struct bstream_writer *w)
{
	w->lone = false;
	w->limit = 0;
	w->calls = w->tail;
}

/* Each lost claim is somebody else's progress, unless a peer plays with tail: not past the deadline. */
int bs_claim_late(uint64_t deadline)
{
	if (deadline == BSTREAM_FOREVER || bs_now() < deadline)
		return 0;
	return deadline == BSTREAM_DONT_WAIT ? -EAGAIN : -ETIMEDOUT;
}

int bs_claim_several(struct bstream_writer *w, uint32_t want, uint64_t deadline)
{
	return bs_claim_some(w, want, deadline);
}

int bs_claim_no_more_alone(struct bstream_writer *w, uint32_t want, uint64_t deadline)
{
	inside_leave(w->line);
	if (shared_look(w->g) == BS_SHARED_NO)
		return -EPIPE;
	bs_lone_no_more(w);
	return bs_claim_shared(w, want, deadline);
}

/* The lines of @n slots from number @from on, and of their bodies if they will be as the last one was. */
static void slots_fetch(const struct bstream_writer *w, uint64_t from, uint64_t n)
{
	const struct bs_geometry *geo = &w->hold.sight.geo;

	for (uint64_t i = 0; i < n; i++)
		bs_fetch_to_write(w->slots + from + i);
	if (w->last_len == 0)
		return;
	const unsigned char *at = bs_segment_bytes(w->g, geo, from, w->last_class);
	uint64_t stride = geo->body[w->last_class].stride;
	for (uint64_t i = 0; i < n; i++, at += stride)
		bs_bytes_fetch(at, w->last_len);
}

/*
 * The lines of the slots that are free now lie with the reader, who has just read them. Asked for one
 * by one, as they are written, each store waits for a line of its own; asked for all at once they come
 * together. In a deep stream the rest follows as chunks are published (slot_fetch in writer.c).
 */
void bs_room_fetch(struct bstream_writer *w)
{
	uint64_t room = w->capacity - (w->tail - w->head_seen);
	uint64_t most = w->capacity < FETCH_SLOTS ? w->capacity : FETCH_SLOTS;
	uint64_t n = room < most ? room : most; /* what a peer made of head, too */
	uint64_t from = (uint64_t)(w->slot - w->slots), to_end = w->capacity - from;

	slots_fetch(w, from, n < to_end ? n : to_end);
	if (n > to_end)
		slots_fetch(w, 0, n - to_end);
}

/* The hot look at the hint with a real fence, until the reader has not slept for a while. */
void bs_items_fence(struct bstream_writer *w, uint64_t count)
{
	if (!w->fences && count - w->woke_at > BS_FENCING_OFF) {
		w->fencing = false;
		fencing_store(&w->line->fencing, false);
	}
	fence_full();
}

/* The reader sleeps, or polls: wake it, and learn how often it does. */
void bs_items_post(struct bstream_writer *w, uint64_t count)
{
	bs_wake_items(&w->hold.sight);
	if (!w->fencing && count - w->woke_at < BS_FENCING_ON) {
		w->fencing = true;
		fencing_store(&w->line->fencing, true);
	}
	w->woke_at = count;
	w->probe_at = 0; /* one who sleeps may sleep for ever: look at the clock next time */
	w->limit = 0;
}
