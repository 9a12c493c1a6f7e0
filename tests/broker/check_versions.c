/* SPDX-License-Identifier: MIT */
/*
 * check_versions.c - what was recorded when wire 1 and layout 1 were the newest: tests/golden/wire-1.bin,
 * a conversation of the library of that time with the broker of that time, each packet behind
 * { char direction; u8 n_fds; u16 len }; tests/golden/wire-2.bin, one of wire 2 from before it had
 * features, with a mailbox's connection between } and {; and tests/golden/segment-1.bin, a stream that
 * holds "one" and 300 times 'x', all of it made by programs of that time. Today's understand them.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/open.h"
#include "proto/layout.h"
#include "proto/meeting.h"
#include "proto/segment.h"
#include "tests/broker/raw.h"

#define FRAMES_MAX  64
#define RECORD_SIZE 16384

struct frame {
	char direction;
	uint8_t n_fds;
	uint16_t len;
	unsigned char *bytes;
};

static size_t golden_read(const char *name, void *room, size_t size)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/tests/golden/%s", srcdir ? srcdir : ".", name);
	f = fopen(path, "re");
	MUST(f != NULL);
	n = fread(room, 1, size, f);
	fclose(f);
	MUST(n > 0 && n < size);
	return n;
}

static int frames_read(const char *name, struct frame frames[FRAMES_MAX],
		       unsigned char room[RECORD_SIZE])
{
	size_t len = golden_read(name, room, RECORD_SIZE), at = 0;
	int n = 0;

	while (at < len && n < FRAMES_MAX) {
		struct frame *f = &frames[n++];

		MUST(at + 4 <= len);
		f->direction = (char)room[at];
		f->n_fds = room[at + 1];
		memcpy(&f->len, room + at + 2, sizeof(f->len));
		f->bytes = room + at + 4;
		at += 4 + (size_t)f->len;
		MUST(at <= len);
	}
	return n;
}

/* Zero what was another time, process or user then. */
static void reply_level(unsigned char *bytes, size_t len, uint16_t type)
{
	struct bs_reply_list *list = (struct bs_reply_list *)bytes;

	if ((type == BS_REQ_STAT || type == BS_REQ_LIST) && len > sizeof(*list)) {
		list->streams[0].uid = list->streams[0].gid = 0;
		list->streams[0].created_ns = 0;
		list->streams[0].reader_pid = list->streams[0].writer_pid = 0;
	}
	if (type == BS_REQ_BROKER)
		memset(bytes + offsetof(struct bs_reply_broker, pid), 0,
		       len - offsetof(struct bs_reply_broker, pid));
	if (type == BS_REQ_NEXT)
		memset(bytes + offsetof(struct bs_reply_message, pid), 0,
		       offsetof(struct bs_reply_message, note) -
			       offsetof(struct bs_reply_message, pid));
}

/* The segment that goes with CREATE: as it was made then. */
static int elder_segment(void)
{
	struct bs_segment_spec spec = { .name = "elder", .mode = 0600 };
	struct bs_geometry geo;
	char tmp_name[64];
	int fd;

	GIVES(bs_geometry_init(&geo, 2, 64, 1, 0, BS_KEEP_WRITERS), 0);
	fd = bs_segment_new_linkable(&geo, &spec, tmp_name);
	MUST(fd >= 0 && tmp_name[0] == '\0');
	return fd;
}

/* What the client did between its requests: it wrote a chunk, and said that it was gone. */
static void elder_write(int fd)
{
	struct bstream_writer *w;

	GIVES(bs_writer_make(fd, BS_FRESH, BSTREAM_DONT_WAIT, &w), 0);
	SAY(w, "one");
	bstream_writer_close(w);
}

/* The read end that goes with SEND: of a stream that nobody writes to any more. */
static int elder_end(void)
{
	struct bstream_writer *w;
	struct bstream_reader *r;

	GIVES(bstream_pair(NULL, &w, &r), 0);
	bstream_writer_close(w);
	return bstream_reader_detach(r);
}

static uint16_t frame_type(const struct frame *f)
{
	struct bs_wire_head head;

	memcpy(&head, f->bytes, sizeof(head));
	return head.type;
}

static void replay_asks(int conn, const struct frame *asked)
{
	bool sends = frame_type(asked) == BS_REQ_SEND;
	int fd = !asked->n_fds ? -1 : sends ? elder_end() : elder_segment();

	MUST(raw_send(conn, asked->bytes, asked->len, &fd, asked->n_fds));
	if (fd >= 0)
		close(fd);
}

/* What was answered then is answered now. The descriptor that came along, or -1. */
static int replay_hears(int conn, const struct frame *answered)
{
	alignas(8) unsigned char got[BS_WIRE_PACKET], want[BS_WIRE_PACKET];
	int back = -1;
	ssize_t n = bs_packet_recv(conn, got, sizeof(got), &back, 0);

	MUST(n == answered->len && (back >= 0) == (answered->n_fds == 1));
	memcpy(want, answered->bytes, answered->len);
	reply_level(got, (size_t)n, frame_type(answered));
	reply_level(want, (size_t)n, frame_type(answered));
	MUST(memcmp(got, want, (size_t)n) == 0);
	return back;
}

static int replay(const struct frame *asked, const struct frame *answered)
{
	int back, conn = raw_connect();

	replay_asks(conn, asked);
	back = replay_hears(conn, answered);
	close(conn);
	return back;
}

START_TEST(a_conversation_of_wire_1_goes_as_it_went_then)
{
	alignas(8) unsigned char room[RECORD_SIZE];
	struct frame frames[FRAMES_MAX];
	struct bstream_reader *reader = NULL;
	int n = frames_read("wire-1.bin", frames, room);

	GIVES(bstream_broker_start(), 0);
	for (int i = 0; i + 1 < n; i += 2) {
		struct bs_wire_head head;
		int fd;

		MUST(frames[i].direction == '>' && frames[i + 1].direction == '<');
		memcpy(&head, frames[i].bytes, sizeof(head));
		fd = replay(&frames[i], &frames[i + 1]);
		if (fd >= 0 && head.type == BS_REQ_OPEN_WRITER)
			elder_write(fd);
		else if (fd >= 0 && head.type == BS_REQ_OPEN_READER)
			GIVES(bs_reader_make(fd, BS_FRESH, &reader), 0);
		else if (fd >= 0)
			close(fd);
	}
	MUST(n >= 20 && reader); /* it was open to the end */
	HEAR(reader, "one");
	GIVES(guard_read(reader, BSTREAM_DONT_WAIT), 0);
	bstream_reader_close(reader);
}
END_TEST

START_TEST(a_conversation_of_wire_2_without_features_goes_as_it_went_then)
{
	alignas(8) unsigned char room[RECORD_SIZE];
	struct frame frames[FRAMES_MAX];
	int n = frames_read("wire-2.bin", frames, room), box = -1;

	GIVES(bstream_broker_start(), 0);
	for (int i = 0; i < n; i++) {
		int fd = -1;

		if (box < 0)
			box = raw_connect();
		if (frames[i].direction == '}')
			replay_asks(box, &frames[i]);
		else if (frames[i].direction == '{')
			fd = replay_hears(box, &frames[i]);
		else if (frames[i].direction == '>' && i + 1 < n)
			fd = replay(&frames[i], &frames[i + 1]);
		if (fd >= 0)
			close(fd);
	}
	MUST(n >= 30);
	close(box);
	bstream_remove("elder");
}
END_TEST

static int ask_with(uint16_t version, uint16_t type, struct bs_wire_head *head)
{
	alignas(8) unsigned char got[BS_WIRE_PACKET];
	struct bs_req_name q = raw_question(type, "nobody", 0);
	int conn = raw_connect();
	ssize_t n;

	q.head.version = version;
	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	n = bs_packet_recv(conn, got, sizeof(got), NULL, 0);
	MUST(n == sizeof(struct bs_reply));
	GIVES(raw_result(conn, NULL), -ENOTCONN); /* it hangs up, whatever it has said */
	close(conn);
	memcpy(head, got, sizeof(*head));
	return ((struct bs_reply *)got)->result;
}

START_TEST(who_is_older_or_newer_is_told_so_in_a_head_of_ours)
{
	struct bs_wire_head head;

	GIVES(bstream_broker_start(), 0);
	GIVES(ask_with(BS_WIRE_OLDEST - 1, BS_REQ_STAT, &head), -EPROTONOSUPPORT);
	GIVES(head.version, BS_WIRE_VERSION);
	GIVES(head.layout, BS_LAYOUT_VERSION);
	GIVES(ask_with(BS_WIRE_VERSION + 1, BS_REQ_STAT, &head), -EPROTONOSUPPORT);
	GIVES(head.version, BS_WIRE_VERSION);
	GIVES(ask_with(1, BS_REQ_STAT, &head), -ENOENT);
	GIVES(head.version, 1);
}
END_TEST

START_TEST(wire_1_has_no_mailboxes)
{
	struct bs_wire_head head;

	GIVES(bstream_broker_start(), 0);
	GIVES(ask_with(1, BS_REQ_MAILBOX_OPEN, &head), -EPROTO);
	GIVES(head.version, 1);
	GIVES(ask_with(BS_WIRE_VERSION, BS_REQ_MAILBOX_EXISTS, &head), -ENOENT);
	GIVES(head.version, BS_WIRE_VERSION);
}
END_TEST

/* MAILBOX_OPEN of this size, which needs these features. What is refused, if it is said. */
static int open_with(uint16_t version, uint16_t needs, size_t len, struct bs_refusal *refusal)
{
	alignas(8) unsigned char got[sizeof(struct bs_reply_refusal)];
	struct bs_req_mailbox q = {
		.name = raw_question(BS_REQ_MAILBOX_OPEN, "box", 0),
		.owner = { .mode = 0622 },
	};
	int conn = raw_connect();
	ssize_t n;

	q.name.head.version = version;
	q.name.head.needs = needs;
	q.name.head.size = (uint32_t)len;
	MUST(raw_send(conn, &q, len, NULL, 0));
	n = bs_packet_recv(conn, got, sizeof(got), NULL, 0);
	close(conn);
	*refusal = (struct bs_refusal){ 0 };
	if (n == sizeof(got))
		memcpy(refusal, got + offsetof(struct bs_reply_refusal, refusal), sizeof(*refusal));
	else
		MUST(n == sizeof(struct bs_reply));
	return ((struct bs_reply *)got)->result;
}

START_TEST(a_feature_that_is_not_known_is_named_and_refused)
{
	size_t plain = sizeof(struct bs_req_name), full = sizeof(struct bs_req_mailbox);
	struct bs_refusal refusal;
	struct bs_req_name q = raw_question(BS_REQ_STAT, "nobody", 0);
	int conn;

	GIVES(bstream_broker_start(), 0);
	for (uint32_t bit = 1; bit < 0x10000u; bit <<= 1) {
		if (bit & BS_FEATURES)
			continue;
		GIVES(open_with(BS_WIRE_VERSION, (uint16_t)bit, plain, &refusal), -EPROTONOSUPPORT);
		GIVES(refusal.why, BS_WHY_FEATURE);
		GIVES(refusal.limit, bit);
	}
	GIVES(open_with(BS_WIRE_VERSION, 0xffff, full, &refusal), -EPROTONOSUPPORT);
	GIVES(refusal.limit, 0xffffu & ~BS_FEATURES);
	GIVES(open_with(1, BS_FEATURE_OWNER, full, &refusal), -EPROTONOSUPPORT);
	GIVES(refusal.why, 0); /* wire 1 has none */
	GIVES(open_with(BS_WIRE_VERSION, 0, full, &refusal), -EPROTO);
	GIVES(open_with(BS_WIRE_VERSION, BS_FEATURE_OWNER, plain, &refusal), -EPROTO);
	GIVES(open_with(BS_WIRE_VERSION, BS_FEATURE_OWNER, full, &refusal), 0);
	GIVES(raw_ask(BS_REQ_RULES, "", 0, NULL), -EPROTO); /* it is one, and does not say so */
	q.head.needs = BS_FEATURE_OWNER; /* of no use to that */
	conn = raw_connect();
	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	GIVES(raw_result(conn, NULL), -EPROTO);
	close(conn);
}
END_TEST

START_TEST(a_layout_with_features_that_are_not_known_is_named_and_left_alone)
{
	const uint32_t flags = BS_FLAG_FENCES | 0x40000004u;
	struct bstream_refusal refusal = { .size = sizeof(refusal) };
	struct bstream_writer *w;
	struct bstream_view *view;
	int fd = raw_segment("a"), next = raw_segment("b");

	GIVES(bstream_broker_start(), 0);
	MUST(pwrite(next, &flags, sizeof(flags), offsetof(struct bs_header, flags)) > 0);
	GIVES(raw_create("b", next), -EPROTONOSUPPORT);
	GIVES(raw_create("a", fd), 0);
	MUST(pwrite(fd, &flags, sizeof(flags), offsetof(struct bs_header, flags)) > 0);
	GIVES(bstream_open_writer("a", BSTREAM_DONT_WAIT, &w), -EPROTONOSUPPORT);
	GIVES(bstream_refusal(&refusal), 0);
	GIVES(refusal.why, BSTREAM_WHY_LAYOUT);
	GIVES(refusal.limit, 0x40000004u);
	GIVES(refusal.wire_version, 0); /* the library's word */
	GIVES(bstream_view_open("a", &view), -EPROTONOSUPPORT);
	GIVES(bstream_wait("a", BSTREAM_WAIT_EMPTY, BSTREAM_DONT_WAIT), -EPROTONOSUPPORT);
	GIVES(bstream_refusal(&refusal), 0);
	GIVES(refusal.limit, 0x40000004u);
	GIVES(bstream_remove("a"), 0);
	close(fd);
	close(next);
}
END_TEST

/* A broker from before there were features: it takes the bits for another layout. */
static void elder_broker(int listener)
{
	alignas(8) char room[BS_WIRE_PACKET];
	struct bs_reply reply = { .head = { .magic = BS_WIRE_MAGIC,
					    .version = BS_WIRE_VERSION,
					    .type = BS_REQ_MAILBOX_OPEN,
					    .size = sizeof(reply),
					    .layout = BS_LAYOUT_VERSION } };
	for (int i = 0; i < 2; i++) {
		const struct bs_wire_head *head = (const struct bs_wire_head *)room;
		int conn = accept(listener, NULL, NULL);
		uint32_t layout;

		MUST(recv(conn, room, sizeof(room), 0) > (ssize_t)sizeof(*head));
		memcpy(&layout, room + offsetof(struct bs_wire_head, layout), sizeof(layout));
		reply.result = layout == BS_LAYOUT_VERSION ? 0 : -EPROTONOSUPPORT;
		MUST(send(conn, &reply, sizeof(reply), MSG_NOSIGNAL) == sizeof(reply));
		close(conn);
	}
	_exit(0);
}

START_TEST(who_asks_an_older_broker_for_a_feature_is_told_which)
{
	struct bstream_mailbox_options o = BSTREAM_MAILBOX_OPTIONS_INIT;
	struct bstream_refusal refusal = { .size = sizeof(refusal) };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct bstream_mailbox *m;
	struct sockaddr_un addr;
	char path[160];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/elder.sock", guard_dir());
	GIVES(bs_meeting_addr(&addr, path), 0);
	MUST(bind(listener, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	MUST(listen(listener, 4) == 0);
	GIVES(bstream_broker_use(path, BSTREAM_NO_START), 0);
	pid = guard_fork();
	if (pid == 0)
		elder_broker(listener);
	close(listener);
	o.mode = 0622;
	GIVES(bstream_mailbox_open_with("box", &o, &m), -EPROTONOSUPPORT);
	GIVES(bstream_refusal(&refusal), 0);
	GIVES(refusal.why, BSTREAM_WHY_FEATURE);
	GIVES(refusal.wire_version, BS_WIRE_VERSION);
	ck_assert_str_eq(refusal.limit_name, "mailbox-mode");
	o.mode = 0600; /* as it is anyway: nothing is needed */
	GIVES(bstream_mailbox_open_with("box", &o, &m), 0);
	guard_reap(pid);
	bstream_mailbox_close(m);
	unlink(path);
	GIVES(bstream_broker_use(NULL, 0), 0);
}
END_TEST

/* Put the image where a broker of this socket looks for what was left to it. */
static void image_leave(void)
{
	char prefix[64], path[256];
	unsigned char image[RECORD_SIZE];
	struct bs_header *header = (struct bs_header *)image;
	size_t len = golden_read("segment-1.bin", image, sizeof(image));
	int fd;

	header->uid = getuid();
	header->gid = getgid();
	GIVES(bs_meeting_prefix(prefix, sizeof(prefix), raw_socket_path()), 0);
	MUST(snprintf(path, sizeof(path), BS_SHM_DIR "/%s%016" PRIx64 ".%016x", prefix,
		      bs_meeting_hash("image"), 1) < (int)sizeof(path));
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	MUST(fd >= 0 && write(fd, image, len) == (ssize_t)len);
	close(fd);
}

START_TEST(a_segment_of_layout_1_that_was_left_is_found_and_read)
{
	struct bstream_reader *r;
	char buf[512];
	size_t len;

	image_leave();
	GIVES(bstream_broker_start(), 0);
	GIVES(bstream_open_reader("image", guard_patience(), &r), 0);
	HEAR(r, "one");
	GIVES(bstream_read(r, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT), 1);
	MUST(len == 300 && buf[0] == 'x' && buf[299] == 'x');
	GIVES(guard_read(r, BSTREAM_DONT_WAIT), 0);
	bstream_reader_close(r);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_conversation_of_wire_1_goes_as_it_went_then),
		ONCE(a_conversation_of_wire_2_without_features_goes_as_it_went_then),
		ONCE(who_is_older_or_newer_is_told_so_in_a_head_of_ours),
		ONCE(wire_1_has_no_mailboxes),
		ONCE(a_feature_that_is_not_known_is_named_and_refused),
		ONCE(a_layout_with_features_that_are_not_known_is_named_and_left_alone),
		ONCE(who_asks_an_older_broker_for_a_feature_is_told_which),
		ONCE(a_segment_of_layout_1_that_was_left_is_found_and_read),
	};

	guard_need_broker();
	return GUARD_RUN("broker/versions", cases);
}
