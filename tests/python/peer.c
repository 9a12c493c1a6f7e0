/* SPDX-License-Identifier: MIT */
/*
 * peer.c - the C program at the other end of the Python tests: writes numbered chunks, or reads and
 * checks them.
 *
 * Usage: peer write|die END COUNT SIZE [PERIOD]     die: leaves without closing, as if killed
 *        peer read END [PERIOD]            prints "CHUNKS BYTES closed|died NANOSECONDS"
 *        peer send reader|writer NAME FD   opens an end and sends it over a socket
 *        peer mail MAILBOX NOTE COUNT SIZE connects, and writes
 *        peer take MAILBOX                 receives one message, prints its note, and reads its stream
 * END is name:NAME, fd:N (a detached end) or socket:N (to receive one from).
 *
 * Chunk i begins with i, if it has 8 bytes, and is filled with bytes of value fill(i). With a PERIOD the count begins
 * anew there, and a writer has its chunks ready and copies them, as one that measures. It is to be longer than a lap
 * of the ring.
 */
#include <bstream.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE bstream_after_ms(120000)

/* Few values, so that a peer that copies them from somewhere finds them in its cache; and no divisor of a
 * capacity: what was in the slot before is another. */
static int fill(uint64_t i)
{
	return (int)(1 + i % 7);
}

static uint64_t period = UINT64_MAX;

static uint64_t number_after(uint64_t number)
{
	return number + 1 < period ? number + 1 : 0;
}

static int failed(const char *what, int r)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(-r));
	return 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* What comes behind KIND: in END, or NULL. */
static const char *end_of_kind(const char *end, const char *kind)
{
	size_t len = strlen(kind);

	return strncmp(end, kind, len) == 0 && end[len] == ':' ? end + len + 1 : NULL;
}

static int writer_get(const char *end, struct bstream_writer **wp)
{
	const char *arg;

	if ((arg = end_of_kind(end, "name")) != NULL)
		return bstream_open_writer(arg, PATIENCE, wp);
	if ((arg = end_of_kind(end, "fd")) != NULL)
		return bstream_writer_attach(atoi(arg), wp);
	if ((arg = end_of_kind(end, "socket")) != NULL)
		return bstream_writer_recv(atoi(arg), wp);
	return -EINVAL;
}

static int reader_get(const char *end, struct bstream_reader **rp)
{
	const char *arg;

	if ((arg = end_of_kind(end, "name")) != NULL)
		return bstream_open_reader(arg, PATIENCE, rp);
	if ((arg = end_of_kind(end, "fd")) != NULL)
		return bstream_reader_attach(atoi(arg), rp);
	if ((arg = end_of_kind(end, "socket")) != NULL)
		return bstream_reader_recv(atoi(arg), rp);
	return -EINVAL;
}

static void chunk_make(void *chunk, size_t size, uint64_t number)
{
	memset(chunk, fill(number), size);
	if (size >= sizeof(number))
		memcpy(chunk, &number, sizeof(number));
}

/* A period of chunks in a row. NULL: no period, or no memory. */
static unsigned char *chunks_ready(size_t size)
{
	unsigned char *all = period < UINT64_MAX ? calloc(period, size) : NULL;

	for (uint64_t number = 0; all != NULL && number < period; number++)
		chunk_make(all + number * size, size, number);
	return all;
}

static int chunks_write(struct bstream_writer *w, uint64_t count, size_t size)
{
	unsigned char *all = chunks_ready(size);
	uint64_t number = 0;
	void *span;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < count; i++, number = number_after(number)) {
		r = bstream_reserve(w, size, &span, PATIENCE);
		if (r < 0)
			break;
		if (all != NULL)
			memcpy(span, all + number * size, size);
		else
			chunk_make(span, size, number);
		r = bstream_commit(w, size);
	}
	free(all);
	return r;
}

/* All bytes behind the number are the same: one comparison of the chunk with itself. */
static int chunk_check(const unsigned char *chunk, size_t len, uint64_t number)
{
	uint64_t got = number;

	if (len >= sizeof(got))
		memcpy(&got, chunk, sizeof(got));
	if (got != number)
		return -EBADMSG;
	if (len <= sizeof(got))
		return 0;
	chunk += sizeof(got);
	len -= sizeof(got);
	return chunk[0] == fill(number) && memcmp(chunk, chunk + 1, len - 1) == 0 ? 0 : -EBADMSG;
}

static int chunks_read(struct bstream_reader *r)
{
	uint64_t count = 0, number = 0, bytes = 0, start = 0;
	const void *chunk;
	size_t len;
	int rc;

	while ((rc = bstream_peek(r, &chunk, &len, PATIENCE)) == 1) {
		if (count == 0)
			start = now_ns();
		if (chunk_check(chunk, len, number) < 0)
			return failed("a chunk is not what was written", -EBADMSG);
		count++;
		number = number_after(number);
		bytes += len;
		bstream_release(r);
	}
	if (rc < 0 && rc != -ECONNRESET)
		return failed("read", rc);
	printf("%" PRIu64 " %" PRIu64 " %s %" PRIu64 "\n", count, bytes,
	       rc == 0 ? "closed" : "died", now_ns() - start);
	return 0;
}

static int run_write(const char *verb, const char *end, uint64_t count, size_t size)
{
	struct bstream_writer *w;
	int r = writer_get(end, &w);

	if (r < 0)
		return failed(end, r);
	r = chunks_write(w, count, size);
	if (r < 0)
		return failed("write", r);
	if (strcmp(verb, "die") == 0)
		_exit(0);
	bstream_writer_close(w);
	return 0;
}

static int run_read(const char *end)
{
	struct bstream_reader *r;
	int rc = reader_get(end, &r);

	if (rc < 0)
		return failed(end, rc);
	rc = chunks_read(r);
	bstream_reader_close(r);
	return rc;
}

static int run_send(const char *kind, const char *name, int socket)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	int rc;

	if (strcmp(kind, "reader") == 0) {
		rc = bstream_open_reader(name, PATIENCE, &r);
		if (rc == 0)
			rc = bstream_reader_send(socket, r);
	} else {
		rc = bstream_open_writer(name, PATIENCE, &w);
		if (rc == 0)
			rc = bstream_writer_send(socket, w);
	}
	return rc < 0 ? failed(name, rc) : 0;
}

static int run_mail(const char *mailbox, const char *note, uint64_t count, size_t size)
{
	struct bstream_writer *w;
	int r = bstream_connect(mailbox, note, strlen(note), NULL, PATIENCE, &w);

	if (r == 0)
		r = chunks_write(w, count, size);
	if (r < 0)
		return failed(mailbox, r);
	bstream_writer_close(w);
	return 0;
}

static int run_take(const char *name)
{
	struct bstream_mailbox *mailbox;
	struct bstream_message message;
	int r = bstream_mailbox_open(name, &mailbox);

	if (r < 0)
		return failed(name, r);
	r = bstream_mailbox_recv(mailbox, &message, PATIENCE);
	if (r < 0)
		return failed(name, r);
	printf("%.*s ", (int)message.len, (const char *)message.note);
	r = message.reader != NULL ? chunks_read(message.reader) : 0;
	bstream_reader_close(message.reader);
	bstream_mailbox_close(mailbox);
	return r;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	bool writes = strcmp(verb, "write") == 0 || strcmp(verb, "die") == 0;
	bool reads = strcmp(verb, "read") == 0;

	if ((writes && argc == 6) || (reads && argc == 4))
		period = strtoull(argv[--argc], NULL, 10);
	if (argc == 5 && writes)
		return run_write(verb, argv[2], strtoull(argv[3], NULL, 10),
				 strtoul(argv[4], NULL, 10));
	if (argc == 3 && reads)
		return run_read(argv[2]);
	if (argc == 5 && strcmp(verb, "send") == 0)
		return run_send(argv[2], argv[3], atoi(argv[4]));
	if (argc == 6 && strcmp(verb, "mail") == 0)
		return run_mail(argv[2], argv[3], strtoull(argv[4], NULL, 10),
				strtoul(argv[5], NULL, 10));
	if (argc == 3 && strcmp(verb, "take") == 0)
		return run_take(argv[2]);
	fprintf(stderr,
		"usage: peer write|die END COUNT SIZE [PERIOD] | read END [PERIOD] | send KIND NAME FD | mail MAILBOX NOTE COUNT SIZE | take MAILBOX\n");
	return 2;
}
