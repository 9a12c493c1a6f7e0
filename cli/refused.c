/* SPDX-License-Identifier: MIT */
/*
 * refused.c - owns the words for a refusal: who asked, whose it is, which right or limit it was.
 *
 * Called for every failure; says something only where the broker did. Names are looked up here, on the
 * side of who is told: the broker knows numbers.
 */
#include "config.h"
#include "bstream.h"
#include "refused.h"
#include "who.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>

static const char *right_words(uint32_t right)
{
	switch (right) {
	case BSTREAM_RIGHT_READ:
		return "the right to read";
	case BSTREAM_RIGHT_WRITE:
		return "the right to write";
	case BSTREAM_RIGHT_OWN:
		return "ownership";
	default:
		return "the right to read or write";
	}
}

static const char *group_words(char buf[WHO_MAX], uint32_t gid)
{
	const struct group *group = getgrgid(gid);

	if (group)
		snprintf(buf, WHO_MAX, "%s", group->gr_name);
	else
		snprintf(buf, WHO_MAX, "%" PRIu32, gid);
	return buf;
}

static bool tell_right(char buf[REFUSED_MAX], const struct bstream_refusal *r)
{
	char asks[WHO_MAX], owns[WHO_MAX], group[WHO_MAX];

	if (r->right == BSTREAM_RIGHT_OWN) { /* no mode gives that to anybody */
		snprintf(
			buf, REFUSED_MAX,
			"not permitted: %s lacks ownership here, it is %s's (only the owner and root may)",
			who_user(asks, r->uid), who_user(owns, r->owner_uid));
		return true;
	}
	snprintf(buf, REFUSED_MAX,
		 "not permitted: %s lacks %s here, it is %s's, of group %s, mode %04" PRIo32
		 " (%s can make it with another --mode or --group)",
		 who_user(asks, r->uid), right_words(r->right), who_user(owns, r->owner_uid),
		 group_words(group, r->owner_gid), r->mode, owns);
	return true;
}

static bool tell_rule(char buf[REFUSED_MAX], const struct bstream_refusal *r)
{
	char asks[WHO_MAX], place[256];

	if (bstream_broker_rules(place, sizeof(place)) <= 0) /* an older one does not say */
		snprintf(place, sizeof(place), "where its rules stand");
	snprintf(buf, REFUSED_MAX,
		 "not permitted: the administrator's rules do not give %s %s "
		 "(in %s: %.15s, line %" PRIu64 ")",
		 who_user(asks, r->uid),
		 r->right == BSTREAM_RIGHT_OWN ? "the right to create it" : right_words(r->right),
		 place, r->limit_name, r->limit);
	return true;
}

static bool tell_limit(char buf[REFUSED_MAX], const struct bstream_refusal *r)
{
	char asks[WHO_MAX];

	if (r->why == BSTREAM_WHY_USER_LIMIT)
		snprintf(buf, REFUSED_MAX,
			 "over quota: %s has used up his %.15s, %" PRIu64
			 " (remove what nobody needs; bstreamctl daemon status shows the limits)",
			 who_user(asks, r->uid), r->limit_name, r->limit);
	else
		snprintf(buf, REFUSED_MAX,
			 "over quota: the broker has no more %.15s than %" PRIu64
			 " (remove what nobody needs)",
			 r->limit_name, r->limit);
	return true;
}

/* The broker would not take the stream, or we cannot. */
static bool tell_layout(char buf[REFUSED_MAX], const struct bstream_refusal *r)
{
	const char *who = r->wire_version != 0 ? "the broker" : "this bstreamctl";

	if (r->limit != 0)
		snprintf(buf, REFUSED_MAX,
			 "%s does not know the features %#" PRIx64
			 " of the stream's layout %" PRIu32 " (install the same version of both)",
			 who, r->limit, r->layout_version);
	else
		snprintf(buf, REFUSED_MAX,
			 "the stream is of layout %" PRIu32 ", %s knows layout %u (install the "
			 "same version of both)",
			 r->layout_version, who, bstream_layout_version());
	return true;
}

static bool tell_version(char buf[REFUSED_MAX], const struct bstream_refusal *r)
{
	int n = 0;

	if (r->why == BSTREAM_WHY_LAYOUT)
		return tell_layout(buf, r);
	if (r->why == BSTREAM_WHY_FEATURE && r->limit_name[0] != '\0')
		n = snprintf(buf, REFUSED_MAX, "the broker does not know the feature %.15s: it",
			     r->limit_name);
	else if (r->why == BSTREAM_WHY_FEATURE)
		n = snprintf(buf, REFUSED_MAX,
			     "the broker does not know the features %#" PRIx64 ": it", r->limit);
	else
		n = snprintf(buf, REFUSED_MAX, "the broker");
	snprintf(buf + n, REFUSED_MAX - (size_t)n,
		 " speaks wire %" PRIu32 " and layout %" PRIu32
		 ", this bstreamctl wire %u and layout %u (install the same version of both)",
		 r->wire_version, r->layout_version, bstream_wire_version(),
		 bstream_layout_version());
	return true;
}

bool refused_tell(char buf[REFUSED_MAX], int err)
{
	struct bstream_refusal r = { .size = sizeof(r) };
	char asks[WHO_MAX], group[WHO_MAX];

	if (bstream_refusal(&r) < 0 || r.error != err)
		return false;
	if (err == -EPROTONOSUPPORT)
		return tell_version(buf, &r);
	switch (r.why) {
	case BSTREAM_WHY_RIGHT:
		return tell_right(buf, &r);
	case BSTREAM_WHY_GROUP:
		snprintf(buf, REFUSED_MAX, "not permitted: %s does not belong to the group %s",
			 who_user(asks, r.uid), group_words(group, r.owner_gid));
		return true;
	case BSTREAM_WHY_RULE:
		return tell_rule(buf, &r);
	case BSTREAM_WHY_USER_LIMIT:
	case BSTREAM_WHY_BROKER_LIMIT:
		return tell_limit(buf, &r);
	default:
		return false;
	}
}
