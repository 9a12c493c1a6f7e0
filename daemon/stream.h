/* SPDX-License-Identifier: MIT */
/*
 * stream.h - one stream as the broker has it: a description of its segment, which holds the byte
 * that says a broker stands; header and lines, mapped; its file in the shm directory.
 *
 * Outcomes: 0, or a positive errno that is the asking client's to hear. What a peer has ruined is
 * EPROTO, and stream_is_ruined() from then on.
 */
#ifndef BSTREAMD_STREAM_H
#define BSTREAMD_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/bus.h"
#include "daemon/figures.h"
#include "daemon/rights.h"
#include "proto/verdict.h"
#include "proto/wire.h"

#define STREAM_FILE_SIZE 64 /* "bstream." and three times 16 digits */

enum stream_life {
	STREAM_QUIET, /* no end is held: nothing can happen but by us */
	STREAM_HELD, /* somebody has an end, or has not been seen to die yet */
	STREAM_OVER, /* its name can go */
};

struct stream {
	struct bs_sight sight; /* its mapping ends where the slots begin */
	struct bs_header header; /* private, checked */
	struct bus_region region; /* that mapping */
	char file[STREAM_FILE_SIZE]; /* in the shm directory; "": it has none any more */
	int watch; /* inotify's number, or -1 */
	struct grant *grants; /* ends that were given out: registry.c */
	uint32_t n_grants, grants_cap;
	bool named; /* its name is in the registry */
	bool kept; /* the service manager has a description of it: keeper.c */
	bool standing; /* the broker's byte is locked */
	bool attended; /* somebody may have an end of it, or look at it: their deaths are to be heard of */
	int label; /* figures.c: its place among those that are shown by name, or -1 */
	struct figures figures;
	struct levels levels; /* when it was looked at last */
	/* watch.c: to be looked at again at due_ns, if it is in the list */
	struct stream *next_due, **due_link;
	uint64_t due_ns;
	unsigned step;
};

/* Who was given an end. */
struct grant {
	uint64_t byte;
	uid_t uid;
};

/* What a stream is made of, once it has been checked. */
struct stream_parts {
	int fd; /* taken: a description of the broker's own, for reading and writing */
	struct bs_geometry geo;
	struct bs_header header;
	const char *file; /* copied */
};

/* Map the segment. On success the descriptor is the stream's. 0 or -errno, ours. */
int stream_new(struct stream **sp, const struct stream_parts *parts);

/* Unmap, and close the description. Unlinks nothing. NULL is fine. */
void stream_free(struct stream *s);

/* Lock the byte that says a broker stands, unless another broker still holds it. */
void stream_stand(struct stream *s);
void stream_stand_down(struct stream *s);

/* Make the verdicts that are due, and wake whoever they concern. Can its name go? */
bool stream_is_over(struct stream *s);
enum stream_life stream_look(struct stream *s);

/* New ends of it, locked, in a description of their own that *fdp receives. EPIPE, ESHUTDOWN,
 * EMFILE; EPIPE, EBUSY. */
int stream_open_writer(struct stream *s, int *fdp);
int stream_open_reader(struct stream *s, int *fdp);

/* A description that is no end. */
int stream_open_view(struct stream *s, bool write, int *fdp);

/* The name is gone; the kept write end is given up. Both wake. */
void stream_remove(struct stream *s);

/* Has that been said? By a broker that then did not live to take the name away. */
bool stream_is_removed(struct stream *s);
void stream_eof(struct stream *s);

void stream_stat(struct stream *s, struct bs_wire_stat *stat);

/* Its writers that have waited for room for @least_ns or longer at @now. */
void stream_stalls(struct stream *s, uint64_t now, uint64_t least_ns, struct bs_stalls *stalls);

/* Whose it is. */
static inline struct owner stream_owner(const struct stream *s)
{
	return (struct owner){ s->header.uid, s->header.gid, s->header.mode };
}

static inline bool stream_is_ruined(const struct stream *s)
{
	return bus_struck(&s->region);
}

#endif
