/* SPDX-License-Identifier: MIT */
/*
 * end.h - ends as the kernel counts them: one open file description, one locked byte, and the
 * file offset set to it.
 *
 * Nobody takes a lock to ask: bs_end_held() uses F_OFD_GETLK, which does not see the locks of the
 * description that asks. A lock is given back explicitly on a clean close; a process that dies
 * gives it back with its last descriptor and mapping.
 */
#ifndef BS_END_H
#define BS_END_H

#include <stdbool.h>
#include <stdint.h>

/* Lock @byte through this description and set its offset there. 0; -EAGAIN: another has it; -ENOMEM. */
int bs_end_lock(int fd, uint64_t byte);

/* Likewise, and leave the offset as it is: for what says the byte already, or is no end. */
int bs_end_lock_byte(int fd, uint64_t byte);

/* Give the byte back. Only the owner, never in a forked child. */
void bs_end_unlock(int fd, uint64_t byte);

/* Does another description hold a byte in [first, first + n)? 1, 0 or a negative errno. */
int bs_end_held(int fd, uint64_t first, uint64_t n);

/* Which byte is this description's? Its offset: whatever a peer set it to, to be checked. */
uint64_t bs_end_byte(int fd);

/* Open the same segment anew: another description, close-on-exec. fd, -ENOSYS: no /proc; -EACCES. */
int bs_end_reopen(int fd, int open_flags);

#endif
