/* SPDX-License-Identifier: MIT */
/*
 * meeting.h - where broker and clients meet: the socket's path, the directory it is in, and how a
 * socket gets there without a moment in which there is half of one.
 */
#ifndef BS_MEETING_H
#define BS_MEETING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define BS_SYSTEM_SOCKET "/run/bstream/broker.sock"
/* How many may wait to be let in. No more than are let in within a millisecond or so: others may keep the queue full.
 * Whoever finds it so sleeps until there is room (lib/start.c), and many of those cost nothing. */
#define BS_BACKLOG	 32

#define BS_SOCKET_PATH sizeof(((struct sockaddr_un *)0)->sun_path)

/* The socket to use: @override, else $BSTREAM_SOCKET, else the system's, else the user's. @make:
 * make the user's directory if it is missing. Checks that the user's default directory is his alone.
 * 0; -ENAMETOOLONG; -EACCES: the directory is somebody else's or open to others, or not to be made. */
int bs_meeting_path(char path[BS_SOCKET_PATH], const char *override, bool system, bool make);

/* Fill @addr. 0 or -ENAMETOOLONG. */
int bs_meeting_addr(struct sockaddr_un *addr, const char *path);

/* The directory that the socket at @path is in. */
void bs_meeting_dirname(char dir[BS_SOCKET_PATH], const char *path);

/* Lock the directory, open as @dir: whoever puts a socket there or takes one away holds it. It goes
 * with the description, too. 0; -EAGAIN: another has it; else the file system cannot lock. */
int bs_meeting_trylock(int dir);
void bs_meeting_unlock(int dir);

/* Make @socket the listening socket at @path, of this mode less the umask, in place of whatever is
 * there: it appears at once and ready. The caller holds the lock. 0 or a negative errno. */
int bs_meeting_listen(int socket, const char *path, mode_t mode);

/* The hash that segments' file names are made of (FNV-1a, 64 bits). */
uint64_t bs_meeting_hash(const char *text);

/* "bstream.<hash of the socket's path>." : what every segment of that broker is called first. */
int bs_meeting_prefix(char *buf, size_t size, const char *socket_path);

#endif
