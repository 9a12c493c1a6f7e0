/* SPDX-License-Identifier: MIT */
/*
 * pump.h - pumps chunks of random size through a stream and proves that each arrives, whole, once,
 * and in its writer's order.
 *
 * What chunk @n of writer @id is follows from the two numbers alone: its size, and bytes out of one
 * table, with the writer's number in front. So the reader knows of every chunk what it has to be. An
 * empty chunk does not say whose it is: it is counted, and booked to the first writer in whose order
 * one is due when his next chunk with bytes arrives.
 */
#ifndef PUMP_H
#define PUMP_H

#include <stdatomic.h>

#include "tests/guard.h"

#define PUMP_WRITERS 250

/* What a writer or the reader does beside writing and reading. */
#define PUMP_MIX \
	0x1u /* every way to write: writev, reserve, cancel, several at once, without waiting */
#define PUMP_RENEW 0x2u /* ends come and go: clone and close, detach and attach */
#define PUMP_FULL  0x4u /* no empty chunks */
#define PUMP_PEEK  0x8u /* the reader looks in place */

struct pump { /* set by the test; private to each party afterwards */
	uint32_t capacity, chunk_max, n_writers;
	uint32_t flags;
	uint64_t n_chunks; /* each writer's */
};

/* What the reader has seen, and what writers say of themselves; in memory that all parties share. */
struct pump_book {
	uint64_t next[PUMP_WRITERS]; /* the reader's: the next chunk due */
	uint64_t n_read, n_bytes, n_empty, n_booked;
	_Atomic uint64_t begun[PUMP_WRITERS]; /* a writer's: chunks it began to write */
	_Atomic uint64_t done[PUMP_WRITERS]; /* … and whose write has returned */
};

struct pump_book *pump_book_new(void);
void pump_book_free(struct pump_book *book);

/* Options of the stream. */
void pump_pair(const struct pump *pump, struct bstream_writer **wp, struct bstream_reader **rp);

/* Write chunks as writer @id. The handle may become another on the way; it is closed at the end. */
void pump_write(const struct pump *pump, struct pump_book *book, unsigned id,
		struct bstream_writer *w);

/* Check one chunk against the book, and book it. */
void pump_check(const struct pump *pump, struct pump_book *book, const void *chunk, size_t len);

/* Read one chunk or several, and check them. What the read gave: 1, not how many. */
int pump_read(const struct pump *pump, struct pump_book *book, struct bstream_reader *r,
	      uint64_t deadline);

/* Every chunk of every writer has been read, and the stream's figures say so too. */
void pump_check_all(const struct pump *pump, const struct pump_book *book,
		    struct bstream_reader *r);

/* A number that follows from two: evenly spread, always the same. */
uint64_t pump_hash(uint64_t a, uint64_t b);

#endif
