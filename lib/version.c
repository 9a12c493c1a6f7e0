/* SPDX-License-Identifier: MIT */
/* version.c - what this library is and speaks, and the clock its deadlines are told in. */
#include "config.h"

#include "bstream.h"
#include "proto/hint.h"
#include "proto/wire.h"

const char *bstream_version(void)
{
	return PACKAGE_VERSION;
}

uint32_t bstream_wire_version(void)
{
	return BS_WIRE_VERSION;
}

uint32_t bstream_layout_version(void)
{
	return BS_LAYOUT_VERSION;
}

uint64_t bstream_after_ms(int64_t ms)
{
	uint64_t now = bs_now();

	if (ms <= 0)
		return now; /* past as soon as anybody asks */
	if ((uint64_t)ms > (BSTREAM_FOREVER - 1 - now) / 1000000u)
		return BSTREAM_FOREVER;
	return now + (uint64_t)ms * 1000000u;
}
