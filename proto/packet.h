/* SPDX-License-Identifier: MIT */
/*
 * packet.h - one packet with its fds, over a Unix socket, each way. Every fd that arrives is
 * close-on-exec, not 0, 1 or 2, and is either handed out or closed here; none is lost in a truncated
 * message, nor where several processes read one socket.
 */
#ifndef BS_PACKET_H
#define BS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What one packet may carry, by the kernel's law. */
#define BS_PACKET_FDS 253

struct bs_packet_fds {
	size_t n;
	int fds[BS_PACKET_FDS];
};

/* Send @len bytes and, unless @fd is -1, the descriptor, which stays the caller's. @flags: MSG_*.
 * 0 or a negative errno; ETOOMANYREFS is -EAGAIN. Never raises SIGPIPE. */
int bs_packet_send(int socket, const void *buf, size_t len, int fd, int flags);

/* The same with @n descriptors, up to BS_PACKET_FDS. */
int bs_packet_send_all(int socket, const void *buf, size_t len, const int *fds, size_t n,
		       int flags);

/* Receive one packet into @buf. @fdp (NULL: none is expected) receives the descriptor or -1; with
 * no descriptor free the packet stays in the queue and the result is -EMFILE. Returns the length;
 * 0: the peer closed; -EMSGSIZE: longer than @size; -EPROTO: more fds than one, or one too many. */
ssize_t bs_packet_recv(int socket, void *buf, size_t size, int *fdp, int flags);

/* The same, for who has to be careful how he closes what strangers send: all descriptors are the
 * caller's, whatever the result. -EMSGSIZE: the packet was longer than @size and is gone. -EAGAIN may
 * also mean that another process took it. */
ssize_t bs_packet_recv_all(int socket, void *buf, size_t size, struct bs_packet_fds *got,
			   int flags);

/* The same with one system call, not waiting, for who can do without the packet: when not all of its
 * descriptors can be had it is lost, and the result -EMFILE. They are as they come, perhaps below 3. */
ssize_t bs_packet_take(int socket, void *buf, size_t size, struct bs_packet_fds *got);

/* Likewise, not waiting, from a socket that others may be reading, too: any process, with this function
 * or another. -EMFILE: there is not room for two descriptors, and the packet stays; one that has more
 * than one goes, and is -EPROTO or gives what it had. 0: an empty packet, which is taken, or the peer
 * has closed. */
ssize_t bs_packet_recv_shared(int socket, void *buf, size_t size, struct bs_packet_fds *got);

/* Copies of the next packet's descriptors, which stays; does not wait. -EMFILE: not all of them have come. */
ssize_t bs_packet_copy(int socket, struct bs_packet_fds *got);

/* Look at the next packet and leave it, and its descriptors, where they are; does not wait. @socket must
 * have SO_PASSCRED: by that an empty packet differs from none, and there is no room for descriptors.
 * Returns the length, or -EMSGSIZE if it is longer than @size, and *@ladenp: has it descriptors? -ENOTCONN:
 * there will be no more; -EAGAIN; other errors. */
ssize_t bs_packet_look(int socket, void *buf, size_t size, bool *ladenp);

/* Take the next packet, which has no descriptors, and throw it away. */
void bs_packet_skip(int socket);

/* Move a descriptor below 3 out of the way of the standard ones. The descriptor or a negative errno,
 * and then @fd is closed. */
int bs_packet_raise(int fd);

#endif
