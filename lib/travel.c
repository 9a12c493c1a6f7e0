/* SPDX-License-Identifier: MIT */
/*
 * travel.c - an end as one descriptor, on its way from one owner to the next. While it travels its
 * lock lives in the descriptor and its line says so.
 *
 * A message that carries an end is one byte, which says of which kind, and the descriptor. The line
 * says "travelling" before the message goes, so that no receiver is too early. If the send fails the
 * end is taken back by the swap that a receiver would use: if that fails, a receiver was there, and
 * the send has succeeded after all (tests/model/move.pml). The sender unmaps when the message has
 * gone; until then his death would be noticed no earlier than the receiver's.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/link.h"
#include "lib/open.h"
#include "lib/travel.h"
#include "proto/packet.h"

#define PATIENCE_NS BS_MS(5000)

/* The owner leaves the end, whole, to whoever gets the descriptor. What its line says from then on. */
static uint64_t owner_send(_Atomic uint64_t *owner, _Atomic int32_t *pid)
{
	uint64_t travelling = owner_look(owner) - BS_END_ATTACHED + BS_END_TRAVELLING;

	figure_store(pid, 0);
	owner_store(owner, travelling);
	return travelling;
}

/* It is still here: take it back, unless a receiver has it. It counts as a new owner, so that who still
 * has the message does not take the next one's journey for this one (daemon/letter.c). */
static bool owner_return(_Atomic uint64_t *owner, _Atomic int32_t *pid, uint64_t travelling)
{
	if (!owner_swap(owner, travelling,
			travelling + BS_END_STEP - BS_END_TRAVELLING + BS_END_ATTACHED))
		return false;
	figure_store(pid, (int32_t)getpid());
	return true;
}

uint64_t bs_reader_set_out(struct bstream_reader *r)
{
	return owner_send(&r->g->reader.owner, &r->g->reader.pid);
}

bool bs_reader_come_back(struct bstream_reader *r, uint64_t travelling)
{
	return owner_return(&r->g->reader.owner, &r->g->reader.pid, travelling);
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
	bs_reader_set_out(r);
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

/* ---- in a message --------------------------------------------------------------------------- */

#define KIND_READER 'r'
#define KIND_WRITER 'w'

/* Send the descriptor of an end whose line says that it travels. */
static int end_send(int socket, char kind, const struct bs_hold *hold)
{
	return bs_packet_send(socket, &kind, 1, hold->sight.fd, 0);
}

int bstream_writer_send(int socket, struct bstream_writer *w)
{
	struct bs_writer_line *l = w->line;

	if (bs_fork_stale(w->fork_stamp))
		return -ESTALE;
	if (w->reserved)
		return -EBUSY;
	uint64_t travelling = owner_send(&l->owner, &l->pid);
	int rc = end_send(socket, KIND_WRITER, &w->hold);
	if (rc < 0 && owner_return(&l->owner, &l->pid, travelling))
		return rc;
	bs_writer_drop(w);
	return 0;
}

int bstream_reader_send(int socket, struct bstream_reader *r)
{
	if (bs_fork_stale(r->fork_stamp))
		return -ESTALE;
	uint64_t travelling = bs_reader_set_out(r);
	int rc = end_send(socket, KIND_READER, &r->hold);
	if (rc < 0 && bs_reader_come_back(r, travelling))
		return rc;
	bs_reader_drop(r);
	return 0;
}

/*
 * Nothing was in what came. -EPROTO: that was an empty message; -ECONNRESET: the peer has closed. Of
 * stream sockets only the latter can be. Empty messages with none behind them, of a peer that has
 * closed, are no news either.
 */
static int nothing_came(int socket)
{
	struct pollfd p = { .fd = socket, .events = POLLRDHUP };
	socklen_t len = sizeof(int);
	int type = SOCK_STREAM, left = 0;

	if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type == SOCK_STREAM)
		return -ECONNRESET;
	bool closed = type == SOCK_SEQPACKET && poll(&p, 1, 0) == 1 &&
		      (p.revents & (POLLRDHUP | POLLHUP)) != 0;
	return closed && (ioctl(socket, FIONREAD, &left) < 0 || left == 0) ? -ECONNRESET : -EPROTO;
}

/* Wait for a message, as the socket does. A look without room for descriptors brings none. */
static int message_await(int socket)
{
	char byte;
	ssize_t n;

	while ((n = recv(socket, &byte, 1, MSG_PEEK)) < 0)
		if (errno != EINTR)
			return -errno;
	return n == 0 && nothing_came(socket) == -ECONNRESET ? -ECONNRESET : 0;
}

/* Receive the descriptor of an end of @kind, noted from birth: a child that another thread forks in
 * the next moment would else keep it alive. It, or a negative errno. */
static int end_recv(int socket, char kind)
{
	char peer_kind;
	int fd = -1;
	ssize_t n;

	do {
		int rc = message_await(socket);
		if (rc < 0)
			return rc;
		n = bs_link_recv_shared(socket, &peer_kind, 1, &fd);
	} while (n == -EAGAIN); /* another thread was faster */
	if (n < 0)
		return n == -EMSGSIZE ? -EPROTO : (int)n;
	if (n == 0)
		return nothing_came(socket);
	if (fd >= 0 && peer_kind != kind) {
		bs_link_close(fd);
		fd = -1;
	}
	return fd >= 0 ? fd : -EPROTO;
}

/* What attaching it gave. If nothing, the message is gone, so the end is, too. */
static int end_received(int fd, int rc)
{
	if (rc < 0)
		bs_link_close(fd);
	else
		bs_link_forget(fd);
	return rc;
}

int bstream_writer_recv(int socket, struct bstream_writer **wp)
{
	int fd = end_recv(socket, KIND_WRITER);

	if (fd < 0)
		return fd;
	return end_received(fd, bstream_writer_attach(fd, wp));
}

int bstream_reader_recv(int socket, struct bstream_reader **rp)
{
	int fd = end_recv(socket, KIND_READER);

	if (fd < 0)
		return fd;
	return end_received(fd, bstream_reader_attach(fd, rp));
}
