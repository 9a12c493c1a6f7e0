/* SPDX-License-Identifier: MIT */
/*
 * lane_bstream.c - owns the stream that bench measures: a pair, whose ends travel to the children
 * as descriptors, by detach and attach. No broker has a part in it. trial.c calls it through lane.h.
 */
#include "config.h"
#include "bstream.h"
#include "lane.h"

#include <errno.h>

/* Turns @lane->writer into a descriptor, and before the last one makes the next of it. */
static int writers_detach(struct lane *lane)
{
	int r = 0;

	for (unsigned i = 0; i < lane->n_writers && r >= 0; i++) {
		struct bstream_writer *next = NULL;

		if (i + 1 < lane->n_writers)
			r = bstream_writer_clone(lane->writer, &next);
		if (r < 0)
			break;
		r = bstream_writer_detach(lane->writer);
		if (r < 0) {
			bstream_writer_close(next);
			break;
		}
		lane->fds[i] = r;
		lane->writer = next;
	}
	return r < 0 ? r : 0;
}

static int stream_open(struct lane *lane)
{
	struct bstream_options options = BSTREAM_OPTIONS_INIT;
	int r;

	if (lane->size > UINT32_MAX)
		return -EINVAL;
	options.capacity = lane->capacity;
	options.chunk_max = (uint32_t)lane->size;
	r = bstream_pair(&options, &lane->writer, &lane->reader);
	if (r < 0)
		return r;
	r = writers_detach(lane);
	if (r == 0) {
		r = bstream_reader_detach(lane->reader);
		if (r >= 0) {
			lane->fds[LANE_READER] = r;
			lane->reader = NULL;
			return 0;
		}
	}
	lane->ops->leave(lane);
	return r;
}

static int stream_attach_writer(struct lane *lane, unsigned k)
{
	int r = bstream_writer_attach(lane->fds[k], &lane->writer);

	if (r == 0)
		lane->fds[k] = -1;
	return r;
}

static int stream_attach_reader(struct lane *lane)
{
	int r = bstream_reader_attach(lane->fds[LANE_READER], &lane->reader);

	if (r == 0)
		lane->fds[LANE_READER] = -1;
	return r;
}

static int stream_write(struct lane *lane, const void *chunk)
{
	return bstream_write(lane->writer, chunk, lane->size, BSTREAM_FOREVER);
}

static int stream_read(struct lane *lane, void *chunk)
{
	size_t len;
	int r = bstream_read(lane->reader, chunk, lane->size, &len, BSTREAM_FOREVER);

	return r == 1 && len != lane->size ? -EBADMSG : r;
}

static void stream_leave(struct lane *lane)
{
	bstream_writer_close(lane->writer);
	bstream_reader_close(lane->reader);
	lane->writer = NULL;
	lane->reader = NULL;
}

const struct lane_ops lane_bstream = {
	.name = "bstream",
	.open = stream_open,
	.attach_writer = stream_attach_writer,
	.attach_reader = stream_attach_reader,
	.write = stream_write,
	.read = stream_read,
	.leave = stream_leave,
};
