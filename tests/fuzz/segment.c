/* SPDX-License-Identifier: MIT */
/*
 * segment.c - fuzz target: one stream, both ends in this process, and a peer who writes what he likes
 * into its memory between the calls: header, words, lines, slots. Every call is told not to wait, or
 * for a millisecond; it returns one of its documented results and touches nothing else.
 *
 * The peer spares the semaphores of a stream that is not sealed, and does not cut its file: who is not
 * trusted that far needs a sealed one (SECURITY.md).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/handle.h"
#include "proto/end.h"
#include "proto/wire.h"
#include "tests/fuzz/input.h"

#define ROOM 8192

struct scene {
	int fd; /* the peer's own description of the segment */
	struct bs_geometry geo;
	unsigned char *memory;
	struct bs_sight sight; /* as a broker has it … */
	struct bs_header header; /* … with its copy of what stood there at first */
	struct bstream_writer *writer, *other;
	struct bstream_reader *reader;
	int writer_fd, reader_fd; /* detached, or -1 */
};

static unsigned char scratch[ROOM];

#define ONE_OF(rc, ...)                                      \
	one_of(__LINE__, (rc), (const int[]){ __VA_ARGS__ }, \
	       sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

static void one_of(int line, int rc, const int *documented, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (documented[i] == rc)
			return;
	fprintf(stderr, "%s:%d: got %d\n", __FILE__, line, rc);
	abort();
}

/* ---- the peer ------------------------------------------------------------------------------- */

/* Every word that anybody reads. */
static const struct {
	size_t at;
	size_t size;
} words[] = {
#define WORD(member)                                                                          \
	{                                                                                     \
		offsetof(struct bs_segment, member), sizeof(((struct bs_segment *)0)->member) \
	}
	WORD(header.version),	  WORD(header.flags),
	WORD(header.capacity),	  WORD(header.chunk_max),
	WORD(header.max_writers), WORD(header.keep),
	WORD(header.size),	  WORD(header.name[0]),
	WORD(verdicts.writers),	  WORD(verdicts.reader),
	WORD(verdicts.shared),	  WORD(tail.count),
	WORD(tail.hungry),	  WORD(head.count),
	WORD(head.fencing),	  WORD(reader.owner),
	WORD(reader.pid),	  WORD(reader.chunks),
	WORD(reader.waits_for),	  WORD(reader.waits_since_ns),
	WORD(reader.waits),	  WORD(items.wake_at),
	WORD(space.wake_at),	  WORD(space.watch_at),
	WORD(space.watch_gen),	  WORD(space.sleepers),
	WORD(items.poll),	  WORD(space.poll),
	WORD(items.gen),	  WORD(totals.chunks),
#undef WORD
#define LINE(place, member)                                                                      \
	{                                                                                        \
		offsetof(struct bs_segment, writers) + (place) * sizeof(struct bs_writer_line) + \
			offsetof(struct bs_writer_line, member),                                 \
			sizeof(((struct bs_writer_line *)0)->member)                             \
	}
	LINE(0, owner),		  LINE(0, intent),
	LINE(0, fencing),	  LINE(0, chunks),
	LINE(0, waits),		  LINE(1, owner),
	LINE(1, intent),	  LINE(1, inside),
	LINE(1, fencing),	  LINE(2, owner),
	LINE(2, intent),	  LINE(2, inside),
#undef LINE
};

static bool is_semaphore(uint64_t at)
{
	const size_t items = offsetof(struct bs_segment, items.sem);
	const size_t space = offsetof(struct bs_segment, space.sem);

	return at - items < sizeof(sem_t) || at - space < sizeof(sem_t);
}

static void poke(struct scene *s, uint64_t at, const void *bytes, size_t n)
{
	const unsigned char *from = bytes;

	for (size_t i = 0; i < n; i++)
		if (at + i < s->geo.size &&
		    ((s->geo.flags & BS_FLAG_SEALED) != 0 || !is_semaphore(at + i)))
			s->memory[at + i] = from[i];
}

static void poke_word(struct scene *s, struct input *in)
{
	size_t k = input_u8(in) % (sizeof(words) / sizeof(words[0]));
	uint64_t near = 0;

	memcpy(&near, s->memory + words[k].at, words[k].size);
	uint64_t value = input_extreme(in, near);
	poke(s, words[k].at, &value, words[k].size);
}

static void poke_slot(struct scene *s, struct input *in)
{
	uint8_t which = input_u8(in);
	uint64_t at = s->geo.slots_at + which / 4 % s->geo.capacity * sizeof(struct bs_slot);
	struct bs_slot *slot = (struct bs_slot *)(s->memory + at);
	uint64_t near = which % 4 == 0	 ? s->sight.g->head.count + 1
			: which % 4 == 1 ? s->geo.chunk_max
					 : slot->flags;
	uint64_t value = input_extreme(in, near);

	if (which % 4 == 0)
		poke(s, at + offsetof(struct bs_slot, seq), &value, sizeof(slot->seq));
	else if (which % 4 == 1)
		poke(s, at + offsetof(struct bs_slot, len), &value, sizeof(slot->len));
	else
		poke(s, at + offsetof(struct bs_slot, flags), &value, sizeof(slot->flags));
}

static void poke_anywhere(struct scene *s, struct input *in)
{
	uint64_t at = input_u16(in) * (uint64_t)s->geo.size / 65536;
	unsigned char bytes[8];

	input_bytes(in, bytes, sizeof(bytes));
	poke(s, at, bytes, sizeof(bytes));
}

/* ---- the ends ------------------------------------------------------------------------------- */

static uint64_t deadline(struct input *in)
{
	uint8_t how = input_u8(in);

	return how < 240 ? BSTREAM_DONT_WAIT : bstream_after_ms(how < 255 ? 0 : 1);
}

/* And reserve again, the peer at work between the calls. */
static void commit_and_go_on(struct scene *s, struct bstream_writer *w, struct input *in,
			     size_t len)
{
	void *span;
	int rc = bstream_commit_reserve(w, len, &span);

	ONE_OF(rc, 0, 1, -EPIPE);
	if (rc != 1)
		return;
	memset(span, 'y', len);
	poke_word(s, in);
	ONE_OF(bstream_commit(w, len), 0, -EPIPE);
}

static void use_reserve_many(struct scene *s, struct input *in, struct bstream_writer *w,
			     size_t len)
{
	struct iovec spans[3];
	int rc = bstream_reserve_many(w, len, spans, 3, deadline(in));

	ONE_OF(rc, 1, 2, 3, -EMSGSIZE, -EPIPE, -EAGAIN, -ETIMEDOUT, -EPROTO);
	if (rc < 1)
		return;
	for (int i = 0; i < rc; i++)
		memset(spans[i].iov_base, 'y', len);
	poke_word(s, in);
	ONE_OF(bstream_commit_many(w, spans, 1 + input_u8(in) % rc), 0, -EPIPE);
}

static void use_writer(struct scene *s, struct input *in)
{
	struct bstream_writer *w = (input_u8(in) & 1) && s->other ? s->other : s->writer;
	size_t len = input_u16(in) % (s->geo.chunk_max + 2);
	struct iovec iov[2] = { { scratch, len / 2 }, { scratch, len - len / 2 } };
	uint8_t how = input_u8(in);
	void *span;
	int rc;

	if (w == NULL)
		return;
	if (how >= 224) {
		use_reserve_many(s, in, w, len);
		return;
	}
	if (how >= 192) {
		rc = bstream_write_many(w, iov, 2, deadline(in));
		ONE_OF(rc, 1, 2, -EMSGSIZE, -EPIPE, -EAGAIN, -ETIMEDOUT, -EPROTO);
		return;
	}
	if (how % 4 == 0)
		rc = bstream_write(w, scratch, len, deadline(in));
	else if (how % 4 == 1)
		rc = bstream_writev(w, iov, 2, deadline(in));
	else
		rc = bstream_reserve(w, len, &span, deadline(in));
	ONE_OF(rc, 0, -EMSGSIZE, -EPIPE, -EAGAIN, -ETIMEDOUT, -EPROTO, -EBUSY);
	if (how % 4 < 2 || rc != 0)
		return;
	memset(span, 'x', len);
	if (how & 4)
		poke_word(s, in);
	if (how % 4 == 3)
		bstream_cancel(w);
	else if ((how & 8) == 0)
		ONE_OF(bstream_commit(w, len), 0, -EPIPE);
	else
		commit_and_go_on(s, w, in, len);
}

/* The bounds are those in the header when this reader was attached: not what they were at first. */
static void chunk_look(struct scene *s, const void *chunk, size_t len)
{
	HOLDS(len <= s->reader->hold.sight.geo.chunk_max);
	memcpy(scratch, chunk, len < ROOM ? len : ROOM);
}

/* Several in place, the peer at work between the calls. */
static void use_reader_much(struct scene *s, struct input *in)
{
	struct iovec chunks[10];
	int most = 1 + input_u8(in) % 10;
	int rc = bstream_peek_many(s->reader, chunks, most, deadline(in));

	if (rc < 1) {
		ONE_OF(rc, 0, -ECONNRESET, -EAGAIN, -ETIMEDOUT, -EPROTO);
		return;
	}
	HOLDS(rc <= most && (uint32_t)rc <= s->reader->capacity);
	for (int i = 0; i < rc; i++)
		chunk_look(s, chunks[i].iov_base, chunks[i].iov_len);
	poke_slot(s, in);
	int n = input_u8(in) % (rc + 2);
	ONE_OF(bstream_release_many(s->reader, n), n >= 1 && n <= rc ? 0 : -EINVAL);
}

static void use_reader(struct scene *s, struct input *in)
{
	const void *chunk;
	uint8_t how = input_u8(in);
	size_t len = 0;
	int rc;

	if (s->reader == NULL)
		return;
	if (how >= 192) {
		use_reader_much(s, in);
		return;
	}
	if ((how & 1) == 0) {
		rc = bstream_read(s->reader, scratch, how & 2 ? ROOM : 16, &len, deadline(in));
		ONE_OF(rc, 1, 0, -ECONNRESET, -EAGAIN, -ETIMEDOUT, -EPROTO, -EMSGSIZE);
		return;
	}
	rc = bstream_peek(s->reader, &chunk, &len, deadline(in));
	ONE_OF(rc, 1, 0, -ECONNRESET, -EAGAIN, -ETIMEDOUT, -EPROTO);
	if (rc != 1)
		return;
	chunk_look(s, chunk, len);
	if (how & 2)
		poke_slot(s, in);
	ONE_OF(bstream_release(s->reader), 0);
}

static void look(struct scene *s, struct input *in)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	struct bs_wire_stat wire;
	char text[64];
	uint8_t how = input_u8(in);

	if (s->writer != NULL && (how & 1)) {
		ONE_OF(bstream_writer_stat(s->writer, &stat), 0);
		HOLDS(bstream_writer_describe(s->writer, text, sizeof(text)) > 0);
		ONE_OF(bstream_drain(s->writer, deadline(in)), 0, -EPIPE, -EAGAIN, -ETIMEDOUT,
		       -EBUSY);
	}
	if (s->reader != NULL && (how & 2)) {
		ONE_OF(bstream_reader_stat(s->reader, &stat), 0);
		HOLDS(bstream_reader_describe(s->reader, text, sizeof(text)) > 0);
		HOLDS(stat.in_flight <= stat.capacity && stat.writers <= stat.max_writers);
	}
	bs_sight_stat(&s->sight, &s->header, &wire);
	HOLDS(wire.in_flight <= wire.capacity && wire.writers <= wire.max_writers);
}

/* What a broker does, or anybody who looks who is there. */
static void judge(struct scene *s, struct input *in)
{
	switch (input_u8(in) % 8) {
	case 0:
		bs_verdict_writers(&s->sight);
		break;
	case 1:
		bs_verdict_reader(&s->sight);
		break;
	case 2:
		bs_verdict_over(&s->sight);
		break;
	case 3:
		bs_verdict_eof(&s->sight);
		break;
	case 4:
		bs_verdict_removed(&s->sight);
		break;
	case 5:
		bs_writer_intends(&s->sight, s->sight.g->head.count);
		break;
	default:
		bs_verdict_wake_all(&s->sight);
	}
}

/* ---- going and coming ----------------------------------------------------------------------- */

/* Who attaches waits for a writer that is in a write, for seconds; here none ever is. */
static void nobody_is_inside(struct scene *s)
{
	uint32_t zero = 0;

	for (uint32_t i = 0; i < s->geo.max_writers; i++)
		poke(s, offsetof(struct bs_segment, writers[i].inside), &zero, sizeof(zero));
}

static void clone_writer(struct scene *s)
{
	nobody_is_inside(s);
	if (s->writer != NULL && s->other == NULL)
		ONE_OF(bstream_writer_clone(s->writer, &s->other), 0, -EMFILE, -EPIPE, -ESHUTDOWN,
		       -EPROTO, -EPROTONOSUPPORT, -ENOMEM);
}

/* The offset says which end it is, and anybody who has the description can set it. */
static void misplace(int fd, struct input *in)
{
	uint8_t how = input_u8(in);

	if (how < 64)
		lseek(fd, (off_t)(BS_BYTE_BROKER + how % 8), SEEK_SET);
	else if (how < 80)
		lseek(fd, (off_t)input_extreme(in, BS_BYTE_WRITERS), SEEK_SET);
}

static const int attach_results[] = { 0, -EPROTO, -EPROTONOSUPPORT, -EPIPE, -ENOMEM, -EOPNOTSUPP };
#define N_ATTACH (sizeof(attach_results) / sizeof(attach_results[0]))

static void move_writer(struct scene *s, struct input *in)
{
	if (s->writer != NULL) {
		bstream_cancel(s->writer);
		s->writer_fd = bstream_writer_detach(s->writer);
		HOLDS(s->writer_fd >= 0);
		s->writer = NULL;
		return;
	}
	misplace(s->writer_fd, in);
	nobody_is_inside(s);
	int rc = bstream_writer_attach(s->writer_fd, &s->writer);
	one_of(__LINE__, rc, attach_results, N_ATTACH);
	if (rc == 0)
		s->writer_fd = -1;
}

static void move_reader(struct scene *s, struct input *in)
{
	if (s->reader != NULL) {
		s->reader_fd = bstream_reader_detach(s->reader);
		HOLDS(s->reader_fd >= 0);
		s->reader = NULL;
		return;
	}
	misplace(s->reader_fd, in);
	int rc = bstream_reader_attach(s->reader_fd, &s->reader);
	one_of(__LINE__, rc, attach_results, N_ATTACH);
	if (rc == 0)
		s->reader_fd = -1;
}

static bool scene_set(struct scene *s, struct input *in)
{
	static const uint32_t chunk_maxes[] = { 1, 16, 48, 49, 256, 1000, 4097, 6000 };
	struct bstream_options o = BSTREAM_OPTIONS_INIT;
	uint8_t how = input_u8(in);

	o.capacity = 1 + how % 8;
	o.chunk_max = chunk_maxes[how / 8 % 8];
	o.max_writers = 1 + how / 64;
	o.flags = input_u8(in) & (BSTREAM_SEALED | BSTREAM_FENCES);
	int rc = bstream_pair(&o, &s->writer, &s->reader);
	if (rc == -EOPNOTSUPP)
		return false;
	HOLDS(rc == 0);
	s->geo = s->writer->hold.sight.geo;
	s->header = s->writer->hold.header;
	s->fd = bs_end_reopen(s->writer->hold.sight.fd, O_RDWR);
	s->memory = mmap(NULL, s->geo.size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	HOLDS(s->fd >= 0 && s->memory != MAP_FAILED);
	s->sight = (struct bs_sight){ (struct bs_segment *)s->memory, s->geo, s->fd, 0 };
	s->writer_fd = s->reader_fd = -1;
	return true;
}

static void scene_clear(struct scene *s)
{
	bstream_writer_close(s->writer);
	bstream_writer_close(s->other);
	bstream_reader_close(s->reader);
	if (s->writer_fd >= 0)
		close(s->writer_fd);
	if (s->reader_fd >= 0)
		close(s->reader_fd);
	munmap(s->memory, s->geo.size);
	close(s->fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct input in = { bytes, len };
	struct scene s = { .fd = -1 };

	if (!scene_set(&s, &in))
		return 0;
	while (in.left > 0) {
		switch (input_u8(&in) % 16) {
		case 0 ... 2:
			poke_word(&s, &in);
			break;
		case 3 ... 4:
			poke_slot(&s, &in);
			break;
		case 5:
			poke_anywhere(&s, &in);
			break;
		case 6 ... 8:
			use_writer(&s, &in);
			break;
		case 9 ... 11:
			use_reader(&s, &in);
			break;
		case 12:
			look(&s, &in);
			break;
		case 13:
			judge(&s, &in);
			break;
		case 14:
			clone_writer(&s);
			move_writer(&s, &in);
			break;
		default:
			move_reader(&s, &in);
		}
	}
	scene_clear(&s);
	return 0;
}
