/* SPDX-License-Identifier: MIT */
/*
 * print_contracts.c - prints every offset, size and number of proto/layout.h ("layout") or
 * proto/wire.h ("wire"). tests/golden/contracts.sh compares that with the golden files: a change
 * there is a change of what two processes of different versions tell each other.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/layout.h"
#include "proto/wire.h"

#define NUMBER(name) printf("%-32s %#" PRIx64 "\n", #name, (uint64_t)(name))
#define SIZE(type)   printf("\n%-32s %5zu bytes\n", #type, sizeof(struct type))
#define FIELD(type, field) \
	print_field(#field, offsetof(struct type, field), sizeof(((struct type *)0)->field))
#define TAIL(type, field) printf("    %-28s %5zu ...\n", #field, offsetof(struct type, field))

static void print_field(const char *name, size_t at, size_t size)
{
	printf("    %-28s %5zu %5zu\n", name, at, size);
}

static void body_sizes(void)
{
	static const uint32_t sizes[] = BS_BODY_SIZES;

	printf("%-32s", "BS_BODY_SIZES");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		printf(" %u", sizes[i]);
	printf("\n");
}

static void layout_numbers(void)
{
	printf("%-32s \"%s\"\n", "BS_LAYOUT_MAGIC", BS_LAYOUT_MAGIC);
	NUMBER(BS_LAYOUT_VERSION);
	NUMBER(BS_CACHE_LINE);
	NUMBER(BS_PAGE);
	NUMBER(BS_NAME_SIZE);
	NUMBER(BS_CAPACITY_LIMIT);
	NUMBER(BS_CHUNK_MAX_LIMIT);
	NUMBER(BS_MAX_WRITERS_LIMIT);
	NUMBER(BS_SEGMENT_LIMIT);
	NUMBER(BS_BYTE_BROKER);
	NUMBER(BS_BYTE_READER);
	NUMBER(BS_BYTE_WRITERS);
	NUMBER(BS_FLAG_SEALED);
	NUMBER(BS_FLAG_FENCES);
	NUMBER(BS_FLAG_KNOWN);
	NUMBER(BS_KEEP_READER);
	NUMBER(BS_KEEP_WRITERS);
	NUMBER(BS_SLOT_INLINE);
	NUMBER(BS_BODY_CLASSES);
	body_sizes();
	NUMBER(BS_BODY_SKEW);
	NUMBER(BS_SLOT_SKIP);
	NUMBER(BS_SLOT_MARKS);
	NUMBER(BS_SLOT_CLASS_AT);
	NUMBER(BS_WAITS_NOT);
	NUMBER(BS_WAITS_ITEMS);
	NUMBER(BS_WAITS_ROOM);
	NUMBER(BS_WAITS_DRAIN);
}

static void layout_words(void)
{
	NUMBER(BS_W_ATTACHED);
	NUMBER(BS_W_ENDED);
	NUMBER(BS_W_LOST);
	NUMBER(BS_W_KEPT);
	NUMBER(BS_W_REMOVED);
	NUMBER(BS_R_STATE);
	NUMBER(BS_R_PARKED);
	NUMBER(BS_R_OPEN);
	NUMBER(BS_R_BROKEN);
	NUMBER(BS_R_KEPT);
	NUMBER(BS_R_END_SEEN);
	NUMBER(BS_WORD_STEP);
	NUMBER(BS_SHARED_NO);
	NUMBER(BS_SHARED_SWITCHING);
	NUMBER(BS_SHARED_DONE);
	NUMBER(BS_END_STATE);
	NUMBER(BS_END_FREE);
	NUMBER(BS_END_ATTACHED);
	NUMBER(BS_END_TRAVELLING);
	NUMBER(BS_END_STEP);
	NUMBER(BS_INTENT_MORE_AT);
	NUMBER(BS_INTENT_MOST);
}

static void layout_header(void)
{
	SIZE(bs_header);
	FIELD(bs_header, magic);
	FIELD(bs_header, version);
	FIELD(bs_header, flags);
	FIELD(bs_header, capacity);
	FIELD(bs_header, chunk_max);
	FIELD(bs_header, max_writers);
	FIELD(bs_header, keep);
	FIELD(bs_header, size);
	FIELD(bs_header, created_ns);
	FIELD(bs_header, mode);
	FIELD(bs_header, uid);
	FIELD(bs_header, gid);
	FIELD(bs_header, creator_pid);
	FIELD(bs_header, name);
	FIELD(bs_header, home);
}

static void layout_lines(void)
{
	SIZE(bs_verdicts);
	FIELD(bs_verdicts, writers);
	FIELD(bs_verdicts, reader);
	FIELD(bs_verdicts, shared);
	SIZE(bs_tail);
	FIELD(bs_tail, count);
	FIELD(bs_tail, hungry);
	SIZE(bs_head);
	FIELD(bs_head, count);
	FIELD(bs_head, fencing);
	SIZE(bs_items);
	FIELD(bs_items, wake_at);
	FIELD(bs_items, poll);
	FIELD(bs_items, gen);
	FIELD(bs_items, sem);
	SIZE(bs_space);
	FIELD(bs_space, wake_at);
	FIELD(bs_space, watch_at);
	FIELD(bs_space, poll);
	FIELD(bs_space, watch_gen);
	FIELD(bs_space, sem);
	FIELD(bs_space, sleepers);
	FIELD(bs_space, gen);
	SIZE(bs_totals);
	FIELD(bs_totals, chunks);
	FIELD(bs_totals, bytes);
	FIELD(bs_totals, waits);
	FIELD(bs_totals, last_pid);
}

static void layout_ends(void)
{
	SIZE(bs_reader_line);
	FIELD(bs_reader_line, owner);
	FIELD(bs_reader_line, pid);
	FIELD(bs_reader_line, uid);
	FIELD(bs_reader_line, chunks);
	FIELD(bs_reader_line, bytes);
	FIELD(bs_reader_line, abandoned);
	FIELD(bs_reader_line, waits);
	FIELD(bs_reader_line, waits_for);
	FIELD(bs_reader_line, waits_since_ns);
	FIELD(bs_reader_line, skipped);
	SIZE(bs_writer_line);
	FIELD(bs_writer_line, owner);
	FIELD(bs_writer_line, intent);
	FIELD(bs_writer_line, inside);
	FIELD(bs_writer_line, pid);
	FIELD(bs_writer_line, chunks);
	FIELD(bs_writer_line, bytes);
	FIELD(bs_writer_line, waits);
	FIELD(bs_writer_line, waits_for);
	FIELD(bs_writer_line, waits_since_ns);
	FIELD(bs_writer_line, uid);
	FIELD(bs_writer_line, fencing);
}

static void layout_segment(void)
{
	SIZE(bs_segment);
	FIELD(bs_segment, header);
	FIELD(bs_segment, verdicts);
	FIELD(bs_segment, tail);
	FIELD(bs_segment, head);
	FIELD(bs_segment, reader);
	FIELD(bs_segment, items);
	FIELD(bs_segment, space);
	FIELD(bs_segment, totals);
	FIELD(bs_segment, reserved);
	TAIL(bs_segment, writers);
	SIZE(bs_slot);
	FIELD(bs_slot, seq);
	FIELD(bs_slot, len);
	FIELD(bs_slot, flags);
	FIELD(bs_slot, bytes);
}

static void wire_numbers(void)
{
	NUMBER(BS_WIRE_MAGIC);
	NUMBER(BS_WIRE_VERSION);
	NUMBER(BS_WIRE_OLDEST);
	NUMBER(BS_WIRE_1_LAST);
	NUMBER(BS_WIRE_1_BROKER);
	NUMBER(BS_WIRE_NAME);
	NUMBER(BS_WIRE_PACKET);
	NUMBER(BS_WIRE_PER_LIST);
	NUMBER(BS_WIRE_NOTE);
	NUMBER(BS_REQ_NONE);
	NUMBER(BS_REQ_CREATE);
	NUMBER(BS_REQ_OPEN_WRITER);
	NUMBER(BS_REQ_OPEN_READER);
	NUMBER(BS_REQ_REMOVE);
	NUMBER(BS_REQ_EOF);
	NUMBER(BS_REQ_EXISTS);
	NUMBER(BS_REQ_LOOK);
	NUMBER(BS_REQ_STAT);
	NUMBER(BS_REQ_LIST);
	NUMBER(BS_REQ_BROKER);
	NUMBER(BS_REQ_STOP);
	NUMBER(BS_REQ_RESTORE);
	NUMBER(BS_REQ_MAILBOX_OPEN);
	NUMBER(BS_REQ_MAILBOX_EXISTS);
	NUMBER(BS_REQ_SEND);
	NUMBER(BS_REQ_WITHDRAW);
	NUMBER(BS_REQ_NEXT);
	NUMBER(BS_REQ_MAILBOX_CLOSE);
	NUMBER(BS_REQ_BELL);
	NUMBER(BS_REQ_METRICS);
	NUMBER(BS_REQ_RULES);
	NUMBER(BS_REQ_COUNT);
	NUMBER(BS_WHY_RIGHT);
	NUMBER(BS_WHY_GROUP);
	NUMBER(BS_WHY_RULE);
	NUMBER(BS_WHY_USER);
	NUMBER(BS_WHY_BROKER);
	NUMBER(BS_WHY_UNSEALED);
	NUMBER(BS_WHY_FEATURE);
	NUMBER(BS_WHY_LAYOUT);
	NUMBER(BS_RIGHT_OWN);
	NUMBER(BS_RIGHT_WRITE);
	NUMBER(BS_RIGHT_READ);
	NUMBER(BS_FEATURE_OWNER);
	NUMBER(BS_FEATURE_RULES);
	NUMBER(BS_FEATURES);
	NUMBER(BS_WANT_WAIT);
	NUMBER(BS_WANT_WRITE);
	NUMBER(BS_STAT_READER_NONE);
	NUMBER(BS_STAT_READER_PARKED);
	NUMBER(BS_STAT_READER_OPEN);
	NUMBER(BS_STAT_ENDED);
	NUMBER(BS_STAT_BROKEN);
	NUMBER(BS_STAT_LOST);
	NUMBER(BS_STAT_REMOVED);
}

static void wire_requests(void)
{
	SIZE(bs_wire_head);
	FIELD(bs_wire_head, magic);
	FIELD(bs_wire_head, version);
	FIELD(bs_wire_head, type);
	FIELD(bs_wire_head, size);
	FIELD(bs_wire_head, layout);
	FIELD(bs_wire_head, needs);
	SIZE(bs_req_name);
	FIELD(bs_req_name, head);
	FIELD(bs_req_name, flags);
	FIELD(bs_req_name, name);
	SIZE(bs_wire_owner);
	FIELD(bs_wire_owner, mode);
	FIELD(bs_wire_owner, gid);
	SIZE(bs_req_mailbox);
	FIELD(bs_req_mailbox, name);
	FIELD(bs_req_mailbox, owner);
	SIZE(bs_req_send);
	FIELD(bs_req_send, to);
	TAIL(bs_req_send, note);
	SIZE(bs_req_create);
	FIELD(bs_req_create, head);
	FIELD(bs_req_create, name);
}

static void wire_stat(void)
{
	SIZE(bs_wire_stat);
	FIELD(bs_wire_stat, name);
	FIELD(bs_wire_stat, capacity);
	FIELD(bs_wire_stat, chunk_max);
	FIELD(bs_wire_stat, max_writers);
	FIELD(bs_wire_stat, keep);
	FIELD(bs_wire_stat, mode);
	FIELD(bs_wire_stat, uid);
	FIELD(bs_wire_stat, gid);
	FIELD(bs_wire_stat, in_flight);
	FIELD(bs_wire_stat, writers);
	FIELD(bs_wire_stat, reader);
	FIELD(bs_wire_stat, flags);
	FIELD(bs_wire_stat, reader_pid);
	FIELD(bs_wire_stat, writer_pid);
	FIELD(bs_wire_stat, chunks_written);
	FIELD(bs_wire_stat, chunks_read);
	FIELD(bs_wire_stat, chunks_abandoned);
	FIELD(bs_wire_stat, bytes_written);
	FIELD(bs_wire_stat, bytes_read);
	FIELD(bs_wire_stat, writer_waits);
	FIELD(bs_wire_stat, reader_waits);
	FIELD(bs_wire_stat, created_ns);
}

static void wire_replies(void)
{
	SIZE(bs_reply);
	FIELD(bs_reply, head);
	FIELD(bs_reply, result);
	FIELD(bs_reply, spare);
	SIZE(bs_reply_text);
	FIELD(bs_reply_text, head);
	FIELD(bs_reply_text, result);
	FIELD(bs_reply_text, spare);
	TAIL(bs_reply_text, text);
	SIZE(bs_reply_message);
	FIELD(bs_reply_message, head);
	FIELD(bs_reply_message, result);
	FIELD(bs_reply_message, more);
	FIELD(bs_reply_message, pid);
	FIELD(bs_reply_message, uid);
	TAIL(bs_reply_message, note);
	SIZE(bs_refusal);
	FIELD(bs_refusal, why);
	FIELD(bs_refusal, right);
	FIELD(bs_refusal, uid);
	FIELD(bs_refusal, owner_uid);
	FIELD(bs_refusal, owner_gid);
	FIELD(bs_refusal, mode);
	FIELD(bs_refusal, limit);
	FIELD(bs_refusal, limit_name);
	SIZE(bs_reply_refusal);
	FIELD(bs_reply_refusal, reply);
	FIELD(bs_reply_refusal, refusal);
	SIZE(bs_reply_list);
	FIELD(bs_reply_list, head);
	FIELD(bs_reply_list, result);
	FIELD(bs_reply_list, n_streams);
	TAIL(bs_reply_list, streams);
	NUMBER(BS_WIRE_QUOTAS);
	SIZE(bs_wire_quota);
	FIELD(bs_wire_quota, used);
	FIELD(bs_wire_quota, limit);
	SIZE(bs_reply_broker);
	FIELD(bs_reply_broker, head);
	FIELD(bs_reply_broker, result);
	FIELD(bs_reply_broker, pid);
	FIELD(bs_reply_broker, uid);
	FIELD(bs_reply_broker, wire_version);
	FIELD(bs_reply_broker, layout_version);
	FIELD(bs_reply_broker, n_streams);
	FIELD(bs_reply_broker, n_clients);
	FIELD(bs_reply_broker, max_streams);
	FIELD(bs_reply_broker, max_clients);
	FIELD(bs_reply_broker, n_mailboxes);
	FIELD(bs_reply_broker, bytes);
	FIELD(bs_reply_broker, uptime_ns);
	FIELD(bs_reply_broker, max_mailboxes);
	FIELD(bs_reply_broker, features);
	FIELD(bs_reply_broker, quotas);
}

int main(int argc, char **argv)
{
	puts("# SPDX-License-Identifier: MIT");
	if (argc == 2 && strcmp(argv[1], "layout") == 0) {
		puts("# proto/layout.h: numbers, then field, offset, bytes\n");
		layout_numbers();
		layout_words();
		layout_header();
		layout_lines();
		layout_ends();
		layout_segment();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "wire") == 0) {
		puts("# proto/wire.h: numbers, then field, offset, bytes\n");
		wire_numbers();
		wire_requests();
		wire_stat();
		wire_replies();
		return 0;
	}
	fprintf(stderr, "usage: print_contracts layout|wire\n");
	return 2;
}
