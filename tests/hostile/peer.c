/* SPDX-License-Identifier: MIT */
/*
 * peer.c - owns nothing: the peer is a child process, whom the test kills.
 *
 * It spares what a peer of the same user is trusted with in a stream that is not sealed: the insides of
 * the semaphores and the size of the file.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/end.h"
#include "proto/hint.h"
#include "proto/segment.h"
#include "tests/guard.h"
#include "tests/hostile/peer.h"

struct peer {
	struct bs_segment *g;
	struct bs_geometry geo;
	int fd;
	uint64_t state; /* of its dice */
};

static uint64_t dice(struct peer *p)
{
	p->state ^= p->state << 13;
	p->state ^= p->state >> 7;
	p->state ^= p->state << 17;
	return p->state;
}

static uint64_t extreme(struct peer *p, uint64_t near)
{
	static const uint64_t edges[] = { 0,
					  1,
					  2,
					  UINT64_MAX,
					  UINT32_MAX,
					  INT64_MAX,
					  (uint64_t)INT64_MAX + 1,
					  INT32_MAX,
					  BS_WORD_STEP };
	uint64_t n = dice(p);

	switch (n % 4) {
	case 0:
		return near + n / 4 % 5 - 2;
	case 1:
		return near ^ (UINT64_C(1) << (n / 4 % 64));
	case 2:
		return edges[n / 4 % (sizeof(edges) / sizeof(edges[0]))];
	default:
		return dice(p);
	}
}

static bool is_spared(const struct peer *p, uint64_t at)
{
	const uint64_t items = offsetof(struct bs_segment, items.sem);
	const uint64_t space = offsetof(struct bs_segment, space.sem);

	return !p->geo.sealed && (at - items < sizeof(sem_t) || at - space < sizeof(sem_t));
}

static void word_set(struct peer *p, uint64_t at)
{
	_Atomic uint32_t *word = (_Atomic uint32_t *)((char *)p->g + at);

	if (!is_spared(p, at))
		atomic_store(word, (uint32_t)extreme(p, atomic_load(word)));
}

/* Any word of the segment; and any of its first part, which is where decisions are made. */
static void anywhere(struct peer *p)
{
	word_set(p, dice(p) % (p->geo.size / 4) * 4);
	word_set(p, dice(p) % (p->geo.slots_at / 4) * 4);
}

/* The header, words, counters and lines of ends: 64 bits at a time. */
static void words(struct peer *p)
{
	uint64_t at = dice(p) % (1024 + 64 * p->geo.max_writers) / 8 * 8;
	_Atomic uint64_t *word = (_Atomic uint64_t *)((char *)p->g + at);

	if (!is_spared(p, at) && !is_spared(p, at + 7))
		atomic_store(word, extreme(p, atomic_load(word)));
}

static void verdicts(struct peer *p)
{
	struct bs_verdicts *v = &p->g->verdicts;

	atomic_store(&v->writers, extreme(p, BS_W_ATTACHED));
	atomic_store(&v->reader, dice(p) % 4 == 0 ? extreme(p, BS_R_OPEN) : BS_R_OPEN);
	atomic_store(&v->shared, (uint32_t)extreme(p, BS_SHARED_SWITCHING));
}

static void owners(struct peer *p)
{
	struct bs_writer_line *l = &p->g->writers[dice(p) % p->geo.max_writers];

	atomic_store(&l->owner, extreme(p, BS_END_ATTACHED));
	atomic_store(&l->intent, extreme(p, head_look(p->g) + 1));
	atomic_store(&l->fencing, (uint32_t)dice(p) % 2);
	atomic_store(&p->g->reader.owner, extreme(p, BS_END_ATTACHED));
}

/* There are always more chunks claimed, by nobody. */
static void claims(struct peer *p)
{
	for (uint32_t i = 0; i < p->geo.max_writers; i++)
		atomic_store(&p->g->writers[i].intent, 0);
	for (unsigned i = 0; i < 10000; i++)
		atomic_store(&p->g->tail.count, head_look(p->g) + p->geo.capacity / 2);
}

/* There is room, and there is not. */
static void room(struct peer *p)
{
	uint64_t tail = tail_look(p->g);

	atomic_store(&p->g->head.count, tail - p->geo.capacity + dice(p) % 2);
}

/* There is a chunk, and there is not. */
static void numbers(struct peer *p)
{
	uint64_t h = head_look(p->g);
	struct bs_slot *slot = bs_segment_slot(p->g, &p->geo, h % p->geo.capacity);

	atomic_store(&slot->seq, h + 1);
	atomic_store(&slot->seq, h);
}

/* There are chunks, in all slots, of lengths and classes that change while they are read. */
static void lengths(struct peer *p)
{
	for (uint64_t i = 0; i < p->geo.capacity; i++) {
		uint64_t chunk = head_look(p->g) + i;
		struct bs_slot *slot = bs_segment_slot(p->g, &p->geo, chunk % p->geo.capacity);

		uint64_t class = dice(p) % 4 == 0 ? dice(p) % 8 : p->geo.n_bodies - 1;

		atomic_store(&slot->len, (uint32_t)extreme(p, p->geo.chunk_max));
		atomic_store(&slot->flags, (uint32_t)(class << BS_SLOT_CLASS_AT));
		atomic_store(&slot->seq, chunk + 1);
	}
}

/* Every chunk was cancelled. */
static void skips(struct peer *p)
{
	uint64_t h = head_look(p->g);
	struct bs_slot *slot = bs_segment_slot(p->g, &p->geo, h % p->geo.capacity);

	atomic_store(&slot->flags, BS_SLOT_SKIP);
	atomic_store(&slot->seq, h + 1);
}

/* Wakes at the wrong time, and has nobody woken at the right one. */
static void hints(struct peer *p)
{
	atomic_store(&p->g->items.wake_at, extreme(p, head_look(p->g) + 1));
	atomic_store(&p->g->space.wake_at, extreme(p, head_look(p->g) + 1));
	atomic_store(&p->g->space.watch_at, extreme(p, tail_look(p->g)));
	atomic_store(&p->g->space.watch_gen, (uint32_t)dice(p));
	atomic_store(&p->g->space.gen, (uint32_t)dice(p));
	atomic_store(&p->g->items.gen, (uint32_t)dice(p));
	atomic_store(&p->g->space.sleepers, (uint32_t)extreme(p, 1));
	atomic_store(&p->g->tail.hungry, 1);
	atomic_store(&p->g->head.fencing, (uint32_t)dice(p) % 2);
}

/* The semaphores by their own functions: that much everybody may; in a sealed stream, their bytes. */
static void posts(struct peer *p)
{
	struct bs_hint items = bs_hint_items(p->g, &p->geo), space = bs_hint_space(p->g, &p->geo);

	bs_hint_post(&items);
	bs_hint_post(&space);
	bs_watch_rouse(&p->g->space.watch_gen);
	if (dice(p) % 64 == 0)
		bs_hint_drain(&items);
	if (dice(p) % 64 == 0)
		bs_hint_drain(&space);
}

/* What a sealed file refuses; another is left whole. */
static void sizes(struct peer *p)
{
	if (!p->geo.sealed) {
		anywhere(p);
		return;
	}
	MUST(ftruncate(p->fd, 0) < 0);
	MUST(ftruncate(p->fd, (off_t)p->geo.size * 2) < 0);
	uint64_t at = dice(p) % p->geo.size / BS_PAGE * BS_PAGE;
	fallocate(p->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, BS_PAGE);
}

static void (*const deeds[N_DEEDS])(struct peer *) = {
	[DEED_ANYWHERE] = anywhere, [DEED_WORDS] = words,     [DEED_VERDICTS] = verdicts,
	[DEED_OWNERS] = owners,	    [DEED_CLAIMS] = claims,   [DEED_ROOM] = room,
	[DEED_NUMBERS] = numbers,   [DEED_LENGTHS] = lengths, [DEED_SKIPS] = skips,
	[DEED_HINTS] = hints,	    [DEED_POSTS] = posts,     [DEED_SIZES] = sizes,
};

static _Atomic uint64_t *n_done; /* deeds, of the one peer there is */

void peer_await(void)
{
	uint64_t before = *n_done;

	UNTIL(*n_done > before + 1); /* one of them from its beginning */
}

void peer_end(pid_t pid)
{
	guard_kill(pid);
	guard_shared_free((void *)n_done, sizeof(*n_done));
	n_done = NULL;
}

pid_t peer_begin(const struct bs_sight *s, enum deed deed)
{
	struct peer p = { .geo = s->geo,
			  .fd = bs_end_reopen(s->fd, O_RDWR),
			  .state = 0x9e3779b97f4a7c15 + deed };

	MUST(p.fd >= 0 && n_done == NULL);
	n_done = guard_shared_new(sizeof(*n_done));
	pid_t pid = guard_fork();
	if (pid > 0) {
		close(p.fd);
		peer_await();
		return pid;
	}
	p.g = mmap(NULL, p.geo.size, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd, 0);
	MUST(p.g != MAP_FAILED);
	for (uint64_t n = 0;; n++) {
		deeds[deed](&p);
		*n_done = n + 1;
		if (n % 1024 == 0)
			sched_yield();
	}
}
