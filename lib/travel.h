/* SPDX-License-Identifier: MIT */
/*
 * travel.h - the two steps with which a read end sets out and, if it could not be sent, comes back.
 * For whoever sends one: travel.c and send.c.
 */
#ifndef BS_TRAVEL_H
#define BS_TRAVEL_H

#include "lib/handle.h"

/* Say in the line that it travels, before its descriptor goes anywhere. What the line says then. */
uint64_t bs_reader_set_out(struct bstream_reader *r);

/* It was not sent: take it back, by the swap that a receiver would use. @travelling: what setting out
 * gave. False: a receiver was faster, so it has been sent after all. */
bool bs_reader_come_back(struct bstream_reader *r, uint64_t travelling);

#endif
