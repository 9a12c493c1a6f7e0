/* SPDX-License-Identifier: MIT */
/*
 * verb_daemon.c - owns the verb daemon: starts, stops and shows the broker.
 *
 * Starting and stopping say nothing unless asked to (-v): their exit code is the answer.
 */
#include "config.h"
#include "bstream.h"
#include "json_line.h"
#include "outcome.h"
#include "say.h"
#include "units.h"
#include "verb.h"
#include "who.h"

#include <inttypes.h>
#include <string.h>

#define ABOUT "broker"
#define FIELD "%-12s"

static int daemon_start(const struct globals *globals)
{
	int r = bstream_broker_start();

	(void)globals;
	if (r < 0)
		return outcome_fail(DOING_ASK, ABOUT, r);
	say_note(ABOUT, r == 0 ? "started" : "was running already");
	return CODE_DONE;
}

static int daemon_stop(const struct globals *globals)
{
	int r = bstream_broker_stop();

	(void)globals;
	if (r < 0)
		return outcome_fail(DOING_ASK, ABOUT, r);
	say_note(ABOUT, "stopped");
	return CODE_DONE;
}

static const char *const quota_names[BSTREAM_QUOTAS] = {
	"streams", "bytes", "ends", "mailboxes", "messages", "connections",
};

/* What the one who asks has and may have, where there are limits. */
static void quotas_print(const struct bstream_broker_stat *stat)
{
	for (unsigned i = 0; i < BSTREAM_QUOTAS; i++) {
		const struct bstream_quota *q = &stat->quotas[i];

		if (q->limit != UINT64_MAX)
			printf(FIELD "%s, %" PRIu64 " of %" PRIu64 "\n", "yours", quota_names[i],
			       q->used, q->limit);
	}
}

static void quotas_print_json(struct json_line *line, const struct bstream_broker_stat *stat)
{
	char key[32];

	for (unsigned i = 0; i < BSTREAM_QUOTAS; i++) {
		snprintf(key, sizeof(key), "used_%s", quota_names[i]);
		json_line_number(line, key, stat->quotas[i].used);
		snprintf(key, sizeof(key), "quota_%s", quota_names[i]);
		json_line_number(line, key, stat->quotas[i].limit); /* none: -1 */
	}
}

static void status_print(const struct bstream_broker_stat *stat)
{
	char text[WHO_MAX], size[UNITS_MAX];

	printf(FIELD "%" PRId32 "\n", "pid", stat->pid);
	printf(FIELD "%s\n", "user", who_user(text, stat->uid));
	printf(FIELD "wire %" PRIu32 ", layout %" PRIu32 ", features %#" PRIx64 "\n", "versions",
	       stat->wire_version, stat->layout_version, stat->features);
	printf(FIELD "%" PRIu32 " of %" PRIu32 ", %s\n", "streams", stat->streams,
	       stat->max_streams, units_print_size(size, stat->bytes));
	printf(FIELD "%" PRIu32 " of %" PRIu32 "\n", "clients", stat->clients, stat->max_clients);
	printf(FIELD "%" PRIu32 " of %" PRIu32 "\n", "mailboxes", stat->mailboxes,
	       stat->max_mailboxes);
	quotas_print(stat);
	printf(FIELD "%s\n", "up", units_print_time(size, stat->uptime_ns));
}

static void status_print_json(const struct bstream_broker_stat *stat)
{
	struct json_line *line = json_line_new();

	json_line_number(line, "pid", (uint64_t)(int64_t)stat->pid);
	json_line_number(line, "uid", stat->uid);
	json_line_number(line, "wire_version", stat->wire_version);
	json_line_number(line, "layout_version", stat->layout_version);
	json_line_number(line, "streams", stat->streams);
	json_line_number(line, "clients", stat->clients);
	json_line_number(line, "max_streams", stat->max_streams);
	json_line_number(line, "max_clients", stat->max_clients);
	json_line_number(line, "mailboxes", stat->mailboxes);
	json_line_number(line, "max_mailboxes", stat->max_mailboxes);
	json_line_number(line, "bytes", stat->bytes);
	json_line_number(line, "uptime_ns", stat->uptime_ns);
	json_line_number(line, "features", stat->features);
	quotas_print_json(line, stat);
	json_line_print(line, stdout);
}

static int daemon_status(const struct globals *globals)
{
	struct bstream_broker_stat stat = { .size = sizeof(stat) };
	int r = bstream_broker_stat(&stat);

	if (r < 0)
		return outcome_fail(DOING_ASK, ABOUT, r);
	if (globals->json)
		status_print_json(&stat);
	else
		status_print(&stat);
	return CODE_DONE;
}

static int daemon_run(const struct call *call)
{
	static const struct {
		const char *word;
		int (*run)(const struct globals *globals);
	} words[] = {
		{ "start", daemon_start },
		{ "stop", daemon_stop },
		{ "status", daemon_status },
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(call->operands[0], words[i].word))
			return words[i].run(call->globals);
	return say_usage(call->operands[0], "not something to do with the broker "
					    "(start, stop or status)");
}

const struct verb verb_daemon = {
	.name = "daemon",
	.args = "start|stop|status",
	.help = "the user's broker; status without one is exit 4",
	.notes = "stop returns when the broker has gone. Streams that flow go on; those that wait\n"
		 "are found again by the next broker.",
	.examples = { "bstreamctl daemon status", "bstreamctl daemon stop" },
	.operands = OPERANDS_WORD,
	.run = daemon_run,
};
