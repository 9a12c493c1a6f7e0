/* SPDX-License-Identifier: MIT */
/*
 * request.h - from a packet to a reply. Each request is a row of a table (request.c) and a handler
 * (serve.c, adopt.c, mailbox.c), which decides in this order: shape, permission, limits, state; then the reply
 * is sent, and what it promises has been done.
 */
#ifndef BSTREAMD_REQUEST_H
#define BSTREAMD_REQUEST_H

#include "daemon/client.h"
#include "proto/packet.h"

struct request_packet { /* as it came */
	const void *peer_bytes;
	size_t len;
	struct bs_packet_fds
		*fds; /* those that the handler keeps are taken out; the caller closes the rest */
};

/* What a handler is given, and what it gives. */
struct request {
	struct client *client;
	const struct bs_req_name
		*question; /* checked; for a request with a head only, its name is "" */
	struct stream *stream; /* the one of that name; it has just been looked at */
	struct mailbox *mailbox; /* the one of that name, if the request is about one */
	int *fds; /* CREATE: the segment; SEND: a read end; borrowed, -1 where it was taken */
	size_t n_fds;
	const char *note; /* what follows the question: of SEND, of MAILBOX_OPEN; borrowed */
	size_t note_len;
	int reply_fd; /* an end to be sent along, or -1 */
	size_t reply_len; /* of what stands in broker.packet; at first a bs_reply of zeros */
};

/* Outcome: the handler has answered, or somebody will. */
#define REQUEST_ANSWERED 0x10000

/* 0, a positive errno for the client to hear, or a negative one of ours that ends the broker. */
typedef int (*request_fn)(struct broker *b, struct request *q);

/* The connection is not had: whatever @p asks, tell so in its version, with the broker's refusal, and drop
 * @c. */
void request_refuse(struct broker *b, struct client *c, const struct request_packet *p,
		    int outcome);

int request_serve(struct broker *b, struct client *c, const struct request_packet *p);

/* Send what is in the broker's packet, with @fd unless it is -1, as the answer to a @type. False: it
 * cannot be had now, or the client has left. */
bool request_send(struct broker *b, struct client *c, uint16_t type, size_t len, int fd);

/* The same with nothing but an outcome: 0 or a positive errno. */
bool request_say(struct broker *b, struct client *c, uint16_t type, int outcome);
/* The broker has as many @name as it may have: EDQUOT, with a refusal that says so. */
int request_over_limit(struct broker *b, const char *name, uint64_t limit);

/* serve.c */
int serve_open_writer(struct broker *b, struct request *q);
int serve_open_reader(struct broker *b, struct request *q);
int serve_look(struct broker *b, struct request *q);
int serve_remove(struct broker *b, struct request *q);
int serve_eof(struct broker *b, struct request *q);
int serve_exists(struct broker *b, struct request *q);
int serve_stat(struct broker *b, struct request *q);
int serve_list(struct broker *b, struct request *q);
int serve_broker(struct broker *b, struct request *q);
int serve_stop(struct broker *b, struct request *q);
int serve_metrics(struct broker *b, struct request *q);
int serve_rules(struct broker *b, struct request *q);

/* adopt.c */
int serve_create(struct broker *b, struct request *q);
int serve_restore(struct broker *b, struct request *q);

/* mailbox.c */
int serve_mailbox_open(struct broker *b, struct request *q);
int serve_mailbox_close(struct broker *b, struct request *q);
int serve_send(struct broker *b, struct request *q);
int serve_withdraw(struct broker *b, struct request *q);
int serve_next(struct broker *b, struct request *q);

#endif
