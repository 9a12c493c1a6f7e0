/* SPDX-License-Identifier: MIT */
/*
 * epoll.c - reads several streams at once, in one thread: a loop of epoll(7) itself. One chunk of a
 * stream at each turn, so that none keeps the others waiting.
 *
 * Usage: epoll NAME...
 */
#include <bstream.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct source {
	const char *name;
	struct bstream_reader *reader;
};

static int source_open(struct source *source, const char *name, int loop)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };
	int r, fd;

	source->name = name;
	r = bstream_open_reader(name, bstream_after_ms(10000), &source->reader);
	if (r < 0)
		return r;
	fd = bstream_reader_pollfd(source->reader);
	if (fd < 0)
		return fd;
	return epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* 1 a chunk; 0 nothing after all; or its end, and then it is closed, and out of the loop by that. */
static int source_read(struct source *source)
{
	const void *chunk;
	size_t len;
	int r = bstream_peek(source->reader, &chunk, &len, BSTREAM_DONT_WAIT);

	if (r == 1) {
		printf("%s: %zu bytes\n", source->name, len);
		bstream_release(source->reader);
		return 1;
	}
	if (r == -EAGAIN)
		return 0;
	printf("%s: %s\n", source->name, r == 0 ? "the end" : strerror(-r));
	bstream_reader_close(source->reader);
	return -ESHUTDOWN;
}

int main(int argc, char **argv)
{
	struct source *sources = calloc((size_t)argc, sizeof(*sources));
	int n_open = 0, r, loop = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	if (sources == NULL || loop < 0)
		return 1;
	for (; n_open < argc - 1; n_open++) {
		r = source_open(&sources[n_open], argv[n_open + 1], loop);
		if (r < 0) {
			fprintf(stderr, "%s: %s\n", argv[n_open + 1], strerror(-r));
			return 1;
		}
	}
	while (n_open > 0) {
		if (epoll_wait(loop, &event, 1, -1) == 1)
			n_open -= source_read(event.data.ptr) < 0;
	}
	free(sources);
	return 0;
}
