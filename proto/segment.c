/* SPDX-License-Identifier: MIT */
/*
 * segment.c - makes, checks and maps the memory of a stream.
 *
 * A segment is allocated whole by its creator, so that a full file system is an error at create and
 * never a SIGBUS later. It is mapped with MADV_DONTFORK: a mapping keeps its description, and with
 * it the lock of an end, alive, and a forked child must not keep its parent's ends. Anybody may
 * call these; they keep no state, but in a build for the thread sanitizer, which sees no race
 * through two mappings of one memory: there all mappings of a process are shared.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <linux/magic.h>
#include <time.h>
#include <unistd.h>

#include "proto/segment.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SEALS	    (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define SEALS_AMISS (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) /* with these nobody can write */

static void header_fill(struct bs_header *h, const struct bs_geometry *geo,
			const struct bs_segment_spec *spec)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*h = (struct bs_header){
		.version = BS_LAYOUT_VERSION,
		.flags = geo->flags,
		.capacity = geo->capacity,
		.chunk_max = geo->chunk_max,
		.max_writers = geo->max_writers,
		.keep = geo->keep,
		.size = geo->size,
		.created_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
		.mode = spec->mode,
		.uid = geteuid(), /* as the file, and as a broker sees us: in a user namespace it corrects that */
		.gid = spec->gid != 0 ? spec->gid : getegid(),
		.creator_pid = getpid(),
	};
	memcpy(h->magic, BS_LAYOUT_MAGIC, sizeof(h->magic));
	snprintf(h->name, sizeof(h->name), "%s", spec->name);
}

/* Write what is not zero in a new segment. A semaphore of zero is all zeros but for its "shared
 * between processes" mark, which only sem_init knows how to set. */
static int contents_write(int fd, const struct bs_geometry *geo, const struct bs_segment_spec *spec)
{
	union {
		struct bs_segment segment;
		char bytes[sizeof(struct bs_segment)];
	} fresh;
	bool named = spec->name[0] != '\0';

	memset(&fresh, 0, sizeof(fresh));
	header_fill(&fresh.segment.header, geo, spec);
	atomic_init(&fresh.segment.verdicts.writers, geo->keep & BS_KEEP_WRITERS ? BS_W_KEPT : 0);
	atomic_init(&fresh.segment.verdicts.reader, (geo->keep & BS_KEEP_READER ? BS_R_KEPT : 0) |
							    (named ? BS_R_PARKED : BS_R_OPEN));
	if (!geo->sealed && (sem_init(&fresh.segment.items.sem, 1, 0) < 0 ||
			     sem_init(&fresh.segment.space.sem, 1, 0) < 0))
		return -errno;
	ssize_t n;
	do
		n = pwrite(fd, fresh.bytes, sizeof(fresh.bytes), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(fresh.bytes) ? 0 : -ENOSPC;
}

static int allocate(int fd, uint64_t size)
{
	struct rlimit limit;
	int rc;

	/* The kernel would raise SIGXFSZ, and a library must not have its caller killed. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    size > limit.rlim_cur)
		return -ENOSPC;
	do
		rc = posix_fallocate(fd, 0, (off_t)size);
	while (rc == EINTR);
	return -rc;
}

static int segment_fill(int fd, const struct bs_geometry *geo, const struct bs_segment_spec *spec)
{
	int rc = allocate(fd, geo->size);

	if (rc == 0)
		rc = contents_write(fd, geo, spec);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

int bs_segment_new_nameless(const struct bs_geometry *geo, const struct bs_segment_spec *spec)
{
	unsigned sealing = geo->sealed ? MFD_ALLOW_SEALING : 0;
	int fd = memfd_create("bstream", MFD_CLOEXEC | MFD_NOEXEC_SEAL | sealing);

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("bstream", MFD_CLOEXEC | sealing);
	if (fd < 0)
		return -errno;
	fd = segment_fill(fd, geo, spec);
	/* A broker outside of our user namespace knows the group by another number: it finds that here. If it is not
	 * ours to give, it says so. */
	if (fd >= 0 && spec->gid != 0 && fchown(fd, (uid_t)-1, spec->gid) < 0 && errno == EINVAL) {
		close(fd);
		return -EINVAL;
	}
	if (fd >= 0 && geo->sealed && fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
		int saved = errno;

		close(fd);
		return -saved;
	}
	return fd;
}

bool bs_segment_is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & (SEALS | SEALS_AMISS)) == SEALS;
}

static int open_under_random_name(char tmp_name[64])
{
	uint64_t r;

	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return -EAGAIN;
	snprintf(tmp_name, 64, "bstream.new.%016llx", (unsigned long long)r);
	char path[80];
	snprintf(path, sizeof(path), "/%s", tmp_name);
	int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int bs_segment_new_linkable(const struct bs_geometry *geo, const struct bs_segment_spec *spec,
			    char tmp_name[64])
{
	tmp_name[0] = '\0';
	int fd = open(BS_SHM_DIR, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		fd = open_under_random_name(tmp_name);
		if (fd < 0)
			tmp_name[0] = '\0';
	} else if (fd < 0) {
		fd = -errno;
	}
	if (fd < 0)
		return fd;
	fchmod(fd, 0600); /* whatever the umask took: the broker has to open it too */
	fd = segment_fill(fd, geo, spec);
	if (fd < 0 && tmp_name[0] != '\0') {
		char path[80];

		snprintf(path, sizeof(path), "/%s", tmp_name);
		shm_unlink(path);
	}
	return fd;
}

int bs_segment_check(int fd, struct bs_geometry *geo, struct bs_header *header, struct stat *st)
{
	struct stat own;
	struct statfs fs;

	if (st == NULL)
		st = &own;
	if (fstat(fd, st) < 0)
		return errno == EBADF ? -EBADF : -EPROTO;
	/* Only memory that cannot fail to be read later: tmpfs, which memfds are too. */
	if (!S_ISREG(st->st_mode) || fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC)
		return -EPROTO;
	ssize_t n;
	do
		n = pread(fd, header, sizeof(*header), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*header))
		return -EPROTO;
	int rc = bs_geometry_check(geo, header, (uint64_t)st->st_size);
	if (rc < 0 || !geo->sealed)
		return rc;
	/* Its seals hold from when they are seen on: it may have been cut off just before. And all of it is what its
	 * header says: who holds it for others holds no more than he counts. */
	if (!bs_segment_is_sealed(fd) || fstat(fd, st) < 0 || (uint64_t)st->st_size != geo->size)
		return -EPROTO;
	return 0;
}

static struct bs_segment *map_anew(int fd, uint64_t len, bool write)
{
	void *p = mmap(NULL, len, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (madvise(p, len, MADV_DONTFORK) < 0) {
		int saved = errno;

		munmap(p, len);
		errno = saved;
		return NULL;
	}
	return p;
}

#if defined(__SANITIZE_THREAD__)
#define SHARE_MAPPINGS
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHARE_MAPPINGS
#endif
#endif

#ifdef SHARE_MAPPINGS
/* One mapping of a segment for the whole process, as far as the first wants it. It is made through
 * a description of its own, which is no end: it outlives the end that asked for it. */
#include <pthread.h>

#include "proto/end.h"

struct shared_mapping {
	struct shared_mapping *next;
	pid_t pid; /* a forked child has the table, but not the mappings */
	dev_t dev;
	ino_t ino;
	uint64_t len;
	unsigned n_users;
	struct bs_segment *g;
};

static pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER;
static struct shared_mapping *mappings;

static struct shared_mapping *mapping_find(const struct stat *st, uint64_t len)
{
	for (struct shared_mapping *m = mappings; m != NULL; m = m->next)
		if (m->pid == getpid() && m->dev == st->st_dev && m->ino == st->st_ino &&
		    m->len == len)
			return m;
	return NULL;
}

static struct bs_segment *map_as_no_end(int fd, uint64_t len)
{
	int fresh = bs_end_reopen(fd, O_RDWR);

	if (fresh < 0) {
		errno = -fresh;
		return NULL;
	}
	struct bs_segment *g = map_anew(fresh, len, true);
	int saved = errno;
	close(fresh);
	errno = saved;
	return g;
}

struct bs_segment *bs_segment_map(int fd, uint64_t len, bool write)
{
	struct stat st;
	struct bs_segment *g = NULL;

	if (!write || fstat(fd, &st) < 0)
		return map_anew(fd, len, write);
	pthread_mutex_lock(&mappings_lock);
	struct shared_mapping *m = mapping_find(&st, len);
	if (m == NULL && (g = map_as_no_end(fd, len)) != NULL) {
		m = calloc(1, sizeof(*m));
		if (m != NULL) {
			*m = (struct shared_mapping){ mappings, getpid(), st.st_dev, st.st_ino,
						      len,	0,	  g };
			mappings = m;
		}
	}
	if (m != NULL) {
		m->n_users++;
		g = m->g;
	}
	pthread_mutex_unlock(&mappings_lock);
	return g;
}

void bs_segment_unmap(struct bs_segment *g, uint64_t len)
{
	pthread_mutex_lock(&mappings_lock);
	for (struct shared_mapping **p = &mappings; *p != NULL; p = &(*p)->next) {
		struct shared_mapping *m = *p;

		if (m->g != g || m->pid != getpid())
			continue;
		if (--m->n_users == 0) {
			*p = m->next;
			free(m);
			munmap(g, len);
		}
		g = NULL;
		break;
	}
	pthread_mutex_unlock(&mappings_lock);
	if (g != NULL)
		munmap(g, len);
}
#else
struct bs_segment *bs_segment_map(int fd, uint64_t len, bool write)
{
	return map_anew(fd, len, write);
}

void bs_segment_unmap(struct bs_segment *g, uint64_t len)
{
	munmap(g, len);
}
#endif
