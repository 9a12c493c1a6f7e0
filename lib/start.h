/* SPDX-License-Identifier: MIT */
/*
 * start.h - reaching a broker, and starting one where there is none.
 */
#ifndef BS_START_H
#define BS_START_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Connect to the broker at @path. If there is none and @may_start, start one: of any number who try
 * at once, one does. @startedp (may be NULL) is set to whether this call did.
 *
 * Returns a link (link.h); -ECONNREFUSED: none, or none could be started; -ETIMEDOUT: it takes no
 * connections and @until has passed; -EACCES; -EPROTO: what listens there is no broker.
 */
int bs_start_connect(const char *path, bool may_start, uint64_t until, bool *startedp);

/* Which file would be executed: with a slash its path, without to be looked for in PATH. */
void bs_start_find(char found[PATH_MAX]);

#endif
