/* SPDX-License-Identifier: MIT */
/*
 * stage.h - a scene: what a victim does, and what must be true after it was killed at any instruction
 * of it. scenes.c has the scenes, kill.c the killing.
 */
#ifndef STAGE_H
#define STAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bstream.h"

/* What the victim tells, in memory that outlives it. */
struct record {
	_Atomic uint64_t begun, done; /* chunks: before and after each call */
	_Atomic uint32_t closing, closed;
	_Atomic int32_t failed; /* a result the victim did not expect */
	_Atomic uint32_t line;
};

struct stage {
	const struct scene *scene;
	struct record *record;
	struct bstream_writer *writer; /* what the parent holds; NULL if the victim has it */
	struct bstream_writer *second;
	struct bstream_reader *reader;
	int fd; /* the victim's end, detached */
	int socket[2]; /* [0] the parent's, [1] the victim's */
	uint64_t filled; /* chunks of the parent's, written before */
};

struct scene {
	const char *name;
	uint32_t capacity;
	uint32_t filled; /* chunks in the stream before the victim acts */
	uint32_t len; /* bytes a chunk */
	bool second; /* another writer is there, alive */
	bool victim_reads;
	bool from_attach; /* the attaching is part of what is stepped through */
	void (*act)(struct stage *st, void *end);
	const char *(*judge)(struct stage *st); /* NULL: right; else what is wrong */
};

extern const struct scene scenes[];
extern const unsigned n_scenes;

/* In the victim, before its first step. */
void act_prepare(struct stage *st);

/* Chunk number @id, of @len bytes, in @buf; and whether @buf is that. */
void chunk_make(unsigned char *buf, uint32_t len, uint64_t id);
bool chunk_is(const unsigned char *buf, uint32_t len, uint64_t id);

#define CHUNK_LIMIT 8192u
#define SECOND_ID   1000000u /* ids of the second writer's chunks start here */

#endif
