/* SPDX-License-Identifier: MIT */
/*
 * check_faults.c - the library with every system call failing in turn: each call it makes in a scene, with
 * each error that the kernel gives there. Each public call then succeeds or says what bstream.h says; the
 * scene goes on with what it has; and when it is over nothing is left: no descriptor, mapping, segment,
 * name or process. Then the same scene, with nothing failing, succeeds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/broker/raw.h"
#include "tests/scarce/faults.h"

static bool failing; /* else every step must succeed */
static const char *step;

/* A step of a scene: what it gives must be documented. True: it succeeded. */
static bool went(const char *what, int rc)
{
	static const int documented[] = {
		EMFILE,	   ENFILE,     ENOMEM,	ENOSPC,	    ENOSYS,	  EAGAIN,
		ETIMEDOUT, EPROTO,     ENOBUFS, EOPNOTSUPP, ECONNREFUSED, EACCES,
		EBUSY,	   ECONNRESET, EPIPE,	ENOENT,	    EEXIST,	  EDQUOT,
	};

	step = what;
	if (rc >= 0)
		return true;
	if (!failing)
		guard_fail(__FILE__, __LINE__, "%s gave %d with nothing failing", what, rc);
	for (size_t i = 0; i < sizeof(documented) / sizeof(documented[0]); i++)
		if (rc == -documented[i])
			return false;
	guard_fail(__FILE__, __LINE__, "%s gave %d after %s", what, rc, faults_disarm(NULL));
}
#define WENT(call) went(#call, (call))

/* ---- scenes --------------------------------------------------------------------------------- */

static struct bstream_options small(uint32_t flags)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = 2;
	o.chunk_max = 64;
	o.max_writers = 4;
	o.flags = flags;
	return o;
}

static void both_use(struct bstream_writer *w, struct bstream_reader *r)
{
	char buf[64];
	size_t len;

	if (WENT(bstream_write(w, "abc", 3, BSTREAM_DONT_WAIT)) &&
	    WENT(bstream_read(r, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT)))
		MUST(len == 3 && memcmp(buf, "abc", 3) == 0);
	else
		while (bstream_read(r, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT) == 1)
			;
}

/* A read that has to wait, and a write that has to. */
static void both_wait(struct bstream_writer *w, struct bstream_reader *r)
{
	char buf[64];
	size_t len;
	int rc = bstream_read(r, buf, sizeof(buf), &len, bstream_after_ms(1));

	MUST(rc == -ETIMEDOUT);
	for (int i = 0; i < 2; i++)
		WENT(bstream_write(w, "abc", 3, BSTREAM_DONT_WAIT));
	rc = bstream_write(w, "abc", 3, bstream_after_ms(1));
	MUST(rc == -ETIMEDOUT);
	rc = bstream_drain(w, bstream_after_ms(1));
	MUST(rc == -ETIMEDOUT);
	for (int i = 0; i < 2; i++)
		WENT(bstream_read(r, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT));
}

static void pair_scene(uint32_t flags)
{
	struct bstream_options o = small(flags);
	struct bstream_writer *w, *x = NULL;
	struct bstream_reader *r;
	struct bstream_stat stat = { .size = sizeof(stat) };

	if (!WENT(bstream_pair(&o, &w, &r)))
		return;
	both_use(w, r);
	WENT(bstream_writer_clone(w, &x));
	WENT(bstream_writer_stat(w, &stat));
	both_use(x ? x : w, r);
	bstream_writer_close(x);
	both_wait(w, r);
	int fd = bstream_writer_detach(w);
	if (!WENT(bstream_writer_attach(fd, &w))) {
		faults_disarm(NULL);
		GIVES(bstream_writer_attach(fd, &w), 0); /* it stayed ours, and well */
	}
	both_use(w, r);
	bstream_writer_close(w);
	bstream_reader_close(r);
}

static void unsealed_pair(void)
{
	pair_scene(0);
}

static void sealed_pair(void)
{
	pair_scene(BSTREAM_SEALED);
}

/* Ends in messages: one that was not sent is still ours; one that was not received is still there, or
 * gone with its message, and then it counts as dead. */
static void messages(void)
{
	struct bstream_options o = small(0);
	struct bstream_writer *w;
	struct bstream_reader *r;
	int s[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s) < 0)
		return; /* this one's failure is no business of the library's */
	if (WENT(bstream_pair(&o, &w, &r))) {
		bool sent = WENT(bstream_reader_send(s[0], r)), here = !sent;

		for (int i = 0; sent && !here && i < 2; i++)
			here = WENT(bstream_reader_recv(s[1], &r));
		if (here) {
			both_use(w, r);
			bstream_reader_close(r);
		}
		bstream_writer_close(w);
	}
	close(s[0]);
	close(s[1]);
}

/* What is refused is what an owner who polls is refused, too. */
static void pollers(void)
{
	struct bstream_options o = small(0);
	struct bstream_writer *w;
	struct bstream_reader *r;
	char buf[64];
	size_t len;

	if (!WENT(bstream_pair(&o, &w, &r)))
		return;
	WENT(bstream_reader_pollfd(r));
	WENT(bstream_writer_pollfd(w));
	int rc = bstream_read(r, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT);
	MUST(rc == -EAGAIN);
	both_use(w, r);
	for (int i = 0; i < 2; i++)
		WENT(bstream_write(w, "abc", 3, BSTREAM_DONT_WAIT));
	rc = bstream_write(w, "abc", 3, BSTREAM_DONT_WAIT);
	MUST(rc == -EAGAIN);
	while (bstream_read(r, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT) == 1)
		;
	both_wait(w, r);
	bstream_writer_close(w);
	bstream_reader_close(r);
}

static int see(const struct bstream_stat *stat, void *arg)
{
	(void)arg;
	return strlen(stat->name) > BSTREAM_NAME_MAX;
}

static int see_end(const struct bstream_end *end, void *arg)
{
	(void)arg;
	return end->kind == 0;
}

static void named_scene(uint32_t flags)
{
	struct bstream_options o = small(flags);
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_broker_stat broker = { .size = sizeof(broker) };
	struct bstream_writer *w = NULL;
	struct bstream_reader *r = NULL;
	struct bstream_view *view;

	if (WENT(bstream_create("s", &o))) {
		WENT(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w));
		WENT(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r));
	}
	WENT(bstream_stat("s", &stat));
	WENT(bstream_broker_stat(&broker));
	WENT(bstream_list(see, NULL));
	if (WENT(bstream_view_open("s", &view))) {
		WENT(bstream_view_stat(view, &stat));
		WENT(bstream_view_ends(view, see_end, NULL));
		bstream_view_close(view);
	}
	if (w && r) {
		both_use(w, r);
		WENT(bstream_wait("s", BSTREAM_WAIT_EMPTY, bstream_after_ms(2000)));
	}
	bstream_writer_close(w);
	bstream_reader_close(r);
	faults_disarm(NULL);
	int rc = bstream_remove("s");
	MUST(rc == 0 || rc == -ENOENT);
}

static void unsealed_name(void)
{
	named_scene(0);
}

static void sealed_name(void)
{
	named_scene(BSTREAM_SEALED);
}

static void mailbox(void)
{
	struct bstream_options o = small(0);
	struct bstream_mailbox *box;
	struct bstream_message m = { 0 };
	struct bstream_writer *w;

	if (!WENT(bstream_mailbox_open("box", &box)))
		return;
	WENT(bstream_send("box", "note", 4, NULL, BSTREAM_DONT_WAIT));
	if (WENT(bstream_connect("box", "call", 4, &o, BSTREAM_DONT_WAIT, &w)))
		bstream_writer_close(w);
	for (int i = 0; i < 2; i++)
		if (WENT(bstream_mailbox_recv(box, &m, BSTREAM_DONT_WAIT)))
			bstream_reader_close(m.reader);
	bstream_mailbox_close(box);
}

/* What a broker is asked besides: its rules, its figures, a mailbox for others, an end that is parked, sent
 * on, and taken again. */
static void questions(void)
{
	struct bstream_mailbox_options others = BSTREAM_MAILBOX_OPTIONS_INIT;
	struct bstream_options o = small(0);
	struct bstream_mailbox *box = NULL;
	struct bstream_message m = { 0 };
	struct bstream_reader *r = NULL;
	char text[200];
	int fd;

	WENT(bstream_broker_rules(text, sizeof(text)));
	if (WENT(bstream_broker_metrics(&fd)))
		close(fd);
	others.mode = 0620;
	if (WENT(bstream_mailbox_open_with("box", &others, &box)))
		WENT(bstream_mailbox_pollfd(box));
	if (WENT(bstream_create("s", &o)) &&
	    WENT(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r)) && !WENT(bstream_reader_park(r)))
		bstream_reader_close(r); /* it stayed ours */
	if (WENT(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r)) &&
	    !WENT(bstream_send("box", "end", 3, r, BSTREAM_DONT_WAIT)))
		bstream_reader_close(r);
	if (box != NULL && WENT(bstream_mailbox_recv(box, &m, BSTREAM_DONT_WAIT)))
		bstream_reader_close(m.reader);
	bstream_mailbox_close(box);
	faults_disarm(NULL);
	int rc = bstream_remove("s");
	MUST(rc == 0 || rc == -ENOENT);
}

/* Without a broker: the first call starts one. */
static void start(void)
{
	WENT(bstream_broker_start());
	faults_disarm(NULL);
	if (failing)
		bstream_broker_stop();
	else
		GIVES(bstream_broker_stop(), 0);
}

static const struct scene {
	const char *name;
	void (*play)(void);
	bool broker; /* it stands, before and after */
} scenes[] = {
	{ "unsealed pair", unsealed_pair, false },
	{ "sealed pair", sealed_pair, false },
	{ "pollers", pollers, false },
	{ "messages", messages, false },
	{ "unsealed name", unsealed_name, true },
	{ "sealed name", sealed_name, true },
	{ "mailbox", mailbox, true },
	{ "questions", questions, true },
	{ "start", start, false },
};
#define N_SCENES (int)(sizeof(scenes) / sizeof(scenes[0]))

/* ---- every call in turn --------------------------------------------------------------------- */

static bool nothing_left(int fds, int mappings, int segments)
{
	return guard_n_fds() == fds && guard_n_mappings() == mappings &&
	       guard_n_segments() == segments;
}

/* Play it with call @k failing in the @e-th way. False: it makes fewer calls. */
static bool play_with(const struct scene *scene, long k, int e, bool *more)
{
	int fds = guard_n_fds(), mappings = guard_n_mappings(), segments = guard_n_segments();

	failing = true;
	faults_arm(k, e);
	scene->play();
	const char *what = faults_disarm(more);
	failing = false;
	if (what == NULL)
		return faults_count() > k;
	uint64_t patience = guard_patience();
	while (!nothing_left(fds, mappings, segments))
		if (bstream_after_ms(0) > patience)
			guard_fail(
				__FILE__, __LINE__,
				"%s, call %ld, %s: left %d descriptors, %d mappings, %d segments",
				scene->name, k, what, guard_n_fds() - fds,
				guard_n_mappings() - mappings, guard_n_segments() - segments);
	return true;
}

START_TEST(whatever_fails_is_said_and_nothing_is_left)
{
	const struct scene *scene = &scenes[_i];
	long k = 0, runs = 0;
	bool more;

	if (scene->broker)
		GIVES(bstream_broker_start(), 0);
	scene->play(); /* what is made once for the process is made */
	for (bool reached = true; reached; k++) {
		more = true;
		for (int e = 0; reached && more; e++, runs++)
			reached = play_with(scene, k, e, &more);
		scene->play();
	}
	printf("%s: %ld calls, %ld faults\n", scene->name, k - 1, runs - 1);
	MUST(k > 5);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(whatever_fails_is_said_and_nothing_is_left, N_SCENES),
	};

	guard_need_broker();
	return GUARD_RUN("faults", cases);
}
