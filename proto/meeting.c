/* SPDX-License-Identifier: MIT */
/*
 * meeting.c - the rule by which a user's programs find the same socket. Owns nothing.
 *
 * The user's own directory is $XDG_RUNTIME_DIR/bstream, if that variable names a directory that is
 * his; else bstream-UID in the temporary directory. It must be his alone (0700), for whoever can
 * make a socket there is the broker. Anybody may call it; it asks the file system and environment
 * afresh every time. A program with privileges of its own does not believe the environment.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/meeting.h"

/* One byte less than fits, and the NUL: a starter binds the path with a "~" behind it. */
#define PATH_LIMIT (BS_SOCKET_PATH - 2)

static int meeting_copy(char path[BS_SOCKET_PATH], const char *text)
{
	size_t len = strlen(text);

	if (len > PATH_LIMIT)
		return -ENAMETOOLONG;
	memcpy(path, text, len + 1);
	return 0;
}

/* Is @dir the user's and nobody else's? 0, -ENOENT, -EACCES. */
static int meeting_check_dir(const char *dir)
{
	struct stat st;

	if (lstat(dir, &st) < 0)
		return errno == ENOENT ? -ENOENT : -EACCES;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return -EACCES;
	return 0;
}

static int meeting_make_dir(const char *dir)
{
	if (mkdir(dir, 0700) < 0)
		return errno == EEXIST ? 0 : -EACCES;
	return chmod(dir, 0700) < 0 ? -EACCES : 0; /* whatever the umask was */
}

/* Does it name a directory of the user's? 1, 0; -ENOMEM: that cannot be told, and nowhere else is right. */
static int meeting_runtime_ok(const char *runtime)
{
	struct stat st;

	if (!runtime || runtime[0] != '/')
		return 0;
	if (stat(runtime, &st) < 0)
		return errno == ENOMEM ? -ENOMEM : 0;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static int meeting_user_dir(char *dir, size_t size)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR"), *tmp = secure_getenv("TMPDIR");
	int n = meeting_runtime_ok(runtime);

	if (n < 0)
		return n;
	if (n > 0)
		n = snprintf(dir, size, "%s/bstream", runtime);
	else
		n = snprintf(dir, size, "%s/bstream-%u", tmp && tmp[0] == '/' ? tmp : "/tmp",
			     (unsigned)geteuid());
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int meeting_user_path(char path[BS_SOCKET_PATH], bool make)
{
	char dir[BS_SOCKET_PATH], full[2 * BS_SOCKET_PATH];
	int r = meeting_user_dir(dir, sizeof(dir));

	if (r < 0)
		return r;
	snprintf(full, sizeof(full), "%s/broker.sock", dir);
	if (strlen(full) > PATH_LIMIT)
		return -ENAMETOOLONG;
	r = meeting_check_dir(dir);
	if (r == -ENOENT && make) {
		r = meeting_make_dir(dir);
		if (r == 0) /* or it was somebody else, just now */
			r = meeting_check_dir(dir);
	}
	if (r < 0 && (r != -ENOENT || make))
		return r;
	return meeting_copy(path, full);
}

int bs_meeting_path(char path[BS_SOCKET_PATH], const char *override, bool system, bool make)
{
	const char *env = secure_getenv("BSTREAM_SOCKET");

	if (override)
		return meeting_copy(path, override);
	if (env && env[0])
		return meeting_copy(path, env);
	if (system)
		return meeting_copy(path, BS_SYSTEM_SOCKET);
	return meeting_user_path(path, make);
}

int bs_meeting_addr(struct sockaddr_un *addr, const char *path)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(addr->sun_path, path, len + 1);
	return 0;
}

void bs_meeting_dirname(char dir[BS_SOCKET_PATH], const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		memcpy(dir, ".", 2);
	else if (slash == path)
		memcpy(dir, "/", 2);
	else
		snprintf(dir, BS_SOCKET_PATH, "%.*s", (int)(slash - path), path);
}

int bs_meeting_trylock(int dir)
{
	if (flock(dir, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EINTR ? -EAGAIN : -errno;
}

void bs_meeting_unlock(int dir)
{
	flock(dir, LOCK_UN);
}

int bs_meeting_listen(int socket, const char *path, mode_t mode)
{
	char fresh[BS_SOCKET_PATH + 1];
	struct sockaddr_un addr;
	int r;

	snprintf(fresh, sizeof(fresh), "%s~", path);
	r = bs_meeting_addr(&addr, fresh);
	if (r < 0)
		return r;
	unlink(fresh); /* of a starter that died here, and its lock with it */
	if (fchmod(socket, mode) < 0) /* what bind gives the file, less the umask */
		return -errno;
	if (bind(socket, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	if (listen(socket, BS_BACKLOG) < 0 || rename(fresh, path) < 0) {
		r = -errno;
		unlink(fresh);
		return r;
	}
	return 0;
}

uint64_t bs_meeting_hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		h = (h ^ *p) * UINT64_C(0x100000001b3);
	return h;
}

int bs_meeting_prefix(char *buf, size_t size, const char *socket_path)
{
	int n = snprintf(buf, size, "bstream.%016" PRIx64 ".", bs_meeting_hash(socket_path));

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}
