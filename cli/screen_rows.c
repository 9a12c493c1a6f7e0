/* SPDX-License-Identifier: MIT */
/*
 * screen_rows.c - owns what stands on the screen of top: the table, the ends of one stream, the help.
 *
 * Everything is drawn anew each time, for the size that there is; ncurses sends the differences. A
 * terminal that is too narrow loses columns, the least needed first, then the end of the names; the
 * sentence about who is stuck gets a line of its own where it does not fit behind its row. Colour
 * repeats what the words say, so nothing is lost without it. Only screen.c calls this, between
 * newterm and endwin.
 */
#include "config.h"
#include "screen_rows.h"
#include "state.h"
#include "units.h"

#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BAR_CELLS 10
#define NAME_MIN  8
#define LINE_CAP  512

/* ---- one line -------------------------------------------------------------------------------- */

static int attributes_of(const struct screen *screen, enum table_color color)
{
	if (color == TABLE_PLAIN)
		return A_NORMAL;
	if (color == TABLE_BOLD || !screen->colored)
		return A_BOLD;
	/* The pairs have the numbers of the colours. */
	return COLOR_PAIR(color) | (color == TABLE_RED ? A_BOLD : 0);
}

/* Adds @text at the cursor in at most @room places; if more than blanks are cut off, a mark says so. */
static void put_cut(const struct screen *screen, const char *text, size_t room)
{
	if (strlen(text) <= room || !text[room + strspn(text + room, " ")]) {
		addnstr(text, (int)room);
		return;
	}
	addnstr(text, (int)room - 1);
	addstr(screen->utf8 ? "\u2026" : "~");
}

/* Adds @text at the cursor, as far as the line goes: the last column stays free. */
static void put(const struct screen *screen, enum table_color color, const char *text)
{
	int room = COLS - getcurx(stdscr) - 1;
	int attributes = attributes_of(screen, color);

	if (room <= 0)
		return;
	attron(attributes);
	put_cut(screen, text, (size_t)room);
	attroff(attributes);
}

static void put_cell(const struct screen *screen, enum table_color color, const char *text,
		     size_t width, bool right)
{
	char cell[LINE_CAP];

	if (!right && strlen(text) > width) {
		attron(attributes_of(screen, color));
		put_cut(screen, text, width);
		attroff(attributes_of(screen, color));
		return;
	}
	snprintf(cell, sizeof(cell), right ? "%*.*s" : "%-*.*s", (int)width, (int)width, text);
	put(screen, color, cell);
}

/* A whole line in reverse video; of its items, which two blanks part, those that fit. */
static void put_bar_line(int y, const char *text)
{
	int len = (int)strlen(text);

	while (len >= COLS || (len > 0 && text[len] && strncmp(text + len, "  ", 2) != 0))
		len--;
	attron(A_REVERSE);
	mvhline(y, 0, ' ', COLS);
	mvaddnstr(y, 0, text, len);
	attroff(A_REVERSE);
}

/* ---- the columns of the table ---------------------------------------------------------------- */

enum shown { NAME, STATE, FILL, RATE, CHUNK_RATE, WRITERS, READER, AGE, N_SHOWN };

static const struct {
	const char *heading;
	size_t width_min; /* so that rows do not jump about with every look */
	bool right;
} shown[N_SHOWN] = {
	[NAME] = { "NAME", NAME_MIN, false },	[STATE] = { "STATE", 7, false },
	[FILL] = { "FILL", 5, false },		[RATE] = { "RATE", 10, true },
	[CHUNK_RATE] = { "CHUNKS/S", 8, true }, [WRITERS] = { "WRITERS", 7, true },
	[READER] = { "READER", 6, false },	[AGE] = { "AGE", 3, true },
};

/* A width of 0: the column is left out. */
struct widths {
	size_t of[N_SHOWN];
	bool bar;
};

static const struct column *shown_column(enum shown i)
{
	return column_find(shown[i].heading, strlen(shown[i].heading));
}

static size_t widths_total(const struct widths *w)
{
	size_t total = w->bar ? BAR_CELLS + 1 : 0;

	for (int i = 0; i < N_SHOWN; i++)
		total += w->of[i] ? w->of[i] + 2 : 0;
	return total;
}

static void widths_fit(struct widths *w, size_t cols)
{
	/* The least needed first; the bar stands at its own place among them. */
	static const enum shown drop[] = { CHUNK_RATE, AGE, WRITERS, N_SHOWN, READER, RATE, FILL };

	for (size_t i = 0; i < sizeof(drop) / sizeof(drop[0]) && widths_total(w) > cols; i++) {
		if (drop[i] == N_SHOWN)
			w->bar = false;
		else
			w->of[drop[i]] = 0;
		/* Names that are cut are worse than a column less, down to this. */
		if (widths_total(w) > cols && w->of[NAME] > 2 * NAME_MIN &&
		    widths_total(w) - cols <= w->of[NAME] - 2 * NAME_MIN)
			w->of[NAME] -= widths_total(w) - cols;
	}
	if (widths_total(w) > cols)
		w->of[NAME] = w->of[NAME] > widths_total(w) - cols + NAME_MIN
				      ? w->of[NAME] - (widths_total(w) - cols)
				      : NAME_MIN;
}

static struct widths widths_find(const struct watch *watch)
{
	struct widths w = { .bar = true };
	char cell[COLUMN_CELL_MAX];

	for (int i = 0; i < N_SHOWN; i++) {
		const struct column *column = shown_column((enum shown)i);

		w.of[i] = shown[i].width_min;
		for (size_t row = 0; row < watch->n_rows; row++) {
			const struct column_look look = listing_row_look(&watch->rows[row].row);
			size_t len;

			column->print(cell, &look);
			len = strlen(cell);
			w.of[i] = len > w.of[i] ? len : w.of[i];
		}
	}
	/* Behind the last column stands nothing, but the line's last place stays free. */
	widths_fit(&w, (size_t)COLS + 1);
	return w;
}

/* ---- one row --------------------------------------------------------------------------------- */

static void put_fill_bar(const struct screen *screen, const struct listing_row *row,
			 enum table_color color)
{
	const char *full = screen->utf8 ? "\u2588" : "#", *empty = screen->utf8 ? "\u2591" : ".";
	uint64_t in_flight = row->stat.in_flight, capacity = row->stat.capacity;
	uint64_t n = (in_flight * BAR_CELLS + capacity - 1) / (capacity ? capacity : 1);
	char bar[BAR_CELLS * 4 + 1] = "";

	for (uint64_t i = 0; i < BAR_CELLS; i++)
		strcat(bar, i < n ? full : empty);
	put(screen, color, bar);
	put(screen, TABLE_PLAIN, " ");
}

static enum table_color row_color(const struct listing_row *row)
{
	return stuck_is(&row->stat, &row->stuck) ? stuck_color(&row->stat, &row->stuck)
						 : state_color(&row->stat, row->moving);
}

static bool why_fits(const struct widths *w, const char *why)
{
	return widths_total(w) + strlen(why) < (size_t)COLS;
}

/* How many lines a row takes. */
static int row_lines(const struct listing_row *row, const struct widths *w)
{
	char why[STUCK_MAX];

	stuck_say(why, &row->stat, &row->stuck);
	return *why && !why_fits(w, why) ? 2 : 1;
}

static void put_row(const struct screen *screen, const struct listing_row *row,
		    const struct widths *w, bool selected)
{
	const struct column_look look = listing_row_look(row);
	char cell[COLUMN_CELL_MAX], why[STUCK_MAX];
	enum table_color color;

	stuck_say(why, &row->stat, &row->stuck);
	color = row_color(row);
	for (int i = 0; i < N_SHOWN; i++) {
		if (!w->of[i])
			continue;
		shown_column((enum shown)i)->print(cell, &look);
		if (i == FILL && w->bar)
			put_fill_bar(screen, row, color);
		if (i == NAME && selected)
			attron(A_REVERSE);
		put_cell(screen, i == STATE ? color : TABLE_PLAIN, cell, w->of[i], shown[i].right);
		if (i == NAME && selected)
			attroff(A_REVERSE);
		put(screen, TABLE_PLAIN, "  ");
	}
	if (!*why)
		return;
	if (!why_fits(w, why)) {
		move(getcury(stdscr) + 1, 0);
		put(screen, color, screen->utf8 ? "  \u2514 " : "  ` ");
	}
	put(screen, color, why);
}

static void put_headings(const struct screen *screen, int y, const struct widths *w)
{
	char line[LINE_CAP] = "";
	size_t n = 0;

	for (int i = 0; i < N_SHOWN; i++) {
		char heading[32];
		size_t width = w->of[i] + (i == FILL && w->bar ? BAR_CELLS + 1 : 0);

		if (!w->of[i])
			continue;
		/* The column that is sorted by is marked, where the mark has room. */
		snprintf(heading, sizeof(heading), "%s%s", shown[i].heading,
			 screen->sort == shown_column((enum shown)i) &&
					 strlen(shown[i].heading) < width
				 ? "*"
				 : "");
		n += (size_t)snprintf(line + n, sizeof(line) - n,
				      shown[i].right ? "%*s  " : "%-*s  ", (int)width, heading);
		n = n < sizeof(line) ? n : sizeof(line) - 1;
	}
	put_bar_line(y, line);
}

/* ---- the table ------------------------------------------------------------------------------- */

static uint64_t rate_total(const struct watch *watch)
{
	uint64_t rate = 0;

	for (size_t i = 0; i < watch->n_rows; i++)
		rate += watch->rows[i].row.rate;
	return rate;
}

static void put_summary(const struct screen *screen)
{
	const struct watch *watch = screen->watch;
	size_t n_stuck = watch_n_stuck(watch);
	char text[LINE_CAP], rate[UNITS_MAX];

	move(0, 0);
	snprintf(text, sizeof(text), "%zu stream%s, %zu flowing, ", watch->n_rows,
		 watch->n_rows == 1 ? "" : "s", watch_n_moving(watch));
	put(screen, TABLE_BOLD, text);
	snprintf(text, sizeof(text), "%zu stuck", n_stuck);
	put(screen, n_stuck ? TABLE_YELLOW : TABLE_BOLD, text);
	snprintf(text, sizeof(text), "   %s", units_print_rate(rate, rate_total(watch)));
	put(screen, TABLE_BOLD, text);
	if (screen->paused)
		put(screen, TABLE_YELLOW, "   paused");
	if (watch->err)
		put(screen, TABLE_RED, "   no broker");
	snprintf(text, sizeof(text), "   every %g s, by %s%s", (double)screen->delay_ns / 1e9,
		 screen->sort->heading, screen->reverse ? " reversed" : "");
	if (getcurx(stdscr) + (int)strlen(text) < COLS) /* the least important */
		put(screen, TABLE_PLAIN, text);
}

/* Moves the cursor to where its stream went, and the window to where the cursor is. */
static void table_follow(struct screen *screen, const struct widths *w, int n_lines)
{
	const struct watch *watch = screen->watch;
	int lines = 0;

	for (size_t i = 0; i < watch->n_rows; i++)
		if (!strcmp(watch->rows[i].row.stat.name, screen->selected))
			screen->at = i;
	if (screen->at >= watch->n_rows)
		screen->at = watch->n_rows ? watch->n_rows - 1 : 0;
	if (watch->n_rows > 0)
		memcpy(screen->selected, watch->rows[screen->at].row.stat.name,
		       sizeof(screen->selected));
	if (screen->first > screen->at)
		screen->first = screen->at;
	/* From the cursor upwards: what still fits above it. */
	for (size_t i = screen->at + 1; i-- > screen->first && i < watch->n_rows;) {
		lines += row_lines(&watch->rows[i].row, w);
		if (lines > n_lines && i < screen->at) {
			screen->first = i + 1;
			break;
		}
	}
}

static void draw_table(struct screen *screen)
{
	const struct watch *watch = screen->watch;
	struct widths w = widths_find(watch);
	int y = 2, y_end = LINES - 1;

	table_follow(screen, &w, y_end - y);
	put_summary(screen);
	put_headings(screen, 1, &w);
	for (size_t i = screen->first; i < watch->n_rows; i++) {
		int n = row_lines(&watch->rows[i].row, &w);

		if (y + n > y_end && y + 1 > y_end)
			break;
		move(y, 0);
		put_row(screen, &watch->rows[i].row, &w, i == screen->at);
		y += n;
	}
	if (watch->n_rows == 0) {
		move(y, 0);
		put(screen, TABLE_PLAIN,
		    watch->n_patterns ? "no stream of such a name" : "no streams");
	}
	move(LINES - 1, 0);
	clrtoeol();
	put_bar_line(LINES - 1,
		     "q quit  h help  enter ends  s sort  r reverse  + - speed  space pause");
}

/* ---- the ends of one stream ------------------------------------------------------------------ */

/* The columns of the table of ends; a width of 0: it is left out. */
struct ends_widths {
	int process, user, chunks, bytes;
};

#define DOES_MIN 24 /* "waits for room, 1000 s" */

struct ends {
	const struct screen *screen;
	struct ends_widths w;
	int y;
	int n; /* seen */
	bool reader; /* was there */
};

static const char *end_process(char buf[WHO_MAX], const struct bstream_end *end)
{
	return end->pid ? who_process(buf, end->pid) : "between two processes";
}

static int on_end_measure(const struct bstream_end *end, void *arg)
{
	struct ends *ends = arg;
	char text[WHO_MAX];
	int len = (int)strlen(end_process(text, end));

	ends->w.process = len > ends->w.process ? len : ends->w.process;
	len = (int)strlen(who_user(text, end->uid));
	ends->w.user = len > ends->w.user ? len : ends->w.user;
	return ++ends->n >= LINES; /* more than can be shown */
}

/* What an end does comes last, and is what is looked for: before it is cut, columns are left out. */
static void ends_fit(struct ends *ends, struct bstream_view *view)
{
	struct ends_widths *w = &ends->w;
	int *const drop[] = { &w->user, &w->chunks, &w->bytes };

	*w = (struct ends_widths){ .process = 7, .user = 4, .chunks = 8, .bytes = 8 };
	bstream_view_ends(view, on_end_measure, ends);
	for (size_t i = 0; i < sizeof(drop) / sizeof(drop[0]); i++) {
		int total = 8 + w->process + 2 + DOES_MIN;

		for (size_t k = i; k < sizeof(drop) / sizeof(drop[0]); k++)
			total += *drop[k] + 2;
		if (total >= COLS)
			*drop[i] = 0;
	}
}

/* A line of the table of ends, or its headings, but for what the end does. */
static void end_line(char line[LINE_CAP], const struct ends_widths *w, const char *const cell[5])
{
	const int widths[] = { 6, w->process, w->user, w->chunks, w->bytes };
	size_t n = 0;

	for (int i = 0; i < 5; i++)
		if (widths[i] && n < LINE_CAP)
			n += (size_t)snprintf(line + n, LINE_CAP - n, i < 3 ? "%-*s  " : "%*s  ",
					      widths[i], cell[i]);
}

static int on_end(const struct bstream_end *end, void *arg)
{
	static const char *const doings[] = {
		[WHO_STOPPED] = "stopped: ",
		[WHO_TRACED] = "held by a debugger: ",
		[WHO_EXITED] = "exited: ",
		[WHO_HANGS] = "waits for a disk or the like: ",
	};
	struct ends *ends = arg;
	enum who_doing doing = who_doing(end->pid);
	const char *does = doing < sizeof(doings) / sizeof(doings[0]) ? doings[doing] : NULL;
	char process[WHO_MAX], user[WHO_MAX], size[UNITS_MAX], waited[UNITS_MAX];
	char line[LINE_CAP], chunks[24], wait[128] = "not waiting";

	ends->reader = ends->reader || end->kind == BSTREAM_END_READER;
	if (ends->y >= LINES - 1)
		return 1;
	if (end->waits_for != BSTREAM_WAITS_NOT)
		snprintf(wait, sizeof(wait), "waits for %s, %s", stuck_waits_for(end),
			 units_print_time(waited, stuck_waited(end)));
	snprintf(chunks, sizeof(chunks), "%" PRIu64, end->chunks);
	end_line(line, &ends->w,
		 (const char *const[]){ end->kind == BSTREAM_END_READER ? "reader" : "writer",
					end_process(process, end), who_user(user, end->uid), chunks,
					units_print_size(size, end->bytes) });
	move(ends->y++, 0);
	put(ends->screen, TABLE_PLAIN, line);
	/* What ends in a colon goes on with the wait. */
	put(ends->screen, TABLE_RED, does ? does : "");
	put(ends->screen, does ? TABLE_RED : TABLE_PLAIN, wait);
	return 0;
}

static void put_field(const struct screen *screen, int *y, const char *field,
		      enum table_color color, const char *text)
{
	if (*y >= LINES - 1)
		return;
	move((*y)++, 0);
	put_cell(screen, TABLE_PLAIN, field, 10, false);
	put(screen, color, text);
}

static void draw_ends_head(const struct screen *screen, int *y, const struct listing_row *row)
{
	char text[LINE_CAP], why[STUCK_MAX], a[UNITS_MAX], b[UNITS_MAX];

	stuck_explain(why, &row->stat, &row->stuck);
	put_field(screen, y, "state", row_color(row), state_word(&row->stat, row->moving));
	if (*why && !row->moving)
		put_field(screen, y, "why", stuck_color(&row->stat, &row->stuck), why);
	snprintf(text, sizeof(text), "%" PRIu32 "/%" PRIu32 " chunks of at most %s",
		 row->stat.in_flight, row->stat.capacity, units_print_size(a, row->stat.chunk_max));
	put_field(screen, y, "fill", TABLE_PLAIN, text);
	snprintf(text, sizeof(text), "%s, %" PRIu64 " chunks/s", units_print_rate(a, row->rate),
		 row->chunk_rate);
	put_field(screen, y, "rate", TABLE_PLAIN, text);
	snprintf(text, sizeof(text), "%s written, %s read",
		 units_print_size(a, row->stat.bytes_written),
		 units_print_size(b, row->stat.bytes_read));
	put_field(screen, y, "so far", TABLE_PLAIN, text);
}

static void draw_ends(struct screen *screen)
{
	const struct watch *watch = screen->watch;
	const struct widths none = { 0 };
	struct ends ends = { .screen = screen };
	char line[LINE_CAP];

	table_follow(screen, &none, LINES);
	move(0, 0);
	put(screen, TABLE_BOLD, screen->selected);
	ends.y = 1;
	if (watch->n_rows > 0 && watch->rows[screen->at].view) {
		const struct watch_row *row = &watch->rows[screen->at];

		draw_ends_head(screen, &ends.y, &row->row);
		ends_fit(&ends, row->view);
		end_line(line, &ends.w,
			 (const char *const[]){ "END", "PROCESS", "USER", "CHUNKS", "BYTES" });
		strncat(line, "DOES", sizeof(line) - strlen(line) - 1);
		if (ends.y < LINES - 1)
			put_bar_line(ends.y++, line);
		bstream_view_ends(row->view, on_end, &ends);
		if (!ends.reader)
			put_field(screen, &ends.y, "reader", TABLE_PLAIN,
				  row->row.stat.reader == BSTREAM_READER_NONE ? "gone" : "none");
	}
	put_bar_line(LINES - 1, "esc back  up, down: other streams  q quit  h help");
}

/* ---- help ------------------------------------------------------------------------------------ */

static void draw_help(const struct screen *screen)
{
	static const struct {
		enum table_color color;
		const char *text;
	} lines[] = {
		{ TABLE_BOLD, "bstreamctl top: how streams flow, who is stuck on whom" },
		{ TABLE_PLAIN, "up down k j  page up, down  home end    choose a stream" },
		{ TABLE_PLAIN, "enter        its ends: who, how much, what each waits for" },
		{ TABLE_PLAIN, "s S          sort by the next, previous column; * marks it" },
		{ TABLE_PLAIN, "r            the other way round" },
		{ TABLE_PLAIN, "+ -          look more often, less often" },
		{ TABLE_PLAIN, "space        pause, go on" },
		{ TABLE_PLAIN, "q            quit; esc: back to the table" },
		{ TABLE_PLAIN, "" },
		{ TABLE_GREEN, "green        chunks were read since the last look" },
		{ TABLE_YELLOW, "yellow       full, or somebody waits for a second or more" },
		{ TABLE_RED, "red          the reader is gone, a writer died, or a" },
		{ TABLE_RED, "             process is stopped" },
		{ TABLE_PLAIN, "" },
		{ TABLE_PLAIN, "RATE is what was read; WRITERS are write ends open; a bar" },
		{ TABLE_PLAIN, "is how full the stream is. Nothing here disturbs streams." },
	};

	for (int i = 0; i < (int)(sizeof(lines) / sizeof(lines[0])) && i < LINES - 1; i++) {
		move(i, 0);
		put(screen, lines[i].color, lines[i].text);
	}
	put_bar_line(LINES - 1, "any key: back");
}

void screen_draw(struct screen *screen)
{
	erase();
	if (screen->shows == SHOW_HELP)
		draw_help(screen);
	else if (screen->shows == SHOW_ENDS)
		draw_ends(screen);
	else
		draw_table(screen);
	refresh();
}
