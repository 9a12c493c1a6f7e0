/* SPDX-License-Identifier: MIT */
/* check_travel.c - ends that are detached and attached, here, in a fork, behind an exec; and all that
 * is offered as one and is none. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/handle.h"
#include "proto/end.h"
#include "tests/guard.h"

static struct bstream_writer *w, *x;
static struct bstream_reader *r;

static void close_all(void)
{
	bstream_writer_close(w);
	bstream_writer_close(x);
	bstream_reader_close(r);
	w = x = NULL;
	r = NULL;
}

START_TEST(an_end_comes_back_as_it_went)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	int fd_w, fd_r;

	guard_pair(4, 0, &w, &r);
	SAY(w, "a");
	SAY(w, "b");
	HEAR(r, "a");
	fd_w = bstream_writer_detach(w);
	MUST(fd_w >= 0 && fcntl(fd_w, F_GETFD) == FD_CLOEXEC);
	fd_r = bstream_reader_detach(r);
	MUST(fd_r >= 0 && fcntl(fd_r, F_GETFD) == FD_CLOEXEC);
	GIVES(guard_n_mappings(), 0);
	fcntl(fd_w, F_SETFD, 0);
	GIVES(bstream_writer_attach(fd_w, &w), 0);
	MUST(fcntl(fd_w, F_GETFD) == FD_CLOEXEC); /* the library's again */
	GIVES(bstream_reader_attach(fd_r, &r), 0);
	SAY(w, "c");
	HEAR(r, "b");
	HEAR(r, "c");
	GIVES(bstream_reader_stat(r, &stat), 0);
	GIVES(stat.chunks_written, 3);
	GIVES(stat.chunks_read, 3);
	close_all();
}
END_TEST

START_TEST(a_peeked_chunk_comes_again_after_a_move)
{
	const void *chunk;
	size_t len;
	int fd;

	guard_pair(4, 0, &w, &r);
	SAY(w, "a");
	GIVES(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), 1);
	fd = bstream_reader_detach(r);
	MUST(fd >= 0);
	GIVES(bstream_reader_attach(fd, &r), 0);
	GIVES(bstream_release(r), -EINVAL);
	HEAR(r, "a");
	close_all();
}
END_TEST

START_TEST(an_end_on_its_way_is_alive)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	int fd;

	guard_pair(1, 0, &w, &r);
	fd = bstream_writer_detach(w);
	GIVES(guard_read(r, bstream_after_ms(300)), -ETIMEDOUT);
	GIVES(bstream_reader_stat(r, &stat), 0);
	GIVES(stat.writers, 1);
	GIVES(bstream_writer_attach(fd, &w), 0);
	fd = bstream_reader_detach(r);
	SAY(w, "a");
	GIVES(bstream_write(w, "b", 1, bstream_after_ms(300)), -ETIMEDOUT);
	GIVES(bstream_reader_attach(fd, &r), 0);
	HEAR(r, "a");
	close_all();
}
END_TEST

START_TEST(closing_a_detached_end_is_a_death)
{
	guard_pair(1, 0, &w, &r);
	SAY(w, "a");
	close(bstream_writer_detach(w));
	HEAR(r, "a");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -ECONNRESET);
	w = NULL;
	close_all();
	guard_pair(1, 0, &w, &r);
	SAY(w, "a");
	close(bstream_reader_detach(r));
	GIVES(bstream_write(w, "b", 1, BSTREAM_DONT_WAIT), -EPIPE);
	r = NULL;
	close_all();
}
END_TEST

/* Two threads at once with a copy each: */
struct claimant {
	int fd, rc;
	bool of_reader;
	struct bstream_writer *writer;
	struct bstream_reader *reader;
	pthread_barrier_t *start;
};

static void *claim_end(void *arg)
{
	struct claimant *c = arg;

	pthread_barrier_wait(c->start);
	c->rc = c->of_reader ? bstream_reader_attach(c->fd, &c->reader)
			     : bstream_writer_attach(c->fd, &c->writer);
	return NULL;
}

static void claim_twice(int fd, bool of_reader)
{
	struct claimant c[2] = { { .fd = fd }, { .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0) } };
	pthread_barrier_t start;
	pthread_t threads[2];

	pthread_barrier_init(&start, NULL, 2);
	for (int i = 0; i < 2; i++) {
		c[i].of_reader = of_reader;
		c[i].start = &start;
		MUST(pthread_create(&threads[i], NULL, claim_end, &c[i]) == 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&start);
	int won = c[0].rc == 0 ? 0 : 1;
	GIVES(c[won].rc, 0);
	GIVES(c[!won].rc, -EPROTO);
	MUST(fcntl(c[!won].fd, F_GETFD) >= 0); /* still the caller's */
	close(c[!won].fd);
	w = of_reader ? w : c[won].writer;
	r = of_reader ? c[won].reader : r;
}

START_TEST(of_two_who_attach_one_end_exactly_one_wins)
{
	for (unsigned i = 0; i < 200 / guard_slowness(); i++) {
		guard_pair(4, 0, &w, &r);
		claim_twice(bstream_writer_detach(w), false);
		claim_twice(bstream_reader_detach(r), true);
		SAY(w, "a");
		HEAR(r, "a");
		bstream_writer_close(w);
		w = NULL;
		GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
		close_all();
	}
}
END_TEST

START_TEST(an_end_that_is_attached_is_not_attached_again)
{
	int copy;

	guard_pair(4, 0, &w, &r);
	copy = fcntl(w->hold.sight.fd, F_DUPFD_CLOEXEC, 0);
	GIVES(bstream_writer_attach(copy, &x), -EPROTO);
	SAY(w, "a"); /* and no harm was done to the one that is */
	bstream_writer_close(w);
	w = NULL;
	GIVES(bstream_writer_attach(copy, &x), -EPROTO); /* nor after it has closed */
	HEAR(r, "a");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0); /* the copy holds nothing up */
	close(copy);
	close_all();
}
END_TEST

START_TEST(a_copy_of_a_closed_end_takes_no_place)
{
	int copy;

	guard_pair(4, 0, &w, &r);
	GIVES(bstream_writer_clone(w, &x), 0);
	copy = fcntl(x->hold.sight.fd, F_DUPFD_CLOEXEC, 0);
	bstream_writer_close(x);
	x = (void *)&copy;
	GIVES(bstream_writer_attach(copy, &x), -EPROTO);
	MUST((void *)x == &copy);
	x = NULL;
	bstream_writer_close(w);
	w = NULL;
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	close(copy);
	close_all();
}
END_TEST

/* ---- what is no end ------------------------------------------------------------------------- */

static void refuse(int fd, int want)
{
	int fds = guard_n_fds();

	GIVES(bstream_writer_attach(fd, &x), want);
	GIVES(bstream_reader_attach(fd, &r), want);
	GIVES(guard_n_fds(), fds);
	if (want != -EBADF)
		MUST(fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

START_TEST(what_is_no_end_is_refused_and_stays_the_callers)
{
	int p[2], s[2];

	refuse(-1, -EBADF);
	refuse(9999, -EBADF);
	MUST(pipe2(p, O_CLOEXEC) == 0 &&
	     socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
	for (int i = 0; i < 2; i++) {
		refuse(p[i], -EPROTO);
		refuse(s[i], -EPROTO);
	}
	refuse(open("/dev/null", O_RDWR | O_CLOEXEC), -EPROTO);
	refuse(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), -EPROTO);
	refuse(memfd_create("bstream", MFD_CLOEXEC), -EPROTO);
}
END_TEST

/* A description of the segment that is no end, its offset wherever a forger puts it. */
START_TEST(a_forged_end_is_refused_and_locks_nothing)
{
	static const uint64_t offsets[] = { 0,
					    4096,
					    BS_BYTE_BROKER,
					    BS_BYTE_READER,
					    BS_BYTE_WRITERS,
					    BS_BYTE_WRITERS + 1,
					    BS_BYTE_WRITERS + 63,
					    BS_BYTE_WRITERS + 64,
					    INT64_MAX };
	struct bstream_reader *none = (void *)&none;

	guard_pair(4, 0, &w, &r);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		int fd = bs_end_reopen(w->hold.sight.fd, O_RDWR);

		MUST(lseek(fd, (off_t)offsets[i], SEEK_SET) == (off_t)offsets[i]);
		GIVES(bstream_writer_attach(fd, &x), -EPROTO);
		GIVES(bstream_reader_attach(fd, &none), -EPROTO);
		MUST((void *)none == &none && fcntl(fd, F_GETFD) >= 0);
		GIVES(bs_end_held(r->hold.sight.fd, BS_BYTE_WRITERS + 1, 63), 0);
		close(fd);
	}
	SAY(w, "a");
	HEAR(r, "a");
	close_all();
}
END_TEST

START_TEST(a_descriptor_for_reading_only_is_no_end)
{
	int fd;

	guard_pair(4, 0, &w, &r);
	fd = bs_end_reopen(w->hold.sight.fd, O_RDONLY);
	MUST(lseek(fd, (off_t)BS_BYTE_WRITERS, SEEK_SET) > 0);
	GIVES(bstream_writer_attach(fd, &x), -EPROTO);
	close(fd);
	close_all();
}
END_TEST

START_TEST(a_write_end_is_no_read_end)
{
	struct bstream_reader *none;
	int fd_w, fd_r;

	guard_pair(4, 0, &w, &r);
	fd_w = bstream_writer_detach(w);
	fd_r = bstream_reader_detach(r);
	GIVES(bstream_reader_attach(fd_w, &none), -EPROTO);
	GIVES(bstream_writer_attach(fd_r, &x), -EPROTO);
	GIVES(bstream_writer_attach(fd_w, &w), 0); /* and nothing is spoilt */
	GIVES(bstream_reader_attach(fd_r, &r), 0);
	SAY(w, "a");
	HEAR(r, "a");
	x = NULL;
	close_all();
}
END_TEST

START_TEST(an_end_of_a_stream_that_is_over_is_refused)
{
	int fd;

	guard_pair(4, 0, &w, &r);
	fd = bstream_writer_detach(w);
	w = NULL;
	bstream_reader_close(r);
	r = NULL;
	GIVES(bstream_writer_attach(fd, &w), -EPIPE);
	close(fd);
}
END_TEST

START_TEST(an_ended_stream_is_read_out_by_whoever_attaches)
{
	int fd;

	guard_pair(4, 0, &w, &r);
	SAY(w, "a");
	fd = bstream_reader_detach(r);
	bstream_writer_close(w);
	w = NULL;
	GIVES(bstream_reader_attach(fd, &r), 0);
	HEAR(r, "a");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	fd = bstream_reader_detach(r);
	GIVES(bstream_reader_attach(fd, &r), 0);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0); /* the end is the stream's, not the handle's */
	close_all();
}
END_TEST

/* ---- exec ----------------------------------------------------------------------------------- */

static int exec_attached(int argc, char **argv)
{
	struct bstream_writer *writer;
	struct bstream_reader *reader;

	if (argc != 4)
		return 80;
	if (bstream_reader_attach(atoi(argv[2]), &reader) != 0 ||
	    bstream_writer_attach(atoi(argv[3]), &writer) != 0)
		return 81;
	for (;;) {
		const void *chunk;
		size_t len;
		int rc = bstream_peek(reader, &chunk, &len, guard_patience());

		if (rc != 1 || bstream_write(writer, chunk, len, guard_patience()) != 0) {
			bstream_reader_close(reader);
			bstream_writer_close(writer);
			return rc == 0 ? 0 : 82;
		}
		bstream_release(reader);
	}
}

static pid_t exec_start(int fd_in, int fd_out)
{
	pid_t pid = guard_fork();
	char in[16], out[16];

	if (pid == 0) {
		fcntl(fd_in, F_SETFD, 0);
		fcntl(fd_out, F_SETFD, 0);
		snprintf(in, sizeof(in), "%d", fd_in);
		snprintf(out, sizeof(out), "%d", fd_out);
		execl("/proc/self/exe", "check_travel", "--attach", in, out, NULL);
		_exit(83);
	}
	close(fd_in);
	close(fd_out);
	return pid;
}

START_TEST(ends_go_through_exec)
{
	struct bstream_reader *r2;
	struct bstream_writer *w2;
	pid_t pid;

	guard_pair(4, 0, &w, &r);
	guard_pair(4, 0, &w2, &r2);
	SAY(w, "before");
	pid = exec_start(bstream_reader_detach(r), bstream_writer_detach(w2));
	r = r2;
	HEAR_IN_TIME(r, "before");
	for (int i = 0; i < 100; i++) {
		GIVES(bstream_write(w, "to and fro", 10, guard_patience()), 0);
		HEAR_IN_TIME(r, "to and fro");
	}
	bstream_writer_close(w);
	w = NULL;
	GIVES(guard_read(r, guard_patience()), 0);
	guard_reap(pid);
	close_all();
}
END_TEST

int main(int argc, char **argv)
{
	const struct guard_case cases[] = {
		ONCE(an_end_comes_back_as_it_went),
		ONCE(a_peeked_chunk_comes_again_after_a_move),
		ONCE(an_end_on_its_way_is_alive),
		ONCE(closing_a_detached_end_is_a_death),
		ONCE(of_two_who_attach_one_end_exactly_one_wins),
		ONCE(an_end_that_is_attached_is_not_attached_again),
		ONCE(a_copy_of_a_closed_end_takes_no_place),
		ONCE(what_is_no_end_is_refused_and_stays_the_callers),
		ONCE(a_forged_end_is_refused_and_locks_nothing),
		ONCE(a_descriptor_for_reading_only_is_no_end),
		ONCE(a_write_end_is_no_read_end),
		ONCE(an_end_of_a_stream_that_is_over_is_refused),
		ONCE(an_ended_stream_is_read_out_by_whoever_attaches),
		ONCE(ends_go_through_exec),
	};

	if (argc > 1 && strcmp(argv[1], "--attach") == 0)
		return exec_attached(argc, argv);
	return GUARD_RUN("travel", cases);
}
