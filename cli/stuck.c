/* SPDX-License-Identifier: MIT */
/*
 * stuck.c - owns the sentence that says why a stream stands still.
 *
 * The segment says who waits, for what and since when; the kernel says what the process does for
 * which it waits. Both are looked at once and may have changed since: the sentence is for people,
 * never for decisions. Who waits less than STUCK_NS is not stuck but in the flow of things, unless
 * the other side is halted: then it will not be sooner. ls, stat and top all say it in these words.
 */
#include "config.h"
#include "stuck.h"
#include "units.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STUCK_NS       UINT64_C(1000000000)
#define N_WRITERS_LOOK 64 /* of more, not every process is asked after */

uint64_t stuck_waited(const struct bstream_end *end)
{
	uint64_t now = units_now();

	if (end->waits_for == BSTREAM_WAITS_NOT || !end->waits_since_ns ||
	    end->waits_since_ns > now)
		return 0;
	return now - end->waits_since_ns;
}

const char *stuck_waits_for(const struct bstream_end *end)
{
	switch (end->waits_for) {
	case BSTREAM_WAITS_ITEMS:
		return "a chunk";
	case BSTREAM_WAITS_ROOM:
		return "room";
	case BSTREAM_WAITS_DRAIN:
		return "the reader to take all";
	default:
		return "nothing";
	}
}

static void stuck_add_reader(struct stuck *stuck, const struct bstream_end *end)
{
	stuck->reader = true;
	stuck->reader_pid = end->pid;
	stuck->reader_doing = who_doing(end->pid);
	stuck->reader_waits = end->waits_for != BSTREAM_WAITS_NOT;
	stuck->reader_ns = stuck_waited(end);
}

void stuck_add(struct stuck *stuck, const struct bstream_end *end)
{
	enum who_doing doing;

	if (end->kind == BSTREAM_END_READER) {
		stuck_add_reader(stuck, end);
		return;
	}
	stuck->n_writers++;
	if (end->waits_for != BSTREAM_WAITS_NOT) {
		uint64_t waited = stuck_waited(end);

		stuck->n_blocked++;
		if (waited > stuck->blocked_ns)
			stuck->blocked_ns = waited;
		return;
	}
	/* A writer's process matters only to a reader that waits for it. */
	if (!stuck->reader_waits || stuck->n_writers > N_WRITERS_LOOK || end->pid == 0)
		return;
	doing = who_doing(end->pid);
	if (who_halted(doing) && stuck->n_halted++ == 0) {
		stuck->halted_pid = end->pid;
		stuck->halted_doing = doing;
	}
}

static int on_end(const struct bstream_end *end, void *arg)
{
	stuck_add(arg, end);
	return 0;
}

void stuck_look(struct stuck *stuck, struct bstream_view *view)
{
	bstream_view_ends(view, on_end, stuck);
}

uint64_t stuck_longest(const struct stuck *stuck)
{
	return stuck->blocked_ns > stuck->reader_ns ? stuck->blocked_ns : stuck->reader_ns;
}

/* ---- the sentence ---------------------------------------------------------------------------- */

struct sentence {
	char *buf;
	size_t len;
};

static __attribute__((format(printf, 2, 3))) void sentence_add(struct sentence *s,
							       const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(s->buf + s->len, STUCK_MAX - s->len, format, args);
	va_end(args);
	if (n > 0)
		s->len += (size_t)n < STUCK_MAX - s->len ? (size_t)n : STUCK_MAX - s->len - 1;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* What keeps a process from its end of the stream; follows "reader name[77] ". */
static const char *doing_words(enum who_doing doing)
{
	static const char *const words[] = {
		[WHO_UNSEEN] = "cannot be seen from here",
		[WHO_RUNS] = "is busy",
		[WHO_SLEEPS] = "does not read",
		[WHO_HANGS] = "waits for a disk or the like",
		[WHO_STOPPED] = "is stopped",
		[WHO_TRACED] = "is held by a debugger",
		[WHO_EXITED] = "has exited, another process keeps its end open",
	};

	return words[doing];
}

static void sentence_add_process(struct sentence *s, const char *what, int32_t pid,
				 enum who_doing doing)
{
	char process[WHO_MAX];

	sentence_add(s, "%s %s %s", what, who_process(process, pid), doing_words(doing));
}

static void sentence_add_halted(struct sentence *s, const struct stuck *stuck)
{
	sentence_add_process(s, "writer", stuck->halted_pid, stuck->halted_doing);
	if (stuck->n_halted > 1)
		sentence_add(s, ", and so are %" PRIu32 " more", stuck->n_halted - 1);
}

/* Behind "3 writers blocked 41 s". */
static void sentence_add_blocker(struct sentence *s, const struct bstream_stat *stat,
				 const struct stuck *stuck)
{
	if (stat->reader != BSTREAM_READER_OPEN) {
		sentence_add(s, ", no reader");
		return;
	}
	sentence_add(s, ": ");
	if (stat->in_flight >= stat->capacity)
		sentence_add(s, "full, ");
	if (!stuck->reader)
		sentence_add(s, "the reader has just gone");
	else if (stuck->reader_pid == 0)
		sentence_add(s, "the read end is between two processes");
	else if (stuck->n_halted > 0 && !who_halted(stuck->reader_doing))
		sentence_add_halted(s, stuck);
	else
		sentence_add_process(s, "reader", stuck->reader_pid, stuck->reader_doing);
}

static bool writers_stuck(const struct bstream_stat *stat, const struct stuck *stuck)
{
	if (stuck->n_blocked == 0)
		return false;
	return stat->reader != BSTREAM_READER_OPEN || who_halted(stuck->reader_doing) ||
	       stuck->n_halted > 0 || stuck->blocked_ns >= STUCK_NS;
}

/* Behind "reader waits 41 s". */
static void sentence_add_missing(struct sentence *s, const struct bstream_stat *stat,
				 const struct stuck *stuck)
{
	if (stuck->n_halted > 0) {
		sentence_add(s, stat->in_flight == 0 ? ": empty, " : ": ");
		sentence_add_halted(s, stuck);
	} else if (stat->writers == 0) {
		sentence_add(s, ", no writer");
	}
}

/* A reader may be stopped while it waits for a chunk; one that came since is not what it lacks. */
static bool chunks_stuck(const struct bstream_stat *stat, const struct stuck *stuck)
{
	return stat->in_flight > 0 && stuck->reader && who_halted(stuck->reader_doing);
}

static void sentence_add_stuck(struct sentence *s, const struct bstream_stat *stat,
			       const struct stuck *stuck)
{
	char waited[UNITS_MAX];

	if (writers_stuck(stat, stuck)) {
		sentence_add(s, "%" PRIu32 " writer%s blocked %s", stuck->n_blocked,
			     plural(stuck->n_blocked), units_print_time(waited, stuck->blocked_ns));
		sentence_add_blocker(s, stat, stuck);
	} else if (chunks_stuck(stat, stuck)) {
		sentence_add(s, "%" PRIu32 " chunk%s wait%s: ", stat->in_flight,
			     plural(stat->in_flight), stat->in_flight == 1 ? "s" : "");
		sentence_add_process(s, "reader", stuck->reader_pid, stuck->reader_doing);
	} else if (stuck->reader_waits && (stuck->reader_ns >= STUCK_NS || stuck->n_halted > 0)) {
		sentence_add(s, "reader waits %s", units_print_time(waited, stuck->reader_ns));
		sentence_add_missing(s, stat, stuck);
	}
}

bool stuck_is(const struct bstream_stat *stat, const struct stuck *stuck)
{
	if (stat->flags & BSTREAM_BROKEN)
		return false;
	return writers_stuck(stat, stuck) || (stuck->reader_waits && stuck->n_halted > 0) ||
	       chunks_stuck(stat, stuck);
}

enum table_color stuck_color(const struct bstream_stat *stat, const struct stuck *stuck)
{
	if (stat->flags & BSTREAM_LOST_WRITER)
		return TABLE_RED;
	if (!stuck_is(stat, stuck))
		return TABLE_PLAIN;
	return who_halted(stuck->reader_doing) || stuck->n_halted > 0 ? TABLE_RED : TABLE_YELLOW;
}

const char *stuck_say(char buf[STUCK_MAX], const struct bstream_stat *stat,
		      const struct stuck *stuck)
{
	struct sentence s = { .buf = buf };

	buf[0] = '\0';
	if (!(stat->flags & BSTREAM_BROKEN))
		sentence_add_stuck(&s, stat, stuck);
	if (stat->flags & BSTREAM_LOST_WRITER)
		sentence_add(&s, "%sa writer died", s.len > 0 ? ", " : "");
	return buf;
}

/* Why it rests, where nobody is stuck. */
static void sentence_add_rest(struct sentence *s, const struct bstream_stat *stat)
{
	if (stat->flags & BSTREAM_BROKEN) {
		sentence_add(s, "the reader has left");
		if (stat->in_flight > 0)
			sentence_add(s, ", %" PRIu32 " chunk%s unread", stat->in_flight,
				     plural(stat->in_flight));
	} else if (stat->in_flight > 0 && stat->reader != BSTREAM_READER_OPEN) {
		sentence_add(s, "%" PRIu32 " chunk%s wait%s, no reader", stat->in_flight,
			     plural(stat->in_flight), stat->in_flight == 1 ? "s" : "");
	} else if (stat->flags & BSTREAM_ENDED) {
		if (stat->in_flight == 0)
			sentence_add(s, "it has ended, and all was read");
	} else if (stat->writers == 0 && stat->in_flight == 0) {
		sentence_add(s, "%s, no writer",
			     stat->chunks_written == 0 ? "nothing was written" : "all was read");
	}
}

const char *stuck_explain(char buf[STUCK_MAX], const struct bstream_stat *stat,
			  const struct stuck *stuck)
{
	struct sentence s = { .buf = buf };

	buf[0] = '\0';
	if (!(stat->flags & BSTREAM_BROKEN))
		sentence_add_stuck(&s, stat, stuck);
	if (s.len == 0)
		sentence_add_rest(&s, stat);
	if (stat->flags & BSTREAM_LOST_WRITER)
		sentence_add(&s, "%sa writer died", s.len > 0 ? ", " : "");
	return buf;
}
