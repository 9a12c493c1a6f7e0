/* SPDX-License-Identifier: MIT */
/*
 * wire.c - fuzz target: the broker's way from a packet to a reply, with all of its objects but the
 * listening socket's place. Clients come and go, send any bytes with any descriptors, keep the ends
 * they are given and write into them, and cut files. The broker refuses, or serves; no client's doing
 * may become an error of its own, and when all have gone nothing may be left.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/client.h"
#include "daemon/closer.h"
#include "daemon/mailbox.h"
#include "daemon/request.h"
#include "daemon/watch.h"
#include "proto/end.h"
#include "proto/segment.h"
#include "tests/fuzz/input.h"

#define N_CONNS	   4
#define N_KEPT	   6
#define PACKET_MAX 5000

struct scene {
	int conn[N_CONNS];
	int kept[N_KEPT]; /* descriptors that the broker has given away */
	unsigned n_kept;
};

static struct broker broker;
static struct sockaddr_un address;
static socklen_t address_len;
static char shm_path[64];

/* ---- the broker ----------------------------------------------------------------------------- */

static void shm_remove(void)
{
	rmdir(shm_path);
}

static int source(struct source *s, int fd,
		  int (*on_event)(struct broker *, struct source *, uint32_t))
{
	s->fd = fd;
	s->on_event = on_event;
	HOLDS(fd >= 0);
	return fd;
}

/* As main.c does it, but for a socket without a path, and a directory of our own for the files. */
static void broker_set(void)
{
	struct broker *b = &broker;

	*b = (struct broker){
		.limits = { .max_streams = 6,
			    .max_clients = 6,
			    .max_parked = 3,
			    .max_mailboxes = 2 },
		.uid = geteuid(),
		.base = "none",
		.socket_watch = -1,
		.listening = true,
	};
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	b->dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	source(&b->listener, socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
	       client_on_connect);
	address.sun_family = AF_UNIX;
	HOLDS(bind(b->listener.fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
	address_len = sizeof(address);
	HOLDS(getsockname(b->listener.fd, (struct sockaddr *)&address, &address_len) == 0);
	HOLDS(listen(b->listener.fd, 64) == 0);
	source(&b->inotify, inotify_init1(IN_NONBLOCK | IN_CLOEXEC), watch_on_event);
	HOLDS(loop_add(b, &b->listener, EPOLLIN) == 0 && loop_add(b, &b->inotify, EPOLLIN) == 0);
	accounts_init(&b->accounts);
	HOLDS(registry_init(&b->registry, b->inotify.fd, "bstream.fuzz.", &b->accounts) == 0);
	post_init(&b->post);
	close(b->registry.shm);
	snprintf(shm_path, sizeof(shm_path), BS_SHM_DIR "/fuzz-%d", (int)getpid());
	HOLDS(mkdir(shm_path, 0700) == 0 && atexit(shm_remove) == 0);
	b->registry.shm = open(shm_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	HOLDS(b->registry.shm >= 0 && bus_init() == 0);
	HOLDS(closer_init(b->registry.shm_dev, b->registry.memfd_dev) == 0);
}

/* One round of loop.c, without the wait. True: something happened. */
static bool broker_round(void)
{
	struct epoll_event events[16];
	int n = epoll_wait(broker.epoll, events, 16, 0);

	for (int i = 0; i < n; i++) {
		struct source *s = events[i].data.ptr;

		HOLDS(s->on_event(&broker, s, events[i].events) == 0);
	}
	watch_run(&broker.registry);
	scrape_run(&broker);
	client_bury(&broker);
	closer_run();
	closer_reap();
	HOLDS(client_admit(&broker) == 0);
	HOLDS(broker.n_clients <= broker.limits.max_clients);
	HOLDS(broker.n_parked <= broker.limits.max_parked);
	HOLDS(broker.registry.n_streams <= broker.limits.max_streams);
	HOLDS(broker.post.names.n <= broker.limits.max_mailboxes);
	return n > 0;
}

static void broker_rounds(void)
{
	while (broker_round())
		;
}

/* ---- descriptors to send -------------------------------------------------------------------- */

static bool is_semaphore(uint64_t at)
{
	const size_t items = offsetof(struct bs_segment, items.sem);
	const size_t space = offsetof(struct bs_segment, space.sem);

	return at + 8 - items < sizeof(sem_t) + 8 || at + 8 - space < sizeof(sem_t) + 8;
}

/* Write an extreme number somewhere into the part of a segment that the broker looks into. */
static void segment_poke(int fd, struct input *in)
{
	uint64_t at = input_u16(in) % 1536, near = 0;

	if (pread(fd, &near, sizeof(near), (off_t)at) < 0)
		return;
	uint64_t value = input_extreme(in, near);
	if (!is_semaphore(at) && pwrite(fd, &value, sizeof(value), (off_t)at) < 0)
		return;
}

static const char *name_of(struct input *in)
{
	static const char *const names[] = { "a", "b", "c/d", "e", "f", "g", "h", "" };

	return names[input_u8(in) % 8];
}

static int segment_make(struct input *in)
{
	struct bs_geometry geo;
	struct bs_segment_spec spec = { .name = name_of(in), .mode = 0600 };
	uint8_t how = input_u8(in);
	char tmp_name[64];

	uint32_t flags = how & 64 ? BS_FLAG_SEALED : 0;
	HOLDS(bs_geometry_init(&geo, 1 + how % 4, 64, 1 + how / 4 % 4, flags, how / 16 % 4) == 0);
	int fd = flags != 0 ? bs_segment_new_nameless(&geo, &spec)
			    : bs_segment_new_linkable(&geo, &spec, tmp_name);
	HOLDS(fd >= 0);
	return fd;
}

/* A read end on its way, as a message carries it; or nearly. */
static int end_make(struct input *in)
{
	struct bs_geometry geo;
	struct bs_segment_spec spec = { .name = "" };
	uint64_t owner = BS_END_TRAVELLING;
	uint8_t how = input_u8(in);

	HOLDS(bs_geometry_init(&geo, 2, 64, 1, how & 1 ? BS_FLAG_SEALED : 0, 0) == 0);
	int fd = bs_segment_new_nameless(&geo, &spec);
	HOLDS(fd >= 0);
	HOLDS(pwrite(fd, &owner, sizeof(owner), offsetof(struct bs_segment, reader.owner)) > 0);
	if (how & 2)
		segment_poke(fd, in);
	if (how >= 8)
		bs_end_lock(fd, BS_BYTE_READER);
	return fd;
}

static int reopened(int fd, int flags)
{
	int fresh = bs_end_reopen(fd, flags);

	close(fd);
	return fresh;
}

static int descriptor(struct scene *s, struct input *in)
{
	uint8_t how = input_u8(in);
	int fd;

	switch (how % 12) {
	case 0:
		return open("/dev/zero", O_RDWR | O_CLOEXEC);
	case 1:
		return memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	case 2:
		return eventfd(0, EFD_CLOEXEC);
	case 3:
		return open(shm_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case 4:
		return reopened(segment_make(in), O_PATH);
	case 5:
		return reopened(segment_make(in), O_RDONLY);
	case 6:
		fd = segment_make(in);
		segment_poke(fd, in);
		return fd;
	case 7:
		fd = segment_make(in);
		if (ftruncate(fd, input_u16(in)) < 0)
			errno = 0; /* sealed: it keeps its size */
		return fd;
	case 8:
		if (s->n_kept > 0)
			return fcntl(s->kept[how / 12 % s->n_kept], F_DUPFD_CLOEXEC, 0);
		return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	case 9:
		return end_make(in);
	default:
		return segment_make(in);
	}
}

/* What a message carries is an end, most of the time. */
static int end_or_not(struct scene *s, struct input *in)
{
	return input_u8(in) < 200 ? end_make(in) : descriptor(s, in);
}

/* ---- clients -------------------------------------------------------------------------------- */

static void client_connect(int *conn)
{
	if (*conn >= 0)
		close(*conn);
	*conn = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(*conn, (struct sockaddr *)&address, address_len) < 0) {
		close(*conn);
		*conn = -1;
	}
}

static void packet_write(int conn, const void *bytes, size_t len, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * 4)];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > 0) {
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	if (sendmsg(conn, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

/* A request of the wire, or nearly: then so many of its bytes are changed. */
static size_t packet_make(struct input *in, unsigned char packet[PACKET_MAX], int *carries)
{
	static const uint16_t sizes[] = { sizeof(struct bs_wire_head), sizeof(struct bs_req_name),
					  sizeof(struct bs_req_create) };
	uint8_t how = input_u8(in), type = input_u8(in);
	size_t len = how % 4 < 3 ? sizes[how % 4] : input_u16(in) % PACKET_MAX;
	bool letter = type % 32 == BS_REQ_SEND && how % 4 == 1;

	if (letter && (how & 32)) /* its note */
		len += input_u8(in) < 250 ? input_u8(in) : BS_WIRE_NOTE + input_u8(in) % 2;
	bool owned = type % 32 == BS_REQ_MAILBOX_OPEN && how % 4 == 1 && (how & 32);
	struct bs_wire_owner owner = { 0 };

	if (owned) {
		owner = (struct bs_wire_owner){ input_u16(in), input_u8(in) };
		len += sizeof(owner);
	}
	uint16_t needs = type % 32 == BS_REQ_RULES ? BS_FEATURE_RULES : owned;
	struct bs_wire_head head = { BS_WIRE_MAGIC, BS_WIRE_VERSION,   type % 32,
				     (uint32_t)len, BS_LAYOUT_VERSION, needs };
	struct bs_req_name q = { .head = head, .flags = how / 4 % 4 };
	struct bs_req_create c = { .head = head };

	memset(packet, 0, PACKET_MAX);
	snprintf(q.name, sizeof(q.name), "%s", name_of(in));
	memcpy(c.name, q.name, sizeof(c.name));
	if (len == sizeof(c))
		memcpy(packet, &c, sizeof(c));
	else
		memcpy(packet, &q, len < sizeof(q) ? len : sizeof(q));
	if (owned)
		memcpy(packet + sizeof(q), &owner, sizeof(owner));
	for (uint8_t n = how & 16 ? input_u8(in) % 8 : 0; n > 0 && len > 0; n--) {
		size_t at = input_u16(in) % len;

		packet[at] = input_u8(in);
	}
	*carries = letter ? 1 + (how >= 128) : len == sizeof(c) ? 2 : 0;
	return len;
}

static void client_ask(struct scene *s, struct input *in)
{
	unsigned char packet[PACKET_MAX];
	int *conn = &s->conn[input_u8(in) % N_CONNS], fds[4];
	int carries;
	size_t len = packet_make(in, packet, &carries), n_fds = carries == 2;

	if (*conn < 0)
		client_connect(conn);
	if (*conn < 0)
		return;
	uint8_t how = input_u8(in);
	if (how >= 240)
		n_fds = how % 4;
	for (size_t i = 0; i < n_fds; i++) {
		fds[i] = carries == 2 && len < sizeof(struct bs_req_name) ? descriptor(s, in)
									  : end_or_not(s, in);
		HOLDS(fds[i] >= 0);
	}
	packet_write(*conn, packet, len, fds, n_fds);
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
}

/* Read what has been answered; keep the descriptors. */
static void client_hear(struct scene *s, struct input *in)
{
	static char reply[BS_WIRE_PACKET];
	int conn = s->conn[input_u8(in) % N_CONNS], fd = -1;

	if (conn < 0)
		return;
	ssize_t n = bs_packet_recv(conn, reply, sizeof(reply), &fd, MSG_DONTWAIT);
	if (n > 0) {
		struct bs_wire_head head;

		HOLDS((size_t)n >= sizeof(struct bs_reply));
		memcpy(&head, reply, sizeof(head));
		HOLDS(head.magic == BS_WIRE_MAGIC && head.size == (size_t)n);
	}
	if (n > 0 && fd >= 0 && s->n_kept < N_KEPT)
		s->kept[s->n_kept++] = fd;
	else if (n > 0 && fd >= 0)
		close(fd);
}

/* What a client does with what it was given. */
static void client_spoil(struct scene *s, struct input *in)
{
	uint8_t how = input_u8(in);

	if (s->n_kept == 0)
		return;
	int *fd = &s->kept[how / 4 % s->n_kept];
	if (how % 4 < 2) {
		segment_poke(*fd, in);
	} else if (how % 4 == 2) {
		close(*fd);
		*fd = s->kept[--s->n_kept];
	} else if (ftruncate(*fd, input_u16(in)) < 0) {
		return; /* a view for reading only */
	}
}

static void scene_clear(struct scene *s)
{
	struct registry *r = &broker.registry;

	for (int i = 0; i < N_CONNS; i++)
		if (s->conn[i] >= 0)
			close(s->conn[i]);
	while (s->n_kept > 0)
		close(s->kept[--s->n_kept]);
	broker_rounds();
	scrape_close(&broker);
	while (r->names.n > 0)
		registry_forget(r, r->names.items[0]);
	while (r->watches.n > 0)
		registry_forget(r, r->watches.items[0]);
	/* Who was kept out while it was full comes in now, and goes. */
	while (broker_round() || broker.n_clients > 0 || closer_pending() > 0)
		client_drop_all(&broker);
	HOLDS(broker.n_clients == 0 && broker.n_parked == 0);
	HOLDS(broker.post.names.n == 0 && broker.post.n_parked_ends == 0);
	HOLDS(r->n_streams == 0 && r->bytes == 0 && r->n_labelled == 0);
	broker.leaving = false;
}

static int lowest_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	HOLDS(fd >= 0);
	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct input in = { bytes, len };
	struct scene s = { .conn = { -1, -1, -1, -1 } };

	if (broker.epoll == 0)
		broker_set();
	int before = lowest_fd();
	for (int n = 0; in.left > 0 && n < 100; n++) {
		switch (input_u8(&in) % 8) {
		case 0:
			client_connect(&s.conn[input_u8(&in) % N_CONNS]);
			break;
		case 1 ... 4:
			client_ask(&s, &in);
			break;
		case 5:
			client_hear(&s, &in);
			break;
		case 6:
			client_spoil(&s, &in);
			break;
		default:
			broker_rounds();
		}
		if (input_u8(&in) < 200)
			broker_rounds();
	}
	scene_clear(&s);
	HOLDS(lowest_fd() == before);
	return 0;
}
