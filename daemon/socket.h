/* SPDX-License-Identifier: MIT */
/*
 * socket.h - the listening socket: got, kept an eye on, and taken away again.
 */
#ifndef BSTREAMD_SOCKET_H
#define BSTREAMD_SOCKET_H

#include "daemon/broker.h"
#include "proto/meeting.h"

/*
 * Be the broker at @path. @inherited: a socket that listens there already, or -1: make one. Sets
 * listener.fd, path, dir and what else belongs to it. 0; -EADDRINUSE: another broker is there;
 * -ENOTSOCK: what was inherited is no such socket; other negative errnos.
 */
int socket_open(struct broker *b, const char *path, int inherited);

/* Does @fd listen for clients? Where, then. */
bool socket_is_listening(int fd, char path[BS_SOCKET_PATH]);

/* Watch, by the broker's inotify, that the socket stays where it is. */
void socket_watch(struct broker *b);

/* If nobody can find us any more, leave: the next broker has the streams. */
void socket_check(struct broker *b);

/* Take the socket away, if it is still ours, and close it. */
void socket_close(struct broker *b);

#endif
