/* SPDX-License-Identifier: MIT */
/*
 * replay.c - runs a fuzz target over files, without a fuzzer: each once, and then each cut short at
 * some places, since what is missing at an input's end is where parsers read on. Any compiler will do.
 *
 * Arguments: the files. Exits 0; a target that finds something dies of it.
 */
#include <errno.h>

#include "tests/fuzz/input.h"

#define INPUT_MAX (1u << 20)
#define CUTS	  16

static size_t file_read(const char *path, uint8_t *bytes)
{
	FILE *file = fopen(path, "rb");
	size_t n;

	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	n = fread(bytes, 1, INPUT_MAX, file);
	fclose(file);
	return n;
}

/* In memory of just that size, so that a sanitizer sees who reads behind it. */
static void target_run(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		exit(1);
	memcpy(copy, bytes, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

int main(int argc, char **argv)
{
	static uint8_t bytes[INPUT_MAX];

	for (int i = 1; i < argc; i++) {
		size_t len = file_read(argv[i], bytes);

		fprintf(stderr, "%s: %zu bytes\n", argv[i], len);
		target_run(bytes, len);
		for (size_t k = 1; k < CUTS && k < len; k++)
			target_run(bytes, len * k / CUTS);
	}
	printf("%d inputs\n", argc - 1);
	return argc > 1 ? 0 : 1;
}
