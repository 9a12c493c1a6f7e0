/* SPDX-License-Identifier: MIT */
/*
 * closer.c - owns the descriptors given to it, until somebody else has them, and the processes that do.
 *
 * A socket lingers where its last descriptor is closed, but not in a process that exits. So what is to be
 * closed is sent through the pit, a pair of sockets, to a child process that receives it and exits. We
 * are suspended until it is past everything but the closing (CLONE_VFORK), and our own descriptors go
 * before it starts, so that its are the last. It shares our memory, and of our descriptors it has none but
 * its end of the pit: that is descriptor 0, all others are left out of its table (CLOSE_RANGE_UNSHARE; before
 * Linux 6.11 some are copied and closed again, while we have them). So whatever holds it up in its last moments
 * holds no end, no lock and no socket of anybody else, costs a process, and outlives us if need be.
 *
 * That does not help with a file whose file system is asked at each close, not only at the last, and answers
 * when it likes (FUSE). Such a file is not to become ours at all: where users do not trust each other a
 * packet with descriptors is tasted by such a child first, which eats it if it is not memory.
 *
 * Of each user some processes may be dying that took what there was, and then more, each of which takes as
 * much as a packet holds. What he has sent beyond that stays here, and counts as connections (client.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/closer.h"
#include "proto/hint.h"
#include "proto/packet.h"

#define DYING_FEW  4 /* processes of one user that took what there was */
#define DYING_MOST 64 /* and those that took a full load; and those that taste */
#define SKIPPED	   4 /* packets without descriptors that are thrown away at once */
#define STACK_SIZE 65536
#define LARGE	   (64 << 20) /* bytes that take the kernel some 10 ms to give back */
#define RETRY_NS   BS_MS(100)

/* ThreadSanitizer takes any clone() for a fork(), and its memory for two. */
#if defined(__SANITIZE_THREAD__)
#define CHILD_FLAGS (CLONE_VFORK | CLONE_FILES | SIGCHLD)
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHILD_FLAGS (CLONE_VFORK | CLONE_FILES | SIGCHLD)
#endif
#endif
#ifndef CHILD_FLAGS
#define CHILD_FLAGS (CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD)
#endif

enum { BURY, TASTE, ERRANDS };

/* What one user has sent that is still to be closed, and who is dying of it: there is one while there is
 * either. */
struct closing {
	struct closing *next;
	uid_t uid;
	int *queue;
	size_t n_queued, cap;
	pid_t dying[ERRANDS][DYING_MOST];
	unsigned n_dying[ERRANDS];
};

/* What a child is to do, and what it says of it. Only one is not past it at any time. */
struct errand {
	int what;
	struct bs_packet_fds got; /* what came through the pit */
	struct bs_packet_fds seen, eaten; /* of the connection that is tasted */
	bool memory;
};

static struct closing *users;
static size_t n_left, n_dying; /* of all */
static int pit = -1; /* our end */
static size_t load_max = BS_PACKET_FDS; /* of one child */
static uint64_t retry_ns; /* when to try again what could not be had; 0: nothing */
static dev_t quick_devs[2];
static struct errand *errand; /* shared with the child, whatever else is */
alignas(64) static char child_stack[STACK_SIZE];

int closer_init(dev_t shm_dev, dev_t memfd_dev)
{
	struct rlimit rl = { .rlim_cur = 1024 };
	int ends[2], r = 0;

	errand = mmap(NULL, sizeof(*errand), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (errand == MAP_FAILED)
		return -errno;
	quick_devs[0] = shm_dev;
	quick_devs[1] = memfd_dev;
	getrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur / 4 < load_max)
		load_max = rl.rlim_cur / 4;
	if (close_range(~0U, ~0U, CLOSE_RANGE_UNSHARE) < 0 || /* can it be had? */
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	if (dup3(ends[1], 0, O_CLOEXEC) < 0)
		r = -errno;
	close(ends[1]);
	pit = ends[0];
	return r;
}

void closer_fini(void)
{
	close(pit);
	pit = -1;
	munmap(errand, sizeof(*errand));
}

/* ---- the child ------------------------------------------------------------------------------ */

/* Look what is with the next packet, and take it unless that is one file in shared memory; only the
 * kernel is asked what it is. */
static void child_taste(struct errand *e, int conn)
{
	char byte;

	if (bs_packet_copy(conn, &e->seen) < 0)
		return;
	e->memory = e->seen.n == 1 && fcntl(e->seen.fds[0], F_GET_SEALS) >= 0;
	if (!e->memory && e->seen.n <= load_max)
		bs_packet_take(conn, &byte, 1, &e->eaten);
}

/* It shares all memory with its suspended parent, and no descriptor: nothing that is done here sleeps. With
 * its return it exits, and then closes what it has. */
static int child_run(void *arg)
{
	struct errand *e = arg;
	char byte;

	if (close_range(1, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		return 0;
	bs_packet_take(0, &byte, 1, &e->got);
	if (e->what == TASTE && e->got.n == 1)
		child_taste(e, e->got.fds[0]);
	return 0;
}

/* Have a child take what is in the pit. 0; or a negative errno, and errand->got is that, ours again. */
static int child_start(struct closing *u, int what)
{
	char byte;
	pid_t pid;
	int r;

	memset(errand, 0, sizeof(*errand));
	errand->what = what;
	pid = clone(child_run, child_stack + sizeof(child_stack), CHILD_FLAGS, errand);
	r = pid < 0 ? -errno : -ECHILD;
	if (pid > 0) {
		u->dying[what][u->n_dying[what]++] = pid;
		n_dying++;
	}
	if (errand->got.n > 0)
		return 0;
	bs_packet_take(0, &byte, 1, &errand->got);
	return r;
}

/* ---- users ---------------------------------------------------------------------------------- */

/* NULL: he has nothing to be closed. */
static struct closing *closing_find(uid_t uid)
{
	struct closing *u = users;

	while (u && u->uid != uid)
		u = u->next;
	return u;
}

/* The same, made if need be. NULL: no memory. */
static struct closing *closing_of(uid_t uid)
{
	struct closing *u = closing_find(uid);

	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->uid = uid;
	u->next = users;
	users = u;
	return u;
}

/* Those who have nothing any more go. */
static void closing_free_idle(void)
{
	struct closing **at = &users;

	while (*at) {
		struct closing *u = *at;

		if (u->n_queued + u->n_dying[BURY] + u->n_dying[TASTE] > 0) {
			at = &u->next;
			continue;
		}
		*at = u->next;
		free(u->queue);
		free(u);
	}
}

static bool closing_add(struct closing *u, int fd)
{
	if (u->n_queued == u->cap) {
		size_t cap = u->cap ? 2 * u->cap : 16;
		int *bigger = reallocarray(u->queue, cap, sizeof(*bigger));

		if (!bigger)
			return false;
		u->queue = bigger;
		u->cap = cap;
	}
	u->queue[u->n_queued++] = fd;
	n_left++;
	return true;
}

/* Give a child as much as it can carry, and have it die of that. */
static int closing_bury(struct closing *u)
{
	size_t n = u->n_queued < load_max ? u->n_queued : load_max;
	const int *load = &u->queue[u->n_queued - n];
	int r = bs_packet_send_all(pit, "", 1, load, n, MSG_DONTWAIT);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		close(load[i]); /* not the last: the pit has it */
	u->n_queued -= n;
	n_left -= n;
	r = child_start(u, BURY);
	for (size_t i = 0; r < 0 && i < errand->got.n; i++)
		closing_add(u, errand->got.fds[i]); /* there is room: they were in it */
	return r;
}

static bool closing_may_bury(const struct closing *u)
{
	return u->n_queued > 0 &&
	       u->n_dying[BURY] < (u->n_queued < load_max ? DYING_FEW : DYING_MOST);
}

/* ---- for the others ------------------------------------------------------------------------- */

void closer_run(void)
{
	retry_ns = 0;
	for (struct closing *u = users; u; u = u->next)
		while (closing_may_bury(u))
			if (closing_bury(u) < 0) {
				retry_ns = bs_now() + RETRY_NS;
				break;
			}
}

uint64_t closer_due(void)
{
	return retry_ns ? retry_ns : UINT64_MAX;
}

static bool closing_bereave(struct closing *u, pid_t pid)
{
	for (int what = 0; what < ERRANDS; what++)
		for (unsigned i = 0; i < u->n_dying[what]; i++)
			if (u->dying[what][i] == pid) {
				u->dying[what][i] = u->dying[what][--u->n_dying[what]];
				n_dying--;
				return true;
			}
	return false;
}

void closer_reap(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		struct closing *u = users;

		while (u && !closing_bereave(u, pid))
			u = u->next;
	}
	closing_free_idle();
}

void closer_take(int fd, uid_t uid)
{
	struct closing *u = fd < 0 ? NULL : closing_of(uid);

	if (fd >= 0 && (!u || !closing_add(u, fd)))
		close(fd); /* no memory: nothing better is left */
}

enum closer_taste closer_taste(int connection, uid_t uid, size_t *np)
{
	struct closing *u = closing_of(uid);

	if (u && u->n_dying[TASTE] == DYING_MOST)
		closer_reap();
	u = closing_of(uid);
	if (!u || u->n_dying[TASTE] == DYING_MOST ||
	    bs_packet_send_all(pit, "", 1, &connection, 1, MSG_DONTWAIT) < 0)
		return TASTE_NOT;
	if (child_start(u, TASTE) < 0) {
		for (size_t i = 0; i < errand->got.n; i++)
			close(errand->got.fds[i]);
		return TASTE_NOT;
	}
	*np = errand->eaten.n;
	if (errand->memory)
		return TASTE_MEMORY;
	return errand->eaten.n > 0 ? TASTE_OTHER : TASTE_NOT;
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

/* Is it certain that nothing is waiting there? What has no descriptors is thrown away, if it is not much.
 * Nobody can send more. */
static bool queue_is_empty(int fd)
{
	bool laden;
	char byte;

	if (shutdown(fd, SHUT_RDWR) < 0)
		return false;
	for (int i = 0; i < SKIPPED; i++) {
		ssize_t n = bs_packet_look(fd, &byte, 1, &laden);

		if (n == -ENOTCONN || n == -EAGAIN)
			return true;
		if (n == -ECONNRESET)
			continue; /* it has not read all of ours: that is told once */
		if ((n < 0 && n != -EMSGSIZE) || laden)
			return false;
		bs_packet_skip(fd);
	}
	return false;
}

void closer_take_client(int fd, uid_t uid)
{
	if (queue_is_empty(fd))
		close(fd);
	else
		closer_take(fd, uid);
}

void closer_take_connection(int fd, uid_t uid)
{
	int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0)
		closer_take_client(fd, uid);
	else
		closer_take(fd, uid);
}

size_t closer_pending(void)
{
	return n_left;
}

size_t closer_pending_of(uid_t uid)
{
	const struct closing *u = closing_find(uid);

	return u ? u->n_queued : 0;
}

size_t closer_dying(void)
{
	return n_dying;
}
