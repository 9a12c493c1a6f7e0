/* SPDX-License-Identifier: MIT */
/*
 * reply.c - fuzz target: the library as a client of a broker that answers with anything: bytes of any
 * length, any descriptors, hang-ups. Every call comes back with a documented result, and closes what
 * it was sent.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "bstream.h"
#include "proto/end.h"
#include "proto/packet.h"
#include "proto/segment.h"
#include "proto/wire.h"
#include "tests/fuzz/input.h"

#define N_ANSWERS 6 /* and then it hangs up, for ever */

static int listener = -1;
static char dir[] = "/tmp/fuzz-XXXXXX", path[sizeof(dir) + 8];

static void socket_remove(void)
{
	unlink(path);
	rmdir(dir);
}

static void listener_set(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	HOLDS(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/s", dir);
	memcpy(addr.sun_path, path, sizeof(path));
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	HOLDS(bind(listener, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	HOLDS(listen(listener, 64) == 0 && atexit(socket_remove) == 0);
	HOLDS(bstream_broker_use(path, BSTREAM_NO_START) == 0);
}

/* ---- what the broker says ------------------------------------------------------------------- */

/* An end, more or less: the descriptor of a segment, with some byte locked and some offset. */
static int end_make(struct input *in)
{
	struct bs_geometry geo;
	struct bs_segment_spec spec = { .name = "x", .mode = 0600 };
	uint8_t how = input_u8(in);

	HOLDS(bs_geometry_init(&geo, 1 + how % 4, 64, 2, 0, 0) == 0);
	int fd = bs_segment_new_nameless(&geo, &spec);
	HOLDS(fd >= 0);
	if (how & 16) {
		uint64_t at = input_u16(in) % 768, value = input_extreme(in, 0);

		HOLDS(pwrite(fd, &value, sizeof(value), (off_t)at) == sizeof(value));
	}
	if (how & 32)
		HOLDS(ftruncate(fd, input_u16(in)) == 0);
	if (how & 64)
		bs_end_lock(fd, BS_BYTE_READER + how % 4);
	else
		lseek(fd, (off_t)(BS_BYTE_READER + how % 4), SEEK_SET);
	return fd;
}

static int descriptor(struct input *in)
{
	switch (input_u8(in) % 8) {
	case 0:
		return open("/dev/zero", O_RDWR | O_CLOEXEC);
	case 1:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case 2:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case 3:
		return memfd_create("fuzz", MFD_CLOEXEC);
	default:
		return end_make(in);
	}
}

static bool is_of_mailbox(uint16_t type)
{
	return type == BS_REQ_MAILBOX_OPEN || type == BS_REQ_NEXT || type == BS_REQ_SEND;
}

/* One packet, as a reply to a request of @type should look, and then with changes. */
static void answer(int conn, uint16_t type, struct input *in)
{
	alignas(8) static unsigned char packet[BS_WIRE_PACKET];
	uint8_t how = input_u8(in);
	struct bs_reply_list reply = { .head = { BS_WIRE_MAGIC, BS_WIRE_VERSION, type, 0,
						 BS_LAYOUT_VERSION, 0 } };
	size_t len = how % 4 == 0 ? sizeof(struct bs_reply)
		     : how % 4 == 1 && is_of_mailbox(type)
			     ? sizeof(struct bs_reply_message) + input_u8(in)
		     : how % 4 == 1 && type == BS_REQ_RULES
			     ? sizeof(struct bs_reply_text) + input_u8(in)
		     : how % 4 == 1 ? sizeof(struct bs_reply_broker)
		     : how % 4 == 2 ? sizeof(reply) + input_u8(in) * sizeof(struct bs_wire_stat)
				    : input_u16(in) % sizeof(packet);

	if (len > sizeof(packet))
		len = sizeof(packet);
	memset(packet, 0, sizeof(packet));
	reply.head.size = (uint32_t)len;
	reply.n_streams =
		how % 4 == 2 ? (uint32_t)((len - sizeof(reply)) / sizeof(struct bs_wire_stat)) : 0;
	reply.result = how & 8 ? -(int)input_u8(in) : 0;
	memcpy(packet, &reply, sizeof(reply));
	for (uint8_t n = how & 16 ? input_u8(in) : 0; n > 0 && len > 0; n--)
		packet[input_u16(in) % len] = input_u8(in);
	int fd = how & 32 ? descriptor(in) : -1;
	bs_packet_send(conn, packet, len, fd, MSG_DONTWAIT);
	if (fd >= 0)
		close(fd);
}

/* The broker: a thread that answers as the input says until it is told to leave. */
struct party {
	struct input *in;
	pthread_t thread;
	_Atomic bool leaving;
};

static void *serve(void *arg)
{
	struct party *p = arg;
	alignas(8) char packet[sizeof(struct bs_req_send) + BS_WIRE_NOTE];

	for (int n = 0;;) {
		int fd = -1, conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		HOLDS(conn >= 0);
		if (p->leaving) {
			close(conn);
			return NULL;
		}
		/* On a mailbox's connection there is more than one question, and more than one answer. */
		setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_usec = 50000 },
			   sizeof(struct timeval));
		for (uint16_t type = BS_REQ_MAILBOX_OPEN; is_of_mailbox(type); n++) {
			ssize_t len = bs_packet_recv(conn, packet, sizeof(packet), &fd, 0);

			if (len > 0 && fd >= 0)
				close(fd);
			if (len < (ssize_t)sizeof(struct bs_wire_head) || n >= N_ANSWERS ||
			    p->in->left == 0)
				break;
			type = ((struct bs_wire_head *)packet)->type;
			answer(conn, type, p->in);
			if (is_of_mailbox(type))
				answer(conn, BS_REQ_BELL, p->in);
		}
		close(conn);
	}
}

static void party_end(struct party *p)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	p->leaving = true;
	memcpy(addr.sun_path, path, sizeof(path));
	HOLDS(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	pthread_join(p->thread, NULL);
	close(fd);
}

/* ---- what is asked -------------------------------------------------------------------------- */

static int see(const struct bstream_stat *stat, void *arg)
{
	int *n = arg;

	HOLDS(strlen(stat->name) <= BSTREAM_NAME_MAX);
	return ++*n > 1000; /* a broker can list without end; who asked can stop */
}

static int see_end(const struct bstream_end *end, void *arg)
{
	(void)arg;
	HOLDS(end->kind == BSTREAM_END_READER || end->kind == BSTREAM_END_WRITER);
	return 0;
}

static int look(void)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_view *view;
	int rc = bstream_view_open("x", &view);

	if (rc < 0)
		return rc;
	HOLDS(bstream_view_stat(view, &stat) == 0);
	HOLDS(bstream_view_ends(view, see_end, NULL) == 0);
	bstream_view_close(view);
	return 0;
}

static int ask_mailbox(unsigned what)
{
	struct bstream_message m;
	struct bstream_mailbox *box;
	int rc;

	if (what % 2 == 0)
		return bstream_send("x", "note", 4, NULL, BSTREAM_DONT_WAIT);
	rc = bstream_mailbox_open("x", &box);
	if (rc < 0)
		return rc;
	for (int i = 0; i < 3 && rc >= 0; i++) {
		rc = bstream_mailbox_recv(box, &m, bstream_after_ms(10));
		HOLDS(rc <= 1);
		if (rc < 0)
			break;
		HOLDS(m.len <= BSTREAM_NOTE_MAX && ((const char *)m.note)[m.len] == '\0');
		bstream_reader_close(m.reader);
	}
	bstream_mailbox_close(box);
	return rc < 0 ? rc : 0;
}

/* What changes, hands over, or asks for a text. */
static int ask_more(unsigned what)
{
	struct bstream_mailbox_options others = BSTREAM_MAILBOX_OPTIONS_INIT;
	struct bstream_options options = BSTREAM_OPTIONS_INIT;
	struct bstream_mailbox *box;
	struct bstream_refusal refusal = { .size = sizeof(refusal) };
	struct bstream_writer *w;
	struct bstream_reader *r;
	char text[64];
	int rc, fd;

	options.chunk_max = 64;
	switch (what % 8) {
	case 0:
		rc = bstream_broker_rules(text, sizeof(text));
		HOLDS(rc < 0 || strlen(text) < sizeof(text));
		return rc > 0 ? 0 : rc;
	case 1:
		others.mode = what;
		rc = bstream_mailbox_open_with("x", &others, &box);
		if (rc == 0)
			bstream_mailbox_close(box);
		return rc;
	case 2:
		rc = bstream_broker_metrics(&fd);
		if (rc == 0)
			close(fd);
		return rc;
	case 3:
		return bstream_eof("x");
	case 4:
		return bstream_remove("x");
	case 5:
		rc = bstream_connect("x", "note", 4, &options, BSTREAM_DONT_WAIT, &w);
		if (rc == 0)
			bstream_writer_close(w);
		return rc;
	case 6:
		HOLDS(bstream_pair(&options, &w, &r) == 0);
		rc = bstream_send("x", "note", 4, r, BSTREAM_DONT_WAIT);
		if (rc < 0)
			bstream_reader_close(r);
		bstream_writer_close(w);
		return rc;
	default:
		rc = bstream_open_writer("x", BSTREAM_DONT_WAIT, &w);
		if (rc == 0)
			bstream_writer_close(w);
		else if (bstream_refusal(&refusal) == 0)
			HOLDS(strnlen(refusal.limit_name, sizeof(refusal.limit_name)) <
			      sizeof(refusal.limit_name));
		return rc;
	}
}

static int ask(unsigned what)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bstream_broker_stat broker = { .size = sizeof(broker) };
	struct bstream_options options = BSTREAM_OPTIONS_INIT;
	struct bstream_writer *w;
	struct bstream_reader *r;
	int n = 0, rc;

	options.chunk_max = 64;
	if (what >= 224)
		return ask_more(what);
	if (what >= 192)
		return ask_mailbox(what);
	switch (what % 8) {
	case 0:
		rc = bstream_open_writer("x", BSTREAM_DONT_WAIT, &w);
		if (rc == 0)
			bstream_writer_close(w);
		return rc;
	case 1:
		rc = bstream_open_reader("x", BSTREAM_DONT_WAIT, &r);
		if (rc == 0)
			bstream_reader_close(r);
		return rc;
	case 2:
		return bstream_create("x", &options);
	case 3:
		return bstream_stat("x", &stat);
	case 4:
		rc = bstream_list(see, &n);
		return rc > 0 ? 0 : rc;
	case 5:
		return bstream_broker_stat(&broker);
	case 6:
		return bstream_wait("x", 1 + what / 8 % 5, BSTREAM_DONT_WAIT);
	default:
		return look();
	}
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
	struct party p = { .in = &in };

	if (listener < 0)
		listener_set();
	int before = lowest_fd();
	unsigned what = input_u8(&in);
	HOLDS(pthread_create(&p.thread, NULL, serve, &p) == 0);
	int rc = ask(what);
	HOLDS(rc <= 0 && rc >= -4095);
	party_end(&p);
	HOLDS(lowest_fd() == before);
	return 0;
}
