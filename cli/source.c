/* SPDX-License-Identifier: MIT */
/*
 * source.c - owns what is known of an input before it is read.
 *
 * A slot must not be reserved for input that does not come: it would hold up other writers' chunks,
 * and at the end of the input it would wait for room that nobody needs. So this tells for certain,
 * where the kernel does, that bytes are there: of a pipe (POLLIN, and POLLHUP alone is its end) and
 * of a regular file (its size). Sockets, terminals and devices are only MAYBE. Another process may
 * read the same pipe, so source_read asks the kernel not to wait. feed.c calls this.
 */
#include "config.h"
#include "source.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int source_init(struct source *source, int fd)
{
	struct stat st;
	off_t at;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	*source = (struct source){ .fd = fd };
	source->pollable = !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode);
	source->sized = S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode);
	at = S_ISREG(st.st_mode) ? lseek(fd, 0, SEEK_CUR) : 0;
	if (at >= 0)
		source->left = st.st_size - at;
	return 0;
}

enum source_state source_look(const struct source *source, int wait_ms)
{
	struct pollfd poll_fd = { .fd = source->fd, .events = POLLIN };
	int n;

	if (!source->pollable)
		return source->sized && source->left > 0 ? SOURCE_READY : SOURCE_MAYBE;
	n = poll(&poll_fd, 1, wait_ms);
	if (n < 0)
		return errno == EINTR ? SOURCE_WAIT : SOURCE_ERROR;
	if (n == 0)
		return SOURCE_WAIT;
	if (!source->sized)
		return SOURCE_MAYBE;
	if (poll_fd.revents & POLLIN)
		return SOURCE_READY;
	return poll_fd.revents & POLLHUP ? SOURCE_END : SOURCE_MAYBE;
}

ssize_t source_read(struct source *source, void *buf, size_t size)
{
	struct iovec iov = { buf, size };
	ssize_t n;

	do {
		if (source->pollable) {
			n = preadv2(source->fd, &iov, 1, -1, RWF_NOWAIT);
			/* Terminals and old kernels know no such thing. */
			if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL))
				n = read(source->fd, buf, size);
		} else {
			n = read(source->fd, buf, size);
		}
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	source->left -= n;
	return n;
}
