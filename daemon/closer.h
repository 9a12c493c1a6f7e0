/* SPDX-License-Identifier: MIT */
/*
 * closer.h - closing what may take its time.
 *
 * close() of a stranger's descriptor can sleep as long as he likes: a socket that lingers, a file of
 * a user-space file system. So can closing a connection in whose queue such descriptors lie, and so,
 * for a moment, does giving back the memory of a large file. What is not known to be quick is closed
 * by threads that exist only while there is something to close, and touch nothing else.
 */
#ifndef BSTREAMD_CLOSER_H
#define BSTREAMD_CLOSER_H

#include <stddef.h>
#include <sys/types.h>

/* @kick: an eventfd, borrowed, that is written to when everything has been closed. @shm_dev and
 * @memfd_dev: the devices on which files are known to close quickly. */
void closer_init(int kick, dev_t shm_dev, dev_t memfd_dev);

/* Close @fd, some time soon. Never waits. */
void closer_take(int fd);

/* The same, but here and now if it is a file on one of those devices and not a large one. */
void closer_take_file(int fd);

/* How many are still to be closed. */
size_t closer_pending(void);

#endif
