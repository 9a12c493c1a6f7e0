/* SPDX-License-Identifier: MIT */
/*
 * link.c - owns the list of noted descriptors. Its lock is held over every call that makes or closes
 * one, none of which waits, and over fork: a child sees each either noted or not there.
 *
 * For broker.c, start.c, travel.c, mailbox.c and pollfd.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/link.h"
#include "proto/end.h"
#include "proto/packet.h"

struct link {
	struct link *next;
	int fd;
	bool received; /* a peer made it: who knows what it is */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct link *links;

static void link_before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void link_after_fork_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void link_after_fork_child(void)
{
	while (links) {
		struct link *l = links;

		close(l->fd);
		links = l->next;
		free(l);
	}
	pthread_mutex_unlock(&lock);
}

static void link_start(void)
{
	pthread_atfork(link_before_fork, link_after_fork_parent, link_after_fork_child);
}

static void link_lock(void)
{
	pthread_once(&once, link_start);
	pthread_mutex_lock(&lock);
}

/* With the lock held. Takes @fd, which may be a negative errno, and @l. */
static int link_note_as(struct link *l, int fd)
{
	fd = bs_packet_raise(fd);
	if (fd < 0) {
		free(l);
		return fd;
	}
	*l = (struct link){ .next = links, .fd = fd };
	links = l;
	return fd;
}

static int link_note(int fd)
{
	struct link *l = malloc(sizeof(*l));

	if (l)
		return link_note_as(l, fd);
	if (fd >= 0)
		close(fd);
	return -ENOMEM;
}

int bs_link_socket(void)
{
	int fd;

	link_lock();
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	fd = link_note(fd < 0 ? -errno : fd);
	pthread_mutex_unlock(&lock);
	return fd;
}

int bs_link_dir(const char *path)
{
	int fd;

	link_lock();
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = link_note(fd < 0 ? -errno : fd);
	pthread_mutex_unlock(&lock);
	return fd;
}

int bs_link_inotify(void)
{
	int fd;

	link_lock();
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	fd = link_note(fd < 0 ? -errno : fd);
	pthread_mutex_unlock(&lock);
	return fd;
}

int bs_link_timer(void)
{
	int fd;

	link_lock();
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	fd = link_note(fd < 0 ? -errno : fd);
	pthread_mutex_unlock(&lock);
	return fd;
}

void bs_link_timer_set(int timer, uint64_t in_ns)
{
	struct itimerspec its = { .it_value = { .tv_sec = (time_t)(in_ns / 1000000000u),
						.tv_nsec = (long)(in_ns % 1000000000u) } };

	timerfd_settime(timer, 0, &its, NULL);
}

void bs_link_timer_ring(int timer)
{
	struct pollfd p = { .fd = timer, .events = POLLIN };

	bs_link_timer_set(timer, 1);
	while (poll(&p, 1, -1) != 1) /* it goes off by an interrupt: see that it has */
		;
}

int bs_link_epoll(void)
{
	int fd;

	link_lock();
	fd = epoll_create1(EPOLL_CLOEXEC);
	fd = link_note(fd < 0 ? -errno : fd);
	pthread_mutex_unlock(&lock);
	return fd;
}

/* Is it memory, as ends are? To close anything else may wait: for a socket that lingers, for a file
 * system that somebody serves. */
static bool fd_is_memory(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0;
}

/* Without the lock: what a peer sent that can be no end. */
static void fd_close_foreign(int fd)
{
	struct linger none = { 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)); /* of sockets; others refuse */
	close(fd);
}

/* With the lock: those that may be ends, which no child may get. The others stay. */
static void fds_close_memory(struct bs_packet_fds *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < fds->n; i++)
		if (fd_is_memory(fds->fds[i]))
			close(fds->fds[i]);
		else
			fds->fds[n++] = fds->fds[i];
	fds->n = n;
}

static ssize_t packet_careful(int link, void *buf, size_t size, struct bs_packet_fds *got)
{
	return bs_packet_recv_all(link, buf, size, got, MSG_DONTWAIT);
}

/* Whatever came, in the list or closed again. @l is where it is noted, or NULL: none is expected. */
static ssize_t link_receive(struct link *l,
			    ssize_t (*receive)(int, void *, size_t, struct bs_packet_fds *),
			    int link, struct iovec to, int *fdp)
{
	struct bs_packet_fds got;
	ssize_t n;

	link_lock();
	n = receive(link, to.iov_base, to.iov_len, &got);
	if (n >= 0 && got.n > (l && n > 0 ? 1u : 0u))
		n = -EPROTO;
	if (n > 0 && got.n == 1) {
		*fdp = link_note_as(l, got.fds[0]);
		if (*fdp < 0)
			n = *fdp;
		else
			l->received = true;
		got.n = 0;
		l = NULL;
	}
	fds_close_memory(&got);
	pthread_mutex_unlock(&lock);
	while (got.n > 0)
		fd_close_foreign(got.fds[--got.n]);
	free(l);
	return n;
}

static ssize_t link_recv(ssize_t (*receive)(int, void *, size_t, struct bs_packet_fds *), int link,
			 void *buf, size_t size, int *fdp)
{
	struct link *l = NULL;

	if (fdp) {
		*fdp = -1;
		l = malloc(sizeof(*l)); /* before anything is taken */
		if (!l)
			return -ENOMEM;
	}
	return link_receive(l, receive, link, (struct iovec){ buf, size }, fdp);
}

ssize_t bs_link_recv(int link, void *buf, size_t size, int *fdp)
{
	return link_recv(packet_careful, link, buf, size, fdp);
}

ssize_t bs_link_take(int link, void *buf, size_t size, int *fdp)
{
	return link_recv(bs_packet_take, link, buf, size, fdp);
}

ssize_t bs_link_recv_shared(int socket, void *buf, size_t size, int *fdp)
{
	return link_recv(bs_packet_recv_shared, socket, buf, size, fdp);
}

void bs_link_close(int fd)
{
	bool foreign = false;

	if (fd < 0)
		return;
	link_lock();
	for (struct link **at = &links; *at; at = &(*at)->next)
		if ((*at)->fd == fd) {
			struct link *l = *at;

			*at = l->next;
			foreign = l->received && !fd_is_memory(fd);
			if (!foreign)
				close(fd);
			free(l);
			break;
		}
	pthread_mutex_unlock(&lock);
	if (foreign)
		fd_close_foreign(fd);
}

int bs_link_reopen(int fd, int open_flags)
{
	int fresh;

	link_lock();
	fresh = link_note(bs_end_reopen(fd, open_flags));
	pthread_mutex_unlock(&lock);
	return fresh;
}

void bs_link_forget(int fd)
{
	link_lock();
	for (struct link **at = &links; *at; at = &(*at)->next)
		if ((*at)->fd == fd) {
			struct link *l = *at;

			*at = l->next;
			free(l);
			break;
		}
	pthread_mutex_unlock(&lock);
}

void bs_link_closep(int *fdp)
{
	bs_link_close(*fdp);
}
