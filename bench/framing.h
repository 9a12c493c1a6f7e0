/* SPDX-License-Identifier: MIT */
/*
 * framing.h - chunks over a byte stream: four bytes of length before each.
 *
 * For pipes and stream sockets. A reader takes what is there, up to 64 KiB, in one system call and
 * cuts it up itself; a writer sends length and bytes in one call. Several writers take turns by a
 * lock where the kernel would not keep a chunk together.
 */
#ifndef BENCH_FRAMING_H
#define BENCH_FRAMING_H

#include <sys/types.h>

#include "bench/transport.h"

/* Make a channel of two descriptors, whose owner it becomes, on failure too. */
int framing_open(struct channel *c, int write_fd, int read_fd);

void framing_close(struct channel *c);
int framing_attach_writer(struct channel *c, unsigned k, void **endp);
int framing_attach_reader(struct channel *c, void **endp);
int framing_write(void *end, const void *buf, size_t len);
ssize_t framing_read(void *end, void *buf, size_t cap);

#endif
