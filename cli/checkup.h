/* SPDX-License-Identifier: MIT */
/* checkup.h - what doctor looks at, and what it says about it. */
#ifndef CLI_CHECKUP_H
#define CLI_CHECKUP_H

#include "bstream.h"

#include <stdbool.h>

struct globals;

struct checkup {
	const struct globals *globals; /* borrowed */
	unsigned n_problems;
	int place_err; /* why place is not known, or 0 */
	struct bstream_broker_place place;
	bool running; /* a broker answered */
};

/* Each looks at one thing and calls one of the two below, once or more. */
void checkup_runtime(struct checkup *checkup);
void checkup_socket(struct checkup *checkup);
void checkup_broker(struct checkup *checkup);
void checkup_daemon(struct checkup *checkup);
void checkup_shm(struct checkup *checkup);
void checkup_kernel(struct checkup *checkup);
void checkup_inotify(struct checkup *checkup);
void checkup_descriptors(struct checkup *checkup);
void checkup_leftovers(struct checkup *checkup);

/* "@about: ... (@advice)": something is wrong. */
void checkup_problem(struct checkup *checkup, const char *check, const char *about,
		     const char *advice, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* Nothing is wrong with it; told under -v only. */
void checkup_fine(struct checkup *checkup, const char *check, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
