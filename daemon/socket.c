/* SPDX-License-Identifier: MIT */
/*
 * socket.c - owns the listening socket and its directory. A socket is put into the directory and
 * taken from it with the directory locked, as every starter does it (meeting.h), so that none takes
 * away another's. A starter that is stopped in there delays us for a second, not for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/socket.h"
#include "proto/hint.h"
#include "proto/meeting.h"

#define LOCK_NS BS_MS(1000)

static int socket_lock(struct broker *b)
{
	uint64_t until = bs_now() + LOCK_NS;

	for (;;) {
		int r = bs_meeting_trylock(b->dir);

		if (r != -EAGAIN || bs_now() >= until)
			return r;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

/* The directory of the machine's broker: everybody can look for the socket there, nobody make one. */
static int socket_make_system_dir(const char *path)
{
	char dir[BS_SOCKET_PATH];

	if (strcmp(path, BS_SYSTEM_SOCKET) != 0)
		return 0;
	bs_meeting_dirname(dir, path);
	return mkdir(dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* However it is spelt, it is one place, and has one prefix. */
static int socket_find_dir(struct broker *b, const char *path)
{
	char dirname_of[BS_SOCKET_PATH], dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;

	bs_meeting_dirname(dirname_of, path);
	if (!base[0])
		return -EISDIR;
	if (!realpath(dirname_of, dir))
		return -errno;
	if (snprintf(b->path, sizeof(b->path), "%s/%s", strcmp(dir, "/") ? dir : "", base) >=
	    (int)sizeof(b->path))
		return -ENAMETOOLONG;
	b->base = strrchr(b->path, '/') + 1;
	b->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return b->dir < 0 ? -errno : 0;
}

static int socket_make(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static int socket_is_answered(const char *path)
{
	struct sockaddr_un addr;
	int fd, r = bs_meeting_addr(&addr, path);

	if (r < 0)
		return r;
	fd = socket_make();
	if (fd < 0)
		return fd;
	r = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno == EAGAIN;
	close(fd);
	return r;
}

static int socket_bind(struct broker *b, const char *path)
{
	int fd, r = socket_lock(b);

	if (r < 0)
		return r;
	r = socket_is_answered(path);
	if (r != 0)
		return r < 0 ? r : -EADDRINUSE;
	fd = socket_make();
	if (fd < 0)
		return fd;
	r = bs_meeting_listen(fd, path, b->system ? 0666 : 0600);
	if (r < 0)
		close(fd);
	else
		b->listener.fd = fd;
	return r;
}

static int socket_option(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

bool socket_is_listening(int fd, char path[BS_SOCKET_PATH])
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);

	if (socket_option(fd, SO_DOMAIN) != AF_UNIX ||
	    socket_option(fd, SO_TYPE) != SOCK_SEQPACKET || socket_option(fd, SO_ACCEPTCONN) != 1)
		return false;
	memset(&addr, 0, sizeof(addr));
	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0 || addr.sun_path[0] != '/')
		return false;
	snprintf(path, BS_SOCKET_PATH, "%.*s", (int)BS_SOCKET_PATH - 1, addr.sun_path);
	return true;
}

/* Make it ours: who connects from now on is told our process, not the one that made the socket. */
static int socket_inherit(struct broker *b, int fd)
{
	if (socket_option(fd, SO_DOMAIN) != AF_UNIX ||
	    socket_option(fd, SO_TYPE) != SOCK_SEQPACKET || socket_option(fd, SO_ACCEPTCONN) != 1)
		return -ENOTSOCK;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ||
	    listen(fd, BS_BACKLOG) < 0)
		return -errno;
	b->listener.fd = fd;
	return 0;
}

static int socket_identify(struct broker *b)
{
	struct stat st;

	if (fstatat(b->dir, b->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	b->socket_dev = st.st_dev;
	b->socket_ino = st.st_ino;
	return 0;
}

int socket_open(struct broker *b, const char *path, int inherited)
{
	int r = b->system && inherited < 0 ? socket_make_system_dir(path) : 0;

	if (r == 0)
		r = socket_find_dir(b, path);
	if (r < 0)
		return r;
	r = inherited < 0 ? socket_bind(b, path) : socket_inherit(b, inherited);
	if (r == 0)
		r = socket_identify(b);
	bs_meeting_unlock(b->dir);
	return r;
}

static bool socket_is_ours(const struct broker *b)
{
	struct stat st;

	return fstatat(b->dir, b->base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == b->socket_dev && st.st_ino == b->socket_ino;
}

void socket_watch(struct broker *b)
{
	/* Not the directory: others may be busy there, and we would wake for each of them. */
	b->socket_watch = inotify_add_watch(
		b->inotify.fd, b->path, IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_DONT_FOLLOW);
}

void socket_check(struct broker *b)
{
	if (!b->activated && !socket_is_ours(b))
		b->leaving = true;
}

void socket_close(struct broker *b)
{
	if (!b->activated && socket_lock(b) == 0) {
		if (socket_is_ours(b))
			unlinkat(b->dir, b->base, 0);
		bs_meeting_unlock(b->dir);
	}
	close(b->listener.fd);
	close(b->dir);
}
