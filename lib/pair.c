/* SPDX-License-Identifier: MIT */
/* pair.c - a stream without a name: a memfd, two descriptions of it, and a handle on each. */
#include <fcntl.h>
#include <unistd.h>

#include "lib/open.h"
#include "lib/options.h"
#include "proto/end.h"

/* Make the two ends of the new segment behind @fd_r. Takes both descriptors, whatever happens. */
static int pair_make(int fd_w, int fd_r, struct bstream_writer **wp, struct bstream_reader **rp)
{
	struct bstream_reader *r = NULL;
	int rc = bs_end_lock(fd_r, BS_BYTE_READER);

	if (rc == 0)
		rc = bs_end_lock(fd_w, BS_BYTE_WRITERS);
	if (rc == 0)
		rc = bs_reader_make(fd_r, BS_FIRST, &r);
	if (rc < 0)
		close(fd_r);
	else if ((rc = bs_writer_make(fd_w, BS_FRESH, bs_now() + BS_MS(5000), wp)) < 0)
		bstream_reader_close(r);
	if (rc < 0) {
		close(fd_w);
		return rc;
	}
	*rp = r;
	return 0;
}

int bstream_pair(const struct bstream_options *options, struct bstream_writer **wp,
		 struct bstream_reader **rp)
{
	struct bs_geometry geo;
	struct bs_segment_spec spec = { .name = "" };
	int rc = bs_options_resolve(options, false, &geo, &spec.mode);

	if (rc < 0)
		return rc;
	int fd_r = bs_segment_new_nameless(&geo, &spec);
	if (fd_r < 0)
		return fd_r;
	int fd_w = bs_end_reopen(fd_r, O_RDWR);
	if (fd_w < 0) {
		close(fd_r);
		return fd_w;
	}
	return pair_make(fd_w, fd_r, wp, rp);
}
