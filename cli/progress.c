/* SPDX-License-Identifier: MIT */
/*
 * progress.c - owns the lines about how far a write or a read has come.
 *
 * A thread prints them, because the other one may be waiting inside the library, where a signal
 * does not end a wait. The data path pays for two relaxed stores of counters that only it writes.
 * The handler of SIGUSR1 adds to an eventfd and does nothing else; without -p the thread sleeps on
 * that for ever. Without -p there is no thread before the stream is open either, because opening it
 * costs a process with threads some milliseconds more (membarrier(2) registers it): until then the
 * handler writes the one line that can be true by itself. The fill is looked up in a view of the thread's own, never in the handle at work.
 * One at a time in a process; intake.c, pour.c and verb_tee.c use it.
 */
#include "config.h"
#include "bstream.h"
#include "json_line.h"
#include "progress.h"
#include "say.h"
#include "units.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TICK_TERMINAL_MS 250
#define TICK_MS		 1000
#define WAKE_STOP	 (UINT64_C(1) << 32) /* in the eventfd; below it, signals are counted */
#define NAME_MIN	 8 /* of a name that is cut */

/* Where the last line was, so that the next can tell the rate since. */
struct progress_mark {
	uint64_t bytes, ns;
};

static struct {
	const char *name;
	enum progress_form form;
	bool terminal, running;
	_Atomic bool nameless;
	char idle_line[BSTREAM_NAME_MAX + 128]; /* what SIGUSR1 prints while there is no thread */
	size_t idle_len;
	int wake_fd;
	pthread_t thread;
	_Atomic bool threaded;
	_Atomic uint64_t chunks, bytes, opened_ns;
	struct bstream_view *view; /* the printing thread's */
} progress = { .wake_fd = -1 };

bool progress_take(void *to, const char *text)
{
	if (text && strcmp(text, "json") != 0)
		return false;
	*(enum progress_form *)to = text ? PROGRESS_JSON : PROGRESS_LINES;
	return true;
}

int progress_choose(enum progress_form *form, bool json, bool quiet)
{
	if (*form && json)
		*form = PROGRESS_JSON;
	if (*form == PROGRESS_JSON && !json_line_available())
		return say_usage("--progress=json", "this bstreamctl was built without jansson");
	if (quiet)
		*form = PROGRESS_NONE;
	return 0;
}

static void wake(uint64_t with)
{
	ssize_t n = write(progress.wake_fd, &with, sizeof(with));

	(void)n; /* an eventfd takes 2^64 - 2 of these before it refuses */
}

static void idle_line_write(void)
{
	ssize_t n = write(STDERR_FILENO, progress.idle_line, progress.idle_len);

	(void)n; /* nobody can be told */
}

static void on_sigusr1(int signal_number)
{
	int saved = errno;

	(void)signal_number;
	if (atomic_load_explicit(&progress.threaded, memory_order_relaxed))
		wake(1);
	else
		idle_line_write();
	errno = saved;
}

/* False when the stream cannot be seen, then without a fill. */
static bool fill_look(struct bstream_stat *stat)
{
	stat->size = sizeof(*stat);
	if (atomic_load_explicit(&progress.nameless, memory_order_relaxed))
		return false;
	if (!progress.view && bstream_view_open(progress.name, &progress.view) < 0)
		return false;
	return bstream_view_stat(progress.view, stat) == 0;
}

static void line_print_json(uint64_t bytes, uint64_t rate, uint64_t elapsed_ns,
			    const struct bstream_stat *stat)
{
	struct json_line *line = json_line_new();

	json_line_text(line, "name", progress.name);
	json_line_number(line, "chunks",
			 atomic_load_explicit(&progress.chunks, memory_order_relaxed));
	json_line_number(line, "bytes", bytes);
	json_line_number(line, "bytes_per_s", rate);
	json_line_number(line, "elapsed_ns", elapsed_ns);
	if (stat) {
		json_line_number(line, "in_flight", stat->in_flight);
		json_line_number(line, "capacity", stat->capacity);
	}
	json_line_print(line, stderr);
}

/* How many places of the terminal are free for the line: the last one stays so. 0: as many as it takes. */
static size_t line_room(void)
{
	struct winsize window;

	if (!progress.terminal || ioctl(STDERR_FILENO, TIOCGWINSZ, &window) < 0)
		return 0;
	return window.ws_col > 1 ? window.ws_col - 1U : window.ws_col;
}

/*
 * Makes the line. One that wraps cannot be written over: it ends before the terminal does. A name of which
 * NAME_MIN places would be left makes room for the figures first. Returns the line's length.
 */
static size_t line_make_text(char *text, size_t size, uint64_t bytes, uint64_t rate,
			     const struct bstream_stat *stat)
{
	char amount[UNITS_MAX], speed[UNITS_MAX], fill[32] = "", figures[128];
	const char *name = progress.name, *cut = "";
	size_t room = line_room(), name_len = strlen(name), len;

	if (stat)
		snprintf(fill, sizeof(fill), "  fill %u/%u", stat->in_flight, stat->capacity);
	len = (size_t)snprintf(figures, sizeof(figures), "  %s  %s%s",
			       units_print_size(amount, bytes), units_print_rate(speed, rate),
			       fill);
	if (room && name_len > NAME_MIN && name_len + len > room) {
		size_t left = room > len + NAME_MIN ? room - len : NAME_MIN;

		name += name_len - (left - 1);
		cut = "~";
	}
	snprintf(text, size, "%s%s%s%s", progress.terminal ? "\r" : "", cut, name, figures);
	if (room && room + 1 < size)
		text[1 + room] = '\0';
	return strlen(text);
}

/*
 * The terminal is not ours while we are in the background: what is written there would stand in the
 * middle of somebody's work, or stop us (TOSTOP).
 */
static bool terminal_is_ours(void)
{
	pid_t group = tcgetpgrp(STDERR_FILENO);

	return group < 0 || group == getpgrp();
}

static void line_print_text(uint64_t bytes, uint64_t rate, const struct bstream_stat *stat)
{
	char text[BSTREAM_NAME_MAX + 160];

	if (progress.terminal && !terminal_is_ours())
		return;
	line_make_text(text, sizeof(text), bytes, rate, stat);
	fprintf(stderr, progress.terminal ? "%s\033[K" : "%s\n", text);
	fflush(stderr);
}

/* Prints the state of now, with the rate since @since. */
static void line_print(const struct progress_mark *since)
{
	uint64_t opened_ns = atomic_load_explicit(&progress.opened_ns, memory_order_acquire);
	uint64_t bytes = atomic_load_explicit(&progress.bytes, memory_order_relaxed);
	uint64_t now = units_now(), from = since->ns > opened_ns ? since->ns : opened_ns;
	uint64_t rate = opened_ns ? units_per_second(bytes - since->bytes, now - from) : 0;
	struct bstream_stat stat = { 0 };
	bool seen = opened_ns && fill_look(&stat);

	if (progress.form == PROGRESS_JSON)
		line_print_json(bytes, rate, opened_ns ? now - opened_ns : 0, seen ? &stat : NULL);
	else
		line_print_text(bytes, rate, seen ? &stat : NULL);
}

static void *progress_loop(void *unused)
{
	int tick_ms = progress.terminal ? TICK_TERMINAL_MS : TICK_MS;
	struct pollfd poll_fd = { .fd = progress.wake_fd, .events = POLLIN };
	struct progress_mark start = { 0 }, last = { 0 };

	(void)unused;
	for (;;) {
		uint64_t woken = 0;
		int n = poll(&poll_fd, 1, progress.form ? tick_ms : -1);

		if (n < 0 || (n > 0 && read(progress.wake_fd, &woken, sizeof(woken)) < 0))
			continue; /* a signal's handler ran here: it has asked, and is heard next */
		if (woken >= WAKE_STOP)
			return NULL;
		/* Asked by a signal: the rate of the whole time. By the clock: the rate of now. */
		line_print(woken ? &start : &last);
		last.bytes = atomic_load_explicit(&progress.bytes, memory_order_relaxed);
		last.ns = units_now();
	}
}

static void thread_start(void)
{
	progress.wake_fd = eventfd(0, EFD_CLOEXEC);
	if (progress.wake_fd < 0)
		return;
	if (pthread_create(&progress.thread, NULL, progress_loop, NULL) != 0) {
		close(progress.wake_fd);
		return;
	}
	atomic_store_explicit(&progress.threaded, true, memory_order_relaxed);
}

void progress_start(const char *name, enum progress_form form)
{
	struct sigaction action = { .sa_handler = on_sigusr1, .sa_flags = SA_RESTART };
	const char *term = getenv("TERM");

	progress.name = name;
	progress.form = form;
	progress.terminal = form == PROGRESS_LINES && isatty(STDERR_FILENO) && term && *term &&
			    strcmp(term, "dumb") != 0;
	progress.idle_len =
		line_make_text(progress.idle_line, sizeof(progress.idle_line) - 1, 0, 0, NULL);
	progress.idle_line[progress.idle_len++] = '\n';
	progress.running = true;
	if (form)
		thread_start();
	sigaction(SIGUSR1, &action, NULL);
}

void progress_nameless(void)
{
	atomic_store_explicit(&progress.nameless, true, memory_order_relaxed);
}

void progress_opened(void)
{
	atomic_store_explicit(&progress.opened_ns, units_now(), memory_order_release);
	if (!progress.form)
		thread_start();
}

void progress_add(size_t len)
{
	uint64_t chunks = atomic_load_explicit(&progress.chunks, memory_order_relaxed);
	uint64_t bytes = atomic_load_explicit(&progress.bytes, memory_order_relaxed);

	/* Only this thread stores, so no read-modify-write is needed. */
	atomic_store_explicit(&progress.chunks, chunks + 1, memory_order_relaxed);
	atomic_store_explicit(&progress.bytes, bytes + len, memory_order_relaxed);
}

void progress_stop(void)
{
	const struct progress_mark start = { 0 };

	if (!progress.running)
		return;
	progress.running = false;
	signal(SIGUSR1, SIG_IGN);
	if (progress.threaded) {
		wake(WAKE_STOP);
		pthread_join(progress.thread, NULL);
		close(progress.wake_fd);
	}
	if (progress.form)
		line_print(&start);
	if (progress.terminal && terminal_is_ours())
		fputc('\n', stderr);
	bstream_view_close(progress.view);
	progress.view = NULL;
}
