/* SPDX-License-Identifier: MIT */
/*
 * watch.c - owns the list of streams that are to be looked at again, which is empty when nothing
 * has happened lately: then the broker sleeps without a timer.
 *
 * IN_CLOSE_WRITE comes when a description that could write goes: an end's, or one that the broker
 * itself opened and could not hand over. A look opens nothing, so no look causes another. A clean
 * close and a death look the same from here; the verdicts tell them apart. Only a stream that could
 * not be watched (inotify has its limits) is looked at every second.
 */
#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/socket.h"
#include "daemon/watch.h"
#include "proto/hint.h"

#define LOOKS_AT_ONCE \
	32 /* then others are served: one user may stir all his streams again and again */
#define LOOKS	     4 /* after the first, for an end that is still held: 15 ms in all */
#define STAND_LOOKS  10 /* for a broker before us that is still leaving: 1 s in all */
#define DEAF_LOOK_NS BS_MS(1000)
#define EVENTS_SIZE  16384

static void watch_put(struct registry *r, struct stream *s, uint64_t due_ns)
{
	s->due_ns = due_ns;
	if (s->due_link)
		return;
	if (!r->due)
		r->due_end = &r->due;
	s->next_due = NULL;
	s->due_link = r->due_end;
	*r->due_end = s;
	r->due_end = &s->next_due;
}

void watch_settle(struct registry *r, struct stream *s)
{
	if (!s->due_link)
		return;
	*s->due_link = s->next_due;
	*(s->next_due ? &s->next_due->due_link : &r->due_end) = s->due_link;
	s->due_link = NULL;
}

void watch_stir(struct registry *r, struct stream *s)
{
	s->step = 0;
	watch_put(r, s, 0);
}

void watch_stir_all(struct registry *r)
{
	for (size_t i = 0; i < r->names.n; i++)
		watch_stir(r, r->names.items[i]);
	for (size_t i = 0; i < r->watches.n; i++)
		watch_stir(r, r->watches.items[i]);
}

uint64_t watch_due(const struct registry *r)
{
	uint64_t due = UINT64_MAX;

	for (const struct stream *s = r->due; s; s = s->next_due)
		if (s->due_ns < due)
			due = s->due_ns;
	return due;
}

/* In how long to look again at a stream that has just been looked at; 0: when we hear of something. */
static uint64_t watch_again(struct stream *s, enum stream_life life)
{
	bool doubtful = life == STREAM_HELD && s->step < LOOKS;
	bool contended = s->watch >= 0 && !s->standing && s->step < STAND_LOOKS;

	if (doubtful || contended)
		return BS_MS(1) << s->step++;
	return s->attended && s->watch < 0 ? DEAF_LOOK_NS : 0;
}

static void watch_look(struct registry *r, struct stream *s, uint64_t now)
{
	enum stream_life life = stream_look(s);
	uint64_t in_ns;

	registry_settle_grants(r, s);
	if (life == STREAM_OVER) {
		registry_forget(r, s);
		return;
	}
	if (s->watch >= 0)
		stream_stand(s);
	if (s->named && !s->kept) /* its time may not have come before */
		keeper_put(s);
	in_ns = watch_again(s, life);
	watch_settle(r, s);
	if (in_ns) /* behind those that have not had their turn */
		watch_put(r, s, now + in_ns);
}

static void watch_some(struct registry *r, size_t most)
{
	uint64_t now = r->due ? bs_now() : 0;
	size_t n = 0;

	for (struct stream *s = r->due, *next; s && n < most; s = next) {
		next = s->next_due;
		if (s->due_ns > now)
			continue;
		watch_look(r, s, now);
		n++;
	}
}

void watch_run(struct registry *r)
{
	watch_some(r, LOOKS_AT_ONCE);
}

void watch_run_all(struct registry *r)
{
	watch_some(r, SIZE_MAX);
}

static void watch_take(struct broker *b, const struct inotify_event *e)
{
	struct stream *s;

	if (e->mask & IN_Q_OVERFLOW) {
		watch_stir_all(&b->registry);
		socket_check(b);
	} else if (e->wd == b->socket_watch) {
		socket_check(b);
	} else if (e->mask & IN_CLOSE_WRITE) {
		s = registry_find_watch(&b->registry, e->wd);
		if (s)
			watch_stir(&b->registry, s);
	}
}

int watch_on_event(struct broker *b, struct source *source, uint32_t events)
{
	alignas(struct inotify_event) char room[EVENTS_SIZE];
	ssize_t n = read(source->fd, room, sizeof(room));

	(void)events;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (char *at = room; at < room + n;) {
		const struct inotify_event *e = (const struct inotify_event *)at;

		watch_take(b, e);
		at += sizeof(*e) + e->len;
	}
	return 0;
}
