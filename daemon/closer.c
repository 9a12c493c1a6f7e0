/* SPDX-License-Identifier: MIT */
/*
 * closer.c - owns the descriptors given to it, until they are closed, and up to CLOSERS threads. Each
 * user has a queue and up to PER_USER threads of his own, so that nobody waits for what another's
 * descriptors take; only from as many users on as there may be threads does one wait for a thread.
 * Each descriptor counts against the broker's limits and its user's until it is closed (client.c), so
 * that their number is bounded. The lock is held for a few instructions, never over a close.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/closer.h"

#define CLOSERS	   64
#define PER_USER   4
#define DRAINED	   64 /* packets without descriptors that are thrown away at once */
#define STACK_SIZE 65536
#define LARGE	   (64 << 20) /* bytes that take the kernel some 10 ms to give back */

/* What somebody's descriptors are that are still to be closed: there is one while there are any. */
struct closing {
	struct closing *next;
	uid_t uid;
	int *queue;
	size_t n_queued, cap;
	size_t n_left; /* of them, and of those taken from the queue, not closed yet */
	unsigned n_serving; /* threads; while there is one it stays */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct closing *users;
static size_t n_left; /* of all */
static unsigned n_threads;
static int kick_fd = -1;
static dev_t quick_devs[2];

void closer_init(int kick, dev_t shm_dev, dev_t memfd_dev)
{
	kick_fd = kick;
	quick_devs[0] = shm_dev;
	quick_devs[1] = memfd_dev;
}

/* With the lock held, as all that looks at users. NULL: he has nothing to be closed. */
static struct closing *closing_find(uid_t uid)
{
	struct closing *u = users;

	while (u && u->uid != uid)
		u = u->next;
	return u;
}

/* One who has something in his queue, and fewer threads than @max, or NULL. */
static struct closing *closing_waiting(unsigned max)
{
	struct closing *u = users;

	while (u && (u->n_queued == 0 || u->n_serving >= max))
		u = u->next;
	return u;
}

/* One whom no thread serves yet, or who may have another; or NULL. He is the caller's to serve. */
static struct closing *closing_claim(void)
{
	struct closing *u = closing_waiting(1);

	if (!u)
		u = closing_waiting(PER_USER);
	if (u)
		u->n_serving++;
	return u;
}

static void closing_free(struct closing *gone)
{
	struct closing **at = &users;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	free(gone->queue);
	free(gone);
}

/* Close all that he has, until there is no more. */
static void closing_serve(struct closing *u)
{
	while (u->n_queued > 0) {
		int fd = u->queue[--u->n_queued];

		pthread_mutex_unlock(&lock);
		close(fd);
		pthread_mutex_lock(&lock);
		u->n_left--;
		n_left--;
		eventfd_write(kick_fd, 1);
	}
	if (--u->n_serving == 0)
		closing_free(u);
}

static void *closer_run(void *arg)
{
	struct closing *u = arg;

	pthread_mutex_lock(&lock);
	do
		closing_serve(u);
	while ((u = closing_claim()) != NULL);
	n_threads--;
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* With the lock held. If no thread can be had now, the next descriptor tries again. */
static void closer_start(struct closing *u)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (n_threads >= CLOSERS || u->n_serving >= PER_USER || pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (pthread_create(&thread, &attr, closer_run, u) == 0) {
		n_threads++;
		u->n_serving++;
	}
	pthread_attr_destroy(&attr);
}

/* Room for one more. False: no memory. */
static bool closing_grow(struct closing *u)
{
	size_t cap = u->cap ? 2 * u->cap : 16;
	int *bigger =
		u->n_queued < u->cap ? u->queue : reallocarray(u->queue, cap, sizeof(*bigger));

	if (!bigger)
		return false;
	u->cap = u->n_queued < u->cap ? u->cap : cap;
	u->queue = bigger;
	return true;
}

static bool closing_add(uid_t uid, int fd)
{
	struct closing *u = closing_find(uid);

	if (!u) {
		u = calloc(1, sizeof(*u));
		if (!u)
			return false;
		u->uid = uid;
		u->next = users;
		users = u;
	}
	if (!closing_grow(u)) {
		if (u->n_left == 0 && u->n_serving == 0)
			closing_free(u);
		return false;
	}
	u->queue[u->n_queued++] = fd;
	u->n_left++;
	n_left++;
	closer_start(u);
	return true;
}

void closer_take(int fd, uid_t uid)
{
	bool taken;

	if (fd < 0)
		return;
	pthread_mutex_lock(&lock);
	taken = closing_add(uid, fd);
	pthread_mutex_unlock(&lock);
	if (!taken)
		close(fd); /* no memory: nothing better is left */
}

static bool closer_look(int fd, uint64_t *sizep)
{
	struct statx st;
	dev_t dev;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_SIZE, &st) < 0 ||
	    !S_ISREG(st.stx_mode))
		return false;
	dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	*sizep = st.stx_size;
	return dev == quick_devs[0] || dev == quick_devs[1];
}

bool closer_is_memory(int fd)
{
	uint64_t size;

	return closer_look(fd, &size);
}

void closer_take_file(int fd, uid_t uid)
{
	uint64_t size;

	if (fd < 0)
		return;
	if (closer_look(fd, &size))
		closer_take_memory(fd, size, uid);
	else
		closer_take(fd, uid);
}

void closer_take_memory(int fd, uint64_t size, uid_t uid)
{
	if (size <= LARGE)
		close(fd);
	else
		closer_take(fd, uid);
}

size_t closer_pending(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = n_left;
	pthread_mutex_unlock(&lock);
	return n;
}

size_t closer_pending_of(uid_t uid)
{
	const struct closing *u;
	size_t n;

	pthread_mutex_lock(&lock);
	u = closing_find(uid);
	n = u ? u->n_left : 0;
	pthread_mutex_unlock(&lock);
	return n;
}

/* Is it certain that no packet, with who knows what in it, is waiting? With SO_PASSCRED every packet
 * brings something along, also an empty one, which else would look like the end. */
static bool queue_is_empty(int fd)
{
	struct msghdr m = { 0 };
	int one = 1;

	return shutdown(fd, SHUT_RDWR) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0 &&
	       recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT) == 0 && !(m.msg_flags & MSG_CTRUNC);
}

/* Throw away what waits and has no descriptors in it: what has, is seen by a look that leaves no room for
 * them. Nobody can send more. */
static void queue_drain(int fd)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	shutdown(fd, SHUT_RDWR);
	for (int i = 0; i < DRAINED; i++)
		if (recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT) <= 0 || (m.msg_flags & MSG_CTRUNC) ||
		    recvmsg(fd, &m, MSG_DONTWAIT) < 0)
			return;
}

void closer_take_connection(int fd, uid_t uid)
{
	queue_drain(fd);
	if (queue_is_empty(fd))
		close(fd);
	else
		closer_take(fd, uid);
}
