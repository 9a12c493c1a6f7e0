/* SPDX-License-Identifier: MIT */
/*
 * serve.c - the handlers of all requests but CREATE and those of mailboxes. Each is called with a checked question, by a
 * permitted client, and with the stream it is about, if its row says that it needs one.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/request.h"
#include "daemon/watch.h"
#include "proto/end.h"
#include "proto/hint.h"
#include "proto/layout.h"

#define LOOKS_A_TURN 16 /* streams or ends that are looked at while a plain request is served */

/* Who has so many looked at with one request does not have others wait for that time after time. */
static void serve_count(struct broker *b, const struct request *q, size_t n_looks)
{
	account_take_more_turns(&b->accounts, q->client->uid, (unsigned)(n_looks / LOOKS_A_TURN));
}

/* Ends are counted until their streams are looked at again: of all some may have gone just now. */
static void serve_settle(struct broker *b, const struct request *q)
{
	size_t n_looks = b->registry.names.n;

	for (size_t i = 0; i < b->registry.names.n; i++) {
		struct stream *s = b->registry.names.items[i];

		n_looks += s->n_grants;
		registry_settle_grants(&b->registry, s);
	}
	serve_count(b, q, n_looks);
}

/* Give the client an end, if he may have one more. */
static int serve_open(struct broker *b, struct request *q,
		      int (*open_end)(struct stream *s, int *fdp))
{
	uid_t uid = q->client->uid;
	int r = account_check(&b->accounts, uid, QUOTA_ENDS, 1, &b->refusal);

	if (r != 0) {
		serve_settle(b, q);
		r = account_check(&b->accounts, uid, QUOTA_ENDS, 1, &b->refusal);
	}
	if (r == 0) {
		registry_attend(&b->registry, q->stream);
		r = open_end(q->stream, &q->reply_fd);
	}
	if (r == 0)
		registry_grant(&b->registry, q->stream, bs_end_byte(q->reply_fd), uid);
	return r;
}

int serve_open_writer(struct broker *b, struct request *q)
{
	return serve_open(b, q, stream_open_writer);
}

int serve_open_reader(struct broker *b, struct request *q)
{
	return serve_open(b, q, stream_open_reader);
}

int serve_look(struct broker *b, struct request *q)
{
	registry_attend(&b->registry, q->stream);
	return stream_open_view(q->stream, q->question->flags & BS_WANT_WRITE, &q->reply_fd);
}

int serve_remove(struct broker *b, struct request *q)
{
	registry_remove(&b->registry, q->stream);
	return 0;
}

int serve_eof(struct broker *b, struct request *q)
{
	stream_eof(q->stream);
	watch_stir(&b->registry, q->stream);
	return 0;
}

int serve_exists(struct broker *b, struct request *q)
{
	(void)b;
	(void)q;
	return 0;
}

int serve_stat(struct broker *b, struct request *q)
{
	struct bs_reply_list *reply = (struct bs_reply_list *)b->packet;

	stream_stat(q->stream, &reply->streams[0]);
	if (stream_is_ruined(q->stream))
		return EPROTO;
	reply->n_streams = 1;
	q->reply_len = sizeof(*reply) + sizeof(reply->streams[0]);
	return 0;
}

int serve_list(struct broker *b, struct request *q)
{
	struct bs_reply_list *reply = (struct bs_reply_list *)b->packet;
	const struct sorted *names = &b->registry.names;
	const char *after = q->question->name;
	size_t i = sorted_from(names, after), first = i;
	uint32_t n = 0;

	if (i < names->n && names->cmp(after, names->items[i]) == 0)
		i++;
	for (; i < names->n && n < BS_WIRE_PER_LIST; i++) {
		struct stream *s = names->items[i];
		struct owner owner = stream_owner(s);

		if (!rights_may_see(b, q->client, &owner, s->header.name))
			continue;
		stream_stat(s, &reply->streams[n]);
		if (stream_is_ruined(s))
			watch_stir(&b->registry,
				   s); /* it goes when nobody is counting on its place */
		else
			n++;
	}
	serve_count(b, q, i - first);
	reply->n_streams = n;
	q->reply_len = sizeof(*reply) + n * sizeof(reply->streams[0]);
	return 0;
}

int serve_broker(struct broker *b, struct request *q)
{
	struct bs_reply_broker *reply = (struct bs_reply_broker *)b->packet;

	*reply = (struct bs_reply_broker){
		.pid = getpid(),
		.uid = b->uid,
		.wire_version = BS_WIRE_VERSION,
		.layout_version = BS_LAYOUT_VERSION,
		.n_streams = (uint32_t)b->registry.names.n,
		.n_mailboxes = (uint32_t)b->post.names.n,
		.max_mailboxes = b->limits.max_mailboxes,
		.features = BS_FEATURES,
		.n_clients = b->n_clients,
		.max_streams = b->limits.max_streams,
		.max_clients = b->limits.max_clients,
		.bytes = b->registry.bytes,
		.uptime_ns = bs_now() - b->started_ns,
	};
	for (int i = 0; i < QUOTA_COUNT; i++)
		reply->quotas[i] = (struct bs_wire_quota){
			account_used(&b->accounts, q->client->uid, i),
			q->client->uid != 0 ? b->accounts.limits[i] : UINT64_MAX,
		};
	q->reply_len = sizeof(*reply);
	return 0;
}

int serve_stop(struct broker *b, struct request *q)
{
	int r = rights_check_master(b, q->client);

	if (r == 0)
		b->leaving = true;
	return r;
}

int serve_metrics(struct broker *b, struct request *q)
{
	int r = rights_check_master(b, q->client);

	return r == 0 ? scrape_give(b, q->client->uid, &q->reply_fd) : r;
}

int serve_rules(struct broker *b, struct request *q)
{
	struct bs_reply_text *reply = (struct bs_reply_text *)b->packet;
	size_t len = b->rules_dir ? strlen(b->rules_dir) : 0;

	if (len > PATH_MAX)
		return ENAMETOOLONG;
	if (len > 0)
		memcpy(reply->text, b->rules_dir, len);
	q->reply_len = sizeof(*reply) + len;
	return 0;
}
