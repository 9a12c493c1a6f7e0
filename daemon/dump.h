/* SPDX-License-Identifier: MIT */
/*
 * dump.h - the broker's state for people to read, on standard error: SIGUSR1.
 */
#ifndef BSTREAMD_DUMP_H
#define BSTREAMD_DUMP_H

struct broker;

/* Say all of it, a line each; of streams, mailboxes and users the first few. */
void dump(struct broker *b);

#endif
