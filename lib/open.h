/* SPDX-License-Identifier: MIT */
/*
 * open.h - making handles of descriptors, and taking them apart again.
 */
#ifndef BS_OPEN_H
#define BS_OPEN_H

#include "lib/handle.h"

enum bs_origin {
	BS_FRESH, /* its byte was locked for us a moment ago; nobody has attached it */
	BS_FIRST, /* a reader: the other half of a new pair */
	BS_TRAVELLED, /* it was an end in another process, or here, and was detached */
};

/* Make a handle of the end that @fd is. Takes @fd on success; on failure it is the caller's, and a
 * travelled end may be tried again. -EPROTO, -EPROTONOSUPPORT, -EBADF: not such an end; -EPIPE,
 * -ESHUTDOWN: its stream is over; -EOPNOTSUPP, -ENOMEM; -EAGAIN, -ETIMEDOUT: a writer is stopped in
 * the middle of a write. */
int bs_writer_make(int fd, enum bs_origin origin, uint64_t deadline, struct bstream_writer **wp);
int bs_reader_make(int fd, enum bs_origin origin, struct bstream_reader **rp);

/* bstream_pair, sealed whatever the options say. */
int bs_pair_make(const struct bstream_options *options, bool sealed, struct bstream_writer **wp,
		 struct bstream_reader **rp);

/* Let go of memory and mapping, but not of the end. Returns its descriptor, now the caller's. */
int bs_writer_unmake(struct bstream_writer *w);
int bs_reader_unmake(struct bstream_reader *r);

/* The same, and close the descriptor: the end is closed already, or on its way to somebody else. */
void bs_writer_drop(struct bstream_writer *w);
void bs_reader_drop(struct bstream_reader *r);

#endif
