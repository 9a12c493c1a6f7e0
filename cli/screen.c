/* SPDX-License-Identifier: MIT */
/*
 * screen.c - owns the terminal while top is on it: setting it up, keys, the clock, and giving it back.
 *
 * Signals are blocked but for the time in ppoll, so none comes between a look at its flag and the
 * wait. What ends the program does so as it always does, after the terminal is as it was. ncurses
 * answers SIGWINCH (as a key) and SIGTSTP by itself. verb_top.c calls this, once.
 */
#include "config.h"
#include "outcome.h"
#include "say.h"
#include "screen.h"
#include "screen_rows.h"
#include "table.h"
#include "units.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS  INT64_C(100000000) /* from the first look to the first rates */
#define DELAY_MIN INT64_C(100000000) /* that + goes down to */
#define DELAY_MAX INT64_C(60000000000)
#define NS_PER_S  UINT64_C(1000000000)
#define KEY_ESC	  27
#define KEY_RET	  '\r'

static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static _Atomic int died_by; /* a signal that came; 0: none */

static void on_deadly(int number)
{
	died_by = number;
}

static void signals_take(sigset_t *old)
{
	struct sigaction action = { .sa_handler = on_deadly }, before;
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGWINCH);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		/* What the caller ignores (nohup) stays ignored. */
		if (sigaction(deadly[i], NULL, &before) < 0 || before.sa_handler == SIG_IGN)
			continue;
		sigaction(deadly[i], &action, NULL);
		sigaddset(&blocked, deadly[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, old);
}

static bool terminal_open(struct screen *screen, bool colored)
{
	setlocale(LC_CTYPE, "");
	screen->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (!newterm(NULL, stdout, stdin))
		return false;
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	if (!colored || !has_colors() || start_color() == ERR)
		return true;
	use_default_colors();
	init_pair(TABLE_RED, COLOR_RED, -1);
	init_pair(TABLE_GREEN, COLOR_GREEN, -1);
	init_pair(TABLE_YELLOW, COLOR_YELLOW, -1);
	screen->colored = true;
	return true;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void cursor_move(struct screen *screen, long by)
{
	size_t n = screen->watch->n_rows, at = screen->at;

	if (n == 0)
		return;
	if (by < 0)
		at = at > (size_t)-by ? at - (size_t)-by : 0;
	else
		at = n - 1 - at > (size_t)by ? at + (size_t)by : n - 1;
	screen->at = at;
	memcpy(screen->selected, screen->watch->rows[at].row.stat.name, sizeof(screen->selected));
}

static void sort_next(struct screen *screen, bool back)
{
	const struct column *columns;
	size_t n, i;

	columns = column_all(&n);
	i = (size_t)(screen->sort - columns);
	screen->sort = &columns[back ? (i + n - 1) % n : (i + 1) % n];
	watch_sort(screen->watch, screen->sort, screen->reverse);
}

static void delay_change(struct screen *screen, bool faster)
{
	int64_t ns = faster ? screen->delay_ns / 2 : screen->delay_ns * 2;

	if (ns >= DELAY_MIN && ns <= DELAY_MAX)
		screen->delay_ns = ns;
}

static bool key_moves_cursor(struct screen *screen, int key)
{
	int page = LINES > 4 ? LINES - 3 : 1;

	switch (key) {
	case KEY_UP:
	case 'k':
		cursor_move(screen, -1);
		return true;
	case KEY_DOWN:
	case 'j':
		cursor_move(screen, 1);
		return true;
	case KEY_PPAGE:
		cursor_move(screen, -page);
		return true;
	case KEY_NPAGE:
		cursor_move(screen, page);
		return true;
	case KEY_HOME:
	case 'g':
		cursor_move(screen, -(long)screen->watch->n_rows);
		return true;
	case KEY_END:
	case 'G':
		cursor_move(screen, (long)screen->watch->n_rows);
		return true;
	default:
		return false;
	}
}

/* False: it is to leave. */
static bool on_key(struct screen *screen, int key)
{
	if (key == 'q' || key == 'Q')
		return false;
	if (key == KEY_RESIZE || (screen->shows != SHOW_HELP && key_moves_cursor(screen, key)))
		return true;
	if (screen->shows == SHOW_HELP || key == KEY_ESC) {
		screen->shows = SHOW_TABLE;
		return true;
	}
	switch (key) {
	case 'h':
	case '?':
	case KEY_F(1):
		screen->shows = SHOW_HELP;
		break;
	case KEY_RET:
	case KEY_ENTER:
		screen->shows = screen->shows == SHOW_ENDS ? SHOW_TABLE : SHOW_ENDS;
		break;
	case 's':
	case 'S':
		sort_next(screen, key == 'S');
		break;
	case 'r':
		screen->reverse = !screen->reverse;
		watch_sort(screen->watch, screen->sort, screen->reverse);
		break;
	case '+':
	case '-':
		delay_change(screen, key == '+');
		break;
	case ' ':
		screen->paused = !screen->paused;
		break;
	case 'L' & 31:
		clearok(curscr, TRUE);
		break;
	}
	return true;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Waits for a key, a signal or the next look. False: the terminal has gone. */
static bool screen_wait(const struct screen *screen, uint64_t next_ns, const sigset_t *mask)
{
	struct pollfd poll_fd = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t now = units_now(), ns = next_ns > now ? next_ns - now : 0;
	struct timespec ts = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };

	if (ppoll(&poll_fd, 1, screen->paused ? NULL : &ts, mask) <= 0)
		return true;
	return !(poll_fd.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static bool keys_take(struct screen *screen)
{
	int key;

	while ((key = getch()) != ERR)
		if (!on_key(screen, key))
			return false;
	return true;
}

static void screen_loop(struct screen *screen, uint64_t iterations, const sigset_t *mask)
{
	int64_t first = screen->delay_ns < FIRST_NS ? screen->delay_ns : FIRST_NS;
	uint64_t n_looks = 0, due = units_now() + (uint64_t)first;

	for (;;) {
		screen_draw(screen);
		if (!screen_wait(screen, due, mask) || died_by || !keys_take(screen))
			return;
		if (screen->paused || units_now() < due) {
			/* A shorter delay counts at once. */
			if (n_looks && due > screen->looked_ns + (uint64_t)screen->delay_ns)
				due = screen->looked_ns + (uint64_t)screen->delay_ns;
			continue;
		}
		if (iterations && n_looks++ >= iterations)
			return;
		n_looks = n_looks ? n_looks : 1;
		watch_look(screen->watch);
		watch_sort(screen->watch, screen->sort, screen->reverse);
		screen->looked_ns = units_now();
		due = screen->looked_ns + (uint64_t)screen->delay_ns;
	}
}

int screen_run(const struct screen_plan *plan)
{
	struct screen screen = {
		.watch = plan->watch,
		.sort = plan->sort,
		.reverse = plan->reverse,
		.delay_ns = plan->delay_ns,
		.looked_ns = units_now(),
	};
	sigset_t mask;

	if (!terminal_open(&screen, plan->colored)) {
		say_failure("top", "this terminal cannot show it (TERM; top -b prints tables)");
		return CODE_FAILURE;
	}
	signals_take(&mask);
	watch_sort(screen.watch, screen.sort, screen.reverse);
	screen_loop(&screen, plan->iterations, &mask);
	endwin();
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (died_by) {
		signal(died_by, SIG_DFL);
		raise(died_by);
	}
	return CODE_DONE;
}
