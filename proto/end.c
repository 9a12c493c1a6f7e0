/* SPDX-License-Identifier: MIT */
/*
 * end.c - the locks that ends are. Anybody may ask; only an end's owner locks and unlocks. No
 * state of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/end.h"

int bs_end_lock_byte(int fd, uint64_t byte)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1
	};

	if (fcntl(fd, F_OFD_SETLK, &fl) < 0)
		return errno == EACCES ? -EAGAIN : errno == ENOLCK ? -ENOMEM : -errno;
	return 0;
}

int bs_end_lock(int fd, uint64_t byte)
{
	int r = bs_end_lock_byte(fd, byte);

	if (r < 0)
		return r;
	if (lseek(fd, (off_t)byte, SEEK_SET) < 0) {
		int saved = errno;

		bs_end_unlock(fd, byte);
		return -saved;
	}
	return 0;
}

void bs_end_unlock(int fd, uint64_t byte)
{
	struct flock fl = {
		.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1
	};

	fcntl(fd, F_OFD_SETLK, &fl); /* cannot fail for a lock that is ours */
}

int bs_end_held(int fd, uint64_t first, uint64_t n)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)first, .l_len = (off_t)n
	};

	if (fcntl(fd, F_OFD_GETLK, &fl) < 0)
		return -errno;
	return fl.l_type != F_UNLCK;
}

uint64_t bs_end_byte(int fd)
{
	off_t at = lseek(fd, 0, SEEK_CUR);

	return at < 0 ? 0 : (uint64_t)at;
}

int bs_end_reopen(int fd, int open_flags)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int fresh = open(path, open_flags | O_CLOEXEC);
	if (fresh >= 0)
		return fresh;
	return errno == ENOENT || errno == ENOTDIR ? -ENOSYS : -errno;
}
