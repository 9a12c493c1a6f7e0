/* SPDX-License-Identifier: MIT */
/*
 * request.c - the table of requests, and the way each of them goes. Owns nothing.
 *
 * Nothing of a packet is believed before packet_check() and question_check() have passed it; what
 * the handlers see is a private copy. A packet that is no request of this wire costs its sender the
 * connection. A request that names what is not there, or may not be had, is answered with an errno.
 * Who speaks the wire before ours is served, and answered in it; nobody else needs to know.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/mailbox.h"
#include "daemon/request.h"
#include "daemon/watch.h"
#include "proto/geometry.h"
#include "proto/layout.h"

#define NEEDS_NAME    0x01 /* the name has to exist */
#define MAY_WAIT      0x02 /* BS_WANT_WAIT: until it does */
#define ANY_NAME      0x04 /* "" is one */
#define GOES_ON	      0x08 /* more may be said on its connection, which else ends with the reply */
#define ABOUT_MAILBOX 0x10 /* the name is a mailbox's */
#define BY_MAILBOX    0x20 /* asked on a mailbox's own connection, and nothing else is */
#define HAS_NOTE      0x40 /* a note may follow, and a descriptor be with it */
#define HAS_OWNER     0x80 /* with BS_FEATURE_OWNER a bs_wire_owner follows */
#define OF_RULES      0x100 /* it makes use of BS_FEATURE_RULES */

struct row {
	size_t size;
	unsigned n_fds;
	unsigned rules;
	uint32_t flags; /* that it may carry */
	uint32_t right; /* to what has the name */
	request_fn serve;
};

#define HEAD   sizeof(struct bs_wire_head)
#define NAME   sizeof(struct bs_req_name)
#define CREATE sizeof(struct bs_req_create)
#define WAITS  (NEEDS_NAME | MAY_WAIT)
#define SENDS  (NEEDS_NAME | ABOUT_MAILBOX | HAS_NOTE | GOES_ON)

static const struct row rows[BS_REQ_COUNT] = {
	[BS_REQ_CREATE] = { CREATE, 1, 0, 0, RIGHT_MAKE, serve_create },
	[BS_REQ_OPEN_WRITER] = { NAME, 0, WAITS, BS_WANT_WAIT, RIGHT_WRITE, serve_open_writer },
	[BS_REQ_OPEN_READER] = { NAME, 0, WAITS, BS_WANT_WAIT, RIGHT_READ, serve_open_reader },
	[BS_REQ_REMOVE] = { NAME, 0, NEEDS_NAME, 0, RIGHT_OWN, serve_remove },
	[BS_REQ_EOF] = { NAME, 0, NEEDS_NAME, 0, RIGHT_OWN, serve_eof },
	[BS_REQ_EXISTS] = { NAME, 0, WAITS, BS_WANT_WAIT, RIGHT_SEE, serve_exists },
	[BS_REQ_LOOK] = { NAME, 0, WAITS, BS_WANT_WAIT | BS_WANT_WRITE, RIGHT_SEE, serve_look },
	[BS_REQ_STAT] = { NAME, 0, NEEDS_NAME, 0, RIGHT_SEE, serve_stat },
	[BS_REQ_LIST] = { NAME, 0, ANY_NAME, 0, 0, serve_list },
	[BS_REQ_BROKER] = { HEAD, 0, ANY_NAME, 0, 0, serve_broker },
	[BS_REQ_STOP] = { HEAD, 0, ANY_NAME | GOES_ON, 0, 0, serve_stop },
	[BS_REQ_RESTORE] = { CREATE, 1, 0, 0, RIGHT_MAKE, serve_restore },
	[BS_REQ_MAILBOX_OPEN] = { NAME, 0, ABOUT_MAILBOX | HAS_OWNER | GOES_ON, 0, RIGHT_MAKE,
				  serve_mailbox_open },
	[BS_REQ_MAILBOX_EXISTS] = { NAME, 0, ABOUT_MAILBOX | WAITS, BS_WANT_WAIT, RIGHT_SEE,
				    serve_exists },
	[BS_REQ_SEND] = { NAME, 0, SENDS, BS_WANT_WAIT, RIGHT_WRITE, serve_send },
	[BS_REQ_WITHDRAW] = { HEAD, 0, ANY_NAME | GOES_ON, 0, 0, serve_withdraw },
	[BS_REQ_NEXT] = { HEAD, 0, ANY_NAME | BY_MAILBOX | GOES_ON, 0, 0, serve_next },
	[BS_REQ_MAILBOX_CLOSE] = { HEAD, 0, ANY_NAME | BY_MAILBOX | GOES_ON, 0, 0,
				   serve_mailbox_close },
	[BS_REQ_METRICS] = { HEAD, 0, ANY_NAME, 0, 0, serve_metrics },
	[BS_REQ_RULES] = { HEAD, 0, ANY_NAME | OF_RULES, 0, 0, serve_rules },
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

/* Has it the length and the descriptors of its kind, with the features that it makes use of? */
static bool packet_fits(const struct request_packet *p, const struct row *row, uint16_t needs)
{
	bool noted = (row->rules & HAS_NOTE) != 0, owned = (needs & BS_FEATURE_OWNER) != 0;
	size_t least = row->size + (owned ? sizeof(struct bs_wire_owner) : 0);
	size_t more = noted ? BS_WIRE_NOTE : 0, more_fds = noted ? 1 : 0;

	if ((owned && !(row->rules & HAS_OWNER)) ||
	    ((needs & BS_FEATURE_RULES) != 0) != ((row->rules & OF_RULES) != 0))
		return false;
	return p->len >= least && p->len <= least + more && p->fds->n >= row->n_fds &&
	       p->fds->n <= row->n_fds + more_fds;
}

/* Is it a request at all? 0; EPROTONOSUPPORT; EPROTO; -1: not even worth an answer. */
static int packet_check(const struct request_packet *p, struct bs_wire_head *head)
{
	if (p->len < sizeof(*head))
		return -1;
	memcpy(head, p->peer_bytes, sizeof(*head));
	if (head->magic != BS_WIRE_MAGIC)
		return -1;
	if (head->version < BS_WIRE_OLDEST || head->version > BS_WIRE_VERSION ||
	    head->layout != BS_LAYOUT_VERSION || (head->needs & ~BS_FEATURES) != 0 ||
	    (head->version == 1 && head->needs != 0))
		return EPROTONOSUPPORT;
	if (head->type >= BS_REQ_COUNT || !rows[head->type].serve ||
	    (head->version == 1 && head->type > BS_WIRE_1_LAST))
		return EPROTO;
	if (head->size != p->len || !packet_fits(p, &rows[head->type], head->needs))
		return EPROTO;
	return 0;
}

/* May it be asked on this connection, now? */
static bool request_in_turn(const struct client *c, uint16_t type)
{
	bool by_mailbox = (rows[type].rules & BY_MAILBOX) != 0;

	if (type == BS_REQ_WITHDRAW)
		return c->letter || c->sent;
	return !c->letter && by_mailbox == (c->mailbox != NULL);
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

static int request_check_right(struct broker *b, const struct request *q, uint32_t right)
{
	struct owner owner;

	if (right == 0 || right == RIGHT_MAKE || (!q->stream && !q->mailbox))
		return 0;
	owner = q->stream ? stream_owner(q->stream) : q->mailbox->owned_by;
	return rights_check(b, q->client, &owner, right);
}

int request_over_limit(struct broker *b, const char *name, uint64_t limit)
{
	b->refusal = (struct bs_refusal){ .why = BS_WHY_BROKER, .limit = limit };
	snprintf(b->refusal.limit_name, sizeof(b->refusal.limit_name), "%s", name);
	return EDQUOT;
}

/* ---- state, reply --------------------------------------------------------------------------- */

/* The stream of this name, with all that has befallen it taken into account, or NULL. */
static struct stream *request_find(struct broker *b, const char *name)
{
	struct stream *s = registry_find(&b->registry, name);

	if (s && stream_is_over(s)) {
		registry_forget(&b->registry, s);
		s = NULL;
	}
	return s;
}

/* Make of the reply in @packet what wire 1 called one. Its length. */
static size_t reply_to_wire_1(void *packet, uint16_t type, size_t len)
{
	struct bs_reply *reply = packet;

	if (reply->result != 0)
		return sizeof(*reply);
	if (type != BS_REQ_BROKER)
		return len;
	((struct bs_reply_broker *)packet)->n_mailboxes = 0;
	return BS_WIRE_1_BROKER;
}

bool request_send(struct broker *b, struct client *c, uint16_t type, size_t len, int fd)
{
	struct bs_wire_head *head = (struct bs_wire_head *)b->packet;

	if (c->wire == 1)
		len = reply_to_wire_1(b->packet, type, len);
	*head = (struct bs_wire_head){
		.magic = BS_WIRE_MAGIC,
		.version = c->wire ? c->wire : BS_WIRE_VERSION,
		.type = type,
		.size = (uint32_t)len,
		.layout = BS_LAYOUT_VERSION,
	};
	return client_send(c, b->packet, len, fd);
}

bool request_say(struct broker *b, struct client *c, uint16_t type, int outcome)
{
	struct bs_reply_refusal *full = (struct bs_reply_refusal *)b->packet;
	bool refused = outcome == EACCES || outcome == EDQUOT || outcome == EOPNOTSUPP ||
		       outcome == EPROTONOSUPPORT;

	*full = (struct bs_reply_refusal){ .reply.result = -outcome };
	if (!refused || b->refusal.why == 0)
		return request_send(b, c, type, sizeof(full->reply), -1);
	full->refusal = b->refusal;
	b->refusal.why = 0;
	return request_send(b, c, type, sizeof(*full), -1);
}

static void request_count(struct broker *b, int outcome)
{
	b->tally.denied += outcome == EACCES;
	b->tally.over_quota += outcome == EDQUOT;
	b->tally.unsealed += outcome == EOPNOTSUPP;
}

/* Send what the handler has left in the broker's packet, or the bare @outcome. False: the client is
 * gone. An end that was not delivered goes with its description. */
static bool request_reply(struct broker *b, struct request *q, uint16_t type, int outcome)
{
	struct client *c = q->client;
	bool sent;

	request_count(b, outcome);
	if (outcome != 0)
		sent = request_say(b, c, type, outcome);
	else
		sent = request_send(b, c, type, q->reply_len, q->reply_fd);
	if (q->reply_fd >= 0)
		close(q->reply_fd); /* the message has it, or nobody */
	q->reply_fd = -1;
	if (outcome == EPROTO)
		log_blame(c->uid, c->pid,
			  "sent a request that is malformed, or about what is no stream");
	if (!sent && !client_has_left(c))
		log_blame(c->uid, c->pid, "does not read its replies");
	if (!sent)
		client_drop(b, c);
	return sent;
}

static struct request request_new(struct broker *b, struct client *c,
				  const struct request_packet *p)
{
	const struct row *row = &rows[c->question.head.type];
	bool about_mailbox = (row->rules & ABOUT_MAILBOX) != 0;

	return (struct request){
		.client = c,
		.question = &c->question,
		.stream = about_mailbox ? NULL : request_find(b, c->question.name),
		.mailbox = about_mailbox ? mailbox_find(&b->post, c->question.name) : NULL,
		.fds = p ? p->fds->fds : NULL,
		.n_fds = p ? p->fds->n : 0,
		.note = p ? (const char *)p->peer_bytes + row->size : NULL,
		.note_len = p ? p->len - row->size : 0,
		.reply_fd = -1,
		.reply_len = sizeof(struct bs_reply),
	};
}

/* What it asks for is not there: wait for that, if it may be waited for. */
static int request_await(struct broker *b, struct client *c, const struct row *row)
{
	if (!(row->rules & MAY_WAIT) || !(c->question.flags & BS_WANT_WAIT))
		return ENOENT;
	if (!client_may_stay(b) && !c->parked)
		return request_over_limit(b, "waiting", b->limits.max_parked);
	client_park(b, c);
	return REQUEST_ANSWERED;
}

/* The rules come first: who may not have a name by them is not told whether it is there. */
static int request_decide(struct broker *b, const struct row *row, struct request *q)
{
	uint32_t right = row->right;
	int r = rights_check_rules(b, q->client, q->question->name, &right);

	if (r != 0)
		return r;
	if ((row->rules & NEEDS_NAME) && !q->stream && !q->mailbox)
		return request_await(b, q->client, row);
	memset(b->packet, 0, sizeof(struct bs_reply));
	r = request_check_right(b, q, right);
	return r == 0 ? row->serve(b, q) : r;
}

/* Answer c->question, or park the client until that can be done. @p: NULL if it was parked. */
static int request_answer(struct broker *b, struct client *c, const struct request_packet *p)
{
	const struct row *row = &rows[c->question.head.type];
	struct request q = request_new(b, c, p);
	bool gives;
	int r;

	b->refusal.why = 0;
	r = request_decide(b, row, &q);
	if (r < 0 || r == REQUEST_ANSWERED)
		return r < 0 ? r : 0;
	if (r == EPROTO && q.stream)
		watch_stir(&b->registry, q.stream); /* ruined, most likely: then it goes */
	client_unpark(b, c);
	gives = r == 0 && q.reply_fd >= 0;
	if (!request_reply(b, &q, c->question.head.type, r) || (row->rules & GOES_ON))
		return 0;
	/* An end that its receiver does not live to attach is heard of as any other that goes. */
	if (gives)
		client_leave_given(b, c);
	else
		client_drop(b, c);
	return 0;
}

/* The name exists now, a stream's or a mailbox's: those who waited for it are next, the first come
 * first. */
static int request_wake(struct broker *b, const char *name, unsigned about_mailbox)
{
	for (struct client *c = b->clients, *next; c; c = next) {
		unsigned rules = rows[c->question.head.type].rules;
		int r = 0;

		next = c->next;
		if (c->parked && !c->letter && (rules & ABOUT_MAILBOX) == about_mailbox &&
		    strcmp(c->question.name, name) == 0)
			r = request_answer(b, c, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static int request_run(struct broker *b, struct client *c, const struct request_packet *p)
{
	uint16_t type = c->question.head.type;
	char made[BS_WIRE_NAME];
	int r;

	if (rows[type].rules & ABOUT_MAILBOX)
		mailbox_check(b, c->question.name);
	memcpy(made, c->question.name, sizeof(made));
	b->tally.requests[type]++;
	c->sent = type == BS_REQ_SEND;
	r = request_answer(b, c, p);
	if (r < 0)
		return r;
	if (rows[type].size == CREATE)
		return request_wake(b, made, 0);
	return type == BS_REQ_MAILBOX_OPEN ? request_wake(b, made, ABOUT_MAILBOX) : 0;
}

/* Another version than those that are served, or a feature that is not known. */
static void request_refuse_version(struct broker *b, const struct client *c,
				   const struct bs_wire_head *peer_head)
{
	bool version_is_known = peer_head->version > 1 && peer_head->version <= BS_WIRE_VERSION &&
				peer_head->layout == BS_LAYOUT_VERSION;

	if (version_is_known) {
		b->refusal = (struct bs_refusal){
			.why = BS_WHY_FEATURE,
			.uid = c->uid,
			.limit = peer_head->needs & ~BS_FEATURES,
		};
		log_blame(c->uid, c->pid, "needs the features %#x, known are %#x", peer_head->needs,
			  BS_FEATURES);
		return;
	}
	log_blame(c->uid, c->pid,
		  "speaks wire %u and layout %u, served are wire %u to %u and layout %u",
		  peer_head->version, peer_head->layout, BS_WIRE_OLDEST, BS_WIRE_VERSION,
		  BS_LAYOUT_VERSION);
}

void request_refuse(struct broker *b, struct client *c, const struct request_packet *p, int outcome)
{
	struct bs_wire_head peer_head;
	int r = packet_check(p, &peer_head);

	c->wire = r == 0 || r == EPROTO ? peer_head.version : 0;
	request_say(b, c, BS_REQ_NONE, outcome);
	client_drop(b, c);
}

int request_serve(struct broker *b, struct client *c, const struct request_packet *p)
{
	struct request refused = { .client = c, .reply_fd = -1 };
	struct bs_wire_head peer_head;
	int r = packet_check(p, &peer_head);

	b->refusal.why = 0;
	c->wire = r == 0 || r == EPROTO ? peer_head.version : 0;
	b->tally.other_version += r == EPROTONOSUPPORT;
	b->tally.malformed += r == EPROTO || r < 0;
	if (r == EPROTONOSUPPORT)
		request_refuse_version(b, c, &peer_head);
	else if (r < 0)
		log_blame(c->uid, c->pid, "sent what is no request");
	if (r == 0 && !request_in_turn(c, peer_head.type))
		r = EPROTO;
	if (r == 0)
		r = question_check(p, &c->question);
	if (r == 0) {
		r = rights_check_client(b, c);
		if (r != 0)
			log_blame(c->uid, c->pid, "is not this broker's user");
	}
	if (r != 0) {
		bool answered = r > 0 && request_reply(b, &refused, peer_head.type, r);

		if (!answered || r == EPROTO || r == EPROTONOSUPPORT)
			client_drop(b, c);
		return 0;
	}
	return request_run(b, c, p);
}
