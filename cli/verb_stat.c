/* SPDX-License-Identifier: MIT */
/*
 * verb_stat.c - owns the verb stat: all about one stream, and who is at its ends.
 *
 * Numbers and ends come from one view of the segment, so they fit together as well as those of a
 * living stream can. With several names each gets its paragraph, or its object.
 */
#include "config.h"
#include "bstream.h"
#include "json_line.h"
#include "outcome.h"
#include "say.h"
#include "state.h"
#include "stuck.h"
#include "units.h"
#include "verb.h"
#include "who.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define SAMPLE_MS 50
#define FIELD	  "%-12s"

static void print_size(const char *field, uint64_t bytes)
{
	char size[UNITS_MAX];

	printf(FIELD "%s\n", field, units_print_size(size, bytes));
}

static void print_created(uint64_t created_ns)
{
	time_t s = (time_t)(created_ns / 1000000000);
	uint64_t now = units_today();
	char when[32] = "", age[UNITS_MAX];
	struct tm tm;

	if (localtime_r(&s, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	printf(FIELD "%s, %s ago\n", "created", when,
	       units_print_time(age, now > created_ns ? now - created_ns : 0));
}

static void print_flow(const char *field, uint64_t chunks, uint64_t bytes)
{
	char size[UNITS_MAX];

	printf(FIELD "%" PRIu64 " chunk%s, %s\n", field, chunks, chunks == 1 ? "" : "s",
	       units_print_size(size, bytes));
}

static void print_counters(const struct bstream_stat *stat)
{
	print_flow("written", stat->chunks_written, stat->bytes_written);
	print_flow("read", stat->chunks_read, stat->bytes_read);
	if (stat->chunks_abandoned)
		printf(FIELD "%" PRIu64 " chunks, begun by writers that died\n", "abandoned",
		       stat->chunks_abandoned);
	printf(FIELD "writers %" PRIu64 " time%s, the reader %" PRIu64 "\n", "slept",
	       stat->writer_waits, stat->writer_waits == 1 ? "" : "s", stat->reader_waits);
}

static void print_stream(const struct bstream_stat *stat, const char *why, bool moving)
{
	static const char *const keeps[] = { "nothing", "reader", "writers", "reader and writers" };
	char safe[BSTREAM_NAME_MAX * 4 + 1], user[WHO_MAX];

	printf(FIELD "%s\n", "name", say_safely(safe, sizeof(safe), stat->name));
	printf(FIELD "%s%s\n", "state", state_word(stat, moving),
	       stat->flags & BSTREAM_REMOVED ? ", its name removed" : "");
	if (*why)
		printf(FIELD "%s\n", "why", why);
	printf(FIELD "%" PRIu32 "/%" PRIu32 " chunks\n", "fill", stat->in_flight, stat->capacity);
	print_size("chunk-max", stat->chunk_max);
	printf(FIELD "%s\n", "sealed", stat->flags & BSTREAM_SEALED ? "yes" : "no");
	printf(FIELD "%" PRIu32 " at most\n", "writers", stat->max_writers);
	printf(FIELD "%s\n", "keeps", keeps[stat->keep & 3]);
	printf(FIELD "%s, mode %04" PRIo32 "\n", "owner", who_user(user, stat->uid), stat->mode);
	print_created(stat->created_ns);
	print_counters(stat);
}

static int on_end_print(const struct bstream_end *end, void *arg)
{
	char process[WHO_MAX], user[WHO_MAX], size[UNITS_MAX], waited[UNITS_MAX];
	const char *kind = end->kind == BSTREAM_END_READER ? "reader" : "writer";
	bool *reader_seen = arg;

	*reader_seen = *reader_seen || end->kind == BSTREAM_END_READER;
	printf(FIELD "%s, user %s, %" PRIu64 " chunk%s, %s, ", kind,
	       end->pid ? who_process(process, end->pid) : "between two processes",
	       who_user(user, end->uid), end->chunks, end->chunks == 1 ? "" : "s",
	       units_print_size(size, end->bytes));
	if (end->waits_for == BSTREAM_WAITS_NOT)
		printf("not waiting\n");
	else
		printf("waits for %s, %s\n", stuck_waits_for(end),
		       units_print_time(waited, stuck_waited(end)));
	return 0;
}

static int on_end_json(const struct bstream_end *end, void *arg)
{
	struct json_line *item = json_line_item(arg, "ends");
	char text[WHO_MAX];

	json_line_text(item, "kind", end->kind == BSTREAM_END_READER ? "reader" : "writer");
	json_line_number(item, "pid", (uint64_t)(int64_t)end->pid);
	json_line_text(item, "command", end->pid ? who_command(text, end->pid) : "");
	json_line_number(item, "uid", end->uid);
	json_line_text(item, "user", who_user(text, end->uid));
	json_line_number(item, "waits_for", end->waits_for);
	json_line_number(item, "waits_since_ns", end->waits_since_ns);
	json_line_number(item, "waited_ns", stuck_waited(end));
	json_line_number(item, "chunks", end->chunks);
	json_line_number(item, "bytes", end->bytes);
	return 0;
}

static const char *stat_explain(char why[STUCK_MAX], struct bstream_view *view,
				const struct bstream_stat *stat, bool moving)
{
	struct stuck stuck = { 0 };

	why[0] = '\0';
	if (moving)
		return why;
	stuck_look(&stuck, view);
	return stuck_explain(why, stat, &stuck);
}

static void stat_print(struct bstream_view *view, const struct bstream_stat *stat, bool moving)
{
	char why[STUCK_MAX];
	bool reader_seen = false;

	print_stream(stat, stat_explain(why, view, stat, moving), moving);
	bstream_view_ends(view, on_end_print, &reader_seen);
	if (!reader_seen)
		printf(FIELD "%s\n", "reader",
		       stat->reader == BSTREAM_READER_NONE
			       ? "gone"
			       : "none, the read end waits at its name");
}

static void stat_print_json(struct bstream_view *view, const struct bstream_stat *stat, bool moving)
{
	struct json_line *line = json_line_new();
	char why[STUCK_MAX];

	json_line_stream(line, stat);
	json_line_text(line, "state", state_word(stat, moving));
	json_line_text(line, "why", stat_explain(why, view, stat, moving));
	json_line_list(line, "ends");
	bstream_view_ends(view, on_end_json, line);
	json_line_print(line, stdout);
}

/* A second look at a stream that may be moving tells whether it is. Returns 0 or -errno. */
static int stat_look(struct bstream_view *view, struct bstream_stat *stat, bool *movingp)
{
	uint64_t chunks_read;
	int r = bstream_view_stat(view, stat);

	*movingp = false;
	if (r < 0 || !state_may_move(stat))
		return r;
	chunks_read = stat->chunks_read;
	poll(NULL, 0, SAMPLE_MS);
	r = bstream_view_stat(view, stat);
	*movingp = stat->chunks_read != chunks_read;
	return r;
}

static int stat_one(const char *name, bool json, bool first)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_view *view;
	bool moving;
	int r = bstream_view_open(name, &view);

	if (r < 0)
		return outcome_fail(DOING_ASK, name, r);
	r = stat_look(view, &stat, &moving);
	if (r < 0) {
		bstream_view_close(view);
		return outcome_fail(DOING_ASK, name, r);
	}
	if (json) {
		stat_print_json(view, &stat, moving);
	} else {
		if (!first)
			putchar('\n');
		stat_print(view, &stat, moving);
	}
	bstream_view_close(view);
	return CODE_DONE;
}

static int stat_run(const struct call *call)
{
	int code = CODE_DONE;

	for (int i = 0; i < call->n_operands; i++) {
		int r = stat_one(call->operands[i], call->globals->json, i == 0);

		if (code == CODE_DONE)
			code = r;
	}
	return code;
}

const struct verb verb_stat = {
	.name = "stat",
	.args = "NAME...",
	.help = "all about one stream: both ends, what they wait for",
	.notes =
		"why says in a sentence what a stream that stands still waits for, and whose doing that is.",
	.examples = { "bstreamctl stat logs", "bstreamctl stat logs --json | jq .ends" },
	.operands = OPERANDS_NAMES,
	.run = stat_run,
};
