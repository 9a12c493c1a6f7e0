/* SPDX-License-Identifier: MIT */
/*
 * faults.c - the wrappers. One row for each call: its name, what it returns when it fails, and with which
 * errors. Calls that cannot fail, or whose failure means nothing (close, munmap, unlink: the thing is
 * gone as far as we are concerned), are not wrapped.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tests/scarce/faults.h"

static _Atomic long n_calls, wanted = -1;
static int wanted_error;
static char struck[80];
static bool struck_more;

void faults_arm(long k, int e)
{
	struck[0] = '\0';
	struck_more = false;
	wanted_error = e;
	n_calls = 0;
	wanted = k;
}

const char *faults_disarm(bool *more)
{
	wanted = -1;
	if (more)
		*more = struck_more;
	return struck[0] != '\0' ? struck : NULL;
}

long faults_count(void)
{
	return n_calls;
}

/* Is it this one? Then its error, else 0. @errors ends with 0. */
static int strikes(const char *name, const int *errors)
{
	int n = 0;

	if (wanted < 0 || n_calls++ != wanted)
		return 0;
	while (errors[n] != 0)
		n++;
	int error = errors[wanted_error % n];
	struck_more = wanted_error + 1 < n;
	snprintf(struck, sizeof(struck), "%s: %s", name, strerrorname_np(error));
	return error;
}

#define ERRORS(...)            \
	(const int[])          \
	{                      \
		__VA_ARGS__, 0 \
	}

/* A call that returns @failed and sets errno. */
#define WRAP(type, failed, name, params, args, ...)              \
	type __real_##name params;                               \
	type __wrap_##name params;                               \
	type __wrap_##name params                                \
	{                                                        \
		int error = strikes(#name, ERRORS(__VA_ARGS__)); \
                                                                 \
		if (error == 0)                                  \
			return __real_##name args;               \
		errno = error;                                   \
		return (failed);                                 \
	}

/* A call that returns its error. */
#define WRAP_RC(name, params, args, ...)                         \
	int __real_##name params;                                \
	int __wrap_##name params;                                \
	int __wrap_##name params                                 \
	{                                                        \
		int error = strikes(#name, ERRORS(__VA_ARGS__)); \
                                                                 \
		return error != 0 ? error : __real_##name args;  \
	}

/* ---- memory --------------------------------------------------------------------------------- */

WRAP(void *, NULL, calloc, (size_t n, size_t size), (n, size), ENOMEM)
WRAP(void *, NULL, malloc, (size_t size), (size), ENOMEM)
WRAP(void *, NULL, aligned_alloc, (size_t to, size_t size), (to, size), ENOMEM)
WRAP(void *, NULL, reallocarray, (void *p, size_t n, size_t size), (p, n, size), ENOMEM)
WRAP(void *, MAP_FAILED, mmap, (void *at, size_t len, int prot, int flags, int fd, off_t from),
     (at, len, prot, flags, fd, from), ENOMEM, EACCES)
WRAP(int, -1, madvise, (void *at, size_t len, int advice), (at, len, advice), ENOMEM, EINVAL)
WRAP_RC(pthread_atfork, (void (*a)(void), void (*b)(void), void (*c)(void)), (a, b, c), ENOMEM)
WRAP_RC(pthread_create, (pthread_t * t, const pthread_attr_t *a, void *(*fn)(void *), void *arg),
	(t, a, fn, arg), EAGAIN)

int __real_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
	int error = strikes("clone", ERRORS(EAGAIN, ENOMEM));

	if (error == 0)
		return __real_clone(fn, stack, flags, arg);
	errno = error;
	return -1;
}

/* ---- files ---------------------------------------------------------------------------------- */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	int error = strikes("open", ERRORS(EMFILE, ENFILE, ENOMEM, EACCES, ENOENT));
	va_list va;

	if (error != 0) {
		errno = error;
		return -1;
	}
	va_start(va, flags);
	mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(va, mode_t) : 0;
	va_end(va);
	return __real_open(path, flags, mode);
}

int __real_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...)
{
	bool locks = cmd == F_OFD_SETLK || cmd == F_OFD_GETLK;
	bool dups = cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC;
	int error = 0;
	va_list va;

	if (locks)
		error = strikes(cmd == F_OFD_SETLK ? "setlk" : "getlk", ERRORS(ENOLCK, ENOMEM));
	else if (dups)
		error = strikes("dupfd", ERRORS(EMFILE));
	if (error != 0) {
		errno = error;
		return -1;
	}
	va_start(va, cmd);
	void *arg = va_arg(va, void *);
	va_end(va);
	return __real_fcntl(fd, cmd, arg);
}

WRAP(int, -1, fstat, (int fd, struct stat *st), (fd, st), ENOMEM)
WRAP(int, -1, stat, (const char *path, struct stat *st), (path, st), ENOMEM)
WRAP(int, -1, lstat, (const char *path, struct stat *st), (path, st), ENOMEM, EACCES)
WRAP(int, -1, fstatfs, (int fd, struct statfs *fs), (fd, fs), ENOMEM)
WRAP(int, -1, statx, (int dir, const char *path, int flags, unsigned mask, struct statx *st),
     (dir, path, flags, mask, st), ENOMEM)
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags), EMFILE, ENFILE,
     ENOMEM)
WRAP(int, -1, shm_open, (const char *name, int flags, mode_t mode), (name, flags, mode), EMFILE,
     EACCES, ENOSPC)
WRAP(int, -1, mkdir, (const char *path, mode_t mode), (path, mode), EROFS, ENOSPC, EACCES)
WRAP(int, -1, rename, (const char *from, const char *to), (from, to), EROFS, ENOSPC)
WRAP(int, -1, linkat, (int a, const char *from, int b, const char *to, int flags),
     (a, from, b, to, flags), ENOSPC, EPERM)
WRAP(int, -1, flock, (int fd, int how), (fd, how), EINTR, ENOLCK)
WRAP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode), EROFS)
WRAP(int, -1, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), EINVAL)
WRAP_RC(posix_fallocate, (int fd, off_t at, off_t len), (fd, at, len), ENOSPC, EINTR)
WRAP(ssize_t, -1, getrandom, (void *to, size_t n, unsigned flags), (to, n, flags), EINTR, ENOSYS)
WRAP(char *, NULL, realpath, (const char *path, char *to), (path, to), ENOMEM, EACCES)
WRAP(ssize_t, -1, readlink, (const char *path, char *to, size_t n), (path, to, n), ENOMEM)
WRAP(int, -1, pipe2, (int ends[2], int flags), (ends, flags), EMFILE, ENFILE)

WRAP(int, -1, fallocate, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len), ENOSPC,
     EINTR, EOPNOTSUPP)
WRAP(int, -1, dup3, (int from, int to, int flags), (from, to, flags), EMFILE, EINTR)
WRAP(int, -1, renameat2, (int a, const char *from, int b, const char *to, unsigned flags),
     (a, from, b, to, flags), ENOSPC, EINVAL, EEXIST)
WRAP(int, -1, fstatat, (int dir, const char *path, struct stat *st, int flags),
     (dir, path, st, flags), ENOMEM, ENOENT)
WRAP(DIR *, NULL, fdopendir, (int fd), (fd), ENOMEM)
WRAP(FILE *, NULL, fdopen, (int fd, const char *mode), (fd, mode), ENOMEM)
WRAP(FILE *, NULL, open_memstream, (char **textp, size_t *lenp), (textp, lenp), ENOMEM)
WRAP(char *, NULL, strdup, (const char *text), (text), ENOMEM)
WRAP(void *, NULL, realloc, (void *p, size_t size), (p, size), ENOMEM)

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...)
{
	int error = strikes("openat", ERRORS(EMFILE, ENFILE, ENOMEM, EACCES, ENOENT));
	va_list va;

	if (error != 0) {
		errno = error;
		return -1;
	}
	va_start(va, flags);
	mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(va, mode_t) : 0;
	va_end(va);
	return __real_openat(dir, path, flags, mode);
}

/* Only what is added can be too much. */
int __real_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	int error = op == EPOLL_CTL_ADD ? strikes("epoll_ctl", ERRORS(ENOMEM, ENOSPC)) : 0;

	if (error == 0)
		return __real_epoll_ctl(epoll, op, fd, event);
	errno = error;
	return -1;
}

/* Reads and writes of files also do less than they were asked for. */
ssize_t __real_pread(int fd, void *to, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t n, off_t at)
{
	int error = strikes("pread", ERRORS(EIO, EINTR, ENODATA /* short */));

	if (error == ENODATA)
		return __real_pread(fd, to, n / 2, at);
	if (error == 0)
		return __real_pread(fd, to, n, at);
	errno = error;
	return -1;
}

ssize_t __real_pwrite(int fd, const void *from, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at)
{
	int error = strikes("pwrite", ERRORS(ENOSPC, EINTR, ENODATA /* short */));

	if (error == ENODATA)
		return __real_pwrite(fd, from, n / 2, at);
	if (error == 0)
		return __real_pwrite(fd, from, n, at);
	errno = error;
	return -1;
}

/* What has no kind (an eventfd, a signalfd, inotify) is read and written whole, or there is nothing. */
static bool has_kind(int fd)
{
	struct stat st;

	return __real_fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) != 0;
}

ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n)
{
	int error = has_kind(fd) ? strikes("read", ERRORS(EINTR, EIO, ENODATA /* short */)) : 0;

	if (error == ENODATA)
		return __real_read(fd, to, n / 2 + n % 2);
	if (error == 0)
		return __real_read(fd, to, n);
	errno = error;
	return -1;
}

ssize_t __real_write(int fd, const void *from, size_t n);
ssize_t __wrap_write(int fd, const void *from, size_t n);
ssize_t __wrap_write(int fd, const void *from, size_t n)
{
	int error = has_kind(fd) ? strikes("write", ERRORS(EINTR, ENOSPC, EIO, ENODATA /* short */))
				 : 0;

	if (error == ENODATA)
		return __real_write(fd, from, n / 2 + n % 2);
	if (error == 0)
		return __real_write(fd, from, n);
	errno = error;
	return -1;
}

/* Of one piece, as bstreamctl does it. */
ssize_t __real_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	int error = strikes("preadv2", ERRORS(EINTR, EAGAIN, EOPNOTSUPP, EIO, ENODATA /* short */));
	struct iovec half = { iov->iov_base, iov->iov_len / 2 + iov->iov_len % 2 };

	if (error == ENODATA)
		return __real_preadv2(fd, &half, 1, at, flags);
	if (error == 0)
		return __real_preadv2(fd, iov, n, at, flags);
	errno = error;
	return -1;
}

ssize_t __real_writev(int fd, const struct iovec *iov, int n);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int n);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int n)
{
	int error = strikes("writev", ERRORS(EINTR, EAGAIN, ENOSPC, ENODATA /* short */));
	struct iovec half = { iov->iov_base, iov->iov_len / 2 + iov->iov_len % 2 };

	if (error == ENODATA)
		return __real_writev(fd, &half, 1);
	if (error == 0)
		return __real_writev(fd, iov, n);
	errno = error;
	return -1;
}

/* ---- sockets and waiting -------------------------------------------------------------------- */

WRAP(int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol), EMFILE,
     ENFILE, ENOBUFS)
WRAP(int, -1, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), EAGAIN, EINTR,
     ENOENT, EACCES)
WRAP(int, -1, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), EROFS, ENOSPC,
     EACCES)
WRAP(int, -1, listen, (int fd, int n), (fd, n), ENOBUFS)
WRAP(int, -1, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags),
     EMFILE, ECONNABORTED, EINTR, ENOMEM)
WRAP(int, -1, getsockopt, (int fd, int level, int name, void *to, socklen_t *n),
     (fd, level, name, to, n), ENOBUFS)
WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags), EINTR,
     EAGAIN, ENOBUFS, ETOOMANYREFS, EPIPE)
WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags), EINTR, EAGAIN,
     ENOMEM, ECONNRESET)
WRAP(int, -1, ppoll, (struct pollfd * p, nfds_t n, const struct timespec *t, const sigset_t *set),
     (p, n, t, set), EINTR, ENOMEM)
WRAP(int, -1, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms), EINTR, ENOMEM)
WRAP(ssize_t, -1, recv, (int fd, void *to, size_t n, int flags), (fd, to, n, flags), EINTR, EAGAIN,
     ECONNRESET)
WRAP(ssize_t, -1, send, (int fd, const void *from, size_t n, int flags), (fd, from, n, flags),
     EINTR, EAGAIN, ENOBUFS, EPIPE)
WRAP(int, -1, socketpair, (int domain, int type, int protocol, int ends[2]),
     (domain, type, protocol, ends), EMFILE, ENFILE, ENOBUFS)
WRAP(int, -1, timerfd_create, (int clock, int flags), (clock, flags), EMFILE, ENFILE, ENOMEM)
WRAP(int, -1, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), EMFILE, ENOMEM)
WRAP(int, -1, epoll_create1, (int flags), (flags), EMFILE, ENOMEM)
WRAP(int, -1, epoll_wait, (int e, struct epoll_event *ev, int n, int ms), (e, ev, n, ms), EINTR)
WRAP(int, -1, eventfd, (unsigned n, int flags), (n, flags), EMFILE)
WRAP(int, -1, inotify_init1, (int flags), (flags), EMFILE, ENOMEM)
WRAP(int, -1, inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask),
     ENOSPC, ENOMEM)
WRAP(int, -1, sem_clockwait, (sem_t * s, clockid_t c, const struct timespec *t), (s, c, t), EINTR,
     EINVAL)
WRAP(int, -1, sem_init, (sem_t * s, int shared, unsigned n), (s, shared, n), ENOSYS)
WRAP(int, -1, nanosleep, (const struct timespec *t, struct timespec *left), (t, left), EINTR)
WRAP(int, -1, pidfd_open, (pid_t pid, unsigned flags), (pid, flags), EMFILE, ESRCH)
WRAP_RC(posix_spawnp,
	(pid_t * pid, const char *file, const posix_spawn_file_actions_t *a,
	 const posix_spawnattr_t *attr, char *const *argv, char *const *env),
	(pid, file, a, attr, argv, env), EAGAIN, ENOMEM, ENOENT)
WRAP(pid_t, -1, fork, (void), (), EAGAIN, ENOMEM)

long __real_syscall(long n, ...);
long __wrap_syscall(long n, ...);
long __wrap_syscall(long n, ...) /* futex, membarrier */
{
	int error = strikes("syscall", ERRORS(EINTR, EAGAIN, ENOSYS));
	long a[6];
	va_list va;

	if (error != 0) {
		errno = error;
		return -1;
	}
	va_start(va, n);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(va, long);
	va_end(va);
	return __real_syscall(n, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- in a program that is no test ----------------------------------------------------------- */

/* A program that comes writes a line, and one that leaves by its own will another. */
static void log_line(const char *what)
{
	const char *path = getenv("BSTREAM_FAULT_LOG");
	FILE *log = path ? fopen(path, "ae") : NULL;

	if (log == NULL)
		return;
	fprintf(log, "%s %ld %d %s\n", what, (long)n_calls, struck_more, struck[0] ? struck : "-");
	fclose(log);
}

static void log_leaving(void)
{
	wanted = -1;
	log_line("left");
}

__attribute__((constructor)) static void faults_from_environment(void)
{
	const char *text = getenv("BSTREAM_FAULT");
	char *end;

	if (text == NULL)
		return;
	log_line("came");
	atexit(log_leaving);
	long k = strtol(text, &end, 10);
	faults_arm(k, *end == ',' ? atoi(end + 1) : 0);
}
