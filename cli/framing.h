/* SPDX-License-Identifier: MIT */
/* framing.h - how bytes on a file descriptor are cut into chunks and joined again. */
#ifndef CLI_FRAMING_H
#define CLI_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum framing_kind { FRAMING_RAW, FRAMING_LINE, FRAMING_NUL, FRAMING_LEN32, FRAMING_FIXED };

struct framing {
	enum framing_kind kind;
	uint32_t fixed; /* bytes in a record of FRAMING_FIXED */
};

/* Reads raw, line, nul, len32 or fixed:N; an option_take_fn for a struct framing. */
bool framing_take(void *to, const char *text);

/* The row of a verb that cuts its input, with @f, a struct framing of static storage. */
#define FRAMING_OPTION_IN(f)                                                              \
	{                                                                                 \
		.name = "frame", .kind = OPTION_OWN, .arg = "raw|line|nul|len32|fixed:N", \
		.to = &(f), .take = framing_take,                                         \
		.help = "what a chunk is: what one read(2) gives (raw, the default);\n"   \
			"or one record, so that records of many writers do not mix"       \
	}
/* The row of a verb that puts chunks out. */
#define FRAMING_OPTION_OUT(f)                                                             \
	{                                                                                 \
		.name = "frame", .kind = OPTION_OWN, .arg = "raw|line|nul|len32|fixed:N", \
		.to = &(f), .take = framing_take,                                         \
		.help = "what is put around chunks: nothing (raw, fixed), a newline\n"    \
			"(line) or a zero (nul) behind, the length before (len32)"        \
	}

/* Writes @chunk to @fd as the framing joins it, all of it. Returns 0 or -errno. */
int framing_put(const struct framing *framing, int fd, const void *chunk, size_t len);

/* ---- Cutting: a buffer of input, from which records are taken one by one. ---- */

struct cut {
	struct framing framing;
	uint32_t record_max;
	char *bytes;
	size_t cap;
	size_t start, end; /* what is in it and was not taken yet */
	size_t seen; /* up to here there is no separator */
};

enum cut_result {
	CUT_RECORD, /* a record was taken */
	CUT_MORE, /* none is whole yet: add input */
	CUT_END, /* nothing is left, and no more comes */
	CUT_LARGE, /* the next record is larger than record_max */
	CUT_SHORT, /* the input ended inside a record that says its own length */
};

/* Returns 0 or -ENOMEM. */
int cut_init(struct cut *cut, const struct framing *framing, uint32_t record_max);
void cut_fini(struct cut *cut);

/* Where to put more input: at least 64 KiB of room, if every whole record has been taken. */
char *cut_room(struct cut *cut, size_t *roomp);
/* Says that @n bytes were put there. */
void cut_added(struct cut *cut, size_t n);

/*
 * Takes the next record, in place, good until cut_room; @at_end says that no more input comes. On
 * CUT_LARGE *@lenp is the record's size as far as it is known, and *@known whether that is all.
 */
enum cut_result cut_next(struct cut *cut, bool at_end, const char **recordp, size_t *lenp,
			 bool *known);
/* Drops everything up to the separator, for counting a record too large: bytes dropped of it. */
size_t cut_skip(struct cut *cut, bool *found);

#endif
