/* SPDX-License-Identifier: MIT */
/*
 * client.c - owns the connections, in the order in which they came.
 *
 * There is room for so many. Who has been answered, or has not asked, may be asked to leave when
 * another wants in, the oldest first: the library then comes again, if it was still waiting. Who is
 * parked, or is a mailbox, is not; but only so many may be. Descriptors that are still to be closed
 * (closer.h), and ends that parked clients want to send, count as connections, so that nobody can fill
 * the table with them.
 *
 * Of the broker's descriptors the kernel lets only so many (RLIMIT_NOFILE) lie in messages that nobody has
 * read. So where users do not trust each other a connection whose reply had one stays, and counts, until
 * that has been read: whoever never reads comes to his own limit.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/client.h"
#include "daemon/closer.h"
#include "daemon/log.h"
#include "daemon/mailbox.h"
#include "daemon/request.h"
#include "daemon/rights.h"
#include "proto/hint.h"
#include "proto/packet.h"

#define TURNS	    16 /* packets of one user taken in one round, where there are many users */
#define TASTE_TURNS 8 /* a child process costs as much as so many packets, or more */
#define ADMIT_BATCH \
	(TURNS / 2) /* connections taken in one round: each comes back twice, to ask and to go … */
#define LOOK_BATCH  256 /* … and those that have gone again without a word */
#define GIVEN_NS    BS_MS(100) /* between two looks who has read what he was given */
#define REQUEST_MAX (sizeof(struct bs_req_send) + BS_WIRE_NOTE)

/* What a look at a connection has found: the next packet, which waits. */
struct look {
	alignas(8) char packet[REQUEST_MAX];
	ssize_t len; /* or a negative errno: bs_packet_look */
	bool laden; /* it has descriptors */
};

static void look_at(struct look *l, int fd)
{
	l->laden = false;
	l->len = bs_packet_look(fd, l->packet, sizeof(l->packet), &l->laden);
}

/* ---- leaving -------------------------------------------------------------------------------- */

/* All of it but the connection itself, which is returned. */
static int client_forget(struct broker *b, struct client *c)
{
	int fd = c->source.fd;

	post_forget(b, c);
	client_unpark(b, c);
	if (c->polled)
		loop_drop(b, &c->source);
	c->source.fd = -1;
	*(c->prev ? &c->prev->next : &b->clients) = c->next;
	*(c->next ? &c->next->prev : &b->last_client) = c->prev;
	b->n_clients--;
	account_add(&b->accounts, c->uid, QUOTA_CONNECTIONS, -1);
	c->next = b->dead;
	b->dead = c;
	return fd;
}

void client_drop(struct broker *b, struct client *c)
{
	if (c->source.fd >= 0)
		closer_take_client(client_forget(b, c), c->uid);
}

/* May it be asked to leave, so that another can come? Does what it was given lie there unread, then its
 * leaving would make room for nobody. */
static bool client_may_go(const struct client *c)
{
	int n_unread = 0;

	if (c->given)
		ioctl(c->source.fd, SIOCOUTQ, &n_unread);
	return !c->parked && !c->mailbox && n_unread == 0;
}

void client_leave_given(struct broker *b, struct client *c)
{
	if (!b->system) {
		client_drop(b, c);
		return;
	}
	if (c->polled)
		loop_drop(b, &c->source);
	c->polled = false;
	c->given = true;
	if (!b->given_ns)
		b->given_ns = bs_now() + GIVEN_NS;
}

void client_run(struct broker *b)
{
	bool any = false;

	if (!b->given_ns || bs_now() < b->given_ns)
		return;
	for (struct client *c = b->clients, *next; c; c = next) {
		next = c->next;
		if (c->given && client_may_go(c))
			client_drop(b, c);
		else
			any |= c->given;
	}
	b->given_ns = any ? bs_now() + GIVEN_NS : 0;
}

uint64_t client_due(const struct broker *b)
{
	return b->given_ns ? b->given_ns : UINT64_MAX;
}

void client_bury(struct broker *b)
{
	while (b->dead) {
		struct client *c = b->dead;

		b->dead = c->next;
		rights_forget(c);
		free(c);
	}
}

void client_drop_all(struct broker *b)
{
	while (b->clients)
		client_drop(b, b->clients);
	client_bury(b);
}

void client_park(struct broker *b, struct client *c)
{
	if (!c->parked)
		b->n_parked++;
	c->parked = true;
}

void client_unpark(struct broker *b, struct client *c)
{
	if (c->parked)
		b->n_parked--;
	c->parked = false;
}

bool client_may_stay(const struct broker *b)
{
	return b->n_parked + b->post.names.n + b->post.n_parked_ends < b->limits.max_parked;
}

bool client_has_left(const struct client *c)
{
	struct pollfd p = { .fd = c->source.fd, .events = POLLRDHUP };

	return c->source.fd < 0 || poll(&p, 1, 0) != 0;
}

/* ---- asking --------------------------------------------------------------------------------- */

bool client_send(struct client *c, const void *reply, size_t len, int fd)
{
	return bs_packet_send(c->source.fd, reply, len, fd, MSG_DONTWAIT) == 0;
}

/* Is it one too many still, now that it asks? */
static bool client_is_surplus(struct broker *b, struct client *c)
{
	c->surplus = c->surplus &&
		     account_check(&b->accounts, c->uid, QUOTA_CONNECTIONS, 0, &b->refusal) != 0;
	return c->surplus;
}

/* A packet with descriptors, @len long, of which all else is known. Those that could take long to be closed are
 * never received from a stranger: -1 stands for each of them in @got. A negative errno: it is not to be had. */
static ssize_t client_receive_laden(struct broker *b, struct client *c, void *packet, ssize_t len,
				    struct bs_packet_fds *got)
{
	enum closer_taste taste = TASTE_MEMORY;

	if (b->system) {
		taste = closer_taste(c->source.fd, c->uid, &got->n);
		account_take_more_turns(&b->accounts, c->uid, TASTE_TURNS - 1);
	}
	if (taste == TASTE_MEMORY)
		return bs_packet_recv_all(c->source.fd, packet, (size_t)len, got, MSG_DONTWAIT);
	if (taste == TASTE_NOT) {
		log_blame(c->uid, c->pid, "has sent descriptors that cannot be looked at now");
		return -EAGAIN;
	}
	for (size_t i = 0; i < got->n; i++)
		got->fds[i] = -1;
	return len;
}

/* Take the packet that has been looked at, and serve it; or it is the end. */
static int client_hear(struct broker *b, struct client *c, struct look *l)
{
	struct bs_packet_fds got = { .n = 0 };
	ssize_t n = l->len;
	int r = 0;

	if (n == -EAGAIN)
		return 0;
	if (n > 0 && l->laden)
		n = client_receive_laden(b, c, l->packet, n, &got);
	else if (n > 0)
		bs_packet_skip(c->source.fd); /* all of it is here */
	if (n > 0 && client_is_surplus(b, c))
		request_refuse(b, c, &(struct request_packet){ l->packet, (size_t)n, &got },
			       EDQUOT);
	else if (n > 0)
		r = request_serve(b, c, &(struct request_packet){ l->packet, (size_t)n, &got });
	else if (n == -ENOTCONN)
		close(client_forget(b, c)); /* nothing waits there, nor ever will */
	else
		client_drop(b, c);
	for (size_t i = 0; i < got.n; i++)
		closer_take_file(got.fds[i], c->uid);
	return r;
}

/* However many connections ask for one user: the others are next, and what waits is told again. */
static bool client_has_turn(struct broker *b, const struct client *c)
{
	return !b->system || account_take_turn(&b->accounts, c->uid, b->round, TURNS);
}

static int client_on_event(struct broker *b, struct source *source, uint32_t events)
{
	struct client *c = (struct client *)source; /* its first member */
	bool gone = (events & EPOLLHUP) != 0;
	struct look l;

	b->n_told++;
	if (source->fd < 0 || c->given)
		return 0; /* dropped, or done with, in this very round */
	if (!gone && !client_has_turn(b, c))
		return 0;
	look_at(&l, source->fd);
	if (l.len == -ENOTCONN || l.len == -EAGAIN)
		return client_hear(b, c, &l);
	/* What is parked has nothing to say but that it is gone. And who has gone goes now, heard or not: what
	 * was his is free for those who come after. */
	if ((c->parked && !post_may_speak(c)) || (gone && !client_has_turn(b, c))) {
		client_drop(b, c);
		return 0;
	}
	return client_hear(b, c, &l);
}

/* ---- coming --------------------------------------------------------------------------------- */

static bool client_has_room(const struct broker *b)
{
	return b->n_clients + b->post.n_parked_ends + closer_pending() < b->limits.max_clients;
}

/* Somebody has to leave: of him who has most connections, the one that came first. */
static bool client_evict(struct broker *b)
{
	struct client *most = NULL;
	uint64_t n_most = 0;

	for (struct client *c = b->clients; c; c = c->next) {
		uint64_t n = account_used(&b->accounts, c->uid, QUOTA_CONNECTIONS);

		if (n > n_most && client_may_go(c)) {
			most = c;
			n_most = n;
		}
	}
	if (most)
		client_drop(b, most);
	b->tally.evicted += most != NULL;
	return most != NULL;
}

/* Has this user too many connections? Then one of his own goes that has nothing to wait for. If there is
 * none the new one is to be told; but in the version that it speaks, which it says with its request. It
 * has nothing to wait for, so that there is never more than one such of each user. */
static void client_make_way(struct broker *b, struct client *new)
{
	struct client *next = b->clients;

	while (!new->surplus && account_check(&b->accounts, new->uid, QUOTA_CONNECTIONS,
					      1 + closer_pending_of(new->uid), &b->refusal) != 0) {
		struct client *c = next;

		while (c && (c->uid != new->uid || !client_may_go(c)))
			c = c->next;
		new->surplus = c == NULL;
		if (c) {
			next = c->next;
			client_drop(b, c);
		}
	}
	b->refusal.why = 0;
}

/* The next connection, and a look at it. It brings who sent each packet, by which an empty one differs from none.
 * -ENOTCONN: it has gone again without a word. */
static int client_accept(const struct source *listener, struct look *l)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	look_at(l, fd);
	if (l->len != -ENOTCONN)
		return fd;
	close(fd);
	return -ENOTCONN;
}

/* Takes @fd. NULL: nothing has come of it. */
static struct client *client_new(struct broker *b, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c)
		c->source = (struct source){ .on_event = client_on_event, .fd = fd };
	if (!c || !rights_learn(c)) {
		free(c);
		closer_take_client(fd, b->uid);
		return NULL;
	}
	client_make_way(b, c);
	c->prev = b->last_client;
	*(c->prev ? &c->prev->next : &b->clients) = c;
	b->last_client = c;
	b->n_clients++;
	account_add(&b->accounts, c->uid, QUOTA_CONNECTIONS, 1);
	return c;
}

/*
 * It has come. The first to come in this round is served here and now, if it has asked (@first): it stood in the
 * queue when the round began, and all that the round has told of has been seen to, so that whoever closed
 * one connection and then came on another is heard in that order. Of the others the loop will tell.
 */
static int client_enter(struct broker *b, struct client *c, struct look *first)
{
	int r = 0;

	if (first && client_has_turn(b, c))
		r = client_hear(b, c, first);
	if (r < 0 || c->source.fd < 0 || c->given)
		return r;
	c->polled = loop_add(b, &c->source, EPOLLIN | EPOLLRDHUP) == 0;
	if (!c->polled)
		client_drop(b, c);
	return 0;
}

static void client_refuse_more(struct broker *b)
{
	if (b->listening)
		loop_drop(b, &b->listener);
	b->listening = false;
}

int client_admit(struct broker *b)
{
	int r;

	if (b->listening || !client_has_room(b))
		return 0;
	r = loop_add(b, &b->listener, EPOLLIN);
	b->listening = r == 0;
	return r;
}

int client_on_connect(struct broker *b, struct source *source, uint32_t events)
{
	/* Where nobody else has anything to say, another round costs less than to find that nobody else has come. */
	int most = b->n_told > 0 ? ADMIT_BATCH : 1;

	(void)events;
	for (int i = 0, n = 0; i < LOOK_BATCH && n < most; i++) {
		struct client *c;
		struct look l;
		int fd, r;

		if (!client_has_room(b) && i > 0)
			return 0; /* nobody has to leave unless it is known that another waits */
		if (!client_has_room(b) && !client_evict(b)) {
			client_refuse_more(b);
			return 0;
		}
		fd = client_accept(source, &l);
		b->tally.connections += fd >= 0 || fd == -ENOTCONN;
		if (fd == -ENOTCONN)
			continue;
		if (fd >= 0) {
			c = client_new(b, fd);
			r = c ? client_enter(b, c, i == 0 ? &l : NULL) : 0;
			if (r < 0)
				return r;
			n++;
			continue;
		}
		if (fd == -EAGAIN || fd == -ECONNABORTED || fd == -EINTR)
			return 0;
		/* No descriptor or no memory for another: until somebody leaves. */
		if (!client_evict(b)) {
			client_refuse_more(b);
			return 0;
		}
	}
	return 0;
}
