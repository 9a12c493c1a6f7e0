/* SPDX-License-Identifier: MIT */
/*
 * trial.c - owns the processes of one run of bench, and what makes its figures true.
 *
 * Each side is a process of its own, forked for this run and gone after it; they share one page, in
 * which they meet, begin together and leave what they found. A chunk carries its number and its
 * writer's at both of its ends; the reader checks them, that each writer's come in order, and that
 * as many came as were written. A child that fails leaves the first reason there; one that dies or
 * hangs (each has an alarm clock) is a failure too. Nobody is pinned to a CPU. verb_bench.c calls it.
 */
#include "config.h"
#include "lane.h"
#include "outcome.h"
#include "say.h"
#include "trial.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PARTIES_MAX  (LANE_WRITERS_MAX + 1)
#define PATIENCE_S   30 /* over the time of the run: then something hangs */
#define NS_PER_S     INT64_C(1000000000)
#define WRITER_SHIFT 48 /* of the writer in a chunk's number */
#define SAMPLES_MAX  (1u << 20)
#define WARM_TRIPS   64 /* of many, the first are not counted */

/* In memory that all processes of the run share. */
struct meeting {
	sem_t ready, go;
	_Atomic bool stop;
	_Atomic int err; /* the first, negative */
	_Atomic uint64_t sent, cpu_ns, sleeps;
	uint64_t wrong; /* the number of the first wrong chunk */
	struct trial_figures figures; /* what the one that measures found */
};

struct trial {
	const struct trial_plan *plan;
	struct meeting *meeting;
	struct lane lanes[2]; /* there, and back */
	unsigned n_lanes, n_parties;
	pid_t parties[PARTIES_MAX];
};

typedef int (*party_fn)(struct trial *trial, unsigned k, void *chunk);

/* ---- the chunks ----------------------------------------------------------------------------- */

/* In one that is too short for both its numbers, the first lies over the last. */
static void chunk_mark(void *chunk, size_t size, uint64_t number)
{
	memcpy((char *)chunk + size - sizeof(number), &number, sizeof(number));
	memcpy(chunk, &number, sizeof(number));
}

static bool chunk_is(const void *chunk, size_t size, uint64_t number)
{
	uint64_t first, last;

	memcpy(&first, chunk, sizeof(first));
	memcpy(&last, (const char *)chunk + size - sizeof(last), sizeof(last));
	return first == number && (last == number || size < 2 * sizeof(number));
}

/* Is it the next of its writer? Then counts it. */
static bool chunk_follows(const void *chunk, size_t size, uint64_t *next, unsigned n_writers)
{
	uint64_t number;
	unsigned k;

	memcpy(&number, chunk, sizeof(number));
	k = (unsigned)(number >> WRITER_SHIFT);
	if (k >= n_writers || !chunk_is(chunk, size, next[k]))
		return false;
	next[k]++;
	return true;
}

/* ---- what the children do ------------------------------------------------------------------- */

/* The common beginning of all parties: measured is what comes behind it. */
static void party_begin(struct meeting *meeting)
{
	sem_post(&meeting->ready);
	while (sem_wait(&meeting->go) < 0)
		;
}

static int writer_play(struct trial *trial, unsigned k, void *chunk)
{
	struct meeting *meeting = trial->meeting;
	struct lane *lane = &trial->lanes[0];
	uint64_t sent = 0, base = (uint64_t)k << WRITER_SHIFT;
	int r = lane_attach(lane, k);

	lane_close_fds(lane);
	if (r < 0)
		return r;
	party_begin(meeting);
	do { /* one at least: on a busy machine the time may be over before a writer has the CPU */
		chunk_mark(chunk, lane->size, base + sent);
		r = lane->ops->write(lane, chunk);
		sent += r == 0;
	} while (r == 0 && !atomic_load_explicit(&meeting->stop, memory_order_relaxed));
	atomic_fetch_add(&meeting->sent, sent);
	if (r == 0)
		lane->ops->leave(lane);
	return r;
}

static int reader_play(struct trial *trial, void *chunk)
{
	struct meeting *meeting = trial->meeting;
	struct lane *lane = &trial->lanes[0];
	uint64_t began, next[LANE_WRITERS_MAX], n = 0;
	int r = lane_attach(lane, LANE_READER);

	lane_close_fds(lane);
	if (r < 0)
		return r;
	for (unsigned k = 0; k < lane->n_writers; k++)
		next[k] = (uint64_t)k << WRITER_SHIFT;
	party_begin(meeting);
	began = units_now();
	for (; (r = lane->ops->read(lane, chunk)) == 1; n++) {
		if (!chunk_follows(chunk, lane->size, next, lane->n_writers)) {
			meeting->wrong = n;
			return -EBADMSG;
		}
	}
	meeting->figures.ns = units_now() - began;
	meeting->figures.chunks = n;
	return r;
}

static int one_way_play(struct trial *trial, unsigned k, void *chunk)
{
	return k == 0 ? reader_play(trial, chunk) : writer_play(trial, k - 1, chunk);
}

static int compare_ns(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

/* Sorts the times and tells what is in the middle and near the end of them. */
static void samples_tell(uint32_t *samples, size_t n, struct trial_figures *figures)
{
	size_t skip = n > 4 * (size_t)WARM_TRIPS ? WARM_TRIPS : 0;

	figures->chunks = n;
	if (n == 0)
		return;
	samples += skip;
	n -= skip;
	qsort(samples, n, sizeof(*samples), compare_ns);
	figures->p50_ns = samples[n / 2];
	figures->p99_ns = samples[n - 1 - n / 100];
}

/* Sends and waits until the time is over. Returns how many trips, or -errno. */
static ssize_t trips_make(struct trial *trial, void *chunk, uint32_t *samples)
{
	struct lane *there = &trial->lanes[0], *back = &trial->lanes[1];
	uint64_t began = units_now(), sent_at = began, now;
	size_t n = 0;

	do {
		int r;

		chunk_mark(chunk, there->size, n);
		r = there->ops->write(there, chunk);
		if (r == 0)
			r = back->ops->read(back, chunk);
		if (r != 1 || !chunk_is(chunk, back->size, n)) {
			trial->meeting->wrong = n;
			return r < 0 ? r : -EBADMSG;
		}
		now = units_now();
		samples[n++] = now - sent_at < UINT32_MAX ? (uint32_t)(now - sent_at) : UINT32_MAX;
		sent_at = now;
	} while (n < SAMPLES_MAX && sent_at - began < (uint64_t)trial->plan->ns);
	trial->meeting->figures.ns = sent_at - began;
	return (ssize_t)n;
}

static int sender_play(struct trial *trial, void *chunk)
{
	struct lane *there = &trial->lanes[0], *back = &trial->lanes[1];
	uint32_t *samples = malloc(SAMPLES_MAX * sizeof(*samples));
	ssize_t n = samples ? 0 : -ENOMEM;

	if (n == 0)
		n = lane_attach(there, 0);
	if (n == 0)
		n = lane_attach(back, LANE_READER);
	lane_close_fds(there);
	lane_close_fds(back);
	if (n == 0) {
		party_begin(trial->meeting);
		n = trips_make(trial, chunk, samples);
	}
	if (n >= 0) {
		there->ops->leave(there);
		samples_tell(samples, (size_t)n, &trial->meeting->figures);
		atomic_store(&trial->meeting->sent, (uint64_t)n);
	}
	free(samples);
	return n < 0 ? (int)n : 0;
}

static int echo_play(struct trial *trial, void *chunk)
{
	struct lane *there = &trial->lanes[0], *back = &trial->lanes[1];
	int r = lane_attach(there, LANE_READER);

	if (r == 0)
		r = lane_attach(back, 0);
	lane_close_fds(there);
	lane_close_fds(back);
	if (r < 0)
		return r;
	party_begin(trial->meeting);
	while ((r = there->ops->read(there, chunk)) == 1 && r > 0) {
		r = back->ops->write(back, chunk);
		if (r < 0)
			return r;
	}
	if (r == 0)
		back->ops->leave(back);
	return r;
}

static int round_trip_play(struct trial *trial, unsigned k, void *chunk)
{
	return k == 0 ? sender_play(trial, chunk) : echo_play(trial, chunk);
}

static void usage_add(struct meeting *meeting)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	atomic_fetch_add(&meeting->cpu_ns,
			 (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * NS_PER_S +
				 (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000);
	atomic_fetch_add(&meeting->sleeps, (uint64_t)use.ru_nvcsw);
}

static void party_run(struct trial *trial, unsigned k, party_fn play, pid_t parent)
{
	unsigned patience = (unsigned)(trial->plan->ns / NS_PER_S) + PATIENCE_S;
	void *chunk = calloc(1, trial->plan->size);
	int none = 0, r;

	/* Whoever measures for nobody should not go on. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, SIG_DFL);
	alarm(patience);
	r = chunk ? play(trial, k, chunk) : -ENOMEM;
	usage_add(trial->meeting);
	if (r < 0)
		atomic_compare_exchange_strong(&trial->meeting->err, &none, r);
	_exit(r < 0);
}

/* ---- what their parent does ----------------------------------------------------------------- */

/* The first thing that failed counts; that others found a peer gone is what follows from it. */
static int parties_wait(struct trial *trial, bool kill_them)
{
	int r = 0;

	for (unsigned k = 0; kill_them && k < trial->n_parties; k++)
		kill(trial->parties[k], SIGKILL);
	for (unsigned k = 0; k < trial->n_parties; k++) {
		int status = 0;

		while (waitpid(trial->parties[k], &status, 0) < 0 && errno == EINTR)
			;
		if (!WIFEXITED(status))
			r = -ECHILD;
		else if (WEXITSTATUS(status) && r == 0)
			r = atomic_load(&trial->meeting->err);
	}
	return r;
}

static int parties_fork(struct trial *trial, unsigned n, party_fn play)
{
	pid_t parent = getpid();

	for (unsigned k = 0; k < n; k++) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (pid == 0)
			party_run(trial, k, play, parent);
		trial->parties[trial->n_parties++] = pid;
	}
	for (unsigned i = 0; i < trial->n_lanes; i++)
		lane_close_fds(&trial->lanes[i]);
	return 0;
}

/* Waits until all have attached, says go, and lets them run for the time. */
static int parties_time(struct trial *trial)
{
	struct timespec until, pause = { .tv_sec = trial->plan->ns / NS_PER_S,
					 .tv_nsec = trial->plan->ns % NS_PER_S };

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	for (unsigned k = 0; k < trial->n_parties; k++) {
		while (sem_timedwait(&trial->meeting->ready, &until) < 0)
			if (errno != EINTR)
				return -errno;
		if (atomic_load(&trial->meeting->err))
			return -ECHILD;
	}
	for (unsigned k = 0; k < trial->n_parties; k++)
		sem_post(&trial->meeting->go);
	while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
	atomic_store(&trial->meeting->stop, true);
	return 0;
}

static int parties_run(struct trial *trial, unsigned n, party_fn play)
{
	struct meeting *meeting = trial->meeting;
	int waited, r;

	r = parties_fork(trial, n, play);
	if (r == 0)
		r = parties_time(trial);
	waited = parties_wait(trial, r < 0);
	if (r == 0)
		r = waited;
	else if (atomic_load(&meeting->err))
		r = atomic_load(&meeting->err);
	if (r == 0 && (meeting->figures.chunks != meeting->sent || meeting->sent == 0))
		r = -ENODATA;
	return r;
}

static int trial_fail(const struct trial *trial, int err)
{
	const char *name = trial->lanes[0].ops->name;

	switch (-err) {
	case EBADMSG:
		say_failure("bench", "%s: chunk %" PRIu64 " came wrong, so there are no figures",
			    name, trial->meeting->wrong);
		return CODE_FAILURE;
	case ENODATA:
		say_failure("bench",
			    "%s: %" PRIu64 " chunks were written and %" PRIu64
			    " came, so there are no figures",
			    name, atomic_load(&trial->meeting->sent),
			    trial->meeting->figures.chunks);
		return CODE_FAILURE;
	case ECHILD:
	case EPIPE:
	case ECONNRESET:
	case ETIMEDOUT:
		say_failure("bench", "%s: a process of the run died, so there are no figures",
			    name);
		return CODE_FAILURE;
	default:
		return outcome_fail(DOING_CREATE, "bench", err);
	}
}

/* Everything but the way itself: the meeting, the lanes, and their end. */
static int trial_run(struct trial *trial, unsigned n_parties, party_fn play,
		     struct trial_figures *figures)
{
	struct meeting *meeting = mmap(NULL, sizeof(*meeting), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned n_open = 0;
	int r = 0, code = CODE_DONE;

	if (meeting == MAP_FAILED)
		return outcome_fail(DOING_ANYTHING, "bench", -ENOMEM);
	trial->meeting = meeting;
	sem_init(&meeting->ready, 1, 0);
	sem_init(&meeting->go, 1, 0);
	for (; r == 0 && n_open < trial->n_lanes; n_open += r == 0)
		r = lane_open(&trial->lanes[n_open]);
	if (r == 0)
		r = parties_run(trial, n_parties, play);
	if (r < 0)
		code = trial_fail(trial, r);
	*figures = meeting->figures;
	figures->cpu_ns = meeting->cpu_ns;
	figures->sleeps = meeting->sleeps;
	while (n_open > 0)
		lane_close_fds(&trial->lanes[--n_open]);
	munmap(meeting, sizeof(*meeting));
	return code;
}

int trial_one_way(const struct lane_ops *ops, const struct trial_plan *plan,
		  struct trial_figures *figures)
{
	struct trial trial = { .plan = plan, .n_lanes = 1 };

	trial.lanes[0] = (struct lane){ .ops = ops,
					.size = plan->size,
					.capacity = plan->capacity,
					.n_writers = plan->n_writers };
	return trial_run(&trial, 1 + plan->n_writers, one_way_play, figures);
}

int trial_round_trip(const struct lane_ops *ops, const struct trial_plan *plan,
		     struct trial_figures *figures)
{
	struct trial trial = { .plan = plan, .n_lanes = 2 };

	for (unsigned i = 0; i < 2; i++)
		trial.lanes[i] = (struct lane){
			.ops = ops, .size = plan->size, .capacity = plan->capacity, .n_writers = 1
		};
	return trial_run(&trial, 2, round_trip_play, figures);
}
