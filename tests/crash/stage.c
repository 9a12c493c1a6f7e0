/* SPDX-License-Identifier: MIT */
/*
 * stage.c - what the scenes of several files need: chunks that say what they are, the judgements on a
 * dead writer, on a reader that is gone and on one that has a new owner, and a broker of their own.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/meeting.h"
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

void release_one(struct stage *st, struct bstream_reader *r)
{
	const void *chunk;
	size_t len;

	EXPECT(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), 1);
	atomic_store(&st->record->begun, 1);
	EXPECT(bstream_release(r), 0);
	atomic_store(&st->record->done, 1);
}

/* What the blocked writer's call gave. */
static int blocked_result(struct stage *st)
{
	int status;

	if (waitpid(st->blocked, &status, 0) < 0)
		return -ECHILD;
	st->blocked = 0;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int read_id(struct stage *st, uint64_t *idp)
{
	unsigned char buf[CHUNK_LIMIT];
	size_t len = 0;
	int rc = bstream_read(st->reader, buf, sizeof(buf), &len, bstream_after_ms(PATIENCE_MS));

	if (rc != 1)
		return rc;
	memcpy(idp, buf, sizeof(*idp));
	return len == st->scene->len && chunk_is(buf, (uint32_t)len, *idp) ? 1 : -EBADMSG;
}

const char *judge_owner(struct stage *st)
{
	uint64_t from = atomic_load(&st->record->done), begun = atomic_load(&st->record->begun);
	static const unsigned char none[CHUNK_LIMIT];
	uint64_t id = 0;
	int rc = read_id(st, &id);

	if (rc != 1)
		return WRONG("the first chunk is %d", rc);
	if (id == 2 * SECOND_ID + begun)
		from = begun;
	for (uint64_t i = from; i < st->filled; i++) {
		if (id != 2 * SECOND_ID + i)
			return WRONG("chunk %llu in place of %llu", (unsigned long long)id,
				     (unsigned long long)(2 * SECOND_ID + i));
		if (i + 1 < st->filled && (rc = read_id(st, &id)) != 1)
			return WRONG("the next chunk is %d", rc);
	}
	if (st->blocked != 0) {
		rc = read_id(st, &id);
		if (rc != 1 || id != SECOND_ID)
			return WRONG("what the blocked writer wrote is %d, %llu", rc,
				     (unsigned long long)id);
		rc = blocked_result(st);
		if (rc != 0)
			return WRONG("the blocked writer got %d", rc);
	}
	rc = bstream_write(st->writer, none, st->scene->len, BSTREAM_DONT_WAIT);
	return rc == 0 ? NULL : WRONG("a write says %d", rc);
}

const char *judge_beside(struct stage *st)
{
	uint64_t id = 0;
	int rc;

	for (uint64_t i = 0; i < st->filled; i++)
		if ((rc = read_id(st, &id)) != 1 || id != 2 * SECOND_ID + i)
			return WRONG("chunk %llu is %d", (unsigned long long)i, rc);
	rc = read_id(st, &id);
	if (rc != 1 || id != SECOND_ID)
		return WRONG("what the blocked writer wrote is %d", rc);
	rc = blocked_result(st);
	if (rc != 0)
		return WRONG("the blocked writer got %d", rc);
	rc = read_id(st, &id);
	return rc == -ECONNRESET ? NULL : WRONG("the end is %d", rc);
}

const char *judge_awaited(struct stage *st)
{
	bool closing = atomic_load(&st->record->closing), closed = atomic_load(&st->record->closed);
	int rc = blocked_result(st);
	uint64_t n = atomic_load(&st->record->heard);

	if (n < atomic_load(&st->record->done) || n > atomic_load(&st->record->begun))
		return WRONG("%llu chunks read", (unsigned long long)n);
	if (rc == -ECONNRESET && !closed)
		return NULL;
	return rc == 0 && closing ? NULL : WRONG("the end is %d", rc);
}

const char *judge_gone(struct stage *st)
{
	const char *bad = judge_reader(st);

	if (bad != NULL || st->blocked == 0)
		return bad;
	int rc = blocked_result(st);
	if (rc == -EPIPE || (rc == 0 && atomic_load(&st->record->begun) != 0))
		return NULL;
	return WRONG("the blocked writer got %d", rc);
}

/* ---- a broker ------------------------------------------------------------------------------- */

static char dir[] = "/tmp/bstream-test.XXXXXX";

const char *broker_begin(void)
{
	const char *daemon = getenv("BSTREAM_DAEMON");

	if (daemon == NULL || access(daemon, X_OK) != 0)
		return "BSTREAM_DAEMON is not a program";
	if (mkdtemp(dir) == NULL)
		return "no directory of its own";
	setenv("XDG_RUNTIME_DIR", dir, 1);
	unsetenv("BSTREAM_SOCKET");
	return NULL;
}

static unsigned n_segments(void)
{
	char path[BS_SOCKET_PATH], prefix[64];
	DIR *shm = opendir("/dev/shm");
	const struct dirent *e;
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/bstream/broker.sock", dir);
	if (shm == NULL || bs_meeting_prefix(prefix, sizeof(prefix), path) < 0)
		return 1;
	while ((e = readdir(shm)) != NULL)
		n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	closedir(shm);
	return n;
}

unsigned broker_end(void)
{
	char inner[64];

	bstream_broker_stop();
	unsigned n = n_segments();
	snprintf(inner, sizeof(inner), "%s/bstream", dir);
	rmdir(inner);
	if (rmdir(dir) < 0)
		printf("# %s is left behind\n", dir);
	return n;
}
