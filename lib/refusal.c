/* SPDX-License-Identifier: MIT */
/*
 * refusal.c - owns, for each thread, what the broker told of its last refusal. It is told, not acted
 * on: figures and a name to be shown to people.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bstream.h"
#include "lib/refusal.h"

static_assert(BSTREAM_WHY_RIGHT == BS_WHY_RIGHT && BSTREAM_WHY_GROUP == BS_WHY_GROUP &&
		      BSTREAM_WHY_RULE == BS_WHY_RULE && BSTREAM_WHY_USER_LIMIT == BS_WHY_USER &&
		      BSTREAM_WHY_BROKER_LIMIT == BS_WHY_BROKER &&
		      BSTREAM_WHY_UNSEALED == BS_WHY_UNSEALED &&
		      BSTREAM_WHY_FEATURE == BS_WHY_FEATURE && BSTREAM_WHY_LAYOUT == BS_WHY_LAYOUT,
	      "same numbers on the wire");
static_assert(BSTREAM_RIGHT_OWN == BS_RIGHT_OWN && BSTREAM_RIGHT_WRITE == BS_RIGHT_WRITE &&
		      BSTREAM_RIGHT_READ == BS_RIGHT_READ,
	      "same bits on the wire");

static _Thread_local struct bstream_refusal last;

void bs_refusal_clear(void)
{
	last = (struct bstream_refusal){ 0 };
}

/* What people call it. */
static const char *feature_name(uint64_t bits)
{
	if (bits & BS_FEATURE_OWNER)
		return "mailbox-mode";
	return bits & BS_FEATURE_RULES ? "rules-place" : "";
}

/* A broker of our versions that knows of no features tells one that is needed from another layout as
 * little as it says what is missing: then it is all of them. */
static bool lacks_features(const struct bs_wire_head *request)
{
	return last.error == -EPROTONOSUPPORT && last.why == 0 && request->needs != 0 &&
	       last.wire_version == BS_WIRE_VERSION && last.layout_version == BS_LAYOUT_VERSION;
}

/* What stands in a refusal. */
static void refusal_copy(const struct bs_refusal *r)
{
	last.why = r->why;
	last.right = r->right;
	last.uid = r->uid;
	last.owner_uid = r->owner_uid;
	last.owner_gid = r->owner_gid;
	last.mode = r->mode;
	last.limit = r->limit;
	memcpy(last.limit_name, r->limit_name, sizeof(last.limit_name) - 1);
}

void bs_refusal_note(const struct bs_reply *peer_reply, size_t len,
		     const struct bs_wire_head *request)
{

	if (len < sizeof(*peer_reply))
		return;
	last = (struct bstream_refusal){
		.error = peer_reply->head.version == BS_WIRE_VERSION ? peer_reply->result
								     : -EPROTONOSUPPORT,
		.wire_version = peer_reply->head.version,
		.layout_version = peer_reply->head.layout,
	};
	if (len == sizeof(struct bs_reply_refusal) && last.error < 0)
		refusal_copy(&((const struct bs_reply_refusal *)peer_reply)->refusal);
	if (lacks_features(request)) {
		last.why = BS_WHY_FEATURE;
		last.limit = request->needs;
	}
	if (last.why == BS_WHY_FEATURE)
		snprintf(last.limit_name, sizeof(last.limit_name), "%s", feature_name(last.limit));
}

int bs_refusal_layout(int rc, const struct bs_header *peer_header)
{
	if (rc == -EPROTONOSUPPORT)
		last = (struct bstream_refusal){
			.error = rc,
			.why = BS_WHY_LAYOUT,
			.layout_version = peer_header->version,
			.limit = peer_header->version == BS_LAYOUT_VERSION
					 ? peer_header->flags & ~BS_FLAG_KNOWN
					 : 0,
		};
	return rc;
}

int bstream_refusal(struct bstream_refusal *refusal)
{
	size_t size = refusal->size;

	if (size < sizeof(*refusal))
		return -EINVAL;
	if (last.error == 0)
		return -ENOENT;
	*refusal = last;
	refusal->size = size;
	return 0;
}
