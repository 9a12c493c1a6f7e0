/* SPDX-License-Identifier: MIT */
/*
 * mailbox.c - owns the mailboxes, what is queued in them, and the lines of those who wait for room.
 *
 * Messages stay here until their owner asks for the next one; what lies in his socket is a bell, which
 * says that there is one. So an end that he does not live to receive is still in our hands, and its
 * writers are told at once, by letter_return(); and no more of his memory is used than one packet.
 *
 * A message is queued when its sender has been told so, and not before: one whose sender has hung up
 * meanwhile, or has not heard it and taken its end back, is as if it had never come. While somebody is
 * parked nobody passes him.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/letter.h"
#include "daemon/mailbox.h"
#include "daemon/request.h"
#include "proto/segment.h"

/* ---- names ---------------------------------------------------------------------------------- */

static int mailbox_cmp(const void *key, const void *item)
{
	return strcmp(key, ((const struct mailbox *)item)->name);
}

void post_init(struct post *p)
{
	*p = (struct post){ .n_parked_ends = 0 };
	sorted_init(&p->names, mailbox_cmp);
}

void post_fini(struct post *p)
{
	sorted_fini(&p->names);
}

struct mailbox *mailbox_find(const struct post *p, const char *name)
{
	return sorted_find(&p->names, name);
}

void mailbox_check(struct broker *b, const char *name)
{
	struct mailbox *m = mailbox_find(&b->post, name);

	if (m && client_has_left(m->owner))
		client_drop(b, m->owner);
}

/* ---- the queue ------------------------------------------------------------------------------ */

static void mailbox_put(struct broker *b, struct mailbox *m, struct letter *l)
{
	account_add(&b->accounts, l->uid, QUOTA_MESSAGES, 1);
	l->next = NULL;
	*m->last = l;
	m->last = &l->next;
	m->n_letters++;
}

static struct letter *mailbox_take(struct broker *b, struct mailbox *m)
{
	struct letter *l = m->first;

	account_add(&b->accounts, l->uid, QUOTA_MESSAGES, -1);
	m->first = l->next;
	if (!m->first)
		m->last = &m->first;
	m->n_letters--;
	return l;
}

/* While anybody is in line it is: whoever leaves it lets the first one in at once. */
static bool mailbox_is_full(const struct mailbox *m)
{
	return m->n_letters >= MAILBOX_ROOM;
}

/* See to it that the owner's socket is readable. A bell that cannot be had now is rung with the next
 * message: that happens only to an owner who asks and does not listen. */
static void mailbox_ring(struct broker *b, struct mailbox *m)
{
	if (!m->rung)
		m->rung = request_say(b, m->owner, BS_REQ_BELL, 0);
}

/* There is room: queue it, and tell @c, who sent it. The bell comes first: who has been told may be
 * the owner, and look whether it is readable. */
static void mailbox_accept(struct broker *b, struct mailbox *m, struct client *c, struct letter *l)
{
	mailbox_ring(b, m);
	if (request_say(b, c, BS_REQ_SEND, 0)) {
		mailbox_put(b, m, l);
	} else {
		letter_return(l);
		client_drop(b, c);
	}
}

/* ---- who waits for room --------------------------------------------------------------------- */

static void sender_park(struct broker *b, struct mailbox *m, struct client *c, struct letter *l)
{
	c->letter = l;
	c->addressee = m;
	c->next_sender = NULL;
	c->prev_sender = m->last_sender;
	*(c->prev_sender ? &c->prev_sender->next_sender : &m->first_sender) = c;
	m->last_sender = c;
	b->post.n_parked_ends += l->fd >= 0;
	client_park(b, c);
}

/* Out of the line, with what it wanted to send. */
static struct letter *sender_unpark(struct broker *b, struct client *c)
{
	struct mailbox *m = c->addressee;
	struct letter *l = c->letter;

	*(c->prev_sender ? &c->prev_sender->next_sender : &m->first_sender) = c->next_sender;
	*(c->next_sender ? &c->next_sender->prev_sender : &m->last_sender) = c->prev_sender;
	c->letter = NULL;
	c->addressee = NULL;
	b->post.n_parked_ends -= l->fd >= 0;
	client_unpark(b, c);
	return l;
}

/* Tell a parked sender that it will not be: the end is its own again. */
static void sender_refuse(struct broker *b, struct client *c, int outcome)
{
	struct letter *l = sender_unpark(b, c);

	if (request_say(b, c, BS_REQ_SEND, outcome)) {
		letter_free(l);
	} else {
		letter_return(l);
		client_drop(b, c);
	}
}

static void mailbox_refill(struct broker *b, struct mailbox *m)
{
	while (m->first_sender && m->n_letters < MAILBOX_ROOM) {
		struct client *c = m->first_sender;

		mailbox_accept(b, m, c, sender_unpark(b, c));
	}
}

bool post_may_speak(const struct client *c)
{
	return c->mailbox || c->letter;
}

/* ---- going ---------------------------------------------------------------------------------- */

/* The name is free, and all that was sent there is over. */
static void mailbox_free(struct broker *b, struct mailbox *m)
{
	sorted_drop(&b->post.names, m->name);
	account_add(&b->accounts, m->owner->uid, QUOTA_MAILBOXES, -1);
	m->owner->mailbox = NULL;
	while (m->first_sender) {
		if (b->leaving)
			client_drop(b, m->first_sender);
		else
			sender_refuse(b, m->first_sender, ENOENT);
	}
	while (m->first)
		letter_return(mailbox_take(b, m));
	free(m);
}

void post_forget(struct broker *b, struct client *c)
{
	if (c->mailbox)
		mailbox_free(b, c->mailbox);
	if (!c->letter)
		return;
	/* When we leave, it still is its sender's, who asks the next broker. */
	if (b->leaving)
		letter_free(sender_unpark(b, c));
	else
		letter_return(sender_unpark(b, c));
}

/* ---- requests ------------------------------------------------------------------------------- */

/* Whose it is to be, as was said, or else nobody's but its owner's. 0, EINVAL, EACCES. */
static int owner_read(struct broker *b, const struct request *q, struct owner *owner)
{
	struct bs_wire_owner said = { .mode = BS_MODE_DEFAULT };

	if (q->note_len == sizeof(said))
		memcpy(&said, q->note, sizeof(said));
	if ((said.mode & ~0777u) != 0)
		return EINVAL;
	*owner = (struct owner){ q->client->uid, said.gid ? said.gid : q->client->gid, said.mode };
	return rights_check_group(b, q->client, owner->gid);
}

int serve_mailbox_open(struct broker *b, struct request *q)
{
	struct owner owner;
	struct mailbox *m;
	int r = owner_read(b, q, &owner);

	if (r != 0)
		return r;
	if (b->post.names.n >= b->limits.max_mailboxes)
		return request_over_limit(b, "mailboxes", b->limits.max_mailboxes);
	if (!client_may_stay(b))
		return request_over_limit(b, "waiting", b->limits.max_parked);
	if (q->mailbox)
		return EADDRINUSE;
	r = account_check(&b->accounts, q->client->uid, QUOTA_MAILBOXES, 1, &b->refusal);
	if (r != 0)
		return r;
	m = calloc(1, sizeof(*m));
	if (!m)
		return ENOMEM;
	snprintf(m->name, sizeof(m->name), "%s", q->question->name);
	m->last = &m->first;
	m->owner = q->client;
	m->owned_by = owner;
	r = sorted_add(&b->post.names, m->name, m);
	if (r < 0) {
		free(m);
		return -r;
	}
	q->client->mailbox = m;
	account_add(&b->accounts, q->client->uid, QUOTA_MAILBOXES, 1);
	return 0;
}

int serve_mailbox_close(struct broker *b, struct request *q)
{
	mailbox_free(b, q->client->mailbox);
	return 0;
}

int serve_send(struct broker *b, struct request *q)
{
	struct mailbox *m = q->mailbox;
	bool full = mailbox_is_full(m), has_end = q->n_fds > 0;
	struct letter *l;
	uint64_t peer_owner = 0;
	int r = has_end ? letter_check_end(*q->fds, &peer_owner) : 0;

	/* Asked behind it: who has given up may have sent the end elsewhere, and that is what it says. */
	if (client_has_left(q->client))
		return ECANCELED;
	if (r == 0 && has_end && b->system && !bs_segment_is_sealed(*q->fds))
		r = rights_refuse_unsealed(b, q->client);
	if (r == 0)
		r = account_check(&b->accounts, q->client->uid, QUOTA_MESSAGES, 1, &b->refusal);
	if (r != 0)
		return r;
	if (full && !(q->question->flags & BS_WANT_WAIT))
		return EAGAIN;
	if (full && !client_may_stay(b))
		return request_over_limit(b, "waiting", b->limits.max_parked);
	l = letter_new(has_end ? *q->fds : -1, q->note, (uint32_t)q->note_len);
	if (!l)
		return ENOMEM;
	if (has_end)
		*q->fds = -1; /* the letter's */
	l->peer_owner = peer_owner;
	l->pid = q->client->pid;
	l->uid = q->client->uid;
	if (full)
		sender_park(b, m, q->client, l);
	else
		mailbox_accept(b, m, q->client, l);
	return REQUEST_ANSWERED;
}

int serve_withdraw(struct broker *b, struct request *q)
{
	if (q->client->letter)
		sender_refuse(b, q->client, ETIMEDOUT);
	return REQUEST_ANSWERED;
}

/* The kernel does not take another end from us just now: the message stays, and the owner asks again. */
static void next_is_late(struct broker *b, struct mailbox *m)
{
	struct client *c = m->owner;

	if (request_say(b, c, BS_REQ_NEXT, EAGAIN))
		mailbox_ring(b, m);
	else
		client_drop(b, c);
}

/* The first message that is to be received, or NULL. */
static struct letter *mailbox_first(struct broker *b, struct mailbox *m)
{
	while (m->first && letter_is_void(m->first)) {
		letter_free(mailbox_take(b, m));
		mailbox_refill(b, m);
	}
	return m->first;
}

int serve_next(struct broker *b, struct request *q)
{
	struct bs_reply_message *reply = (struct bs_reply_message *)b->packet;
	struct mailbox *m = q->client->mailbox;
	struct letter *l = mailbox_first(b, m);

	m->rung = false;
	if (!l)
		return EAGAIN;
	*reply = (struct bs_reply_message){
		.more = l->next || m->first_sender,
		.pid = l->pid,
		.uid = l->uid,
	};
	memcpy(reply->note, l->note, l->note_len);
	if (!request_send(b, q->client, BS_REQ_NEXT, sizeof(*reply) + l->note_len, l->fd)) {
		next_is_late(b, m);
		return REQUEST_ANSWERED;
	}
	letter_free(mailbox_take(b, m));
	mailbox_refill(b, m);
	if (m->first)
		mailbox_ring(b, m);
	return REQUEST_ANSWERED;
}
