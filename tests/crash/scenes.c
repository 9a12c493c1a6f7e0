/* SPDX-License-Identifier: MIT */
/*
 * scenes.c - what is killed, and what must hold afterwards. An act runs in the victim, from an end
 * that is attached already (or, from_attach, from its descriptor); a judge runs in the parent when
 * the victim is dead and reaped, never waits, and says what is wrong.
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

/* ---- a clock that goes only while somebody sleeps -------------------------------------------- */

/*
 * A step takes microseconds, so a deadline would pass before the victim sleeps, and a sleep would take its
 * real time for each death. In a victim that is clocked a look at the clock takes a microsecond, and a sleep
 * is over at once, when its time has come.
 */
static uint64_t clock_ns; /* 0: the real one */

static void clock_set(const struct timespec *t)
{
	clock_ns = (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	if (clock_ns == 0 || clock == CLOCK_REALTIME)
		return __real_clock_gettime(clock, t);
	clock_ns += 1000;
	t->tv_sec = (time_t)(clock_ns / 1000000000u);
	t->tv_nsec = (long)(clock_ns % 1000000000u);
	return 0;
}

int __real_sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until);
int __wrap_sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until);
int __wrap_sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until)
{
	if (clock_ns == 0)
		return __real_sem_clockwait(sem, clock, until);
	if (sem_trywait(sem) == 0)
		return 0;
	clock_set(until);
	errno = ETIMEDOUT;
	return -1;
}

long __real_syscall(long n, ...);
long __wrap_syscall(long n, ...);
long __wrap_syscall(long n, ...) /* futex, membarrier */
{
	long a[6];
	va_list va;

	va_start(va, n);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(va, long);
	va_end(va);
	if (clock_ns == 0 || n != SYS_futex || a[1] != FUTEX_WAIT_BITSET)
		return __real_syscall(n, a[0], a[1], a[2], a[3], a[4], a[5]);
	bool changed = *(const uint32_t *)a[0] != (uint32_t)a[2];
	if (!changed)
		clock_set((const struct timespec *)a[3]);
	errno = changed ? EAGAIN : ETIMEDOUT;
	return -1;
}

static void clock_stop(void)
{
	struct timespec now;

	__real_clock_gettime(CLOCK_MONOTONIC, &now);
	clock_set(&now);
}

/* ---- acts ----------------------------------------------------------------------------------- */

/* Made before the first step, so that the steps are the library's. */
#define N_CHUNKS 4
static unsigned char chunks[N_CHUNKS][CHUNK_LIMIT], scratch[CHUNK_LIMIT];

void act_prepare(struct stage *st)
{
	for (uint64_t id = 0; id < N_CHUNKS; id++)
		chunk_make(chunks[id], st->scene->len, id);
	if (st->scene->clocked)
		clock_stop();
}

static void act_write_two(struct stage *st, void *end)
{
	for (uint64_t id = 1; id <= 2; id++) {
		atomic_store(&st->record->begun, id);
		EXPECT(bstream_write(end, chunks[id], st->scene->len, BSTREAM_DONT_WAIT), 0);
		atomic_store(&st->record->done, id);
	}
}

/* As many as find room. */
static void act_write_many(struct stage *st, void *end)
{
	uint32_t len = st->scene->len, room = st->scene->capacity - st->scene->filled;
	struct iovec several[3] = { { chunks[1], len }, { chunks[2], len }, { chunks[3], len } };
	int most = room < 3 ? (int)room : 3;

	atomic_store(&st->record->begun, (uint64_t)most);
	EXPECT(bstream_write_many(end, several, 3, BSTREAM_DONT_WAIT), most);
	atomic_store(&st->record->done, (uint64_t)most);
}

static void act_writev(struct stage *st, void *end)
{
	uint32_t len = st->scene->len;
	struct iovec iov[2] = { { chunks[1], len / 2 }, { chunks[1] + len / 2, len - len / 2 } };

	atomic_store(&st->record->begun, 1);
	EXPECT(bstream_writev(end, iov, 2, BSTREAM_DONT_WAIT), 0);
	atomic_store(&st->record->done, 1);
}

static void act_reserve(struct stage *st, void *end)
{
	void *span;

	EXPECT(bstream_reserve(end, st->scene->len, &span, BSTREAM_DONT_WAIT), 0);
	bstream_cancel(end);
	EXPECT(bstream_reserve(end, st->scene->len, &span, BSTREAM_DONT_WAIT), 0);
	memcpy(span, chunks[1], st->scene->len);
	atomic_store(&st->record->begun, 1);
	EXPECT(bstream_commit(end, st->scene->len), 0);
	atomic_store(&st->record->done, 1);
}

/* The second of the two is reserved by what commits the first; and a third, where there is room. */
static void act_reserve_on(struct stage *st, void *end)
{
	uint32_t len = st->scene->len;
	void *span;

	EXPECT(bstream_reserve(end, len, &span, BSTREAM_DONT_WAIT), 0);
	for (uint64_t id = 1; id <= 2; id++) {
		memcpy(span, chunks[id], len);
		atomic_store(&st->record->begun, id);
		EXPECT(bstream_commit_reserve(end, len, &span),
		       st->scene->filled + id < st->scene->capacity);
		atomic_store(&st->record->done, id);
	}
}

/* As many as find room, of three; the last of them is cancelled. */
static void act_reserve_many(struct stage *st, void *end)
{
	uint32_t len = st->scene->len, room = st->scene->capacity - st->scene->filled;
	int most = room < 3 ? (int)room : 3;
	struct iovec spans[3];

	EXPECT(bstream_reserve_many(end, len, spans, 3, BSTREAM_DONT_WAIT), most);
	for (int i = 0; i < most; i++)
		memcpy(spans[i].iov_base, chunks[i + 1], len);
	most = most == 3 ? 2 : most;
	atomic_store(&st->record->begun, (uint64_t)most);
	EXPECT(bstream_commit_many(end, spans, most), 0);
	atomic_store(&st->record->done, (uint64_t)most);
}

static void act_write_full(struct stage *st, void *end)
{
	EXPECT(bstream_write(end, chunks[1], st->scene->len, BSTREAM_DONT_WAIT), -EAGAIN);
	EXPECT(bstream_write(end, chunks[1], st->scene->len, bstream_after_ms(1)), -ETIMEDOUT);
}

/* Over the end of a slice, where the kernel is asked. */
static void act_sleep_for_room(struct stage *st, void *end)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	EXPECT(bstream_write(end, chunks[1], st->scene->len, bstream_after_ms(300)), -ETIMEDOUT);
	EXPECT(bstream_writer_stat(end, &stat), 0);
	EXPECT(stat.writer_waits != 0, true);
}

static void act_drain(struct stage *st, void *end)
{
	EXPECT(bstream_drain(end, bstream_after_ms(300)), -ETIMEDOUT);
}

static void act_sleep_for_a_chunk(struct stage *st, void *end)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	size_t len;

	EXPECT(bstream_read(end, scratch, sizeof(scratch), &len, bstream_after_ms(300)),
	       -ETIMEDOUT);
	EXPECT(bstream_reader_stat(end, &stat), 0);
	EXPECT(stat.reader_waits != 0, true);
}

static void act_write_close(struct stage *st, void *end)
{
	atomic_store(&st->record->begun, 1);
	EXPECT(bstream_write(end, chunks[1], st->scene->len, BSTREAM_DONT_WAIT), 0);
	atomic_store(&st->record->done, 1);
	atomic_store(&st->record->closing, 1);
	bstream_writer_close(end);
	atomic_store(&st->record->closed, 1);
}

static void act_attach_write(struct stage *st, void *none)
{
	struct bstream_writer *w;

	(void)none;
	EXPECT(bstream_writer_attach(st->fd, &w), 0);
	act_write_close(st, w);
}

static void act_clone_write(struct stage *st, void *end)
{
	struct bstream_writer *w;

	EXPECT(bstream_writer_clone(end, &w), 0);
	atomic_store(&st->record->begun, 1);
	EXPECT(bstream_write(w, chunks[1], st->scene->len, BSTREAM_DONT_WAIT), 0);
	atomic_store(&st->record->done, 1);
	bstream_writer_close(w);
}

static void act_read_two(struct stage *st, void *end)
{
	size_t len;

	for (uint64_t id = 1; id <= 2; id++) {
		atomic_store(&st->record->begun, id);
		EXPECT(bstream_read(end, scratch, sizeof(scratch), &len, BSTREAM_DONT_WAIT), 1);
		atomic_store(&st->record->done, id);
	}
}

static void act_peek(struct stage *st, void *end)
{
	const void *chunk;
	size_t len;

	EXPECT(bstream_peek(end, &chunk, &len, BSTREAM_DONT_WAIT), 1);
	atomic_store(&st->record->begun, 1);
	EXPECT(bstream_release(end), 0);
	atomic_store(&st->record->done, 1);
}

static void act_peek_many(struct stage *st, void *end)
{
	struct iovec several[3];

	EXPECT(bstream_peek_many(end, several, 3, BSTREAM_DONT_WAIT), 3);
	atomic_store(&st->record->begun, 2);
	EXPECT(bstream_release_many(end, 2), 0);
	atomic_store(&st->record->done, 2);
}

static void act_read_close(struct stage *st, void *end)
{
	act_peek(st, end);
	atomic_store(&st->record->closing, 1);
	bstream_reader_close(end);
	atomic_store(&st->record->closed, 1);
}

static void act_attach_read(struct stage *st, void *none)
{
	struct bstream_reader *r;

	(void)none;
	EXPECT(bstream_reader_attach(st->fd, &r), 0);
	act_read_close(st, r);
}

static void fd_send(int socket, int fd)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	sendmsg(socket, &msg, MSG_NOSIGNAL);
}

static int fd_recv(int socket)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	int fd = -1;

	if (recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c != NULL)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Attach, read one, and pass the read end on to the parent. */
static void act_move_reader(struct stage *st, void *none)
{
	struct bstream_reader *r;

	(void)none;
	EXPECT(bstream_reader_attach(st->fd, &r), 0);
	act_peek(st, r);
	int fd = bstream_reader_detach(r);
	fd_send(st->socket[1], fd);
	close(fd);
}

static void act_move_writer(struct stage *st, void *none)
{
	struct bstream_writer *w;

	(void)none;
	EXPECT(bstream_writer_attach(st->fd, &w), 0);
	atomic_store(&st->record->begun, 1);
	EXPECT(bstream_write(w, chunks[1], st->scene->len, BSTREAM_DONT_WAIT), 0);
	atomic_store(&st->record->done, 1);
	int fd = bstream_writer_detach(w);
	fd_send(st->socket[1], fd);
	close(fd);
}

/* ---- judges --------------------------------------------------------------------------------- */

/* Either the read end arrived, whole, or it is gone: nothing else. */
static const char *judge_moved_reader(struct stage *st)
{
	unsigned char buf[CHUNK_LIMIT];
	uint64_t begun = atomic_load(&st->record->begun), done = atomic_load(&st->record->done),
		 id = 0;
	size_t len;
	int fd = fd_recv(st->socket[0]);

	if (fd < 0)
		return judge_reader(st);
	int rc = bstream_reader_attach(fd, &st->reader);
	if (rc < 0) {
		close(fd);
		return WRONG("the read end arrived and attach says %d", rc);
	}
	for (uint64_t i = 0; i < st->filled; i++) {
		rc = bstream_read(st->reader, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT);
		memcpy(&id, buf, sizeof(id));
		if (rc != 1 && i > 0)
			break;
		if (rc != 1)
			return WRONG("the next chunk is %d", rc);
		if (i == 0 && (id - 2 * SECOND_ID < done || id - 2 * SECOND_ID > begun))
			return WRONG("the next chunk is %llu", (unsigned long long)id);
	}
	if (id != 2 * SECOND_ID + st->filled - 1 || rc != -EAGAIN)
		return WRONG("the last chunk is %llu, then %d", (unsigned long long)id, rc);
	rc = bstream_write(st->writer, buf, st->scene->len, BSTREAM_DONT_WAIT);
	return rc == 0 ? NULL : WRONG("a write says %d", rc);
}

static const char *judge_moved_writer(struct stage *st)
{
	struct bstream_writer *w;
	int fd = fd_recv(st->socket[0]);

	if (fd < 0)
		return judge_writer(st);
	int rc = bstream_writer_attach(fd, &w);
	if (rc < 0) {
		close(fd);
		return WRONG("the write end arrived and attach says %d", rc);
	}
	bstream_writer_close(w);
	atomic_store(&st->record->closing, 1);
	atomic_store(&st->record->closed, 1);
	return judge_writer(st);
}

/* ---- polling -------------------------------------------------------------------------------- */

/* The looks that a poll descriptor's timer makes by itself would hide an event that never came. */
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old)
{
	if (to->it_value.tv_sec != 0 || to->it_value.tv_nsec > 1)
		return 0;
	return __real_timerfd_settime(fd, flags, to, old);
}

static bool readable(const struct stage *st)
{
	struct pollfd p = { .fd = st->poll_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* A call of the victim's that has returned has told the poller. */
static const char *moment_polled(struct stage *st)
{
	uint64_t done = atomic_load(&st->record->done);

	if (done == 0 || readable(st))
		return NULL;
	return WRONG("%llu done, and the descriptor is not readable", (unsigned long long)done);
}

/* The descriptor says so before each read that has something, the end included. */
static const char *judge_polled_writer(struct stage *st)
{
	unsigned char buf[CHUNK_LIMIT];
	uint64_t n = 0;
	size_t len;
	int rc;

	do {
		bool told = readable(st);

		rc = bstream_read(st->reader, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT);
		if (!told)
			return WRONG("a read says %d, and the descriptor was not readable", rc);
		n += rc == 1;
	} while (rc == 1);
	if (n < atomic_load(&st->record->done) || n > atomic_load(&st->record->begun))
		return WRONG("%llu chunks read", (unsigned long long)n);
	if (rc != -ECONNRESET)
		return WRONG("the end is %d", rc);
	return readable(st) ? NULL : WRONG("the descriptor does not stay readable");
}

static const char *judge_polled_reader(struct stage *st)
{
	if (!readable(st))
		return WRONG("the reader is dead, and the descriptor is not readable");
	return judge_reader(st);
}

/* ---- the scenes ----------------------------------------------------------------------------- */

#define W(n, cap, fill, size, two, do)                                                             \
	{                                                                                          \
		.name = n, .capacity = cap, .filled = fill, .len = size, .second = two, .act = do, \
		.judge = judge_writer                                                              \
	}
#define R(n, cap, fill, size, two, do)                                                  \
	{                                                                               \
		.name = n, .capacity = cap, .filled = fill, .len = size, .second = two, \
		.victim_reads = true, .act = do, .judge = judge_reader                  \
	}

/* A writer that writes fast looks at nothing but what tells it that it may: so the clock must not go. */
#define W_WARM(n, ...)                                                                        \
	{                                                                                     \
		.name = n, .capacity = 16, .warm = 3, .clocked = true, .judge = judge_writer, \
		__VA_ARGS__                                                                   \
	}
#define W_ASLEEP(n, ...)                                                           \
	{                                                                          \
		.name = n, .capacity = 4, .filled = 4, .len = 64, .clocked = true, \
		.judge = judge_writer, __VA_ARGS__                                 \
	}
#define W_BESIDE(n, ...)                                                                       \
	{                                                                                      \
		.name = n, .capacity = 2, .filled = 2, .len = 64, .clocked = true,             \
		.blocked = true, .act = act_sleep_for_room, .judge = judge_beside, __VA_ARGS__ \
	}
#define R_ASLEEP(n, ...)                                                                    \
	{                                                                                   \
		.name = n, .capacity = 4, .len = 64, .clocked = true, .victim_reads = true, \
		.act = act_sleep_for_a_chunk, .judge = judge_reader, __VA_ARGS__            \
	}

const struct scene scenes[] = {
	W("a lone writer writes", 16, 0, 64, false, act_write_two),
	W("a lone writer writes, almost full", 4, 2, 64, false, act_write_two),
	W("a lone writer writes large chunks", 4, 1, 2000, false, act_write_two),
	W("a lone writer finds the stream full", 2, 2, 64, false, act_write_full),
	W("a lone writer writes in pieces", 4, 0, 64, false, act_writev),
	W("a lone writer reserves, cancels, commits", 4, 1, 64, false, act_reserve),
	W("a lone writer commits and reserves at once", 16, 1, 64, false, act_reserve_on),
	W("a lone writer commits and reserves at once, almost full", 3, 1, 64, false,
	  act_reserve_on),
	W("a lone writer closes", 4, 1, 64, false, act_write_close),
	W("one of two writers writes", 16, 0, 64, true, act_write_two),
	W("one of two writers writes, almost full", 4, 2, 64, true, act_write_two),
	W("one of two writers writes large chunks", 4, 1, 2000, true, act_write_two),
	W("one of two writers finds the stream full", 2, 2, 64, true, act_write_full),
	W("a lone writer reserves and commits several", 16, 1, 64, false, act_reserve_many),
	W("a lone writer reserves and commits several, almost full", 3, 1, 64, false,
	  act_reserve_many),
	W("one of two writers reserves, cancels, commits", 4, 1, 64, true, act_reserve),
	W("one of two writers commits and reserves at once", 16, 1, 64, true, act_reserve_on),
	W("one of two writers commits and reserves at once, almost full", 3, 1, 64, true,
	  act_reserve_on),
	W("one of two writers reserves and commits several", 16, 1, 64, true, act_reserve_many),
	W("one of two writers reserves and commits several, almost full", 3, 1, 64, true,
	  act_reserve_many),
	W("one of two writers closes", 4, 1, 64, true, act_write_close),
	W("a writer is cloned", 4, 1, 64, false, act_clone_write),
	{ .name = "a lone writer attaches",
	  .capacity = 4,
	  .len = 64,
	  .from_attach = true,
	  .act = act_attach_write,
	  .judge = judge_writer },
	{ .name = "a second writer attaches",
	  .capacity = 4,
	  .len = 64,
	  .from_attach = true,
	  .second = true,
	  .act = act_attach_write,
	  .judge = judge_writer },
	{ .name = "a writer moves",
	  .capacity = 4,
	  .len = 64,
	  .from_attach = true,
	  .act = act_move_writer,
	  .judge = judge_moved_writer },
	R("a reader reads", 16, 8, 64, false, act_read_two),
	R("a reader reads small chunks", 16, 8, 40, false, act_read_two),
	R("a reader reads from a full stream", 2, 2, 64, true, act_read_two),
	R("a reader reads large chunks", 4, 3, 2000, false, act_read_two),
	R("a reader peeks and releases", 4, 4, 64, true, act_peek),
	R("a reader closes", 4, 2, 64, false, act_read_close),
	{ .name = "a reader attaches",
	  .capacity = 4,
	  .filled = 2,
	  .len = 64,
	  .from_attach = true,
	  .victim_reads = true,
	  .act = act_attach_read,
	  .judge = judge_reader },
	{ .name = "a reader moves",
	  .capacity = 4,
	  .filled = 3,
	  .len = 64,
	  .from_attach = true,
	  .victim_reads = true,
	  .act = act_move_reader,
	  .judge = judge_moved_reader },
	W("a lone writer writes several", 16, 0, 64, false, act_write_many),
	W("a lone writer writes several, more than there is room for", 4, 2, 64, false,
	  act_write_many),
	W("a lone writer writes several large ones", 4, 1, 2000, false, act_write_many),
	W_WARM("a lone writer goes on writing", .len = 40, .act = act_write_two),
	W_WARM("a lone writer goes on writing larger chunks", .len = 2000, .act = act_write_two),
	W_WARM("a lone writer goes on writing several", .len = 40, .act = act_write_many),
	W_WARM("a lone writer goes on writing several large ones", .len = 2000,
	       .act = act_write_many),
	W("one of two writers writes several", 16, 0, 64, true, act_write_many),
	W("one of two writers writes several, more than there is room for", 4, 2, 64, true,
	  act_write_many),
	R("a reader peeks at several and releases some", 4, 4, 64, true, act_peek_many),
	W_ASLEEP("a lone writer sleeps", .second = false, .act = act_sleep_for_room),
	W_ASLEEP("a lone writer sleeps, sealed", .sealed = true, .act = act_sleep_for_room),
	W_ASLEEP("one of two writers sleeps", .second = true, .act = act_sleep_for_room),
	W_ASLEEP("one of two writers sleeps, sealed", .second = true, .sealed = true,
		 .act = act_sleep_for_room),
	W_ASLEEP("a writer drains", .second = true, .act = act_drain),
	W_BESIDE("a writer sleeps beside another", .sealed = false),
	W_BESIDE("a writer sleeps beside another, sealed", .sealed = true),
	R_ASLEEP("a reader sleeps", .sealed = false),
	R_ASLEEP("a reader sleeps, sealed", .sealed = true),
	{ .name = "a writer writes to a reader that polls",
	  .capacity = 16,
	  .len = 64,
	  .polls = true,
	  .act = act_write_two,
	  .moment = moment_polled,
	  .judge = judge_polled_writer },
	{ .name = "a reader reads what a writer that polls has filled",
	  .capacity = 2,
	  .filled = 2,
	  .len = 64,
	  .polls = true,
	  .victim_reads = true,
	  .act = act_read_two,
	  .moment = moment_polled,
	  .judge = judge_polled_reader },
};
const unsigned n_scenes = sizeof(scenes) / sizeof(scenes[0]);

const char *scenes_begin(void)
{
	setenv("BSTREAM_SPIN", "0", 1); /* who finds nothing sleeps: a look more kills nobody */
	return NULL;
}

unsigned scenes_end(void)
{
	return 0;
}
