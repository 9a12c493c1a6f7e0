/* SPDX-License-Identifier: MIT */
/*
 * scrape.h - those who read the broker's metrics: by HTTP on a socket of their own, where it was asked
 * for, or through a socket that METRICS was answered with. There may be a few of them at once, none for
 * longer than ten seconds; they cost the others nothing but the time to look at the streams.
 */
#ifndef BSTREAMD_SCRAPE_H
#define BSTREAMD_SCRAPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/metrics.h"
#include "daemon/source.h"

#define SCRAPES_MAX	   8
#define SCRAPE_REQUEST_MAX 4096 /* bytes of a request's head */

struct scrape {
	struct source source;
	enum { SCRAPE_FREE, SCRAPE_ASKS, SCRAPE_WAITS, SCRAPE_READS } state;
	bool bare; /* it is told the text alone, without HTTP */
	bool head_only;
	uid_t uid;
	uint64_t came; /* the how manieth */
	uint64_t deadline_ns;
	char request[SCRAPE_REQUEST_MAX];
	size_t request_len;
	char head[256]; /* what it is told first, and then the page, if there is one */
	size_t head_len, sent;
	struct metrics_page *page;
};

struct scraping {
	struct source listener; /* on_event NULL: there is none */
	bool failed; /* what was asked for could not be made */
	const char *path; /* borrowed; NULL: it is not ours to remove */
	dev_t dev;
	ino_t ino;
	struct scrape scrapes[SCRAPES_MAX];
	uint64_t n_came;
	uint64_t started_ns; /* CLOCK_REALTIME */
	uint64_t not_before_ns; /* when to look at all streams again, at the earliest */
	struct metrics metrics;
};

/* Make the socket at @path, which is kept, and listen. Root and the socket's group may read with
 * --system, else its user. 0 or a negative errno: -EADDRINUSE, another listens; -EEXIST, it is no
 * socket. */
int scrape_open(struct broker *b, const char *path);

/* @fd (taken if so) is a listening socket for metrics, from the service manager. */
bool scrape_inherit(struct broker *b, int fd);

/* The broker stands: into the loop with it. 0 or a negative errno. */
int scrape_listen(struct broker *b);

/* Somebody is to be told without HTTP: a socket for him, in *fdp. 0, or a positive errno for him. */
int scrape_give(struct broker *b, uid_t uid, int *fdp);

/* When there is something to do: CLOCK_MONOTONIC ns, or UINT64_MAX. And do it: once in each round. */
uint64_t scrape_due(const struct broker *b);
void scrape_run(struct broker *b);

/* Nobody is told any more. */
void scrape_close(struct broker *b);

#endif
