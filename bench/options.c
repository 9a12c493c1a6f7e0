/* SPDX-License-Identifier: MIT */
/*
 * options.c - the command line, from one table of options.
 */
#include "bench/options.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/chunk.h"

#define ALL_CASES  "ABCDEFGH"
#define SIZE_MAX_B (UINT64_C(64) << 20)

static const struct option longs[] = {
	{ "cases", required_argument, NULL, 'c' },
	{ "transports", required_argument, NULL, 't' },
	{ "sizes", required_argument, NULL, 's' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "seconds", required_argument, NULL, 'd' },
	{ "place", required_argument, NULL, 'p' },
	{ "full-check", no_argument, NULL, 'F' },
	{ "foreign", required_argument, NULL, 'f' },
	{ "csv", required_argument, NULL, 'C' },
	{ "json", required_argument, NULL, 'J' },
	{ "daemon", required_argument, NULL, 'D' },
	{ "ctl", required_argument, NULL, 'K' },
	{ "file-mib", required_argument, NULL, 'M' },
	{ "streams", required_argument, NULL, 'N' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"usage: bstream-bench [run|targets|list] [OPTIONS]\n"
	"\n"
	"run      measure and print tables (this is the default)\n"
	"targets  measure what the targets need, and print which are met\n"
	"list     show transports and cases\n"
	"\n"
	"  -c, --cases=LETTERS      A one way, B round trip, C idle, D several writers,\n"
	"                           E crowded, F bursts, G shell, H broker; all by default\n"
	"  -t, --transports=GLOBS   comma-separated, such as 'bstream-*,pipe64k'; all by default\n"
	"  -s, --sizes=LIST         bytes in a chunk, such as 16,4K,1M, for A, D and E\n"
	"  -r, --rounds=N           rounds of each, 5 by default\n"
	"  -d, --seconds=T          length of a round, 0.2 by default (D, E at least 0.5, F 1, C 2)\n"
	"  -p, --place=pinned|free|both   writers on CPU 0 and readers on CPU 1, or anywhere;\n"
	"                           both by default\n"
	"      --full-check         fill every chunk anew and check all its bytes\n"
	"      --foreign=PERCENT    load of others that drops a round, 10 by default; 100: keep all\n"
	"      --csv=FILE           every round        --json=FILE   medians, spreads, rounds\n"
	"      --daemon=PATH        bstreamd           --ctl=PATH    bstreamctl\n"
	"      --file-mib=N         case G's file, 256 by default\n"
	"      --streams=N          case H's list, 10000 by default\n"
	"  -q, --quiet              no progress on stderr\n"
	"\n"
	"Exit status: 0; 1 if a round failed, a broker did not start or a result cannot be written; 2 for wrong options.\n";

static _Noreturn void refuse(const char *what, const char *value)
{
	fprintf(stderr, "bstream-bench: %s: %s (see --help)\n", value, what);
	exit(2);
}

static double number(const char *text, double least, double most)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v >= least) || !(v <= most))
		refuse("not such a number", text);
	return v;
}

static void sizes(struct settings *set, const char *text)
{
	set->n_sizes = 0;
	while (*text) {
		char *end;
		unsigned long long v = strtoull(text, &end, 10);

		if (*end == 'K' || *end == 'M')
			v <<= *end++ == 'K' ? 10 : 20;
		if (end == text || (*end && *end != ',') || v < CHUNK_LEN_MIN || v > SIZE_MAX_B)
			refuse("sizes are 16 to 64M", text);
		if (set->n_sizes == SUITE_SIZES_MAX)
			refuse("too many sizes", text);
		set->sizes[set->n_sizes++] = (size_t)v;
		text = *end ? end + 1 : end;
	}
}

static void places(struct settings *set, const char *text)
{
	bool both = strcmp(text, "both") == 0;

	set->placed[PLACED_PINNED] = both || strcmp(text, "pinned") == 0;
	set->placed[PLACED_FREE] = both || strcmp(text, "free") == 0;
	if (!set->placed[PLACED_PINNED] && !set->placed[PLACED_FREE])
		refuse("pinned, free or both", text);
}

static void cases(struct settings *set, const char *text)
{
	if (!*text || strspn(text, ALL_CASES) != strlen(text))
		refuse("cases are letters of " ALL_CASES, text);
	set->cases = text;
}

static void option(struct settings *set, int letter, char *text)
{
	switch (letter) {
	case 'c':
		cases(set, text);
		break;
	case 't':
		set->transports = text;
		break;
	case 's':
		sizes(set, text);
		break;
	case 'r':
		set->rounds = (unsigned)number(text, 1, 30);
		break;
	case 'd':
		set->seconds = number(text, 0.01, 60);
		break;
	case 'p':
		places(set, text);
		break;
	case 'F':
		set->full_check = true;
		break;
	case 'f':
		set->foreign_max = number(text, 0, 100) / 100;
		if (set->foreign_max == 1)
			set->foreign_max = HUGE_VAL; /* ticks make more than all of a short round */
		break;
	case 'C':
		set->csv = text;
		break;
	case 'J':
		set->json = text;
		break;
	case 'D':
		set->daemon = text;
		break;
	case 'K':
		set->ctl = text;
		break;
	case 'M':
		set->file_mib = (unsigned)number(text, 1, 4096);
		break;
	case 'N':
		set->n_streams = (unsigned)number(text, 1, 100000);
		break;
	case 'q':
		set->quiet = true;
		break;
	case 'h':
		fputs(help, stdout);
		exit(0);
	default:
		exit(2);
	}
}

enum mode options_parse(struct settings *set, int argc, char **argv)
{
	enum mode mode = MODE_RUN;
	int letter;

	*set = (struct settings){ .cases = ALL_CASES,
				  .transports = "*",
				  .rounds = 5,
				  .seconds = 0.2,
				  .placed = { true, true },
				  .foreign_max = 0.10,
				  .file_mib = 256,
				  .n_streams = 10000 };
	while ((letter = getopt_long(argc, argv, "c:t:s:r:d:p:qh", longs, NULL)) != -1)
		option(set, letter, optarg);
	for (; optind < argc; optind++) {
		if (strcmp(argv[optind], "targets") == 0)
			mode = MODE_TARGETS;
		else if (strcmp(argv[optind], "list") == 0)
			mode = MODE_LIST;
		else if (strcmp(argv[optind], "run") != 0)
			refuse("not a mode", argv[optind]);
	}
	return mode;
}
