/* SPDX-License-Identifier: MIT */
/*
 * name.c - owns the words about names that cannot be.
 *
 * The library refuses them too; here they are refused before anything is opened, and with the
 * reason. main.c checks operands, verbs check the names their options have.
 */
#include "config.h"
#include "bstream.h"
#include "name.h"
#include "outcome.h"
#include "say.h"

#include <stdbool.h>
#include <string.h>

/* A letter out of those a name may have, in any locale. */
static bool name_may_hold(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-' || c == '/';
}

int name_check(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > BSTREAM_NAME_MAX)
		return say_usage(name, "a name has 1 to %d bytes, not %zu", BSTREAM_NAME_MAX, len);
	if (name[0] == '/' || name[0] == '.')
		return say_usage(name, "a name cannot start with '%c'", name[0]);
	for (size_t i = 0; i < len; i++)
		if (!name_may_hold(name[i]))
			return say_usage(name, "a name has letters, digits and . _ - / only");
	return CODE_DONE;
}
