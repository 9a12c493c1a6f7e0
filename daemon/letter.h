/* SPDX-License-Identifier: MIT */
/*
 * letter.h - one message as the broker holds it: a note, who sent it, and perhaps a read end. Until
 * its receiver has it the end is in the broker's care: if it cannot be delivered, the broker is the
 * one to tell the stream's writers.
 */
#ifndef BSTREAMD_LETTER_H
#define BSTREAMD_LETTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct letter {
	struct letter *next;
	int fd; /* the read end, as its sender gave it; -1: none */
	uint64_t peer_owner; /* what its line said of its owner then */
	pid_t pid;
	uid_t uid;
	uint32_t note_len;
	char note[];
};

/* May this be sent? 0, and what its line says; EPROTO, EPROTONOSUPPORT: it is no read end, or not one
 * on its way. */
int letter_check_end(int fd, uint64_t *peer_ownerp);

/* Has its end gone another way since? Who sent it was not told that it is sent, has taken the end back,
 * and may have sent it to somebody else, who is not to miss it. */
bool letter_is_void(const struct letter *l);

/* Copies the note, takes @fd. NULL: no memory, and @fd stays the caller's. */
struct letter *letter_new(int fd, const char *note, uint32_t note_len);

/* Free it, and close our copy of the end: who sent it has it back, or whom it was sent to has it. */
void letter_free(struct letter *l);

/* Nobody will receive it: the same, but the end is closed for good, and its writers are told. Unless
 * its sender has taken it back. */
void letter_return(struct letter *l);

#endif
