/* SPDX-License-Identifier: MIT */
/*
 * check_scribble.c - a peer that has attached and writes what it likes, as fast as it can, while others
 * use the stream. They may get errors. They may not crash (a sanitizer looks on in its builds), wait
 * past their deadlines, get a result that is not documented, or harm another stream.
 *
 * What a stream promises depends on its kind (SECURITY.md): in one that is not sealed the peer spares the
 * insides of the semaphores and the file's size; in a sealed one it spares nothing.
 */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "lib/handle.h"
#include "tests/guard.h"
#include "tests/hostile/peer.h"

#define CAPACITY  256u
#define CHUNK_MAX 5000u
#define WAIT_MS	  5
#define ROUNDS	  12u
#define PAST_MS	  5000 /* how much later than its deadline a call may come back on a busy machine */

static unsigned char scratch[CHUNK_MAX];

/* ---- the others ----------------------------------------------------------------------------- */

static uint64_t began;

/* A call with a deadline WAIT_MS away has come back: in time, and with one of these. */
static void came_back(const char *what, int rc, const int *documented, size_t n)
{
	uint64_t took = bs_now() - began;

	if (took > BS_MS(WAIT_MS + PAST_MS * guard_slowness()))
		guard_fail(__FILE__, __LINE__, "%s took %llu ms", what,
			   (unsigned long long)(took / 1000000));
	for (size_t i = 0; i < n; i++)
		if (documented[i] == rc)
			return;
	guard_fail(__FILE__, __LINE__, "%s gave %d", what, rc);
}

#define IN_TIME(call, ...)                                                     \
	do {                                                                   \
		began = bs_now();                                              \
		int rc_ = (call);                                              \
		came_back(#call, rc_, (const int[]){ __VA_ARGS__ },            \
			  sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int)); \
	} while (0)

#define SEVERAL 5 /* chunks in one call */
#define WRITES	0, -EPIPE, -EAGAIN, -ETIMEDOUT, -EPROTO
#define READS	1, 0, -ECONNRESET, -EAGAIN, -ETIMEDOUT, -EPROTO
#define ARRIVES 0, -EPROTO, -EPROTONOSUPPORT, -EPIPE, -ETIMEDOUT, -EAGAIN, -ENOMEM

static uint64_t soon(void)
{
	return bstream_after_ms(WAIT_MS);
}

static void writer_uses_many(struct bstream_writer *w, size_t len)
{
	struct iovec several[SEVERAL];
	void *span;
	int rc;

	for (int i = 0; i < SEVERAL; i++)
		several[i] = (struct iovec){ scratch, i % 2 == 0 ? len : 1 };
	IN_TIME(bstream_write_many(w, several, SEVERAL, soon()), 1, 2, 3, 4, SEVERAL, -EPIPE,
		-ETIMEDOUT, -EPROTO);
	IN_TIME(bstream_writev(w, several, 2, soon()), WRITES, -EMSGSIZE);
	IN_TIME(rc = bstream_reserve(w, len, &span, soon()), WRITES);
	if (rc == 0)
		IN_TIME((bstream_cancel(w), 0), 0);
	IN_TIME(rc = bstream_reserve_many(w, len, several, SEVERAL, soon()), 1, 2, 3, 4, SEVERAL,
		-EPIPE, -ETIMEDOUT, -EPROTO);
	for (int i = 0; i < rc; i++)
		memset(several[i].iov_base, 'x', len);
	if (rc > 0)
		IN_TIME(bstream_commit_many(w, several, (rc + 1) / 2), 0, -EPIPE);
}

static void writer_uses(struct bstream_writer *w, unsigned i)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	size_t len = i % 3 == 0 ? CHUNK_MAX : i % 3 * 40;
	char text[80];
	void *span;
	int rc;

	peer_await();
	IN_TIME(bstream_write(w, scratch, len, soon()), WRITES);
	IN_TIME(bstream_write(w, scratch, len, BSTREAM_DONT_WAIT), WRITES);
	IN_TIME(rc = bstream_reserve(w, len, &span, soon()), WRITES);
	if (rc == 0) {
		memset(span, 'x', len);
		IN_TIME(rc = bstream_commit_reserve(w, len / 2, &span), 0, 1, -EPIPE);
	}
	if (rc == 1) {
		memset(span, 'x', len);
		IN_TIME(bstream_commit(w, len / 2), 0, -EPIPE);
	}
	peer_await();
	writer_uses_many(w, len);
	IN_TIME(bstream_drain(w, soon()), 0, -EPIPE, -EAGAIN, -ETIMEDOUT);
	IN_TIME(bstream_writer_stat(w, &stat), 0);
	MUST(stat.in_flight <= CAPACITY);
	MUST(bstream_writer_describe(w, text, sizeof(text)) > 0);
}

/* What is shown lies in the stream's own memory, whatever its lengths become. */
static void reader_uses_many(struct bstream_reader *r)
{
	struct iovec several[SEVERAL];
	int rc;

	IN_TIME(rc = bstream_peek_many(r, several, SEVERAL, soon()), READS, 2, 3, 4, SEVERAL);
	for (int i = 0; i < rc; i++) {
		MUST(several[i].iov_len <= CHUNK_MAX);
		memcpy(scratch, several[i].iov_base, several[i].iov_len);
	}
	if (rc < 1)
		return;
	GIVES(bstream_release_many(r, rc + 1), -EINVAL);
	if (rc > 1)
		GIVES(bstream_release_many(r, rc - 1), 0);
	GIVES(bstream_release(r), 0);
}

static void reader_uses(struct bstream_reader *r)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	const void *chunk;
	size_t len = 0;
	int rc;

	peer_await();
	IN_TIME(bstream_read(r, scratch, sizeof(scratch), &len, soon()), READS);
	MUST(len <= CHUNK_MAX);
	IN_TIME(bstream_read(r, scratch, sizeof(scratch), &len, BSTREAM_DONT_WAIT), READS);
	peer_await();
	IN_TIME(rc = bstream_peek(r, &chunk, &len, soon()), READS);
	if (rc == 1) {
		MUST(len <= CHUNK_MAX);
		memcpy(scratch, chunk, len);
		GIVES(bstream_release(r), 0);
	}
	for (int i = 0; i < 4; i++) {
		peer_await();
		reader_uses_many(r);
	}
	IN_TIME(bstream_reader_stat(r, &stat), 0);
}

/* An end goes away and comes back, or is lost to the peer's lies: then there is none any more. */
static void writer_moves(struct bstream_writer **wp)
{
	int rc, fd = bstream_writer_detach(*wp);

	*wp = NULL;
	MUST(fd >= 0);
	IN_TIME(rc = bstream_writer_attach(fd, wp), ARRIVES);
	if (rc != 0)
		close(fd);
}

static void reader_moves(struct bstream_reader **rp)
{
	int rc, fd = bstream_reader_detach(*rp);

	*rp = NULL;
	MUST(fd >= 0);
	IN_TIME(rc = bstream_reader_attach(fd, rp), ARRIVES);
	if (rc != 0)
		close(fd);
}

static void writer_clones(struct bstream_writer *w)
{
	struct bstream_writer *other;
	int rc;

	IN_TIME(rc = bstream_writer_clone(w, &other), ARRIVES, -ESHUTDOWN, -EMFILE);
	if (rc != 0)
		return;
	IN_TIME(bstream_write(other, scratch, 10, soon()), WRITES);
	bstream_writer_close(other);
}

/* From here on each refusal asks what there is, and so does this. */
static void polls(int fd)
{
	came_back("pollfd", fd < 0 ? fd : 0,
		  (const int[]){ 0, -EMFILE, -ENFILE, -ENOMEM, -ENOSPC, -ENOSYS }, 6);
}

struct stream {
	struct bstream_writer *w;
	struct bstream_reader *r;
};

static void stream_make(struct stream *s, bool sealed)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = CAPACITY;
	o.chunk_max = CHUNK_MAX;
	o.max_writers = 4;
	o.flags = sealed ? BSTREAM_SEALED : 0;
	GIVES(bstream_pair(&o, &s->w, &s->r), 0);
}

static void stream_use(struct stream *s)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		began = bs_now();
		if (s->w && i % 4 == 0)
			polls(bstream_writer_pollfd(s->w));
		if (s->r && i % 4 == 3)
			polls(bstream_reader_pollfd(s->r));
		if (s->w)
			writer_uses(s->w, i);
		if (s->r)
			reader_uses(s->r);
		if (s->w && i % 4 == 1)
			writer_clones(s->w);
		if (s->w && i % 4 == 3)
			writer_moves(&s->w);
		if (s->r && i % 4 == 2)
			reader_moves(&s->r);
	}
}

START_TEST(who_scribbles_harms_nobody_but_his_stream)
{
	struct stream good, bad;
	bool sealed = _i >= N_DEEDS;

	stream_make(&good, false);
	SAY(good.w, "before");
	stream_make(&bad, sealed);
	pid_t pid = peer_begin(&bad.w->hold.sight, (enum deed)(_i % N_DEEDS));
	stream_use(&bad);
	SAY(good.w, "after");
	HEAR(good.r, "before");
	HEAR(good.r, "after");
	began = bs_now();
	bstream_writer_close(bad.w);
	bstream_reader_close(bad.r);
	came_back("close", 0, (const int[]){ 0 }, 1);
	peer_end(pid);
	bstream_writer_close(good.w);
	GIVES(guard_read(good.r, BSTREAM_DONT_WAIT), 0);
	bstream_reader_close(good.r);
}
END_TEST

/* The same with a lone reader, so that it waits, and a lone writer, so that it finds no room. */
START_TEST(who_scribbles_holds_no_lone_end)
{
	bool sealed = _i >= N_DEEDS;
	struct stream s;

	stream_make(&s, sealed);
	pid_t pid = peer_begin(&s.r->hold.sight, (enum deed)(_i % N_DEEDS));
	for (unsigned i = 0; i < ROUNDS; i++)
		reader_uses(s.r);
	peer_end(pid);
	bstream_writer_close(s.w);
	bstream_reader_close(s.r);
	stream_make(&s, sealed);
	pid = peer_begin(&s.w->hold.sight, (enum deed)(_i % N_DEEDS));
	for (unsigned i = 0; i < ROUNDS; i++)
		writer_uses(s.w, i);
	peer_end(pid);
	bstream_writer_close(s.w);
	bstream_reader_close(s.r);
}
END_TEST

/* Claims that never end, of writers that are not there: each read passes so many of them and no more. */
START_TEST(who_claims_without_end_leads_no_reader_on)
{
	struct stream s;
	size_t len;

	stream_make(&s, false);
	pid_t pid = peer_begin(&s.r->hold.sight, DEED_CLAIMS);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t from = s.r->head;

		IN_TIME(bstream_read(s.r, scratch, sizeof(scratch), &len, BSTREAM_DONT_WAIT),
			-EAGAIN, -EPROTO);
		MUST(s.r->head - from <= 2 * CAPACITY + 1024);
		sched_yield();
	}
	peer_end(pid);
	bstream_writer_close(s.w);
	bstream_reader_close(s.r);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(who_scribbles_harms_nobody_but_his_stream, 2 * N_DEEDS),
		N_WAYS(who_scribbles_holds_no_lone_end, 2 * N_DEEDS),
		ONCE(who_claims_without_end_leads_no_reader_on),
	};

	return GUARD_RUN("scribble", cases);
}
