/* SPDX-License-Identifier: MIT */
/*
 * mail.c - scenes of mailboxes: opened and closed, sent to, received from, connected to. The parent is at
 * the other side, and a broker of their own in between. The ring of the stream whose read end goes
 * through has come round, it is full, and a writer is blocked.
 *
 * What must hold: the end has exactly one owner, who finds the first chunk that was not released; or it
 * is gone, and every writer is told. What the sender was told is queued is there. The name of a mailbox
 * whose owner is dead is free. The broker needs a moment to hear of a death: the judges give it that.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stage.h"

#define BOX "box"

static unsigned char chunk_one[CHUNK_LIMIT];
static struct bstream_mailbox *box; /* its owner's: the parent's, or a victim's */
static uint32_t n_clients; /* of the broker, before the victim's first step */

void act_prepare(struct stage *st)
{
	chunk_make(chunk_one, st->scene->len, 1);
}

/* ---- before --------------------------------------------------------------------------------- */

static uint32_t clients(void)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };

	return bstream_broker_stat(&stat) == 0 ? stat.clients : 0;
}

static bool patience_lasts(uint64_t until)
{
	sched_yield();
	return bstream_after_ms(0) < until;
}

static void close_box(void)
{
	bstream_mailbox_close(box);
	box = NULL;
}

/* As soon as the broker knows that the last owner is dead. */
static int box_open(void)
{
	uint64_t until = bstream_after_ms(PATIENCE_MS);
	int rc;

	close_box(); /* of a scene that was measured only */
	do
		rc = bstream_mailbox_open(BOX, &box);
	while (rc == -EADDRINUSE && patience_lasts(until));
	return rc;
}

static void open_box(struct stage *st)
{
	EXPECT(box_open(), 0);
	n_clients = clients();
}

static void owner_opens(struct stage *st, bool other)
{
	if (other == (st->scene->other != NULL))
		open_box(st);
}

static void send_to_victim(struct stage *st)
{
	EXPECT(bstream_send(BOX, "note", 4, st->reader, BSTREAM_DONT_WAIT), 0);
	st->reader = NULL;
}

/* ---- acts ----------------------------------------------------------------------------------- */

static void act_send(struct stage *st, void *end)
{
	release_one(st, end);
	EXPECT(bstream_send(BOX, "note", 4, end, BSTREAM_DONT_WAIT), 0);
	atomic_store(&st->record->closed, 1);
}

static void pass_on(struct stage *st, const struct bstream_message *m)
{
	release_one(st, m->reader);
	EXPECT(bstream_reader_send(st->socket[1], m->reader), 0);
}

static void act_recv(struct stage *st, void *none)
{
	struct bstream_message m;

	(void)none;
	EXPECT(bstream_mailbox_recv(box, &m, BSTREAM_FOREVER), 0);
	pass_on(st, &m);
}

/* The second victim, at whose mailbox there may be nothing yet. */
static void other_recv(struct stage *st)
{
	struct bstream_message m;
	int rc = bstream_mailbox_recv(box, &m, BSTREAM_DONT_WAIT);

	if (rc == -EAGAIN)
		return;
	EXPECT(rc, 0);
	EXPECT(bstream_reader_send(st->socket[1], m.reader), 0);
}

static void act_close(struct stage *st, void *none)
{
	(void)none;
	bstream_mailbox_close(box);
	atomic_store(&st->record->closed, 1);
}

static void act_open_close(struct stage *st, void *none)
{
	EXPECT(bstream_mailbox_open(BOX, &box), 0);
	act_close(st, none);
}

static void act_connect(struct stage *st, void *none)
{
	struct bstream_writer *w;

	(void)none;
	EXPECT(bstream_connect(BOX, "note", 4, NULL, BSTREAM_DONT_WAIT, &w), 0);
	atomic_store(&st->record->begun, 1);
	EXPECT(bstream_write(w, chunk_one, st->scene->len, BSTREAM_DONT_WAIT), 0);
	atomic_store(&st->record->done, 1);
	atomic_store(&st->record->closing, 1);
	bstream_writer_close(w);
	atomic_store(&st->record->closed, 1);
}

/* ---- judges --------------------------------------------------------------------------------- */

/* The broker has the end to close, when it has heard. */
static const char *judge_gone_soon(struct stage *st)
{
	uint64_t until = bstream_after_ms(PATIENCE_MS);
	struct bstream_stat stat = { .size = sizeof(stat) };

	do
		bstream_writer_stat(st->writer, &stat);
	while ((stat.flags & BSTREAM_BROKEN) == 0 && patience_lasts(until));
	return judge_gone(st);
}

/* When the broker has done with the victim: what lies in the parent's mailbox. */
static int hear(struct bstream_message *m)
{
	uint64_t until = bstream_after_ms(PATIENCE_MS);

	while (clients() > n_clients && patience_lasts(until))
		;
	return bstream_mailbox_recv(box, m, BSTREAM_DONT_WAIT);
}

static const char *judge_message(struct stage *st)
{
	bool queued = atomic_load(&st->record->closed) != 0;
	struct bstream_message m;
	int rc = hear(&m);

	if (rc == -EAGAIN)
		return queued ? WRONG("what was sent is not there") : judge_gone_soon(st);
	if (rc != 0 || m.reader == NULL || m.len != 4 || memcmp(m.note, "note", 4) != 0)
		return WRONG("recv says %d", rc);
	st->reader = m.reader;
	return judge_owner(st);
}

static const char *judge_sent(struct stage *st)
{
	const char *bad = judge_message(st);

	close_box();
	return bad;
}

/* Nobody is there any more: the name can be had, and works. */
static const char *judge_name(void)
{
	struct bstream_message m;
	int rc = box_open();

	if (rc != 0)
		return WRONG("mailbox_open says %d", rc);
	rc = bstream_send(BOX, "again", 5, NULL, BSTREAM_DONT_WAIT);
	if (rc == 0)
		rc = bstream_mailbox_recv(box, &m, bstream_after_ms(PATIENCE_MS));
	bool good = rc == 0 && m.len == 5 && m.reader == NULL && memcmp(m.note, "again", 5) == 0;
	close_box();
	return good ? NULL : WRONG("in the next mailbox there is %d", rc);
}

/* On its way through the socket behind the mailbox, or gone. */
static const char *judge_received(struct stage *st)
{
	int rc = bstream_reader_recv(st->socket[0], &st->reader);
	const char *bad;

	if (rc < 0 && rc != -EAGAIN)
		return WRONG("recv says %d", rc);
	bad = rc == 0 ? judge_owner(st) : judge_gone_soon(st);
	return bad != NULL ? bad : judge_name();
}

static const char *judge_closed(struct stage *st)
{
	const char *bad = judge_gone_soon(st);

	return bad != NULL ? bad : judge_name();
}

static const char *judge_opened(struct stage *st)
{
	(void)st;
	return judge_name();
}

/* What came of a connection: chunks from none to all, and the right end behind them. */
static const char *judge_connection(struct stage *st)
{
	uint64_t begun = atomic_load(&st->record->begun), done = atomic_load(&st->record->done);
	struct bstream_message m;
	uint64_t n = 0, id;
	int rc = hear(&m);

	if (rc == -EAGAIN)
		return begun != 0 ? WRONG("what was sent is not there") : NULL;
	if (rc != 0 || m.reader == NULL)
		return WRONG("recv says %d", rc);
	bstream_reader_close(st->reader);
	st->reader = m.reader;
	while ((rc = read_id(st, &id)) == 1)
		n++;
	if (n < done || n > begun)
		return WRONG("%llu chunks read", (unsigned long long)n);
	if (rc == -ECONNRESET && atomic_load(&st->record->closed) == 0)
		return NULL;
	return rc == 0 && atomic_load(&st->record->closing) != 0 ? NULL
								 : WRONG("the end is %d", rc);
}

static const char *judge_connected(struct stage *st)
{
	const char *bad = judge_connection(st);

	close_box();
	return bad;
}

/* ---- the scenes ----------------------------------------------------------------------------- */

#define BUSY \
	.capacity = 4, .passed = 13, .filled = 4, .len = 64, .blocked = true, .victim_reads = true
#define NONE .capacity = 1, .len = 64, .from_name = true

/* clang-format off */
const struct scene scenes[] = {
	{ .name = "a reader is sent to a mailbox", BUSY,
	  .ready = open_box, .act = act_send, .judge = judge_sent },
	{ .name = "a reader is received from a mailbox and sent on", BUSY, .from_mailbox = true,
	  .prepare = owner_opens, .ready = send_to_victim, .act = act_recv, .judge = judge_received },
	{ .name = "a reader is sent to and received from a mailbox", BUSY,
	  .prepare = owner_opens, .act = act_send, .other = other_recv, .judge = judge_received },
	{ .name = "a mailbox with a reader in it is closed", BUSY, .from_mailbox = true,
	  .prepare = owner_opens, .ready = send_to_victim, .act = act_close, .judge = judge_closed },
	{ .name = "a mailbox is opened and closed", NONE,
	  .act = act_open_close, .judge = judge_opened },
	{ .name = "a stream is opened to a mailbox", NONE,
	  .ready = open_box, .act = act_connect, .judge = judge_connected },
};
/* clang-format on */
const unsigned n_scenes = sizeof(scenes) / sizeof(scenes[0]);

const char *scenes_begin(void)
{
	return broker_begin();
}

unsigned scenes_end(void)
{
	return broker_end();
}
