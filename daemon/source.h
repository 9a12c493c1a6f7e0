/* SPDX-License-Identifier: MIT */
/*
 * source.h - something the loop waits for.
 */
#ifndef BSTREAMD_SOURCE_H
#define BSTREAMD_SOURCE_H

#include <stdint.h>

struct broker;

/* Embedded; the loop borrows it while its descriptor is in epoll. */
struct source {
	/* 0, or a negative errno that ends the broker. */
	int (*on_event)(struct broker *b, struct source *source, uint32_t events);
	int fd;
};

#endif
