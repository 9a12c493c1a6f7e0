/* SPDX-License-Identifier: MIT */
/*
 * soak.c - random everything for as long as is asked for, with a checker.
 *
 * Some lanes, each a process that plays one game after the other: a named stream of random shape; writers
 * and a reader, each a process, that write, read, clone, move and park in every way; and meanwhile
 * kills: writers (replaced), the reader (replaced where the read end is kept), the broker; stops, and
 * the removal of the name. Or a mailbox, whose owner, senders and broker are killed. What every writer
 * began and committed stands in memory that outlives it; so the reader knows each chunk, and at the
 * end it is known what had to arrive. Nobody may wait for more than PATIENCE_MS: that is a hang.
 *
 * After each game a lane has the descriptors it had before. At the end there is no stream, no mailbox,
 * no segment and no process left, and the lanes are no larger than they were after their first games.
 *
 * BSTREAM_SOAK_S=n: n seconds; BSTREAM_KILLS=n: and no less than n kills; BSTREAM_BROKERS=n: n of
 * 97 + n disturbances kill the broker; BSTREAM_SEED=n. By default 4 s, and 3; with
 * BSTREAM_LONG an hour and 100,000 kills.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/bstream.h"

#define N_LANES		3
#define N_SEATS		4 /* writers at once */
#define N_IDS		48 /* writers in one game */
#define SEVERAL		8 /* chunks in one call */
#define PATIENCE_MS	60000
/* A call gives up when the 21st broker has gone under it. One that dies may be met twice: by who is
 * served, and again by who comes into the queue that the kernel closes a moment later. */
#define REFUSING_DEATHS 11
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
#define GROWTH_KIB \
	1048576 /* a sanitizer keeps what was freed, and clang does not say that it is there */
#else
#define GROWTH_KIB 4096
#endif
#define WARM_GAMES 20

struct game { /* shared by a lane's processes */
	_Atomic bool stop, may_break, removed;
	_Atomic uint64_t begun[N_IDS], done[N_IDS], next[N_IDS];
	_Atomic bool closing[N_IDS];
	_Atomic uint64_t
		shown; /* chunks that the reader has, or had, in hand: counted, perhaps not released */
	uint32_t chunk_max;
	char name[64];
};

struct soak { /* shared by all */
	_Atomic uint64_t kills, broker_kills, refusals, games, chunks, letters;
	_Atomic int last_broker;
	_Atomic bool over;
	struct game game[N_LANES];
};

static struct soak *soak;
static uint64_t lot, brokers = 3;

static uint64_t draw(uint64_t n)
{
	lot = lot * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (lot >> 33) % n;
}

static _Noreturn __attribute__((format(printf, 2, 3))) void fail(unsigned line, const char *format,
								 ...)
{
	char text[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "soak.c:%u: process %d: %s\n", line, (int)getpid(), text);
	_exit(70);
}
#define MUST(cond)                                   \
	do {                                         \
		if (!(cond))                         \
			fail(__LINE__, "%s", #cond); \
	} while (0)
#define FAIL(...) fail(__LINE__, __VA_ARGS__)

static uint64_t patience(void)
{
	return bstream_after_ms(PATIENCE_MS);
}

static uint64_t now_s(void)
{
	return bstream_after_ms(0) / 1000000000u;
}

/* A call may be made again: the broker had no time, or, since @deaths of them, too many died under it. */
static bool is_excused(int rc, uint64_t deaths)
{
	if (rc != -ECONNREFUSED || soak->broker_kills - deaths < REFUSING_DEATHS)
		return rc == -ETIMEDOUT;
	soak->refusals++;
	return true;
}

/* Make the call until it gives what has no such excuse. */
#define ASK(rc, call)                                \
	do {                                         \
		uint64_t deaths;                     \
                                                     \
		do {                                 \
			deaths = soak->broker_kills; \
			(rc) = (call);               \
		} while (is_excused((rc), deaths));  \
	} while (0)

static pid_t start(void)
{
	pid_t parent = getpid(), pid = fork();

	MUST(pid >= 0);
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(71);
	lot ^= (uint64_t)getpid() << 20;
	return 0;
}

static void shoot(pid_t pid)
{
	MUST(kill(pid, SIGKILL) == 0);
	soak->kills++;
}

static int status_of(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0) == pid);
	return status;
}

static int n_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	MUST(dir != NULL);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static long rss_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long size, rss = 0;

	MUST(f != NULL && fscanf(f, "%ld %ld", &size, &rss) == 2);
	fclose(f);
	return rss * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- a writer ------------------------------------------------------------------------------- */

struct chunk {
	uint64_t id, n;
	unsigned char rest[]; /* of the byte (id + n) */
};

static size_t chunk_len(const struct game *g, uint64_t id, uint64_t n)
{
	return sizeof(struct chunk) +
	       (id * 7919 + n * 104729) % (g->chunk_max - sizeof(struct chunk) + 1);
}

static void chunk_fill(struct chunk *c, uint64_t id, uint64_t n, size_t len)
{
	c->id = id;
	c->n = n;
	memset(c->rest, (int)((id + n) & 0xff), len - sizeof(*c));
}

static int writer_write(const struct game *g, struct bstream_writer *w, uint64_t id, uint64_t n)
{
	static _Alignas(8) unsigned char room[8192];
	size_t len = chunk_len(g, id, n);
	void *span;
	int rc;

	if (draw(4) != 0) {
		chunk_fill((struct chunk *)room, id, n, len);
		return bstream_write(w, room, len, patience());
	}
	if (draw(3) == 0) {
		rc = bstream_reserve(w, len, &span, patience());
		if (rc < 0)
			return rc;
		bstream_cancel(w);
	}
	rc = bstream_reserve(w, len, &span, patience());
	if (rc < 0)
		return rc;
	chunk_fill(memcpy(room, room, 0), id, n, len);
	memcpy(span, room, len);
	return bstream_commit(w, len);
}

/* @count chunks in one call. How many were written, or the error of the first. */
static int writer_write_many(const struct game *g, struct bstream_writer *w, uint64_t id,
			     uint64_t n, uint64_t count)
{
	static _Alignas(8) unsigned char room[SEVERAL][8192];
	struct iovec chunks[SEVERAL];

	for (uint64_t i = 0; i < count; i++) {
		chunks[i] = (struct iovec){ room[i], chunk_len(g, id, n + i) };
		chunk_fill((struct chunk *)room[i], id, n + i, chunks[i].iov_len);
	}
	int rc = bstream_write_many(w, chunks, (int)count, patience());
	MUST(rc != 0 && rc <= (int)count);
	return rc;
}

/* Go on with another end of the same stream: moved, or cloned. */
static struct bstream_writer *writer_renew(struct bstream_writer *w)
{
	struct bstream_writer *next = NULL;
	int rc;

	if (draw(2) == 0) {
		int fd = bstream_writer_detach(w);

		rc = bstream_writer_attach(fd, &next);
		if (rc == -EPIPE)
			close(fd);
	} else {
		rc = bstream_writer_clone(w, &next);
		if (rc == -EMFILE)
			return w;
		bstream_writer_close(w);
	}
	if (rc < 0 && rc != -EPIPE && rc != -ESHUTDOWN)
		FAIL("a renewed write end is %d", rc);
	return next;
}

/* It can be had no more, for a reason that the lane knows. */
static bool is_gone(const struct game *g, int rc)
{
	return (g->may_break || g->removed) && (rc == -EPIPE || rc == -ENOENT || rc == -ESHUTDOWN);
}

static _Noreturn void writer_end(const struct game *g, int rc)
{
	if (rc == 0 || is_gone(g, rc))
		_exit(0);
	FAIL("a writer of %s got %d", g->name, rc);
}

static _Noreturn void writer_run(struct game *g, uint64_t id)
{
	struct bstream_writer *w;
	int rc;

	ASK(rc, bstream_open_writer(g->name, BSTREAM_DONT_WAIT, &w));
	if (rc < 0)
		writer_end(g, rc);
	for (uint64_t n = 0; !g->stop;) {
		uint64_t count = draw(6) == 0 ? 1 + draw(SEVERAL) : 1;

		g->begun[id] = n + count;
		rc = count == 1 ? writer_write(g, w, id, n) : writer_write_many(g, w, id, n, count);
		if (rc < 0)
			writer_end(g, rc);
		n += count == 1 ? 1 : (uint64_t)rc;
		g->done[id] = n;
		if (draw(300) == 0 && (w = writer_renew(w)) == NULL)
			writer_end(g, -EPIPE);
	}
	g->closing[id] = true;
	bstream_writer_close(w);
	_exit(0);
}

/* ---- the reader ----------------------------------------------------------------------------- */

/* @again: it may be one of so many that the last reader had seen and not released. */
static void chunk_check(struct game *g, const struct chunk *c, size_t len, uint64_t again)
{
	uint64_t id, n;

	MUST(len >= sizeof(*c));
	id = c->id;
	n = c->n;
	MUST(id < N_IDS);
	if (n != g->next[id] && (n > g->next[id] || g->next[id] - n > again))
		FAIL("chunk %llu of writer %llu in place of %llu", (unsigned long long)n,
		     (unsigned long long)id, (unsigned long long)g->next[id]);
	if (len != chunk_len(g, id, n))
		FAIL("a chunk of %zu bytes", len);
	for (size_t i = 0; i < len - sizeof(*c); i++)
		if (c->rest[i] != ((id + n) & 0xff))
			FAIL("a torn chunk");
	g->next[id] = n + 1;
	soak->chunks++;
}

static _Noreturn void reader_end(const struct game *g, int rc)
{
	if (rc == 0 || rc == -ECONNRESET)
		_exit(-rc);
	if (is_gone(g, rc))
		_exit(EPIPE);
	FAIL("the reader of %s got %d", g->name, rc);
}

static struct bstream_reader *reader_open(const struct game *g)
{
	struct bstream_reader *r;
	int rc;

	ASK(rc, bstream_open_reader(g->name, BSTREAM_DONT_WAIT, &r));
	if (rc < 0)
		reader_end(g, rc);
	return r;
}

/* Give it away and have it back: as a descriptor, in a message, by its name. */
static struct bstream_reader *reader_renew(const struct game *g, struct bstream_reader *r)
{
	struct bstream_reader *next;
	int s[2], kind = (int)draw(3);

	if (kind == 0) {
		if (bstream_reader_attach(bstream_reader_detach(r), &next) != 0)
			FAIL("a detached read end cannot be attached");
		return next;
	}
	if (kind == 1) {
		int rc = bstream_reader_park(r);

		return rc < 0 && g->removed ? r : reader_open(g);
	}
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) == 0);
	MUST(bstream_reader_send(s[0], r) == 0);
	MUST(bstream_reader_recv(s[1], &next) == 0);
	close(s[0]);
	close(s[1]);
	return next;
}

/* One, or the first of several that are shown. How many were taken, or the end. */
static int chunks_read(struct game *g, struct bstream_reader *r, uint64_t again)
{
	struct iovec chunks[SEVERAL];
	uint64_t most = draw(4) == 0 ? SEVERAL : 1;
	int rc = bstream_peek_many(r, chunks, (int)most, patience());

	if (rc < 1)
		return rc;
	int take = 1 + (int)draw((uint64_t)rc);
	/* Until it is released what was shown before may come again, too. */
	g->shown = again > (uint64_t)take ? again : (uint64_t)take;
	for (int i = 0; i < take; i++)
		chunk_check(g, chunks[i].iov_base, chunks[i].iov_len,
			    again > (uint64_t)i ? again - (uint64_t)i : 0);
	if (take == 1)
		MUST(bstream_release(r) == 0);
	else
		MUST(bstream_release_many(r, take) == 0);
	return take;
}

static _Noreturn void reader_run(struct game *g)
{
	struct bstream_reader *r = reader_open(g);
	uint64_t again = g->shown;
	int rc;

	for (;;) {
		rc = chunks_read(g, r, again);
		if (rc < 1)
			break;
		again -= again < (uint64_t)rc ? again : (uint64_t)rc;
		if (draw(500) == 0)
			r = reader_renew(g, r);
	}
	if (rc == 0 || rc == -ECONNRESET)
		bstream_reader_close(r);
	reader_end(g, rc);
}

/* ---- a game with a stream ------------------------------------------------------------------- */

struct table { /* the lane's own */
	struct game *g;
	uint32_t keep;
	struct bstream_writer *base; /* holds the end back; writes nothing */
	pid_t writers[N_SEATS], reader;
	uint64_t ids[N_SEATS], n_ids;
	bool lost; /* a writer was killed that was one, and was not about to close */
};

static void seat(struct table *t, unsigned i)
{
	t->ids[i] = t->n_ids++;
	t->writers[i] = start();
	if (t->writers[i] == 0)
		writer_run(t->g, t->ids[i]);
}

static void reader_start(struct table *t)
{
	t->reader = start();
	if (t->reader == 0)
		reader_run(t->g);
}

static void must_be_killed(int status)
{
	if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0)
		FAIL("a process left with %d", WEXITSTATUS(status));
}

static void kill_writer(struct table *t)
{
	unsigned i = (unsigned)draw(N_SEATS);
	uint64_t id = t->ids[i];

	shoot(t->writers[i]);
	must_be_killed(status_of(t->writers[i]));
	t->lost |= t->g->begun[id] > 0 && !t->g->closing[id];
	t->writers[i] = 0;
	if (t->n_ids < N_IDS && !t->g->removed)
		seat(t, i);
}

static void remove_name(struct table *t)
{
	int rc;

	t->g->removed = true;
	ASK(rc, bstream_remove(t->g->name));
	if (rc != 0 && rc != -ENOENT)
		FAIL("remove says %d", rc);
}

static void kill_reader(struct table *t)
{
	bool kept = (t->keep & BSTREAM_KEEP_READER) != 0 && !t->g->removed;

	if (!kept)
		t->g->may_break = true;
	shoot(t->reader);
	must_be_killed(status_of(t->reader));
	t->reader = 0;
	if (kept)
		reader_start(t);
	else
		remove_name(
			t); /* it may have died while the end was parked: that is no death of the end */
}

static void kill_broker(void)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	if (bstream_broker_stat(&stat) != 0)
		return;
	/* Each once, and counted before anybody can have seen it. */
	if (atomic_exchange(&soak->last_broker, stat.pid) != stat.pid) {
		soak->kills++;
		soak->broker_kills++;
	}
	kill(stat.pid, SIGKILL);
}

static void stop_somebody(struct table *t)
{
	pid_t pid = draw(2) == 0 ? t->reader : t->writers[draw(N_SEATS)];

	if (pid == 0)
		return;
	kill(pid, SIGSTOP);
	poll(NULL, 0, (int)draw(20));
	kill(pid, SIGCONT);
}

static void disturb(struct table *t)
{
	uint64_t what = draw(97 + brokers);

	if (what < 60 && t->writers[0] != 0 && t->n_ids < N_IDS)
		kill_writer(t);
	else if (what < 80 && t->reader != 0)
		kill_reader(t);
	else if (what < 80 + brokers)
		kill_broker();
	else if (what < 92 + brokers)
		stop_somebody(t);
	else if (what < 94 + brokers)
		remove_name(t);
}

/* All arrived that had been committed, and nothing that had not been begun. */
static void book_check(const struct game *g, uint64_t n_ids)
{
	for (uint64_t id = 0; id < n_ids; id++)
		if (g->next[id] < g->done[id] || g->next[id] > g->begun[id])
			FAIL("writer %llu committed %llu, had begun %llu; %llu were read",
			     (unsigned long long)id, (unsigned long long)g->done[id],
			     (unsigned long long)g->begun[id], (unsigned long long)g->next[id]);
}

static void game_end(struct table *t)
{
	struct game *g = t->g;

	g->stop = true;
	for (unsigned i = 0; i < N_SEATS; i++)
		if (t->writers[i] != 0) {
			int status = status_of(t->writers[i]);

			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				FAIL("a writer left with status %x", (unsigned)status);
		}
	bstream_writer_close(t->base);
	if ((t->keep & BSTREAM_KEEP_WRITERS) != 0) {
		int rc;

		ASK(rc, bstream_eof(g->name));
		if (rc < 0 && !g->removed && !g->may_break)
			FAIL("eof says %d", rc);
	}
	if (t->reader == 0)
		return;
	int status = status_of(t->reader);
	MUST(WIFEXITED(status));
	if (WEXITSTATUS(status) == 70)
		_exit(70);
	if (g->may_break || WEXITSTATUS(status) == EPIPE)
		return;
	book_check(g, t->n_ids);
	if (t->lost != (WEXITSTATUS(status) == ECONNRESET) && (t->lost || t->n_ids == N_SEATS))
		FAIL("the end is %d", -WEXITSTATUS(status));
}

static void stream_create(struct table *t, unsigned lane, uint64_t number)
{
	static const uint32_t capacities[] = { 1, 2, 3, 16, 100 };
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	int rc;

	memset(t->g, 0, sizeof(*t->g));
	o.capacity = capacities[draw(5)];
	o.chunk_max = (uint32_t)(16 + draw(draw(2) == 0 ? 40 : 5000));
	o.max_writers = 16;
	o.keep = t->keep = (uint32_t)draw(4);
	/* Not sealed: such a name comes back some time after its broker, and is missed until then. */
	t->g->chunk_max = o.chunk_max;
	snprintf(t->g->name, sizeof(t->g->name), "soak/%u/%llu", lane, (unsigned long long)number);
	ASK(rc, bstream_create(t->g->name, &o));
	if (rc == 0)
		ASK(rc, bstream_open_writer(t->g->name, BSTREAM_DONT_WAIT, &t->base));
	if (rc != 0)
		FAIL("create and open say %d", rc);
}

static void await_gone(const char *name, bool remove)
{
	uint64_t end = patience();
	int rc;

	for (;;) {
		ASK(rc, remove ? bstream_remove(name)
			       : bstream_wait(name, BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT));
		if (rc == -ENOENT)
			return;
		if (bstream_after_ms(0) > end || rc == -ECONNREFUSED)
			FAIL("%s is still there: %d, %d", name, rc, remove);
		poll(NULL, 0, 1);
	}
}

static void play_stream(unsigned lane, uint64_t number)
{
	struct table t = { .g = &soak->game[lane] };

	stream_create(&t, lane, number);
	for (unsigned i = 0; i < N_SEATS; i++)
		seat(&t, i);
	reader_start(&t);
	for (uint64_t n = 5 + draw(60); n > 0 && !t.g->may_break && !t.g->removed; n--) {
		poll(NULL, 0, (int)draw(6));
		disturb(&t);
	}
	game_end(&t);
	/* A kept read end that nobody has is not over: then it is for us to remove. */
	await_gone(t.g->name, t.reader == 0 || t.g->may_break || t.g->removed);
}

/* ---- a game with a mailbox ------------------------------------------------------------------ */

#define LETTER_CHUNKS 20

static _Noreturn void owner_run(const struct game *g)
{
	struct bstream_mailbox *box;
	struct bstream_message m;
	int rc;

	ASK(rc, bstream_mailbox_open(g->name, &box));
	if (rc < 0)
		FAIL("mailbox_open says %d", rc);
	while (!g->stop) {
		uint64_t deaths = soak->broker_kills;

		rc = bstream_mailbox_recv(box, &m, bstream_after_ms(20));
		if (is_excused(rc, deaths))
			continue;
		if (rc != 0)
			FAIL("mailbox_recv says %d", rc);
		MUST(m.reader != NULL && m.len == 4 && memcmp(m.note, "soak", 4) == 0);
		uint64_t n = 0, got;
		size_t len;
		while ((rc = bstream_read(m.reader, &got, sizeof(got), &len, patience())) == 1) {
			MUST(len == sizeof(got) && got == n);
			n++;
		}
		if (rc != -ECONNRESET && (rc != 0 || n != LETTER_CHUNKS))
			FAIL("a letter's stream ends with %d after %llu", rc,
			     (unsigned long long)n);
		bstream_reader_close(m.reader);
		soak->letters++;
	}
	bstream_mailbox_close(box);
	_exit(0);
}

static _Noreturn void sender_run(const struct game *g)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = 4;
	o.chunk_max = 8;
	o.max_writers = 2;
	o.flags = draw(2) == 0 ? BSTREAM_SEALED : 0;
	while (!g->stop) {
		uint64_t deaths = soak->broker_kills;
		struct bstream_writer *w;
		int rc = bstream_connect(g->name, "soak", 4, &o, bstream_after_ms(500), &w);

		if (rc == -ENOENT || is_excused(rc, deaths)) {
			poll(NULL, 0, 1); /* its owner is between two lives, or busy */
			continue;
		}
		if (rc != 0)
			FAIL("connect says %d", rc);
		for (uint64_t n = 0; n < LETTER_CHUNKS && rc == 0; n++)
			rc = bstream_write(w, &n, sizeof(n), patience());
		if (rc != 0 && rc != -EPIPE) /* its owner, or the broker that had it, was killed */
			FAIL("a letter's writer got %d", rc);
		bstream_writer_close(w);
	}
	_exit(0);
}

static void play_mailbox(unsigned lane, uint64_t number)
{
	struct game *g = &soak->game[lane];
	pid_t pids[N_SEATS + 1] = { 0 };

	memset(g, 0, sizeof(*g));
	snprintf(g->name, sizeof(g->name), "soak/%u/%llu", lane, (unsigned long long)number);
	for (uint64_t n = 30 + draw(60); n > 0; n--) {
		uint64_t what = draw(N_SEATS + 1);

		for (unsigned i = 0; i <= N_SEATS; i++)
			if (pids[i] == 0 && (pids[i] = start()) == 0)
				i == 0 ? owner_run(g) : sender_run(g);
		poll(NULL, 0, (int)draw(10));
		if (draw(20) == 0)
			kill_broker();
		if (what == 0 && draw(2) == 0)
			continue;
		shoot(pids[what]);
		must_be_killed(status_of(pids[what]));
		pids[what] = 0;
	}
	g->stop = true;
	for (unsigned i = 1; i <= N_SEATS; i++)
		if (pids[i] != 0 && status_of(pids[i]) != 0)
			FAIL("a sender failed");
	if (pids[0] != 0 && status_of(pids[0]) != 0)
		FAIL("a mailbox's owner failed");
}

/* ---- lanes ---------------------------------------------------------------------------------- */

static _Noreturn void lane_run(unsigned lane)
{
	int fds = n_fds();
	long warm_kib = 0;

	for (uint64_t number = 1; !soak->over; number++) {
		if (draw(6) == 0)
			play_mailbox(lane, number);
		else
			play_stream(lane, number);
		soak->games++;
		if (n_fds() != fds)
			FAIL("%d descriptors, not %d", n_fds(), fds);
		if (number == WARM_GAMES)
			warm_kib = rss_kib();
		else if (warm_kib != 0 && rss_kib() > warm_kib + GROWTH_KIB)
			FAIL("%ld KiB, and %ld after its first games", rss_kib(), warm_kib);
	}
	_exit(0);
}

static uint64_t setting(const char *name, uint64_t by_default)
{
	const char *set = getenv(name);

	return set != NULL ? strtoull(set, NULL, 10) : by_default;
}

static int count_stream(const struct bstream_stat *stat, void *arg)
{
	fprintf(stderr, "# %s is left\n", stat->name);
	++*(unsigned *)arg;
	return 0;
}

/* Waits until it is time; true: all lanes lived that long. */
static bool lanes_watch(pid_t pids[N_LANES], uint64_t seconds, uint64_t kills)
{
	uint64_t began = now_s();
	bool good = true;

	while (good && (now_s() - began < seconds || soak->kills < kills)) {
		poll(NULL, 0, 100);
		for (unsigned i = 0; i < N_LANES; i++)
			if (waitpid(pids[i], NULL, WNOHANG) == pids[i]) {
				pids[i] = 0;
				good = false;
			}
	}
	soak->over = true;
	for (unsigned i = 0; i < N_LANES; i++)
		if (pids[i] != 0)
			good &= status_of(pids[i]) == 0;
	printf("# %llu s: %llu games, %llu chunks, %llu letters, %llu kills, %llu of brokers (%llu calls "
	       "gave up)\n",
	       (unsigned long long)(now_s() - began), (unsigned long long)soak->games,
	       (unsigned long long)soak->chunks, (unsigned long long)soak->letters,
	       (unsigned long long)soak->kills, (unsigned long long)soak->broker_kills,
	       (unsigned long long)soak->refusals);
	return good;
}

int main(void)
{
	bool is_long = getenv("BSTREAM_LONG") != NULL;
	const char *daemon = getenv("BSTREAM_DAEMON");
	char dir[] = "/tmp/bstream-test.XXXXXX", inner[64];
	pid_t pids[N_LANES];
	unsigned n_left = 0;

	if (daemon == NULL || access(daemon, X_OK) != 0) {
		printf("1..0 # SKIP BSTREAM_DAEMON is not a program\n");
		return 77;
	}
	MUST(mkdtemp(dir) != NULL);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	unsetenv("BSTREAM_SOCKET");
	setvbuf(stdout, NULL, _IOLBF, 0);
	soak = mmap(NULL, sizeof(*soak), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(soak != MAP_FAILED);
	lot = setting("BSTREAM_SEED", (uint64_t)getpid());
	brokers = setting("BSTREAM_BROKERS", brokers);
	printf("1..1\n# seed %llu\n", (unsigned long long)lot);
	for (unsigned i = 0; i < N_LANES; i++) {
		pids[i] = start();
		if (pids[i] == 0)
			lane_run(i);
	}
	bool good = lanes_watch(pids, setting("BSTREAM_SOAK_S", is_long ? 3600 : 4),
				setting("BSTREAM_KILLS", is_long ? 100000 : 0));
	if (good && (bstream_list(count_stream, &n_left) != 0 || n_left != 0))
		good = false;
	bstream_broker_stop();
	snprintf(inner, sizeof(inner), "%s/bstream", dir);
	rmdir(inner);
	rmdir(dir);
	printf("%s 1 - all that was committed arrived, nobody hung, nothing was left\n",
	       good ? "ok" : "not ok");
	return good ? 0 : 1;
}
