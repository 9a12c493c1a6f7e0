/* SPDX-License-Identifier: MIT */
/*
 * check_moments.c - one does something at every instruction of what the other does, and both live. And
 * the moments in which a thread may fork: where a descriptor is there and not yet known, or known no
 * more and still there.
 *
 * A call is stepped to its k-th instruction, stops; the test acts; the call goes on to its end, and its
 * result must be one that either order of the two allows. For every k with BSTREAM_LONG, else for some.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/handle.h"
#include "tests/crash/trace.h"
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

/* ---- sweeps --------------------------------------------------------------------------------- */

struct sweep {
	void (*set)(void);
	int (*detach)(void); /* the end that the stepped process gets, or NULL */
	void (*attach)(int fd); /* there, before the first step */
	int (*act)(void); /* what is stepped: its negated result, 0 to 255 */
	void (*event)(void);
	void (*judge)(int result);
	unsigned long last_calls; /* only what follows the last so many system calls is stepped */
	unsigned long k_max;
};

static pid_t sweep_start(const struct sweep *s)
{
	s->set();
	int fd = s->detach != NULL ? s->detach() : -1;
	pid_t pid = trace_fork();
	MUST(pid >= 0);
	if (pid == 0) {
		if (fd >= 0)
			s->attach(fd);
		trace_ready();
		_exit(s->act());
	}
	if (fd >= 0)
		close(fd);
	GIVES(trace_await(pid), 0);
	return pid;
}

#define STEPS_SHORT 250000ul /* of one sweep, in all, without BSTREAM_LONG */

/* The act's own length, in steps behind those system calls, and not beyond k_max. */
static unsigned long sweep_length(const struct sweep *s, unsigned long calls)
{
	bool ended;
	pid_t pid = sweep_start(s);
	unsigned long n;

	trace_syscalls(pid, calls, &ended, NULL);
	n = trace_step(pid, s->k_max, &ended, NULL);
	s->event();
	if (!ended)
		trace_let_go(pid);
	close_all();
	return n;
}

/* How many system calls to run through before the first step. */
static unsigned long sweep_calls(const struct sweep *s)
{
	bool ended;

	if (s->last_calls == 0)
		return 0;
	pid_t pid = sweep_start(s);
	unsigned long n = trace_syscalls(pid, -1ul, &ended, NULL);
	s->event();
	close_all();
	return n > s->last_calls ? n - s->last_calls : 0;
}

static void sweep_run(const struct sweep *s)
{
	unsigned long calls = sweep_calls(s), length = sweep_length(s, calls), stride = 1;
	bool ended = false;

	while (getenv("BSTREAM_LONG") == NULL && length * length / 2 / stride > STEPS_SHORT)
		stride++;

	for (unsigned long k = (unsigned long)getpid() % stride; !ended && k < s->k_max;
	     k += stride) {
		int status;
		pid_t pid = sweep_start(s);

		trace_syscalls(pid, calls, &ended, &status);
		if (!ended)
			trace_step(pid, k, &ended, &status);
		s->event();
		if (!ended)
			status = trace_let_go(pid);
		MUST(WIFEXITED(status));
		s->judge(WEXITSTATUS(status));
		close_all();
	}
}

static void attach_writer(int fd)
{
	GIVES(bstream_writer_attach(fd, &w), 0);
}

static void attach_reader(int fd)
{
	GIVES(bstream_reader_attach(fd, &r), 0);
}

static int detach_writer(void)
{
	int fd = bstream_writer_detach(w);

	w = NULL;
	return fd;
}

static int detach_reader(void)
{
	int fd = bstream_reader_detach(r);

	r = NULL;
	return fd;
}

/* ---- drain, and a reader that reads all and leaves ------------------------------------------ */

static void set_one_chunk(void)
{
	guard_pair(4, 64, &w, &r);
	SAY(w, "a");
}

static int act_drain(void)
{
	return -bstream_drain(w, BSTREAM_DONT_WAIT);
}

static void event_read_and_leave(void)
{
	HEAR(r, "a");
	bstream_reader_close(r);
	r = NULL;
}

static void judge_drained(int result)
{
	MUST(result == 0 || result == EAGAIN); /* all was released: nobody left before that */
}

START_TEST(drain_beside_a_reader_that_reads_all_and_leaves)
{
	const struct sweep s = { .set = set_one_chunk,
				 .detach = detach_writer,
				 .attach = attach_writer,
				 .act = act_drain,
				 .event = event_read_and_leave,
				 .judge = judge_drained,
				 .k_max = 4000 };

	sweep_run(&s);
}
END_TEST

/* ---- wait, and likewise --------------------------------------------------------------------- */

static uint32_t awaited;

static void set_name(void)
{
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	SAY(w, "a");
	bstream_writer_close(w);
	w = NULL;
}

static int act_wait(void)
{
	return -bstream_wait("s", awaited, BSTREAM_DONT_WAIT);
}

static void event_read_the_end_and_leave(void)
{
	HEAR(r, "a");
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	bstream_reader_close(r);
	r = NULL;
}

static void judge_waited(int result)
{
	MUST(result == 0 || result == EAGAIN || result == ENOENT);
	UNTIL(bstream_wait("s", BSTREAM_WAIT_EXISTS, BSTREAM_DONT_WAIT) == -ENOENT);
}

START_TEST(wait_beside_a_reader_that_reads_the_end_and_leaves)
{
	const struct sweep s = { .set = set_name,
				 .act = act_wait,
				 .event = event_read_the_end_and_leave,
				 .judge = judge_waited,
				 .last_calls = 7, /* the mapping, who is there, and the way out */
				 .k_max = 1500 };

	awaited = _i == 0 ? BSTREAM_WAIT_END : BSTREAM_WAIT_EMPTY;
	sweep_run(&s);
}
END_TEST

/* ---- the last chunk and the end ------------------------------------------------------------- */

static void set_empty(void)
{
	guard_pair(4, 64, &w, &r);
}

/* Until the end: its error, and 128 more if a chunk came before it. */
static int act_read_on(void)
{
	int rc, n = 0;

	while ((rc = guard_read(r, BSTREAM_DONT_WAIT)) == 1 || rc == -EAGAIN)
		n += rc == 1;
	return (n == 1 ? 128 : 0) - rc;
}

static void event_write_and_close(void)
{
	SAY(w, "a");
	bstream_writer_close(w);
	w = NULL;
}

static void event_write_and_die(void)
{
	SAY(w, "a");
	close(bstream_writer_detach(w));
	w = NULL;
}

static void judge_end(int result)
{
	GIVES(result, 128);
}

static void judge_lost(int result)
{
	GIVES(result, 128 + ECONNRESET);
}

START_TEST(the_last_chunk_is_read_before_the_end_is_told)
{
	const struct sweep s = { .set = set_empty,
				 .detach = detach_reader,
				 .attach = attach_reader,
				 .act = act_read_on,
				 .event = _i == 0 ? event_write_and_close : event_write_and_die,
				 .judge = _i == 0 ? judge_end : judge_lost,
				 .k_max = 1500 };

	sweep_run(&s);
}
END_TEST

/* ---- a write, and a reader that leaves ------------------------------------------------------ */

static int act_write(void)
{
	return -bstream_write(w, "a", 1, BSTREAM_DONT_WAIT);
}

static void event_leave(void)
{
	bstream_reader_close(r);
	r = NULL;
}

static void judge_written(int result)
{
	MUST(result == 0 || result == EPIPE);
	GIVES(bstream_write(x, "b", 1, BSTREAM_DONT_WAIT), -EPIPE);
}

static void set_two_writers(void)
{
	guard_pair(4, 64, &w, &r);
	GIVES(bstream_writer_clone(w, &x), 0);
}

START_TEST(a_write_beside_a_reader_that_leaves)
{
	const struct sweep s = { .set = set_two_writers,
				 .detach = detach_writer,
				 .attach = attach_writer,
				 .act = act_write,
				 .event = event_leave,
				 .judge = judge_written,
				 .k_max = 2000 };

	sweep_run(&s);
}
END_TEST

/* ---- several in place, and a reader --------------------------------------------------------- */

static unsigned n_met;
static bool asleep;

static int act_place_several(void)
{
	struct iovec spans[3];
	int rc = bstream_reserve_many(w, 1, spans, 3, BSTREAM_DONT_WAIT);

	for (int i = 0; i < rc; i++)
		*(char *)spans[i].iov_base = (char)('a' + i);
	return rc == 3 ? -bstream_commit_many(w, spans, 3) : 255;
}

static void read_in_order(void)
{
	const void *chunk;
	size_t len;
	int rc;

	for (; (rc = bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT)) == 1; n_met++) {
		GIVES(len, 1);
		GIVES(*(const char *)chunk, 'a' + n_met);
		GIVES(bstream_release(r), 0);
	}
	MUST(rc == -EAGAIN || rc == -ECONNRESET);
}

/* And then as one does who sleeps. */
static void event_read_what_is_there(void)
{
	n_met = 0;
	read_in_order();
	hint_raise(&r->g->items.wake_at, r->head + 1);
	asleep = !slot_holds(r->slot, r->head);
}

static void judge_all_was_read(int result)
{
	GIVES(result, 0);
	if (asleep && n_met < 3)
		GIVES(hint_look(&r->g->items.wake_at), 0);
	read_in_order();
	GIVES(n_met, 3);
	GIVES(figure_load(&r->g->reader.abandoned), 0);
}

/* One who sees them claimed sees that they are intended, until they are there; one who sleeps is woken. */
START_TEST(several_in_place_beside_a_reader_are_all_read)
{
	const struct sweep s = { .set = _i == 0 ? set_empty : set_two_writers,
				 .detach = detach_writer,
				 .attach = attach_writer,
				 .act = act_place_several,
				 .event = event_read_what_is_there,
				 .judge = judge_all_was_read,
				 .k_max = 2000 };

	sweep_run(&s);
}
END_TEST

/* ---- a claim that is lost ------------------------------------------------------------------- */

/* Step the other until its intent is another than @intent. The new one. */
static uint64_t step_while_intent(pid_t pid, struct bs_writer_line *line, uint64_t intent)
{
	uint64_t seen;

	for (unsigned n = 0; (seen = intent_look(line)) == intent; n++) {
		bool ended;

		MUST(n < 100000);
		trace_step(pid, 1, &ended, NULL);
		MUST(!ended);
	}
	return seen;
}

/* Else one who is stopped there passes for the owner of a slot whose owner is dead. */
START_TEST(a_writer_that_lost_its_claim_intends_nothing_before_it_intends_the_next)
{
	const struct sweep s = { .set = set_two_writers,
				 .detach = detach_writer,
				 .attach = attach_writer,
				 .act = act_write };

	pid_t pid = sweep_start(&s);
	struct bs_writer_line *line = &r->g->writers[0];
	GIVES(intent_look(line), 0);
	GIVES(step_while_intent(pid, line, 0), 1); /* about to claim chunk 0 */
	SAY(x, "faster");
	GIVES(step_while_intent(pid, line, 1), 0);
	HEAR(r, "faster");
	int status = trace_let_go(pid);
	MUST(WIFEXITED(status));
	GIVES(WEXITSTATUS(status), 0);
	HEAR(r, "a");
	close_all();
}
END_TEST

/* ---- one who comes while the only writer is in a write -------------------------------------- */

static struct bs_writer_line *leaves; /* this line's writer leaves its write … */
static unsigned leaves_after; /* … when another has waited for so many turns */

int sched_yield(void)
{
	if (leaves != NULL && leaves_after-- == 0) {
		inside_leave(leaves);
		leaves = NULL;
	}
	return (int)syscall(SYS_sched_yield);
}

/* A deadline that has passed bounds the wait for the name; a write in progress is no such wait. */
START_TEST(a_past_deadline_does_not_mind_a_write_in_progress)
{
	GIVES(bstream_create("s", NULL), 0);
	GIVES(bstream_open_writer("s", BSTREAM_DONT_WAIT, &w), 0);
	inside_enter(w->line);
	leaves_after = 3;
	leaves = w->line;
	GIVES(bstream_open_writer("s", _i == 0 ? bstream_after_ms(-5) : BSTREAM_DONT_WAIT, &x), 0);
	MUST(leaves == NULL);
	GIVES(bstream_open_reader("s", BSTREAM_DONT_WAIT, &r), 0);
	SAY(x, "a");
	SAY(w, "b");
	HEAR(r, "a");
	HEAR(r, "b");
	close_all();
}
END_TEST

/* ---- forks ---------------------------------------------------------------------------------- */

/*
 * The calls below stand in for the C library's, for bstream's too. At the moment that the test is
 * about a second thread forks; where bstream guards the moment, that thread waits until it is over.
 */
static struct {
	bool at_peek; /* a message has been looked at, with descriptors */
	bool at_map; /* a segment is mapped, and would be inherited */
	int at_close; /* this descriptor is about to be closed; -1: none */
	struct guard_gate now, forked; /* forked: by the child */
} moment = { .at_close = -1 };

#define MOMENT_MS 100 /* for a fork that nothing holds up */

static void moment_come(void)
{
	struct pollfd p = { .fd = moment.forked.fd[0], .events = POLLIN };

	moment.at_peek = moment.at_map = false;
	moment.at_close = -1;
	guard_gate_open(&moment.now);
	poll(&p, 1, MOMENT_MS);
}

ssize_t recvmsg(int socket, struct msghdr *m, int flags)
{
	ssize_t n = syscall(SYS_recvmsg, socket, m, flags);

	if (moment.at_peek && n > 0 && m->msg_controllen > 0)
		moment_come();
	return n;
}

int madvise(void *address, size_t len, int advice)
{
	if (moment.at_map && advice == MADV_DONTFORK)
		moment_come();
	return (int)syscall(SYS_madvise, address, len, advice);
}

int close(int fd)
{
	if (fd >= 0 && fd == moment.at_close)
		moment_come();
	return (int)syscall(SYS_close, fd);
}

static int over[2]; /* closed by the test when it is over */

static void *fork_at_the_moment(void *none)
{
	char byte;

	guard_gate_pass(&moment.now);
	pid_t pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		close(over[1]);
		guard_gate_open(&moment.forked);
		_exit(read(over[0], &byte, 1) == 0 ? 0 : 1);
	}
	return none;
}

/* In a process that then dies and leaves its child behind. */
static _Noreturn void call_and_die(void (*call)(int socket), int socket)
{
	pthread_t thread;

	MUST(pthread_create(&thread, NULL, fork_at_the_moment, NULL) == 0);
	call(socket);
	MUST(pthread_join(thread, NULL) == 0);
	guard_gate_pass(&moment.forked);
	_exit(0);
}

static void call_recv(int socket)
{
	struct bstream_reader *mine;

	moment.at_peek = true;
	GIVES(bstream_reader_recv(socket, &mine), 0);
}

static void call_map(int socket)
{
	struct bstream_reader *mine;

	moment.at_map = true;
	GIVES(bstream_reader_recv(socket, &mine), 0);
}

static void call_attach_send(int socket)
{
	struct bstream_reader *mine;

	GIVES(bstream_reader_recv(socket, &mine), 0);
	moment.at_close = mine->hold.sight.fd;
	GIVES(bstream_reader_send(socket, mine), 0);
}

static void moment_run(void (*call)(int socket), int socket)
{
	guard_gate_init(&moment.now);
	guard_gate_init(&moment.forked);
	MUST(pipe2(over, O_CLOEXEC) == 0);
	pid_t pid = guard_fork();
	if (pid == 0)
		call_and_die(call, socket);
	guard_reap(pid);
}

static void moment_over(void)
{
	guard_gate_fini(&moment.now);
	guard_gate_fini(&moment.forked);
	close(over[0]);
	close(over[1]);
}

START_TEST(a_child_forked_while_an_end_is_received_does_not_keep_it_alive)
{
	int s[2];

	guard_pair(4, 64, &w, &r);
	GIVES(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	GIVES(bstream_reader_send(s[0], r), 0);
	r = NULL;
	moment_run(_i == 0 ? call_recv : call_map, s[1]);
	struct bstream_stat stat = { .size = sizeof(stat) };
	GIVES(bstream_writer_stat(w, &stat), 0);
	MUST((stat.flags & BSTREAM_BROKEN) != 0);
	moment_over();
	close(s[0]);
	close(s[1]);
	close_all();
}
END_TEST

START_TEST(a_child_forked_while_an_end_is_sent_does_not_keep_it_alive)
{
	int s[2];

	guard_pair(4, 64, &w, &r);
	GIVES(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	GIVES(bstream_reader_send(s[0], r), 0);
	moment_run(call_attach_send, s[1]);
	GIVES(bstream_reader_recv(s[0], &r), 0);
	close(bstream_reader_detach(r)); /* a death */
	r = NULL;
	struct bstream_stat stat = { .size = sizeof(stat) };
	GIVES(bstream_writer_stat(w, &stat), 0);
	MUST((stat.flags & BSTREAM_BROKEN) != 0);
	moment_over();
	close(s[0]);
	close(s[1]);
	close_all();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(drain_beside_a_reader_that_reads_all_and_leaves),
		N_WAYS(wait_beside_a_reader_that_reads_the_end_and_leaves, 2),
		N_WAYS(the_last_chunk_is_read_before_the_end_is_told, 2),
		ONCE(a_write_beside_a_reader_that_leaves),
		N_WAYS(several_in_place_beside_a_reader_are_all_read, 2),
		ONCE(a_writer_that_lost_its_claim_intends_nothing_before_it_intends_the_next),
		N_WAYS(a_past_deadline_does_not_mind_a_write_in_progress, 2),
		N_WAYS(a_child_forked_while_an_end_is_received_does_not_keep_it_alive, 2),
		ONCE(a_child_forked_while_an_end_is_sent_does_not_keep_it_alive),
	};

	trace_begin();
	guard_need_broker();
	return GUARD_RUN("moments", cases);
}
