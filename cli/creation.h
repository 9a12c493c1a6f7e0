/* SPDX-License-Identifier: MIT */
/* creation.h - the options that say what a new stream is like, for every verb that makes one. */
#ifndef CLI_CREATION_H
#define CLI_CREATION_H

#include "bstream.h"
#include "options.h"

struct creation {
	uint32_t capacity, chunk_max, max_writers, keep, mode, gid;
	bool sealed;
};

#define CREATION_INIT                                                               \
	{                                                                           \
		.capacity = 16, .chunk_max = 65536, .max_writers = 64, .mode = 0600 \
	}

/* Reads reader|writers|both; nothing means both. */
bool creation_take_keep(void *to, const char *text);
/* Reads octal permission bits. */
bool creation_take_mode(void *to, const char *text);

/* Reads a group, by name or number. */
bool creation_take_group(void *to, const char *text);

/* The rows of a stream with or without a name, with @c, a struct creation of static storage. */
#define CREATION_PAIR_OPTIONS(c)                                                              \
	{ .name = "capacity",                                                                 \
	  .kind = OPTION_NUMBER,                                                              \
	  .arg = "N",                                                                         \
	  .to = &(c).capacity,                                                                \
	  .help = "chunks in flight at most (default 16)" },                                  \
		{ .name = "chunk-max",                                                        \
		  .kind = OPTION_SIZE32,                                                      \
		  .arg = "SIZE",                                                              \
		  .to = &(c).chunk_max,                                                       \
		  .help = "bytes in the largest chunk (default 64K)" },                       \
		{ .name = "max-writers",                                                      \
		  .kind = OPTION_NUMBER,                                                      \
		  .arg = "N",                                                                 \
		  .to = &(c).max_writers,                                                     \
		  .help = "writers open at once at most (default 64)" },                      \
	{                                                                                     \
		.name = "sealed", .to = &(c).sealed, .help = "for peers that are not trusted" \
	}

/* The rows of a stream with a name. */
#define CREATION_OPTIONS(c)                                                          \
	CREATION_PAIR_OPTIONS(c),                                                    \
		{ .name = "keep",                                                    \
		  .kind = OPTION_OWN,                                                \
		  .optional = true,                                                  \
		  .arg = "reader|writers|both",                                      \
		  .to = &(c).keep,                                                   \
		  .take = creation_take_keep,                                        \
		  .help = "reader: a read end that is left goes back to its name\n"  \
			  "writers: no end before bstreamctl eof; alone: both" },    \
		{ .name = "mode",                                                    \
		  .kind = OPTION_OWN,                                                \
		  .arg = "OCTAL",                                                    \
		  .to = &(c).mode,                                                   \
		  .take = creation_take_mode,                                        \
		  .help = "who may open it by name (default 0600)" },                \
	{                                                                            \
		.name = "group", .kind = OPTION_OWN, .arg = "GROUP", .to = &(c).gid, \
		.take = creation_take_group,                                         \
		.help = "the group that --mode speaks of (default: your own)"        \
	}

/* What the library is to be asked for. */
struct bstream_options creation_options(const struct creation *creation);

#endif
