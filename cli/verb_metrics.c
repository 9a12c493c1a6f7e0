/* SPDX-License-Identifier: MIT */
/*
 * verb_metrics.c - owns the verb metrics: the broker's OpenMetrics text on stdout, whole or not at
 * all well: text that was cut off does not end with "# EOF", and is a failure.
 */
#include "config.h"
#include "bstream.h"
#include "outcome.h"
#include "say.h"
#include "verb.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ABOUT "broker"
#define LAST  "# EOF\n"

/* Keep the last bytes of all that has come. */
static void tail_note(char tail[sizeof(LAST)], const char *buf, size_t n)
{
	size_t room = sizeof(LAST) - 1, keep = n < room ? n : room;

	memmove(tail, tail + keep, room - keep);
	memcpy(tail + room - keep, buf + n - keep, keep);
}

static int metrics_copy(int fd)
{
	char buf[16384], tail[sizeof(LAST)] = "";

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return outcome_fail(DOING_ASK, ABOUT,
					    errno == EAGAIN ? -ETIMEDOUT : -errno);
		if (n == 0)
			break;
		fwrite(buf, 1, (size_t)n, stdout);
		tail_note(tail, buf, (size_t)n);
	}
	if (!memcmp(tail, LAST, sizeof(LAST) - 1))
		return CODE_DONE;
	say_failure(ABOUT, "the text was cut off (too many asked at once: ask again)");
	return CODE_FAILURE;
}

static int metrics_run(const struct call *call)
{
	int fd, r = bstream_broker_metrics(&fd);

	(void)call;
	if (r < 0)
		return outcome_fail(DOING_ASK, ABOUT, r);
	r = metrics_copy(fd);
	close(fd);
	return r;
}

const struct verb verb_metrics = {
	.name = "metrics",
	.args = "",
	.help = "figures of the broker and its streams, as OpenMetrics text",
	.notes =
		"bstreamd(8) says what each means. With --system only root may ask; bstreamd --metrics\n"
		"tells the same on a socket of its own, by HTTP.",
	.examples = { "bstreamctl metrics", "bstreamctl metrics | grep stalled" },
	.operands = OPERANDS_NONE,
	.run = metrics_run,
};
