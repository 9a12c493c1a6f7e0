/* SPDX-License-Identifier: MIT */
/*
 * check_broker.c - a peer that was given an end by name, and writes what it likes into the segment while
 * the broker and others look at it. They may be told nonsense about that stream. The broker goes on, and
 * every other stream is served as ever.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/handle.h"
#include "proto/end.h"
#include "tests/broker/raw.h"
#include "tests/hostile/peer.h"

#define ROUNDS 40

/* Whatever it is told, it comes back; an end it may get is given back at once. */
static void ask_of_bad(int i)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_writer *w;
	struct bstream_reader *r;
	struct bstream_view *view;

	bstream_stat("bad", &stat);
	if (i % 4 == 0 && bstream_open_writer("bad", BSTREAM_DONT_WAIT, &w) == 0) {
		bstream_write(w, "x", 1, BSTREAM_DONT_WAIT);
		bstream_writer_close(w);
	}
	if (i % 4 == 1 && bstream_open_reader("bad", BSTREAM_DONT_WAIT, &r) == 0)
		bstream_reader_close(r);
	if (i % 4 == 2 && bstream_view_open("bad", &view) == 0) {
		GIVES(bstream_view_stat(view, &stat), 0);
		bstream_view_close(view);
	}
	if (i % 4 == 3)
		bstream_wait("bad", BSTREAM_WAIT_EMPTY, bstream_after_ms(2));
}

static int count(const struct bstream_stat *stat, void *arg)
{
	*(int *)arg += strcmp(stat->name, "good") == 0;
	return 0;
}

static void good_is_well(struct bstream_writer *w, struct bstream_reader *r)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	int n = 0;

	SAY(w, "well");
	HEAR(r, "well");
	GIVES(bstream_stat("good", &stat), 0);
	GIVES((int)stat.writers, 1);
	GIVES(bstream_list(count, &n), 0);
	GIVES(n, 1);
}

/* The tool looks at it, too. */
static void tool_looks(void)
{
	const char *tool = getenv("BSTREAMCTL");
	char command[400];

	if (tool == NULL)
		return;
	snprintf(command, sizeof(command),
		 "timeout 60 '%s' ls >/dev/null 2>&1; timeout 60 '%s' stat bad >/dev/null 2>&1; "
		 "case $? in 124|1[3-9]?) exit 1; esac",
		 tool, tool);
	GIVES(system(command), 0);
}

START_TEST(who_scribbles_harms_neither_broker_nor_others)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *good_w, *bad_w;
	struct bstream_reader *good_r;

	GIVES(bstream_create("good", NULL), 0);
	GIVES(bstream_open_writer("good", BSTREAM_DONT_WAIT, &good_w), 0);
	GIVES(bstream_open_reader("good", BSTREAM_DONT_WAIT, &good_r), 0);
	pid_t broker = raw_broker_pid();
	o.flags = _i >= N_DEEDS ? BSTREAM_SEALED : 0;
	o.chunk_max = 5000;
	GIVES(bstream_create("bad", &o), 0);
	GIVES(bstream_open_writer("bad", BSTREAM_DONT_WAIT, &bad_w), 0);
	pid_t pid = peer_begin(&bad_w->hold.sight, (enum deed)(_i % N_DEEDS));
	for (int i = 0; i < ROUNDS; i++) {
		ask_of_bad(i);
		good_is_well(good_w, good_r);
	}
	tool_looks();
	peer_end(pid);
	GIVES(raw_broker_pid(), broker);
	bstream_writer_close(bad_w);
	bstream_remove("bad");
	bstream_writer_close(good_w);
	bstream_reader_close(good_r);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(who_scribbles_harms_neither_broker_nor_others, 2 * N_DEEDS),
	};

	guard_need_broker();
	return GUARD_RUN("broker", cases);
}
