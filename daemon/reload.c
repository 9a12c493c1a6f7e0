/* SPDX-License-Identifier: MIT */
/*
 * reload.c - owns when files are read, and what is said of it: on standard error, and to the service
 * manager. What is in them is access.c's.
 *
 * What was wrong does not hold, and no part of it does. A broker that starts then does not: nobody would
 * know by which rules it serves. One that runs goes on by those that it has.
 */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/access.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "proto/hint.h"

void reload_place(struct broker *b, const char *named, bool system)
{
	b->rules_dir = named || !system ? named : ACCESS_DIR;
	b->rules_dir_named = named != NULL;
}

static bool rules_read(struct broker *b, const char *otherwise)
{
	char why[ACCESS_WHY_SIZE];

	if (!b->rules_dir || access_read(&b->rules, b->rules_dir, !b->rules_dir_named, why))
		return true;
	log_say(LOG_ERR, "%s%s", why, otherwise);
	return false;
}

bool reload_first(struct broker *b)
{
	return rules_read(b, "");
}

void reload(struct broker *b)
{
	char text[64];

	if (!b->rules_dir)
		return;
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, bs_now() / 1000);
	notify_say(text);
	b->rules_are_old = !rules_read(b, " (the rules stay as they were)");
	if (!b->rules_are_old)
		log_say(LOG_INFO, "%s: read again, %zu rule%s", b->rules_dir, b->rules.n,
			b->rules.n == 1 ? "" : "s");
	loop_say(b, "READY=1");
}
