/* SPDX-License-Identifier: MIT */
/*
 * closer.h - closing what may take its time, and keeping such things out.
 *
 * close() of a stranger's descriptor can sleep as long as he likes: a socket that lingers, a file of
 * a user-space file system. So can closing a connection in whose queue such descriptors lie, and so,
 * for a moment, does giving back the memory of a large file. What is not known to be quick is given to
 * processes that die of it: a dying process does not linger, and if something holds it up all the same,
 * it holds nothing of ours.
 */
#ifndef BSTREAMD_CLOSER_H
#define BSTREAMD_CLOSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Descriptor 0 becomes ours. @shm_dev, @memfd_dev: the devices of the shm directory, and of memfds. 0 or a
 * negative errno. */
int closer_init(dev_t shm_dev, dev_t memfd_dev);
void closer_fini(void);

/* Is it a file in shared memory? Then nothing that is done with it sleeps for as long as others like.
 * Asking does not, whatever it is. */
bool closer_is_memory(int fd);

/* Close @fd, which @uid has sent, at the end of this round. Not for a file of a user-space file system,
 * which would be asked. */
void closer_take(int fd, uid_t uid);

/* The same, but here and now if it is a file in shared memory and not a large one. */
void closer_take_file(int fd, uid_t uid);

/* The same for what is known to be one, and so large. -1 is fine. */
void closer_take_memory(int fd, uint64_t size, uid_t uid);

/* The same for a connection: here and now if no descriptors lie in its queue. And for one that has
 * SO_PASSCRED already. */
void closer_take_connection(int fd, uid_t uid);
void closer_take_client(int fd, uid_t uid);

/* What a packet has with it, found out without having it. */
enum closer_taste {
	TASTE_MEMORY, /* one file in shared memory; the packet waits */
	TASTE_OTHER, /* *np of something else; the packet has been taken and its descriptors are gone */
	TASTE_NOT, /* it could not be found out; the packet waits */
};

/* Of the next packet of @connection, which has descriptors that @uid has sent. */
enum closer_taste closer_taste(int connection, uid_t uid, size_t *np);

/* At the end of each round; and when a child process has ended. */
void closer_run(void);
void closer_reap(void);

/* When to run again though nothing happens: CLOCK_MONOTONIC ns, or UINT64_MAX. */
uint64_t closer_due(void);

/* How many are still to be closed, and of them one user's; how many processes have not died yet. */
size_t closer_pending(void);
size_t closer_pending_of(uid_t uid);
size_t closer_dying(void);

#endif
