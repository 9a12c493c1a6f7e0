/* SPDX-License-Identifier: MIT */
/*
 * handle.h - an end as one process uses it: what struct bstream_writer and struct bstream_reader
 * are, and the few lines that both data paths share.
 *
 * Everything in a handle is private memory: bounds copied from the segment once, at attach, and
 * counts that only this end moves. The owner of a handle is one thread at a time.
 */
#ifndef BS_HANDLE_H
#define BS_HANDLE_H

#include <errno.h>

#include "bstream.h"
#include "lib/fork.h"
#include "lib/spin.h"
#include "proto/atomic.h"
#include "proto/hint.h"
#include "proto/segment.h"
#include "proto/verdict.h"

/* Chunks: in a stream of less the two sides are too close for the reader to ask for what is ahead. */
#define BS_DEEP 64u

#define bs_likely(x)   __builtin_expect(!!(x), 1)
#define bs_unlikely(x) __builtin_expect(!!(x), 0)

struct bstream_writer {
	/* what every write touches: one cache line */
	alignas(BS_CACHE_LINE) struct bs_segment *g;
	struct bs_writer_line *line;
	struct bs_slot *slot; /* of chunk @tail, for a lone writer; of the (first) reservation */
	uint64_t tail; /* lone: the next chunk; several: the last that was looked at */
	uint64_t limit; /* a lone writer below it has room, and nothing else to think of; else 0 */
	const struct bs_slot *slots_end;
	uint64_t fork_stamp;
	uint32_t inline_max; /* bytes in the largest chunk that has its place in the slot */
	uint32_t chunk_max;

	/* what one that is not below its limit touches too */
	uint64_t head_seen; /* the reader had released that many when last looked at */
	struct bs_slot *slots;
	uint64_t probe_at; /* chunks (calls, of one among several) when the clock is looked at */
	uint64_t calls; /* of one among several */
	uint32_t capacity;
	uint32_t reserved; /* chunks */
	bool fences; /* the stream's: in place of any membarrier */
	bool fencing; /* before a look at the reader's hint: the stream's, or its peer sleeps often */
	bool lone;
	bool streak; /* of one among several: nobody has claimed between its last two claims */
	bool fed, hungry; /* it has written since it last stepped back; it has asked for its turn */

	/* the rest */
	uint64_t next_mine; /* of one among several: the chunk behind its last claim */
	uint32_t last_len; /* bytes the next body may have, by one before it; 0: large, or none */
	uint32_t last_class; /* and its class */
	uint64_t claim; /* the (first) chunk that is reserved */
	uint32_t reserved_len, reserved_class; /* of each */
	uint64_t probed_ns; /* when the clock was looked at, coarse */
	uint64_t asked_ns; /* when the kernel was asked for the reader, coarse */
	uint64_t woke_at; /* the chunk at which it last woke the reader */
	uint32_t place;
	uint32_t late_after, late_every; /* waits until it asks to be woken late again */
	struct bs_spin spin;
	struct bs_hold hold;
};

struct bstream_reader {
	/* what every read touches: one cache line */
	alignas(BS_CACHE_LINE) struct bs_segment *g;
	struct bs_slot *slot; /* of chunk @head */
	uint64_t head; /* the next chunk */
	const struct bs_slot *slots_end;
	struct bs_slot *slots;
	uint64_t fork_stamp;
	uint32_t inline_max;
	bool fences, fencing; /* as the writer's */
	uint32_t
		shown; /* chunks that the last peek showed, and that are not released: from @head on */
	uint32_t peeked_len; /* of the one at @head */

	uint32_t last_class; /* of the last chunk that was not in its slot */
	const unsigned char *chunk; /* the one found at @head: where it is, and how long */
	uint32_t capacity;
	int end; /* 1: not yet; 0 or -ECONNRESET: sticky */
	uint64_t tail_seen; /* claimed when last looked at: for asking ahead, nothing else */
	uint64_t tail_look_at; /* head when to look again */
	uint64_t woke_at; /* head when it last woke a writer */
	struct bs_spin spin;
	struct bs_pace pace;
	struct bs_hold hold;
};

static_assert(offsetof(struct bstream_writer, head_seen) == BS_CACHE_LINE, "one line a write");
static_assert(offsetof(struct bstream_reader, last_class) == BS_CACHE_LINE, "one line a read");

/* Copy a chunk that has its place in the slot: 48 bytes at most, without a call. */
static inline void bs_copy_inline(void *to, const void *from, size_t len)
{
	char *t = to;
	const char *f = from;

	if (len >= 16) {
		__builtin_memcpy(t, f, 16);
		if (len > 32)
			__builtin_memcpy(t + 16, f + 16, 16);
		if (len > 16)
			__builtin_memcpy(t + len - 16, f + len - 16, 16);
	} else if (len >= 8) {
		__builtin_memcpy(t, f, 8);
		__builtin_memcpy(t + len - 8, f + len - 8, 8);
	} else if (len >= 4) {
		__builtin_memcpy(t, f, 4);
		__builtin_memcpy(t + len - 4, f + len - 4, 4);
	} else if (len > 0) {
		t[0] = f[0];
		t[len / 2] = f[len / 2];
		t[len - 1] = f[len - 1];
	}
}

/* Slot @index of the writer's or reader's segment. */
static inline struct bs_slot *bs_slot_at(struct bs_segment *g, const struct bs_hold *hold,
					 uint64_t index)
{
	return bs_segment_slot(g, &hold->sight.geo, index);
}

/* Is a hint up and reached at @count? One comparison: 0 less one is more than any count. */
static inline bool bs_hint_reached(uint64_t wake_at, uint64_t count)
{
	return wake_at - 1 < count;
}

/* The end of a slice, and what goes with it: sooner where no broker tells of deaths. A sealed stream
 * whose broker is gone is then offered to the next. */
uint64_t bs_slice_end(struct bs_hold *hold, uint64_t now, uint64_t deadline);

/* A call is not going to wait: what else the end of a slice would have seen to. */
void bs_refuse_note(struct bs_hold *hold);

/* room.c: waiting for a free slot, cold. 0: look again; -EPIPE, -EAGAIN, -ETIMEDOUT, -EPROTO. */
int bs_room_await(struct bstream_writer *w, uint64_t deadline);

/* Wake-ups closer than this many chunks: fences cost less than the sleeper's heavy barriers. Farther
 * apart than the other: they do not any more. */
#define BS_FENCING_ON  128u
#define BS_FENCING_OFF 512u

/* room.c, for a handle with a poll descriptor: nothing can be had, as it seems. Asks the kernel and
 * everybody; then the descriptor is exact: it becomes readable when there is more to say. Returns 1:
 * there is something, and it is readable now; 0; or the error, likewise readable. */
int bs_room_poll(struct bstream_writer *w);

/* room.c: the reader may have died without anybody having said so: ask, now and then; and note after
 * @now_at when to come again. */
int bs_reader_probe(struct bstream_writer *w, uint64_t now_at);

/* room.c: another asks for its turn: let it have it, for a bounded time. */
void bs_room_step_back(struct bstream_writer *w);

/* room.c: it has claimed all below @t; if room is left and another sleeps, pass the wake-up on. */
void bs_room_hand_on(struct bstream_writer *w, uint64_t t);

/* items.c: waiting for a chunk, cold. 0: look again; -EAGAIN, -ETIMEDOUT, -EPROTO; the end is
 * noted in r->end, and then 0 as well. */
int bs_items_await(struct bstream_reader *r, uint64_t deadline);

/* items.c: as bs_room_poll. */
int bs_items_poll(struct bstream_reader *r);

/* reader.c: give slot @head back and go on. */
void bs_reader_advance(struct bstream_reader *r);

#endif
