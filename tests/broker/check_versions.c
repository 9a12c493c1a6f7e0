/* SPDX-License-Identifier: MIT */
/*
 * check_versions.c - what was recorded when wire 1 and layout 1 were the newest: tests/golden/wire-1.bin,
 * a conversation of the library of that time with the broker of that time, each packet behind
 * { char direction; u8 n_fds; u16 len }; and tests/golden/segment-1.bin, a stream that holds "one" and
 * 300 times 'x', all of it made by programs of that time. Today's understand both.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static int frames_read(struct frame frames[FRAMES_MAX], unsigned char room[RECORD_SIZE])
{
	size_t len = golden_read("wire-1.bin", room, RECORD_SIZE), at = 0;
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
	if (type == BS_REQ_BROKER && len == BS_WIRE_1_BROKER)
		memset(bytes + offsetof(struct bs_reply_broker, pid), 0,
		       BS_WIRE_1_BROKER - offsetof(struct bs_reply_broker, pid));
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

static int replay(const struct frame *asked, const struct frame *answered)
{
	alignas(8) unsigned char got[BS_WIRE_PACKET], want[BS_WIRE_PACKET];
	const struct bs_wire_head *head = (const struct bs_wire_head *)got;
	int fd = asked->n_fds ? elder_segment() : -1, back = -1, conn = raw_connect();
	ssize_t n;

	MUST(raw_send(conn, asked->bytes, asked->len, &fd, asked->n_fds));
	n = bs_packet_recv(conn, got, sizeof(got), &back, 0);
	MUST(n == answered->len && (back >= 0) == (answered->n_fds == 1));
	memcpy(want, answered->bytes, answered->len);
	MUST(head->version == 1);
	reply_level(got, (size_t)n, head->type);
	reply_level(want, (size_t)n, head->type);
	MUST(memcmp(got, want, (size_t)n) == 0);
	if (fd >= 0)
		close(fd);
	close(conn);
	return back;
}

START_TEST(a_conversation_of_wire_1_goes_as_it_went_then)
{
	alignas(8) unsigned char room[RECORD_SIZE];
	struct frame frames[FRAMES_MAX];
	struct bstream_reader *reader = NULL;
	int n = frames_read(frames, room);

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

static int ask_with(uint16_t version, uint16_t type, struct bs_wire_head *head)
{
	alignas(8) unsigned char got[BS_WIRE_PACKET];
	struct bs_req_name q = raw_question(type, "nobody", 0);
	int conn = raw_connect();
	ssize_t n;

	q.head.version = version;
	MUST(raw_send(conn, &q, sizeof(q), NULL, 0));
	n = bs_packet_recv(conn, got, sizeof(got), NULL, 0);
	close(conn);
	MUST(n == sizeof(struct bs_reply));
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
		ONCE(who_is_older_or_newer_is_told_so_in_a_head_of_ours),
		ONCE(wire_1_has_no_mailboxes),
		ONCE(a_segment_of_layout_1_that_was_left_is_found_and_read),
	};

	guard_need_broker();
	return GUARD_RUN("broker/versions", cases);
}
