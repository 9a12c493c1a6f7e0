/* SPDX-License-Identifier: MIT */
/*
 * intake.c - owns what write and open do with their files: each goes through feed.c into one
 * stream, and then the reader may be waited for.
 *
 * The write end stays the caller's, who closes it if all went well, and only then.
 */
#include "config.h"
#include "bstream.h"
#include "intake.h"
#include "outcome.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int intake_check(int n_files, char *const *files)
{
	struct stat st;

	for (int i = 0; i < n_files; i++) {
		if (!strcmp(files[i], "-"))
			continue;
		if (stat(files[i], &st) < 0 || access(files[i], R_OK) < 0)
			return outcome_fail(DOING_INPUT, files[i], -errno);
		if (S_ISDIR(st.st_mode))
			return outcome_fail(DOING_INPUT, files[i], -EISDIR);
	}
	return CODE_DONE;
}

static int intake_file(struct intake *intake, const char *path)
{
	int code, fd = STDIN_FILENO;

	if (strcmp(path, "-") != 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		progress_stop();
		return outcome_fail(DOING_INPUT, path, -errno);
	}
	code = feed_file(&intake->feed, fd, fd == STDIN_FILENO ? "stdin" : path);
	if (fd != STDIN_FILENO)
		close(fd);
	return code;
}

int intake_run(struct intake *intake, struct bstream_writer *writer, const char *name, int n_files,
	       char *const *files)
{
	int code, r;

	intake->feed = (struct feed){ .writer = writer,
				      .name = name,
				      .framing = intake->framing,
				      .timeout_ns = intake->timeout_ns,
				      .pace.rate = intake->rate };
	code = feed_init(&intake->feed);
	if (code)
		return code;
	if (n_files == 0)
		code = intake_file(intake, "-");
	for (int i = 0; i < n_files && code == CODE_DONE; i++)
		code = intake_file(intake, files[i]);
	feed_fini(&intake->feed);
	if (code || !intake->drain)
		return code;
	r = bstream_drain(writer, units_deadline(intake->timeout_ns));
	if (r == 0)
		return CODE_DONE;
	progress_stop();
	return outcome_fail(DOING_DRAIN, name, r);
}
