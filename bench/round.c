/* SPDX-License-Identifier: MIT */
/*
 * round.c - forks the parties of a round, moves its phases on, and adds up what they noted.
 *
 * Each round has a process of its own, the host, so that no transport finds anything left from the
 * round before (libraries read their environment once, and keep threads). It opens the channels,
 * forks the parties and sleeps while they work. It owns the channels, the shared notes and the
 * children: whatever happens, no child outlives its round. A party that hangs is killed, and its
 * round has failed.
 */
#include "bench/round.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/idle.h"
#include "bench/load.h"
#include "bench/mapping.h"
#include "bench/party.h"

#define CHANNELS_MAX   16u
#define ATTACH_NS      UINT64_C(20000000000)
#define FINISH_NS      UINT64_C(20000000000)
#define LOOK_NS	       200000u
#define MEASURE_GAP_NS 1000000u

struct stage { /* a round while it runs */
	const struct plan *plan;
	struct round *round;
	struct channel channel[CHANNELS_MAX];
	unsigned n_channels;
	pid_t pid[SEAT_PARTIES_MAX];
	bool reads[SEAT_PARTIES_MAX];
	unsigned n_parties;
	struct load load_from, load_to;
	struct idle idle_from, idle_to;
};

static unsigned next_channel_id;

double round_ns_per_tick(void)
{
	static double ns;

	if (ns == 0) {
		uint64_t wall = now_ns(), tick = ticks();

		sleep_ns(50000000);
		ns = (double)(now_ns() - wall) / (double)(ticks() - tick);
	}
	return ns;
}

/* What ticks() and histogram_add() take, in ticks: the least of a few tries. */
static uint64_t tick_cost(struct histogram *scratch)
{
	enum { N = 2000 };
	uint64_t best = UINT64_MAX;

	for (unsigned try = 0; try < 8; try++) {
		uint64_t began = ticks(), before = began;

		for (unsigned i = 0; i < N; i++) {
			uint64_t now = ticks();

			histogram_add(scratch, now - before);
			before = now;
		}
		if ((before - began) / N < best)
			best = (before - began) / N;
	}
	memset(scratch, 0, sizeof(*scratch));
	return best;
}

/* ---- setting up ---- */

static int stage_open_channels(struct stage *st)
{
	const struct plan *p = st->plan;
	bool two = p->shape == SHAPE_TRIP && !(p->transport->traits & TRANSPORT_BOTH_WAYS);
	unsigned n = two ? 2 : p->n_pairs;

	if (n > CHANNELS_MAX)
		return -EOPNOTSUPP;
	for (; st->n_channels < n; st->n_channels++) {
		struct channel *c = &st->channel[st->n_channels];
		int err;

		c->transport = p->transport;
		c->len = p->len;
		c->n_writers = p->n_writers;
		c->n_channels = n;
		c->spin = p->spin;
		c->never_spin = p->never_spin;
		c->id = ++next_channel_id;
		err = p->transport->open(c);
		if (err)
			return err;
	}
	return 0;
}

static int stage_fork(struct stage *st, const struct role *role)
{
	struct party *me = &st->round->party[st->n_parties];
	pid_t pid;

	if (st->n_parties == SEAT_PARTIES_MAX)
		return -EOPNOTSUPP;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		party_run(st->plan, st->round, me, role);
	st->reads[st->n_parties] = !role->writes;
	st->pid[st->n_parties++] = pid;
	return 0;
}

static int stage_fork_pair(struct stage *st, struct channel *there)
{
	struct role role = { .there = there };
	int err;

	role.reader = &st->round->party[st->n_parties];
	err = stage_fork(st, &role);
	role.writes = true;
	for (; !err && role.writer < st->plan->n_writers; role.writer++)
		err = stage_fork(st, &role);
	return err;
}

static int stage_init(struct stage *st, const struct plan *plan)
{
	int err;

	memset(st, 0, sizeof(*st));
	st->plan = plan;
	st->round = mapping_new(sizeof(*st->round));
	if (!st->round)
		return -ENOMEM;
	st->round->len = plan->len;
	st->round->n_writers = plan->n_writers;
	st->round->burst = plan->burst;
	st->round->pause_ns = plan->pause_ns;
	st->round->full_check = plan->full_check;
	if (plan->shape == SHAPE_TRIP)
		st->round->tick_cost = tick_cost(&st->round->party[0].hist[0]);
	err = stage_open_channels(st);
	for (unsigned i = 0; !err && i < plan->n_pairs; i++)
		err = stage_fork_pair(st, &st->channel[i]);
	return err;
}

static void stage_fini(struct stage *st)
{
	for (unsigned i = 0; i < st->n_parties; i++) {
		kill(st->pid[i], SIGKILL); /* a party that is done is a zombie until here */
		while (waitpid(st->pid[i], NULL, 0) < 0 && errno == EINTR)
			;
	}
	while (st->n_channels > 0) {
		struct channel *c = &st->channel[--st->n_channels];

		c->transport->close(c);
	}
	mapping_free(st->round, sizeof(*st->round));
}

/* ---- running ---- */

/* Wait until all parties are in @state or beyond; false: one failed, died or hangs. */
static bool stage_await(struct stage *st, uint32_t state, uint64_t patience_ns)
{
	uint64_t deadline_ns = now_ns() + patience_ns;

	for (unsigned i = 0; i < st->n_parties; i++) {
		struct party *p = &st->round->party[i];

		for (;;) {
			uint32_t now = party_state(p);
			siginfo_t info = { 0 };

			if (now == PARTY_FAILED)
				return false;
			if (now >= state)
				break;
			waitid(P_PID, (id_t)st->pid[i], &info, WEXITED | WNOHANG | WNOWAIT);
			if ((info.si_pid != 0 && party_state(p) < state) || now_ns() > deadline_ns)
				return false;
			sleep_ns(LOOK_NS);
		}
	}
	return true;
}

/* Wait for a writer's or reader's leave(): it has until @patience_ns to exit by itself. */
static void stage_let_go(struct stage *st, uint64_t patience_ns)
{
	uint64_t deadline_ns = now_ns() + patience_ns;

	for (unsigned i = 0; i < st->n_parties; i++) {
		siginfo_t info = { 0 };

		while (info.si_pid == 0 && now_ns() < deadline_ns) {
			if (waitid(P_PID, (id_t)st->pid[i], &info, WEXITED | WNOHANG | WNOWAIT) < 0)
				break;
			if (info.si_pid == 0)
				sleep_ns(LOOK_NS);
		}
	}
}

static bool stage_run(struct stage *st)
{
	const struct plan *p = st->plan;
	bool good;

	if (!stage_await(st, PARTY_READY, ATTACH_NS))
		return false;
	party_phase_set(st->round, PHASE_WARM);
	sleep_ns(p->warm_ns);
	party_phase_set(st->round, PHASE_MEASURE);
	sleep_ns(MEASURE_GAP_NS); /* that call woke whoever waits for the end of an idle round */
	load_read(&st->load_from);
	idle_read(&st->idle_from, st->pid, st->n_parties);
	sleep_ns(p->measure_ns);
	idle_read(&st->idle_to, st->pid, st->n_parties);
	load_read(&st->load_to);
	party_phase_set(st->round, PHASE_STOP);
	good = stage_await(st, PARTY_DONE, FINISH_NS);
	if (good)
		stage_let_go(st, FINISH_NS);
	return good;
}

/* ---- adding up ---- */

static double share_of_least(const struct stage *st, const struct party *reader)
{
	uint64_t least = UINT64_MAX, sum = 0;

	for (unsigned w = 0; w < st->plan->n_writers; w++) {
		uint64_t n = reader->to.n_from[w] - reader->from.n_from[w];

		sum += n;
		least = n < least ? n : least;
	}
	return sum ? (double)least * st->plan->n_writers / (double)sum : 0;
}

static void sum_rates(const struct stage *st, struct sample *s)
{
	double cpu = 0, sleeps = 0, preempted = 0, rate = 0, n = 0, share = 1;

	for (unsigned i = 0; i < st->n_parties; i++) {
		const struct party *p = &st->round->party[i];
		double wall = (double)(p->to.wall_ns - p->from.wall_ns);

		cpu += (double)(p->to.cpu_ns - p->from.cpu_ns);
		sleeps += (double)(p->to.sleeps - p->from.sleeps);
		preempted += (double)(p->to.preempted - p->from.preempted);
		if (!st->reads[i])
			continue;
		n += (double)(p->to.n_chunks - p->from.n_chunks);
		rate += wall > 0 ? (double)(p->to.n_chunks - p->from.n_chunks) / wall * 1e9 : 0;
		share = fmin(share, share_of_least(st, p));
	}
	s->value[METRIC_RATE] = rate;
	s->value[METRIC_BYTES] = rate * (double)st->plan->len;
	s->value[METRIC_PREEMPTED] = preempted / ((double)st->plan->measure_ns * 1e-9);
	if (n == 0) {
		s->verdict = VERDICT_EMPTY;
	} else {
		s->value[METRIC_CPU] = cpu / n;
		s->value[METRIC_CPU_BYTE] = cpu / n / (double)st->plan->len;
		s->value[METRIC_SLEEPS] = sleeps / n;
	}
	if (st->plan->n_writers > 1)
		s->value[METRIC_SHARE] = share;
}

static void sum_times(const struct stage *st, struct sample *s)
{
	bool trip = st->plan->shape == SHAPE_TRIP;
	double ns = round_ns_per_tick();
	const struct party *reader = &st->round->party[0], *writer = &st->round->party[1];
	const struct histogram *h = trip ? &writer->hist[HIST_TRIP] : &reader->hist[HIST_WAKE];

	if (h->n == 0)
		s->verdict = VERDICT_EMPTY;
	s->value[METRIC_P50] = histogram_quantile(h, 0.5) * ns;
	s->value[METRIC_P99] = histogram_quantile(h, 0.99) * ns;
	s->value[METRIC_P999] = histogram_quantile(h, 0.999) * ns;
	if (trip)
		return;
	if (writer->hist[HIST_WAKER].n > 0)
		s->value[METRIC_WAKER] = histogram_quantile(&writer->hist[HIST_WAKER], 0.5) * ns;
	if (reader->hist[HIST_BURST].n > 0)
		s->value[METRIC_BURST] = histogram_quantile(&reader->hist[HIST_BURST], 0.5) * ns;
}

static void sum_idle(const struct stage *st, struct sample *s)
{
	double wall = (double)(st->idle_to.wall_ns - st->idle_from.wall_ns) * 1e-9;

	s->value[METRIC_WAKEUPS] = (double)(st->idle_to.sleeps - st->idle_from.sleeps) / wall;
	s->value[METRIC_CPU_SECOND] =
		(double)(st->idle_to.cpu_ns - st->idle_from.cpu_ns) * 1e-3 / wall;
}

static void sum_up(const struct stage *st, struct sample *s)
{
	uint64_t own_ns = st->idle_to.cpu_ns - st->idle_from.cpu_ns;

	switch (st->plan->shape) {
	case SHAPE_IDLE_EMPTY:
	case SHAPE_IDLE_FULL:
		sum_idle(st, s);
		break;
	case SHAPE_TRIP:
	case SHAPE_BURSTS:
		sum_times(st, s);
		sum_rates(st, s);
		break;
	case SHAPE_ONE_WAY:
		sum_rates(st, s);
		break;
	}
	s->value[METRIC_FOREIGN] = load_foreign(&st->load_from, &st->load_to, own_ns);
	if (s->verdict == VERDICT_GOOD && s->value[METRIC_FOREIGN] > st->plan->foreign_max)
		s->verdict = VERDICT_LOADED;
}

static void explain(const struct stage *st, struct sample *s)
{
	s->verdict = VERDICT_FAILED;
	snprintf(s->reason, sizeof(s->reason), "a party hangs or died");
	for (unsigned i = 0; i < st->n_parties; i++)
		if (st->round->party[i].failure[0])
			snprintf(s->reason, sizeof(s->reason), "%s", st->round->party[i].failure);
}

/* The round itself, in the host. */
static int host_run(const struct plan *plan, struct sample *s)
{
	struct stage st;
	int err = stage_init(&st, plan);

	if (!err) {
		if (stage_run(&st))
			sum_up(&st, s);
		else
			explain(&st, s);
	}
	stage_fini(&st);
	if (err == -EOPNOTSUPP)
		return 0;
	return err ? err : 1;
}

struct host_note { /* what the host leaves for us */
	struct sample sample;
	bool whole;
	int result;
};

int round_run(const struct plan *plan, struct sample *s)
{
	struct host_note *note = mapping_new(sizeof(*note));
	int result;
	pid_t pid;

	if (!note)
		return -ENOMEM;
	note->sample = *s;
	round_ns_per_tick();
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		note->result = host_run(plan, &note->sample);
		note->whole = true;
		_exit(0);
	}
	result = pid < 0 ? -errno : 1;
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && note->whole) {
		result = note->result;
		*s = note->sample;
	} else if (pid > 0) {
		s->verdict = VERDICT_FAILED;
		snprintf(s->reason, sizeof(s->reason), "the process that held the round died");
	}
	mapping_free(note, sizeof(*note));
	return result;
}
