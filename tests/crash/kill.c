/* SPDX-License-Identifier: MIT */
/*
 * kill.c - kills a process at every instruction of what it does to a stream.
 *
 * For each scene: fork a victim, let it stop itself where the act begins, single-step it k times,
 * SIGKILL it, reap it, and have the scene's judge look at what it left; for k = 0, 1, 2, … until the
 * victim gets to its end. Without BSTREAM_LONG a scene of many steps is sampled: each k costs k
 * steps, so the stride grows with the scene, and starts at a different offset in each run of it.
 *
 * Output is TAP. Arguments: numbers of scenes to play, from 1.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

#define STEPS_SHORT 60000ul /* of one scene, in all, without BSTREAM_LONG */

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(99);
}

static void check(int rc, const char *what)
{
	if (rc < 0) {
		errno = -rc;
		die(what);
	}
}

/* ---- setting a scene ------------------------------------------------------------------------ */

static void stage_fill(struct stage *st, struct bstream_writer *w)
{
	unsigned char buf[CHUNK_LIMIT];

	for (uint32_t i = 0; i < st->scene->filled; i++) {
		chunk_make(buf, st->scene->len, 2 * SECOND_ID + i);
		check(bstream_write(w, buf, st->scene->len, BSTREAM_DONT_WAIT), "fill");
	}
	st->filled = st->scene->filled;
}

static void stage_set(struct stage *st, const struct scene *scene, struct record *record)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *w;
	struct bstream_reader *r;

	memset(record, 0, sizeof(*record));
	*st = (struct stage){ .scene = scene, .record = record };
	o.capacity = scene->capacity;
	o.chunk_max = CHUNK_LIMIT;
	o.max_writers = 4;
	check(bstream_pair(&o, &w, &r), "bstream_pair");
	stage_fill(st, w);
	if (scene->second)
		check(bstream_writer_clone(w, &st->second), "bstream_writer_clone");
	if (scene->victim_reads) {
		st->writer = w;
		st->fd = bstream_reader_detach(r);
	} else {
		st->reader = r;
		st->fd = bstream_writer_detach(w);
	}
	check(st->fd, "detach");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, st->socket) < 0)
		die("socketpair");
}

static void stage_clear(struct stage *st)
{
	bstream_writer_close(st->writer);
	bstream_writer_close(st->second);
	bstream_reader_close(st->reader);
	close(st->socket[0]);
}

/* ---- the victim ----------------------------------------------------------------------------- */

static _Noreturn void victim(struct stage *st)
{
	struct bstream_writer *w = NULL;
	struct bstream_reader *r = NULL;
	int rc = 0;

	close(st->socket[0]);
	if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
		_exit(98);
	if (!st->scene->from_attach)
		rc = st->scene->victim_reads ? bstream_reader_attach(st->fd, &r)
					     : bstream_writer_attach(st->fd, &w);
	if (rc < 0)
		_exit(97);
	act_prepare(st);
	raise(SIGSTOP); /* the first step is from here */
	st->scene->act(st, w != NULL ? (void *)w : r);
	_exit(0);
}

static pid_t victim_start(struct stage *st)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0)
		victim(st);
	close(st->fd);
	close(st->socket[1]);
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	if (!WIFSTOPPED(status)) {
		printf("# the victim left with status %x before its act\n", (unsigned)status);
		exit(99);
	}
	return pid;
}

/* Step @k times, then kill. True: it got to its end before that. */
static bool victim_kill_at(pid_t pid, unsigned long k)
{
	int status;

	for (unsigned long i = 0; i < k; i++) {
		if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0)
			die("PTRACE_SINGLESTEP");
		if (waitpid(pid, &status, 0) < 0)
			die("waitpid");
		if (!WIFSTOPPED(status))
			return true;
	}
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	return false;
}

/* ---- playing a scene ------------------------------------------------------------------------ */

static const char *play_once(const struct scene *scene, struct record *record, unsigned long k,
			     bool *ended)
{
	static char text[300];
	struct stage st;

	stage_set(&st, scene, record);
	*ended = victim_kill_at(victim_start(&st), k);
	const char *bad = scene->judge(&st);
	stage_clear(&st);
	int failed = atomic_load(&record->failed);
	if (bad == NULL && failed == 0)
		return NULL;
	if (bad != NULL)
		snprintf(text, sizeof(text), "%s", bad);
	else
		snprintf(text, sizeof(text), "the victim got %d at scenes.c:%u", failed,
			 atomic_load(&record->line));
	return text;
}

/* How many steps the act has. */
static unsigned long scene_length(const struct scene *scene, struct record *record)
{
	bool ended;
	unsigned long n = 0;
	struct stage st;
	int status;

	stage_set(&st, scene, record);
	pid_t pid = victim_start(&st);
	for (ended = false; !ended; n++) {
		if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0 || waitpid(pid, &status, 0) < 0)
			die("PTRACE_SINGLESTEP");
		ended = !WIFSTOPPED(status);
	}
	close(st.socket[1]);
	stage_clear(&st);
	return n;
}

static bool play(unsigned number, const struct scene *scene, struct record *record)
{
	unsigned long length = scene_length(scene, record), deaths = 0;
	unsigned long stride = 1;
	bool ended = false;

	if (getenv("BSTREAM_LONG") == NULL)
		while (length * length / 2 / stride > STEPS_SHORT)
			stride++;
	for (unsigned long k = (unsigned long)getpid() % stride; !ended; k += stride, deaths++) {
		const char *bad = play_once(scene, record, k, &ended);

		if (bad != NULL) {
			printf("not ok %u - %s: killed at instruction %lu of %lu: %s\n", number,
			       scene->name, k, length, bad);
			return false;
		}
	}
	printf("ok %u - %s: %lu deaths over %lu instructions\n", number, scene->name, deaths,
	       length);
	return true;
}

/* Two processes that take turns at every instruction do so fastest on one CPU. */
static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	struct record *record =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool all = true;

	if (record == MAP_FAILED)
		die("mmap");
	setvbuf(stdout, NULL, _IOLBF, 0);
	pin();
	printf("1..%u\n", argc > 1 ? (unsigned)argc - 1 : n_scenes);
	for (unsigned i = 0; i < n_scenes; i++) {
		bool wanted = argc == 1;

		for (int a = 1; a < argc; a++)
			wanted |= strtoul(argv[a], NULL, 10) == i + 1;
		if (wanted)
			all &= play(i + 1, &scenes[i], record);
	}
	return all ? 0 : 1;
}
