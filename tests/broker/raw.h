/* SPDX-License-Identifier: MIT */
/*
 * raw.h - a client of the broker that is not the library: it says on the socket what the test wants
 * said. And brokers that a test starts by hand. For the tests in this folder, in guard.h's frame.
 */
#ifndef RAW_H
#define RAW_H

#include "proto/packet.h"
#include "proto/wire.h"
#include "tests/guard.h"

/* Where this test's broker is. */
const char *raw_socket_path(void);

/* A connection that waits ten seconds for a reply, no longer. */
int raw_connect(void);

/* A request as the library makes it. */
struct bs_req_name raw_question(uint16_t type, const char *name, uint32_t flags);

/* Send bytes and descriptors, as they are. True: the broker's side took them. */
bool raw_send(int conn, const void *bytes, size_t len, const int *fds, size_t n_fds);

/* The next reply's result; -ENOTCONN: the broker has hung up instead. @fdp may be NULL. */
int raw_result(int conn, int *fdp);

/* Ask on a connection of its own. */
int raw_ask(uint16_t type, const char *name, uint32_t flags, int *fdp);

/* CREATE with this descriptor. */
int raw_create(const char *name, int fd);

/* RESTORE with this descriptor. */
int raw_restore(const char *name, int fd);

/* A fresh segment of this name, as bstream_create makes it. The descriptor. */
int raw_segment(const char *name);
int raw_sealed_segment(const char *name);

/* A socket whose last close() takes an hour: the other side reads nothing. */
int raw_lingering(int *other_side);

/* The running broker's pid; it must be there. */
pid_t raw_broker_pid(void);

/* bstreamd by hand, our child. Returns when it serves. */
pid_t raw_broker_start(const char *option, const char *value);

/* SIGKILL the broker and wait until it is no more. */
void raw_broker_kill(void);

/* SIGSTOP it and wait until it has stopped; it need not be our child. */
void raw_broker_stop(pid_t pid);

/* Wait until the process has ended, ours or not. False: not within that time. */
bool raw_await_end(int pidfd, int ms);

/* Use up all descriptors but @spare; and give them back. */
struct raw_famine {
	int fds[64];
	int n;
};

void raw_famine_begin(struct raw_famine *f, int spare);
void raw_famine_end(struct raw_famine *f);

/* Close 0, 1 and 2; and have them back. Nothing may fail in between: it could not say so. */
void raw_standard_away(int saved[3]);
void raw_standard_back(const int saved[3]);

/* What the segment itself says, as nobody has it made say by asking: by a view of @name. */
struct raw_view {
	int fd;
	struct bs_segment *g;
};

void raw_view_open(struct raw_view *v, const char *name);
void raw_view_close(struct raw_view *v);

#endif
