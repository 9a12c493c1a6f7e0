/* SPDX-License-Identifier: MIT */
/*
 * pollfd.c - owns poll descriptors: an epoll of an inotify instance that watches the segment and of
 * a timer, all of one handle, made when its owner first asks. Called by the handle's owner.
 *
 * The promise: readable whenever a call would not be refused. It is kept by an order of steps, taken
 * where a call is about to be refused (bs_items_poll, bs_room_poll) and once at the start:
 *
 *	1. drain: the descriptor is not readable;
 *	2. raise `poll`, then the flag that sleepers raise, too; heavy barrier;
 *	3. ask the kernel for the dead, and look at everything again;
 *	4. something is there: ring, and the call goes on to have it. Else refuse.
 *
 * Whoever changes something behind 2 finds the flag and makes an event, which nobody drains but the
 * next refusal (wake.c). What was changed before it is seen in 3. Between two refusals the descriptor
 * may say more than is true, never less. tests/model/poll.pml shows what each step is good for.
 *
 * Ringing is the timer's, not an event of our own: that would wake every other poller, and nobody
 * would hear it where the watch has failed.
 *
 * A death is reported, too: IN_CLOSE_WRITE, when the kernel closes the end's description. It comes a
 * moment before the end's lock goes, and for clean closes as well. So behind each the timer looks
 * again, a few times in a second and a half, until somebody refuses without a death to look for. One
 * who died between taking the flag down and making the event is heard of in the same way.
 *
 * The kernel drops the watch when the segment's last name goes: then it is added anew. Where it cannot
 * be, the timer looks every DEAF_NS.
 */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/handle.h"
#include "lib/link.h"
#include "lib/pollfd.h"

#define LOOKS	       6 /* for an end that is still held: after 1, 4, 16, 64, 256, 1024 ms */
#define LOOK_FACTOR_AT 2 /* each so many bits later than the one before */
#define DEAF_NS	       BS_MS(10)
#define DRAIN_READS    16 /* of EVENTS_SIZE; what a busy peer adds meanwhile keeps it readable */
#define EVENTS_SIZE    4096
#define GOING	       (IN_CLOSE_WRITE | IN_Q_OVERFLOW | IN_IGNORED)

struct bs_poll {
	int fd; /* the epoll of the other two */
	int inotify, timer;
	uint32_t events; /* that the watch is for */
	bool deaf; /* there is no watch */
	bool set; /* the timer is, or has gone off */
	unsigned looks; /* left to be made for an end on its way out */
	uint64_t look_at; /* when the next is due */
};

static void timer_set(struct bs_poll *p, uint64_t in_ns)
{
	bs_link_timer_set(p->timer, in_ns);
	p->set = in_ns != 0;
}

void bs_poll_ring(struct bs_poll *p)
{
	bs_link_timer_ring(p->timer);
	p->set = true;
}

static void looks_begin(struct bs_poll *p)
{
	p->looks = LOOKS;
	p->look_at = bs_now() + BS_MS(1);
}

void bs_poll_rest(struct bs_poll *p)
{
	uint64_t now;

	if (p->deaf) {
		timer_set(p, DEAF_NS);
		return;
	}
	if (p->looks == 0)
		return;
	now = bs_now();
	if (now >= p->look_at) { /* this refusal was that look */
		if (--p->looks == 0)
			return;
		p->look_at = now + (BS_MS(1) << ((LOOKS - p->looks) * LOOK_FACTOR_AT));
	}
	timer_set(p, p->look_at - now);
}

static int watch_add(struct bs_poll *p, const struct bs_hold *hold)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", hold->sight.fd);
	p->deaf = inotify_add_watch(p->inotify, path, p->events | IN_CLOSE_WRITE) < 0;
	if (!p->deaf)
		return 0;
	return errno == ENOENT || errno == ENOTDIR ? -ENOSYS : -errno;
}

/* What kinds of events are there; they are taken. */
static uint32_t events_take(int fd)
{
	alignas(struct inotify_event) char room[EVENTS_SIZE];
	uint32_t all = 0;
	ssize_t n;

	for (int i = 0; i < DRAIN_READS && (n = read(fd, room, sizeof(room))) > 0; i++)
		for (char *at = room; at < room + n;) {
			const struct inotify_event *e = (const struct inotify_event *)at;

			all |= e->mask;
			at += sizeof(*e) + e->len;
		}
	return all;
}

void bs_poll_drain(struct bs_poll *p, const struct bs_hold *hold)
{
	uint32_t events = events_take(p->inotify);

	if (p->set)
		timer_set(p, 0);
	if ((events & IN_IGNORED) != 0 || p->deaf)
		watch_add(p, hold);
	if ((events & GOING) != 0)
		looks_begin(p);
}

void bs_poll_free(struct bs_poll *p)
{
	if (p == NULL)
		return;
	bs_link_close(p->fd);
	bs_link_close(p->inotify);
	bs_link_close(p->timer);
	free(p);
}

static int epoll_add(int epoll, int fd)
{
	struct epoll_event e = { .events = EPOLLIN };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int poll_open(struct bs_poll *p, const struct bs_hold *hold)
{
	int rc;

	if ((p->inotify = bs_link_inotify()) < 0)
		return p->inotify;
	if ((p->timer = bs_link_timer()) < 0)
		return p->timer;
	if ((p->fd = bs_link_epoll()) < 0)
		return p->fd;
	rc = watch_add(p, hold);
	if (rc == 0)
		rc = epoll_add(p->fd, p->inotify);
	if (rc == 0)
		rc = epoll_add(p->fd, p->timer);
	return rc;
}

/* Make one for the handle that @hold is of; to be told of @events. */
static int poll_new(struct bs_hold *hold, uint32_t events)
{
	struct bs_poll *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		return -ENOMEM;
	*p = (struct bs_poll){ .fd = -1, .inotify = -1, .timer = -1, .events = events };
	rc = poll_open(p, hold);
	if (rc < 0) {
		bs_poll_free(p);
		return rc;
	}
	looks_begin(p); /* an end may be on its way out since before the watch */
	hold->poll = p;
	return 0;
}

int bstream_reader_pollfd(struct bstream_reader *r)
{
	if (bs_fork_stale(r->fork_stamp))
		return -ESTALE;
	if (r->hold.poll == NULL) {
		int rc = poll_new(&r->hold, IN_ACCESS);

		if (rc < 0)
			return rc;
		if (r->end != 1 || slot_holds(r->slot, r->head))
			bs_poll_ring(r->hold.poll);
		else
			bs_items_poll(r);
	}
	return r->hold.poll->fd;
}

int bstream_writer_pollfd(struct bstream_writer *w)
{
	if (bs_fork_stale(w->fork_stamp))
		return -ESTALE;
	if (w->hold.poll == NULL) {
		int rc = poll_new(&w->hold, IN_MODIFY | IN_ATTRIB);

		if (rc < 0)
			return rc;
		bs_room_poll(w);
	}
	return w->hold.poll->fd;
}
