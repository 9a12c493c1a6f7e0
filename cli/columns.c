/* SPDX-License-Identifier: MIT */
/*
 * columns.c - owns the columns of tables about streams: heading, cell, and what sorting by it means.
 *
 * Sorting puts first what people look for first: names from a to z, but large numbers before small
 * ones, and states in the order in which they want somebody's attention. ls -o, the rows of top and
 * its --sort come from this table.
 */
#include "config.h"
#include "columns.h"
#include "say.h"
#include "state.h"
#include "units.h"
#include "who.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void cell_name(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	say_safely(cell, COLUMN_CELL_MAX, look->stat->name);
}

static void cell_state(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	snprintf(cell, COLUMN_CELL_MAX, "%s", state_word(look->stat, look->moving));
}

static void cell_fill(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	snprintf(cell, COLUMN_CELL_MAX, "%" PRIu32 "/%" PRIu32, look->stat->in_flight,
		 look->stat->capacity);
}

static void cell_chunks(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	snprintf(cell, COLUMN_CELL_MAX, "%" PRIu64, look->stat->chunks_written);
}

static void cell_rate(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	units_print_rate(cell, look->rate);
}

static void cell_writers(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	snprintf(cell, COLUMN_CELL_MAX, "%" PRIu32, look->stat->writers);
}

static void cell_reader(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	bool open = look->stat->reader == BSTREAM_READER_OPEN;

	who_process(cell, open ? look->stat->reader_pid : 0);
}

static void cell_age(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	uint64_t now = units_today();

	units_print_age(cell, now > look->stat->created_ns ? now - look->stat->created_ns : 0);
}

static void cell_bytes(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	units_print_size(cell, look->stat->bytes_written);
}

static void cell_read(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	units_print_size(cell, look->stat->bytes_read);
}

static void cell_chunk_max(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	units_print_size(cell, look->stat->chunk_max);
}

static void cell_mode(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	snprintf(cell, COLUMN_CELL_MAX, "%04" PRIo32, look->stat->mode);
}

static void cell_user(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	who_user(cell, look->stat->uid);
}

static void cell_keep(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	static const char *const words[] = { "-", "reader", "writers", "both" };

	snprintf(cell, COLUMN_CELL_MAX, "%s", words[look->stat->keep & 3]);
}

static void cell_waits(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	snprintf(cell, COLUMN_CELL_MAX, "%" PRIu64 "/%" PRIu64, look->stat->writer_waits,
		 look->stat->reader_waits);
}

static void cell_chunk_rate(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	snprintf(cell, COLUMN_CELL_MAX, "%" PRIu64, look->chunk_rate);
}

static void cell_blocked(char cell[COLUMN_CELL_MAX], const struct column_look *look)
{
	if (look->longest_ns == 0)
		strcpy(cell, "-");
	else
		units_print_age(cell, look->longest_ns);
}

/* ---- sorting --------------------------------------------------------------------------------- */

static int larger_first(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int compare_name(const struct column_look *a, const struct column_look *b)
{
	return strcmp(a->stat->name, b->stat->name);
}

static int compare_state(const struct column_look *a, const struct column_look *b)
{
	return larger_first(state_urgency(a->stat, a->moving), state_urgency(b->stat, b->moving));
}

/* By the part that is full, not by the number: 3/4 before 4/16. */
static int compare_fill(const struct column_look *a, const struct column_look *b)
{
	return larger_first((uint64_t)a->stat->in_flight * b->stat->capacity,
			    (uint64_t)b->stat->in_flight * a->stat->capacity);
}

static int compare_rate(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->rate, b->rate);
}

static int compare_chunk_rate(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->chunk_rate, b->chunk_rate);
}

static int compare_blocked(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->longest_ns, b->longest_ns);
}

/* The older first. */
static int compare_age(const struct column_look *a, const struct column_look *b)
{
	return larger_first(b->stat->created_ns, a->stat->created_ns);
}

static int compare_waits(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->stat->writer_waits + a->stat->reader_waits,
			    b->stat->writer_waits + b->stat->reader_waits);
}

static int compare_chunks(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->stat->chunks_written, b->stat->chunks_written);
}

static int compare_writers(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->stat->writers, b->stat->writers);
}

static int compare_reader(const struct column_look *a, const struct column_look *b)
{
	return larger_first((uint64_t)a->stat->reader_pid, (uint64_t)b->stat->reader_pid);
}

static int compare_bytes(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->stat->bytes_written, b->stat->bytes_written);
}

static int compare_read(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->stat->bytes_read, b->stat->bytes_read);
}

static int compare_chunk_max(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->stat->chunk_max, b->stat->chunk_max);
}

static int compare_mode(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->stat->mode, b->stat->mode);
}

static int compare_user(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->stat->uid, b->stat->uid);
}

static int compare_keep(const struct column_look *a, const struct column_look *b)
{
	return larger_first(a->stat->keep, b->stat->keep);
}

static const struct column columns[] = {
	{ "NAME", cell_name, compare_name, false },
	{ "STATE", cell_state, compare_state, true },
	{ "FILL", cell_fill, compare_fill, false },
	{ "CHUNKS", cell_chunks, compare_chunks, false },
	{ "RATE", cell_rate, compare_rate, true },
	{ "WRITERS", cell_writers, compare_writers, false },
	{ "READER", cell_reader, compare_reader, false },
	{ "AGE", cell_age, compare_age, false },
	{ "BYTES", cell_bytes, compare_bytes, false },
	{ "READ", cell_read, compare_read, false },
	{ "CHUNKS/S", cell_chunk_rate, compare_chunk_rate, true },
	{ "BLOCKED", cell_blocked, compare_blocked, false },
	{ "CHUNK-MAX", cell_chunk_max, compare_chunk_max, false },
	{ "MODE", cell_mode, compare_mode, false },
	{ "USER", cell_user, compare_user, false },
	{ "KEEP", cell_keep, compare_keep, false },
	{ "WAITS", cell_waits, compare_waits, false },
};

#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

const struct column *column_find(const char *name, size_t len)
{
	for (size_t i = 0; i < N_COLUMNS; i++)
		if (strlen(columns[i].heading) == len &&
		    strncasecmp(columns[i].heading, name, len) == 0)
			return &columns[i];
	return NULL;
}

const struct column *column_all(size_t *np)
{
	*np = N_COLUMNS;
	return columns;
}
