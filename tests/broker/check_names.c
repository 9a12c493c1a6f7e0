/* SPDX-License-Identifier: MIT */
/*
 * check_names.c - what the broker does with names: gives them, waits for them, finds them again
 * after a death, and takes them away when all is over.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/atomic.h"
#include "proto/end.h"
#include "proto/meeting.h"
#include "proto/segment.h"
#include "tests/broker/raw.h"

static uint32_t n_streams(void)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	GIVES(bstream_broker_stat(&stat), 0);
	return stat.streams;
}

static bool exists(const char *name)
{
	return bstream_wait(name, BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT) == 0;
}

START_TEST(a_name_is_had_once)
{
	struct bstream_reader *r, *r2;

	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), -ENOENT);
	GIVES(bstream_remove("s"), -ENOENT);
	GIVES(bstream_eof("s"), -ENOENT);
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_create("s", NULL), -EEXIST);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r2), -EBUSY);
	GIVES(bstream_open_reader("s", bstream_after_ms(60000), &r2), -EBUSY);
	bstream_reader_close(r);
	UNTIL(!exists("s"));
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_remove("s"), 0);
}
END_TEST

START_TEST(as_many_writers_as_there_are_places)
{
	struct bstream_options options = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *w[3], *more;

	options.max_writers = 3;
	GIVES(bstream_create("s", &options), 0);
	for (int i = 0; i < 3; i++)
		GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w[i]), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &more), -EMFILE);
	bstream_writer_close(w[1]);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w[1]), 0);
	for (int i = 0; i < 3; i++)
		bstream_writer_close(w[i]);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &more), -ESHUTDOWN);
	GIVES(bstream_remove("s"), 0);
}
END_TEST

struct listing {
	char last[BSTREAM_NAME_MAX + 1];
	int n;
};

static int list_each(const struct bstream_stat *stat, void *arg)
{
	struct listing *l = arg;

	MUST(strcmp(l->last, stat->name) < 0);
	snprintf(l->last, sizeof(l->last), "%s", stat->name);
	l->n++;
	return 0;
}

START_TEST(a_list_of_many_pages_is_whole_and_in_order)
{
	enum { MANY = 300 };
	struct bstream_options options = BSTREAM_OPTIONS_INIT;
	struct listing l = { .n = 0 };
	char name[32];

	options.chunk_max = 64;
	options.max_writers = 1;
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%d/%d", i % 7, i);
		GIVES(bstream_create(name, &options), 0);
	}
	GIVES(bstream_list(list_each, &l), 0);
	GIVES(l.n, MANY);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%d/%d", i % 7, i);
		GIVES(bstream_remove(name), 0);
	}
	GIVES(n_streams(), 0);
}
END_TEST

static void opener_run(const char *name, int want)
{
	struct bstream_reader *r;
	int rc = bstream_open_reader(name, guard_patience(), &r);

	GIVES(rc, want);
	if (rc == 0)
		bstream_reader_close(r);
}

static uint32_t n_clients(void)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	GIVES(bstream_broker_stat(&stat), 0);
	return stat.clients - 1;
}

START_TEST(who_waits_for_a_name_gets_it)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	pid_t pid;

	GIVES(bstream_open_writer("s", bstream_after_ms(20), &w), -ETIMEDOUT);
	GIVES(bstream_open_writer("s", bstream_after_ms(-1), &w), -ETIMEDOUT);
	pid = guard_fork();
	if (pid == 0) {
		opener_run("s", 0);
		_exit(0);
	}
	UNTIL(n_clients() == 1);
	GIVES(bstream_create("s", NULL), 0);
	guard_reap(pid);
	UNTIL(!exists("s"));
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_open_reader("s", bstream_after_ms(-1), &r), 0); /* nothing to wait for */
	bstream_reader_close(r);
}
END_TEST

START_TEST(who_waited_and_hung_up_gets_nothing)
{
	struct bs_req_name q = raw_question(BS_REQ_OPEN_READER, "s", BS_WANT_WAIT);
	struct bstream_reader *r;
	int conn;

	GIVES(bstream_broker_start(), 0);
	conn = raw_connect();
	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	UNTIL(n_clients() == 1);
	close(conn);
	UNTIL(n_clients() == 0);
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	bstream_reader_close(r);
}
END_TEST

START_TEST(the_wait_for_a_name_outlives_the_broker)
{
	pid_t pid;

	GIVES(bstream_broker_start(), 0);
	pid = guard_fork();
	if (pid == 0) {
		opener_run("s", 0);
		_exit(0);
	}
	UNTIL(n_clients() == 1);
	raw_broker_kill();
	GIVES(bstream_create("s", NULL), 0);
	guard_reap(pid);
}
END_TEST

START_TEST(an_opener_that_dies_before_it_attaches_breaks_nothing)
{
	struct bs_req_name q = raw_question(BS_REQ_OPEN_READER, "s", 0);
	struct bs_req_name qw = raw_question(BS_REQ_OPEN_WRITER, "s", 0);
	struct bstream_reader *r;
	struct bstream_writer *w;
	int conn, conn_w, fd, fd_w;

	GIVES(bstream_create("s", NULL), 0);
	conn = raw_connect();
	conn_w = raw_connect();
	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	MUST(raw_send(conn_w, &qw, sizeof(qw), NULL, 0));
	GIVES(raw_result(conn, &fd), 0);
	GIVES(raw_result(conn_w, &fd_w), 0);
	GIVES(bs_end_byte(fd), BS_BYTE_READER);
	GIVES(bs_end_byte(fd_w), BS_BYTE_WRITERS);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), -EBUSY);
	close(fd);
	close(fd_w);
	close(conn);
	close(conn_w);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "all is well");
	HEAR(r, "all is well");
	bstream_writer_close(w);
	GIVES(guard_read(r, guard_patience()), 0);
	bstream_reader_close(r);
	UNTIL(!exists("s"));
}
END_TEST

START_TEST(an_end_that_was_never_received_is_free_again)
{
	struct bs_req_name q = raw_question(BS_REQ_OPEN_READER, "s", 0);
	struct bstream_reader *r;
	int conn;

	GIVES(bstream_create("s", NULL), 0);
	conn = raw_connect();
	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	UNTIL(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r) == -EBUSY);
	close(conn); /* and the reply that lies in it */
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	bstream_reader_close(r);
}
END_TEST

static uint64_t reader_state(const struct raw_view *v)
{
	return word_look(&v->g->verdicts.reader) & BS_R_STATE;
}

START_TEST(the_broker_hears_of_a_readers_death)
{
	struct guard_gate gate;
	struct raw_view v;
	pid_t pid;

	guard_gate_init(&gate);
	GIVES(bstream_create("s", NULL), 0);
	pid = guard_fork();
	if (pid == 0) {
		struct bstream_reader *r;

		GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
		guard_gate_open(&gate);
		for (;;)
			pause();
	}
	guard_gate_pass(&gate);
	raw_view_open(&v, "s"); /* cannot make a verdict: it may only read */
	GIVES(reader_state(&v), BS_R_OPEN);
	guard_kill(pid);
	UNTIL(reader_state(&v) == BS_R_BROKEN);
	raw_view_close(&v);
	UNTIL(!exists("s"));
	guard_gate_fini(&gate);
}
END_TEST

START_TEST(the_broker_hears_of_a_writers_death)
{
	struct guard_gate gate;
	struct raw_view v;
	pid_t pid;

	guard_gate_init(&gate);
	GIVES(bstream_create("s", NULL), 0);
	pid = guard_fork();
	if (pid == 0) {
		struct bstream_writer *w;

		GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
		SAY(w, "last words");
		guard_gate_open(&gate);
		for (;;)
			pause();
	}
	guard_gate_pass(&gate);
	raw_view_open(&v, "s");
	MUST((word_look(&v.g->verdicts.writers) & BS_W_ENDED) == 0);
	guard_kill(pid);
	UNTIL((word_look(&v.g->verdicts.writers) & (BS_W_ENDED | BS_W_LOST)) ==
	      (BS_W_ENDED | BS_W_LOST));
	raw_view_close(&v);
	MUST(exists("s")); /* data waits */
	GIVES(bstream_remove("s"), 0);
	guard_gate_fini(&gate);
}
END_TEST

static uint64_t n_bytes(void)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	GIVES(bstream_broker_stat(&stat), 0);
	return stat.bytes;
}

START_TEST(a_removed_stream_is_let_go_with_its_last_end)
{
	struct bstream_writer *w;

	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	MUST(n_bytes() > 0);
	GIVES(bstream_remove("s"), 0);
	MUST(n_bytes() > 0); /* the writer has it still */
	GIVES(bstream_write(w, "x", 1, BSTREAM_DONT_WAIT), -EPIPE);
	bstream_writer_close(w);
	UNTIL(n_bytes() == 0);
}
END_TEST

START_TEST(a_removed_stream_works_on_and_its_name_is_free)
{
	struct bstream_reader *r, *r2;
	struct bstream_writer *w;

	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_remove("s"), 0);
	GIVES(guard_n_segments(), 0);
	GIVES(n_streams(), 0);
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r2), 0);
	SAY(w, "still here");
	HEAR(r, "still here");
	bstream_writer_close(w);
	GIVES(guard_read(r, guard_patience()), 0);
	bstream_reader_close(r);
	bstream_reader_close(r2);
}
END_TEST

/* A writer's, which may write to all of its segment. */
static void words_say_removed(const char *name)
{
	struct bs_segment *g;
	int fd;

	GIVES(raw_ask(BS_REQ_LOOK, name, BS_WANT_WRITE, &fd), 0);
	g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(g != MAP_FAILED);
	uint64_t word = word_look(&g->verdicts.writers);
	MUST(word_swap(&g->verdicts.writers, word, word | BS_W_REMOVED));
	munmap(g, sizeof(*g));
	close(fd);
}

/* The words come first: a name that is gone while the words do not say so leaves whoever waits for the
 * next reader waiting for ever. */
START_TEST(a_removal_that_the_broker_did_not_survive_is_finished_by_the_next)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *w;

	o.capacity = 1;
	GIVES(bstream_create("s", &o), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "to whoever comes");
	words_say_removed("s");
	raw_broker_kill();
	MUST(!exists("s"));
	GIVES(guard_n_segments(), 0);
	GIVES(bstream_write(w, "to nobody", 9, guard_patience()), -EPIPE);
	GIVES(bstream_create("s", NULL), 0);
	bstream_writer_close(w);
	GIVES(bstream_remove("s"), 0);
}
END_TEST

START_TEST(the_next_broker_finds_what_is_left_and_collects_what_is_over)
{
	struct bstream_reader *over, *running, *late;
	struct bstream_writer *w, *w2;

	GIVES(bstream_create("parked", NULL), 0);
	GIVES(bstream_create("running", NULL), 0);
	GIVES(bstream_create("waiting", NULL), 0);
	GIVES(bstream_create("over", NULL), 0);
	GIVES(bstream_open_reader("over", BSTREAM_DONT_WAIT, &over), 0);
	GIVES(bstream_open_reader("running", BSTREAM_DONT_WAIT, &running), 0);
	GIVES(bstream_open_writer("running", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_writer("waiting", BSTREAM_DONT_WAIT, &w2), 0);
	SAY(w2, "data");
	bstream_writer_close(w2);
	raw_broker_kill();
	bstream_reader_close(over);
	SAY(w, "on");
	HEAR(running, "on");
	GIVES(guard_n_segments(), 4);
	GIVES(bstream_broker_start(), 0);
	UNTIL(n_streams() == 3);
	GIVES(guard_n_segments(), 3);
	GIVES(bstream_create("parked", NULL), -EEXIST);
	GIVES(bstream_open_reader("running", BSTREAM_DONT_WAIT, &late), -EBUSY);
	GIVES(bstream_open_reader("waiting", BSTREAM_DONT_WAIT, &late), 0);
	HEAR(late, "data");
	GIVES(guard_read(late, BSTREAM_DONT_WAIT), 0);
	bstream_reader_close(late);
	UNTIL(!exists("waiting"));
	bstream_writer_close(w);
	bstream_reader_close(running);
	UNTIL(!exists("running"));
	GIVES(bstream_remove("parked"), 0);
}
END_TEST

START_TEST(a_broker_stands_for_the_streams_it_watches)
{
	struct raw_view v;

	GIVES(bstream_create("s", NULL), 0);
	raw_view_open(&v, "s");
	GIVES(bs_end_held(v.fd, BS_BYTE_BROKER, 1), 1);
	raw_broker_kill();
	UNTIL(bs_end_held(v.fd, BS_BYTE_BROKER, 1) == 0);
	GIVES(bstream_broker_start(), 0);
	UNTIL(bs_end_held(v.fd, BS_BYTE_BROKER, 1) == 1);
	raw_view_close(&v);
	GIVES(bstream_remove("s"), 0);
}
END_TEST

/* The whole life of a stream, again and again. */
static void live(int id, int n_lives)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	char name[32];

	snprintf(name, sizeof(name), "life-%d", id);
	for (int i = 0; i < n_lives; i++) {
		GIVES(bstream_create(name, NULL), 0);
		GIVES(bstream_open_writer(name, BSTREAM_DONT_WAIT, &w), 0);
		SAY(w, "life");
		bstream_writer_close(w);
		GIVES(bstream_open_reader(name, BSTREAM_DONT_WAIT, &r), 0);
		HEAR(r, "life");
		GIVES(guard_read(r, guard_patience()), 0);
		bstream_reader_close(r);
		UNTIL(!exists(name));
	}
}

START_TEST(brokers_that_die_are_not_missed)
{
	enum { LIVERS = 2, LIVES = 100, DEATHS = 20 };
	pid_t pids[LIVERS];

	for (int i = 0; i < LIVERS; i++) {
		pids[i] = guard_fork();
		if (pids[i] == 0) {
			live(i, LIVES);
			_exit(0);
		}
	}
	for (int i = 0; i < DEATHS; i++) {
		MUST(bstream_broker_start() >= 0);
		raw_broker_kill();
	}
	for (int i = 0; i < DEATHS; i++) {
		MUST(bstream_broker_start() >= 0);
		GIVES(bstream_broker_stop(), 0);
	}
	for (int i = 0; i < LIVERS; i++)
		guard_reap(pids[i]);
}
END_TEST

START_TEST(an_end_for_which_no_descriptor_is_free_stays_at_its_name)
{
	struct raw_famine famine;
	struct bstream_reader *r;

	GIVES(bstream_create("s", NULL), 0);
	for (int spare = 0; spare < 2; spare++) { /* none for the connection; none for the end */
		raw_famine_begin(&famine, spare);
		int rc = bstream_open_reader("s", BSTREAM_DONT_WAIT, &r);
		raw_famine_end(&famine);
		GIVES(rc, -EMFILE);
	}
	UNTIL(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r) != -EBUSY);
	bstream_reader_close(r);
}
END_TEST

/* A file in the shm directory with this broker's prefix, and whatever else the test wants. */
static void plant(char path[200], const char *name_in_file_name, const char *name_in_header)
{
	char prefix[64], link[64];
	int fd = raw_segment(name_in_header);

	GIVES(bs_meeting_prefix(prefix, sizeof(prefix), raw_socket_path()), 0);
	snprintf(path, 200, BS_SHM_DIR "/%s%016" PRIx64 ".0123456789abcdef", prefix,
		 bs_meeting_hash(name_in_file_name));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	MUST(linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0);
	close(fd);
}

START_TEST(a_name_that_is_not_the_files_is_not_believed)
{
	char good[200], liar[200], link[200], cut[200];

	plant(good, "good", "good");
	plant(liar, "some", "other");
	plant(cut, "cut", "cut");
	MUST(truncate(cut, 100) == 0);
	snprintf(link, sizeof(link), "%s", good);
	link[strlen(link) - 1] = '0';
	MUST(symlink(good, link) == 0);
	GIVES(bstream_broker_start(), 0);
	UNTIL(n_streams() == 1);
	MUST(exists("good") && !exists("other") && !exists("some"));
	MUST(access(liar, F_OK) < 0 && access(cut, F_OK) < 0);
	unlink(link);
	GIVES(bstream_remove("good"), 0);
}
END_TEST

static uint64_t n_switches(pid_t pid)
{
	char path[64], line[256];
	uint64_t n = 0, value;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	MUST(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &value) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %" SCNu64, &value) == 1)
			n += value;
	fclose(f);
	return n;
}

/* Not one who would run, if he got the CPU. */
static bool sleeps(pid_t pid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	MUST(f != NULL);
	MUST(fscanf(f, "%*d (%*[^)]) %c", &state) == 1);
	fclose(f);
	return state == 'S';
}

/* The broker has dealt with everything when it sleeps and has slept for a while. */
static void until_quiet(pid_t pid)
{
	uint64_t before, now = n_switches(pid);
	bool slept, sleeping = sleeps(pid);

	do {
		before = now;
		slept = sleeping;
		usleep(100000); /* sleep: for six times the last of its looks */
		now = n_switches(pid);
		sleeping = sleeps(pid);
	} while (now != before || !slept || !sleeping);
}

START_TEST(an_idle_broker_does_not_wake)
{
	struct bstream_reader *r;
	uint64_t before;
	pid_t pid;

	GIVES(bstream_create("idle", NULL), 0);
	GIVES(bstream_create("held", NULL), 0);
	GIVES(bstream_open_reader("held", BSTREAM_DONT_WAIT, &r), 0);
	pid = raw_broker_pid();
	until_quiet(pid);
	before = n_switches(pid);
	sleep(5); /* sleep: it is time that is measured */
	GIVES(n_switches(pid) - before, 0);
	bstream_reader_close(r);
	GIVES(bstream_remove("idle"), 0);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_name_is_had_once),
		ONCE(as_many_writers_as_there_are_places),
		ONCE(a_list_of_many_pages_is_whole_and_in_order),
		ONCE(who_waits_for_a_name_gets_it),
		ONCE(who_waited_and_hung_up_gets_nothing),
		ONCE(the_wait_for_a_name_outlives_the_broker),
		ONCE(an_opener_that_dies_before_it_attaches_breaks_nothing),
		ONCE(an_end_that_was_never_received_is_free_again),
		ONCE(the_broker_hears_of_a_readers_death),
		ONCE(the_broker_hears_of_a_writers_death),
		ONCE(a_removed_stream_is_let_go_with_its_last_end),
		ONCE(a_removed_stream_works_on_and_its_name_is_free),
		ONCE(a_removal_that_the_broker_did_not_survive_is_finished_by_the_next),
		ONCE(the_next_broker_finds_what_is_left_and_collects_what_is_over),
		ONCE(a_broker_stands_for_the_streams_it_watches),
		ONCE(brokers_that_die_are_not_missed),
		ONCE(an_end_for_which_no_descriptor_is_free_stays_at_its_name),
		ONCE(a_name_that_is_not_the_files_is_not_believed),
		ONCE(an_idle_broker_does_not_wake),
	};

	guard_need_broker();
	return GUARD_RUN("names", cases);
}
