/* SPDX-License-Identifier: MIT */
/*
 * framing.c - owns what a record is: where input is cut into chunks, and what is put around a chunk
 * when it becomes output.
 *
 * Cutting and joining are inverse for every input that ends where a record does. Lengths found in
 * the input (len32) are checked against record_max before they are used. feed.c cuts, verb_read.c
 * joins; nothing here knows of streams.
 */
#include "config.h"
#include "framing.h"
#include "units.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define READ_AT_ONCE 65536 /* room for input that cut_room promises */
#define LEN32_BYTES  4

bool framing_take(void *to, const char *text)
{
	static const char *const names[] = { "raw", "line", "nul", "len32" };
	struct framing *framing = to;
	uint64_t fixed;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			framing->kind = (enum framing_kind)i;
			return true;
		}
	}
	if (strncmp(text, "fixed:", 6) != 0 || !units_size(text + 6, &fixed) || fixed == 0 ||
	    fixed > UINT32_MAX)
		return false;
	framing->kind = FRAMING_FIXED;
	framing->fixed = (uint32_t)fixed;
	return true;
}

/* writev until all is written; waits where the descriptor was made non-blocking by others. */
static int put_all(int fd, struct iovec *iov, int n_iov)
{
	while (n_iov > 0) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
		ssize_t n = writev(fd, iov, n_iov);

		if (n < 0 && errno == EAGAIN)
			n = poll(&poll_fd, 1, -1) < 0 ? -1 : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (; n_iov > 0 && (size_t)n >= iov->iov_len; n_iov--, iov++)
			n -= (ssize_t)iov->iov_len;
		if (n_iov > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

int framing_put(const struct framing *framing, int fd, const void *chunk, size_t len)
{
	uint32_t len32 = htobe32((uint32_t)len);
	struct iovec iov[2] = { { (void *)(uintptr_t)chunk, len } };

	switch (framing->kind) {
	case FRAMING_LINE:
		iov[1] = (struct iovec){ (char[]){ '\n' }, 1 };
		return put_all(fd, iov, 2);
	case FRAMING_NUL:
		iov[1] = (struct iovec){ (char[]){ '\0' }, 1 };
		return put_all(fd, iov, 2);
	case FRAMING_LEN32:
		iov[1] = iov[0];
		iov[0] = (struct iovec){ &len32, LEN32_BYTES };
		return put_all(fd, iov, 2);
	case FRAMING_RAW:
	case FRAMING_FIXED:
		return len ? put_all(fd, iov, 1) : 0;
	}
	return -EINVAL;
}

int cut_init(struct cut *cut, const struct framing *framing, uint32_t record_max)
{
	/* Twice a record, so that bytes are moved to the front at most once for each. */
	size_t cap = 2 * ((size_t)record_max + LEN32_BYTES) + 2 * READ_AT_ONCE;
	char *bytes = malloc(cap);

	if (!bytes)
		return -ENOMEM;
	*cut = (struct cut){
		.framing = *framing, .record_max = record_max, .bytes = bytes, .cap = cap
	};
	return 0;
}

void cut_fini(struct cut *cut)
{
	free(cut->bytes);
	cut->bytes = NULL;
}

char *cut_room(struct cut *cut, size_t *roomp)
{
	if (cut->start == cut->end || cut->cap - cut->end < READ_AT_ONCE) {
		memmove(cut->bytes, cut->bytes + cut->start, cut->end - cut->start);
		cut->end -= cut->start;
		cut->seen = cut->seen > cut->start ? cut->seen - cut->start : 0;
		cut->start = 0;
	}
	*roomp = cut->cap - cut->end;
	return cut->bytes + cut->end;
}

void cut_added(struct cut *cut, size_t n)
{
	cut->end += n;
}

/* The record @len bytes long at start, and @and_after bytes behind it. */
static enum cut_result cut_take(struct cut *cut, size_t len, size_t and_after, const char **recordp,
				size_t *lenp)
{
	*recordp = cut->bytes + cut->start;
	*lenp = len;
	cut->start += len + and_after;
	cut->seen = cut->start;
	return CUT_RECORD;
}

static char *separator_find(struct cut *cut)
{
	size_t from = cut->seen > cut->start ? cut->seen : cut->start;
	char *at = memchr(cut->bytes + from, cut->framing.kind == FRAMING_LINE ? '\n' : '\0',
			  cut->end - from);

	cut->seen = at ? (size_t)(at - cut->bytes) : cut->end;
	return at;
}

static enum cut_result cut_next_separated(struct cut *cut, bool at_end, const char **recordp,
					  size_t *lenp, bool *known)
{
	char *at = separator_find(cut);
	size_t len = cut->seen - cut->start;

	if (len > cut->record_max) {
		*lenp = len;
		*known = at || at_end;
		return CUT_LARGE;
	}
	if (at)
		return cut_take(cut, len, 1, recordp, lenp);
	return at_end ? cut_take(cut, len, 0, recordp, lenp) : CUT_MORE;
}

static enum cut_result cut_next_len32(struct cut *cut, bool at_end, const char **recordp,
				      size_t *lenp, bool *known)
{
	size_t have = cut->end - cut->start;
	uint32_t len;

	if (have < LEN32_BYTES)
		return at_end ? CUT_SHORT : CUT_MORE;
	memcpy(&len, cut->bytes + cut->start, sizeof(len));
	len = be32toh(len);
	if (len > cut->record_max) {
		*lenp = len;
		*known = true;
		return CUT_LARGE;
	}
	if (have - LEN32_BYTES < len)
		return at_end ? CUT_SHORT : CUT_MORE;
	cut->start += LEN32_BYTES;
	return cut_take(cut, len, 0, recordp, lenp);
}

static enum cut_result cut_next_fixed(struct cut *cut, bool at_end, const char **recordp,
				      size_t *lenp, bool *known)
{
	size_t have = cut->end - cut->start;

	if (have > cut->record_max && cut->framing.fixed > cut->record_max) {
		*lenp = cut->framing.fixed;
		*known = true;
		return CUT_LARGE;
	}
	if (have >= cut->framing.fixed)
		return cut_take(cut, cut->framing.fixed, 0, recordp, lenp);
	return at_end ? cut_take(cut, have, 0, recordp, lenp) : CUT_MORE;
}

enum cut_result cut_next(struct cut *cut, bool at_end, const char **recordp, size_t *lenp,
			 bool *known)
{
	if (cut->start == cut->end)
		return at_end ? CUT_END : CUT_MORE;
	if (cut->framing.kind == FRAMING_LEN32)
		return cut_next_len32(cut, at_end, recordp, lenp, known);
	if (cut->framing.kind == FRAMING_FIXED)
		return cut_next_fixed(cut, at_end, recordp, lenp, known);
	return cut_next_separated(cut, at_end, recordp, lenp, known);
}

size_t cut_skip(struct cut *cut, bool *found)
{
	size_t n;

	*found = separator_find(cut) != NULL;
	n = cut->seen - cut->start;
	cut->start = cut->seen;
	return n;
}
