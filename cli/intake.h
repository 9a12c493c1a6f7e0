/* SPDX-License-Identifier: MIT */
/* intake.h - stdin, or files one after the other, into an open write end. */
#ifndef CLI_INTAKE_H
#define CLI_INTAKE_H

#include "feed.h"
#include "options.h"
#include "progress.h"

/* Filled by the options but for @feed. */
struct intake {
	struct framing framing;
	bool drain;
	int64_t timeout_ns;
	uint64_t rate;
	enum progress_form progress;
	struct feed feed;
};

/* The rows, with @i, a struct intake of static storage, as their target. @waits: what time runs for. */
#define INTAKE_OPTIONS(i, waits)                                                               \
	FRAMING_OPTION_IN((i).framing),                                                        \
		{ .name = "timeout",                                                           \
		  .kind = OPTION_TIME,                                                         \
		  .arg = "T",                                                                  \
		  .to = &(i).timeout_ns,                                                       \
		  .help = "give up a wait for " waits ", for room or for --drain: exit 124" }, \
		{ .name = "drain",                                                             \
		  .to = &(i).drain,                                                            \
		  .help = "return when the reader has taken all" },                            \
		{ .name = "rate",                                                              \
		  .kind = OPTION_SIZE,                                                         \
		  .arg = "SIZE",                                                               \
		  .to = &(i).rate,                                                             \
		  .help = "so many bytes a second at most" },                                  \
		PROGRESS_OPTION((i).progress)

/* Finds a file that cannot be read before a stream is made for it. Returns 0 or an exit code. */
int intake_check(int n_files, char *const *files);

/*
 * Writes all files (none: stdin) into @writer, and with drain waits for the reader. @name is for
 * messages. Returns 0, or an exit code whose reason has been said; then the stream must end as died.
 */
int intake_run(struct intake *intake, struct bstream_writer *writer, const char *name, int n_files,
	       char *const *files);

#endif
