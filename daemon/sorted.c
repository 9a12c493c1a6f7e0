/* SPDX-License-Identifier: MIT */
/*
 * sorted.c - owns the array, never what it points to. No two items have the same key. For
 * registry.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/sorted.h"

void sorted_init(struct sorted *a, sorted_cmp_fn cmp)
{
	*a = (struct sorted){ .cmp = cmp };
}

void sorted_fini(struct sorted *a)
{
	free(a->items);
	a->items = NULL;
	a->n = a->cap = 0;
}

size_t sorted_from(const struct sorted *a, const void *key)
{
	size_t low = 0, high = a->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (a->cmp(key, a->items[mid]) > 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void *sorted_find(const struct sorted *a, const void *key)
{
	size_t i = sorted_from(a, key);

	return i < a->n && a->cmp(key, a->items[i]) == 0 ? a->items[i] : NULL;
}

static int sorted_grow(struct sorted *a)
{
	size_t cap = a->cap ? 2 * a->cap : 64;
	void **items = reallocarray(a->items, cap, sizeof(*items));

	if (!items)
		return -ENOMEM;
	a->items = items;
	a->cap = cap;
	return 0;
}

int sorted_add(struct sorted *a, const void *key, void *item)
{
	size_t i = sorted_from(a, key);

	if (i < a->n && a->cmp(key, a->items[i]) == 0)
		return -EEXIST;
	if (a->n == a->cap && sorted_grow(a) < 0)
		return -ENOMEM;
	memmove(&a->items[i + 1], &a->items[i], (a->n - i) * sizeof(*a->items));
	a->items[i] = item;
	a->n++;
	return 0;
}

void sorted_drop(struct sorted *a, const void *key)
{
	size_t i = sorted_from(a, key);

	if (i == a->n || a->cmp(key, a->items[i]) != 0)
		return;
	a->n--;
	memmove(&a->items[i], &a->items[i + 1], (a->n - i) * sizeof(*a->items));
}
