/* SPDX-License-Identifier: MIT */
/* claim.c - the other half of claim.h: claims among several writers, and waking the reader. */
#include "lib/claim.h"

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
