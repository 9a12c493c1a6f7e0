/* SPDX-License-Identifier: MIT */
/*
 * mixes.c - every way to write at once, ends that come and go and travel while chunks flow, and a
 * read end that is handed from process to process while writers write.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/stress/pump.h"

#define N_OWNERS 20

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

static void writers_away(const struct pump *pump, struct pump_book *book, struct bstream_writer *w,
			 struct guard_peer peers[], struct party parties[])
{
	for (unsigned id = 0; id < pump->n_writers; id++) {
		struct bstream_writer *x = w;

		parties[id] = (struct party){ pump, book, id };
		if (id + 1 < pump->n_writers)
			GIVES(bstream_writer_clone(w, &x), 0);
		guard_writer_away(&peers[id], BY_PROCESS, x, write_all, &parties[id]);
	}
}

/* ---- every way to write --------------------------------------------------------------------- */

/* A reader that now and then does not wait, or waits a little. */
static int read_fitfully(const struct pump *pump, struct pump_book *book, struct bstream_reader *r)
{
	uint64_t kind = pump_hash(5, book->n_read) % 16;
	int rc = pump_read(pump, book, r,
			   kind == 0   ? BSTREAM_DONT_WAIT
			   : kind == 1 ? bstream_after_ms(1)
				       : BSTREAM_FOREVER);

	if (rc == -EAGAIN || rc == -ETIMEDOUT)
		return pump_read(pump, book, r, BSTREAM_FOREVER);
	return rc;
}

static const uint32_t capacities[] = { 1, 2, 3, 16, 100 };

START_TEST(all_ways_to_write_go_together)
{
	struct pump pump = {
		.capacity = capacities[_i % 5],
		.n_writers = _i < 5 ? 1 : 4,
		.chunk_max = 4096,
		.flags = PUMP_MIX | (_i % 2 == 0 ? PUMP_RENEW : 0),
		.n_chunks = times(_i < 5 ? 100000 : 25000),
	};
	struct pump_book *book = pump_book_new();
	struct guard_peer peers[8];
	struct party parties[8];
	struct bstream_writer *w;
	struct bstream_reader *r;
	int rc;

	pump_pair(&pump, &w, &r);
	writers_away(&pump, book, w, peers, parties);
	while ((rc = read_fitfully(&pump, book, r)) == 1)
		;
	GIVES(rc, 0);
	for (unsigned id = 0; id < pump.n_writers; id++)
		guard_join(&peers[id]);
	pump_check_all(&pump, book, r);
	bstream_reader_close(r);
	pump_book_free(book);
}
END_TEST

/* ---- writers that come and go --------------------------------------------------------------- */

struct comers {
	const struct pump *pump;
	struct pump_book *book;
	unsigned first, step;
};

/* One writer after the other, each from the same base, which itself writes nothing. */
static void write_one_after_the_other(struct bstream_writer *base, void *arg)
{
	const struct comers *c = arg;

	for (unsigned id = c->first; id < c->pump->n_writers; id += c->step) {
		struct bstream_writer *w;

		GIVES(bstream_writer_clone(base, &w), 0);
		pump_write(c->pump, c->book, id, w);
	}
	bstream_writer_close(base);
}

START_TEST(writers_come_and_go_while_chunks_flow)
{
	struct pump pump = {
		.capacity = capacities[_i],
		.n_writers = PUMP_WRITERS,
		.chunk_max = 256,
		.flags = PUMP_MIX,
		.n_chunks = times(600),
	};
	struct pump_book *book = pump_book_new();
	struct comers comers[3];
	struct guard_peer peers[3];
	struct bstream_writer *w, *x;
	struct bstream_reader *r;
	int rc;

	pump_pair(&pump, &w, &r);
	for (unsigned i = 0; i < 3; i++) {
		comers[i] = (struct comers){ &pump, book, i, 3 };
		x = w;
		if (i < 2)
			GIVES(bstream_writer_clone(w, &x), 0);
		guard_writer_away(&peers[i], BY_PROCESS, x, write_one_after_the_other, &comers[i]);
	}
	while ((rc = pump_read(&pump, book, r, BSTREAM_FOREVER)) == 1)
		;
	GIVES(rc, 0);
	for (unsigned i = 0; i < 3; i++)
		guard_join(&peers[i]);
	pump_check_all(&pump, book, r);
	bstream_reader_close(r);
	pump_book_free(book);
}
END_TEST

/* ---- a read end that is handed on ----------------------------------------------------------- */

/* Own the read end for a while, then hand it on: to a child, which does the same. */
static void read_and_hand_on(const struct pump *pump, struct pump_book *book,
			     struct bstream_reader *r, unsigned n_left)
{
	uint64_t share = pump->n_chunks * pump->n_writers / N_OWNERS;
	const void *chunk;
	size_t len;
	int rc = 1;

	for (uint64_t n = 0; rc == 1 && (n_left == 0 || n < share); n++)
		rc = pump_read(pump, book, r, BSTREAM_FOREVER);
	if (rc != 1) {
		GIVES(rc, 0);
		pump_check_all(pump, book, r);
		bstream_reader_close(r);
		return;
	}
	if (n_left % 2 == 0) /* seen, not released: the next owner gets it */
		bstream_peek(r, &chunk, &len, BSTREAM_FOREVER);
	int fd = bstream_reader_detach(r);
	MUST(fd >= 0);
	pid_t pid = guard_fork();
	if (pid == 0) {
		GIVES(bstream_reader_attach(fd, &r), 0);
		read_and_hand_on(pump, book, r, n_left - 1);
		_exit(0);
	}
	close(fd);
	guard_reap(pid);
}

START_TEST(the_read_end_is_handed_on_while_writers_write)
{
	struct pump pump = {
		.capacity = capacities[_i],
		.n_writers = 3,
		.chunk_max = 4096,
		.n_chunks = times(30000),
	};
	struct pump_book *book = pump_book_new();
	struct guard_peer peers[8];
	struct party parties[8];
	struct bstream_writer *w;
	struct bstream_reader *r;

	pump_pair(&pump, &w, &r);
	writers_away(&pump, book, w, peers, parties);
	read_and_hand_on(&pump, book, r, N_OWNERS - 1);
	for (unsigned id = 0; id < pump.n_writers; id++)
		guard_join(&peers[id]);
	pump_book_free(book);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(all_ways_to_write_go_together, 10),
		N_WAYS(writers_come_and_go_while_chunks_flow, 5),
		N_WAYS(the_read_end_is_handed_on_while_writers_write, 5),
	};

	return GUARD_RUN("stress_mixes", cases);
}
