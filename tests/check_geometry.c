/* SPDX-License-Identifier: MIT */
/* check_geometry.c - where slots are, which options are possible, and which headers can be true. */
#include <string.h>

#include "proto/geometry.h"
#include "tests/guard.h"

static struct bs_header header_of(const struct bs_geometry *geo)
{
	return (struct bs_header){
		.magic = BS_LAYOUT_MAGIC,
		.version = BS_LAYOUT_VERSION,
		.flags = geo->flags,
		.capacity = geo->capacity,
		.chunk_max = geo->chunk_max,
		.max_writers = geo->max_writers,
		.keep = geo->keep,
		.size = geo->size,
		.name = "a/name",
	};
}

START_TEST(slots_are_whole_cache_lines_behind_the_writers_lines)
{
	struct bs_geometry geo;

	GIVES(bs_geometry_init(&geo, 16, 65536, 64, 0, 0), 0);
	GIVES(geo.slots_at, 8192); /* 1024 and 64 lines of 64, up to a page */
	GIVES(geo.size % BS_PAGE, 0);
	GIVES(bs_geometry_init(&geo, 1, 48, 1, 0, 0), 0);
	GIVES(geo.slots_at, 4096);
	GIVES(geo.size, 8192);
	GIVES(bs_geometry_init(&geo, 1, 49, 4096, 0, 0), 0);
	GIVES(geo.slots_at, 4096 + 4096 * 64);
}
END_TEST

START_TEST(a_chunk_is_in_its_slot_or_in_the_smallest_body_that_fits)
{
	static const uint32_t sizes[] = { 48, 256, 1024, 4096, 65536 };
	static const uint64_t strides[] = { 64, 256, 1024, 4096, 65600 };
	struct bs_geometry geo;
	uint64_t end;

	GIVES(bs_geometry_init(&geo, 16, 65536, 64, 0, 0), 0);
	GIVES(geo.n_bodies, 5);
	end = geo.slots_at + 16 * sizeof(struct bs_slot);
	GIVES(geo.body[0].at, geo.slots_at + 16);
	for (uint32_t c = 0; c < 5; c++) {
		GIVES(geo.body[c].size, sizes[c]);
		GIVES(geo.body[c].stride, strides[c]);
		GIVES(bs_geometry_class(&geo, sizes[c]), c);
		GIVES(bs_geometry_class(&geo, c > 0 ? sizes[c - 1] + 1 : 0), c);
		if (c == 0)
			continue;
		GIVES(geo.body[c].at, end); /* none overlaps another */
		end += 16 * geo.body[c].stride;
	}
	MUST(geo.size >= end);
	GIVES(bs_geometry_init(&geo, 4, 49, 1, 0, 0), 0);
	GIVES(geo.n_bodies, 2);
	GIVES(geo.body[1].size, 49);
	GIVES(geo.body[1].stride, 64);
	GIVES(bs_geometry_init(&geo, 4, 7, 1, 0, 0), 0);
	GIVES(geo.n_bodies, 1);
	GIVES(geo.body[0].size, 7);
}
END_TEST

START_TEST(capacity_zero_is_one)
{
	struct bs_geometry geo;

	GIVES(bs_geometry_init(&geo, 0, 1, 1, 0, 0), 0);
	GIVES(geo.capacity, 1);
}
END_TEST

START_TEST(limits_are_held)
{
	struct bs_geometry geo;

	GIVES(bs_geometry_init(&geo, BS_CAPACITY_LIMIT, 48, 1, 0, 0), 0);
	GIVES(bs_geometry_init(&geo, BS_CAPACITY_LIMIT + 1, 48, 1, 0, 0), -EINVAL);
	GIVES(bs_geometry_init(&geo, UINT32_MAX, 48, 1, 0, 0), -EINVAL);
	GIVES(bs_geometry_init(&geo, 1, 0, 1, 0, 0), -EINVAL);
	GIVES(bs_geometry_init(&geo, 1, BS_CHUNK_MAX_LIMIT, 1, 0, 0), 0);
	GIVES(bs_geometry_init(&geo, 1, BS_CHUNK_MAX_LIMIT + 1, 1, 0, 0), -EINVAL);
	GIVES(bs_geometry_init(&geo, 1, 1, 0, 0, 0), -EINVAL);
	GIVES(bs_geometry_init(&geo, 1, 1, 4096, 0, 0), 0);
	GIVES(bs_geometry_init(&geo, 1, 1, 4097, 0, 0), -EINVAL);
	GIVES(bs_geometry_init(&geo, 1, 1, 1, ~BS_FLAG_KNOWN, 0), -EINVAL);
	GIVES(bs_geometry_init(&geo, 1, 1, 1, 0, 4), -EINVAL);
	GIVES(bs_geometry_init(&geo, BS_CAPACITY_LIMIT, BS_CHUNK_MAX_LIMIT, 1, 0, 0), -EINVAL);
}
END_TEST

START_TEST(a_true_header_is_believed)
{
	struct bs_geometry geo, copy;
	struct bs_header h;

	GIVES(bs_geometry_init(&geo, 3, 100, 5, BS_FLAG_FENCES, BS_KEEP_READER), 0);
	h = header_of(&geo);
	GIVES(bs_geometry_check(&copy, &h, geo.size), 0);
	MUST(copy.size == geo.size && copy.n_bodies == geo.n_bodies && copy.fences);
	GIVES(copy.keep, BS_KEEP_READER);
	GIVES(bs_geometry_check(&copy, &h, geo.size + 1), 0); /* larger is no harm */
	h.name[0] = '\0';
	GIVES(bs_geometry_check(&copy, &h, geo.size), 0);
}
END_TEST

START_TEST(no_false_header_is_believed)
{
	struct bs_geometry geo, copy;
	struct bs_header good, h;

	GIVES(bs_geometry_init(&geo, 3, 100, 5, 0, 0), 0);
	good = header_of(&geo);
	GIVES(bs_geometry_check(&copy, &good, geo.size - 1), -EPROTO);
	GIVES(bs_geometry_check(&copy, &good, 0), -EPROTO);
#define FALSE_HEADER(field, value, want)                             \
	do {                                                         \
		h = good;                                            \
		h.field = (value);                                   \
		GIVES(bs_geometry_check(&copy, &h, geo.size), want); \
	} while (0)
	FALSE_HEADER(magic[7], 'x', -EPROTO);
	FALSE_HEADER(magic[0], 'B', -EPROTO);
	FALSE_HEADER(version, BS_LAYOUT_VERSION + 1, -EPROTONOSUPPORT);
	FALSE_HEADER(version, 0, -EPROTONOSUPPORT);
	FALSE_HEADER(flags, 0x80, -EPROTONOSUPPORT);
	FALSE_HEADER(capacity, 0, -EPROTO);
	FALSE_HEADER(capacity, 400, -EPROTO);
	FALSE_HEADER(capacity, UINT32_MAX, -EPROTO);
	FALSE_HEADER(chunk_max, 0, -EPROTO);
	FALSE_HEADER(chunk_max, UINT32_MAX, -EPROTO);
	FALSE_HEADER(chunk_max, 10000, -EPROTO);
	FALSE_HEADER(max_writers, 0, -EPROTO);
	FALSE_HEADER(max_writers, 4097, -EPROTO);
	FALSE_HEADER(keep, 0xff, -EPROTO);
	FALSE_HEADER(size, geo.size + BS_PAGE, -EPROTO);
	FALSE_HEADER(size, 0, -EPROTO);
	FALSE_HEADER(name[0], '/', -EPROTO);
	FALSE_HEADER(name[1], '\n', -EPROTO);
	h = good;
	memset(h.name, 'a', sizeof(h.name)); /* without its NUL */
	GIVES(bs_geometry_check(&copy, &h, geo.size), -EPROTO);
}
END_TEST

START_TEST(names_are_what_they_may_be)
{
	static const char *const good[] = { "a",       "-",  "_",    "a.b", "a/b/c",
					    "A-Z_0.9", "a/", "a//b", "-a" };
	static const char *const bad[] = { "",	  "/",	 "/a", ".",  "..",   ".a",
					   "a b", "a\n", "ä",  "a*", "a\\b", "a:b" };
	char name[202];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!bs_name_ok(good[i]))
			ck_abort_msg("\"%s\" is a name", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (bs_name_ok(bad[i]))
			ck_abort_msg("\"%s\" is no name", bad[i]);
	MUST(!bs_name_ok(NULL));
	memset(name, 'n', sizeof(name));
	name[200] = '\0';
	MUST(bs_name_ok(name));
	name[200] = 'n';
	name[201] = '\0';
	MUST(!bs_name_ok(name));
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(slots_are_whole_cache_lines_behind_the_writers_lines),
		ONCE(a_chunk_is_in_its_slot_or_in_the_smallest_body_that_fits),
		ONCE(capacity_zero_is_one),
		ONCE(limits_are_held),
		ONCE(a_true_header_is_believed),
		ONCE(no_false_header_is_believed),
		ONCE(names_are_what_they_may_be),
	};

	return GUARD_RUN("geometry", cases);
}
