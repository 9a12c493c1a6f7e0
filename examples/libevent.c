/* SPDX-License-Identifier: MIT */
/*
 * libevent.c - reads a stream in a loop of libevent, beside a timer that says each second what came.
 *
 * Usage: libevent NAME
 */
#include <bstream.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

static struct bstream_reader *reader;
static struct event_base *base;
static unsigned long n_chunks, n_bytes;
static int end = 1;

/* A chunk, the end, or nothing after all. One at each turn: the timer gets its own. */
static void on_chunk(evutil_socket_t fd, short what, void *arg)
{
	char buf[65536];
	size_t len;
	int r = bstream_read(reader, buf, sizeof(buf), &len, BSTREAM_DONT_WAIT);

	(void)fd;
	(void)what;
	(void)arg;
	if (r == 1) {
		n_chunks++;
		n_bytes += len;
	} else if (r != -EAGAIN) {
		end = r;
		event_base_loopbreak(base);
	}
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	fprintf(stderr, "%lu chunks so far\n", n_chunks);
}

int main(int argc, char **argv)
{
	const struct timeval second = { .tv_sec = 1 };
	struct event *chunk, *timer;
	int r;

	if (argc != 2) {
		fputs("usage: libevent NAME\n", stderr);
		return 2;
	}
	r = bstream_open_reader(argv[1], bstream_after_ms(10000), &reader);
	if (r == 0)
		r = bstream_reader_pollfd(reader);
	base = event_base_new();
	if (r < 0 || base == NULL) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(r < 0 ? -r : ENOMEM));
		return 1;
	}
	chunk = event_new(base, r, EV_READ | EV_PERSIST, on_chunk, NULL);
	timer = event_new(base, -1, EV_PERSIST, on_second, NULL);
	event_add(chunk, NULL);
	event_add(timer, &second);
	event_base_dispatch(base);
	event_free(timer);
	event_free(chunk); /* before the descriptor goes with the handle */
	event_base_free(base);
	bstream_reader_close(reader);
	printf("%lu chunks, %lu bytes, %s\n", n_chunks, n_bytes,
	       end == 0 ? "the end" : strerror(-end));
	return end != 0;
}
