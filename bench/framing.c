/* SPDX-License-Identifier: MIT */
/*
 * framing.c - chunks over a byte stream.
 */
#include "bench/framing.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/mapping.h"

#define STORE_CAP 65536u
#define LARGE	  8192u /* chunks beyond it are read where they belong; all of a round are as long */

struct framing {
	int write_fd, read_fd;
	pthread_mutex_t turn;
};

struct framing_end {
	int fd;
	pthread_mutex_t *turn; /* NULL: none is needed */
	size_t at, stored; /* what was read and not cut up yet */
	unsigned char store[STORE_CAP];
};

int framing_open(struct channel *c, int write_fd, int read_fd)
{
	struct framing *f = mapping_new(sizeof(*f));
	pthread_mutexattr_t attr;

	if (!f) {
		close(write_fd);
		close(read_fd);
		return -ENOMEM;
	}
	f->write_fd = write_fd;
	f->read_fd = read_fd;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&f->turn, &attr);
	pthread_mutexattr_destroy(&attr);
	c->state = f;
	return 0;
}

void framing_close(struct channel *c)
{
	struct framing *f = c->state;

	close(f->write_fd);
	close(f->read_fd);
	mapping_free(f, sizeof(*f));
}

static int end_new(int fd, pthread_mutex_t *turn, void **endp)
{
	struct framing_end *e = malloc(sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->fd = fd;
	e->turn = turn;
	e->at = e->stored = 0;
	*endp = e;
	return 0;
}

int framing_attach_writer(struct channel *c, unsigned k, void **endp)
{
	struct framing *f = c->state;
	bool alone = c->n_writers == 1 || c->len + sizeof(uint32_t) <= PIPE_BUF;

	(void)k;
	return end_new(f->write_fd, alone ? NULL : &f->turn, endp);
}

int framing_attach_reader(struct channel *c, void **endp)
{
	struct framing *f = c->state;

	return end_new(f->read_fd, NULL, endp);
}

/* Write all of @iov; what is not blocking polls. */
static int write_all(int fd, struct iovec *iov, int n)
{
	while (n > 0) {
		ssize_t done = writev(fd, iov, n);

		if (done < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (done < 0) {
			relax();
			continue;
		}
		for (; n > 0 && (size_t)done >= iov->iov_len; iov++, n--)
			done -= (ssize_t)iov->iov_len;
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

int framing_write(void *end, const void *buf, size_t len)
{
	struct framing_end *e = end;
	uint32_t frame = (uint32_t)len;
	struct iovec iov[2] = { { &frame, sizeof(frame) }, { (void *)(uintptr_t)buf, len } };
	int err;

	if (!e->turn)
		return write_all(e->fd, iov, 2);
	pthread_mutex_lock(e->turn);
	err = write_all(e->fd, iov, 2);
	pthread_mutex_unlock(e->turn);
	return err;
}

/* Read at least one byte into @iov; what is not blocking polls. */
static ssize_t read_some(int fd, const struct iovec *iov, int n)
{
	for (;;) {
		ssize_t got = readv(fd, iov, n);

		if (got > 0)
			return got;
		if (got == 0)
			return -ECONNRESET;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		relax();
	}
}

/* Have at least @want bytes in the store. */
static int store_fill(struct framing_end *e, size_t want)
{
	if (e->at > 0) {
		memmove(e->store, e->store + e->at, e->stored - e->at);
		e->stored -= e->at;
		e->at = 0;
	}
	while (e->stored < want) {
		struct iovec iov = { e->store + e->stored, STORE_CAP - e->stored };
		ssize_t got = read_some(e->fd, &iov, 1);

		if (got < 0)
			return (int)got;
		e->stored += (size_t)got;
	}
	return 0;
}

/* The rest of a chunk, straight to where it belongs, and what comes after it into the store. */
static int read_rest(struct framing_end *e, unsigned char *buf, size_t len)
{
	while (len > 0) {
		struct iovec iov[2] = { { buf, len }, { e->store, STORE_CAP } };
		ssize_t got = read_some(e->fd, iov, 2);

		if (got < 0)
			return (int)got;
		e->at = 0;
		e->stored = (size_t)got > len ? (size_t)got - len : 0;
		got = (size_t)got > len ? (ssize_t)len : got;
		buf += got;
		len -= (size_t)got;
	}
	return 0;
}

/* With nothing stored: length and bytes of a large chunk in one call, and no copy of ours. */
static ssize_t read_large(struct framing_end *e, unsigned char *buf, size_t cap)
{
	uint32_t len = 0;
	struct iovec iov[3] = { { &len, sizeof(len) }, { buf, cap }, { e->store, STORE_CAP } };
	ssize_t got = read_some(e->fd, iov, 3);
	size_t bytes;
	int err;

	if (got < 0)
		return got;
	e->at = e->stored = 0;
	bytes = (size_t)got - sizeof(len);
	if (got < (ssize_t)sizeof(len) || len > cap || (len < cap && bytes > len))
		return -EMSGSIZE;
	if (bytes > cap) {
		e->stored = bytes - cap;
		bytes = cap;
	}
	err = bytes < len ? read_rest(e, buf + bytes, len - bytes) : 0;
	return err ? err : (ssize_t)len;
}

ssize_t framing_read(void *end, void *buf, size_t cap)
{
	struct framing_end *e = end;
	uint32_t len;
	size_t here;
	int err;

	if (e->stored == e->at && cap > LARGE)
		return read_large(e, buf, cap);
	if (e->stored - e->at < sizeof(len)) {
		err = store_fill(e, sizeof(len));
		if (err)
			return err;
	}
	memcpy(&len, e->store + e->at, sizeof(len));
	e->at += sizeof(len);
	if (len > cap)
		return -EMSGSIZE;
	here = e->stored - e->at < len ? e->stored - e->at : len;
	memcpy(buf, e->store + e->at, here);
	e->at += here;
	err = here < len ? read_rest(e, (unsigned char *)buf + here, len - here) : 0;
	return err ? err : (ssize_t)len;
}
