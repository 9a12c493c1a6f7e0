/* SPDX-License-Identifier: MIT */
/*
 * wire.h - the bytes on the broker's socket: every packet, and nothing else.
 *
 * SOCK_SEQPACKET; one request is one packet with the fds it carries, one reply likewise. A client
 * makes a connection for a request, reads the reply and closes it; a request that may wait keeps its
 * connection open until the reply comes or the client hangs up. Who asks is known from SO_PEERCRED.
 * Integers are in the machine's byte order: both ends are on one machine.
 *
 * With its reply the broker hangs up, too, so that nothing more can be asked; but not after STOP, a SEND,
 * a WITHDRAW, and what a mailbox is asked for.
 *
 * A mailbox is the connection on which it was opened: it is there until that hangs up. While messages
 * wait for it there is one BELL in its socket, so that it is readable. Its owner takes the BELL out,
 * asks for the NEXT message, and finds another BELL behind the reply if there are more. A SEND has
 * exactly one reply: 0 and the message is queued, or an error and it never will be. WITHDRAW asks for
 * that reply at once (-ETIMEDOUT: not queued); it may cross it, and has none of its own.
 *
 * A packet that is no request of this wire is answered with -EPROTO (-EPROTONOSUPPORT: another
 * version, or a feature that is needed and not known), if it has a head with our magic, and costs the
 * connection. The head's first six bytes stay what they are in every version.
 *
 * What is added without a new version is a feature, a bit of BS_FEATURES: who makes use of one says so
 * in the head, so that an older broker refuses that request, and no other.
 *
 * All of a packet that is not a field is zero and is checked to be. A golden file pins the layout.
 */
#ifndef BS_WIRE_H
#define BS_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define BS_WIRE_MAGIC	 0x72747362u /* "bstr" */
#define BS_WIRE_VERSION	 2u
#define BS_WIRE_OLDEST	 1u /* the oldest version that a broker serves */
#define BS_WIRE_NAME	 204u /* BSTREAM_NAME_MAX, the NUL, and up to a multiple of 4 */
#define BS_WIRE_PACKET	 65536u /* bytes in the largest packet */
#define BS_WIRE_PER_LIST 128u /* streams in one LIST reply, at most */
#define BS_WIRE_NOTE	 4096u /* bytes in the longest note: BSTREAM_NOTE_MAX */

enum bs_request {
	BS_REQ_NONE, /* in a reply: to the connection itself, which is refused */
	BS_REQ_CREATE = 1, /* bs_req_create + 1 fd: the segment, nameless or under a private name */
	BS_REQ_OPEN_WRITER, /* bs_req_name -> bs_reply + 1 fd: a write end, its byte locked */
	BS_REQ_OPEN_READER, /* bs_req_name -> bs_reply + 1 fd: the read end, its byte locked */
	BS_REQ_REMOVE, /* bs_req_name -> bs_reply */
	BS_REQ_EOF, /* bs_req_name -> bs_reply */
	BS_REQ_EXISTS, /* bs_req_name -> bs_reply, when the name exists */
	BS_REQ_LOOK, /* bs_req_name -> bs_reply + 1 fd: the segment, no end, to look at */
	BS_REQ_STAT, /* bs_req_name -> bs_reply_list with one stream */
	BS_REQ_LIST, /* bs_req_name: the streams after that name -> bs_reply_list */
	BS_REQ_BROKER, /* bs_wire_head -> bs_reply_broker */
	BS_REQ_STOP, /* bs_wire_head -> bs_reply, then the broker leaves */
	BS_REQ_RESTORE, /* bs_req_create + 1 fd: a sealed stream in use, whose broker has gone */
	BS_REQ_MAILBOX_OPEN, /* bs_req_name or _mailbox -> bs_reply; it is that connection from then on */
	BS_REQ_MAILBOX_EXISTS, /* bs_req_name -> bs_reply, when a mailbox of that name is open */
	BS_REQ_SEND, /* bs_req_send + 0 or 1 fd: a read end -> bs_reply, when the message is queued */
	BS_REQ_WITHDRAW, /* bs_wire_head, after a SEND: has it answered, one way or the other */
	BS_REQ_NEXT, /* bs_wire_head, by a mailbox that heard the bell -> bs_reply_message + 0 or 1 fd */
	BS_REQ_MAILBOX_CLOSE, /* bs_wire_head -> bs_reply: the name is free, what was queued is gone */
	BS_REQ_BELL, /* bs_reply, from the broker, unasked: there are messages */
	BS_REQ_METRICS, /* bs_wire_head -> bs_reply + 1 fd: a socket, OpenMetrics text comes out of it */
	BS_REQ_RULES, /* bs_wire_head, needs BS_FEATURE_RULES -> bs_reply_text: where the rules stand */
	BS_REQ_COUNT,
};

struct bs_wire_head {
	uint32_t magic;
	uint16_t version; /* wire version of the sender */
	uint16_t type; /* enum bs_request; in a reply, the request's */
	uint32_t size; /* of the whole packet */
	uint16_t layout; /* layout version of the sender */
	uint16_t
		needs; /* BS_FEATURE_* that this request makes use of; 0 in a reply, and in version 1 */
};

/* bs_wire_head.needs, bs_reply_broker.features */
#define BS_FEATURE_OWNER 0x1u /* MAILBOX_OPEN says mode and group: bs_req_mailbox */
#define BS_FEATURE_RULES 0x2u /* there is RULES */
#define BS_FEATURES	 0x3u /* those that are known here */

/* flags */
#define BS_WANT_WAIT  0x1u /* wait for the name to exist; SEND: for room in the mailbox */
#define BS_WANT_WRITE 0x2u /* LOOK for writing: to sleep in the segment (bstream_wait) */

struct bs_req_name {
	struct bs_wire_head head;
	uint32_t flags;
	char name[BS_WIRE_NAME]; /* NUL-terminated; LIST: "" for the first */
};

struct bs_wire_owner {
	uint32_t mode; /* who may send: those who have w, as of a stream */
	uint32_t gid; /* the group that mode speaks of; 0: the asker's own */
};

struct bs_req_mailbox { /* needs BS_FEATURE_OWNER; a bs_req_name alone is 0600 and 0 */
	struct bs_req_name name;
	struct bs_wire_owner owner;
};

struct bs_req_send {
	struct bs_req_name to;
	char note[]; /* the rest of the packet */
};

struct bs_req_create {
	struct bs_wire_head head;
	char name[BS_WIRE_NAME]; /* all else stands in the segment's header */
};

struct bs_reply {
	struct bs_wire_head head;
	int32_t result; /* 0 or a negative errno */
	uint32_t spare;
};

struct bs_reply_text {
	struct bs_wire_head head;
	int32_t result;
	uint32_t spare;
	char text[]; /* the rest of the packet; no NUL */
};

struct bs_reply_message {
	struct bs_wire_head head;
	int32_t result;
	uint32_t more; /* not 0: there are others behind it, and a bell follows */
	int32_t pid; /* who sent it, as the kernel said to the broker */
	uint32_t uid;
	char note[]; /* the rest of the packet */
};

/* bs_refusal.why */
#define BS_WHY_RIGHT	1u /* @uid has not the @right to what is @owner_uid's */
#define BS_WHY_GROUP	2u /* @uid does not belong to @owner_gid */
#define BS_WHY_RULE	3u /* the rules, in file limit_name, line @limit, do not give @uid the @right */
#define BS_WHY_USER	4u /* @uid has as many as one user may have: @limit */
#define BS_WHY_BROKER	5u /* there are as many as there may be: @limit */
#define BS_WHY_UNSEALED 6u /* this broker takes sealed streams only */
#define BS_WHY_FEATURE	7u /* what the head needs is not known here: bits @limit */
#define BS_WHY_LAYOUT	8u /* flags of the segment's layout are not known here: bits @limit */

/* bs_refusal.right, bits; one of them would have been enough */
#define BS_RIGHT_OWN   1u /* of a rule: to create it */
#define BS_RIGHT_WRITE 2u
#define BS_RIGHT_READ  4u

/* More about a result of -EACCES, -EDQUOT, -EOPNOTSUPP or -EPROTONOSUPPORT. */
struct bs_refusal {
	uint32_t why, right;
	uint32_t uid; /* who asked */
	uint32_t owner_uid, owner_gid, mode;
	uint64_t limit;
	char limit_name[16]; /* NUL-terminated */
};

struct bs_reply_refusal { /* in place of any reply */
	struct bs_reply reply;
	struct bs_refusal refusal;
};

/* bs_wire_stat.reader and .flags; the same numbers as in bstream.h, which the library asserts */
#define BS_STAT_READER_NONE   0u
#define BS_STAT_READER_PARKED 1u
#define BS_STAT_READER_OPEN   2u
#define BS_STAT_ENDED	      0x100u
#define BS_STAT_BROKEN	      0x200u
#define BS_STAT_LOST	      0x400u
#define BS_STAT_REMOVED	      0x800u

struct bs_wire_stat {
	char name[BS_WIRE_NAME];
	uint32_t capacity, chunk_max, max_writers, keep, mode, uid, gid;
	uint32_t in_flight, writers, reader, flags;
	int32_t reader_pid, writer_pid;
	uint64_t chunks_written, chunks_read, chunks_abandoned, bytes_written, bytes_read;
	uint64_t writer_waits, reader_waits, created_ns;
};

struct bs_reply_list {
	struct bs_wire_head head;
	int32_t result;
	uint32_t n_streams; /* 0: no more */
	struct bs_wire_stat streams[];
};

#define BS_WIRE_QUOTAS 6u /* streams, bytes, ends, mailboxes, messages, connections */

struct bs_wire_quota { /* of the user who asks */
	uint64_t used, limit; /* a limit of all ones: none */
};

struct bs_reply_broker {
	struct bs_wire_head head;
	int32_t result;
	int32_t pid;
	uint32_t uid;
	uint32_t wire_version, layout_version;
	uint32_t n_streams, n_clients, max_streams, max_clients;
	uint32_t n_mailboxes;
	uint64_t bytes, uptime_ns;
	uint32_t max_mailboxes;
	uint32_t features; /* BS_FEATURES of the broker */
	struct bs_wire_quota quotas[BS_WIRE_QUOTAS];
};

/*
 * Version 1 knew neither mailboxes nor refusals nor quotas: its requests end with RESTORE, a result
 * other than 0 is a bare bs_reply, and the last word of its bs_reply_broker is zero.
 */
#define BS_WIRE_1_LAST	 12u
#define BS_WIRE_1_BROKER 72u

static_assert(BS_WIRE_1_LAST == BS_REQ_RESTORE, "wire 1");
static_assert(BS_WIRE_1_BROKER == offsetof(struct bs_reply_broker, max_mailboxes), "wire 1");
static_assert(sizeof(struct bs_wire_head) == 16, "wire");
static_assert(sizeof(struct bs_req_name) == 224, "wire");
static_assert(sizeof(struct bs_req_mailbox) == 232, "wire");
static_assert(sizeof(struct bs_req_create) == 220, "wire");
static_assert(sizeof(struct bs_reply) == 24, "wire");
static_assert(sizeof(struct bs_reply_text) == sizeof(struct bs_reply), "a text follows the result");
static_assert(sizeof(struct bs_reply_refusal) == 72, "wire");
static_assert(sizeof(struct bs_wire_stat) == 320, "wire");
static_assert(offsetof(struct bs_wire_stat, chunks_written) == 256, "wire");
static_assert(offsetof(struct bs_reply_list, streams) == 24, "wire");
static_assert(sizeof(struct bs_reply_broker) == 176, "wire");
static_assert(sizeof(struct bs_req_send) == sizeof(struct bs_req_name), "a note follows the name");
static_assert(sizeof(struct bs_reply_message) == 32, "wire");
static_assert(sizeof(struct bs_reply_list) + BS_WIRE_PER_LIST * sizeof(struct bs_wire_stat) <=
		      BS_WIRE_PACKET,
	      "a list fits a packet");

#endif
