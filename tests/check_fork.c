/* SPDX-License-Identifier: MIT */
/* check_fork.c - a forked child has none of its parent's ends, keeps none alive, and works afresh. */
#include <string.h>
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

static void every_writer_call_is_stale(void)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_writer *y;
	char text[64];
	void *span;

	GIVES(bstream_write(w, "a", 1, BSTREAM_FOREVER), -ESTALE);
	GIVES(bstream_writev(w, NULL, 0, BSTREAM_FOREVER), -ESTALE);
	GIVES(bstream_reserve(w, 1, &span, BSTREAM_FOREVER), -ESTALE);
	GIVES(bstream_drain(w, BSTREAM_FOREVER), -ESTALE);
	GIVES(bstream_writer_clone(w, &y), -ESTALE);
	GIVES(bstream_writer_detach(w), -ESTALE);
	GIVES(bstream_writer_stat(w, &stat), -ESTALE);
	GIVES(bstream_write(w, "a", 70000, BSTREAM_FOREVER), -EMSGSIZE); /* found before */
	GIVES(bstream_commit(w, 1), -ESTALE);
	GIVES(bstream_commit_reserve(w, 1, &span), -ESTALE);
	GIVES(bstream_reserve_many(w, 1, &(struct iovec){ NULL, 0 }, 1, BSTREAM_FOREVER), -ESTALE);
	GIVES(bstream_commit_many(w, &(struct iovec){ NULL, 0 }, 1), -ESTALE);
	bstream_cancel(w);
	bstream_writer_describe(w, text, sizeof(text));
	MUST(strcmp(text, "bstream_writer((pair), -/4 chunks, stale)") == 0);
}

static void every_reader_call_is_stale(void)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	const void *chunk;
	char text[64];
	size_t len;

	GIVES(bstream_read(r, text, sizeof(text), &len, BSTREAM_FOREVER), -ESTALE);
	GIVES(bstream_peek(r, &chunk, &len, BSTREAM_FOREVER), -ESTALE);
	GIVES(bstream_release(r), -ESTALE);
	GIVES(bstream_reader_park(r), -ESTALE);
	GIVES(bstream_reader_detach(r), -ESTALE);
	GIVES(bstream_reader_stat(r, &stat), -ESTALE);
	bstream_reader_describe(r, text, sizeof(text));
	MUST(strcmp(text, "bstream_reader((pair), -/4 chunks, stale)") == 0);
}

START_TEST(a_child_has_none_of_its_parents_handles)
{
	int fds = guard_n_fds();
	pid_t pid;

	guard_pair(4, 0, &w, &r);
	pid = guard_fork();
	if (pid == 0) {
		GIVES(guard_n_fds(), fds);
		GIVES(guard_n_mappings(), 0);
		every_writer_call_is_stale();
		every_reader_call_is_stale();
		close_all(); /* frees memory, and nothing else */
		_exit(0);
	}
	guard_reap(pid);
	SAY(w, "as ever");
	HEAR(r, "as ever");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -EAGAIN);
	close_all();
}
END_TEST

START_TEST(a_childs_close_closes_nothing_of_the_parents)
{
	void *span;
	pid_t pid;

	guard_pair(4, 0, &w, &r);
	GIVES(bstream_writer_clone(w, &x), 0);
	GIVES(bstream_reserve(x, 8, &span, BSTREAM_DONT_WAIT), 0);
	pid = guard_fork();
	if (pid == 0) {
		bstream_cancel(x);
		bstream_writer_close(x);
		bstream_reader_close(r);
		bstream_writer_close(w);
		_exit(0);
	}
	guard_reap(pid);
	memcpy(span, "reserved", 8);
	GIVES(bstream_commit(x, 8), 0);
	HEAR(r, "reserved");
	close_all();
}
END_TEST

/* Go as one who dies, and leave a child behind that lives on. */
static void die_before_the_child(struct guard_gate *forked, struct guard_gate *over)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid == 0) {
		char byte;

		close(over->fd[1]);
		guard_gate_open(forked); /* what fork does in a child is done */
		_exit(read(over->fd[0], &byte, 1) == 0 ? 0 : 1);
	}
	guard_gate_pass(forked);
	_exit(0); /* without a close: a death */
}

START_TEST(a_killed_parent_is_not_kept_alive_by_its_child)
{
	struct guard_gate forked, over;
	pid_t pid;
	int fd;

	guard_gate_init(&forked);
	guard_gate_init(&over);
	guard_pair(4, 0, &w, &r);
	fd = bstream_writer_detach(w);
	pid = guard_fork();
	if (pid == 0) {
		GIVES(bstream_writer_attach(fd, &w), 0);
		SAY(w, "a");
		die_before_the_child(&forked, &over);
	}
	close(fd);
	w = NULL;
	guard_reap(pid);
	HEAR(r, "a");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), -ECONNRESET);
	guard_gate_fini(&forked);
	guard_gate_fini(&over);
	close_all();
}
END_TEST

START_TEST(a_child_makes_streams_of_its_own)
{
	pid_t pid;

	guard_pair(4, 0, &w, &r);
	pid = guard_fork();
	if (pid == 0) {
		struct bstream_writer *own_w;
		struct bstream_reader *own_r;

		guard_pair(2, 0, &own_w, &own_r);
		SAY(own_w, "own");
		HEAR(own_r, "own");
		GIVES(bstream_write(w, "a", 1, BSTREAM_DONT_WAIT), -ESTALE); /* still */
		pid = guard_fork();
		if (pid == 0) {
			GIVES(bstream_write(own_w, "a", 1, BSTREAM_DONT_WAIT), -ESTALE);
			GIVES(bstream_write(w, "a", 1, BSTREAM_DONT_WAIT), -ESTALE);
			bstream_writer_close(own_w);
			bstream_writer_close(w);
			guard_pair(2, 0, &own_w, &own_r);
			SAY(own_w, "mine");
			HEAR(own_r, "mine");
			bstream_writer_close(own_w);
			bstream_reader_close(own_r);
			_exit(0);
		}
		guard_reap(pid);
		SAY(own_w, "own");
		HEAR(own_r, "own");
		close_all();
		bstream_writer_close(own_w);
		bstream_reader_close(own_r);
		_exit(0);
	}
	guard_reap(pid);
	SAY(w, "a");
	HEAR(r, "a");
	close_all();
}
END_TEST

START_TEST(a_detached_end_stays_with_the_child)
{
	pid_t pid;
	int fd;

	guard_pair(4, 0, &w, &r);
	fd = bstream_writer_detach(w);
	pid = guard_fork();
	if (pid == 0) {
		GIVES(bstream_writer_attach(fd, &w), 0);
		SAY(w, "from the child");
		bstream_writer_close(w);
		_exit(0);
	}
	guard_reap(pid);
	HEAR(r, "from the child");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT),
	      0); /* closed, though we still have the descriptor */
	GIVES(bstream_writer_attach(fd, &x), -EPROTO);
	x = w = NULL;
	close(fd);
	close_all();
}
END_TEST

START_TEST(a_handle_closed_before_the_fork_is_forgotten)
{
	pid_t pid;
	int fds[40];

	for (int i = 0; i < 10; i++) {
		guard_pair(4, 0, &w, &r);
		GIVES(bstream_writer_clone(w, &x), 0);
		close_all();
	}
	for (int i = 0; i < 40; i++) /* on the numbers that they had */
		fds[i] = dup(2);
	guard_pair(4, 0, &w, &r);
	pid = guard_fork();
	if (pid == 0) {
		for (int i = 0; i < 40; i++)
			MUST(close(fds[i]) == 0); /* nobody closed it for us */
		_exit(0);
	}
	guard_reap(pid);
	for (int i = 0; i < 40; i++)
		close(fds[i]);
	close_all();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_child_has_none_of_its_parents_handles),
		ONCE(a_childs_close_closes_nothing_of_the_parents),
		ONCE(a_killed_parent_is_not_kept_alive_by_its_child),
		ONCE(a_child_makes_streams_of_its_own),
		ONCE(a_detached_end_stays_with_the_child),
		ONCE(a_handle_closed_before_the_fork_is_forgotten),
	};

	return GUARD_RUN("fork", cases);
}
