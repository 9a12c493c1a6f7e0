/* SPDX-License-Identifier: MIT */
/*
 * worker-pool.c - hands streams over to a pool of processes. The parent opens each stream, and sends
 * its read end, with the chunks in it, to whichever worker is free: all of them receive from one socket.
 *
 * Usage: worker-pool NAME...
 */
#include <bstream.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 3

static int stream_read(struct bstream_reader *reader)
{
	struct bstream_stat stat = { .size = sizeof(stat) };
	unsigned chunks = 0;
	const void *chunk;
	size_t len;
	int r = bstream_reader_stat(reader, &stat);

	while (r >= 0 && (r = bstream_peek(reader, &chunk, &len, BSTREAM_FOREVER)) == 1) {
		chunks++;
		bstream_release(reader);
	}
	printf("%s: %u chunks, %s\n", stat.name, chunks, r == 0 ? "the end" : strerror(-r));
	fflush(stdout);
	bstream_reader_close(reader);
	return r;
}

static int work(int socket)
{
	struct bstream_reader *reader;
	int r, failed = 0;

	while ((r = bstream_reader_recv(socket, &reader)) == 0)
		failed |= stream_read(reader) < 0;
	return failed || r != -ECONNRESET; /* which says that the parent has no more */
}

static int hand_over(const char *name, int socket)
{
	struct bstream_reader *reader;
	int r = bstream_open_reader(name, bstream_after_ms(10000), &reader);

	if (r < 0)
		return r;
	r = bstream_reader_send(socket, reader); /* then it is a worker's, and gone from here */
	if (r < 0)
		bstream_reader_close(reader);
	return r;
}

int main(int argc, char **argv)
{
	int sockets[2], status, failed = 0, r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return 1;
	for (int i = 0; i < WORKERS; i++)
		if (fork() == 0) {
			close(sockets[0]);
			return work(sockets[1]);
		}
	close(sockets[1]);
	for (int i = 1; i < argc; i++)
		if ((r = hand_over(argv[i], sockets[0])) < 0)
			failed = fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
	close(sockets[0]);
	while (wait(&status) > 0)
		failed |= status;
	return failed != 0;
}
