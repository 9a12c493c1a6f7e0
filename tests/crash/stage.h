/* SPDX-License-Identifier: MIT */
/*
 * stage.h - a scene: what a victim does, and what must be true after it was killed at any instruction
 * of it. scenes.c, travel.c and mail.c have the scenes, kill.c the killing.
 */
#ifndef STAGE_H
#define STAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bstream.h"

/* What the victim tells, in memory that outlives it. */
struct record {
	_Atomic uint64_t begun, done; /* chunks: before and after each call */
	_Atomic uint64_t heard; /* chunks that the sleeping reader has read, in their order */
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
	int fd; /* the victim's end, detached; -1: it has none */
	int socket[2]; /* [0] the parent's, [1] the victim's */
	pid_t blocked; /* a process that waits for room, or for a chunk; 0: there is none */
	int poll_fd; /* of a scene that polls */
	uint64_t filled; /* chunks of the parent's, written before */
};

struct scene {
	const char *name;
	uint32_t capacity;
	uint32_t passed; /* chunks that were written and read before: the ring has come round */
	uint32_t filled; /* chunks in the stream before the victim acts */
	uint32_t len; /* bytes a chunk */
	uint32_t keep; /* of a named stream */
	bool named; /* the stream has a name, STREAM_NAME */
	bool sealed;
	bool second; /* another writer is there, alive */
	bool blocked; /* and one more that waits for room in the full stream, in a process of its own */
	bool awaited; /* the read end is in a process of its own, which waits for chunks to the end */
	uint32_t
		warm; /* chunks that the victim writes before its act: the next goes the short way */
	bool clocked; /* the victim's clock stands still, but for sleeps: those take no time */
	bool polls; /* the parent polls its own end, and was refused before the victim acts */
	bool victim_reads;
	bool from_attach; /* the attaching is part of what is stepped through */
	bool from_name; /* the victim has no end but opens one, or makes the stream */
	bool from_socket; /* the victim's end lies in its socket, in a message */
	bool from_mailbox; /* or will lie in a mailbox: prepare makes that, ready sends it there */
	void (*prepare)(struct stage *st,
			bool other); /* in a victim before its first step, or NULL */
	void (*ready)(struct stage *st); /* in the parent, when the victims are there; or NULL */
	void (*act)(struct stage *st, void *end);
	void (*other)(struct stage *st); /* a second victim, at the other end of the socket */
	const char *(*moment)(struct stage *st); /* before the kill, or NULL */
	const char *(*judge)(struct stage *st); /* NULL: right; else what is wrong */
};

extern const struct scene scenes[];
extern const unsigned n_scenes;

/* Before the first scene and behind the last. scenes_begin gives what the scenes cannot do without
 * and is not there, or NULL. */
const char *scenes_begin(void);

/* How many segments are left behind. */
unsigned scenes_end(void);

/* In the victim, before its first step. */
void act_prepare(struct stage *st);

/* Chunk number @id, of @len bytes, in @buf; and whether @buf is that. */
void chunk_make(unsigned char *buf, uint32_t len, uint64_t id);
bool chunk_is(const unsigned char *buf, uint32_t len, uint64_t id);

/* In a victim: a result that is not the one wanted is told to the parent. */
void expect(struct stage *st, int rc, int want, unsigned line);
#define EXPECT(rc, want) expect(st, (rc), (want), __LINE__)

/* In the parent: what is wrong, as a judge returns it. */
extern char wrong[200];
#define WRONG(...) (snprintf(wrong, sizeof(wrong), __VA_ARGS__), wrong)

/* The victim wrote: what it committed is read, what it began may be, and the end tells of it. */
const char *judge_writer(struct stage *st);

/* The victim read: every writer learns that the reader is gone. */
const char *judge_reader(struct stage *st);

/* Likewise, and the blocked writer: nobody is left waiting. */
const char *judge_gone(struct stage *st);

/* The read end is the parent's now: nothing is lost, nothing but an unreleased chunk comes again, and
 * whoever waited for room goes on. */
const char *judge_owner(struct stage *st);

/* The victim slept, or was about to, beside a blocked writer: that one goes on as soon as there is
 * room, and the reader is told of the death behind all chunks. */
const char *judge_beside(struct stage *st);

/* The victim wrote to a reader that slept: he has what was committed, and then the end. */
const char *judge_awaited(struct stage *st);

/* In the victim: take one chunk, and say when. */
void release_one(struct stage *st, struct bstream_reader *r);

/* In the parent: its reader's next chunk, checked. As bstream_read. */
int read_id(struct stage *st, uint64_t *idp);

/* For scenes_begin() and scenes_end() where there are names: a runtime directory, and so a broker, of
 * their own. */
const char *broker_begin(void);

/* How many segments of it are left behind. */
unsigned broker_end(void);

#define STREAM_NAME "scene"
#define PATIENCE_MS 20000
#define CHUNK_LIMIT 8192u
#define SECOND_ID   1000000u /* ids of the second writer's chunks start here */

#endif
