/* SPDX-License-Identifier: MIT */
/*
 * boost_queue.h - Boost.Interprocess' message_queue for a C program.
 */
#ifndef BENCH_BOOST_QUEUE_H
#define BENCH_BOOST_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct boost_queue;

/* Make a queue of @depth messages of up to @len bytes; its name is gone when this returns. NULL: no. */
struct boost_queue *boost_queue_new(const char *name, size_t depth, size_t len);
void boost_queue_free(struct boost_queue *q);

/* Send and receive, waiting asleep; or try, and say -EAGAIN. -EIO: the queue failed. */
int boost_queue_send(struct boost_queue *q, const void *buf, size_t len, bool wait);
ssize_t boost_queue_receive(struct boost_queue *q, void *buf, size_t cap, bool wait);

#ifdef __cplusplus
}
#endif

#endif
