/* SPDX-License-Identifier: MIT */
/*
 * text.c - fuzz target: all that bstreamctl and the library parse of what people and programs give
 * them: sizes, times, numbers, framings, option lines, records in bytes, names, struct bstream_options.
 */
#include "cli/creation.h"
#include "cli/framing.h"
#include "cli/options.h"
#include "cli/say.h"
#include "cli/units.h"
#include "lib/options.h"
#include "tests/fuzz/input.h"

#define TEXT_MAX 512

/* The rest of the input as a string of its own, for the caller to free. */
static char *rest_as_text(struct input *in)
{
	size_t n = strnlen((const char *)in->at, in->left < TEXT_MAX ? in->left : TEXT_MAX);
	char *text = malloc(n + 1);

	HOLDS(text != NULL);
	if (n > 0)
		memcpy(text, in->at, n);
	text[n] = '\0';
	return text;
}

static void try_units(struct input *in)
{
	char *text = rest_as_text(in), buf[UNITS_MAX];
	uint64_t n = 7;
	int64_t ns = 7;

	if (units_size(text, &n))
		HOLDS(strlen(units_print_size(buf, n)) < UNITS_MAX);
	if (units_time(text, &ns)) {
		HOLDS(ns >= 0);
		HOLDS(strlen(units_print_time(buf, (uint64_t)ns)) < UNITS_MAX);
		HOLDS(units_deadline(ns) != BSTREAM_DONT_WAIT);
	}
	if (units_number(text, 4711, &n))
		HOLDS(n <= 4711);
	free(text);
}

static void try_print(struct input *in)
{
	char buf[UNITS_MAX];
	uint64_t a = input_extreme(in, 1u << 20), b = input_extreme(in, 1000000000);

	HOLDS(strlen(units_print_size(buf, a)) < UNITS_MAX);
	HOLDS(strlen(units_print_rate(buf, a)) < UNITS_MAX);
	HOLDS(strlen(units_print_age(buf, a)) < UNITS_MAX);
	HOLDS(strlen(units_print_time(buf, a)) < UNITS_MAX);
	HOLDS(strlen(units_print_rate(buf, units_per_second(a, b))) < UNITS_MAX);
}

static void try_words(struct input *in)
{
	char *text = rest_as_text(in), shown[40];
	struct framing framing = { .kind = FRAMING_RAW };
	uint32_t mode = 0, keep = 0;

	if (framing_take(&framing, text))
		HOLDS(framing.kind != FRAMING_FIXED || framing.fixed > 0);
	if (creation_take_mode(&mode, text))
		HOLDS(mode <= 0777);
	if (creation_take_keep(&keep, text))
		HOLDS((keep & ~3u) == 0);
	if (bs_name_ok(text))
		HOLDS(strlen(text) <= BSTREAM_NAME_MAX && text[0] != '/' && text[0] != '.');
	say_safely(shown, sizeof(shown), text);
	for (const char *c = shown; *c != '\0'; c++)
		HOLDS(*c >= 0x20 && *c < 0x7f);
	free(text);
}

static void try_options(struct input *in)
{
	bool flag = false, in_order = input_u8(in) & 1;
	uint32_t number = 0, size32 = 0, keep = 0;
	uint64_t count = 0, size = 0;
	int64_t timeout = 0;
	const char *word = NULL;
	struct framing framing = { .kind = FRAMING_RAW };
	const struct option_row rows[] = {
		{ "flag", 'f', OPTION_FLAG, .to = &flag },
		{ "number", 'n', OPTION_NUMBER, .arg = "N", .to = &number },
		{ "count", 0, OPTION_COUNT, .arg = "N", .to = &count },
		{ "size", 's', OPTION_SIZE, .arg = "SIZE", .to = &size },
		{ "size32", 'S', OPTION_SIZE32, .arg = "SIZE", .to = &size32 },
		{ "timeout", 't', OPTION_TIME, .arg = "TIME", .to = &timeout },
		{ "word", 'w', OPTION_TEXT, .arg = "WORD", .to = &word },
		{ .name = NULL },
	};
	const struct option_row more[] = {
		{ "framing", 'F', OPTION_OWN, .arg = "FRAMING", .to = &framing,
		  .take = framing_take },
		{ "keep", 'k', OPTION_OWN, .optional = true, .arg = "WHAT", .to = &keep,
		  .take = creation_take_keep },
		{ NULL, 'q', OPTION_FLAG, .to = &flag },
		{ .name = NULL },
	};
	char *line = malloc(in->left + 1), *words[40] = { line };
	int n = 1;

	HOLDS(line != NULL);
	if (in->left > 0)
		memcpy(line, in->at, in->left);
	line[in->left] = '\0';
	words[0] = (char[]){ "fuzz" };
	for (char *at = line; at < line + in->left && n < 39; at += strlen(at) + 1)
		words[n++] = at; /* NUL is what stands between the words of a command line */
	int first = options_parse(" fuzz", rows, more, n, words, in_order);
	HOLDS(first >= -1 && first <= n);
	free(line);
}

/* Bytes cut into records, fed in pieces: nothing is invented, nothing but separators is lost. */
static void try_records(struct input *in)
{
	static const enum framing_kind kinds[] = { FRAMING_LINE, FRAMING_NUL, FRAMING_LEN32,
						   FRAMING_FIXED };
	struct framing framing = { kinds[input_u8(in) % 4], 1 + input_u8(in) % 64u };
	uint32_t record_max = 1 + input_u8(in);
	size_t taken = 0, all = in->left;
	enum cut_result result = CUT_MORE;
	struct cut cut;

	HOLDS(cut_init(&cut, &framing, record_max) == 0);
	while (result == CUT_MORE || result == CUT_RECORD) {
		const char *record;
		bool known, at_end = in->left == 0;
		size_t len, room, piece = 1 + (in->left > 0 ? in->at[0] % 32u : 0);

		result = cut_next(&cut, at_end, &record, &len, &known);
		if (result == CUT_RECORD) {
			HOLDS(len <= record_max);
			taken += len;
		}
		if (result != CUT_MORE)
			continue;
		char *to = cut_room(&cut, &room);
		HOLDS(room >= 65536);
		piece = piece < in->left ? piece : in->left;
		input_bytes(in, to, piece);
		cut_added(&cut, piece);
	}
	if (result == CUT_LARGE && (framing.kind == FRAMING_LINE || framing.kind == FRAMING_NUL)) {
		bool found;

		HOLDS(cut_skip(&cut, &found) > record_max);
	}
	HOLDS(taken <= all);
	cut_fini(&cut);
}

static void try_struct(struct input *in)
{
	struct bs_geometry geo;
	size_t room = sizeof(struct bstream_options) + input_u8(in), size;
	unsigned char *bytes = malloc(room);
	struct bs_segment_spec spec = { .name = "" };

	HOLDS(bytes != NULL);
	input_bytes(in, bytes, room);
	memcpy(&size, bytes, sizeof(size));
	if (size > room && size <= 4096) /* what a caller says of his own memory is true */
		size = room;
	memcpy(bytes, &size, sizeof(size));
	if (bs_options_resolve((struct bstream_options *)bytes, input_u8(in) & 1, &geo, &spec) == 0)
		HOLDS(geo.capacity >= 1 && geo.size <= BS_SEGMENT_LIMIT && spec.mode <= 0777 &&
		      geo.body[geo.n_bodies - 1].size == geo.chunk_max);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static void (*const tries[])(struct input *) = { try_units,   try_print,   try_words,
							 try_options, try_records, try_struct };
	struct input in = { bytes, len };

	tries[input_u8(&in) % 6](&in);
	return 0;
}
