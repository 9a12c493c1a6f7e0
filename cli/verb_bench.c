/* SPDX-License-Identifier: MIT */
/*
 * verb_bench.c - owns the verb bench: a quick look at what a stream does on this machine, now.
 *
 * A figure alone says little, since machines and their load differ: so a pipe with the same work is
 * measured in the same run, in turns with the stream, and medians are shown beside their ratio. The
 * processes and the check are trial.c's. For more than a look there is bench/ in the source tree.
 */
#include "config.h"
#include "bstream.h"
#include "color.h"
#include "json_line.h"
#include "lane.h"
#include "outcome.h"
#include "say.h"
#include "table.h"
#include "trial.h"
#include "units.h"
#include "verb.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS	    5
#define LANES	    2
#define TIME_MIN_NS INT64_C(100000000)
#define TIME_MAX_NS INT64_C(3600000000000)
#define N_COLUMNS   7

static struct {
	uint64_t size;
	uint32_t capacity, writers;
	int64_t ns;
} job = { .size = 64, .capacity = 16, .writers = 1, .ns = INT64_C(2000000000) };

static const struct option_row bench_options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .arg = "SIZE",
	  .to = &job.size,
	  .help = "bytes in a chunk (default 64)" },
	{ .name = "capacity",
	  .kind = OPTION_NUMBER,
	  .arg = "N",
	  .to = &job.capacity,
	  .help = "chunks in flight in the stream (default 16)" },
	{ .name = "writers",
	  .kind = OPTION_NUMBER,
	  .arg = "N",
	  .to = &job.writers,
	  .help = "processes that write, 64 at most (default 1)" },
	{ .name = "seconds",
	  .kind = OPTION_TIME,
	  .arg = "T",
	  .to = &job.ns,
	  .help = "how long all of it takes, more or less (default 2)" },
	{ 0 },
};

static const struct lane_ops *const lanes[LANES] = { &lane_bstream, &lane_pipe };

/* What is shown of one lane: medians over the rounds. */
struct shown {
	uint64_t chunks_per_s, cpu_ps, p50_ns,
		p99_ns; /* picoseconds: a chunk may take less than 1 ns */
	double sleeps;
	double ratio; /* to the pipe */
};

struct rounds {
	struct trial_figures one_way[LANES][ROUNDS], trip[LANES][ROUNDS];
};

static int options_check(void)
{
	if (job.size < TRIAL_SIZE_MIN || job.size > UINT32_MAX)
		return say_usage("--size", "a chunk has %d bytes to 4 GiB, to hold its number",
				 TRIAL_SIZE_MIN);
	if (job.writers < 1 || job.writers > LANE_WRITERS_MAX)
		return say_usage("--writers", "1 to %d can be measured", LANE_WRITERS_MAX);
	if (job.ns < TIME_MIN_NS || job.ns > TIME_MAX_NS)
		return say_usage("--seconds", "from 0.1 to 3600");
	return CODE_DONE;
}

/* One round: every lane one way, then every lane there and back; odd rounds begin with the other. */
static int round_run(struct rounds *rounds, unsigned n)
{
	struct trial_plan plan = { .size = (size_t)job.size,
				   .capacity = job.capacity,
				   .n_writers = job.writers };
	int code = CODE_DONE;

	for (unsigned i = 0; i < LANES && code == CODE_DONE; i++) {
		unsigned lane = (i + n) % LANES;

		plan.ns = job.ns * 3 / 4 / (LANES * ROUNDS);
		code = trial_one_way(lanes[lane], &plan, &rounds->one_way[lane][n]);
	}
	for (unsigned i = 0; i < LANES && code == CODE_DONE; i++) {
		unsigned lane = (i + n) % LANES;

		plan.ns = job.ns / 4 / (LANES * ROUNDS);
		code = trial_round_trip(lanes[lane], &plan, &rounds->trip[lane][n]);
	}
	return code;
}

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof(*values), compare_doubles);
	return values[ROUNDS / 2];
}

static struct shown lane_shown(const struct rounds *rounds, unsigned lane)
{
	double rate[ROUNDS], cpu[ROUNDS], sleeps[ROUNDS], p50[ROUNDS], p99[ROUNDS];
	struct shown shown;

	for (unsigned i = 0; i < ROUNDS; i++) {
		const struct trial_figures *f = &rounds->one_way[lane][i];

		rate[i] = (double)units_per_second(f->chunks, f->ns);
		cpu[i] = (double)f->cpu_ns * 1000 / (double)f->chunks;
		sleeps[i] = (double)f->sleeps / (double)f->chunks;
		p50[i] = (double)rounds->trip[lane][i].p50_ns;
		p99[i] = (double)rounds->trip[lane][i].p99_ns;
	}
	shown.chunks_per_s = (uint64_t)median(rate);
	shown.cpu_ps = (uint64_t)median(cpu);
	shown.sleeps = median(sleeps);
	shown.p50_ns = (uint64_t)median(p50);
	shown.p99_ns = (uint64_t)median(p99);
	shown.ratio = 1;
	return shown;
}

/* ---- output --------------------------------------------------------------------------------- */

/* Three digits and a unit: 47.1 M. */
static const char *count_print(char buf[UNITS_MAX], double count)
{
	static const char *const units[] = { "", " k", " M", " G" };
	unsigned i = 0;

	for (; count >= 999.5 && i < 3; i++)
		count /= 1000;
	snprintf(buf, UNITS_MAX,
		 count < 9.995	 ? "%.2f%s"
		 : count < 99.95 ? "%.1f%s"
				 : "%.0f%s",
		 count, units[i]);
	return buf;
}

static const char *ns_print(char buf[UNITS_MAX], double ns)
{
	const char *unit = ns < 999.5 ? "ns" : ns < 999.5e3 ? "us" : "ms";
	double value = ns < 999.5 ? ns : ns < 999.5e3 ? ns / 1e3 : ns / 1e6;

	snprintf(buf, UNITS_MAX,
		 value < 9.995	 ? "%.2f %s"
		 : value < 99.95 ? "%.1f %s"
				 : "%.0f %s",
		 value, unit);
	return buf;
}

static void row_add(struct table *table, const char *name, const struct shown *shown)
{
	char text[UNITS_MAX];

	table_add(table, name, TABLE_PLAIN);
	table_add(table, count_print(text, (double)shown->chunks_per_s), TABLE_PLAIN);
	table_add(table, units_print_rate(text, shown->chunks_per_s * job.size), TABLE_PLAIN);
	table_add(table, ns_print(text, (double)shown->cpu_ps / 1000), TABLE_PLAIN);
	snprintf(text, sizeof(text), "%.3g", shown->sleeps);
	table_add(table, text, TABLE_PLAIN);
	table_add(table, ns_print(text, (double)shown->p50_ns), TABLE_PLAIN);
	table_add(table, ns_print(text, (double)shown->p99_ns), TABLE_PLAIN);
}

static int bench_print_table(const struct shown shown[LANES], const struct globals *globals)
{
	static const char *const headings[N_COLUMNS] = {
		"WAY", "CHUNKS/S", "RATE", "CPU/CHUNK", "SLEEPS/CHUNK", "TRIP P50", "TRIP P99",
	};
	char size[UNITS_MAX];
	struct table table;
	int r;

	table_init(&table, N_COLUMNS);
	for (unsigned i = 0; i < N_COLUMNS; i++)
		table_add(&table, headings[i], TABLE_BOLD);
	row_add(&table, "bstream", &shown[0]);
	row_add(&table, "pipe", &shown[1]);
	r = table_print(&table, stdout, color_wanted(globals->color, STDOUT_FILENO));
	table_fini(&table);
	if (r < 0)
		return outcome_fail(DOING_ANYTHING, "bench", r);
	printf("chunks of %s, capacity %" PRIu32 ", %" PRIu32
	       " writer%s: %.3g times the pipe of 64 KiB; medians of %d rounds\n",
	       units_print_size(size, job.size), job.capacity, job.writers,
	       job.writers == 1 ? "" : "s", shown[0].ratio, ROUNDS);
	return CODE_DONE;
}

static void bench_print_json(const struct shown *shown, const char *name)
{
	struct json_line *line = json_line_new();

	json_line_text(line, "way", name);
	json_line_number(line, "size", job.size);
	json_line_number(line, "capacity", job.capacity);
	json_line_number(line, "writers", job.writers);
	json_line_number(line, "rounds", ROUNDS);
	json_line_number(line, "chunks_per_s", shown->chunks_per_s);
	json_line_number(line, "bytes_per_s", shown->chunks_per_s * job.size);
	json_line_number(line, "cpu_ps_per_chunk", shown->cpu_ps);
	json_line_real(line, "sleeps_per_chunk", shown->sleeps);
	json_line_number(line, "trip_p50_ns", shown->p50_ns);
	json_line_number(line, "trip_p99_ns", shown->p99_ns);
	json_line_real(line, "times_pipe", shown->ratio);
	json_line_print(line, stdout);
}

static int bench_run(const struct call *call)
{
	struct rounds rounds;
	struct shown shown[LANES];
	int code = options_check();

	for (unsigned n = 0; n < ROUNDS && code == CODE_DONE; n++)
		code = round_run(&rounds, n);
	if (code)
		return code;
	for (unsigned i = 0; i < LANES; i++)
		shown[i] = lane_shown(&rounds, i);
	shown[0].ratio = (double)shown[0].chunks_per_s / (double)shown[1].chunks_per_s;
	if (!call->globals->json)
		return bench_print_table(shown, call->globals);
	for (unsigned i = 0; i < LANES; i++)
		bench_print_json(&shown[i], lanes[i]->name);
	return CODE_DONE;
}

const struct verb verb_bench = {
	.name = "bench",
	.args = "",
	.help = "measure a stream between processes on this machine, now",
	.notes =
		"A stream and a pipe of 64 KiB do the same work in turns; every chunk is checked, and if\n"
		"one is wrong there are no figures. CPU and sleeps are those of both sides; a trip is one\n"
		"chunk there and back. Needs no broker. What else runs here shows in the figures.",
	.examples = { "bstreamctl bench", "bstreamctl bench --size 64K --writers 4 --json" },
	.operands = OPERANDS_NONE,
	.options = bench_options,
	.run = bench_run,
};
