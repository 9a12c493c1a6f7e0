/* SPDX-License-Identifier: MIT */
/*
 * scan.h - finding the streams that an earlier broker has left.
 */
#ifndef BSTREAMD_SCAN_H
#define BSTREAMD_SCAN_H

#include "daemon/broker.h"

/* Take over every segment in the shm directory that is ours; collect what is over. 0, or a negative
 * errno of ours. */
int scan_streams(struct broker *b);

#endif
