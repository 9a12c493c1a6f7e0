/* SPDX-License-Identifier: MIT */
/*
 * link.h - the descriptors with which this process talks to a broker or polls a stream, and fork.
 *
 * A forked child must keep none of them: the broker would take it for its parent, a lock would
 * outlive its owner, a dead broker's socket would go on listening. So each is noted from birth to
 * close, and the child closes what is noted. All are close-on-exec, and never 0, 1 or 2.
 */
#ifndef BS_LINK_H
#define BS_LINK_H

#include <stdint.h>
#include <sys/types.h>

/* A new Unix packet socket, not blocking. The descriptor or a negative errno. */
int bs_link_socket(void);

/* Open a directory. Likewise. */
int bs_link_dir(const char *path);

/* An inotify instance, a timer of CLOCK_MONOTONIC, an epoll, not blocking: for a poll descriptor.
 * Likewise. */
int bs_link_inotify(void);
int bs_link_timer(void);
int bs_link_epoll(void);

/* Let the timer go off once, so long from now; 0: not at all. If it has gone off, that is over. */
void bs_link_timer_set(int timer, uint64_t in_ns);

/* Let it go off now. When this returns it has, and stays so until it is set. */
void bs_link_timer_ring(int timer);

/* bs_packet_recv, not waiting; *fdp is noted too, until bs_link_forget. -ENOMEM: nothing is taken. */
ssize_t bs_link_recv(int link, void *buf, size_t size, int *fdp);

/* The same, of bs_packet_take: a descriptor that cannot be had is lost. */
ssize_t bs_link_take(int link, void *buf, size_t size, int *fdp);

/* The same, of bs_packet_recv_shared. */
ssize_t bs_link_recv_shared(int socket, void *buf, size_t size, int *fdp);

/* bs_end_reopen, noted from birth: for what is to become an end. */
int bs_link_reopen(int fd, int open_flags);

/* No longer noted: it is an end now, and fork.c has it, or it is none. */
void bs_link_forget(int fd);

/* Close what the functions above opened. -1 is fine. */
void bs_link_close(int fd);
void bs_link_closep(int *fdp); /* for the cleanup attribute */

#endif
