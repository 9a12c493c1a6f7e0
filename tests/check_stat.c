/* SPDX-License-Identifier: MIT */
/* check_stat.c - figures that are exact when nothing moves. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/handle.h"
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

static struct bstream_stat stat_of_reader(void)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	GIVES(bstream_reader_stat(r, &stat), 0);
	return stat;
}

START_TEST(a_new_pair_says_what_it_is)
{
	struct timespec now;
	struct bstream_stat stat;

	clock_gettime(CLOCK_REALTIME, &now);
	guard_pair(7, 100, &w, &r);
	stat = stat_of_reader();
	ck_assert_str_eq(stat.name, "");
	GIVES(stat.size, sizeof(stat));
	GIVES(stat.capacity, 7);
	GIVES(stat.chunk_max, 100);
	GIVES(stat.uid, getuid());
	GIVES(stat.gid, getgid());
	GIVES(stat.in_flight, 0);
	GIVES(stat.writers, 1);
	GIVES(stat.reader, BSTREAM_READER_OPEN);
	GIVES(stat.flags, 0);
	GIVES(stat.reader_pid, getpid());
	GIVES(stat.writer_pid, getpid());
	GIVES(stat.writer_waits + stat.reader_waits, 0);
	MUST(stat.created_ns / 1000000000 >= (uint64_t)now.tv_sec &&
	     stat.created_ns / 1000000000 < (uint64_t)now.tv_sec + 60);
	close_all();
}
END_TEST

START_TEST(what_was_written_and_read_is_counted_over_all_ends)
{
	struct bstream_stat stat;
	void *span;

	guard_pair(7, 100, &w, &r);
	GIVES(bstream_writer_clone(w, &x), 0);
	SAY(w, "123");
	SAY(x, "12345");
	SAY(x, "");
	GIVES(bstream_reserve(w, 50, &span, BSTREAM_DONT_WAIT), 0);
	memset(span, 'r', 50);
	stat = stat_of_reader();
	GIVES(stat.writers, 2);
	GIVES(stat.in_flight, 4); /* claimed is in flight */
	GIVES(stat.chunks_written, 3);
	GIVES(bstream_commit(w, 10), 0);
	GIVES(bstream_reserve(w, 50, &span, BSTREAM_DONT_WAIT), 0);
	bstream_cancel(w);
	HEAR(r, "123");
	HEAR(r, "12345");
	stat = stat_of_reader();
	GIVES(stat.chunks_written, 4);
	GIVES(stat.bytes_written, 18);
	GIVES(stat.chunks_read, 2);
	GIVES(stat.bytes_read, 8);
	GIVES(stat.in_flight, 3);
	bstream_writer_close(x); /* what it wrote stays counted */
	x = NULL;
	HEAR(r, "");
	HEAR(r, "rrrrrrrrrr");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	stat = stat_of_reader();
	GIVES(stat.writers, 1);
	GIVES(stat.chunks_written, 4);
	GIVES(stat.bytes_written, 18);
	GIVES(stat.chunks_read, 4);
	GIVES(stat.bytes_read, 18);
	GIVES(stat.in_flight, 0);
	GIVES(stat.chunks_abandoned, 0);
	close_all();
}
END_TEST

START_TEST(ends_that_went_are_told)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	guard_pair(4, 0, &w, &r);
	bstream_writer_close(w);
	w = NULL;
	stat = stat_of_reader();
	GIVES(stat.flags, BSTREAM_ENDED);
	GIVES(stat.writers, 0);
	GIVES(stat.writer_pid, 0);
	close_all();
	guard_pair(4, 0, &w, &r);
	bstream_reader_close(r);
	r = NULL;
	GIVES(bstream_writer_stat(w, &stat), 0);
	GIVES(stat.flags, BSTREAM_BROKEN);
	GIVES(stat.reader, BSTREAM_READER_NONE);
	GIVES(stat.reader_pid, 0);
	close_all();
}
END_TEST

START_TEST(asking_finds_the_dead)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	guard_pair(4, 0, &w, &r);
	close(bstream_writer_detach(w));
	w = NULL;
	stat = stat_of_reader();
	GIVES(stat.flags, BSTREAM_ENDED | BSTREAM_LOST_WRITER);
	close_all();
	guard_pair(4, 0, &w, &r);
	close(bstream_reader_detach(r));
	r = NULL;
	GIVES(bstream_writer_stat(w, &stat), 0);
	GIVES(stat.flags, BSTREAM_BROKEN);
	close_all();
}
END_TEST

START_TEST(sleeps_are_counted)
{
	struct bstream_stat stat;

	guard_pair(1, 0, &w, &r);
	GIVES(guard_read(r, bstream_after_ms(500)), -ETIMEDOUT);
	SAY(w, "a");
	GIVES(bstream_write(w, "b", 1, bstream_after_ms(500)), -ETIMEDOUT);
	GIVES(bstream_write(w, "b", 1, BSTREAM_DONT_WAIT), -EAGAIN);
	stat = stat_of_reader();
	GIVES(stat.reader_waits, 1);
	GIVES(stat.writer_waits, 1);
	close_all();
}
END_TEST

START_TEST(a_size_that_is_not_known_is_refused_and_nothing_written)
{
	struct bstream_stat stat;

	guard_pair(1, 0, &w, &r);
	memset(&stat, 0x55, sizeof(stat));
	stat.size = sizeof(stat) - 8;
	GIVES(bstream_writer_stat(w, &stat), -EINVAL);
	GIVES(bstream_reader_stat(r, &stat), -EINVAL);
	GIVES(stat.capacity, 0x55555555);
	stat.size = 0;
	GIVES(bstream_reader_stat(r, &stat), -EINVAL);
	close_all();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_new_pair_says_what_it_is),
		ONCE(what_was_written_and_read_is_counted_over_all_ends),
		ONCE(ends_that_went_are_told),
		ONCE(asking_finds_the_dead),
		ONCE(sleeps_are_counted),
		ONCE(a_size_that_is_not_known_is_refused_and_nothing_written),
	};

	return GUARD_RUN("stat", cases);
}
