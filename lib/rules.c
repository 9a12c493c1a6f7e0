/* SPDX-License-Identifier: MIT */
/*
 * rules.c - where the rules stand that a broker goes by. It is asked for after a refusal, to be told with
 * it, so that this leaves what is noted of that as it is, unless it is refused itself.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "bstream.h"
#include "lib/broker.h"
#include "lib/choice.h"
#include "lib/link.h"
#include "proto/hint.h"

int bstream_broker_rules(char *buf, size_t size)
{
	struct bs_wire_head ask = bs_broker_head(BS_REQ_RULES, sizeof(ask));
	uint64_t until = bs_now() + BS_BROKER_ROUND_NS;
	union {
		struct bs_reply reply;
		struct bs_reply_text text;
		char room[sizeof(struct bs_reply_text) + PATH_MAX];
	} packet;
	size_t len = sizeof(packet);
	__attribute__((cleanup(bs_link_closep))) int link = bs_choice_connect(false, until, NULL);

	if (link < 0)
		return link;
	ask.needs = BS_FEATURE_RULES;
	int rc = bs_broker_say(link, &ask, sizeof(ask), -1);
	if (rc == 0)
		rc = bs_broker_await(link, until);
	if (rc == 0)
		rc = bs_broker_hear(link, BS_REQ_RULES, &packet.reply, &len, NULL);
	if (rc != 0)
		return rc == BS_BROKER_GONE ? -ECONNREFUSED : rc;
	len -= sizeof(packet.text);
	if (size > 0)
		snprintf(buf, size, "%.*s", (int)len, packet.text.text);
	return (int)len;
}
