/* SPDX-License-Identifier: MIT */
/*
 * party.c - what a child of a round does.
 *
 * A writer does not leave before its reader has read everything: some transports throw away what
 * they hold when their socket closes.
 */
#include "bench/party.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/clock.h"

#define LOOK_NS 500000u

void party_phase_set(struct round *r, uint32_t phase)
{
	/* Pairs with phase_wait(): what was set up before is seen by who leaves it. */
	atomic_store_explicit(&r->phase, phase, memory_order_release);
	syscall(SYS_futex, &r->phase, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static void phase_wait(struct round *r, uint32_t least)
{
	uint32_t seen;

	/* Pairs with party_phase_set(). */
	while ((seen = atomic_load_explicit(&r->phase, memory_order_acquire)) < least)
		syscall(SYS_futex, &r->phase, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static void state_set(struct party *p, uint32_t state)
{
	/* Pairs with party_state(). */
	atomic_store_explicit(&p->state, state, memory_order_release);
}

uint32_t party_state(struct party *p)
{
	/* Pairs with state_set(). */
	return atomic_load_explicit(&p->state, memory_order_acquire);
}

/* Writers on CPU 0, readers on CPU 1: those of bench's figures. */
static void pin(unsigned cpu)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % (unsigned)(cpus > 0 ? cpus : 1), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int attach(struct seat *s, const struct role *role, bool both)
{
	const struct transport *t = role->there->transport;
	struct channel *back = role->there + 1;
	void **first = role->writes ? &s->out : &s->in;
	void **second = role->writes ? &s->in : &s->out;
	int err;

	err = role->writes ? t->attach_writer(role->there, role->writer, first)
			   : t->attach_reader(role->there, first);
	if (err || !both)
		return err;
	if (t->traits & TRANSPORT_BOTH_WAYS) {
		*second = *first;
		return 0;
	}
	return role->writes ? t->attach_reader(back, second) : t->attach_writer(back, 0, second);
}

static int work(struct seat *s, const struct plan *plan, const struct role *role)
{
	const struct transport *t = plan->transport;

	switch (plan->shape) {
	case SHAPE_TRIP:
		return role->writes ? t->ping(s) : t->pong(s);
	case SHAPE_BURSTS:
		return role->writes ? t->send_bursts(s) : t->receive_bursts(s);
	case SHAPE_IDLE_EMPTY:
		if (role->writes)
			phase_wait(s->round, PHASE_STOP);
		break;
	case SHAPE_IDLE_FULL:
		if (!role->writes)
			phase_wait(s->round, PHASE_STOP);
		break;
	case SHAPE_ONE_WAY:
		break;
	}
	return role->writes ? t->send(s) : t->receive(s);
}

/* A party that was blocked when the measuring stopped has no second snapshot yet. */
static void finish(struct seat *s)
{
	if (s->phase < PHASE_STOP)
		seat_on_phase(s, seat_phase(s), s->me->from.n_chunks);
}

_Noreturn void party_run(const struct plan *plan, struct round *r, struct party *me,
			 const struct role *role)
{
	const struct transport *t = plan->transport;
	struct seat s;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (plan->placement == PLACED_PINNED)
		pin(role->writes ? 0 : 1);
	err = seat_init(&s, r, me, role->writer);
	if (!err) {
		err = attach(&s, role, plan->shape == SHAPE_TRIP);
		if (err)
			seat_fail(&s, "attach", err);
	}
	if (!err) {
		state_set(me, PARTY_READY);
		phase_wait(r, PHASE_WARM);
		err = work(&s, plan, role);
		finish(&s);
	}
	state_set(me, err ? PARTY_FAILED : PARTY_DONE);
	while (!err && role->writes && party_state(role->reader) < PARTY_DONE)
		sleep_ns(LOOK_NS);
	if (t->leave && s.out)
		t->leave(s.out);
	if (t->leave && s.in && s.in != s.out)
		t->leave(s.in);
	fflush(NULL);
	_exit(err ? 1 : 0);
}
