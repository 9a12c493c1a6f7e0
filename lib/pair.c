/* SPDX-License-Identifier: MIT */
/* pair.c - a stream without a name: a memfd, two descriptions of it, and a handle on each. */
#include <fcntl.h>
#include <unistd.h>

#include "lib/link.h"
#include "lib/open.h"
#include "lib/options.h"
#include "proto/end.h"

/* Make the two ends of the new segment behind @fd_r. Takes both descriptors, whatever happens. */
static int ends_make(int fd_w, int fd_r, struct bstream_writer **wp, struct bstream_reader **rp)
{
	struct bstream_reader *r = NULL;
	int rc = bs_end_lock(fd_r, BS_BYTE_READER);

	if (rc == 0)
		rc = bs_end_lock(fd_w, BS_BYTE_WRITERS);
	if (rc == 0)
		rc = bs_reader_make(fd_r, BS_FIRST, &r);
	if (rc < 0)
		bs_link_close(fd_r);
	else
		bs_link_forget(fd_r);
	if (rc == 0 && (rc = bs_writer_make(fd_w, BS_FRESH, bs_now() + BS_MS(5000), wp)) < 0)
		bstream_reader_close(r);
	if (rc < 0) {
		bs_link_close(fd_w);
		return rc;
	}
	bs_link_forget(fd_w);
	*rp = r;
	return 0;
}

int bstream_pair(const struct bstream_options *options, struct bstream_writer **wp,
		 struct bstream_reader **rp)
{
	return bs_pair_make(options, false, wp, rp);
}

int bs_pair_make(const struct bstream_options *options, bool sealed, struct bstream_writer **wp,
		 struct bstream_reader **rp)
{
	struct bs_geometry geo;
	struct bs_segment_spec spec = { .name = "" };
	int rc = bs_options_resolve(options, false, &geo, &spec);

	if (rc < 0)
		return rc;
	if (sealed)
		bs_geometry_seal(&geo);
	/* Both ends are opened anew: so they are noted from birth (link.h), and never 0, 1 or 2. */
	int fd = bs_segment_new_nameless(&geo, &spec);
	if (fd < 0)
		return fd;
	int fd_r = bs_link_reopen(fd, O_RDWR);
	int fd_w = fd_r < 0 ? fd_r : bs_link_reopen(fd, O_RDWR);
	close(fd);
	if (fd_w < 0) {
		bs_link_close(fd_r);
		return fd_w;
	}
	return ends_make(fd_w, fd_r, wp, rp);
}
