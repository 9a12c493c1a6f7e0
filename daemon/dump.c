/* SPDX-License-Identifier: MIT */
/*
 * dump.c - owns the words for the broker's state. It looks and changes nothing.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/closer.h"
#include "daemon/dump.h"
#include "daemon/log.h"
#include "proto/hint.h"

#define N_SHOWN 50u /* of a kind */

static void say_more(size_t n, const char *what)
{
	if (n > N_SHOWN)
		log_say(LOG_INFO, "  and %zu more %s", n - N_SHOWN, what);
}

static void dump_broker(const struct broker *b)
{
	const struct tally *t = &b->tally;
	uint64_t n = 0;

	for (int i = 0; i < BS_REQ_COUNT; i++)
		n += t->requests[i];
	log_say(LOG_INFO, "state: pid %d, uid %u, %s, up %" PRIu64 " s, at %s", (int)getpid(),
		(unsigned)b->uid, b->system ? "of all users" : "of one user",
		(bs_now() - b->started_ns) / 1000000000u, b->path);
	log_say(LOG_INFO,
		"streams: %zu of %" PRIu32 ", %" PRIu32
		" with those removed that have ends, %" PRIu64 " bytes",
		b->registry.names.n, b->limits.max_streams, b->registry.n_streams,
		b->registry.bytes);
	log_say(LOG_INFO,
		"clients: %" PRIu32 " of %" PRIu32 ", %" PRIu32 " wait; mailboxes: %zu of %" PRIu32
		"; to be closed: %zu, being closed: %zu",
		b->n_clients, b->limits.max_clients, b->n_parked, b->post.names.n,
		b->limits.max_mailboxes, closer_pending(), closer_dying());
	log_say(LOG_INFO,
		"so far: %" PRIu64 " connections, %" PRIu64 " evicted; %" PRIu64
		" requests; refused: %" PRIu64 " denied, %" PRIu64 " over quota, %" PRIu64
		" unsealed, %" PRIu64 " malformed, %" PRIu64 " of other versions",
		t->connections, t->evicted, n, t->denied, t->over_quota, t->unsealed, t->malformed,
		t->other_version);
}

static void dump_users(const struct broker *b)
{
	const struct accounts *a = &b->accounts;

	for (size_t i = 0; i < a->by_uid.n && i < N_SHOWN; i++) {
		uid_t uid = accounts_uid(a, i);

		log_say(LOG_INFO,
			"user %u: %" PRIu64 " streams, %" PRIu64 " bytes, %" PRIu64
			" ends, %" PRIu64 " mailboxes, %" PRIu64 " messages, %" PRIu64
			" connections",
			(unsigned)uid, account_used(a, uid, QUOTA_STREAMS),
			account_used(a, uid, QUOTA_BYTES), account_used(a, uid, QUOTA_ENDS),
			account_used(a, uid, QUOTA_MAILBOXES), account_used(a, uid, QUOTA_MESSAGES),
			account_used(a, uid, QUOTA_CONNECTIONS));
	}
	say_more(a->by_uid.n, "users");
}

static void dump_stream(struct stream *s)
{
	static const char *const readers[] = { "no reader", "reader parked", "reader open" };
	struct bs_wire_stat peer;

	stream_stat(s, &peer);
	if (stream_is_ruined(s)) {
		log_say(LOG_INFO, "stream %s: ruined", s->header.name);
		return;
	}
	log_say(LOG_INFO,
		"stream %s: of uid %" PRIu32 ", mode %04" PRIo32 ", %" PRIu32 "/%" PRIu32
		" chunks, %" PRIu32 " writers, %s%s%s%s%s",
		s->header.name, s->header.uid, s->header.mode & 0777u, peer.in_flight,
		peer.capacity, peer.writers, readers[peer.reader % 3],
		peer.flags & BS_STAT_ENDED ? ", ended" : "",
		peer.flags & BS_STAT_LOST ? ", a writer died" : "",
		peer.flags & BS_STAT_BROKEN ? ", broken" : "",
		s->attended && s->watch < 0 ? ", not watched" : "");
}

static void dump_streams(struct broker *b)
{
	const struct sorted *names = &b->registry.names;

	for (size_t i = 0; i < names->n && i < N_SHOWN; i++)
		dump_stream(names->items[i]);
	say_more(names->n, "streams");
}

static void dump_mailboxes(const struct broker *b)
{
	const struct sorted *names = &b->post.names;

	for (size_t i = 0; i < names->n && i < N_SHOWN; i++) {
		const struct mailbox *m = names->items[i];

		log_say(LOG_INFO,
			"mailbox %s: of uid %u (pid %d), mode %04" PRIo32 ", %" PRIu32
			" messages%s",
			m->name, (unsigned)m->owner->uid, (int)m->owner->pid, m->owned_by.mode,
			m->n_letters, m->first_sender ? ", full" : "");
	}
	say_more(names->n, "mailboxes");
}

void dump(struct broker *b)
{
	dump_broker(b);
	dump_users(b);
	dump_streams(b);
	dump_mailboxes(b);
	log_say(LOG_INFO, "end of state");
}
