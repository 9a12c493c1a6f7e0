/* SPDX-License-Identifier: MIT */
/* check_name.c - named streams as a program sees them: who may open what when, what is kept, parked,
 * ended and removed, and when a name is free again. The broker itself is in broker/. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
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

static void create(const char *name, uint32_t capacity, uint32_t keep)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = capacity;
	o.chunk_max = 1000;
	o.keep = keep;
	GIVES(bstream_create(name, &o), 0);
}

static int exists(const char *name)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	return bstream_stat(name, &stat) == 0;
}

/* ---- names ---------------------------------------------------------------------------------- */

START_TEST(a_name_that_cannot_be_is_refused_by_every_call)
{
	static const char *const bad[] = { "", "/a", ".a", "a b", "a\n", NULL };
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_view *v;
	char long_name[202];

	memset(long_name, 'n', 201);
	long_name[201] = '\0';
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *name = bad[i] != NULL ? bad[i] : long_name;

		GIVES(bstream_create(name, NULL), -EINVAL);
		GIVES(bstream_open_writer(name, BSTREAM_FOREVER, &w), -EINVAL);
		GIVES(bstream_open_reader(name, BSTREAM_FOREVER, &r), -EINVAL);
		GIVES(bstream_remove(name), -EINVAL);
		GIVES(bstream_eof(name), -EINVAL);
		GIVES(bstream_wait(name, BSTREAM_WAIT_EXISTS, BSTREAM_FOREVER), -EINVAL);
		GIVES(bstream_stat(name, &stat), -EINVAL);
		GIVES(bstream_view_open(name, &v), -EINVAL);
	}
	long_name[200] = '\0';
	GIVES(bstream_create(long_name, NULL), 0);
	GIVES(bstream_stat(long_name, &stat), 0);
	ck_assert_str_eq(stat.name, long_name);
	GIVES(bstream_remove(long_name), 0);
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_view *v;

	GIVES(bstream_open_writer("none", BSTREAM_DONT_WAIT, &w), -ENOENT);
	GIVES(bstream_open_reader("none", BSTREAM_DONT_WAIT, &r), -ENOENT);
	GIVES(bstream_open_writer("none", bstream_after_ms(5), &w), -ETIMEDOUT);
	GIVES(bstream_open_reader("none", bstream_after_ms(-5), &r), -ETIMEDOUT);
	GIVES(bstream_remove("none"), -ENOENT);
	GIVES(bstream_eof("none"), -ENOENT);
	GIVES(bstream_stat("none", &stat), -ENOENT);
	GIVES(bstream_view_open("none", &v), -ENOENT);
}
END_TEST

START_TEST(a_name_is_created_once)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	create("n", 4, 0);
	GIVES(bstream_create("n", NULL), -EEXIST);
	o.chunk_max = 0;
	GIVES(bstream_create("n", &o), -EINVAL); /* wrong arguments first */
	GIVES(bstream_remove("n"), 0);
	GIVES(bstream_remove("n"), -ENOENT);
	create("n", 4, 0);
	GIVES(bstream_remove("n"), 0);
}
END_TEST

START_TEST(a_past_deadline_opens_what_is_there)
{
	create("n", 4, 0);
	GIVES(bstream_open_writer("n", bstream_after_ms(-5), &w), 0);
	GIVES(bstream_open_reader("n", bstream_after_ms(-5), &r), 0);
	SAY(w, "a");
	HEAR(r, "a");
	close_all();
}
END_TEST

/* ---- a whole life --------------------------------------------------------------------------- */

START_TEST(data_waits_for_its_reader_and_then_the_name_is_free)
{
	char text[64];

	create("n", 4, 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	SAY(w, "b");
	bstream_writer_describe(w, text, sizeof(text));
	ck_assert_str_eq(text, "bstream_writer(n, 2/4 chunks, open)");
	bstream_writer_close(w);
	w = NULL;
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), -ESHUTDOWN);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0); /* ended, and read out */
	bstream_reader_describe(r, text, sizeof(text));
	ck_assert_str_eq(text, "bstream_reader(n, 2/4 chunks, ended)");
	HEAR(r, "a");
	HEAR(r, "b");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	MUST(exists("n")); /* an end is there */
	close_all();
	UNTIL(!exists("n"));
	create("n", 4, 0);
	GIVES(bstream_remove("n"), 0);
}
END_TEST

static void open_and_write(const char *text)
{
	struct bstream_writer *own;

	GIVES(bstream_open_writer("n", guard_patience(), &own), 0);
	GIVES(bstream_write(own, text, strlen(text), guard_patience()), 0);
	bstream_writer_close(own);
}

START_TEST(two_processes_share_nothing_but_a_name)
{
	pid_t reading = guard_fork();

	if (reading == 0) { /* first: it waits for the name */
		GIVES(bstream_open_reader("n", guard_patience(), &r), 0);
		HEAR_IN_TIME(r, "hello");
		GIVES(guard_read(r, guard_patience()), 0);
		bstream_reader_close(r);
		_exit(0);
	}
	pid_t writing = guard_fork();
	if (writing == 0) {
		open_and_write("hello");
		_exit(0);
	}
	create("n", 1, 0);
	guard_reap(writing);
	guard_reap(reading);
	UNTIL(!exists("n"));
}
END_TEST

START_TEST(a_stream_never_written_to_has_not_ended)
{
	create("n", 1, 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(guard_read(r, bstream_after_ms(300)), -ETIMEDOUT);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	bstream_writer_close(w);
	w = NULL;
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	close_all();
}
END_TEST

START_TEST(no_more_write_ends_than_max_writers)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.max_writers = 2;
	o.chunk_max = 64;
	GIVES(bstream_create("n", &o), 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_writer_clone(w, &x), 0);
	struct bstream_writer *y = NULL;
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &y), -EMFILE);
	MUST(y == NULL);
	bstream_writer_close(x);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &x), 0);
	SAY(x, "a");
	SAY(w, "b");
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	HEAR(r, "a");
	HEAR(r, "b");
	close_all();
}
END_TEST

/* ---- the read end --------------------------------------------------------------------------- */

START_TEST(the_read_end_has_one_owner)
{
	struct bstream_reader *none = (void *)&none;

	create("n", 1, 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_open_reader("n", BSTREAM_FOREVER, &none), -EBUSY); /* at once */
	MUST((void *)none == &none);
	close_all();
}
END_TEST

START_TEST(a_closed_read_end_breaks_the_stream)
{
	create("n", 1, 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	bstream_reader_close(r);
	r = NULL;
	GIVES(bstream_write(w, "a", 1, BSTREAM_DONT_WAIT), -EPIPE);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), -EPIPE);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &x), -EPIPE);
	close_all();
	UNTIL(!exists("n"));
}
END_TEST

START_TEST(a_parked_read_end_waits_with_its_chunks_for_the_next_owner)
{
	const void *chunk;
	size_t len;

	create("n", 4, 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	SAY(w, "a");
	SAY(w, "b");
	HEAR(r, "a");
	GIVES(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), 1);
	GIVES(bstream_reader_park(r), 0);
	SAY(w, "c");
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	HEAR(r, "b"); /* peeked is not released */
	HEAR(r, "c");
	GIVES(bstream_reader_park(r), 0);
	r = NULL;
	close_all();
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	close_all();
}
END_TEST

START_TEST(only_a_named_read_end_can_be_parked)
{
	guard_pair(1, 0, &w, &r);
	GIVES(bstream_reader_park(r), -EINVAL);
	SAY(w, "a");
	HEAR(r, "a"); /* it is still ours */
	close_all();
	create("n", 1, 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_remove("n"), 0);
	GIVES(bstream_reader_park(r), -ENOENT);
	close_all();
}
END_TEST

static void read_one_and_die(const char *text)
{
	GIVES(bstream_open_reader("n", guard_patience(), &r), 0);
	HEAR_IN_TIME(r, text);
	raise(SIGKILL);
}

static void reap_killed(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

START_TEST(a_kept_read_end_outlives_its_readers)
{
	create("n", 4, BSTREAM_KEEP_READER);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	SAY(w, "b");
	SAY(w, "c");
	pid_t pid = guard_fork();
	if (pid == 0)
		read_one_and_die("a");
	reap_killed(pid);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	HEAR(r, "b");
	bstream_reader_close(r);
	SAY(w, "d"); /* closed is not gone */
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	HEAR(r, "c");
	HEAR(r, "d");
	bstream_writer_close(w);
	w = NULL;
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	close_all();
	UNTIL(!exists("n"));
}
END_TEST

START_TEST(a_reader_killed_breaks_what_is_not_kept)
{
	create("n", 4, 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	pid_t pid = guard_fork();
	if (pid == 0)
		read_one_and_die("a");
	reap_killed(pid);
	for (int i = 0; i < 5; i++) { /* the fifth does not fit */
		int rc = bstream_write(w, "b", 1, guard_patience());

		MUST(rc == 0 || rc == -EPIPE);
	}
	GIVES(bstream_write(w, "b", 1, BSTREAM_DONT_WAIT), -EPIPE);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), -EPIPE);
	close_all();
	UNTIL(!exists("n"));
}
END_TEST

/* ---- the write end -------------------------------------------------------------------------- */

START_TEST(a_kept_write_end_holds_the_end_back_until_eof)
{
	create("n", 4, BSTREAM_KEEP_WRITERS);
	open_and_write("a");
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	HEAR(r, "a");
	GIVES(guard_read(r, bstream_after_ms(300)), -ETIMEDOUT);
	open_and_write("b");
	HEAR(r, "b");
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_eof("n"), 0);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN); /* one is still there */
	SAY(w, "c");
	bstream_writer_close(w);
	w = NULL;
	HEAR(r, "c");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	close_all();
}
END_TEST

static void read_to_the_end(struct bstream_reader *reader, void *arg)
{
	(void)arg;
	GIVES(guard_read(reader, BSTREAM_FOREVER), 0);
	bstream_reader_close(reader);
}

START_TEST(eof_wakes_the_reader)
{
	struct guard_peer peer;
	struct bs_segment *g;
	struct bstream_view *v;
	struct bstream_stat stat = { .size = sizeof(stat) };

	create("n", 4, BSTREAM_KEEP_WRITERS);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	g = w->g;
	guard_reader_away(&peer, (enum guard_way)_i, r, read_to_the_end, NULL);
	r = NULL;
	UNTIL(figure_load(&g->reader.waits_for) == BS_WAITS_ITEMS);
	close_all();
	GIVES(bstream_view_open("n", &v), 0);
	GIVES(bstream_view_stat(v, &stat), 0);
	GIVES(stat.flags, 0);
	GIVES(bstream_eof("n"), 0);
	guard_join(&peer);
	bstream_view_close(v);
}
END_TEST

START_TEST(a_kept_writer_that_died_is_still_told_at_the_end)
{
	create("n", 4, BSTREAM_KEEP_WRITERS);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	close(bstream_writer_detach(w));
	w = NULL;
	HEAR(r, "a");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_eof("n"), 0);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -ECONNRESET);
	close_all();
}
END_TEST

START_TEST(eof_does_nothing_to_a_stream_that_keeps_no_writers)
{
	create("n", 4, 0);
	GIVES(bstream_eof("n"), 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_eof("n"), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	SAY(w, "a");
	HEAR(r, "a");
	close_all();
}
END_TEST

/* ---- remove --------------------------------------------------------------------------------- */

START_TEST(a_removed_stream_works_on_without_its_name)
{
	create("n", 4, BSTREAM_KEEP_READER | BSTREAM_KEEP_WRITERS);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_remove("n"), 0);
	GIVES(guard_n_segments(), 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &x), -ENOENT);
	SAY(w, "a");
	HEAR(r, "a");
	GIVES(bstream_writer_clone(w, &x), 0);
	SAY(x, "b");
	HEAR(r, "b");
	bstream_writer_close(w);
	bstream_writer_close(x);
	w = x = NULL;
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0); /* kept no more */
	close_all();
}
END_TEST

START_TEST(removing_tells_a_writer_that_no_reader_can_come)
{
	create("n", 1, 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	GIVES(bstream_remove("n"), 0);
	GIVES(bstream_write(w, "b", 1, BSTREAM_FOREVER), -EPIPE);
	close_all();
}
END_TEST

static void write_in_vain(struct bstream_writer *writer, void *arg)
{
	(void)arg;
	GIVES(bstream_write(writer, "b", 1, BSTREAM_FOREVER), -EPIPE);
	bstream_writer_close(writer);
}

START_TEST(removing_wakes_who_waits)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct guard_peer peer, reading;

	create("n", 1, 0);
	create("m", 1, 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	guard_writer_away(&peer, (enum guard_way)_i, w, write_in_vain, NULL);
	w = NULL;
	GIVES(bstream_open_reader("m", BSTREAM_DONT_WAIT, &r), 0);
	guard_reader_away(&reading, (enum guard_way)_i, r, read_to_the_end, NULL);
	r = NULL;
	UNTIL(bstream_stat("n", &stat) == 0 && stat.writer_waits > 0);
	UNTIL(bstream_stat("m", &stat) == 0 && stat.reader_waits > 0);
	GIVES(bstream_remove("n"), 0);
	GIVES(bstream_remove("m"), 0); /* nobody ever wrote, and nobody can any more */
	guard_join(&peer);
	guard_join(&reading);
}
END_TEST

/* ---- the broker's death --------------------------------------------------------------------- */

START_TEST(streams_do_not_miss_the_broker)
{
	struct bstream_broker_stat b = { .size = sizeof(b) };

	create("n", 2, 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	GIVES(bstream_broker_stat(&b), 0);
	MUST(kill(b.pid, SIGKILL) == 0);
	SAY(w, "b");
	GIVES(bstream_write(w, "c", 1, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_open_reader("n", guard_patience(), &r), 0); /* of the next broker */
	HEAR(r, "a");
	SAY(w, "c");
	HEAR(r, "b");
	HEAR(r, "c");
	bstream_writer_close(w);
	w = NULL;
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	close_all();
	UNTIL(!exists("n"));
}
END_TEST

START_TEST(data_that_waits_for_a_reader_outlives_the_broker)
{
	create("n", 2, 0);
	open_and_write("a");
	GIVES(bstream_broker_stop(), 0);
	GIVES(guard_n_segments(), 1);
	GIVES(bstream_open_reader("n", guard_patience(), &r), 0);
	HEAR(r, "a");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	close_all();
}
END_TEST

/* ---- list ----------------------------------------------------------------------------------- */

struct seen {
	int n, stop_at;
	char names[8][16];
};

static int note(const struct bstream_stat *stat, void *arg)
{
	struct seen *seen = arg;

	MUST(seen->n < 8);
	snprintf(seen->names[seen->n++], 16, "%.15s", stat->name);
	return seen->n == seen->stop_at ? 77 : 0;
}

START_TEST(a_list_shows_every_name_in_order_and_stops_when_told)
{
	struct seen seen = { 0 }, some = { .stop_at = 2 }, none = { 0 };

	GIVES(bstream_list(note, &none), 0);
	GIVES(none.n, 0);
	create("b", 1, 0);
	create("a/2", 1, 0);
	create("a", 1, 0);
	GIVES(bstream_list(note, &seen), 0);
	GIVES(seen.n, 3);
	ck_assert_str_eq(seen.names[0], "a");
	ck_assert_str_eq(seen.names[1], "a/2");
	ck_assert_str_eq(seen.names[2], "b");
	GIVES(bstream_list(note, &some), 77);
	GIVES(some.n, 2);
	GIVES(bstream_remove("a"), 0);
	GIVES(bstream_remove("a/2"), 0);
	GIVES(bstream_remove("b"), 0);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_name_that_cannot_be_is_refused_by_every_call),
		ONCE(what_is_not_there_is_not_found),
		ONCE(a_name_is_created_once),
		ONCE(a_past_deadline_opens_what_is_there),
		ONCE(data_waits_for_its_reader_and_then_the_name_is_free),
		ONCE(two_processes_share_nothing_but_a_name),
		ONCE(a_stream_never_written_to_has_not_ended),
		ONCE(no_more_write_ends_than_max_writers),
		ONCE(the_read_end_has_one_owner),
		ONCE(a_closed_read_end_breaks_the_stream),
		ONCE(a_parked_read_end_waits_with_its_chunks_for_the_next_owner),
		ONCE(only_a_named_read_end_can_be_parked),
		ONCE(a_kept_read_end_outlives_its_readers),
		ONCE(a_reader_killed_breaks_what_is_not_kept),
		ONCE(a_kept_write_end_holds_the_end_back_until_eof),
		EITHER_WAY(eof_wakes_the_reader),
		ONCE(a_kept_writer_that_died_is_still_told_at_the_end),
		ONCE(eof_does_nothing_to_a_stream_that_keeps_no_writers),
		ONCE(a_removed_stream_works_on_without_its_name),
		ONCE(removing_tells_a_writer_that_no_reader_can_come),
		EITHER_WAY(removing_wakes_who_waits),
		ONCE(streams_do_not_miss_the_broker),
		ONCE(data_that_waits_for_a_reader_outlives_the_broker),
		ONCE(a_list_shows_every_name_in_order_and_stops_when_told),
	};

	guard_need_broker();
	return GUARD_RUN("name", cases);
}
