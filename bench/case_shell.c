/* SPDX-License-Identifier: MIT */
/*
 * case_shell.c - G: a file from one program of the shell to another: bstreamctl write and read
 * against a FIFO with cat, pv and mbuffer. The limit is one cat, which has nobody to hand it to.
 *
 * The file is in memory (a memfd, which leaves nothing behind), and goes to /dev/null ("to null"),
 * where only the way is measured, or into another file in memory ("to file"), where it is compared
 * each time. A way whose file is not the same has no result for either.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/load.h"
#include "bench/programs.h"
#include "bench/suite.h"

#define BLOCK	   65536u
#define PATIENCE_S "60"

struct way {
	const char *name, *needs;
	const char *script; /* $IN, $OUT, $FIFO, $CTL, $NAME */
};

static const struct way ways[] = {
	{ "bstreamctl", NULL,
	  "\"$CTL\" write \"$NAME\" <\"$IN\" & \"$CTL\" read \"$NAME\" >\"$OUT\" && wait $!" },
	{ "fifo+cat", "cat",
	  "mkfifo \"$FIFO\"; cat \"$IN\" >\"$FIFO\" & cat \"$FIFO\" >\"$OUT\"; wait; rm \"$FIFO\"" },
	{ "fifo+pv", "pv",
	  "mkfifo \"$FIFO\"; pv -q \"$IN\" >\"$FIFO\" & pv -q \"$FIFO\" >\"$OUT\"; wait; rm \"$FIFO\"" },
	{ "fifo+mbuffer", "mbuffer",
	  "mkfifo \"$FIFO\"; mbuffer -q -f -i \"$IN\" -o \"$FIFO\" 2>/dev/null &"
	  " mbuffer -q -f -i \"$FIFO\" -o \"$OUT\" 2>/dev/null; wait; rm \"$FIFO\"" },
	{ "cat-alone", "cat", "cat \"$IN\" >\"$OUT\"" },
};

#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

static char in_path[64], out_path[64], fifo_path[PROGRAMS_TMP_MAX + 40];
static int in_fd, out_fd;

static int files_open(void)
{
	in_fd = memfd_create("bstream-bench-in", MFD_CLOEXEC);
	out_fd = memfd_create("bstream-bench-out", MFD_CLOEXEC);
	if (in_fd < 0 || out_fd < 0)
		return -errno;
	snprintf(in_path, sizeof(in_path), "/proc/%d/fd/%d", (int)getpid(), in_fd);
	snprintf(out_path, sizeof(out_path), "/proc/%d/fd/%d", (int)getpid(), out_fd);
	snprintf(fifo_path, sizeof(fifo_path), "%s/bstream-bench-%d.fifo", programs_tmp(),
		 (int)getpid());
	return 0;
}

static void files_close(void)
{
	close(in_fd);
	close(out_fd);
	unlink(fifo_path);
}

static int input_make(unsigned mib)
{
	FILE *f = fopen(in_path, "we");
	uint64_t x = 88172645463325252u, block[BLOCK / sizeof(uint64_t)];
	bool good = f != NULL;

	for (unsigned n = 0; good && n < mib * (1048576u / BLOCK); n++) {
		for (unsigned i = 0; i < BLOCK / sizeof(uint64_t); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			block[i] = x;
		}
		good = fwrite(block, sizeof(block), 1, f) == 1;
	}
	if (f && fclose(f) != 0)
		good = false;
	return good ? 0 : -errno;
}

static bool same_files(const char *a, const char *b)
{
	static char block_a[BLOCK], block_b[BLOCK];
	FILE *fa = fopen(a, "re"), *fb = fopen(b, "re");
	size_t na = 1, nb = 1;
	bool same = fa && fb;

	while (same && na > 0) {
		na = fread(block_a, 1, BLOCK, fa);
		nb = fread(block_b, 1, BLOCK, fb);
		same = na == nb && memcmp(block_a, block_b, na) == 0;
	}
	if (fa)
		fclose(fa);
	if (fb)
		fclose(fb);
	return same;
}

static bool is_there(const char *program)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	return !program[0] || system(command) == 0;
}

/* Run a way once. False: its programs failed. */
static bool run_way(const struct way *way, const char *out, double *seconds, double *cpu_ns)
{
	uint64_t began = now_ns();
	struct rusage use;
	int status = -1;
	pid_t pid;

	setenv("OUT", out, 1);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* timeout passes it on to all */
		execlp("timeout", "timeout", PATIENCE_S, "sh", "-c", way->script, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &use) < 0)
		return false;
	*seconds = (double)(now_ns() - began) * 1e-9;
	*cpu_ns = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e9 +
		  (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e3;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void measure_way(struct suite *suite, const struct way *way, bool to_file, struct sample *s)
{
	double seconds, cpu_ns, bytes = (double)s->point.len;
	struct load from, to;

	unlink(fifo_path);
	if (ftruncate(out_fd, 0) < 0)
		return;
	load_read(&from);
	if (!run_way(way, to_file ? out_path : "/dev/null", &seconds, &cpu_ns)) {
		s->verdict = VERDICT_FAILED;
		snprintf(s->reason, sizeof(s->reason), "a program failed");
		return;
	}
	load_read(&to);
	if (to_file && !same_files(in_path, out_path)) {
		s->verdict = VERDICT_FAILED;
		snprintf(s->reason, sizeof(s->reason), "another file came out");
		return;
	}
	s->value[METRIC_SECONDS] = seconds;
	s->value[METRIC_BYTES] = bytes / seconds;
	s->value[METRIC_CPU_BYTE] = cpu_ns / bytes;
	s->value[METRIC_FOREIGN] = load_foreign(&from, &to, (uint64_t)cpu_ns);
	if (s->value[METRIC_FOREIGN] > suite->settings.foreign_max)
		s->verdict = VERDICT_LOADED;
}

static int measure_ways(struct suite *suite, bool to_file, bool failed[N_WAYS])
{
	const unsigned rounds = suite->settings.rounds;
	int err = 0;

	for (unsigned turn = 0; turn < SUITE_TURNS_MOST * rounds; turn++)
		for (unsigned i = 0; i < N_WAYS && !err; i++) {
			struct point p = { .kase = 'G',
					   .what = to_file ? "to file" : "to null",
					   .transport = ways[i].name,
					   .n_writers = 1,
					   .n_pairs = 1,
					   .placement = PLACED_FREE,
					   .len = (size_t)suite->settings.file_mib << 20 };
			struct sample s;

			if (failed[i] || results_count(&suite->results, &p) >= rounds)
				continue;
			sample_init(&s, &p, turn);
			measure_way(suite, &ways[i], to_file, &s);
			failed[i] = s.verdict == VERDICT_FAILED;
			err = suite_keep(suite, &s);
		}
	return err;
}

static int shell_run(struct suite *suite)
{
	bool failed[N_WAYS] = { false };
	char name[64];
	int err;

	err = files_open();
	if (err)
		return err;
	snprintf(name, sizeof(name), "bench-shell-%d", (int)getpid());
	setenv("IN", in_path, 1);
	setenv("FIFO", fifo_path, 1);
	setenv("NAME", name, 1);
	setenv("CTL", programs_ctl(suite), 1);
	for (unsigned i = 0; i < N_WAYS; i++)
		failed[i] = !transport_matches(ways[i].name, suite->settings.transports) ||
			    !is_there(ways[i].needs ? ways[i].needs : "");
	err = input_make(suite->settings.file_mib);
	if (!err)
		err = measure_ways(suite, true, failed);
	if (!err)
		err = measure_ways(suite, false, failed);
	files_close();
	return err;
}

const struct kase case_shell = {
	.letter = 'G',
	.title = "a file through the shell",
	.metrics = { METRIC_BYTES, METRIC_SECONDS, METRIC_CPU_BYTE },
	.n_metrics = 3,
	.needs_broker = true,
	.run = shell_run,
};
