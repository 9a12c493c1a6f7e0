/* SPDX-License-Identifier: MIT */
/*
 * loop.c - waiting, and calling whoever something happened to. While nothing happens, and something
 * is held, there is no timer: an idle broker does not wake.
 *
 * A callback may drop any client; it stays in memory to the end of the round, and is deaf.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/closer.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/watch.h"
#include "proto/hint.h"

/* More than there are: what is left over would be users of whom the round has not heard. */
#define BATCH 1100

int loop_add(struct broker *b, struct source *source, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = source };

	return epoll_ctl(b->epoll, EPOLL_CTL_ADD, source->fd, &e) < 0 ? -errno : 0;
}

void loop_drop(struct broker *b, struct source *source)
{
	epoll_ctl(b->epoll, EPOLL_CTL_DEL, source->fd, NULL);
}

static bool loop_is_idle(const struct broker *b)
{
	return b->registry.n_streams == 0 && b->n_clients == 0 && closer_pending() == 0;
}

void loop_say(const struct broker *b, const char *what)
{
	char text[PATH_MAX + 128];

	snprintf(text, sizeof(text), "%s\nSTATUS=%" PRIu32 " stream%s at %s%s", what,
		 b->registry.n_streams, b->registry.n_streams == 1 ? "" : "s", b->path,
		 b->rules_are_old ? " (by old rules, as the new ones are wrong)" : "");
	notify_say(text);
}

/* Say that we live, if the service manager asked for that and it is time. */
static void loop_feed_watchdog(struct broker *b)
{
	uint64_t now = b->watchdog_ns ? bs_now() : 0;

	if (!b->watchdog_ns || now < b->watchdog_due_ns)
		return;
	loop_say(b, "WATCHDOG=1");
	b->watchdog_due_ns = now + b->watchdog_ns / 2;
}

/* When to wake if nothing happens: ns, or UINT64_MAX. */
static uint64_t loop_until(struct broker *b)
{
	uint64_t due = watch_due(&b->registry);

	if (b->watchdog_ns && b->watchdog_due_ns < due)
		due = b->watchdog_due_ns;
	if (scrape_due(b) < due)
		due = scrape_due(b);
	if (client_due(b) < due)
		due = client_due(b);
	if (log_due() < due)
		due = log_due();
	if (closer_due() < due)
		due = closer_due();

	if (!loop_is_idle(b) || b->idle_ns == 0) {
		b->idle_since_ns = 0;
		return due;
	}
	if (b->idle_since_ns == 0)
		b->idle_since_ns = bs_now();
	return b->idle_since_ns + b->idle_ns < due ? b->idle_since_ns + b->idle_ns : due;
}

static int loop_wait(struct broker *b, struct epoll_event events[BATCH])
{
	uint64_t until = loop_until(b), now = until == UINT64_MAX ? 0 : bs_now();
	int ms = -1, n;

	if (until != UINT64_MAX)
		ms = until <= now ? 0 : (int)((until - now + BS_MS(1) - 1) / BS_MS(1));
	n = epoll_wait(b->epoll, events, BATCH, ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0 && b->idle_since_ns != 0 && bs_now() >= b->idle_since_ns + b->idle_ns)
		b->leaving = true;
	return n;
}

/* In the order in which they came: who closes one connection and asks on another may rely on it. Whoever
 * is new comes last, when all that has happened before is known. */
static int loop_tell(struct broker *b, const struct epoll_event events[BATCH], int n)
{
	const struct epoll_event *new = NULL;
	int r = 0;

	for (int i = 0; i < n && r == 0; i++) {
		struct source *source = events[i].data.ptr;

		if (source == &b->listener)
			new = &events[i];
		else
			r = source->on_event(b, source, events[i].events);
	}
	if (r < 0 || !new)
		return r;
	watch_run(&b->registry);
	return b->leaving ? 0 : b->listener.on_event(b, &b->listener, new->events);
}

int loop_run(struct broker *b)
{
	struct epoll_event events[BATCH];
	int r = 0;

	while (!b->leaving && r == 0) {
		int n = loop_wait(b, events);

		if (n < 0)
			return n;
		b->round++;
		b->n_told = 0;
		r = loop_tell(b, events, n);
		loop_feed_watchdog(b);
		watch_run(&b->registry);
		scrape_run(b);
		log_run();
		client_run(b);
		client_bury(b);
		closer_run();
		if (r == 0)
			r = client_admit(b);
	}
	return r;
}
