/* SPDX-License-Identifier: MIT */
/*
 * refusal.c - owns, for each thread, what the broker told of its last refusal. It is told, not acted
 * on: figures and a name to be shown to people.
 */
#include <errno.h>
#include <string.h>

#include "bstream.h"
#include "lib/refusal.h"

static_assert(BSTREAM_WHY_RIGHT == BS_WHY_RIGHT && BSTREAM_WHY_GROUP == BS_WHY_GROUP &&
		      BSTREAM_WHY_RULE == BS_WHY_RULE && BSTREAM_WHY_USER_LIMIT == BS_WHY_USER &&
		      BSTREAM_WHY_BROKER_LIMIT == BS_WHY_BROKER &&
		      BSTREAM_WHY_UNSEALED == BS_WHY_UNSEALED,
	      "same numbers on the wire");
static_assert(BSTREAM_RIGHT_OWN == BS_RIGHT_OWN && BSTREAM_RIGHT_WRITE == BS_RIGHT_WRITE &&
		      BSTREAM_RIGHT_READ == BS_RIGHT_READ,
	      "same bits on the wire");

static _Thread_local struct bstream_refusal last;

void bs_refusal_clear(void)
{
	last = (struct bstream_refusal){ 0 };
}

void bs_refusal_note(const struct bs_reply *peer_reply, size_t len)
{
	const struct bs_refusal *r = &((const struct bs_reply_refusal *)peer_reply)->refusal;

	if (len < sizeof(*peer_reply))
		return;
	last = (struct bstream_refusal){
		.error = peer_reply->head.version == BS_WIRE_VERSION ? peer_reply->result
								     : -EPROTONOSUPPORT,
		.wire_version = peer_reply->head.version,
		.layout_version = peer_reply->head.layout,
	};
	if (len != sizeof(struct bs_reply_refusal) || last.error >= 0)
		return;
	last.why = r->why;
	last.right = r->right;
	last.uid = r->uid;
	last.owner_uid = r->owner_uid;
	last.owner_gid = r->owner_gid;
	last.mode = r->mode;
	last.limit = r->limit;
	memcpy(last.limit_name, r->limit_name, sizeof(last.limit_name) - 1);
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
