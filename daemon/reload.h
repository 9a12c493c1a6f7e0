/* SPDX-License-Identifier: MIT */
/* reload.h - what the broker reads from files: at its start, and again when it hears SIGHUP. */
#ifndef BSTREAMD_RELOAD_H
#define BSTREAMD_RELOAD_H

#include "daemon/broker.h"

/* Where the rules are: @named by an option (borrowed), or where those of the machine's broker are. */
void reload_place(struct broker *b, const char *named, bool system);

/* Read everything. False: it has said on standard error what is wrong, and nothing holds. */
bool reload_first(struct broker *b);

/* Read everything anew, or go on with what there is, and say which. */
void reload(struct broker *b);

#endif
