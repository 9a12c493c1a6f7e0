/* SPDX-License-Identifier: MIT */
/*
 * access.h - the files in which the administrator's rules stand, /etc/bstream/access.d/NAME.conf: who may
 * have written them, and what may be in them. bstreamd(8) has it in words.
 */
#ifndef BSTREAMD_ACCESS_H
#define BSTREAMD_ACCESS_H

#include <limits.h>
#include <stdbool.h>

#include "daemon/rules.h"

#define ACCESS_DIR	"/etc/bstream/access.d"
#define ACCESS_WHY_SIZE (PATH_MAX + 512)

/*
 * Read all rules in @dir. False: something is wrong with them, @why says what and where in one line,
 * and @rules are as they were; else what they were is freed. @optional: that there is no such directory is not
 * wrong, there are no rules then.
 */
bool access_read(struct rules *rules, const char *dir, bool optional, char why[ACCESS_WHY_SIZE]);

#endif
