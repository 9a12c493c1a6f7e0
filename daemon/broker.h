/* SPDX-License-Identifier: MIT */
/*
 * broker.h - the one object that holds all others: what the loop waits for, what is limited, and
 * where things are. Made by main.c, run by loop.c.
 */
#ifndef BSTREAMD_BROKER_H
#define BSTREAMD_BROKER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/mailbox.h"
#include "daemon/registry.h"
#include "daemon/rules.h"
#include "daemon/scrape.h"
#include "proto/wire.h"

struct broker;
struct client;

/* What has happened since the broker started. */
struct tally {
	uint64_t requests[BS_REQ_COUNT]; /* understood ones, by what they are */
	uint64_t denied, over_quota, unsealed; /* of them: refused for that */
	uint64_t malformed, other_version; /* packets that were none */
	uint64_t connections, evicted;
};

struct limits {
	uint32_t max_streams, max_clients, max_mailboxes;
	uint32_t max_parked; /* connections that are not asked to leave: parked, or mailboxes */
};

struct broker {
	int epoll;
	struct source listener, signals, inotify;
	bool listening; /* the listener is in epoll: there is room for a client */
	struct limits limits;
	bool system; /* it serves users who do not trust each other */
	struct bs_refusal
		refusal; /* of the request at hand; why is 0 if there is nothing to tell */
	uid_t uid;
	bool activated; /* the listening socket is the service manager's, and stays when we go */
	uint64_t started_ns, idle_ns, idle_since_ns;
	uint64_t watchdog_ns,
		watchdog_due_ns; /* how often to say that we live, and when next; 0: never */
	uint64_t round; /* of the loop */
	unsigned n_told; /* clients of whom it has told in this round */
	bool leaving;

	/* where it meets its clients: socket.c */
	char path[PATH_MAX]; /* canonical: what the segments' prefix is made of */
	const char *base; /* its last component, in @dir */
	int dir;
	dev_t socket_dev;
	ino_t socket_ino;
	int socket_watch; /* inotify's number */

	struct rules rules; /* the administrator's */
	bool rules_are_old; /* those in the files are wrong */
	const char *rules_dir; /* where they stand; NULL: nowhere */
	bool rules_dir_named; /* by an option */

	struct accounts accounts;
	struct registry registry;
	struct post post;
	struct tally tally;
	struct scraping scraping;

	/* client.c */
	struct client *clients, *last_client; /* the oldest first */
	struct client *dead; /* closed in this round of the loop */
	uint32_t n_clients, n_parked;
	uint64_t
		given_ns; /* when to look who has read what he was given; 0: nobody was given anything */

	alignas(8) char packet[BS_WIRE_PACKET]; /* where replies are put together */
};

/* Run until it has to leave. 0, or a negative errno of ours. */
int loop_run(struct broker *b);
int loop_add(struct broker *b, struct source *source, uint32_t events);
void loop_drop(struct broker *b, struct source *source);

/* Tell the service manager @what, of sd_notify(3), and how many streams there are now. */
void loop_say(const struct broker *b, const char *what);

#endif
