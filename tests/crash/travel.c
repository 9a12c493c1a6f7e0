/* SPDX-License-Identifier: MIT */
/*
 * travel.c - scenes of ends that change hands: sent, received, detached, attached, parked, kept, taken
 * by name; and of names that are made and removed. The ring has come round, chunks are in flight and
 * a writer is blocked while it happens.
 *
 * What must hold: the end has exactly one owner, who finds the first chunk that was not released; or
 * it is gone, and every writer is told. Where it lies in a message still, the parent is its owner.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage.h"

static unsigned char chunk_one[CHUNK_LIMIT], chunk_two[CHUNK_LIMIT], chunk_three[CHUNK_LIMIT];

void act_prepare(struct stage *st)
{
	chunk_make(chunk_one, st->scene->len, 1);
	chunk_make(chunk_two, st->scene->len, 2);
	chunk_make(chunk_three, st->scene->len, 3);
}

/* ---- acts ----------------------------------------------------------------------------------- */

static void write_one(struct stage *st, struct bstream_writer *w)
{
	atomic_store(&st->record->begun, 1);
	EXPECT(bstream_write(w, chunk_one, st->scene->len, BSTREAM_DONT_WAIT), 0);
	atomic_store(&st->record->done, 1);
}

static void act_write_close(struct stage *st, void *end)
{
	write_one(st, end);
	atomic_store(&st->record->closing, 1);
	bstream_writer_close(end);
	atomic_store(&st->record->closed, 1);
}

static void act_write_many(struct stage *st, void *end)
{
	size_t len = st->scene->len;
	struct iovec several[3] = { { chunk_one, len }, { chunk_two, len }, { chunk_three, len } };

	atomic_store(&st->record->begun, 3);
	EXPECT(bstream_write_many(end, several, 3, BSTREAM_DONT_WAIT), 3);
	atomic_store(&st->record->done, 3);
}

static void act_release_many(struct stage *st, void *end)
{
	struct iovec several[3];

	EXPECT(bstream_peek_many(end, several, 3, BSTREAM_DONT_WAIT), 3);
	atomic_store(&st->record->begun, 2);
	EXPECT(bstream_release_many(end, 2), 0);
	atomic_store(&st->record->done, 2);
}

static void act_send_reader(struct stage *st, void *end)
{
	release_one(st, end);
	EXPECT(bstream_reader_send(st->socket[1], end), 0);
}

static void act_send_writer(struct stage *st, void *end)
{
	write_one(st, end);
	EXPECT(bstream_writer_send(st->socket[1], end), 0);
}

static void act_recv_reader(struct stage *st, void *none)
{
	struct bstream_reader *r;

	(void)none;
	EXPECT(bstream_reader_recv(st->socket[1], &r), 0);
	release_one(st, r);
}

static void act_recv_writer(struct stage *st, void *none)
{
	struct bstream_writer *w;

	(void)none;
	EXPECT(bstream_writer_recv(st->socket[1], &w), 0);
	write_one(st, w);
	atomic_store(&st->record->closing, 1);
	bstream_writer_close(w);
	atomic_store(&st->record->closed, 1);
}

/* The second victim, at the other end of a socket in which there may be nothing yet. */
static void other_recv_reader(struct stage *st)
{
	struct bstream_reader *r;
	int rc = bstream_reader_recv(st->socket[0], &r);

	if (rc != -EAGAIN)
		EXPECT(rc, 0);
}

static void other_recv_writer(struct stage *st)
{
	struct bstream_writer *w;
	int rc = bstream_writer_recv(st->socket[0], &w);

	if (rc == -EAGAIN)
		return;
	EXPECT(rc, 0);
	atomic_store(&st->record->closing, 1);
	bstream_writer_close(w);
	atomic_store(&st->record->closed, 1);
}

/* From the descriptor to the handle and back, twice. */
static void act_detach_attach(struct stage *st, void *none)
{
	struct bstream_reader *r;

	(void)none;
	EXPECT(bstream_reader_attach(st->fd, &r), 0);
	release_one(st, r);
	int fd = bstream_reader_detach(r);
	EXPECT(bstream_reader_attach(fd, &r), 0);
	EXPECT(bstream_reader_send(st->socket[1], r), 0);
}

static void act_park(struct stage *st, void *end)
{
	release_one(st, end);
	EXPECT(bstream_reader_park(end), 0);
	atomic_store(&st->record->closed, 1);
}

static void act_release(struct stage *st, void *end)
{
	release_one(st, end);
}

static void act_release_close(struct stage *st, void *end)
{
	release_one(st, end);
	bstream_reader_close(end);
}

static void act_open_reader(struct stage *st, void *none)
{
	struct bstream_reader *r;

	(void)none;
	atomic_store(&st->record->closing, 1); /* from here on it may be the owner */
	EXPECT(bstream_open_reader(STREAM_NAME, BSTREAM_DONT_WAIT, &r), 0);
	release_one(st, r);
}

static void act_open_park(struct stage *st, void *none)
{
	struct bstream_reader *r;

	(void)none;
	EXPECT(bstream_open_reader(STREAM_NAME, BSTREAM_DONT_WAIT, &r), 0);
	act_park(st, r);
}

static void act_open_writer(struct stage *st, void *none)
{
	struct bstream_writer *w;

	(void)none;
	EXPECT(bstream_open_writer(STREAM_NAME, BSTREAM_DONT_WAIT, &w), 0);
	write_one(st, w);
	atomic_store(&st->record->closing, 1);
	bstream_writer_close(w);
	atomic_store(&st->record->closed, 1);
}

#define OTHER_NAME "made-by-the-victim"

static void act_create(struct stage *st, void *none)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	(void)none;
	o.capacity = 1;
	o.chunk_max = 64;
	EXPECT(bstream_create(OTHER_NAME, &o), 0);
	atomic_store(&st->record->done, 1);
}

static void act_remove(struct stage *st, void *none)
{
	(void)none;
	EXPECT(bstream_remove(STREAM_NAME), 0);
	atomic_store(&st->record->done, 1);
}

static void act_eof(struct stage *st, void *none)
{
	(void)none;
	EXPECT(bstream_eof(STREAM_NAME), 0);
	atomic_store(&st->record->done, 1);
}

/* ---- judges --------------------------------------------------------------------------------- */

/* Sent and not received, or received and gone with its owner. */
static const char *judge_sent_reader(struct stage *st)
{
	int rc = bstream_reader_recv(st->socket[st->scene->from_socket ? 1 : 0], &st->reader);

	if (rc == 0)
		return judge_owner(st);
	return rc == -EAGAIN ? judge_gone(st) : WRONG("recv says %d", rc);
}

static const char *judge_sent_writer(struct stage *st)
{
	struct bstream_writer *w;
	int rc = bstream_writer_recv(st->socket[st->scene->from_socket ? 1 : 0], &w);

	if (rc < 0 && rc != -EAGAIN)
		return WRONG("recv says %d", rc);
	if (rc == 0) {
		bstream_writer_close(w);
		atomic_store(&st->record->closing, 1);
		atomic_store(&st->record->closed, 1);
	}
	return judge_writer(st);
}

/* By name: who comes next is the owner, unless the read end may be gone, and then it is for good. */
static const char *judge_next(struct stage *st, bool may_be_gone)
{
	int rc = bstream_open_reader(STREAM_NAME, BSTREAM_DONT_WAIT, &st->reader);

	if (rc == 0)
		return judge_owner(st);
	if (may_be_gone && (rc == -EPIPE || rc == -ENOENT))
		return judge_gone(st);
	return WRONG("the next opener gets %d", rc);
}

static const char *judge_kept(struct stage *st)
{
	return judge_next(st, false);
}

/* In the message or back at its name. */
static const char *judge_kept_sent(struct stage *st)
{
	int rc = bstream_reader_recv(st->socket[0], &st->reader);

	if (rc == 0)
		return judge_owner(st);
	return rc == -EAGAIN ? judge_kept(st) : WRONG("recv says %d", rc);
}

static const char *judge_parked(struct stage *st)
{
	return judge_next(st, atomic_load(&st->record->closed) == 0);
}

/* Until the opener began nobody was there to die. */
static const char *judge_taken(struct stage *st)
{
	return judge_next(st, atomic_load(&st->record->closing) != 0);
}

/* A writer that may have died before it was one: then the stream ends as if it had never been. */
static const char *judge_opened_writer(struct stage *st)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };
	bool begun = atomic_load(&st->record->begun) != 0;
	const char *bad;

	bstream_writer_close(st->writer);
	st->writer = NULL;
	/* The broker may be about to close its copy of what it has just sent. When it answers us, it has. */
	int rc = bstream_broker_stat(&stat);
	if (rc != 0)
		return WRONG("the broker says %d", rc);
	bad = judge_writer(st);
	return bad != NULL && !begun && strcmp(bad, "the end is 0") == 0 ? NULL : bad;
}

static unsigned n_segments(void)
{
	DIR *dir = opendir("/dev/shm");
	const struct dirent *e;
	unsigned n = 0;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		n += strncmp(e->d_name, "bstream.new", 11) == 0;
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* The name is there, whole, or it is not. */
static const char *judge_create(struct stage *st)
{
	int made = bstream_create(OTHER_NAME, NULL);
	int removed = bstream_remove(OTHER_NAME);

	if (made != 0 && made != -EEXIST)
		return WRONG("create says %d", made);
	if (made == 0 && atomic_load(&st->record->done) != 0)
		return WRONG("what was created is not there");
	if (removed != 0)
		return WRONG("remove says %d", removed);
	if (n_segments() != 0)
		return WRONG("a segment without a name is left");
	return NULL;
}

static const char *judge_remove(struct stage *st)
{
	int rc = bstream_remove(STREAM_NAME);

	if (rc != -ENOENT && (rc != 0 || atomic_load(&st->record->done) != 0))
		return WRONG("a second remove says %d", rc);
	return judge_gone(st); /* parked, and nobody can come */
}

static const char *judge_eof(struct stage *st)
{
	bool done = atomic_load(&st->record->done) != 0;
	struct bstream_reader *r;
	uint64_t id;
	int rc = bstream_open_reader(STREAM_NAME, BSTREAM_DONT_WAIT, &r);

	if (rc != 0)
		return WRONG("open_reader says %d", rc);
	st->reader = r;
	bstream_writer_close(st->writer);
	st->writer = NULL;
	for (uint64_t i = 0; i < st->filled; i++)
		if ((rc = read_id(st, &id)) != 1 || id != 2 * SECOND_ID + i)
			return WRONG("chunk %llu is %d", (unsigned long long)i, rc);
	const void *chunk;
	size_t len;
	rc = bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT);
	if (rc != 0 && (rc != -EAGAIN || done))
		return WRONG("the end is %d", rc);
	return NULL;
}

/* ---- the scenes ----------------------------------------------------------------------------- */

/* Three times round and full, with a writer waiting for room. */
#define BUSY .capacity = 4, .passed = 13, .filled = 4, .len = 64, .blocked = true
#define CALM .capacity = 4, .passed = 13, .filled = 2, .len = 64
#define IDLE .capacity = 4, .passed = 13, .len = 64, .named = true, .awaited = true

/* clang-format off */
const struct scene scenes[] = {
	{ .name = "a reader is sent", BUSY, .victim_reads = true,
	  .act = act_send_reader, .judge = judge_sent_reader },
	{ .name = "a reader is received", BUSY, .victim_reads = true, .from_socket = true,
	  .act = act_recv_reader, .judge = judge_sent_reader },
	{ .name = "a reader is sent and received", BUSY, .victim_reads = true,
	  .act = act_send_reader, .other = other_recv_reader, .judge = judge_sent_reader },
	{ .name = "a reader is detached and attached", BUSY, .victim_reads = true, .from_attach = true,
	  .act = act_detach_attach, .judge = judge_sent_reader },
	{ .name = "a writer is sent", CALM, .second = true,
	  .act = act_send_writer, .judge = judge_sent_writer },
	{ .name = "a lone writer is sent", CALM,
	  .act = act_send_writer, .judge = judge_sent_writer },
	{ .name = "a writer is received", CALM, .second = true, .from_socket = true,
	  .act = act_recv_writer, .judge = judge_sent_writer },
	{ .name = "a writer is sent and received", CALM, .second = true,
	  .act = act_send_writer, .other = other_recv_writer, .judge = judge_sent_writer },
	{ .name = "a reader parks", BUSY, .victim_reads = true, .named = true,
	  .act = act_park, .judge = judge_parked },
	{ .name = "a kept reader reads", BUSY, .victim_reads = true, .named = true,
	  .keep = BSTREAM_KEEP_READER, .act = act_release, .judge = judge_kept },
	{ .name = "a kept reader closes", BUSY, .victim_reads = true, .named = true,
	  .keep = BSTREAM_KEEP_READER, .act = act_release_close, .judge = judge_kept },
	{ .name = "a kept reader is sent", BUSY, .victim_reads = true, .named = true,
	  .keep = BSTREAM_KEEP_READER, .act = act_send_reader, .judge = judge_kept_sent },
	{ .name = "a kept read end is taken", BUSY, .victim_reads = true, .named = true,
	  .from_name = true, .keep = BSTREAM_KEEP_READER, .act = act_open_reader,
	  .judge = judge_kept },
	{ .name = "a parked read end is taken", BUSY, .victim_reads = true, .named = true,
	  .from_name = true, .act = act_open_reader, .judge = judge_taken },
	{ .name = "a kept read end is taken and parked", BUSY, .victim_reads = true, .named = true,
	  .from_name = true, .keep = BSTREAM_KEEP_READER, .act = act_open_park,
	  .judge = judge_kept },
	{ .name = "a write end is opened by name", CALM, .named = true, .from_name = true,
	  .act = act_open_writer, .judge = judge_opened_writer },
	{ .name = "a stream is created", CALM, .named = true, .from_name = true,
	  .act = act_create, .judge = judge_create },
	{ .name = "a parked stream is removed", BUSY, .victim_reads = true, .named = true,
	  .from_name = true, .keep = BSTREAM_KEEP_READER, .act = act_remove,
	  .judge = judge_remove },
	{ .name = "a kept reader releases several", BUSY, .victim_reads = true, .named = true,
	  .keep = BSTREAM_KEEP_READER, .act = act_release_many, .judge = judge_kept },
	{ .name = "a writer writes to a reader that waits, and closes", IDLE,
	  .act = act_write_close, .judge = judge_awaited },
	{ .name = "a writer writes several to a reader that waits", IDLE,
	  .act = act_write_many, .judge = judge_awaited },
	{ .name = "a writer writes to a reader that waits, sealed", IDLE, .sealed = true,
	  .act = act_write_close, .judge = judge_awaited },
	{ .name = "kept writers are given up", CALM, .victim_reads = true, .named = true,
	  .from_name = true, .keep = BSTREAM_KEEP_WRITERS, .act = act_eof, .judge = judge_eof },
};
/* clang-format on */
const unsigned n_scenes = sizeof(scenes) / sizeof(scenes[0]);

const char *scenes_begin(void)
{
	return broker_begin();
}

unsigned scenes_end(void)
{
	return broker_end();
}
