/* SPDX-License-Identifier: MIT */
/*
 * wake.c - waking those who wait in a segment: sleepers by a post, pollers by a file event. Called
 * by whoever reached a count, or changed a word; always behind that change.
 *
 * A poller cannot sleep in the segment. It watches the segment's file by inotify (lib/pollfd.c) and
 * raises two things: `poll`, then `wake_at`, the very flag that a sleeper raises. So publishers have
 * one word to look at, and who takes the flag down finds here whether somebody polls. It makes one
 * event, which every poller hears, each poller having a queue of its own.
 *
 * The reader either sleeps or polls, so one of the two is enough for it. Writers may do both at
 * once: a sleeper's post is never spared because a poller has heard, who perhaps does not write.
 *
 * An event is something harmless that the kernel reports. For chunks, one byte is read: IN_ACCESS.
 * For room, a page that is there already is allocated: IN_MODIFY. That changes no byte, needs no
 * more than a descriptor that can write, does not move the offset (which says which end it is), and
 * knows no RLIMIT_FSIZE, whose signal a write at a low limit would raise.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/atomic.h"
#include "proto/hint.h"
#include "proto/verdict.h"

#define EVENT_TRIES 1000 /* a signal may come in each, and cannot come in all */

static void event_items(int fd)
{
	char byte;
	ssize_t n;

	do
		n = pread(fd, &byte, 1, 0);
	while (n < 0 && errno == EINTR);
}

static void event_room(int fd)
{
	for (int i = 0; i < EVENT_TRIES; i++) {
		if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1) == 0)
			return;
		if (errno != EINTR)
			break;
	}
	futimens(fd, NULL); /* IN_ATTRIB: pollers take it for the same */
}

void bs_wake_items(const struct bs_sight *s)
{
	const struct bs_hint items = bs_hint_items(s->g, &s->geo);

	if (!hint_take(items.wake_at))
		return;
	if (poll_take(&s->g->items.poll))
		event_items(s->fd);
	else
		bs_hint_post(&items);
}

void bs_wake_room(const struct bs_sight *s)
{
	const struct bs_hint space = bs_hint_space(s->g, &s->geo);

	if (!hint_take(space.wake_at))
		return;
	bool polled = poll_take(&s->g->space.poll);
	/* Nobody asleep: a post would be left behind, one for each event, for the next who sleeps. */
	if (!polled || sleepers_look(&s->g->space.sleepers))
		bs_hint_post(&space);
	if (polled)
		event_room(s->fd);
}

void bs_verdict_wake_watch(const struct bs_sight *s)
{
	/* Our change is behind us; whoever raised his flag before looks again, whether it is up still
	 * or was taken down by one who then died. */
	hint_take(&s->g->space.watch_at);
	bs_watch_rouse(&s->g->space.watch_gen);
}

void bs_verdict_wake_all(const struct bs_sight *s)
{
	const struct bs_hint items = bs_hint_items(s->g, &s->geo);
	const struct bs_hint space = bs_hint_space(s->g, &s->geo);

	bs_verdict_wake_watch(s);
	bs_hint_rouse(&items);
	if (poll_take(&s->g->items.poll))
		event_items(s->fd);
	bs_hint_rouse(&space);
	if (poll_take(&s->g->space.poll))
		event_room(s->fd);
}
