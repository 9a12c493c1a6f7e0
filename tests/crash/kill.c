/* SPDX-License-Identifier: MIT */
/*
 * kill.c - kills a process at every instruction of what it does to a stream.
 *
 * For each scene: fork a victim, let it stop itself where the act begins, single-step it k times,
 * SIGKILL it, reap it, and have the scene's judge look at what it left; for k = 0, 1, 2, … until the
 * victim gets to its end. Without BSTREAM_LONG a scene of many steps is sampled: each k costs k
 * steps, so the stride grows with the scene, and starts at a different offset in each run of it. With
 * BSTREAM_LONG it runs to the system call before the k-th instruction, and is stepped from there;
 * BSTREAM_STRIDE=n: of all moments each n-th only.
 *
 * A scene may have two victims, which are stepped one after the other, each to a moment of its own,
 * and killed in either order.
 *
 * Output is TAP. Arguments: numbers of scenes to play, from 1. The scenes are scenes.c's, travel.c's or
 * mail.c's, as the program is linked.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"
#include "trace.h"

#define STEPS_SHORT 45000ul /* of one scene, in all, without BSTREAM_LONG */
#define PAIRS_LONG  6ul /* moments of the second victim for each of the first */
#define CALLS_MAX   4096u /* of one scene */
#define HANG_S	    60u /* for one death; SIGALRM ends the program */

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

static void stage_write(struct bstream_writer *w, uint32_t len, uint64_t id)
{
	unsigned char buf[CHUNK_LIMIT];

	chunk_make(buf, len, id);
	check(bstream_write(w, buf, len, BSTREAM_DONT_WAIT), "fill");
}

static void stage_fill(struct stage *st, struct bstream_writer *w, struct bstream_reader *r)
{
	const void *chunk;
	size_t len;

	for (uint32_t i = 0; i < st->scene->passed; i++) {
		stage_write(w, st->scene->len, i);
		check(bstream_peek(r, &chunk, &len, BSTREAM_DONT_WAIT), "pass");
		check(bstream_release(r), "pass");
	}
	for (uint32_t i = 0; i < st->scene->filled; i++)
		stage_write(w, st->scene->len, 2 * SECOND_ID + i);
	st->filled = st->scene->filled + st->scene->warm;
}

/* A process that writes one chunk, waiting for room, and exits with 0 or what errno it got. */
static void stage_block(struct stage *st, struct bstream_writer *w)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	unsigned char buf[CHUNK_LIMIT];
	struct bstream_writer *x;

	check(bstream_writer_clone(w, &x), "bstream_writer_clone");
	int fd = bstream_writer_detach(x);
	check(fd, "detach");
	st->blocked = fork();
	if (st->blocked < 0)
		die("fork");
	if (st->blocked == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		check(bstream_writer_attach(fd, &x), "attach");
		chunk_make(buf, st->scene->len, SECOND_ID);
		int rc = bstream_write(x, buf, st->scene->len, BSTREAM_FOREVER);
		bstream_writer_close(x);
		_exit(-rc);
	}
	close(fd);
	while (stat.writer_waits == 0) {
		check(bstream_writer_stat(w, &stat), "bstream_writer_stat");
		sched_yield();
	}
}

/* A process that reads to the end, waiting for each chunk, and exits with 0 or what errno it got. */
static void stage_await(struct stage *st, struct bstream_writer *w, struct bstream_reader *r)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	int fd = bstream_reader_detach(r), rc;
	uint64_t id;

	check(fd, "detach");
	st->blocked = fork();
	if (st->blocked < 0)
		die("fork");
	if (st->blocked == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		check(bstream_reader_attach(fd, &st->reader), "attach");
		while ((rc = read_id(st, &id)) == 1 && id == st->record->heard + 1)
			st->record->heard = id;
		_exit(rc == 1 ? EBADMSG : -rc);
	}
	close(fd);
	while (stat.reader_waits == 0) {
		check(bstream_writer_stat(w, &stat), "bstream_writer_stat");
		sched_yield();
	}
}

static void stage_open(const struct scene *scene, struct bstream_writer **wp,
		       struct bstream_reader **rp)
{
	struct bstream_options o = BSTREAM_OPTIONS_INIT;

	o.capacity = scene->capacity;
	o.chunk_max = CHUNK_LIMIT;
	o.max_writers = 4;
	o.keep = scene->keep;
	o.flags = scene->sealed ? BSTREAM_SEALED : 0;
	if (!scene->named) {
		check(bstream_pair(&o, wp, rp), "bstream_pair");
		return;
	}
	check(bstream_create(STREAM_NAME, &o), "bstream_create");
	check(bstream_open_writer(STREAM_NAME, BSTREAM_DONT_WAIT, wp), "bstream_open_writer");
	check(bstream_open_reader(STREAM_NAME, BSTREAM_DONT_WAIT, rp), "bstream_open_reader");
}

/* Give the victim its end, and keep the other. */
static void stage_part(struct stage *st, struct bstream_writer *w, struct bstream_reader *r)
{
	const struct scene *scene = st->scene;

	st->fd = -1;
	st->writer = scene->victim_reads || scene->from_name ? w : NULL;
	st->reader = scene->victim_reads || scene->awaited ? NULL : r;
	if (scene->from_mailbox)
		st->reader = r;
	else if (scene->from_name && scene->victim_reads)
		check(bstream_reader_park(r), "bstream_reader_park");
	else if (scene->from_socket && scene->victim_reads)
		check(bstream_reader_send(st->socket[0], r), "bstream_reader_send");
	else if (scene->from_socket)
		check(bstream_writer_send(st->socket[0], w), "bstream_writer_send");
	else if (!scene->from_name)
		check(st->fd = scene->victim_reads ? bstream_reader_detach(r)
						   : bstream_writer_detach(w),
		      "detach");
}

static void stage_set(struct stage *st, const struct scene *scene, struct record *record)
{
	struct bstream_writer *w;
	struct bstream_reader *r;

	memset(record, 0, sizeof(*record));
	*st = (struct stage){ .scene = scene, .record = record };
	alarm(HANG_S);
	stage_open(scene, &w, &r);
	stage_fill(st, w, r);
	if (scene->second)
		check(bstream_writer_clone(w, &st->second), "bstream_writer_clone");
	if (scene->blocked)
		stage_block(st, w);
	if (scene->awaited)
		stage_await(st, w, r);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, st->socket) < 0)
		die("socketpair");
	stage_part(st, w, r);
}

/* The parent's end has nothing to have, and its descriptor says so. */
static void stage_poll(struct stage *st)
{
	unsigned char buf[CHUNK_LIMIT] = { 0 };
	size_t len;
	int rc;

	if (st->scene->victim_reads) {
		check(st->poll_fd = bstream_writer_pollfd(st->writer), "bstream_writer_pollfd");
		rc = bstream_write(st->writer, buf, st->scene->len, BSTREAM_DONT_WAIT);
	} else {
		check(st->poll_fd = bstream_reader_pollfd(st->reader), "bstream_reader_pollfd");
		rc = bstream_read(st->reader, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT);
	}
	check(rc == -EAGAIN ? 0 : -EINVAL, "a scene that polls does not begin with a refusal");
}

static void stage_clear(struct stage *st)
{
	if (st->blocked != 0) {
		kill(st->blocked, SIGKILL);
		waitpid(st->blocked, NULL, 0);
	}
	bstream_writer_close(st->writer);
	bstream_writer_close(st->second);
	bstream_reader_close(st->reader);
	close(st->socket[0]);
	close(st->socket[1]);
	if (st->scene->named)
		bstream_remove(STREAM_NAME);
}

/* ---- the victims ---------------------------------------------------------------------------- */

static _Noreturn void victim(struct stage *st, bool other)
{
	const struct scene *scene = st->scene;
	struct bstream_writer *w = NULL;
	struct bstream_reader *r = NULL;
	int rc = 0;

	if (!other && st->fd >= 0 && !scene->from_attach)
		rc = scene->victim_reads ? bstream_reader_attach(st->fd, &r)
					 : bstream_writer_attach(st->fd, &w);
	if (rc < 0)
		_exit(97);
	act_prepare(st);
	if (scene->prepare != NULL)
		scene->prepare(st, other);
	for (uint32_t i = 0; i < scene->warm; i++)
		stage_write(w, scene->len, 2 * SECOND_ID + scene->filled + i);
	trace_ready(); /* the first step is from here */
	if (other)
		scene->other(st);
	else
		scene->act(st, w != NULL ? (void *)w : r);
	_exit(0);
}

static pid_t victim_start(struct stage *st, bool other)
{
	pid_t pid = trace_fork();

	check(pid, "fork");
	if (pid == 0)
		victim(st, other);
	int status = trace_await(pid);
	if (status != 0) {
		printf("# the victim left with status %x before its act\n", (unsigned)status);
		exit(99);
	}
	return pid;
}

/* ---- what is left behind -------------------------------------------------------------------- */

static int n_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (dir == NULL)
		die("/proc/self/fd");
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* ---- playing a scene ------------------------------------------------------------------------ */

/* A death each: at step @k, and where the scene has another victim, at that one's step @j. */
struct fate {
	unsigned long
		calls; /* which it has left behind by then: the steps are counted from there */
	unsigned long k, j;
	bool ended; /* the first got to its end before */
};

static const char *verdict(struct stage *st)
{
	static char text[300];
	const char *bad = st->scene->judge(st);
	int failed = atomic_load(&st->record->failed);

	if (bad == NULL && failed == 0)
		return NULL;
	if (bad != NULL)
		snprintf(text, sizeof(text), "%s", bad);
	else
		snprintf(text, sizeof(text), "the victim got %d at line %u", failed,
			 atomic_load(&st->record->line));
	return text;
}

static const char *play_once(const struct scene *scene, struct record *record, struct fate *fate)
{
	struct stage st;
	bool other_ended = true;
	int fds = n_fds();
	pid_t other = 0;

	stage_set(&st, scene, record);
	pid_t pid = victim_start(&st, false);
	if (scene->other != NULL)
		other = victim_start(&st, true);
	if (st.fd >= 0)
		close(st.fd);
	if (scene->polls)
		stage_poll(&st);
	if (scene->ready != NULL)
		scene->ready(&st);
	fate->ended = false;
	if (fate->calls > 0)
		trace_syscalls(pid, fate->calls, &fate->ended, NULL);
	if (!fate->ended)
		trace_step(pid, fate->k, &fate->ended, NULL);
	const char *bad = scene->moment != NULL ? scene->moment(&st) : NULL;
	if (other != 0)
		trace_step(other, fate->j, &other_ended, NULL);
	if (!other_ended && fate->j % 2 == 0) /* either of them first */
		trace_kill(other);
	if (!fate->ended)
		trace_kill(pid);
	if (!other_ended && fate->j % 2 != 0)
		trace_kill(other);
	if (bad == NULL)
		bad = verdict(&st);
	stage_clear(&st);
	alarm(0);
	if (bad == NULL && n_fds() > fds)
		bad = WRONG("%d descriptors, not %d", n_fds(), fds);
	return bad;
}

/* How many steps the act has; or the other's, behind all of the act. */
static unsigned long scene_length(const struct scene *scene, struct record *record, bool of_other)
{
	struct stage st;
	unsigned long n;
	bool ended;

	stage_set(&st, scene, record);
	pid_t pid = victim_start(&st, false);
	pid_t other = of_other ? victim_start(&st, true) : 0;
	if (st.fd >= 0)
		close(st.fd);
	if (scene->ready != NULL)
		scene->ready(&st);
	n = trace_step(pid, -1ul, &ended, NULL);
	if (of_other)
		n = trace_step(other, -1ul, &ended, NULL);
	stage_clear(&st);
	alarm(0);
	return n;
}

static bool is_long(void)
{
	return getenv("BSTREAM_LONG") != NULL;
}

/* Of the long form's moments each n-th is played. */
static unsigned long long_stride(void)
{
	const char *set = getenv("BSTREAM_STRIDE");
	unsigned long stride = set != NULL ? strtoul(set, NULL, 10) : 1;

	return stride > 0 ? stride : 1;
}

static unsigned long profile[CALLS_MAX]; /* of the scene that is played */

/* Where its system calls are, as scene_length. */
static unsigned scene_profile(const struct scene *scene, struct record *record, unsigned long *lens)
{
	struct stage st;

	stage_set(&st, scene, record);
	pid_t pid = victim_start(&st, false);
	if (st.fd >= 0)
		close(st.fd);
	if (scene->ready != NULL)
		scene->ready(&st);
	unsigned n = trace_profile(pid, lens, CALLS_MAX);
	stage_clear(&st);
	alarm(0);
	return n;
}

static bool is_right(unsigned number, const struct scene *scene, struct record *record,
		     struct fate *fate)
{
	const char *bad = play_once(scene, record, fate);

	if (bad != NULL)
		printf("not ok %u - %s: killed %lu system calls and %lu instructions on: %s\n",
		       number, scene->name, fate->calls, fate->k, bad);
	return bad == NULL;
}

/* At every instruction: let run to the system call before it, and stepped from there. */
static bool play_every(unsigned number, const struct scene *scene, struct record *record,
		       unsigned n)
{
	unsigned long stride = long_stride();
	unsigned long deaths = 0, length = 0, next = (unsigned long)getpid() % stride;

	for (unsigned calls = 0; calls < n; length += profile[calls++]) {
		struct fate fate = { .calls = calls };

		for (; next < length + profile[calls]; next += stride, deaths++) {
			fate.k = next - length;
			if (!is_right(number, scene, record, &fate))
				return false;
		}
	}
	printf("ok %u - %s: %lu deaths over %lu instructions\n", number, scene->name, deaths,
	       length);
	return true;
}

static bool play_some(unsigned number, const struct scene *scene, struct record *record)
{
	unsigned long length = scene_length(scene, record, false), deaths = 0;
	unsigned long stride = 1;
	struct fate fate = { 0 };

	while (!is_long() && length * length / 2 / stride > STEPS_SHORT)
		stride++;
	for (fate.k = (unsigned long)getpid() % stride; !fate.ended; fate.k += stride, deaths++)
		if (!is_right(number, scene, record, &fate))
			return false;
	printf("ok %u - %s: %lu deaths over %lu instructions\n", number, scene->name, deaths,
	       length);
	return true;
}

static bool play(unsigned number, const struct scene *scene, struct record *record)
{
	unsigned n = is_long() ? scene_profile(scene, record, profile) : 0;

	return n > 0 ? play_every(number, scene, record, n) : play_some(number, scene, record);
}

/* Two victims: pairs of moments by chance, and in the long form for each moment of the first several
 * of the second. That each alone dies at every instruction is other scenes' business. */
static bool play_both(unsigned number, const struct scene *scene, struct record *record)
{
	unsigned long length = scene_length(scene, record, false);
	unsigned long length2 = scene_length(scene, record, true);
	unsigned long pairs = is_long() ? length * PAIRS_LONG / long_stride()
					: 2 * STEPS_SHORT / (length + length2);

	srandom((unsigned)getpid());
	for (unsigned long i = 0; i < pairs; i++) {
		struct fate fate = { .j = (unsigned long)random() % (length2 + 2) };

		fate.k = is_long() ? i / PAIRS_LONG * long_stride()
				   : (unsigned long)random() % (length + 2);
		const char *bad = play_once(scene, record, &fate);
		if (bad != NULL) {
			printf("not ok %u - %s: killed at %lu of %lu and %lu of %lu: %s\n", number,
			       scene->name, fate.k, length, fate.j, length2, bad);
			return false;
		}
	}
	printf("ok %u - %s: %lu pairs of deaths over %lu and %lu instructions\n", number,
	       scene->name, pairs, length, length2);
	return true;
}

static void on_alarm(int signal)
{
	static const char text[] = "Bail out! the next scene hangs\n";

	(void)signal;
	if (write(1, text, sizeof(text) - 1) < 0)
		_exit(98);
	_exit(99);
}

static bool is_wanted(unsigned i, int argc, char **argv)
{
	bool wanted = argc == 1;

	for (int a = 1; a < argc; a++)
		wanted |= strtoul(argv[a], NULL, 10) == i + 1;
	return wanted;
}

int main(int argc, char **argv)
{
	struct record *record =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool all = true;

	if (record == MAP_FAILED)
		die("mmap");
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGALRM, on_alarm);
	trace_begin();
	const char *missing = scenes_begin();
	if (missing != NULL) {
		printf("1..0 # SKIP %s\n", missing);
		return 77;
	}
	printf("1..%u\n", argc > 1 ? (unsigned)argc - 1 : n_scenes);
	for (unsigned i = 0; i < n_scenes; i++)
		if (is_wanted(i, argc, argv))
			all &= scenes[i].other != NULL ? play_both(i + 1, &scenes[i], record)
						       : play(i + 1, &scenes[i], record);
	unsigned n_left = scenes_end();
	if (n_left != 0)
		printf("# %u segments are left behind\n", n_left);
	return all && n_left == 0 ? 0 : 1;
}
