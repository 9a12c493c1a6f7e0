/* SPDX-License-Identifier: MIT */
/* color.h - whether to colour what is printed. */
#ifndef CLI_COLOR_H
#define CLI_COLOR_H

#include "verb.h"

#include <unistd.h>

/*
 * COLOR_AUTO: if @fd is a terminal that knows colours as far as its name says, and NO_COLOR is not
 * set or is empty.
 */
bool color_wanted(enum color_when when, int fd);

#endif
