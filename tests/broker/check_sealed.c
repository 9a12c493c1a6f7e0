/* SPDX-License-Identifier: MIT */
/*
 * check_sealed.c - sealed streams: what their peers cannot do to each other, and their names, which
 * are nowhere but in the broker and in the ends that bring them back to the next one.
 *
 * Everything else that holds for sealed streams as for others is shown by the other tests, which
 * tests/sealed.sh runs once more with sealed streams.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/atomic.h"
#include "proto/end.h"
#include "proto/segment.h"
#include "tests/broker/raw.h"

static struct bstream_writer *w;
static struct bstream_reader *r;

static void create_sealed(const char *name, uint32_t capacity, uint32_t keep)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = capacity;
	o.flags = BSTREAM_SEALED;
	o.keep = keep;
	GIVES(bstream_create(name, &o), 0);
}

static void pair_sealed(uint32_t capacity)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = capacity;
	o.flags = BSTREAM_SEALED;
	GIVES(bstream_pair(&o, &w, &r), 0);
}

static bool exists(const char *name)
{
	return bstream_wait(name, BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT) == 0;
}

/* ---- what it is ----------------------------------------------------------------------------- */

START_TEST(a_sealed_stream_has_a_name_and_no_file)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_writer *second;

	create_sealed("s", 4, 0);
	GIVES(guard_n_segments(), 0);
	GIVES(bstream_create("s", NULL), -EEXIST);
	GIVES(bstream_stat("s", &stat), 0);
	GIVES(stat.flags, BSTREAM_SEALED);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_writer_clone(w, &second), 0);
	SAY(w, "a");
	SAY(second, "b");
	HEAR(r, "a");
	HEAR(r, "b");
	bstream_writer_close(w);
	bstream_writer_close(second);
	GIVES(guard_read(r, guard_patience()), 0);
	bstream_reader_close(r);
	UNTIL(!exists("s"));
	create_sealed("s", 4, 0);
	GIVES(bstream_remove("s"), 0);
}
END_TEST

START_TEST(a_sealed_stream_is_kept_parked_ended_and_removed)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	create_sealed("s", 4, BSTREAM_KEEP_READER | BSTREAM_KEEP_WRITERS);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	SAY(w, "b");
	bstream_writer_close(w);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	HEAR(r, "a");
	bstream_reader_close(r); /* kept */
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	HEAR(r, "b");
	GIVES(bstream_reader_park(r), 0);
	GIVES(bstream_stat("s", &stat), 0);
	GIVES(stat.reader, BSTREAM_READER_PARKED);
	GIVES(bstream_eof("s"), 0);
	GIVES(bstream_wait("s", BSTREAM_WAIT_END, guard_patience()), 0);
	GIVES(bstream_remove("s"), 0);
	GIVES(bstream_remove("s"), -ENOENT);
}
END_TEST

static void die_with_it(struct bstream_writer *writer, void *arg)
{
	(void)writer;
	guard_gate_pass(arg);
	raise(SIGKILL);
}

START_TEST(the_broker_tells_of_a_death_at_once)
{
	struct guard_peer peer;
	struct guard_gate gate;
	int status;

	guard_gate_init(&gate);
	create_sealed("s", 4, 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	guard_writer_away(&peer, BY_PROCESS, w, die_with_it, &gate);
	guard_gate_open(&gate);
	MUST(waitpid(peer.pid, &status, 0) == peer.pid && WIFSIGNALED(status));
	free(peer.start);
	GIVES(guard_read(r, guard_patience()), -ECONNRESET);
	bstream_reader_close(r);
	UNTIL(!exists("s"));
	guard_gate_fini(&gate);
}
END_TEST

/* ---- what a peer cannot do ------------------------------------------------------------------ */

/* The segment of @writer, as a peer with an end of it has it. Gives the end up. */
static int segment_of(struct bstream_writer *writer)
{
	int fd = bstream_writer_detach(writer);

	MUST(fd >= 0);
	return fd;
}

START_TEST(a_peer_cannot_cut_the_segment_off)
{
	pair_sealed(4);
	SAY(w, "a");
	int fd = segment_of(w);
	MUST(ftruncate(fd, 0) < 0 && errno == EPERM);
	MUST(ftruncate(fd, 1 << 30) < 0 && errno == EPERM);
	MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM);
	GIVES(bstream_writer_attach(fd, &w), 0);
	HEAR(r, "a");
	bstream_writer_close(w);
	bstream_reader_close(r);
}
END_TEST

struct scribbler {
	struct bs_segment *g;
	_Atomic bool stop;
};

/* Plays with every word that a sleep or a wake-up has to do with. */
static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	uint32_t n = 1;

	while (!atomic_load(&s->stop)) {
		n = n * 1664525u + 1013904223u;
		figure_store(&s->g->items.gen, n);
		figure_store(&s->g->space.gen, n);
		figure_store(&s->g->space.watch_gen, n);
		figure_store(&s->g->space.sleepers, n);
		figure_store(&s->g->items.wake_at, n % 3 == 0 ? 0 : (uint64_t)n);
		figure_store(&s->g->space.wake_at, n % 5 == 0 ? 0 : (uint64_t)n);
		memset((void *)&s->g->items.sem, (int)n, sizeof(sem_t));
		memset((void *)&s->g->space.sem, (int)n, sizeof(sem_t));
	}
	return NULL;
}

static void scribbler_start(struct scribbler *s, pthread_t *thread, int fd)
{
	s->g = mmap(NULL, sizeof(struct bs_segment), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(s->g != MAP_FAILED);
	atomic_store(&s->stop, false);
	MUST(pthread_create(thread, NULL, scribble, s) == 0);
}

static void scribbler_stop(struct scribbler *s, pthread_t thread)
{
	atomic_store(&s->stop, true);
	MUST(pthread_join(thread, NULL) == 0);
	munmap(s->g, sizeof(struct bs_segment));
}

START_TEST(a_peer_that_scribbles_where_others_sleep_delays_them_by_a_slice)
{
	struct scribbler s;
	pthread_t thread;

	pair_sealed(1);
	int fd = segment_of(w);
	scribbler_start(&s, &thread, fd);
	/* A sleeper is not kept beyond its deadline … */
	GIVES(guard_read(r, bstream_after_ms(50)), -ETIMEDOUT);
	GIVES(bstream_writer_attach(fd, &w), 0);
	SAY(w, "a");
	GIVES(bstream_write(w, "b", 1, bstream_after_ms(50)), -ETIMEDOUT);
	GIVES(bstream_drain(w, bstream_after_ms(50)), -ETIMEDOUT);
	HEAR(r, "a");
	scribbler_stop(&s, thread);
	bstream_writer_close(w);
	bstream_reader_close(r);
}
END_TEST

static void write_one_later(struct bstream_writer *writer, void *arg)
{
	guard_gate_pass(arg);
	SAY(writer, "late");
	bstream_writer_close(writer);
}

/* Not even if the flag that says somebody sleeps is taken down time and again. */
START_TEST(a_peer_that_scribbles_keeps_no_chunk_from_who_waits_for_it)
{
	struct bstream_writer *hostile;
	struct guard_peer peer;
	struct guard_gate gate;
	struct scribbler s;
	pthread_t thread;

	guard_gate_init(&gate);
	pair_sealed(1);
	GIVES(bstream_writer_clone(w, &hostile), 0);
	int fd = segment_of(hostile);
	scribbler_start(&s, &thread, fd);
	guard_writer_away(&peer, BY_PROCESS, w, write_one_later, &gate);
	guard_gate_open(&gate);
	HEAR_IN_TIME(r, "late");
	guard_join(&peer);
	scribbler_stop(&s, thread);
	close(fd);
	bstream_reader_close(r);
	guard_gate_fini(&gate);
}
END_TEST

/* ---- peers of other users ------------------------------------------------------------------- */

#define STRANGER 65534

/* As another user: make a pair, sealed or not, and send its read end. */
static void stranger_sends(int socket, uint32_t flags)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	MUST(setresgid(STRANGER, STRANGER, STRANGER) == 0);
	MUST(setresuid(STRANGER, STRANGER, STRANGER) == 0);
	o.flags = flags;
	GIVES(bstream_pair(&o, &w, &r), 0);
	SAY(w, "hello");
	GIVES(bstream_reader_send(socket, r), 0);
	bstream_writer_close(w);
	_exit(0);
}

static int received(uint32_t flags)
{
	int ends[2], rc;
	pid_t pid;

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	pid = guard_fork();
	if (pid == 0)
		stranger_sends(ends[1], flags);
	close(ends[1]);
	rc = bstream_reader_recv(ends[0], &r);
	close(ends[0]);
	guard_reap(pid);
	return rc;
}

START_TEST(an_end_from_another_user_is_taken_if_it_is_sealed)
{
	if (geteuid() != 0) {
		printf("skipped: only root can play another user\n");
		return;
	}
	GIVES(received(0), -EPROTO);
	GIVES(received(BSTREAM_SEALED), 0);
	HEAR(r, "hello");
	GIVES(guard_read(r, guard_patience()), 0);
	bstream_reader_close(r);
}
END_TEST

/* ---- names and brokers ---------------------------------------------------------------------- */

static void write_two(struct bstream_writer *writer, void *arg)
{
	(void)arg;
	GIVES(bstream_write(writer, "a", 1, guard_patience()), 0);
	GIVES(bstream_write(writer, "b", 1, guard_patience()), 0);
	bstream_writer_close(writer);
}

START_TEST(a_writer_that_waits_brings_its_stream_to_the_next_broker)
{
	struct guard_peer peer;

	create_sealed("s", 1, 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	guard_writer_away(&peer, (enum guard_way)_i, w, write_two, NULL);
	raw_broker_kill();
	GIVES(bstream_open_reader("s", guard_patience(), &r), 0); /* of the next broker */
	HEAR_IN_TIME(r, "a");
	HEAR_IN_TIME(r, "b");
	GIVES(guard_read(r, guard_patience()), 0);
	guard_join(&peer);
	bstream_reader_close(r);
	UNTIL(!exists("s"));
}
END_TEST

static void hear_one(struct bstream_reader *reader, void *arg)
{
	(void)arg;
	HEAR_IN_TIME(reader, "a");
	GIVES(guard_read(reader, guard_patience()), 0);
	bstream_reader_close(reader);
}

START_TEST(a_reader_that_waits_does_so_too)
{
	struct guard_peer peer;

	create_sealed("s", 1, 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	guard_reader_away(&peer, (enum guard_way)_i, r, hear_one, NULL);
	raw_broker_kill();
	GIVES(bstream_open_writer("s", guard_patience(), &w), 0);
	SAY(w, "a");
	bstream_writer_close(w);
	guard_join(&peer);
	UNTIL(!exists("s"));
}
END_TEST

START_TEST(so_does_one_who_never_waits_when_it_is_refused)
{
	create_sealed("s", 1, 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	raw_broker_kill();
	GIVES(bstream_broker_start(), 0);
	MUST(!exists("s"));
	UNTIL(bstream_write(w, "b", 1, BSTREAM_DONT_WAIT) == -EAGAIN && exists("s"));
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	HEAR(r, "a");
	bstream_writer_close(w);
	GIVES(guard_read(r, guard_patience()), 0);
	bstream_reader_close(r);
	UNTIL(!exists("s"));
}
END_TEST

START_TEST(several_ends_bring_back_one_stream)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };
	struct bstream_writer *more[3];

	create_sealed("s", 1, 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	for (int i = 0; i < 3; i++)
		GIVES(bstream_writer_clone(w, &more[i]), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	raw_broker_kill();
	GIVES(bstream_broker_start(), 0);
	SAY(w, "a");
	for (int i = 0; i < 3; i++)
		GIVES(bstream_write(more[i], "b", 1, bstream_after_ms(10)), -ETIMEDOUT);
	UNTIL(exists("s"));
	GIVES(bstream_broker_stat(&stat), 0);
	GIVES(stat.streams, 1);
	for (int i = 0; i < 3; i++)
		bstream_writer_close(more[i]);
	bstream_writer_close(w);
	HEAR(r, "a");
	GIVES(guard_read(r, guard_patience()), 0);
	bstream_reader_close(r);
	UNTIL(!exists("s"));
}
END_TEST

START_TEST(what_was_removed_does_not_come_back)
{
	create_sealed("s", 1, 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_remove("s"), 0);
	SAY(w, "a");
	raw_broker_kill();
	GIVES(bstream_broker_start(), 0);
	for (int i = 0; i < 3; i++)
		GIVES(bstream_write(w, "b", 1, bstream_after_ms(300)), -ETIMEDOUT);
	MUST(!exists("s"));
	HEAR(r, "a");
	bstream_writer_close(w);
	bstream_reader_close(r);
}
END_TEST

START_TEST(a_name_that_nobody_holds_an_end_of_goes_with_its_broker)
{
	create_sealed("s", 4, 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	bstream_writer_close(w);
	GIVES(bstream_create("other", NULL), 0);
	GIVES(bstream_broker_stop(), 0);
	GIVES(bstream_broker_start(), 0);
	MUST(!exists("s") && exists("other"));
	GIVES(bstream_remove("other"), 0);
}
END_TEST

/* ---- what strangers offer ------------------------------------------------------------------- */

static void offer(int (*give)(const char *, int), int fd, int want)
{
	MUST(fd >= 0);
	GIVES(give("s", fd), want);
	close(fd);
}

static int plain_that_says_it_is_sealed(void)
{
	uint32_t flags = BS_FLAG_SEALED;
	int fd = raw_segment("s");

	MUST(pwrite(fd, &flags, sizeof(flags), offsetof(struct bs_header, flags)) == sizeof(flags));
	return fd;
}

static int sealed_that_says_it_is_not(void)
{
	uint32_t flags = 0;
	int fd = raw_sealed_segment("s");

	MUST(pwrite(fd, &flags, sizeof(flags), offsetof(struct bs_header, flags)) == sizeof(flags));
	return fd;
}

static int sealed_with_a_hole(void)
{
	int fd = raw_sealed_segment("s");

	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096) == 0);
	return fd;
}

/* As good a one, with more memory behind it than it says, or just as much. */
static int sealed_with_more(off_t more)
{
	int model = raw_sealed_segment("s"),
	    fd = memfd_create("s", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	off_t size = lseek(model, 0, SEEK_END), from = 0;

	MUST(fd >= 0 && posix_fallocate(fd, 0, size) == 0 && ftruncate(fd, size + more) == 0);
	MUST(sendfile(fd, model, &from, (size_t)size) == size);
	MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
	close(model);
	return fd;
}

static int removed(void)
{
	uint64_t word = BS_W_REMOVED;
	int fd = raw_sealed_segment("s");

	MUST(pwrite(fd, &word, sizeof(word), offsetof(struct bs_segment, verdicts.writers)) ==
	     sizeof(word));
	return fd;
}

START_TEST(what_is_not_wholly_a_sealed_segment_gets_no_name)
{
	GIVES(bstream_broker_start(), 0);
	offer(raw_create, plain_that_says_it_is_sealed(), -EPROTO);
	offer(raw_create, sealed_that_says_it_is_not(), -EPROTO);
	offer(raw_create, sealed_with_a_hole(), -ENOSPC);
	offer(raw_create, raw_sealed_segment("other"), -EPROTO);
	offer(raw_create, sealed_with_more(4096), -EPROTO);
	offer(raw_create, sealed_with_more((off_t)1 << 40), -EPROTO);
	offer(raw_create, removed(), -EPROTO);
	offer(raw_restore, plain_that_says_it_is_sealed(), -EPROTO);
	offer(raw_restore, raw_segment("s"), -EPROTO);
	offer(raw_restore, raw_sealed_segment("other"), -EPROTO);
	offer(raw_restore, removed(), -EPROTO);
	MUST(!exists("s"));
	offer(raw_create, sealed_with_more(0), 0);
	GIVES(bstream_remove("s"), 0);
}
END_TEST

START_TEST(a_stream_that_has_a_broker_is_restored_by_no_other)
{
	int fd = raw_sealed_segment("s"), second = bs_end_reopen(fd, O_RDWR);

	GIVES(bstream_broker_start(), 0);
	GIVES(bs_end_lock(second, BS_BYTE_BROKER), 0);
	GIVES(raw_restore("s", fd), -EPROTO);
	bs_end_unlock(second, BS_BYTE_BROKER);
	GIVES(raw_restore("s", fd), 0);
	GIVES(raw_restore("s", fd), -EEXIST);
	GIVES(bstream_remove("s"), 0);
	close(second);
	close(fd);
}
END_TEST

/* ---- ends in a process that uses another broker --------------------------------------------- */

static void use_another_broker(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/another.sock", guard_dir());
	MUST(setenv("BSTREAM_SOCKET", path, 1) == 0);
}

/* What an end's owner brings to his own broker stays where it had its name. */
START_TEST(a_stream_comes_back_at_its_own_broker_only)
{
	create_sealed("s", 4, 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	int fd;
	GIVES(raw_ask(BS_REQ_LOOK, "s", BS_WANT_WRITE, &fd), 0);
	raw_broker_kill();
	use_another_broker();
	GIVES(bstream_broker_start(), 0);
	GIVES(raw_restore("s", fd), -EXDEV);
	GIVES(raw_create("s", fd), -EPROTO);
	MUST(!exists("s"));
	GIVES(bstream_broker_stop(), 0);
	MUST(unsetenv("BSTREAM_SOCKET") == 0);
	GIVES(bstream_broker_start(), 0);
	GIVES(raw_restore("s", fd), 0);
	close(fd);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	HEAR(r, "a");
	bstream_reader_close(r);
	bstream_writer_close(w);
	UNTIL(!exists("s"));
}
END_TEST

/* The other process: receives the read end, and does with it what the test wants. */
enum { PARKS, CLOSES, DIES };

static void stranger_run(int socket, int how)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct pollfd p = { .events = POLLIN };
	struct bstream_reader *mine;

	use_another_broker(); /* where none is, and none is needed */
	GIVES(bstream_reader_recv(socket, &mine), 0);
	GIVES(bstream_reader_stat(mine, &stat), 0);
	MUST(strcmp(stat.name, "s") == 0);
	p.fd = bstream_reader_pollfd(mine);
	MUST(p.fd >= 0 && poll(&p, 1, -1) == 1);
	HEAR(mine, "a");
	if (how == DIES)
		raise(SIGKILL);
	if (how == PARKS)
		GIVES(bstream_reader_park(mine), 0);
	else
		bstream_reader_close(mine);
	_exit(0);
}

/* Its broker hears of what becomes of it there, and has it again if it is parked or kept. */
START_TEST(an_end_that_is_moved_there_is_still_its_brokers)
{
	bool kept = _i >= 3, comes_back = kept || _i % 3 == PARKS;
	int s[2], status;

	create_sealed("s", 2, kept ? BSTREAM_KEEP_READER : 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	SAY(w, "a");
	SAY(w, "b");
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) == 0);
	pid_t pid = guard_fork();
	if (pid == 0)
		stranger_run(s[1], _i % 3);
	GIVES(bstream_reader_send(s[0], r), 0);
	close(s[0]);
	MUST(waitpid(pid, &status, 0) == pid);
	close(s[1]);
	MUST(_i % 3 == DIES ? WIFSIGNALED(status) : status == 0);
	if (comes_back) {
		UNTIL(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r) == 0);
		HEAR(r, "b");
		SAY(w, "c");
		bstream_reader_close(r);
	} else {
		while (bstream_write(w, "c", 1, guard_patience()) == 0)
			;
		GIVES(bstream_write(w, "d", 1, BSTREAM_DONT_WAIT), -EPIPE);
	}
	bstream_writer_close(w);
	if (kept)
		GIVES(bstream_remove("s"), 0);
	UNTIL(!exists("s"));
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_sealed_stream_has_a_name_and_no_file),
		ONCE(a_sealed_stream_is_kept_parked_ended_and_removed),
		ONCE(the_broker_tells_of_a_death_at_once),
		ONCE(a_peer_cannot_cut_the_segment_off),
		ONCE(a_peer_that_scribbles_where_others_sleep_delays_them_by_a_slice),
		ONCE(a_peer_that_scribbles_keeps_no_chunk_from_who_waits_for_it),
		ONCE(an_end_from_another_user_is_taken_if_it_is_sealed),
		EITHER_WAY(a_writer_that_waits_brings_its_stream_to_the_next_broker),
		EITHER_WAY(a_reader_that_waits_does_so_too),
		ONCE(so_does_one_who_never_waits_when_it_is_refused),
		ONCE(several_ends_bring_back_one_stream),
		ONCE(what_was_removed_does_not_come_back),
		ONCE(a_name_that_nobody_holds_an_end_of_goes_with_its_broker),
		ONCE(what_is_not_wholly_a_sealed_segment_gets_no_name),
		ONCE(a_stream_that_has_a_broker_is_restored_by_no_other),
		ONCE(a_stream_comes_back_at_its_own_broker_only),
		N_WAYS(an_end_that_is_moved_there_is_still_its_brokers, 6),
	};

	guard_need_broker();
	return GUARD_RUN("sealed", cases);
}
