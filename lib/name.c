/* SPDX-License-Identifier: MIT */
/*
 * name.c - named streams: checks what the caller said, asks the broker, and makes ends of what it
 * answers. Keeps no state.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/broker.h"
#include "lib/choice.h"
#include "lib/link.h"
#include "lib/open.h"
#include "lib/options.h"
#include "lib/stat.h"

/* A sealed one is a memfd, and never has a name in the file system. */
static int segment_new(const struct bs_geometry *geo, const struct bs_segment_spec *spec,
		       char tmp_name[64])
{
	tmp_name[0] = '\0';
	return geo->sealed ? bs_segment_new_nameless(geo, spec)
			   : bs_segment_new_linkable(geo, spec, tmp_name);
}

static int stream_create(const struct bs_geometry *geo, const struct bs_segment_spec *spec)
{
	char tmp_name[64];
	int rc, fd = segment_new(geo, spec, tmp_name);

	if (fd < 0)
		return fd;
	rc = bs_broker_create(spec->name, fd, tmp_name);
	close(fd);
	if (rc < 0 && tmp_name[0] != '\0') {
		char path[80];

		snprintf(path, sizeof(path), "/%s", tmp_name);
		shm_unlink(path);
	}
	return rc;
}

int bstream_create(const char *name, const struct bstream_options *options)
{
	struct bs_geometry geo;
	struct bs_segment_spec spec = { .name = name };

	if (!bs_name_ok(name))
		return -EINVAL;
	int rc = bs_options_resolve(options, true, &geo, &spec);
	if (rc < 0)
		return rc;
	/* A broker of many users takes no others; a socket may be one's without our knowing it. */
	if (bs_choice_is_system())
		bs_geometry_seal(&geo);
	rc = stream_create(&geo, &spec);
	if (rc != -EOPNOTSUPP || geo.sealed)
		return rc;
	bs_geometry_seal(&geo);
	return stream_create(&geo, &spec);
}

static uint32_t wait_flag(uint64_t deadline)
{
	return deadline == BSTREAM_DONT_WAIT ? 0 : BS_WANT_WAIT;
}

int bstream_open_writer(const char *name, uint64_t deadline, struct bstream_writer **wp)
{
	int fd, conn;

	if (!bs_name_ok(name))
		return -EINVAL;
	int rc = bs_broker_ask(BS_REQ_OPEN_WRITER, name, wait_flag(deadline), deadline, &fd, &conn);
	if (rc < 0)
		return rc;
	rc = bs_writer_make(fd, BS_FRESH, deadline, wp);
	if (rc < 0)
		bs_link_close(fd);
	else
		bs_link_forget(fd);
	bs_broker_hang_up(conn);
	return rc;
}

int bstream_open_reader(const char *name, uint64_t deadline, struct bstream_reader **rp)
{
	int fd, conn;

	if (!bs_name_ok(name))
		return -EINVAL;
	int rc = bs_broker_ask(BS_REQ_OPEN_READER, name, wait_flag(deadline), deadline, &fd, &conn);
	if (rc < 0)
		return rc;
	rc = bs_reader_make(fd, BS_FRESH, rp);
	if (rc < 0)
		bs_link_close(fd);
	else
		bs_link_forget(fd);
	bs_broker_hang_up(conn);
	return rc;
}

int bstream_remove(const char *name)
{
	return bs_name_ok(name) ? bs_broker_ask(BS_REQ_REMOVE, name, 0, 0, NULL, NULL) : -EINVAL;
}

int bstream_eof(const char *name)
{
	return bs_name_ok(name) ? bs_broker_ask(BS_REQ_EOF, name, 0, 0, NULL, NULL) : -EINVAL;
}

int bstream_stat(const char *name, struct bstream_stat *stat)
{
	struct bs_wire_stat wire;
	int rc = bs_stat_size_ok(stat->size);

	if (rc == 0 && !bs_name_ok(name))
		rc = -EINVAL;
	if (rc == 0)
		rc = bs_broker_look(name, &wire);
	if (rc == 0)
		bs_stat_export(stat, &wire);
	return rc;
}

/* Show one page. @after becomes the last name of it. */
static int page_show(const struct bs_reply_list *page, char after[BS_WIRE_NAME],
		     int (*each)(const struct bstream_stat *, void *), void *arg)
{
	for (uint32_t i = 0; i < page->n_streams; i++) {
		struct bstream_stat stat = { .size = sizeof(stat) };

		bs_stat_export(&stat, &page->streams[i]);
		int rc = each(&stat, arg);
		if (rc != 0)
			return rc;
		snprintf(after, BS_WIRE_NAME, "%s", stat.name);
	}
	return 0;
}

int bstream_list(int (*each)(const struct bstream_stat *stat, void *arg), void *arg)
{
	char after[BS_WIRE_NAME] = "";

	for (;;) {
		struct bs_reply_list *page;
		int rc = bs_broker_page(after, &page);
		if (rc < 0)
			return rc;
		bool last = page->n_streams == 0;
		rc = page_show(page, after, each, arg);
		free(page);
		if (rc != 0 || last)
			return rc;
	}
}
