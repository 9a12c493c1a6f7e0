/* SPDX-License-Identifier: MIT */
/*
 * check_races.c - many want one read end, by name: one gets it. And kept ends, whose owners and whose
 * broker are killed, in turn and together: the next goes on where the last one was.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/broker/raw.h"

#define N_RACERS 20

static void create(const char *name, uint32_t capacity, uint32_t keep)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = capacity;
	o.chunk_max = 64;
	o.keep = keep;
	GIVES(bstream_create(name, &o), 0);
}

static void write_number(struct bstream_writer *w, uint64_t n)
{
	GIVES(bstream_write(w, &n, sizeof(n), guard_patience()), 0);
}

/* The next chunk's number, not released. */
static uint64_t peek_number(struct bstream_reader *r)
{
	const void *chunk;
	uint64_t n;
	size_t len;

	GIVES(bstream_peek(r, &chunk, &len, guard_patience()), 1);
	GIVES(len, sizeof(n));
	memcpy(&n, chunk, sizeof(n));
	return n;
}

static _Noreturn void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* ---- rounds: all at once, and one has it until all have been answered ----------------------- */

enum act { ACT_PARK, ACT_CLOSE, ACT_DIE, N_ACTS };

struct race { /* shared by all processes */
	struct guard_gate start[N_RACERS];
	_Atomic unsigned n_reported, n_acted;
	_Atomic int act;
	_Atomic int result[N_RACERS];
	pid_t pids[N_RACERS]; /* the parent's */
};

static void racer_act(struct race *race, struct bstream_reader *r, unsigned round)
{
	int act = race->act;

	GIVES(peek_number(r), round);
	UNTIL(race->n_reported == N_RACERS);
	GIVES(bstream_release(r), 0);
	race->n_acted = 1;
	if (act == ACT_DIE)
		die();
	if (act == ACT_PARK)
		GIVES(bstream_reader_park(r), 0);
	else
		bstream_reader_close(r);
	race->n_acted = 2;
}

static _Noreturn void racer_run(struct race *race, unsigned slot, unsigned round)
{
	for (;; round++) {
		struct bstream_reader *r;

		guard_gate_pass(&race->start[slot]);
		int rc;

		do /* a broker's start has five seconds, and this machine may have other things to do */
			rc = bstream_open_reader("s", BSTREAM_DONT_WAIT, &r);
		while (rc == -ETIMEDOUT);
		race->result[slot] = rc;
		race->n_reported++;
		if (rc == 0)
			racer_act(race, r, round);
	}
}

static void racer_start(struct race *race, unsigned slot, unsigned round)
{
	pid_t pid = guard_fork();

	if (pid == 0)
		racer_run(race, slot, round);
	race->pids[slot] = pid;
}

static unsigned race_winner(struct race *race)
{
	unsigned winner = N_RACERS;

	for (unsigned i = 0; i < N_RACERS; i++) {
		if (race->result[i] == 0) {
			MUST(winner == N_RACERS); /* never two */
			winner = i;
		} else {
			GIVES(race->result[i], -EBUSY);
		}
	}
	MUST(winner < N_RACERS);
	return winner;
}

static void race_run(struct race *race, struct bstream_writer *w, unsigned round, bool kill_broker)
{
	write_number(w, round);
	race->n_reported = race->n_acted = 0;
	for (unsigned i = 0; i < N_RACERS; i++)
		guard_gate_open(&race->start[i]);
	if (kill_broker)
		raw_broker_kill();
	UNTIL(race->n_reported == N_RACERS);
	unsigned winner = race_winner(race);
	if (race->act != ACT_DIE) {
		UNTIL(race->n_acted == 2);
		return;
	}
	MUST(waitpid(race->pids[winner], NULL, 0) == race->pids[winner]);
	MUST(race->n_acted == 1);
	racer_start(race, winner, round + 1);
}

START_TEST(of_twenty_who_open_one_read_end_exactly_one_gets_it)
{
	struct race *race = guard_shared_new(sizeof(*race));
	unsigned n_rounds = 40 / guard_slowness();
	struct bstream_writer *w;

	for (unsigned i = 0; i < N_RACERS; i++)
		guard_gate_init(&race->start[i]);
	create("s", 4, _i == 0 ? 0 : BSTREAM_KEEP_READER);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	for (unsigned slot = 0; slot < N_RACERS; slot++)
		racer_start(race, slot, 1);
	for (unsigned round = 1; round <= n_rounds; round++) {
		race->act = _i == 0 ? ACT_PARK : (int)(round % N_ACTS);
		race_run(race, w, round, round % 4 == 0);
	}
	for (unsigned slot = 0; slot < N_RACERS; slot++)
		guard_kill(race->pids[slot]);
	bstream_writer_close(w);
	GIVES(bstream_remove("s"), 0);
	for (unsigned i = 0; i < N_RACERS; i++)
		guard_gate_fini(&race->start[i]);
	guard_shared_free(race, sizeof(*race));
}
END_TEST

/* ---- no rounds: whoever finds it free takes it ---------------------------------------------- */

struct melee {
	_Atomic uint64_t released; /* chunks */
	_Atomic unsigned owner; /* a life; 0: nobody's */
	_Atomic unsigned dead[N_RACERS]; /* the last life of each that is over, or about to be */
	unsigned life[N_RACERS]; /* that of each slot now: slot + 1, and N_RACERS more each time */
	pid_t pids[N_RACERS];
	uint64_t n_chunks;
};

/* The read end is ours: nobody else's who lives, and at the first chunk that was not released. Whoever
 * died between its release and its note of that left the note one behind. */
static void melee_own(struct melee *m, unsigned life, struct bstream_reader *r, uint64_t n)
{
	unsigned last = m->owner;

	MUST(last == 0 || m->dead[(last - 1) % N_RACERS] >= last);
	m->owner = life;
	for (uint64_t i = 0; i < n && m->released < m->n_chunks; i++) {
		GIVES(peek_number(r), m->released);
		MUST(m->owner == life);
		GIVES(bstream_release(r), 0);
		m->released++;
	}
	if (m->released < m->n_chunks && n % 2 == 0)
		peek_number(r); /* seen, not released */
}

static _Noreturn void melee_run(struct melee *m, unsigned slot, unsigned seed)
{
	const unsigned life = m->life[slot];

	for (unsigned turn = seed; m->released < m->n_chunks; turn = turn * 1103515245 + 12345) {
		struct bstream_reader *r;
		int rc = bstream_open_reader("s", BSTREAM_DONT_WAIT, &r);

		if (rc == -EBUSY || rc == -ETIMEDOUT) {
			poll(NULL, 0, 1); /* somebody has it */
			continue;
		}
		GIVES(rc, 0);
		melee_own(m, life, r, turn >> 16 & 7);
		if ((turn >> 20 & 3) == 0) {
			m->dead[slot] = life;
			die();
		}
		m->owner = 0;
		if ((turn >> 20 & 1) != 0)
			GIVES(bstream_reader_park(r), 0);
		else
			bstream_reader_close(r);
	}
	_exit(0);
}

static void melee_start(struct melee *m, unsigned slot, unsigned seed)
{
	m->life[slot] += m->life[slot] == 0 ? slot + 1 : N_RACERS;
	pid_t pid = guard_fork();
	if (pid == 0)
		melee_run(m, slot, seed * N_RACERS + slot + 1);
	m->pids[slot] = pid;
}

/* Replace the dead. Returns how many are still at it. */
static unsigned melee_tend(struct melee *m, unsigned seed)
{
	unsigned n = 0;

	for (unsigned slot = 0; slot < N_RACERS; slot++) {
		int status;

		if (m->pids[slot] == 0)
			continue;
		n++;
		if (waitpid(m->pids[slot], &status, WNOHANG) != m->pids[slot])
			continue;
		m->pids[slot] = 0;
		if (WIFEXITED(status)) {
			GIVES(WEXITSTATUS(status), 0);
			continue;
		}
		GIVES(WTERMSIG(status), SIGKILL);
		melee_start(m, slot, seed);
	}
	return n;
}

START_TEST(a_kept_read_end_goes_from_hand_to_hand_whoever_dies)
{
	struct melee *m = guard_shared_new(sizeof(*m));
	unsigned brokers = 0, seed = 1;
	struct bstream_writer *w;

	m->n_chunks = 1500 / guard_slowness();
	create("s", 8, BSTREAM_KEEP_READER);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	for (unsigned slot = 0; slot < N_RACERS; slot++)
		melee_start(m, slot, seed++);
	for (uint64_t n = 0; n < m->n_chunks; n++) {
		while (bstream_write(w, &n, sizeof(n), bstream_after_ms(5)) == -ETIMEDOUT)
			melee_tend(m, seed++);
		melee_tend(m, seed++);
		if (n * 8 / m->n_chunks > brokers) {
			brokers++;
			raw_broker_kill();
		}
	}
	UNTIL(melee_tend(m, seed++) == 0);
	GIVES(m->released, m->n_chunks);
	bstream_writer_close(w);
	GIVES(bstream_remove("s"), 0);
	guard_shared_free(m, sizeof(*m));
}
END_TEST

/* ---- kept ends, and who is killed ----------------------------------------------------------- */

enum victims { NOBODY, OWNER, BROKER, OWNER_THEN_BROKER, BROKER_THEN_OWNER, N_VICTIMS };

static void victims_kill(int victims, pid_t owner)
{
	if (victims == BROKER || victims == BROKER_THEN_OWNER)
		raw_broker_kill();
	if (victims != NOBODY && victims != BROKER)
		guard_kill(owner);
	if (victims == OWNER_THEN_BROKER)
		raw_broker_kill();
}

/* Take the read end, release @n chunks from number @from, look at one more, and wait. */
static pid_t keeper_start(struct guard_gate *gate, uint64_t from, uint64_t n)
{
	pid_t pid = guard_fork();

	if (pid != 0)
		return pid;
	struct bstream_reader *r;
	GIVES(bstream_open_reader("s", guard_patience(), &r), 0);
	for (uint64_t i = 0; i < n; i++) {
		GIVES(peek_number(r), from + i);
		GIVES(bstream_release(r), 0);
	}
	GIVES(peek_number(r), from + n);
	guard_gate_open(gate);
	for (;;)
		pause();
}

START_TEST(a_kept_read_end_survives_its_reader_its_broker_and_both)
{
	struct bstream_reader *r;
	struct bstream_writer *w;
	struct guard_gate gate;
	uint64_t next = 0;

	guard_gate_init(&gate);
	create("s", 4, BSTREAM_KEEP_READER);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	for (uint64_t n = 0; n < 4; n++)
		write_number(w, n);
	for (int victims = OWNER; victims < N_VICTIMS; victims++) {
		pid_t pid = keeper_start(&gate, next, 3);

		guard_gate_pass(&gate);
		GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), -EBUSY);
		victims_kill(victims, pid);
		next += 3;
		for (uint64_t n = next + 1; n < next + 4; n++)
			write_number(w, n); /* to nobody: they wait */
		if (victims == BROKER) {
			GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), -EBUSY);
			guard_kill(pid);
		}
		GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
		GIVES(peek_number(r), next);
		if (victims % 2 == 0)
			GIVES(bstream_reader_park(r), 0);
		else
			bstream_reader_close(r);
	}
	GIVES(bstream_remove("s"), 0); /* gives it up */
	GIVES(bstream_write(w, "x", 1, BSTREAM_DONT_WAIT), -EPIPE);
	bstream_writer_close(w);
	guard_gate_fini(&gate);
}
END_TEST

static pid_t writer_start(struct guard_gate *gate, uint64_t n)
{
	pid_t pid = guard_fork();

	if (pid != 0)
		return pid;
	struct bstream_writer *w;
	GIVES(bstream_open_writer("s", guard_patience(), &w), 0);
	write_number(w, n);
	guard_gate_open(gate);
	for (;;)
		pause();
}

START_TEST(kept_writers_survive_the_last_of_them_the_broker_and_both)
{
	struct bstream_reader *r;
	struct guard_gate gate;

	guard_gate_init(&gate);
	create("s", 4, BSTREAM_KEEP_WRITERS);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	for (int victims = NOBODY; victims < N_VICTIMS; victims++) {
		pid_t pid = writer_start(&gate, (uint64_t)victims);

		guard_gate_pass(&gate);
		victims_kill(victims, pid);
		if (victims == NOBODY || victims == BROKER)
			guard_kill(pid);
		GIVES(peek_number(r), (uint64_t)victims);
		GIVES(bstream_release(r), 0);
		GIVES(guard_read(r, bstream_after_ms(20)), -ETIMEDOUT); /* and no end */
	}
	if (_i == 0)
		GIVES(bstream_eof("s"), 0);
	else
		GIVES(bstream_remove("s"), 0);
	GIVES(guard_read(r, guard_patience()), -ECONNRESET); /* with the truth about them */
	bstream_reader_close(r);
	UNTIL(bstream_wait("s", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT) == -ENOENT);
	guard_gate_fini(&gate);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		N_WAYS(of_twenty_who_open_one_read_end_exactly_one_gets_it, 2),
		ONCE(a_kept_read_end_goes_from_hand_to_hand_whoever_dies),
		ONCE(a_kept_read_end_survives_its_reader_its_broker_and_both),
		N_WAYS(kept_writers_survive_the_last_of_them_the_broker_and_both, 2),
	};

	guard_need_broker();
	return GUARD_RUN("races", cases);
}
