/* SPDX-License-Identifier: MIT */
/*
 * travel.c - an end as one descriptor, on its way from one owner to the next. While it travels its
 * lock lives in the descriptor, its line says so, and nobody has it mapped.
 */
#include <fcntl.h>

#include "lib/open.h"

#define PATIENCE_NS BS_MS(5000)

/* The owner leaves the end, whole, to whoever gets the descriptor. */
static void owner_send(_Atomic uint64_t *owner, _Atomic int32_t *pid)
{
	figure_store(pid, 0);
	owner_store(owner, owner_look(owner) - BS_END_ATTACHED + BS_END_TRAVELLING);
}

int bstream_writer_detach(struct bstream_writer *w)
{
	if (bs_fork_stale(w->fork_stamp))
		return -ESTALE;
	if (w->reserved)
		return -EBUSY;
	owner_send(&w->line->owner, &w->line->pid);
	return bs_writer_unmake(w);
}

int bstream_reader_detach(struct bstream_reader *r)
{
	if (bs_fork_stale(r->fork_stamp))
		return -ESTALE;
	owner_send(&r->g->reader.owner, &r->g->reader.pid);
	return bs_reader_unmake(r);
}

static int attached(int fd, int rc)
{
	if (rc == 0) /* exec cleared it; an end that is somebody's again is not to be inherited */
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return rc == -ESHUTDOWN ? -EPIPE : rc;
}

int bstream_writer_attach(int fd, struct bstream_writer **wp)
{
	return attached(fd, bs_writer_make(fd, BS_TRAVELLED, bs_now() + PATIENCE_NS, wp));
}

int bstream_reader_attach(int fd, struct bstream_reader **rp)
{
	return attached(fd, bs_reader_make(fd, BS_TRAVELLED, rp));
}
