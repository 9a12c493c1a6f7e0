/* SPDX-License-Identifier: MIT */
/*
 * kills.c - writers and readers are killed at any moment, and stopped and let go on. What a writer
 * had committed is read, what it had not may be, nothing else is; and the end says that one died.
 *
 * Each writer notes in shared memory what it is about to write and what has been written. The moment
 * of the kill comes from what was read so far and from a seed: BSTREAM_SEED=n plays other games.
 */
#include <signal.h>
#include <stdlib.h>

#include "tests/stress/pump.h"

static uint64_t seed(void)
{
	const char *set = getenv("BSTREAM_SEED");

	return set != NULL ? strtoull(set, NULL, 10) : 1;
}

static unsigned rounds(unsigned n)
{
	const char *more = getenv("BSTREAM_STRESS");
	unsigned factor = more != NULL ? (unsigned)strtoul(more, NULL, 10) : 1;

	n = n * (factor > 0 ? factor : 1) / guard_slowness();
	return n > 3 ? n : 3;
}

struct party {
	const struct pump *pump;
	struct pump_book *book;
	unsigned id;
};

static void write_all(struct bstream_writer *w, void *arg)
{
	const struct party *p = arg;

	pump_write(p->pump, p->book, p->id, w);
}

/* What was read of writer @id, which is dead or done, lies between what it knew to be written and
 * what it had begun. */
static void check_killed(const struct pump_book *book, unsigned id)
{
	uint64_t done = atomic_load(&book->done[id]), begun = atomic_load(&book->begun[id]);

	if (book->next[id] < done || book->next[id] > begun)
		guard_fail(__FILE__, __LINE__,
			   "writer %u committed %llu chunks, had begun %llu; %llu were read", id,
			   (unsigned long long)done, (unsigned long long)begun,
			   (unsigned long long)book->next[id]);
}

static const uint32_t capacities[] = { 1, 2, 3, 16, 100 };

/* ---- a lone writer -------------------------------------------------------------------------- */

static void kill_a_lone_writer(const struct pump *pump, uint64_t round)
{
	struct pump_book *book = pump_book_new();
	struct party party = { pump, book, 0 };
	uint64_t deadline, kill_at = 1 + pump_hash(seed(), round) % 300;
	struct guard_peer peer;
	struct bstream_writer *w;
	struct bstream_reader *r;
	int rc;

	pump_pair(pump, &w, &r);
	guard_writer_away(&peer, BY_PROCESS, w, write_all, &party);
	while (book->n_read < kill_at)
		GIVES(pump_read(pump, book, r, guard_patience()), 1);
	guard_kill(peer.pid);
	/* Who asks at once is told at once; who sleeps, at the end of his slice. */
	deadline = round % 32 == 0 ? guard_patience() : BSTREAM_DONT_WAIT;
	while ((rc = pump_read(pump, book, r, deadline)) == 1)
		;
	GIVES(rc, -ECONNRESET);
	check_killed(book, 0);
	bstream_reader_close(r);
	pump_book_free(book);
}

START_TEST(a_lone_writer_killed_at_any_moment_loses_nothing_it_committed)
{
	struct pump pump = {
		.capacity = capacities[_i % 5],
		.n_writers = 1,
		.chunk_max = 1024,
		.flags = PUMP_FULL | (_i < 5 ? 0 : PUMP_MIX),
		.n_chunks = UINT64_MAX,
	};

	for (unsigned round = 0; round < rounds(80); round++)
		kill_a_lone_writer(&pump, round * 16 + (unsigned)_i);
}
END_TEST

/* ---- several writers, some of them killed and replaced -------------------------------------- */

struct crowd {
	struct pump pump;
	struct pump_book *book;
	struct bstream_writer *base; /* of which the writers are clones; it writes nothing */
	struct guard_peer peers[4];
	struct party parties[PUMP_WRITERS];
	unsigned ids[4]; /* who is in which seat */
	unsigned n_ids;
};

static void crowd_seat(struct crowd *c, unsigned seat)
{
	struct bstream_writer *w;

	GIVES(bstream_writer_clone(c->base, &w), 0);
	c->ids[seat] = c->n_ids++;
	c->parties[c->ids[seat]] = (struct party){ &c->pump, c->book, c->ids[seat] };
	guard_writer_away(&c->peers[seat], BY_PROCESS, w, write_all, &c->parties[c->ids[seat]]);
}

static void crowd_kill(struct crowd *c, unsigned seat)
{
	guard_kill(c->peers[seat].pid);
}

/* One writer is killed and another takes its seat; or one is stopped for a while. */
static void crowd_disturb(struct crowd *c, uint64_t h)
{
	unsigned seat = h % 4;

	if (h / 4 % 4 == 0) {
		kill(c->peers[seat].pid, SIGSTOP);
		return;
	}
	crowd_kill(c, seat);
	crowd_seat(c, seat);
}

static void crowd_continue(struct crowd *c)
{
	for (unsigned seat = 0; seat < 4; seat++)
		kill(c->peers[seat].pid, SIGCONT);
}

static void crowd_read(struct crowd *c, struct bstream_reader *r)
{
	uint64_t n_until = 50;

	while (c->n_ids < PUMP_WRITERS) {
		int rc = pump_read(&c->pump, c->book, r, bstream_after_ms(20));

		if (rc == -ETIMEDOUT) { /* all wait for one that is stopped */
			crowd_continue(c);
			rc = pump_read(&c->pump, c->book, r, guard_patience());
		}
		GIVES(rc, 1);
		if (c->book->n_read < n_until)
			continue;
		uint64_t h = pump_hash(seed(), c->book->n_read);
		n_until = c->book->n_read + h % 200;
		crowd_disturb(c, h >> 32);
	}
}

START_TEST(writers_killed_and_replaced_at_any_moment_lose_nothing_they_committed)
{
	struct crowd *c = calloc(1, sizeof(*c));
	struct bstream_reader *r;
	int rc;

	c->book = pump_book_new();
	c->pump = (struct pump){
		.capacity = capacities[_i % 5],
		.n_writers = 4,
		.chunk_max = 1024,
		.flags = PUMP_FULL | (_i < 5 ? 0 : PUMP_MIX | PUMP_RENEW),
		.n_chunks = UINT64_MAX,
	};
	pump_pair(&c->pump, &c->base, &r);
	for (unsigned seat = 0; seat < 4; seat++)
		crowd_seat(c, seat);
	crowd_read(c, r);
	for (unsigned seat = 0; seat < 4; seat++)
		crowd_kill(c, seat);
	bstream_writer_close(c->base);
	while ((rc = pump_read(&c->pump, c->book, r, guard_patience())) == 1)
		;
	GIVES(rc, -ECONNRESET);
	for (unsigned id = 0; id < c->n_ids; id++)
		check_killed(c->book, id);
	bstream_reader_close(r);
	pump_book_free(c->book);
	free(c);
}
END_TEST

/* ---- a reader ------------------------------------------------------------------------------- */

static void read_all(struct bstream_reader *r, void *arg)
{
	const struct party *p = arg;

	while (pump_read(p->pump, p->book, r, BSTREAM_FOREVER) == 1)
		;
	bstream_reader_close(r);
}

/* All writers of a stream are told when its reader is killed, and soon. */
START_TEST(writers_are_told_when_the_reader_is_killed_at_any_moment)
{
	struct pump pump = { .capacity = capacities[_i], .n_writers = 2, .chunk_max = 64 };

	for (unsigned round = 0; round < rounds(10); round++) {
		struct pump_book *book = pump_book_new();
		struct party party = { &pump, book, 0 };
		uint64_t kill_at = pump_hash(seed() + 1, round) % 2000, n = 0;
		struct guard_peer peer;
		struct bstream_writer *w, *x;
		struct bstream_reader *r;
		int rc = 0;

		pump.flags = PUMP_FULL;
		pump_pair(&pump, &w, &r);
		guard_reader_away(&peer, BY_PROCESS, r, read_all, &party);
		pump.n_chunks = kill_at;
		GIVES(bstream_writer_clone(w, &x), 0);
		pump_write(&pump, book, 0, x);
		guard_kill(peer.pid);
		while (rc == 0 && n++ < UINT64_C(1) << 40)
			rc = bstream_write(w, "\1", 1,
					   round % 8 == 0 ? guard_patience() : BSTREAM_DONT_WAIT);
		GIVES(rc, -EPIPE);
		MUST(book->next[0] <= kill_at);
		bstream_writer_close(w);
		pump_book_free(book);
	}
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(a_lone_writer_killed_at_any_moment_loses_nothing_it_committed, 10),
		N_WAYS(writers_killed_and_replaced_at_any_moment_lose_nothing_they_committed, 10),
		N_WAYS(writers_are_told_when_the_reader_is_killed_at_any_moment, 5),
	};

	return GUARD_RUN("stress_kills", cases);
}
