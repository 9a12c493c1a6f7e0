/* SPDX-License-Identifier: MIT */
/* refused.h - what the broker said of why it refused, in words. */
#ifndef CLI_REFUSED_H
#define CLI_REFUSED_H

#include <stdbool.h>

#define REFUSED_MAX 512

/* If the broker's last refusal was @err, a negative errno, and it said why: writes that to @buf. */
bool refused_tell(char buf[REFUSED_MAX], int err);

#endif
