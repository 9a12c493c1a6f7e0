/* SPDX-License-Identifier: MIT */
/* check_options.c - options of this and of other versions, and those that cannot be. */
#include <stdlib.h>
#include <string.h>

#include "tests/guard.h"

static struct bstream_writer *w;
static struct bstream_reader *r;

static int pair(const struct bstream_options *o)
{
	int rc = bstream_pair(o, &w, &r);

	if (rc == 0) {
		bstream_writer_close(w);
		bstream_reader_close(r);
	}
	return rc;
}

START_TEST(none_means_the_defaults)
{
	struct bstream_options init = BSTREAM_OPTIONS_INIT;
	struct bstream_stat stat = { .size = sizeof(stat) };

	for (int i = 0; i < 2; i++) {
		GIVES(bstream_pair(i == 0 ? NULL : &init, &w, &r), 0);
		GIVES(bstream_writer_stat(w, &stat), 0);
		GIVES(stat.capacity, 16);
		GIVES(stat.chunk_max, 65536);
		GIVES(stat.max_writers, 64);
		GIVES(stat.keep, 0);
		GIVES(stat.flags, 0);
		bstream_writer_close(w);
		bstream_reader_close(r);
	}
}
END_TEST

START_TEST(what_is_out_of_limits_is_refused)
{
	static const struct {
		uint32_t capacity, chunk_max, max_writers, keep, mode, flags;
		int want;
	} rows[] = {
		{ 0, 1, 1, 0, 0, 0, 0 },
		{ 1, 0, 1, 0, 0, 0, -EINVAL },
		{ 1, 1, 0, 0, 0, 0, -EINVAL },
		{ 1, 1, 4096, 0, 0, 0, 0 },
		{ 1, 1, 4097, 0, 0, 0, -EINVAL },
		{ (1 << 24) + 1, 1, 1, 0, 0, 0, -EINVAL },
		{ 1, (1 << 30) + 1, 1, 0, 0, 0, -EINVAL },
		{ UINT32_MAX, UINT32_MAX, UINT32_MAX, 0, 0, 0, -EINVAL },
		{ 1, 1, 1, BSTREAM_KEEP_READER, 0, 0, -EINVAL }, /* a pair keeps nothing */
		{ 1, 1, 1, BSTREAM_KEEP_WRITERS, 0, 0, -EINVAL },
		{ 1, 1, 1, 4, 0, 0, -EINVAL },
		{ 1, 1, 1, 0, 0777, 0, 0 },
		{ 1, 1, 1, 0, 01000, 0, -EINVAL },
		{ 1, 1, 1, 0, 0600, 4, -EINVAL },
		{ 1, 1, 1, 0, 0600, BSTREAM_FENCES, 0 },
		{ 1, 1, 1, 0, 0600, BSTREAM_SEALED, 0 },
		{ 1, 1, 1, 0, 0600, BSTREAM_SEALED | BSTREAM_FENCES, 0 },
		{ 1, 0, 1, 0, 0600, BSTREAM_SEALED, -EINVAL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bstream_options o = { sizeof(o),		rows[i].capacity,
					     rows[i].chunk_max, rows[i].max_writers,
					     rows[i].keep,	rows[i].mode,
					     rows[i].flags,	0 };
		int rc = pair(&o);

		if (rc != rows[i].want)
			ck_abort_msg("row %zu gives %d, not %d", i, rc, rows[i].want);
	}
}
END_TEST

START_TEST(a_newer_programs_options_are_taken_if_it_asks_for_nothing_new)
{
	struct {
		struct bstream_options o;
		uint64_t newer[2];
	} big = { .o = BSTREAM_OPTIONS_INIT };

	big.o.size = sizeof(big);
	GIVES(pair(&big.o), 0);
	big.newer[1] = (uint64_t)1 << 63;
	GIVES(pair(&big.o), -E2BIG);
	big.o.size = sizeof(big.o) + sizeof(uint64_t);
	GIVES(pair(&big.o), 0);
	big.o.chunk_max = 0;
	big.newer[0] = 1;
	MUST(pair(&big.o) == -E2BIG || pair(&big.o) == -EINVAL);
}
END_TEST

START_TEST(options_smaller_than_any_version_had_are_refused)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	for (size_t size = 0; size < offsetof(struct bstream_options, gid); size++) {
		o.size = size;
		GIVES(pair(&o), -EINVAL);
	}
}
END_TEST

START_TEST(fences_can_be_asked_for_in_the_environment)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	setenv("BSTREAM_FENCES", "1", 1);
	GIVES(bstream_pair(NULL, &w, &r), 0);
	GIVES(bstream_writer_stat(w, &stat), 0);
	GIVES(stat.flags, BSTREAM_FENCES);
	SAY(w, "a");
	HEAR(r, "a");
	bstream_writer_close(w);
	bstream_reader_close(r);
	setenv("BSTREAM_FENCES", "0", 1);
	GIVES(bstream_pair(NULL, &w, &r), 0);
	GIVES(bstream_writer_stat(w, &stat), 0);
	GIVES(stat.flags, 0);
	bstream_writer_close(w);
	bstream_reader_close(r);
}
END_TEST

START_TEST(seals_can_be_asked_for_in_the_environment)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	setenv("BSTREAM_SEALED", "1", 1);
	GIVES(bstream_pair(NULL, &w, &r), 0);
	GIVES(bstream_writer_stat(w, &stat), 0);
	GIVES(stat.flags, BSTREAM_SEALED);
	SAY(w, "a");
	HEAR(r, "a");
	bstream_writer_close(w);
	bstream_reader_close(r);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(none_means_the_defaults),
		ONCE(what_is_out_of_limits_is_refused),
		ONCE(a_newer_programs_options_are_taken_if_it_asks_for_nothing_new),
		ONCE(options_smaller_than_any_version_had_are_refused),
		ONCE(fences_can_be_asked_for_in_the_environment),
		ONCE(seals_can_be_asked_for_in_the_environment),
	};

	return GUARD_RUN("options", cases);
}
