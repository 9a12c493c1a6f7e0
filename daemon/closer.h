/* SPDX-License-Identifier: MIT */
/*
 * closer.h - closing what may take its time.
 *
 * close() of a stranger's descriptor can sleep as long as he likes: a socket that lingers, a file of
 * a user-space file system. So can closing a connection in whose queue such descriptors lie, and so,
 * for a moment, does giving back the memory of a large file. What is not known to be quick is closed
 * by threads that exist only while there is something to close, and touch nothing else: a few for each user
 * who sent such things.
 */
#ifndef BSTREAMD_CLOSER_H
#define BSTREAMD_CLOSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* @kick: an eventfd, borrowed, that is written to whenever something has been closed: that may be the
 * room that somebody waits for. @shm_dev, @memfd_dev: the devices of the shm directory, and of memfds. */
void closer_init(int kick, dev_t shm_dev, dev_t memfd_dev);

/* Is it a file in shared memory? Then nothing that is done with it sleeps for as long as others like.
 * Asking does not, whatever it is. */
bool closer_is_memory(int fd);

/* Close @fd, which @uid has sent, some time soon. Never waits. */
void closer_take(int fd, uid_t uid);

/* The same, but here and now if it is a file in shared memory and not a large one. */
void closer_take_file(int fd, uid_t uid);

/* The same for what is known to be one, and so large. -1 is fine. */
void closer_take_memory(int fd, uint64_t size, uid_t uid);

/* The same for a connection: here and now if it is certain that no descriptors lie in its queue. */
void closer_take_connection(int fd, uid_t uid);

/* How many are still to be closed, and of them one user's. */
size_t closer_pending(void);
size_t closer_pending_of(uid_t uid);

#endif
