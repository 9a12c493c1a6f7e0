/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - sealed streams across the death of their broker, where a service manager keeps
 * descriptors for us (notify.h). Elsewhere these do nothing.
 */
#ifndef BSTREAMD_KEEPER_H
#define BSTREAMD_KEEPER_H

#include "daemon/broker.h"

/* Is this the name of a descriptor that was kept for us? */
bool keeper_knows(const char *fd_name);

/* A descriptor that was kept, taken: its stream is ours again, or forgotten. 0, or a negative errno of
 * ours. */
int keeper_take_back(struct broker *b, const char *fd_name, int fd);

/* A sealed stream has got its name: to be kept until keeper_drop(). */
void keeper_put(struct stream *s);

/* Its name goes. */
void keeper_drop(struct stream *s);

#endif
