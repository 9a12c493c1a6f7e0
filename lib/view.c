/* SPDX-License-Identifier: MIT */
/*
 * view.c - looking at a stream: a descriptor and a mapping for reading only, no end and no lock.
 * What it shows may be wrong by a few chunks, or whatever a hostile peer wrote there.
 */
#include <stdlib.h>
#include <unistd.h>

#include "lib/broker.h"
#include "lib/handle.h"
#include "lib/link.h"
#include "lib/refusal.h"
#include "lib/stat.h"
#include "proto/end.h"

static_assert(BSTREAM_WAITS_NOT == BS_WAITS_NOT && BSTREAM_WAITS_ITEMS == BS_WAITS_ITEMS &&
		      BSTREAM_WAITS_ROOM == BS_WAITS_ROOM && BSTREAM_WAITS_DRAIN == BS_WAITS_DRAIN,
	      "same numbers in the segment");

struct bstream_view {
	struct bs_sight sight; /* mapped for reading, as far as the slots */
	struct bs_header header;
};

static int view_map(struct bstream_view *v)
{
	struct bs_sight *s = &v->sight;
	int rc = bs_segment_check(s->fd, &s->geo, &v->header, NULL);

	if (rc < 0)
		return bs_refusal_layout(rc, &v->header);
	s->g = bs_segment_map(s->fd, s->geo.slots_at, false);
	return s->g != NULL ? 0 : -ENOMEM;
}

int bstream_view_open(const char *name, struct bstream_view **viewp)
{
	if (!bs_name_ok(name))
		return -EINVAL;
	struct bstream_view *v = calloc(1, sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	int rc = bs_broker_ask(BS_REQ_LOOK, name, 0, 0, &v->sight.fd, NULL);
	if (rc < 0) {
		free(v);
		return rc;
	}
	bs_link_forget(v->sight.fd); /* no end */
	rc = view_map(v);
	if (rc < 0) {
		close(v->sight.fd);
		free(v);
		return rc;
	}
	*viewp = v;
	return 0;
}

int bstream_view_stat(struct bstream_view *v, struct bstream_stat *stat)
{
	struct bs_wire_stat wire;
	int rc = bs_stat_size_ok(stat->size);

	if (rc < 0)
		return rc;
	bs_sight_stat(&v->sight, &v->header, &wire);
	bs_stat_export(stat, &wire);
	return 0;
}

static int reader_show(struct bstream_view *v, int (*each)(const struct bstream_end *, void *),
		       void *arg)
{
	struct bs_reader_line *l = &v->sight.g->reader;

	if ((word_look(&v->sight.g->verdicts.reader) & BS_R_STATE) != BS_R_OPEN ||
	    bs_end_held(v->sight.fd, BS_BYTE_READER, 1) <= 0)
		return 0;
	struct bstream_end end = {
		.size = sizeof(end),
		.kind = BSTREAM_END_READER,
		.pid = figure_load(&l->pid),
		.uid = figure_load(&l->uid),
		.waits_for = figure_load(&l->waits_for),
		.waits_since_ns = figure_load(&l->waits_since_ns),
		.chunks = figure_load(&l->chunks),
		.bytes = figure_load(&l->bytes),
	};
	return each(&end, arg);
}

static int writer_show(struct bstream_view *v, uint32_t place,
		       int (*each)(const struct bstream_end *, void *), void *arg)
{
	struct bs_writer_line *l = &v->sight.g->writers[place];

	if ((owner_look(&l->owner) & BS_END_STATE) == BS_END_FREE ||
	    bs_end_held(v->sight.fd, BS_BYTE_WRITERS + place, 1) <= 0)
		return 0;
	struct bstream_end end = {
		.size = sizeof(end),
		.kind = BSTREAM_END_WRITER,
		.pid = figure_load(&l->pid),
		.uid = figure_load(&l->uid),
		.waits_for = figure_load(&l->waits_for),
		.waits_since_ns = figure_load(&l->waits_since_ns),
		.chunks = figure_load(&l->chunks),
		.bytes = figure_load(&l->bytes),
	};
	return each(&end, arg);
}

int bstream_view_ends(struct bstream_view *v, int (*each)(const struct bstream_end *end, void *arg),
		      void *arg)
{
	int rc = reader_show(v, each, arg);

	for (uint32_t i = 0; rc == 0 && i < v->sight.geo.max_writers; i++)
		rc = writer_show(v, i, each, arg);
	return rc;
}

void bstream_view_close(struct bstream_view *v)
{
	if (v == NULL)
		return;
	bs_segment_unmap(v->sight.g, v->sight.geo.slots_at);
	close(v->sight.fd);
	free(v);
}
