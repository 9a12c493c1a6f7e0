/* SPDX-License-Identifier: MIT */
/*
 * account.c - owns an account for each user who has anything, and the one table of what one user may
 * have. An account is there while something in it is not 0.
 *
 * Whose something is was said by the kernel when it came: of a stream, its creator; of an end, who was
 * given it. Without memory for an account its user has too little counted, which ends with that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/account.h"

struct account {
	uid_t uid;
	uint64_t used[QUOTA_COUNT];
	uint64_t round; /* of the loop … */
	unsigned turns; /* … in which he has been served so often */
};

/* The limits and their defaults: the one table. */
static const struct {
	const char *name;
	uint64_t limit;
} quotas[QUOTA_COUNT] = {
	[QUOTA_STREAMS] = { "streams", 1000 },	[QUOTA_BYTES] = { "bytes", UINT64_C(4) << 30 },
	[QUOTA_ENDS] = { "ends", 4000 },	[QUOTA_MAILBOXES] = { "mailboxes", 64 },
	[QUOTA_MESSAGES] = { "messages", 512 }, [QUOTA_CONNECTIONS] = { "connections", 256 },
};

static int account_cmp(const void *key, const void *item)
{
	uid_t a = *(const uid_t *)key, b = ((const struct account *)item)->uid;

	return (a > b) - (a < b);
}

void accounts_init(struct accounts *a)
{
	sorted_init(&a->by_uid, account_cmp);
	for (int i = 0; i < QUOTA_COUNT; i++)
		a->limits[i] = UINT64_MAX;
}

void accounts_fini(struct accounts *a)
{
	for (size_t i = 0; i < a->by_uid.n; i++)
		free(a->by_uid.items[i]);
	sorted_fini(&a->by_uid);
}

void accounts_set_defaults(struct accounts *a)
{
	for (int i = 0; i < QUOTA_COUNT; i++)
		if (a->limits[i] == UINT64_MAX)
			a->limits[i] = quotas[i].limit;
}

static bool limit_parse(const char *text, uint64_t *np)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;

	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (errno != 0 || text[0] < '0' || text[0] > '9')
		return false;
	for (unit = units; *end != '\0' && *unit != '\0' && *unit != *end; unit++)
		;
	unsigned shift = *end != '\0' ? 10 * (unsigned)(unit - units + 1) : 0;
	if (*end != '\0' && (*unit == '\0' || end[1] != '\0' || n > UINT64_MAX >> 1 >> shift))
		return false;
	*np = n << shift;
	return true;
}

bool accounts_set_limit(struct accounts *a, const char *text)
{
	const char *is = strchr(text, '=');

	for (int i = 0; is && i < QUOTA_COUNT; i++)
		if (strlen(quotas[i].name) == (size_t)(is - text) &&
		    strncmp(quotas[i].name, text, (size_t)(is - text)) == 0)
			return limit_parse(is + 1, &a->limits[i]);
	return false;
}

const char *quota_name(enum quota q)
{
	return quotas[q].name;
}

uid_t accounts_uid(const struct accounts *a, size_t i)
{
	return ((const struct account *)a->by_uid.items[i])->uid;
}

uint64_t account_used(const struct accounts *a, uid_t uid, enum quota q)
{
	const struct account *account = sorted_find(&a->by_uid, &uid);

	return account ? account->used[q] : 0;
}

bool account_take_turn(struct accounts *a, uid_t uid, uint64_t round, unsigned max)
{
	struct account *account = sorted_find(&a->by_uid, &uid);

	if (!account)
		return true;
	if (account->round != round)
		account->turns = 0;
	account->round = round;
	return account->turns < max && ++account->turns;
}

void account_take_more_turns(struct accounts *a, uid_t uid, unsigned n)
{
	struct account *account = sorted_find(&a->by_uid, &uid);

	if (account)
		account->turns += n;
}

int account_check(const struct accounts *a, uid_t uid, enum quota q, uint64_t n,
		  struct bs_refusal *refusal)
{
	uint64_t used = account_used(a, uid, q);

	if (uid == 0 || (n <= a->limits[q] && used <= a->limits[q] - n))
		return 0;
	*refusal = (struct bs_refusal){ .why = BS_WHY_USER, .uid = uid, .limit = a->limits[q] };
	snprintf(refusal->limit_name, sizeof(refusal->limit_name), "%s", quotas[q].name);
	return EDQUOT;
}

static struct account *account_new(struct accounts *a, uid_t uid)
{
	struct account *account = calloc(1, sizeof(*account));

	if (!account)
		return NULL;
	account->uid = uid;
	if (sorted_add(&a->by_uid, &uid, account) < 0) {
		free(account);
		return NULL;
	}
	return account;
}

static bool account_is_empty(const struct account *account)
{
	for (int i = 0; i < QUOTA_COUNT; i++)
		if (account->used[i] != 0)
			return false;
	return true;
}

void account_add(struct accounts *a, uid_t uid, enum quota q, int64_t n)
{
	struct account *account = sorted_find(&a->by_uid, &uid);

	if (!account && n > 0)
		account = account_new(a, uid);
	if (!account)
		return;
	if (n < 0 && account->used[q] < (uint64_t)-n)
		account->used[q] = 0; /* it was not all counted */
	else
		account->used[q] += (uint64_t)n;
	if (account_is_empty(account)) {
		sorted_drop(&a->by_uid, &uid);
		free(account);
	}
}
