/* SPDX-License-Identifier: MIT */
/*
 * layout.h - the bytes of a segment, and the only place that knows where they are.
 *
 *	0	struct bs_header: geometry and name, written once by the creator (home: by the broker)
 *	512	one cache line for each kind of party that writes: verdicts, tail, head, reader, …
 *	1024	max_writers lines of struct bs_writer_line
 *	…	capacity slots of one cache line from the next page on: a small chunk is in its slot
 *	…	bodies of larger chunks: for each size class, one for each slot
 *
 * Everything here can be written by a peer at any time. Geometry is copied out and checked once, at
 * attach (geometry.h); every other word is loaded once, by an operation of atomic.h, into a
 * variable called peer_x, checked against private bounds, and then used.
 *
 * A golden file in the tests pins every offset. To change one is to change BS_LAYOUT_VERSION.
 */
#ifndef BS_LAYOUT_H
#define BS_LAYOUT_H

#include <assert.h>
#include <semaphore.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define BS_LAYOUT_MAGIC	  "bstream" /* eight bytes with its NUL */
#define BS_LAYOUT_VERSION 1u
#define BS_CACHE_LINE	  64u
#define BS_PAGE		  4096u
#define BS_NAME_SIZE	  208u /* BSTREAM_NAME_MAX, the NUL, and up to a multiple of 8 */

/* Limits and defaults: the one table. */
#define BS_CAPACITY_DEFAULT    16u
#define BS_CAPACITY_LIMIT      (1u << 24)
#define BS_CHUNK_MAX_DEFAULT   65536u
#define BS_CHUNK_MAX_LIMIT     (1u << 30)
#define BS_MAX_WRITERS_DEFAULT 64u
#define BS_MAX_WRITERS_LIMIT   4096u
#define BS_SEGMENT_LIMIT       (UINT64_C(1) << 42)
#define BS_MODE_DEFAULT	       0600u

/* The bytes that ends lock, far past the data. An end's file offset is the byte that it locks. */
#define BS_BYTE_BROKER	(UINT64_C(1) << 62) /* a broker watches this segment */
#define BS_BYTE_READER	(BS_BYTE_BROKER + 1) /* the read end */
#define BS_BYTE_WRITERS (BS_BYTE_BROKER + 2) /* write end k: this + k */

/* bs_header.flags. A bit that is not known here makes the segment another layout. */
#define BS_FLAG_SEALED 0x1u
#define BS_FLAG_FENCES 0x2u
#define BS_FLAG_KNOWN  (BS_FLAG_SEALED | BS_FLAG_FENCES)

/* bs_header.keep */
#define BS_KEEP_READER	0x1u
#define BS_KEEP_WRITERS 0x2u

struct bs_header {
	char magic[8];
	uint32_t version;
	uint32_t flags;
	uint32_t capacity;
	uint32_t chunk_max;
	uint32_t max_writers;
	uint32_t keep;
	uint64_t size; /* of the whole segment, bytes */
	uint64_t created_ns; /* CLOCK_REALTIME */
	uint32_t mode, uid, gid;
	int32_t creator_pid;
	char name[BS_NAME_SIZE]; /* NUL-terminated; "" for a pair */
	uint64_t home; /* sealed: hash of the path of the socket where it has its name; or 0 */
};

/*
 * The writers' word: flags below, a version above that every change of the word bumps, so that a
 * verdict can only be swapped in if nothing happened since the evidence was looked at.
 */
#define BS_W_ATTACHED 0x01u /* there has been a writer */
#define BS_W_ENDED    0x02u /* none is left, none can come; final */
#define BS_W_LOST     0x04u /* one died without closing */
#define BS_W_KEPT     0x08u /* the write end is kept at the name: not to be marked ended */
#define BS_W_REMOVED  0x10u /* the name is gone: nobody can open an end by it */

/* The reader's word, versioned likewise: a state in the low two bits, flags above it. */
#define BS_R_STATE    0x03u
#define BS_R_PARKED   0x00u /* at its name, for anybody to open */
#define BS_R_OPEN     0x01u
#define BS_R_BROKEN   0x02u /* gone; final */
#define BS_R_KEPT     0x04u /* goes back to its name instead of breaking */
#define BS_R_END_SEEN 0x08u /* a reader has been told the end */
#define BS_WORD_STEP  0x100u /* one version */

/* bs_verdicts.shared: from one writer to several. */
#define BS_SHARED_NO	    0u
#define BS_SHARED_SWITCHING 1u
#define BS_SHARED_DONE	    2u

/* What every party reads and hardly anybody writes. */
struct bs_verdicts {
	alignas(BS_CACHE_LINE) _Atomic uint64_t writers;
	_Atomic uint64_t reader;
	_Atomic uint32_t shared;
};

struct bs_tail {
	alignas(BS_CACHE_LINE) _Atomic uint64_t count; /* chunks claimed */
	_Atomic uint32_t hungry; /* a writer slept, woke, and came too late: a plea */
};

struct bs_head {
	alignas(BS_CACHE_LINE) _Atomic uint64_t count; /* chunks released */
	_Atomic uint32_t fencing; /* the reader makes real fences before it looks at hints */
};

/* The owner word of an end: an incarnation above, a state below. Exactly one dup of it can attach. */
#define BS_END_STATE	  0x3u
#define BS_END_FREE	  0x0u
#define BS_END_ATTACHED	  0x1u
#define BS_END_TRAVELLING 0x2u
#define BS_END_STEP	  0x4u

/* bs_writer_line.intent: so many chunks more, one behind the other, from this bit on. */
#define BS_INTENT_MORE_AT 56
#define BS_INTENT_MOST	  256u /* chunks in one intent */

/* What an end tells of itself. Only its owner writes it; whoever reads it only looks. */
struct bs_reader_line {
	alignas(BS_CACHE_LINE) _Atomic uint64_t owner;
	_Atomic int32_t pid;
	_Atomic uint32_t uid;
	_Atomic uint64_t chunks, bytes; /* read */
	_Atomic uint64_t abandoned; /* slots of dead writers, stepped over */
	_Atomic uint32_t waits; /* times it slept */
	_Atomic uint32_t waits_for; /* BS_WAITS_* */
	_Atomic uint64_t waits_since_ns; /* CLOCK_MONOTONIC */
	_Atomic uint64_t skipped; /* cancelled slots, passed */
};

struct bs_writer_line {
	alignas(BS_CACHE_LINE) _Atomic uint64_t owner;
	_Atomic uint64_t
		intent; /* the chunk it is about to claim or fill, plus 1; and how many more; 0: none */
	_Atomic uint32_t
		inside; /* it is in a write that claims nothing (it believes it is alone) */
	_Atomic int32_t pid;
	_Atomic uint64_t chunks, bytes; /* written */
	_Atomic uint32_t waits;
	_Atomic uint32_t waits_for;
	_Atomic uint64_t waits_since_ns;
	_Atomic uint32_t uid;
	_Atomic uint32_t fencing; /* it makes real fences before it looks at hints */
};

#define BS_WAITS_NOT   0u
#define BS_WAITS_ITEMS 1u
#define BS_WAITS_ROOM  2u
#define BS_WAITS_DRAIN 3u

/*
 * Hints: where somebody sleeps. @wake_at is 0 while nobody does, else the count at which to wake;
 * whoever reaches it takes it down and wakes. Never a count of anything, never a lock (hint.h).
 * Sleep is in @sem; in a sealed stream, in which there is no object of libc, on @gen.
 */
struct bs_items { /* the reader sleeps here for chunks; publishers look */
	alignas(BS_CACHE_LINE) _Atomic uint64_t wake_at;
	_Atomic uint32_t poll; /* the reader polls: a file event, not a post, wakes it */
	_Atomic uint32_t gen; /* sealed: wake-ups, about; what the sleeper's futex compares */
	sem_t sem; /* sealed: zeros, and nobody looks */
};

struct bs_space { /* writers sleep here for room, anybody for what is in @watch; the reader looks */
	alignas(BS_CACHE_LINE) _Atomic uint64_t wake_at;
	_Atomic uint64_t watch_at; /* drain, wait: all sleepers wake, by futex on watch_gen */
	_Atomic uint32_t poll; /* a writer polls: make a file event too */
	_Atomic uint32_t watch_gen;
	sem_t sem;
	_Atomic uint32_t sleepers; /* for room, about: one who was killed there stays counted */
	_Atomic uint32_t gen; /* as in bs_items */
};

/* What writers that have closed had written. */
struct bs_totals {
	alignas(BS_CACHE_LINE) _Atomic uint64_t chunks;
	_Atomic uint64_t bytes, waits;
	_Atomic int32_t last_pid; /* the writer that attached last */
};

struct bs_segment {
	struct bs_header header;
	alignas(512) struct bs_verdicts verdicts;
	struct bs_tail tail;
	struct bs_head head;
	struct bs_reader_line reader;
	struct bs_items items;
	struct bs_space space;
	struct bs_totals totals;
	alignas(BS_CACHE_LINE) uint64_t reserved[8]; /* zero */
	struct bs_writer_line writers[]; /* then, from the next page on, the slots */
};

/*
 * A slot is one cache line. A chunk of up to 48 bytes is in it; a larger one is in the slot's body of
 * the smallest class that fits, so that chunks of a size lie side by side however large chunk_max
 * is, and streams of them are what the prefetcher likes. The last class is chunk_max.
 */
#define BS_SLOT_INLINE	48u
#define BS_BODY_CLASSES 5u
#define BS_BODY_SIZES                           \
	{                                       \
		BS_SLOT_INLINE, 256, 1024, 4096 \
	} /* and chunk_max */
#define BS_BODY_SKEW BS_CACHE_LINE /* added where bodies would start at the same cache sets */

/* bs_slot.flags */
#define BS_SLOT_SKIP	 0x1u /* cancelled: nothing of it is ever read; no other bit is set */
#define BS_SLOT_MARKS	 0xffu /* the bits below the class; a chunk has none */
#define BS_SLOT_CLASS_AT 8 /* the class of the body, from this bit on */

struct bs_slot {
	alignas(BS_CACHE_LINE) _Atomic uint64_t seq; /* i + 1: it holds chunk i */
	_Atomic uint32_t len;
	_Atomic uint32_t flags;
	unsigned char bytes[BS_SLOT_INLINE];
};

static_assert(sizeof(struct bs_header) <= 512, "the header has 512 bytes");
static_assert(offsetof(struct bs_header, size) == 32, "header");
static_assert(offsetof(struct bs_header, name) == 64, "header");
static_assert(offsetof(struct bs_header, home) == 272, "header: zero before there was one");
static_assert(offsetof(struct bs_segment, verdicts) == 512, "lines start at 512");
static_assert(offsetof(struct bs_segment, tail) == 576, "one line each");
static_assert(offsetof(struct bs_segment, head) == 640, "one line each");
static_assert(offsetof(struct bs_segment, reader) == 704, "one line each");
static_assert(offsetof(struct bs_segment, items) == 768, "one line each");
static_assert(offsetof(struct bs_segment, space) == 832, "one line each");
static_assert(offsetof(struct bs_segment, totals) == 896, "one line each");
static_assert(offsetof(struct bs_segment, writers) == 1024, "writers' lines start at 1024");
static_assert(sizeof(struct bs_writer_line) == BS_CACHE_LINE, "one line a writer");
static_assert(sizeof(struct bs_reader_line) == BS_CACHE_LINE, "one line a reader");
static_assert(offsetof(struct bs_items, sem) == 16 && sizeof(struct bs_items) == BS_CACHE_LINE,
	      "a sem_t has 32 bytes");
static_assert(offsetof(struct bs_space, sem) == 24 && sizeof(struct bs_space) == BS_CACHE_LINE,
	      "a sem_t has 32 bytes");
static_assert(offsetof(struct bs_slot, bytes) == 16, "a chunk of 48 bytes is one line");
static_assert(sizeof(struct bs_slot) == BS_CACHE_LINE, "a slot is one line");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "no lock in shared memory");

#endif
