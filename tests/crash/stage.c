/* SPDX-License-Identifier: MIT */
/*
 * stage.c - what the scenes of several files need: chunks that say what they are, and the judgements
 * on a dead writer and on a reader that is gone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "stage.h"

void chunk_make(unsigned char *buf, uint32_t len, uint64_t id)
{
	for (uint32_t i = 0; i < len; i++)
		buf[i] = (unsigned char)(id * 31 + i);
	memcpy(buf, &id, sizeof(id));
}

bool chunk_is(const unsigned char *buf, uint32_t len, uint64_t id)
{
	unsigned char want[CHUNK_LIMIT];

	chunk_make(want, len, id);
	return memcmp(buf, want, len) == 0;
}

void expect(struct stage *st, int rc, int want, unsigned line)
{
	if (rc == want)
		return;
	atomic_store(&st->record->failed, rc);
	atomic_store(&st->record->line, line);
}

char wrong[200];

/* The second writer goes on and goes: nobody the victim left behind may keep it from that. */
static const char *second_goes_on(struct stage *st, uint64_t *n_second)
{
	unsigned char buf[CHUNK_LIMIT];

	if (st->second == NULL)
		return NULL;
	chunk_make(buf, st->scene->len, SECOND_ID);
	int rc = bstream_write(st->second, buf, st->scene->len, BSTREAM_DONT_WAIT);
	if (rc == 0)
		*n_second = 1;
	else if (rc != -EAGAIN)
		return WRONG("the second writer's write says %d", rc);
	bstream_writer_close(st->second);
	st->second = NULL;
	return NULL;
}

/* Take all there is, checking each chunk. @n: of the victim's. Returns the last result. */
static int take_all(struct stage *st, uint64_t *n, uint64_t *n_second, const char **bad)
{
	unsigned char buf[CHUNK_LIMIT];
	uint64_t filled = 0;
	size_t len;
	int rc;

	*bad = NULL;
	while ((rc = bstream_read(st->reader, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT)) == 1) {
		uint64_t id;

		memcpy(&id, buf, sizeof(id));
		if (len != st->scene->len || !chunk_is(buf, (uint32_t)len, id))
			*bad = WRONG("a torn chunk, id %llu", (unsigned long long)id);
		else if (id >= 2 * SECOND_ID && id == 2 * SECOND_ID + filled)
			filled++;
		else if (id == SECOND_ID)
			++*n_second;
		else if (id == *n + 1)
			++*n;
		else
			*bad = WRONG("chunk %llu after %llu", (unsigned long long)id,
				     (unsigned long long)*n);
	}
	if (filled != st->filled && *bad == NULL)
		*bad = WRONG("%llu of %llu chunks from before", (unsigned long long)filled,
			     (unsigned long long)st->filled);
	return rc;
}

const char *judge_writer(struct stage *st)
{
	uint64_t n = 0, n_second = 0, sent = 0;
	const char *bad = second_goes_on(st, &sent);

	if (bad != NULL)
		return bad;
	int rc = take_all(st, &n, &n_second, &bad);
	if (bad != NULL)
		return bad;
	uint64_t begun = atomic_load(&st->record->begun), done = atomic_load(&st->record->done);
	if (n < done || n > begun)
		return WRONG("%llu chunks read, %llu begun, %llu done", (unsigned long long)n,
			     (unsigned long long)begun, (unsigned long long)done);
	if (n_second != sent)
		return WRONG("%llu chunks of the second writer", (unsigned long long)n_second);
	bool closed = atomic_load(&st->record->closed), closing = atomic_load(&st->record->closing);
	if (rc != -ECONNRESET && !(rc == 0 && closing))
		return WRONG("the end is %d", rc);
	if (rc != 0 && closed)
		return WRONG("the end is %d after a close", rc);
	return NULL;
}

/* The parent's writer learns that the reader is gone, whatever the victim was doing. */
const char *judge_reader(struct stage *st)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	unsigned char buf[CHUNK_LIMIT] = { 0 };

	bstream_writer_stat(st->writer, &stat);
	if ((stat.flags & BSTREAM_BROKEN) == 0)
		return WRONG("not broken");
	int rc = bstream_write(st->writer, buf, st->scene->len, BSTREAM_DONT_WAIT);
	if (rc != -EPIPE)
		return WRONG("a write says %d", rc);
	if (st->second != NULL &&
	    (rc = bstream_write(st->second, buf, st->scene->len, 0)) != -EPIPE)
		return WRONG("the second writer's write says %d", rc);
	return NULL;
}
