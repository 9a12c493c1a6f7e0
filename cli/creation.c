/* SPDX-License-Identifier: MIT */
/*
 * creation.c - owns what the options of create mean to the library.
 *
 * Bounds are the library's to check: what it refuses becomes wrong usage in outcome.c. Verbs that
 * make streams call it.
 */
#include "config.h"
#include "creation.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>

bool creation_take_keep(void *to, const char *text)
{
	static const struct {
		const char *name;
		uint32_t keep;
	} keeps[] = {
		{ "reader", BSTREAM_KEEP_READER },
		{ "writers", BSTREAM_KEEP_WRITERS },
		{ "both", BSTREAM_KEEP_READER | BSTREAM_KEEP_WRITERS },
	};

	for (unsigned i = 0; i < sizeof(keeps) / sizeof(keeps[0]); i++) {
		if (!strcmp(text ? text : "both", keeps[i].name)) {
			*(uint32_t *)to = keeps[i].keep;
			return true;
		}
	}
	return false;
}

bool creation_take_mode(void *to, const char *text)
{
	uint32_t mode = 0;
	size_t n = strspn(text, "01234567");

	if (n == 0 || n > 4 || text[n])
		return false;
	for (; *text; text++)
		mode = mode * 8 + (uint32_t)(*text - '0');
	if (mode > 0777)
		return false;
	*(uint32_t *)to = mode;
	return true;
}

bool creation_take_group(void *to, const char *text)
{
	const struct group *group = getgrnam(text);
	char *end;

	errno = 0;
	unsigned long n = group ? group->gr_gid : strtoul(text, &end, 10);
	if (!group && (errno || text[0] < '0' || text[0] > '9' || *end || n >= UINT32_MAX))
		return false;
	*(uint32_t *)to = (uint32_t)n;
	return true;
}

struct bstream_options creation_options(const struct creation *creation)
{
	struct bstream_options options = BSTREAM_OPTIONS_INIT;

	options.capacity = creation->capacity;
	options.chunk_max = creation->chunk_max;
	options.max_writers = creation->max_writers;
	options.keep = creation->keep;
	options.mode = creation->mode;
	options.gid = creation->gid;
	if (creation->sealed)
		options.flags |= BSTREAM_SEALED;
	return options;
}
