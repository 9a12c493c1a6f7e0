/* SPDX-License-Identifier: MIT */
/* choice.h - which broker is asked. Any thread may call these, at any time. */
#ifndef BS_CHOICE_H
#define BS_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

/* May one be started where there is none? */
bool bs_choice_may_start(void);

/* Was the machine's broker chosen, which takes sealed streams only? */
bool bs_choice_is_system(void);

/* bs_start_connect() to the broker that is chosen now. */
int bs_choice_connect(bool may_start, uint64_t until, bool *startedp);

#endif
