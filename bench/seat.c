/* SPDX-License-Identifier: MIT */
/*
 * seat.c - the slow half of a party's work: snapshots, failures, ends.
 */
#include "bench/seat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/clock.h"

#define PRIVATE_ALIGN 4096u

int seat_init(struct seat *s, struct round *round, struct party *me, unsigned writer)
{
	bool small = round->len <= SEAT_LANE_MAX;
	size_t total;

	memset(s, 0, sizeof(*s));
	s->round = round;
	s->me = me;
	s->writer = writer;
	s->lane_mask = small ? SEAT_LANES - 1 : 0;
	s->lane_stride = (round->len + 63) & ~(size_t)63;
	total = s->lane_stride * (s->lane_mask + 1u);
	total = (total + PRIVATE_ALIGN - 1) & ~(size_t)(PRIVATE_ALIGN - 1);
	s->buf = aligned_alloc(PRIVATE_ALIGN, total);
	if (!s->buf)
		return -ENOMEM;
	memset(s->buf, 0x5a, total);
	for (unsigned w = 0; w < SEAT_WRITERS_MAX; w++)
		s->next[w] = (uint64_t)w << CHUNK_WRITER_SHIFT;
	return 0;
}

static uint64_t timeval_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_usec * 1000u;
}

static void snapshot_take(struct snapshot *shot, const struct seat *s, uint64_t n_chunks)
{
	struct rusage use;

	shot->wall_ns = now_ns();
	getrusage(RUSAGE_SELF, &use);
	shot->cpu_ns = timeval_ns(&use.ru_utime) + timeval_ns(&use.ru_stime);
	shot->sleeps = (uint64_t)use.ru_nvcsw;
	shot->preempted = (uint64_t)use.ru_nivcsw;
	shot->n_chunks = n_chunks;
	for (unsigned w = 0; w < SEAT_WRITERS_MAX; w++) {
		shot->n_from[w] = s->next[w] & (CHUNK_END - 1);
		shot->n_chunks += shot->n_from[w];
	}
}

void seat_on_phase(struct seat *s, uint32_t phase, uint64_t n_chunks)
{
	if (phase >= PHASE_MEASURE && s->phase < PHASE_MEASURE)
		snapshot_take(&s->me->from, s, n_chunks);
	if (phase >= PHASE_STOP && s->phase < PHASE_STOP)
		snapshot_take(&s->me->to, s, n_chunks);
	s->phase = phase;
}

int seat_fail(struct seat *s, const char *what, int err)
{
	if (s->me->failure[0] == '\0')
		snprintf(s->me->failure, sizeof(s->me->failure), "%s: %s", what, strerror(-err));
	return err;
}

enum take seat_take_odd(struct seat *s, const unsigned char *buf, size_t len)
{
	uint64_t head = len >= CHUNK_LEN_MIN ? chunk_head(buf) : 0;
	uint64_t writer = head >> CHUNK_WRITER_SHIFT;
	const char *what = "the check of a chunk";

	if (len != s->round->len)
		what = "a chunk's length";
	else if (writer >= s->round->n_writers)
		what = "a chunk's writer";
	else if (head == (s->next[writer] | CHUNK_END))
		return ++s->n_ended == s->round->n_writers ? TAKE_END : TAKE_MORE;
	else if (head != s->next[writer])
		what = "a chunk's number";
	snprintf(s->me->failure, sizeof(s->me->failure),
		 "%s is wrong: %zu bytes, head %#llx, expected %#llx", what, len,
		 (unsigned long long)head,
		 writer < SEAT_WRITERS_MAX ? (unsigned long long)s->next[writer] : 0ULL);
	return TAKE_FAILED;
}
