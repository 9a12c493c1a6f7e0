/* SPDX-License-Identifier: MIT */
/* check_wait.c - waiting for something to be true of a name, without an end of it. */
#include <unistd.h>

#include "lib/handle.h"
#include "tests/guard.h"

static struct bstream_writer *w;
static struct bstream_reader *r;

static void create(const char *name, uint32_t keep)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = 4;
	o.chunk_max = 64;
	o.keep = keep;
	GIVES(bstream_create(name, &o), 0);
}

static void close_all(void)
{
	bstream_writer_close(w);
	bstream_reader_close(r);
	w = NULL;
	r = NULL;
}

START_TEST(what_is_not_true_is_refused_as_the_deadline_says)
{
	for (uint32_t what = BSTREAM_WAIT_EXISTS; what <= BSTREAM_WAIT_END; what++) {
		/* Nothing comes to chunks and ends of a name that is not there. */
		bool patient = what <= BSTREAM_WAIT_WRITER;

		GIVES(bstream_wait("none", what, BSTREAM_DONT_WAIT), -ENOENT);
		GIVES(bstream_wait("none", what, bstream_after_ms(5)),
		      patient ? -ETIMEDOUT : -ENOENT);
		GIVES(bstream_wait("none", what, bstream_after_ms(-5)),
		      patient ? -ETIMEDOUT : -ENOENT);
	}
	create("n", 0);
	GIVES(bstream_wait("n", BSTREAM_WAIT_READER, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_wait("n", BSTREAM_WAIT_WRITER, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_wait("n", BSTREAM_WAIT_END, BSTREAM_DONT_WAIT), -EAGAIN);
	GIVES(bstream_wait("n", BSTREAM_WAIT_END, bstream_after_ms(5)), -ETIMEDOUT);
	GIVES(bstream_wait("n", BSTREAM_WAIT_END, bstream_after_ms(-5)), -ETIMEDOUT);
	GIVES(bstream_wait("n", 0, BSTREAM_FOREVER), -EINVAL);
	GIVES(bstream_wait("n", 7, BSTREAM_FOREVER), -EINVAL);
	GIVES(bstream_remove("n"), 0);
}
END_TEST

START_TEST(what_is_true_is_not_waited_for)
{
	create("n", 0);
	GIVES(bstream_wait("n", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_wait("n", BSTREAM_WAIT_EXISTS, bstream_after_ms(-5)), 0);
	GIVES(bstream_wait("n", BSTREAM_WAIT_EMPTY, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_wait("n", BSTREAM_WAIT_READER, bstream_after_ms(-5)), 0);
	GIVES(bstream_wait("n", BSTREAM_WAIT_WRITER, BSTREAM_DONT_WAIT), 0);
	SAY(w, "a");
	GIVES(bstream_wait("n", BSTREAM_WAIT_EMPTY, BSTREAM_DONT_WAIT), -EAGAIN);
	HEAR(r, "a");
	GIVES(bstream_wait("n", BSTREAM_WAIT_EMPTY, bstream_after_ms(-5)), 0);
	bstream_writer_close(w);
	w = NULL;
	GIVES(bstream_wait("n", BSTREAM_WAIT_END, BSTREAM_DONT_WAIT), 0);
	GIVES(bstream_wait("n", BSTREAM_WAIT_WRITER, BSTREAM_FOREVER), -ESHUTDOWN);
	close_all();
}
END_TEST

/* ---- a waiter in a thread, which says what it got ------------------------------------------- */

struct waiter {
	uint32_t what;
	int rc;
	_Atomic int done;
	pthread_t thread;
};

static void *wait_for_it(void *arg)
{
	struct waiter *p = arg;

	p->rc = bstream_wait("n", p->what, guard_patience());
	atomic_store(&p->done, 1);
	return NULL;
}

static void waiter_start(struct waiter *p, uint32_t what)
{
	*p = (struct waiter){ .what = what };
	MUST(pthread_create(&p->thread, NULL, wait_for_it, p) == 0);
}

static void waiter_join(struct waiter *p, int want)
{
	MUST(pthread_join(p->thread, NULL) == 0);
	GIVES(p->rc, want);
}

/* Somebody sleeps at the watch of the stream behind @g. */
#define WATCHED(g) (hint_look(&(g)->space.watch_at) != 0)

START_TEST(a_name_that_comes_wakes_who_waits)
{
	struct waiter p[2];

	waiter_start(&p[0], BSTREAM_WAIT_EXISTS);
	waiter_start(&p[1], BSTREAM_WAIT_WRITER);
	create("n", 0);
	waiter_join(&p[0], 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	waiter_join(&p[1], 0);
	GIVES(bstream_remove("n"), 0);
	close_all();
}
END_TEST

START_TEST(ends_that_come_wake_who_waits)
{
	struct waiter p;

	create("n", 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	waiter_start(&p, BSTREAM_WAIT_READER);
	UNTIL(WATCHED(w->g));
	MUST(atomic_load(&p.done) == 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	waiter_join(&p, 0);
	close_all();
	UNTIL(bstream_wait("n", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT) == -ENOENT);
	create("n", 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	waiter_start(&p, BSTREAM_WAIT_WRITER);
	UNTIL(WATCHED(r->g));
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	waiter_join(&p, 0);
	close_all();
}
END_TEST

START_TEST(the_last_release_wakes_who_waits_for_empty_and_for_the_end)
{
	struct waiter empty, over;

	create("n", 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	SAY(w, "a");
	SAY(w, "b");
	waiter_start(&empty, BSTREAM_WAIT_EMPTY);
	UNTIL(WATCHED(r->g));
	HEAR(r, "a");
	MUST(atomic_load(&empty.done) == 0);
	HEAR(r, "b");
	waiter_join(&empty, 0);
	SAY(w, "c");
	waiter_start(&over, BSTREAM_WAIT_END);
	UNTIL(WATCHED(r->g));
	if (_i == 0) { /* the last chunk goes, then the last writer */
		HEAR(r, "c");
		bstream_writer_close(w);
	} else {
		bstream_writer_close(w);
		HEAR(r, "c");
	}
	w = NULL;
	waiter_join(&over, 0);
	close_all();
}
END_TEST

START_TEST(what_can_no_longer_be_ends_the_wait)
{
	struct waiter p;

	create("n", 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	SAY(w, "a");
	waiter_start(&p, BSTREAM_WAIT_EMPTY);
	UNTIL(WATCHED(w->g));
	bstream_reader_close(r);
	r = NULL;
	waiter_join(&p, -EPIPE);
	close_all();
}
END_TEST

START_TEST(a_name_that_goes_ends_the_wait)
{
	struct waiter p;

	create("n", BSTREAM_KEEP_READER | BSTREAM_KEEP_WRITERS);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	waiter_start(&p, BSTREAM_WAIT_END);
	UNTIL(WATCHED(w->g));
	GIVES(bstream_remove("n"), 0);
	waiter_join(&p, -ENOENT);
	close_all();
}
END_TEST

START_TEST(many_wait_for_different_things)
{
	struct waiter p[3];

	create("n", 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "a");
	waiter_start(&p[2], BSTREAM_WAIT_END);
	UNTIL(WATCHED(w->g)); /* he has found the name, which goes before he is told */
	waiter_start(&p[0], BSTREAM_WAIT_READER);
	waiter_start(&p[1], BSTREAM_WAIT_EMPTY);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	waiter_join(&p[0], 0);
	HEAR(r, "a");
	waiter_join(&p[1], 0);
	close_all();
	waiter_join(&p[2], 0);
}
END_TEST

START_TEST(a_death_ends_the_wait)
{
	struct waiter p;

	create("n", 0);
	GIVES(bstream_open_writer("n", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("n", BSTREAM_DONT_WAIT, &r), 0);
	waiter_start(&p, BSTREAM_WAIT_END);
	UNTIL(WATCHED(r->g));
	close(bstream_writer_detach(w));
	w = NULL;
	waiter_join(&p, 0);
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -ECONNRESET);
	close_all();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(what_is_not_true_is_refused_as_the_deadline_says),
		ONCE(what_is_true_is_not_waited_for),
		ONCE(a_name_that_comes_wakes_who_waits),
		ONCE(ends_that_come_wake_who_waits),
		N_WAYS(the_last_release_wakes_who_waits_for_empty_and_for_the_end, 2),
		ONCE(what_can_no_longer_be_ends_the_wait),
		ONCE(a_name_that_goes_ends_the_wait),
		ONCE(many_wait_for_different_things),
		ONCE(a_death_ends_the_wait),
	};

	guard_need_broker();
	return GUARD_RUN("wait", cases);
}
