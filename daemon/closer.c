/* SPDX-License-Identifier: MIT */
/*
 * closer.c - owns the descriptors given to it, until they are closed, and up to CLOSERS threads. Each
 * descriptor counts against the broker's limits until then (client.c), so that their number is
 * bounded. The queue's lock is held for a few instructions, never over a close.
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

#define CLOSERS	   4
#define STACK_SIZE 65536
#define LARGE	   (64 << 20) /* bytes that take the kernel some 10 ms to give back */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int *queue;
static size_t n_queued, queue_cap;
static size_t n_closing; /* taken from the queue and not closed yet */
static unsigned n_threads;
static int kick_fd = -1;
static dev_t quick_devs[2];

void closer_init(int kick, dev_t shm_dev, dev_t memfd_dev)
{
	kick_fd = kick;
	quick_devs[0] = shm_dev;
	quick_devs[1] = memfd_dev;
}

/* Have one more closed, or end the thread. */
static int closer_next(void)
{
	int fd = -1;

	pthread_mutex_lock(&lock);
	if (n_queued > 0) {
		fd = queue[--n_queued];
		n_closing++;
	} else {
		n_threads--;
	}
	pthread_mutex_unlock(&lock);
	return fd;
}

static void closer_done(void)
{
	size_t left;

	pthread_mutex_lock(&lock);
	n_closing--;
	left = n_closing + n_queued;
	pthread_mutex_unlock(&lock);
	if (left == 0)
		eventfd_write(kick_fd, 1);
}

static void *closer_run(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = closer_next()) >= 0) {
		close(fd);
		closer_done();
	}
	return NULL;
}

/* With the lock held. If no thread can be had now, the next descriptor tries again. */
static void closer_start(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (n_threads >= CLOSERS || pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (pthread_create(&thread, &attr, closer_run, NULL) == 0)
		n_threads++;
	pthread_attr_destroy(&attr);
}

static int closer_grow(void)
{
	size_t cap = queue_cap ? 2 * queue_cap : 256;
	int *bigger = reallocarray(queue, cap, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	queue = bigger;
	queue_cap = cap;
	return 0;
}

void closer_take(int fd)
{
	if (fd < 0)
		return;
	pthread_mutex_lock(&lock);
	if (n_queued < queue_cap || closer_grow() == 0) {
		queue[n_queued++] = fd;
		closer_start();
		fd = -1;
	}
	pthread_mutex_unlock(&lock);
	if (fd >= 0)
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

void closer_take_file(int fd)
{
	uint64_t size;

	if (fd < 0)
		return;
	if (closer_look(fd, &size) && size <= LARGE)
		close(fd);
	else
		closer_take(fd);
}

size_t closer_pending(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = n_queued + n_closing;
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

void closer_take_connection(int fd)
{
	if (queue_is_empty(fd))
		close(fd);
	else
		closer_take(fd);
}
