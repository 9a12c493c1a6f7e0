/* SPDX-License-Identifier: MIT */
/*
 * input.h - what a fuzz target is, and how it takes its input to pieces.
 *
 * A target is one .c with LLVMFuzzerTestOneInput, which either returns or dies. It reads its input as
 * a program: numbers that choose what happens next. Whatever the input, nothing outlives the call.
 * Linked with libFuzzer it is hunted (hunt.sh); linked with replay.c it runs over files (replay.sh).
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What is left of an input. Past its end there are zeros. */
struct input {
	const uint8_t *at;
	size_t left;
};

static inline void input_bytes(struct input *in, void *to, size_t n)
{
	size_t have = n < in->left ? n : in->left;

	memset(to, 0, n);
	if (have > 0)
		memcpy(to, in->at, have);
	in->at += have;
	in->left -= have;
}

static inline uint8_t input_u8(struct input *in)
{
	uint8_t v;

	input_bytes(in, &v, sizeof(v));
	return v;
}

static inline uint16_t input_u16(struct input *in)
{
	uint16_t v;

	input_bytes(in, &v, sizeof(v));
	return v;
}

/* A number that is often one at an edge: of @near, of a type, or any. */
static inline uint64_t input_extreme(struct input *in, uint64_t near)
{
	uint8_t how = input_u8(in);
	uint64_t any;

	switch (how % 12) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return UINT64_MAX;
	case 3:
		return (uint64_t)1 << (how / 12 * 3);
	case 4:
		return INT64_MAX;
	case 5:
		return (uint64_t)INT64_MAX + 1;
	case 6:
		return UINT32_MAX;
	case 7:
		return near + how / 12;
	case 8:
		return near - how / 12;
	case 9:
		return near ^ ((uint64_t)1 << (how / 12 * 3));
	default:
		input_bytes(in, &any, sizeof(any));
		return any;
	}
}

/* The claim must hold whatever the input was. */
#define HOLDS(cond)                                                                \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                   \
		}                                                                  \
	} while (0)

#endif
