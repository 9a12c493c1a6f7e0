/* SPDX-License-Identifier: MIT */
/*
 * check_rights.c - a broker of many users: who may do what with whose streams, and what he is told
 * who may not. Played by root as two users and their groups.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "proto/end.h"
#include "proto/segment.h"
#include "tests/broker/raw.h"
#include "tests/broker/users.h"

struct made {
	const char *name;
	uint32_t mode;
	gid_t gid;
	int want;
};

static void make(void *arg)
{
	const struct made *m = arg;
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.mode = m->mode;
	o.gid = m->gid;
	o.capacity = 4;
	o.keep = BSTREAM_KEEP_READER | BSTREAM_KEEP_WRITERS;
	GIVES(bstream_create(m->name, &o), m->want);
}

static void anna_makes(const char *name, uint32_t mode, gid_t gid)
{
	struct made m = { name, mode, gid, 0 };

	as_user(ANNA, gid, make, &m);
}

/* What each call on the name "s" gives. */
struct tried {
	int read, write, look, own;
};

static void try_all(void *arg)
{
	const struct tried *t = arg;
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_view *view = NULL;
	struct bstream_writer *w = NULL;
	struct bstream_reader *r = NULL;

	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), t->read);
	if (r != NULL)
		GIVES(bstream_reader_park(r), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), t->write);
	bstream_writer_close(w);
	GIVES(bstream_stat("s", &stat), t->look);
	GIVES(bstream_wait("s", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT), t->look);
	GIVES(bstream_wait("s", BSTREAM_WAIT_EMPTY, BSTREAM_DONT_WAIT), t->look);
	GIVES(bstream_view_open("s", &view), t->look);
	bstream_view_close(view);
	GIVES(bstream_eof("s"), t->own);
	if (t->own != 0)
		GIVES(bstream_remove("s"), t->own);
}

#define NO -EACCES
static const struct {
	uint32_t mode;
	gid_t group; /* the stream's, if not the owner's own */
	uid_t uid;
	gid_t in; /* the group that the user is in */
	struct tried want;
} rows[] = {
	{ 0600, 0, ANNA, 0, { 0, 0, 0, 0 } },
	{ 0600, 0, BERT, 0, { NO, NO, NO, NO } },
	{ 0600, 0, 0, 0, { 0, 0, 0, 0 } }, /* root */
	{ 0400, 0, ANNA, 0, { 0, NO, 0, 0 } },
	{ 0200, 0, ANNA, 0, { NO, 0, 0, 0 } },
	{ 0000, 0, ANNA, 0, { NO, NO, NO, 0 } },
	{ 0640, BAND, BERT, BAND, { 0, NO, 0, NO } },
	{ 0620, BAND, BERT, BAND, { NO, 0, 0, NO } },
	{ 0660, BAND, BERT, BAND, { 0, 0, 0, NO } },
	{ 0660, BAND, BERT, STRANGE, { NO, NO, NO, NO } },
	{ 0660, BAND, BERT, 0, { NO, NO, NO, NO } },
	{ 0660, 0, BERT, BAND, { NO, NO, NO, NO } }, /* Anna's own group */
	{ 0604, 0, BERT, 0, { 0, NO, 0, NO } },
	{ 0602, 0, BERT, 0, { NO, 0, 0, NO } },
	{ 0606, 0, BERT, 0, { 0, 0, 0, NO } },
	{ 0606, BAND, BERT, BAND, { NO, NO, NO, NO } }, /* as for a file: his class counts */
	{ 0066, 0, ANNA, 0, { NO, NO, NO, 0 } },
};

START_TEST(a_stream_is_opened_as_its_mode_says)
{
	users_broker_start(NULL);
	anna_makes("s", rows[_i].mode, rows[_i].group);
	as_user(rows[_i].uid, rows[_i].in, try_all, (void *)&rows[_i].want);
	GIVES(bstream_remove("s"), 0);
	users_broker_end();
}
END_TEST

/* ---- what is told --------------------------------------------------------------------------- */

static void be_refused(void *arg)
{
	struct bstream_refusal refusal = { .size = sizeof(refusal) };
	struct bstream_writer *w;
	struct bstream_reader *r;

	(void)arg;
	GIVES(bstream_refusal(&refusal), -ENOENT);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), -EACCES);
	GIVES(bstream_refusal(&refusal), 0);
	GIVES(refusal.error, -EACCES);
	GIVES(refusal.why, BSTREAM_WHY_RIGHT);
	GIVES(refusal.right, BSTREAM_RIGHT_READ);
	GIVES(refusal.uid, BERT);
	GIVES(refusal.owner_uid, ANNA);
	GIVES(refusal.owner_gid, BAND);
	GIVES(refusal.mode, 0620);
	GIVES(bstream_remove("s"), -EACCES);
	GIVES(bstream_refusal(&refusal), 0);
	GIVES(refusal.right, BSTREAM_RIGHT_OWN);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_refusal(&refusal), -ENOENT);
	bstream_writer_close(w);
	GIVES(bstream_open_reader("none", BSTREAM_DONT_WAIT, &r), -ENOENT);
	GIVES(bstream_refusal(&refusal), 0);
	GIVES(refusal.why, 0);
}

START_TEST(who_is_refused_is_told_whose_it_is_and_what_he_lacks)
{
	users_broker_start(NULL);
	anna_makes("s", 0620, BAND);
	as_user(BERT, BAND, be_refused, NULL);
	GIVES(bstream_remove("s"), 0);
	users_broker_end();
}
END_TEST

static int count(const struct bstream_stat *stat, void *arg)
{
	MUST(stat->mode != 0600);
	++*(int *)arg;
	return 0;
}

static void list(void *arg)
{
	int n = 0;

	GIVES(bstream_list(count, &n), 0);
	GIVES(n, *(int *)arg);
}

START_TEST(a_list_has_what_one_may_open_in_it)
{
	int three = 3, one = 1;
	char name[16];

	users_broker_start(NULL);
	for (int i = 0; i < 300; i++) { /* more than a page of what is not shown */
		snprintf(name, sizeof(name), "h%03d", i);
		struct bstream_options o = BSTREAM_OPTIONS_INIT;
		o.capacity = o.max_writers = 1;
		o.chunk_max = 1;
		GIVES(bstream_create(name, &o), 0);
	}
	anna_makes("a", 0640, BAND);
	anna_makes("i", 0604, 0);
	anna_makes("z", 0660, BAND);
	as_user(BERT, BAND, list, &three);
	as_user(BERT, 0, list, &one);
	users_broker_end();
}
END_TEST

/* ---- rules ---------------------------------------------------------------------------------- */

#ifdef HAVE_INIH

static char rules_dir[160], rules_file[192];

static void rules_set(const char *text)
{
	FILE *file;

	snprintf(rules_dir, sizeof(rules_dir), "%s/access.d", guard_dir());
	snprintf(rules_file, sizeof(rules_file), "%s/a-name-of-more-than-15.conf", rules_dir);
	MUST((mkdir(rules_dir, 0755) == 0 || errno == EEXIST) && chmod(rules_dir, 0755) == 0);
	file = fopen(rules_file, "we");
	MUST(file && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(rules_file, 0644) == 0);
}

static void rules_remove(void)
{
	MUST(unlink(rules_file) == 0 && rmdir(rules_dir) == 0);
}

/* The last refusal was by the rule on that line. */
static void by_rule(uint32_t right, uid_t uid, unsigned line)
{
	struct bstream_refusal refusal = { .size = sizeof(refusal) };

	GIVES(bstream_refusal(&refusal), 0);
	GIVES(refusal.error, -EACCES);
	GIVES(refusal.why, BSTREAM_WHY_RULE);
	GIVES(refusal.right, right);
	GIVES(refusal.uid, uid);
	GIVES(refusal.owner_uid, 0); /* whose it is is not told */
	GIVES(refusal.limit, line);
	GIVES(strcmp(refusal.limit_name, "a-name-of-more-"), 0);
}

static void make_within_rules(void *arg)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	struct bstream_mailbox *m;

	(void)arg;
	o.mode = 0606;
	GIVES(bstream_create("s", &o), 0);
	GIVES(bstream_create("t", &o), 0);
	GIVES(bstream_create("sys/s", &o), -EACCES);
	by_rule(BSTREAM_RIGHT_OWN, ANNA, 2);
	GIVES(bstream_mailbox_open("sys/box", &m), -EACCES);
	by_rule(BSTREAM_RIGHT_OWN, ANNA, 2);
	GIVES(bstream_mailbox_open("box", &m), 0);
	bstream_mailbox_close(m);
}

static void make_for_the_band(void *arg)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	(void)arg;
	GIVES(bstream_create("sys/s", &o), 0);
	GIVES(bstream_create("u", &o), -EACCES);
	by_rule(BSTREAM_RIGHT_OWN, ANNA, 4);
	GIVES(bstream_remove("sys/s"), 0);
}

static void use_within_rules(void *arg)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_writer *w;
	struct bstream_reader *r;
	int n = 0;

	(void)arg;
	GIVES(bstream_create("u", &o), -EACCES);
	by_rule(BSTREAM_RIGHT_OWN, BERT, 6);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), -EACCES);
	by_rule(BSTREAM_RIGHT_WRITE, BERT, 8);
	GIVES(bstream_open_reader("t", BSTREAM_DONT_WAIT, &r), -EACCES);
	by_rule(BSTREAM_RIGHT_READ, BERT, 7);
	GIVES(bstream_stat("t", &stat), -EACCES);
	by_rule(BSTREAM_RIGHT_READ | BSTREAM_RIGHT_WRITE, BERT, 8);
	/* Nor does he learn what is not there, or wait for it. */
	GIVES(bstream_open_reader("none", guard_patience(), &r), -EACCES);
	GIVES(bstream_wait("none", BSTREAM_WAIT_MAILBOX, guard_patience()), -EACCES);
	GIVES(bstream_send("none", "hi", 2, NULL, guard_patience()), -EACCES);
	by_rule(BSTREAM_RIGHT_WRITE, BERT, 8);
	GIVES(bstream_remove("none"), -ENOENT);
	GIVES(bstream_list(count, &n), 0);
	GIVES(n, 1);
	GIVES(bstream_stat("s", &stat), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	GIVES(bstream_refusal(&(struct bstream_refusal){ .size = sizeof(struct bstream_refusal) }),
	      -ENOENT);
	bstream_reader_close(r);
}

START_TEST(rules_take_names_away_whatever_their_modes)
{
	const char *const options[] = { "--access", rules_dir, NULL };

	rules_set("[default]\n"
		  "create = * !sys/*\n"
		  "[group 61003]\n"
		  "create = sys/*\n"
		  "[user 61002]\n"
		  "create =\n"
		  "read = s\n"
		  "write =\n");
	users_broker_start(options);
	as_user(ANNA, 0, make_within_rules, NULL);
	as_user(ANNA, BAND, make_for_the_band, NULL);
	as_user(BERT, BAND, use_within_rules, NULL);
	anna_makes("none", 0600, 0);
	GIVES(bstream_remove("none"), 0); /* root does as ever */
	GIVES(bstream_remove("t"), 0);
	users_broker_end();
	rules_remove();
}
END_TEST

static void look_for_s(void *arg)
{
	struct bstream_stat stat = { .size = sizeof(stat) };

	*(int *)arg = bstream_stat("s", &stat);
}

/* What Bert gets who looks for "s". */
static int bert_sees(void)
{
	int *shared = guard_shared_new(sizeof(*shared)), got;

	as_user(BERT, 0, look_for_s, shared);
	got = *shared;
	guard_shared_free(shared, sizeof(*shared));
	return got;
}

START_TEST(sighup_has_rules_read_anew)
{
	const char *const options[] = { "--access", rules_dir, NULL };
	struct bstream_broker_stat broker = { .size = sizeof(broker) };

	rules_set("[default]\nread =\nwrite =\n");
	users_broker_start(options);
	anna_makes("s", 0604, 0);
	GIVES(bstream_broker_stat(&broker), 0);
	GIVES(bert_sees(), -EACCES);
	rules_set("[default]\nread = s\n");
	MUST(kill(broker.pid, SIGHUP) == 0);
	UNTIL(bert_sees() == 0);
	GIVES(bstream_remove("s"), 0);
	users_broker_end();
	rules_remove();
}
END_TEST

#endif

/* ---- making --------------------------------------------------------------------------------- */

START_TEST(a_stream_is_given_to_ones_own_groups_only)
{
	struct made alien = { "s", 0660, STRANGE, -EACCES }, own = { "s", 0660, BAND, 0 };
	struct bstream_stat stat = { .size = sizeof(stat) };

	users_broker_start(NULL);
	as_user(ANNA, BAND, make, &alien);
	as_user(ANNA, BAND, make, &own);
	GIVES(bstream_stat("s", &stat), 0);
	GIVES(stat.uid, ANNA);
	GIVES(stat.gid, BAND);
	GIVES(stat.flags, BSTREAM_SEALED); /* without having been asked for */
	GIVES(bstream_remove("s"), 0);
	users_broker_end();
}
END_TEST

static void forge(void *arg)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	uint32_t root = 0, mode = 07777;
	int fd = raw_sealed_segment("s");

	MUST(pwrite(fd, &root, sizeof(root), offsetof(struct bs_header, uid)) == sizeof(root));
	MUST(pwrite(fd, &root, sizeof(root), offsetof(struct bs_header, gid)) == sizeof(root));
	GIVES(raw_create("s", fd),
	      0); /* it is whose the file is: so they say it in a user namespace */
	GIVES(bstream_stat("s", &stat), 0);
	GIVES(stat.uid, ANNA);
	GIVES(stat.gid, ANNA);
	GIVES(bstream_remove("s"), 0);
	close(fd);
	fd = raw_sealed_segment("s");
	MUST(pwrite(fd, &root, sizeof(root), offsetof(struct bs_header, gid)) == sizeof(root));
	GIVES(raw_create("s", fd), -EACCES);
	close(fd);
	fd = raw_sealed_segment("s");
	MUST(pwrite(fd, &mode, sizeof(mode), offsetof(struct bs_header, mode)) == sizeof(mode));
	GIVES(raw_create("s", fd), -EPROTO);
	close(fd);
	fd = raw_segment("s");
	GIVES(raw_create("s", fd), -EOPNOTSUPP); /* not sealed */
	close(fd);
	fd = raw_sealed_segment("s");
	GIVES(raw_restore("s", fd), -EACCES);
	close(fd);
	GIVES(raw_create("s", *(int *)arg), -EACCES); /* made by another, whatever it says */
}

START_TEST(what_a_header_claims_is_not_believed)
{
	uint32_t anna[2] = { ANNA, ANNA }; /* and her group's */
	int roots = raw_sealed_segment("s");

	MUST(pwrite(roots, anna, sizeof(anna), offsetof(struct bs_header, uid)) == sizeof(anna));
	users_broker_start(NULL);
	as_user(ANNA, 0, forge, &roots);
	close(roots);
	GIVES(bstream_wait("s", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT), -ENOENT);
	users_broker_end();
}
END_TEST

/* Scribbles over owner and mode of a stream that he may write to. */
static void scribble_rights(void *arg)
{
	uint32_t bert = BERT, all = 0777;
	struct bstream_writer *w;

	(void)arg;
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	int fd = bstream_writer_detach(w);
	MUST(pwrite(fd, &bert, sizeof(bert), offsetof(struct bs_header, uid)) == sizeof(bert));
	MUST(pwrite(fd, &all, sizeof(all), offsetof(struct bs_header, mode)) == sizeof(all));
	close(fd);
	GIVES(bstream_remove("s"), -EACCES);
	struct bstream_reader *r;
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), -EACCES);
}

START_TEST(rights_are_not_what_a_peer_writes_into_the_segment)
{
	users_broker_start(NULL);
	anna_makes("s", 0622, 0);
	as_user(BERT, 0, scribble_rights, NULL);
	GIVES(bstream_remove("s"), 0);
	users_broker_end();
}
END_TEST

static void stop(void *arg)
{
	(void)arg;
	GIVES(bstream_broker_stop(), -EACCES);
}

START_TEST(only_root_stops_the_broker)
{
	users_broker_start(NULL);
	as_user(ANNA, 0, stop, NULL);
	users_broker_end();
}
END_TEST

/* ---- using ---------------------------------------------------------------------------------- */

static void write_as_bert(void *arg)
{
	struct bstream_writer *w, *second;

	(void)arg;
	GIVES(bstream_open_writer("s", guard_patience(), &w), 0);
	GIVES(bstream_writer_clone(w, &second), 0);
	for (int i = 0; i < 100; i++) {
		GIVES(bstream_write(w, "a", 1, guard_patience()), 0);
		GIVES(bstream_write(second, "a", 1, guard_patience()), 0);
	}
	bstream_writer_close(second);
	bstream_writer_close(w);
}

static void read_as_anna(void *arg)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	struct bstream_reader *r;

	(void)arg;
	o.mode = 0620;
	o.gid = BAND;
	o.capacity = 3;
	GIVES(bstream_create("s", &o), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	for (int i = 0; i < 200; i++)
		HEAR_IN_TIME(r, "a");
	GIVES(guard_read(r, guard_patience()), 0);
	bstream_reader_close(r);
}

/* Of root, and of a user who is nobody else. */
START_TEST(two_users_stream_to_each_other)
{
	if (_i == 0)
		users_broker_start(NULL);
	else
		users_broker_start_as(STRANGE);
	pid_t bert = as_user_meanwhile(BERT, BAND, write_as_bert, NULL); /* waits for the name */
	as_user(ANNA, BAND, read_as_anna, NULL);
	guard_reap(bert);
	UNTIL(bstream_wait("s", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT) == -ENOENT);
	users_broker_end();
}
END_TEST

static void cut_off(void *arg)
{
	struct bstream_writer *w;

	(void)arg;
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	int fd = bstream_writer_detach(w);
	MUST(ftruncate(fd, 0) < 0 && errno == EPERM);
	MUST(ftruncate(fd, 1 << 30) < 0 && errno == EPERM);
	MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM);
	close(fd);
}

START_TEST(a_peer_that_would_truncate_gets_eperm)
{
	users_broker_start(NULL);
	anna_makes("s", 0622, 0);
	as_user(BERT, 0, cut_off, NULL);
	GIVES(bstream_remove("s"), 0);
	users_broker_end();
}
END_TEST

/* ---- mailboxes ------------------------------------------------------------------------------ */

static struct guard_gate opened, sent;

static void listen_as_anna(void *arg)
{
	struct bstream_mailbox *m;
	struct bstream_message message;

	(void)arg;
	GIVES(bstream_mailbox_open("box", &m), 0);
	guard_gate_open(&opened);
	GIVES(bstream_mailbox_recv(m, &message, guard_patience()), 0);
	MUST(message.uid == ANNA && message.reader != NULL);
	HEAR_IN_TIME(message.reader, "a");
	bstream_reader_close(message.reader);
	guard_gate_pass(&sent);
	bstream_mailbox_close(m);
}

static void send_as_bert(void *arg)
{
	struct bstream_refusal refusal = { .size = sizeof(refusal) };

	(void)arg;
	GIVES(bstream_send("box", "hi", 2, NULL, BSTREAM_DONT_WAIT), -EACCES);
	GIVES(bstream_refusal(&refusal), 0);
	GIVES(refusal.right, BSTREAM_RIGHT_WRITE);
	GIVES(refusal.owner_uid, ANNA);
	GIVES(bstream_wait("box", BSTREAM_WAIT_MAILBOX, BSTREAM_DONT_WAIT), -EACCES);
}

static void send_as_anna(void *arg)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_writer *w;
	struct bstream_reader *r;

	(void)arg;
	GIVES(bstream_pair(NULL, &w, &r), 0);
	GIVES(bstream_send("box", "hi", 2, r, BSTREAM_DONT_WAIT), -EOPNOTSUPP); /* not sealed */
	bstream_reader_close(r);
	bstream_writer_close(w);
	GIVES(bstream_connect("box", "hi", 2, NULL, guard_patience(), &w), 0);
	GIVES(bstream_writer_stat(w, &stat), 0);
	MUST((stat.flags & BSTREAM_SEALED) != 0);
	SAY(w, "a");
	bstream_writer_close(w);
}

START_TEST(a_mailbox_hears_who_may_write_to_it_and_of_sealed_streams)
{
	users_broker_start(NULL);
	guard_gate_init(&opened);
	guard_gate_init(&sent);
	pid_t anna = as_user_meanwhile(ANNA, 0, listen_as_anna, NULL);
	guard_gate_pass(&opened);
	as_user(BERT, 0, send_as_bert, NULL);
	as_user(ANNA, 0, send_as_anna, NULL);
	guard_gate_open(&sent);
	guard_reap(anna);
	guard_gate_fini(&opened);
	guard_gate_fini(&sent);
	users_broker_end();
}
END_TEST

/* A mailbox that somebody opens, until the gate. */
struct box {
	uint32_t mode;
	gid_t gid;
};

static void box_stands(void *arg)
{
	const struct box *box = arg;
	struct bstream_mailbox_options o = BSTREAM_MAILBOX_OPTIONS_INIT;
	struct bstream_mailbox *m;

	o.mode = box->mode;
	o.gid = box->gid;
	GIVES(bstream_mailbox_open_with("box", &o, &m), 0);
	guard_gate_open(&opened);
	guard_gate_pass(&sent);
	bstream_mailbox_close(m);
}

struct posted {
	int send, see; /* what each gives */
};

static void post(void *arg)
{
	const struct posted *t = arg;
	struct bstream_refusal refusal = { .size = sizeof(refusal) };
	struct bstream_mailbox *m;

	GIVES(bstream_send("box", "hi", 2, NULL, BSTREAM_DONT_WAIT), t->send);
	if (t->send < 0) {
		GIVES(bstream_refusal(&refusal), 0);
		GIVES(refusal.right, BSTREAM_RIGHT_WRITE);
		GIVES(refusal.uid, getuid());
		GIVES(refusal.owner_uid, ANNA);
	}
	GIVES(bstream_wait("box", BSTREAM_WAIT_MAILBOX, BSTREAM_DONT_WAIT), t->see);
	GIVES(bstream_mailbox_open("box", &m), -EADDRINUSE); /* whatever the mode: it is had once */
}

static const struct {
	struct box box; /* Anna's, who is in the band */
	struct posted anna, band, bert; /* Bert in the band, and Bert alone */
} boxes[] = {
	{ { 0600, 0 }, { 0, 0 }, { NO, NO }, { NO, NO } },
	{ { 0622, 0 }, { 0, 0 }, { 0, 0 }, { 0, 0 } },
	{ { 0602, BAND }, { 0, 0 }, { NO, NO }, { 0, 0 } },
	{ { 0620, BAND }, { 0, 0 }, { 0, 0 }, { NO, NO } },
	{ { 0640, BAND }, { 0, 0 }, { NO, 0 }, { NO, NO } },
	{ { 0422, ANNA }, { NO, 0 }, { 0, 0 }, { 0, 0 } },
};

START_TEST(a_mailbox_is_sent_to_as_its_mode_says)
{
	struct box box = boxes[_i].box;
	struct posted anna = boxes[_i].anna, band = boxes[_i].band, bert = boxes[_i].bert;

	users_broker_start(NULL);
	guard_gate_init(&opened);
	guard_gate_init(&sent);
	pid_t owner = as_user_meanwhile(ANNA, BAND, box_stands, &box);
	guard_gate_pass(&opened);
	as_user(ANNA, 0, post, &anna);
	as_user(BERT, BAND, post, &band);
	as_user(BERT, 0, post, &bert);
	guard_gate_open(&sent);
	guard_reap(owner);
	guard_gate_fini(&opened);
	guard_gate_fini(&sent);
	users_broker_end();
}
END_TEST

static void box_of_strangers(void *arg)
{
	struct bstream_mailbox_options o = BSTREAM_MAILBOX_OPTIONS_INIT;
	struct bstream_refusal refusal = { .size = sizeof(refusal) };
	struct bstream_mailbox *m;

	(void)arg;
	o.gid = STRANGE;
	GIVES(bstream_mailbox_open_with("box", &o, &m), -EACCES);
	GIVES(bstream_refusal(&refusal), 0);
	GIVES(refusal.why, BSTREAM_WHY_GROUP);
	GIVES(refusal.owner_gid, STRANGE);
	o.gid = 0;
	o.mode = 01777;
	GIVES(bstream_mailbox_open_with("box", &o, &m), -EINVAL);
}

START_TEST(a_mailbox_is_given_to_ones_own_groups_only)
{
	users_broker_start(NULL);
	as_user(ANNA, BAND, box_of_strangers, NULL);
	users_broker_end();
}
END_TEST

static void box_outlives_its_broker(void *arg)
{
	struct bstream_mailbox_options o = BSTREAM_MAILBOX_OPTIONS_INIT;
	struct bstream_message message;
	struct bstream_mailbox *m;
	int rc;

	(void)arg;
	o.mode = 0622;
	GIVES(bstream_mailbox_open_with("box", &o, &m), 0);
	guard_gate_open(&opened);
	UNTIL((rc = bstream_mailbox_recv(m, &message, guard_patience())) != -ECONNREFUSED);
	GIVES(rc, 0);
	GIVES(message.uid, BERT);
	bstream_mailbox_close(m);
}

static void send_in_time(void *arg)
{
	(void)arg;
	GIVES(bstream_wait("box", BSTREAM_WAIT_MAILBOX, guard_patience()), 0);
	GIVES(bstream_send("box", "hi", 2, NULL, guard_patience()), 0);
}

START_TEST(the_next_broker_is_told_the_mode_too)
{
	users_broker_start(NULL);
	guard_gate_init(&opened);
	pid_t anna = as_user_meanwhile(ANNA, 0, box_outlives_its_broker, NULL);
	guard_gate_pass(&opened);
	users_broker_again(NULL);
	as_user(BERT, 0, send_in_time, NULL);
	guard_reap(anna);
	guard_gate_fini(&opened);
	users_broker_end();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(a_stream_is_opened_as_its_mode_says, sizeof(rows) / sizeof(rows[0])),
		ONCE(who_is_refused_is_told_whose_it_is_and_what_he_lacks),
		ONCE(a_list_has_what_one_may_open_in_it),
#ifdef HAVE_INIH
		ONCE(rules_take_names_away_whatever_their_modes),
		ONCE(sighup_has_rules_read_anew),
#endif
		ONCE(a_stream_is_given_to_ones_own_groups_only),
		ONCE(what_a_header_claims_is_not_believed),
		ONCE(rights_are_not_what_a_peer_writes_into_the_segment),
		ONCE(only_root_stops_the_broker),
		N_WAYS(two_users_stream_to_each_other, 2),
		ONCE(a_peer_that_would_truncate_gets_eperm),
		ONCE(a_mailbox_hears_who_may_write_to_it_and_of_sealed_streams),
		N_WAYS(a_mailbox_is_sent_to_as_its_mode_says, sizeof(boxes) / sizeof(boxes[0])),
		ONCE(a_mailbox_is_given_to_ones_own_groups_only),
		ONCE(the_next_broker_is_told_the_mode_too),
	};

	guard_need_broker();
	users_need_root();
	return GUARD_RUN("rights", cases);
}
