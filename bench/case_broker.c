/* SPDX-License-Identifier: MIT */
/*
 * case_broker.c - H: what names cost. One seqpacket round trip between two processes is what any
 * request to another process costs at least; the rest is measured in the same round. "sequence" is
 * create, open both ends, remove: four requests. "pages" is the kernel's part of it: as much memory as a stream
 * with default options has, given out and taken back.
 *
 * Then there are as many streams as were asked for (10,000), and a thousand clients: at a pace of 100,000
 * requests a minute in all, so that hardly any finds a queue before it, and once all at the same moment.
 * The last column is the slowest request. A broker that has grown by then fails the round.
 *
 * All of it twice: with a user's broker, and with one for all users (--system), whose streams are sealed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/crowd.h"
#include "bench/histogram.h"
#include "bench/programs.h"
#include "bench/suite.h"
#include "lib/bstream.h"

#define TRIPS	  2000u
#define SEQUENCES 300u
#define PACKET	  64u
#define ASKED	  10u /* requests of each client of the crowd, in a round */
#define GROWN_MAX (1l << 20) /* bytes that a broker may have more after a round */

enum { STEP_CREATE, STEP_OPEN_WRITER, STEP_OPEN_READER, STEP_REMOVE, STEP_ALL, N_STEPS };

static const char *const step_names[N_STEPS] = {
	"create", "open-writer", "open-reader", "remove", "sequence",
};

/* What was asked, of a user's broker and of a machine's. */
enum { ASKS_DEFAULT, ASKS_SMALL, ASKS_ANY, ASKS_CROWD, N_ASKS };

static const char *const ask_names[N_ASKS][2] = {
	[ASKS_DEFAULT] = { "default options", "system: default options" },
	[ASKS_SMALL] = { "small streams", "system: small streams" },
	[ASKS_ANY] = { "", "system" },
	[ASKS_CROWD] = { "1000 clients", "system: 1000 clients" },
};

static struct histogram hists[N_STEPS];

/* ---- the yardstick ---- */

static void echo(int fd)
{
	char packet[PACKET];
	ssize_t len;

	while ((len = recv(fd, packet, sizeof(packet), 0)) > 0)
		if (send(fd, packet, (size_t)len, MSG_NOSIGNAL) < 0)
			break;
	_exit(0);
}

static int trips(struct histogram *h)
{
	char packet[PACKET] = { 0 };
	int fds[2], err = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		echo(fds[1]);
	}
	close(fds[1]);
	for (unsigned i = 0; pid > 0 && i < TRIPS && !err; i++) {
		uint64_t began = ticks();

		if (send(fds[0], packet, PACKET, MSG_NOSIGNAL) < 0 ||
		    recv(fds[0], packet, PACKET, 0) != PACKET)
			err = -EIO;
		histogram_add(h, ticks() - began);
	}
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid < 0 ? -errno : err;
}

/* The memory of a stream with default options: given out, and taken back. */
static int pages(struct histogram *h)
{
	const struct bstream_options options = BSTREAM_OPTIONS_INIT;
	int err = 0;

	for (unsigned i = 0; i < SEQUENCES && !err; i++) {
		uint64_t began = ticks();
		int fd = memfd_create("bstream-bench", MFD_CLOEXEC);

		if (fd < 0)
			return -errno;
		err = -posix_fallocate(fd, 0, (off_t)options.capacity * options.chunk_max);
		close(fd);
		histogram_add(h, ticks() - began);
	}
	return err;
}

/* ---- names ---- */

static void note(unsigned step, uint64_t *began, uint64_t *sum)
{
	uint64_t took = ticks() - *began;

	histogram_add(&hists[step], took);
	*sum += took;
	*began = ticks();
}

static int sequence(const char *name, const struct bstream_options *options)
{
	struct bstream_writer *w = NULL;
	struct bstream_reader *r = NULL;
	uint64_t began = ticks(), sum = 0;
	int err = bstream_create(name, options);

	note(STEP_CREATE, &began, &sum);
	if (!err) {
		err = bstream_open_writer(name, BSTREAM_DONT_WAIT, &w);
		note(STEP_OPEN_WRITER, &began, &sum);
	}
	if (!err) {
		err = bstream_open_reader(name, BSTREAM_DONT_WAIT, &r);
		note(STEP_OPEN_READER, &began, &sum);
	}
	if (!err) {
		err = bstream_remove(name);
		note(STEP_REMOVE, &began, &sum);
	}
	histogram_add(&hists[STEP_ALL], sum);
	bstream_writer_close(w);
	bstream_reader_close(r);
	return err;
}

static struct bstream_options small_options(void)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = 1;
	o.chunk_max = 64;
	o.max_writers = 1;
	return o;
}

/* ---- samples ---- */

struct turn {
	struct suite *suite;
	unsigned round;
	bool system;
};

static int keep(const struct turn *t, unsigned what, const char *name, const struct histogram *h,
		double seconds, int err)
{
	struct point p = { .kase = 'H',
			   .what = ask_names[what][t->system],
			   .transport = name,
			   .n_writers = 1,
			   .n_pairs = 1,
			   .placement = PLACED_FREE };
	struct sample s;

	sample_init(&s, &p, t->round);
	if (err) {
		s.verdict = VERDICT_FAILED;
		snprintf(s.reason, sizeof(s.reason), "%s", strerror(-err));
	} else if (h) {
		double ns = round_ns_per_tick();

		if (seconds > 0)
			s.value[METRIC_SECONDS] = seconds;

		s.value[METRIC_P50] = histogram_quantile(h, 0.5) * ns;
		s.value[METRIC_P99] = histogram_quantile(h, 0.99) * ns;
	} else {
		s.value[METRIC_SECONDS] = seconds;
	}
	return suite_keep(t->suite, &s);
}

static int measure_trips(const struct turn *t)
{
	int err;

	memset(hists, 0, sizeof(hists));
	err = trips(&hists[0]);
	return keep(t, ASKS_ANY, "seqpacket-trip", &hists[0], 0, err);
}

static int measure_sequences(const struct turn *t, bool small)
{
	struct bstream_options options = small_options();
	char name[64];
	int err = 0;

	memset(hists, 0, sizeof(hists));
	for (unsigned i = 0; i < SEQUENCES && !err; i++) {
		snprintf(name, sizeof(name), "bench-names-%d-%u", (int)getpid(), i);
		err = sequence(name, small ? &options : NULL);
	}
	for (unsigned step = 0; step < N_STEPS; step++) {
		int kept = keep(t, small ? ASKS_SMALL : ASKS_DEFAULT, step_names[step],
				&hists[step], 0, err);

		if (kept)
			return kept;
	}
	return 0;
}

static int measure_pages(const struct turn *t)
{
	int err;

	memset(hists, 0, sizeof(hists));
	err = pages(&hists[0]);
	return keep(t, ASKS_DEFAULT, "pages", &hists[0], 0, err);
}

static int count_one(const struct bstream_stat *stat, void *arg)
{
	(void)stat;
	++*(unsigned *)arg;
	return 0;
}

static int measure_list(const struct turn *t)
{
	uint64_t began = now_ns();
	unsigned n = 0;
	int err = bstream_list(count_one, &n);

	if (!err && n < t->suite->settings.n_streams)
		err = -ENODATA;
	return keep(t, ASKS_ANY, "list", NULL, (double)(now_ns() - began) * 1e-9, err);
}

/* Create or remove the streams that are listed. */
static int many(const struct suite *suite, bool create)
{
	struct bstream_options options = small_options();
	char name[64];
	int err = 0;

	for (unsigned i = 0; i < suite->settings.n_streams && !err; i++) {
		snprintf(name, sizeof(name), "bench-list-%05u", i);
		err = create ? bstream_create(name, &options) : bstream_remove(name);
	}
	return err;
}

/* ---- a crowd ---- */

static unsigned crowd_streams, crowd_turn;

/* Mostly questions about streams that are there; one in ten makes one and removes it. */
static int crowd_ask(unsigned client, unsigned nth)
{
	struct bstream_options options = small_options();
	struct bstream_stat stat = { .size = sizeof(stat) };
	char name[64];
	int err;

	if (nth % 10 != client % 10) {
		snprintf(name, sizeof(name), "bench-list-%05u",
			 (client * 7919u + nth * 104729u) % crowd_streams);
		return bstream_stat(name, &stat);
	}
	/* Not the name of a turn before: of one that gave up there the broker may have made it since. */
	snprintf(name, sizeof(name), "bench-crowd-%u-%u", crowd_turn, client);
	err = bstream_create(name, &options);
	return err ? err : bstream_remove(name);
}

/* Bytes of memory that the broker has; 0: not to be known. */
static long broker_memory(void)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };
	char path[64];
	long pages = 0;
	FILE *f;

	if (bstream_broker_stat(&stat) < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)stat.pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static int measure_crowd(const struct turn *t, const char *name, unsigned n, int at_once)
{
	static struct crowd_result result;
	long before = broker_memory(), after;

	crowd_turn++;
	int err = crowd_run(&result, n, at_once, crowd_ask);

	after = broker_memory();
	if (err == 0)
		err = result.err;
	if (err == 0 && t->round > 0 && after - before > GROWN_MAX)
		err = -ENOMEM;
	if (!t->suite->settings.quiet)
		fprintf(stderr, "broker: %ld kB before, %ld kB after\n", before >> 10, after >> 10);
	return keep(t, ASKS_CROWD, name, &result.hist,
		    (double)result.slowest * round_ns_per_tick() * 1e-9, err);
}

static int measure_crowds(struct turn *t)
{
	int err = 0;

	crowd_streams = t->suite->settings.n_streams;
	for (t->round = 0; t->round < t->suite->settings.rounds && !err; t->round++) {
		err = measure_crowd(t, "100000 a minute", ASKED, 0);
		if (!err)
			err = measure_crowd(t, "all at once", 1, 1);
	}
	return err;
}

static int broker_measure(struct suite *suite, bool system)
{
	struct turn t = { .suite = suite, .system = system };
	int err = 0, made;

	for (t.round = 0; t.round < suite->settings.rounds && !err; t.round++) {
		err = measure_trips(&t);
		if (!err)
			err = measure_pages(&t);
		if (!err)
			err = measure_sequences(&t, false);
		if (!err)
			err = measure_sequences(&t, true);
	}
	made = err ? err : many(suite, true);
	if (made)
		return keep(&t, ASKS_ANY, "list", NULL, 0, made);
	for (t.round = 0; t.round < suite->settings.rounds && !err; t.round++)
		err = measure_list(&t);
	if (!err)
		err = measure_crowds(&t);
	many(suite, false);
	return err;
}

static int broker_run(struct suite *suite)
{
	int err = broker_measure(suite, false), started;

	if (err)
		return err;
	started = programs_system_start();
	if (started < 0) {
		fprintf(stderr, "bstreamd --system has no result here: %s\n", strerror(-started));
		suite->no_broker = true;
		return 0;
	}
	err = broker_measure(suite, true);
	programs_system_stop();
	return err;
}

const struct kase case_broker = {
	.letter = 'H',
	.title = "the broker",
	.metrics = { METRIC_P50, METRIC_P99, METRIC_SECONDS },
	.n_metrics = 3,
	.needs_broker = true,
	.run = broker_run,
};
