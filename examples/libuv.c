/* SPDX-License-Identifier: MIT */
/*
 * libuv.c - standard input to a stream without ever blocking the loop of libuv: a chunk is read, in
 * libuv's way, when the one before has found room.
 *
 * Usage: libuv NAME <FILE
 */
#include <bstream.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

static struct bstream_writer *writer;
static char chunk[4096];
static ssize_t len, result;
static uv_fs_t input;
static uv_poll_t room;

static void finish(int r)
{
	result = r;
	uv_close((uv_handle_t *)&room, NULL); /* the loop has nothing left to do */
}

static void read_next(void);

/* There is room, or the reader has gone, or it is for nothing: the call says which. */
static void on_room(uv_poll_t *poll, int status, int events)
{
	int r = status < 0 ? status : bstream_write(writer, chunk, (size_t)len, BSTREAM_DONT_WAIT);

	(void)events;
	if (r == 0) {
		uv_poll_stop(poll);
		read_next();
	} else if (r != -EAGAIN) {
		finish(r);
	}
}

static void on_read(uv_fs_t *request)
{
	len = request->result;
	uv_fs_req_cleanup(request);
	if (len > 0)
		uv_poll_start(&room, UV_READABLE, on_room); /* readable, for a writer, too */
	else
		finish((int)len);
}

static void read_next(void)
{
	uv_buf_t buf = uv_buf_init(chunk, sizeof(chunk));
	uv_fs_read(room.loop, &input, 0 /* stdin */, &buf, 1, -1, on_read);
}

int main(int argc, char **argv)
{
	int r = argc == 2 ? bstream_create(argv[1], NULL) : -EINVAL;

	if (r == 0 || r == -EEXIST)
		r = bstream_open_writer(argv[1], BSTREAM_FOREVER, &writer);
	if (r == 0)
		r = bstream_writer_pollfd(writer);
	if (r >= 0)
		r = uv_poll_init(uv_default_loop(), &room, r);
	if (r == 0) {
		read_next();
		uv_run(uv_default_loop(), UV_RUN_DEFAULT);
		r = (int)result;
	}
	if (r < 0) {
		fprintf(stderr, "libuv: %s\n", strerror(-r));
		return 1; /* not closed: the reader is told that this writer died */
	}
	bstream_writer_close(writer); /* and with it the descriptor, which the loop has let go */
	return 0;
}
