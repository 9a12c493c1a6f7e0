/* SPDX-License-Identifier: MIT */
/* name.h - what streams and mailboxes may be called. */
#ifndef CLI_NAME_H
#define CLI_NAME_H

/* Returns 0, or exit code 2 and has said why @name cannot be one. */
int name_check(const char *name);

#endif
