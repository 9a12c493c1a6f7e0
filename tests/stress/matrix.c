/* SPDX-License-Identifier: MIT */
/*
 * matrix.c - ten million chunks of random size, from 1, 2, 4 and 9 writer processes through streams
 * of 1, 2, 3, 16 and 1000 chunks: none is lost, torn, repeated or out of its writer's order. Then
 * some of the same among the threads of one process, for the thread sanitizer.
 *
 * BSTREAM_STRESS=n: n times as many chunks.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/stress/pump.h"

static const uint32_t capacities[] = { 1, 2, 3, 16, 1000 };
static const uint32_t writers[] = { 1, 2, 4, 9 };

/* Thousands of chunks in each cell, ten thousand in all: fewer where each chunk is a wake-up. */
static const unsigned thousands[5][4] = {
	{ 200, 200, 200, 180 }, { 400, 200, 200, 180 },	   { 600, 200, 200, 180 },
	{ 800, 600, 400, 360 }, { 2000, 1100, 1100, 900 },
};

static uint64_t times(uint64_t n)
{
	const char *more = getenv("BSTREAM_STRESS");
	uint64_t factor = more != NULL ? strtoul(more, NULL, 10) : 1;

	return n * (factor > 0 ? factor : 1) / (guard_slowness() == 1 ? 1 : guard_slowness() * 4);
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

static void run(const struct pump *pump, enum guard_way way)
{
	struct pump_book *book = pump_book_new();
	struct guard_peer peers[16];
	struct party parties[16];
	struct bstream_writer *w, *x;
	struct bstream_reader *r;

	pump_pair(pump, &w, &r);
	for (unsigned id = 0; id < pump->n_writers; id++) {
		parties[id] = (struct party){ pump, book, id };
		x = w;
		if (id + 1 < pump->n_writers)
			GIVES(bstream_writer_clone(w, &x), 0);
		guard_writer_away(&peers[id], way, x, write_all, &parties[id]);
	}
	int rc;
	while ((rc = pump_read(pump, book, r, BSTREAM_FOREVER)) == 1)
		;
	GIVES(rc, 0);
	for (unsigned id = 0; id < pump->n_writers; id++)
		guard_join(&peers[id]);
	pump_check_all(pump, book, r);
	bstream_reader_close(r);
	pump_book_free(book);
}

START_TEST(no_chunk_is_lost_torn_or_repeated_between_processes)
{
	struct pump pump = {
		.capacity = capacities[_i / 4],
		.n_writers = writers[_i % 4],
		.chunk_max = 65536,
	};

	pump.n_chunks = times(thousands[_i / 4][_i % 4] * 1000) / pump.n_writers;
	run(&pump, BY_PROCESS);
}
END_TEST

START_TEST(no_chunk_is_lost_torn_or_repeated_between_threads)
{
	struct pump pump = {
		.capacity = capacities[_i / 4],
		.n_writers = writers[_i % 4],
		.chunk_max = 65536,
		.flags = PUMP_MIX | PUMP_RENEW | PUMP_PEEK,
	};

	pump.n_chunks = times(30000) / pump.n_writers;
	run(&pump, BY_THREAD);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(no_chunk_is_lost_torn_or_repeated_between_processes, 20),
		N_WAYS(no_chunk_is_lost_torn_or_repeated_between_threads, 20),
	};

	return GUARD_RUN("stress_matrix", cases);
}
