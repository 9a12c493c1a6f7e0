/* SPDX-License-Identifier: MIT */
/*
 * meeting.h - where broker and clients meet: the socket's path, and the directory it is in.
 */
#ifndef BS_MEETING_H
#define BS_MEETING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define BS_SYSTEM_SOCKET "/run/bstream/broker.sock"
#define BS_SOCKET_PATH	 sizeof(((struct sockaddr_un *)0)->sun_path)

/* The socket to use: @override, else $BSTREAM_SOCKET, else the system's, else the user's. @make:
 * make the user's directory if it is missing. Checks that the user's default directory is his alone.
 * 0; -ENAMETOOLONG; -EACCES: the directory is somebody else's or open to others. */
int bs_meeting_path(char path[BS_SOCKET_PATH], const char *override, bool system, bool make);

/* Fill @addr. 0 or -ENAMETOOLONG. */
int bs_meeting_addr(struct sockaddr_un *addr, const char *path);

/* The hash that segments' file names are made of (FNV-1a, 64 bits). */
uint64_t bs_meeting_hash(const char *text);

/* "bstream.<hash of the socket's path>." : what every segment of that broker is called first. */
int bs_meeting_prefix(char *buf, size_t size, const char *socket_path);

#endif
