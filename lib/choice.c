/* SPDX-License-Identifier: MIT */
/*
 * choice.c - owns the choice of broker: the process's own, or what the environment and the meeting
 * place say. A choice may change at any time; whoever asks gets the last.
 */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bstream.h"
#include "lib/choice.h"
#include "lib/start.h"
#include "proto/meeting.h"
#include "proto/segment.h"

struct choice { /* never changed, never freed: another thread may be reading it */
	struct choice *before;
	uint32_t flags;
	bool named;
	char socket[BS_SOCKET_PATH];
};

static _Atomic(struct choice *) choice;

int bstream_broker_use(const char *socket, uint32_t flags)
{
	struct choice *c;

	if ((flags & ~(BSTREAM_SYSTEM | BSTREAM_NO_START)) != 0 || (socket && !socket[0]))
		return -EINVAL;
	if (socket && strlen(socket) > BS_SOCKET_PATH - 2)
		return -ENAMETOOLONG;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->flags = flags;
	c->named = socket != NULL;
	snprintf(c->socket, sizeof(c->socket), "%s", socket ? socket : "");
	c->before = atomic_load(&choice);
	while (!atomic_compare_exchange_weak(&choice, &c->before, c))
		;
	return 0;
}

bool bs_choice_may_start(void)
{
	struct choice *c = atomic_load(&choice);

	return !c || c->flags == 0;
}

bool bs_choice_is_system(void)
{
	struct choice *c = atomic_load(&choice);

	return c && (c->flags & BSTREAM_SYSTEM) != 0;
}

static int choice_path(char path[BS_SOCKET_PATH], bool make)
{
	struct choice *c = atomic_load(&choice);

	return bs_meeting_path(path, c && c->named ? c->socket : NULL, bs_choice_is_system(), make);
}

int bs_choice_connect(bool may_start, uint64_t until, bool *startedp)
{
	char path[BS_SOCKET_PATH];
	int r = choice_path(path, may_start);

	return r < 0 ? r : bs_start_connect(path, may_start, until, startedp);
}

int bstream_broker_place(struct bstream_broker_place *place)
{
	char path[BS_SOCKET_PATH], prefix[64], daemon[PATH_MAX];
	int r;

	if (!place || place->size != sizeof(*place))
		return -EINVAL;
	r = choice_path(path, false);
	if (r < 0)
		return r;
	*place = (struct bstream_broker_place){ .size = sizeof(*place) };
	snprintf(place->socket, sizeof(place->socket), "%s", path);
	bs_meeting_prefix(prefix, sizeof(prefix), path);
	snprintf(place->segments, sizeof(place->segments), BS_SHM_DIR "/%.48s", prefix);
	bs_start_find(daemon);
	if (strlen(daemon) < sizeof(place->daemon))
		memcpy(place->daemon, daemon, strlen(daemon) + 1);
	return 0;
}
