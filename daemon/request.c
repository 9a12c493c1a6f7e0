/* SPDX-License-Identifier: MIT */
/*
 * request.c - the table of requests, and the way each of them goes. Owns nothing.
 *
 * Nothing of a packet is believed before packet_check() and question_check() have passed it; what
 * the handlers see is a private copy. A packet that is no request of this wire costs its sender the
 * connection. A request that names what is not there, or may not be had, is answered with an errno.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/request.h"
#include "daemon/watch.h"
#include "proto/geometry.h"
#include "proto/layout.h"

#define NEEDS_STREAM 0x1 /* the name has to exist */
#define MAY_WAIT     0x2 /* BS_WANT_WAIT: until it does */
#define ANY_NAME     0x4 /* "" is one */
#define GIVES_END    0x8 /* hang-up means: look whether it has attached */

struct row {
	size_t size;
	unsigned n_fds;
	unsigned rules;
	uint32_t flags; /* that it may carry */
	request_fn serve;
};

#define HEAD   sizeof(struct bs_wire_head)
#define NAME   sizeof(struct bs_req_name)
#define CREATE sizeof(struct bs_req_create)
#define OPENS  (NEEDS_STREAM | MAY_WAIT | GIVES_END)
#define WAITS  (NEEDS_STREAM | MAY_WAIT)

static const struct row rows[BS_REQ_COUNT] = {
	[BS_REQ_CREATE] = { CREATE, 1, 0, 0, serve_create },
	[BS_REQ_OPEN_WRITER] = { NAME, 0, OPENS, BS_WANT_WAIT, serve_open_writer },
	[BS_REQ_OPEN_READER] = { NAME, 0, OPENS, BS_WANT_WAIT, serve_open_reader },
	[BS_REQ_REMOVE] = { NAME, 0, NEEDS_STREAM, 0, serve_remove },
	[BS_REQ_EOF] = { NAME, 0, NEEDS_STREAM, 0, serve_eof },
	[BS_REQ_EXISTS] = { NAME, 0, WAITS, BS_WANT_WAIT, serve_exists },
	[BS_REQ_LOOK] = { NAME, 0, WAITS, BS_WANT_WAIT | BS_WANT_WRITE, serve_look },
	[BS_REQ_STAT] = { NAME, 0, NEEDS_STREAM, 0, serve_stat },
	[BS_REQ_LIST] = { NAME, 0, ANY_NAME, 0, serve_list },
	[BS_REQ_BROKER] = { HEAD, 0, ANY_NAME, 0, serve_broker },
	[BS_REQ_STOP] = { HEAD, 0, ANY_NAME, 0, serve_stop },
	[BS_REQ_RESTORE] = { CREATE, 1, 0, 0, serve_restore },
};

/* ---- shape ---------------------------------------------------------------------------------- */

/* @room holds exactly one name, ended by a NUL and then nothing but zeros. */
static bool name_is_clean(const char room[BS_WIRE_NAME])
{
	size_t len = strnlen(room, BS_WIRE_NAME);

	for (size_t i = len; i < BS_WIRE_NAME; i++)
		if (room[i] != '\0')
			return false;
	return len < BS_WIRE_NAME;
}

/* Is it a request at all? 0; EPROTONOSUPPORT; EPROTO; -1: not even worth an answer. */
static int packet_check(const struct request_packet *p, struct bs_wire_head *head)
{
	if (p->len < sizeof(*head))
		return -1;
	memcpy(head, p->peer_bytes, sizeof(*head));
	if (head->magic != BS_WIRE_MAGIC)
		return -1;
	if (head->version != BS_WIRE_VERSION || head->layout != BS_LAYOUT_VERSION)
		return EPROTONOSUPPORT;
	if (head->type >= BS_REQ_COUNT || !rows[head->type].serve)
		return EPROTO;
	if (head->size != p->len || p->len != rows[head->type].size ||
	    p->fds->n != rows[head->type].n_fds)
		return EPROTO;
	return 0;
}

/* Copy out what is asked. 0; EPROTO: packed badly; EINVAL: no such name can be. */
static int question_check(const struct request_packet *p, struct bs_req_name *question)
{
	const struct row *row;

	memset(question, 0, sizeof(*question));
	memcpy(&question->head, p->peer_bytes, sizeof(question->head));
	row = &rows[question->head.type];
	if (row->size == CREATE)
		memcpy(question->name,
		       (const char *)p->peer_bytes + offsetof(struct bs_req_create, name),
		       sizeof(question->name));
	else
		memcpy(question, p->peer_bytes, row->size);
	if ((question->flags & ~row->flags) != 0 || !name_is_clean(question->name))
		return EPROTO;
	if ((row->rules & ANY_NAME) && question->name[0] == '\0')
		return 0;
	return bs_name_ok(question->name) ? 0 : EINVAL;
}

/* ---- permission ----------------------------------------------------------------------------- */

static bool client_is_permitted(const struct broker *b, const struct client *c)
{
	return c->uid == b->uid || c->uid == 0;
}

/* ---- state, reply --------------------------------------------------------------------------- */

/* The stream of this name, with all that has befallen it taken into account, or NULL. */
static struct stream *request_find(struct broker *b, const char *name)
{
	struct stream *s = registry_find(&b->registry, name);

	if (s && stream_look(s) == STREAM_OVER) {
		registry_forget(&b->registry, s);
		s = NULL;
	}
	return s;
}

/* Send what the handler has left in the broker's packet, or the bare @outcome. False: the client is
 * gone. An end that was not delivered goes with its description. */
static bool request_reply(struct broker *b, struct request *q, uint16_t type, int outcome)
{
	struct bs_reply *reply = (struct bs_reply *)b->packet;
	struct client *c = q->client;
	bool sent;

	if (outcome != 0) {
		memset(reply, 0, sizeof(*reply));
		q->reply_len = sizeof(*reply);
	}
	reply->result = -outcome;
	reply->head = (struct bs_wire_head){
		.magic = BS_WIRE_MAGIC,
		.version = BS_WIRE_VERSION,
		.type = type,
		.size = (uint32_t)q->reply_len,
		.layout = BS_LAYOUT_VERSION,
	};
	sent = client_send(c, reply, q->reply_len, q->reply_fd);
	if (q->reply_fd >= 0)
		close(q->reply_fd); /* the message has it, or nobody */
	q->reply_fd = -1;
	if (!sent)
		client_drop(b, c);
	return sent;
}

/* Answer c->question, or park the client until that can be done. */
static int request_answer(struct broker *b, struct client *c, const int *fd)
{
	const struct row *row = &rows[c->question.head.type];
	struct request q = {
		.client = c,
		.question = &c->question,
		.stream = request_find(b, c->question.name),
		.fd = fd,
		.reply_fd = -1,
		.reply_len = sizeof(struct bs_reply),
	};
	int watch = q.stream ? q.stream->watch : -1;
	int r;

	if ((row->rules & NEEDS_STREAM) && !q.stream) {
		if (!(c->question.flags & BS_WANT_WAIT))
			r = ENOENT;
		else if (b->n_parked < b->limits.max_parked || c->parked)
			return client_park(b, c), 0;
		else
			r = EDQUOT;
	} else {
		memset(b->packet, 0, sizeof(struct bs_reply));
		r = row->serve(b, &q);
	}
	if (r < 0)
		return r;
	if (r == EPROTO && q.stream)
		watch_stir(&b->registry, q.stream); /* ruined, most likely: then it goes */
	client_unpark(b, c);
	c->opened = r == 0 && (row->rules & GIVES_END);
	c->opened_watch = watch;
	request_reply(b, &q, c->question.head.type, r);
	return 0;
}

/* The name exists now: those who waited for it are next, the first come first. */
static int request_wake(struct broker *b, const char *name)
{
	for (struct client *c = b->clients, *next; c; c = next) {
		int r = 0;

		next = c->next;
		if (c->parked && strcmp(c->question.name, name) == 0)
			r = request_answer(b, c, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

int request_serve(struct broker *b, struct client *c, const struct request_packet *p)
{
	struct request refused = { .client = c, .reply_fd = -1 };
	struct bs_wire_head peer_head;
	char created[BS_WIRE_NAME];
	int r = packet_check(p, &peer_head);

	if (r == 0)
		r = question_check(p, &c->question);
	if (r == 0 && !client_is_permitted(b, c))
		r = EACCES;
	if (r != 0) {
		bool answered = r > 0 && request_reply(b, &refused, peer_head.type, r);

		if (!answered || r == EPROTO)
			client_drop(b, c);
		return 0;
	}
	r = request_answer(b, c, p->fds->fds);
	if (r < 0 || rows[c->question.head.type].size != CREATE)
		return r;
	memcpy(created, c->question.name, sizeof(created));
	return request_wake(b, created);
}
