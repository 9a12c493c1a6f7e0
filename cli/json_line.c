/* SPDX-License-Identifier: MIT */
/*
 * json_line.c - owns the form of --json: jansson is seen nowhere else.
 *
 * A struct json_line is a jansson object under another name, so an item needs no memory of its own.
 * Without jansson main.c and the verbs refuse --json before they come here. Keys that a struct of
 * bstream.h has are named as there, and added to but never renamed.
 */
#include "config.h"
#include "bstream.h"
#include "json_line.h"
#include "listing.h"
#include "outcome.h"
#include "say.h"
#include "state.h"
#include "stuck.h"

#include <stdlib.h>

#ifdef HAVE_JANSSON
#include <jansson.h>

bool json_line_available(void)
{
	return true;
}

static json_t *json_of(struct json_line *line)
{
	return (json_t *)line;
}

/* Ends the program if jansson had no memory: its two ways to say so are NULL and -1. */
static void json_must(bool ok)
{
	if (ok)
		return;
	say_failure("--json", "no memory");
	exit(CODE_NO_SPACE);
}

struct json_line *json_line_new(void)
{
	json_t *object = json_object();

	json_must(object && json_object_set_new(object, "v", json_integer(1)) == 0);
	return (struct json_line *)object;
}

void json_line_list(struct json_line *line, const char *list)
{
	if (!json_object_get(json_of(line), list))
		json_must(json_object_set_new(json_of(line), list, json_array()) == 0);
}

struct json_line *json_line_item(struct json_line *line, const char *list)
{
	json_t *object = json_object();

	json_line_list(line, list);
	json_must(object &&
		  json_array_append_new(json_object_get(json_of(line), list), object) == 0);
	return (struct json_line *)object;
}

static bool text_is_printable(const char *text)
{
	while (*text >= 0x20 && *text < 0x7f)
		text++;
	return *text == '\0';
}

void json_line_text(struct json_line *line, const char *key, const char *value)
{
	char safe[1024];

	/* jansson takes UTF-8 only, and a path may be any bytes. What was made safe before stays. */
	if (!text_is_printable(value))
		value = say_safely(safe, sizeof(safe), value);
	json_must(json_object_set_new(json_of(line), key, json_string(value)) == 0);
}

/* @bytes twice: as they can be printed, and in hex. */
static void json_line_raw(struct json_line *line, const char *key, const unsigned char *bytes,
			  size_t len)
{
	char *text = malloc(4 * len + 1);
	char hex_key[64];

	json_must(text != NULL);
	json_must(json_object_set_new(
			  json_of(line), key,
			  json_string(say_safely_bytes(text, 4 * len + 1, bytes, len))) == 0);
	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
	json_must(json_object_set_new(json_of(line), hex_key, json_string(text)) == 0);
	free(text);
}

void json_line_bytes(struct json_line *line, const char *key, const void *bytes, size_t len)
{
	json_t *text = json_stringn(bytes, len);

	if (text)
		json_must(json_object_set_new(json_of(line), key, text) == 0);
	else
		json_line_raw(line, key, bytes, len);
}

void json_line_number(struct json_line *line, const char *key, uint64_t value)
{
	json_must(json_object_set_new(json_of(line), key, json_integer((json_int_t)value)) == 0);
}

void json_line_real(struct json_line *line, const char *key, double value)
{
	json_must(json_object_set_new(json_of(line), key, json_real(value)) == 0);
}

void json_line_bool(struct json_line *line, const char *key, bool value)
{
	json_must(json_object_set_new(json_of(line), key, json_boolean(value)) == 0);
}

void json_line_print(struct json_line *line, FILE *out)
{
	json_dumpf(json_of(line), out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(json_of(line));
}

#else

bool json_line_available(void)
{
	return false;
}

struct json_line *json_line_new(void)
{
	abort();
}

void json_line_list(struct json_line *line, const char *list)
{
	(void)line, (void)list;
}

struct json_line *json_line_item(struct json_line *line, const char *list)
{
	(void)list;
	return line;
}

void json_line_text(struct json_line *line, const char *key, const char *value)
{
	(void)line, (void)key, (void)value;
}

void json_line_bytes(struct json_line *line, const char *key, const void *bytes, size_t len)
{
	(void)line, (void)key, (void)bytes, (void)len;
}

void json_line_number(struct json_line *line, const char *key, uint64_t value)
{
	(void)line, (void)key, (void)value;
}

void json_line_real(struct json_line *line, const char *key, double value)
{
	(void)line, (void)key, (void)value;
}

void json_line_bool(struct json_line *line, const char *key, bool value)
{
	(void)line, (void)key, (void)value;
}

void json_line_print(struct json_line *line, FILE *out)
{
	(void)line, (void)out;
}

#endif

static void json_line_counters(struct json_line *line, const struct bstream_stat *stat)
{
	json_line_number(line, "chunks_written", stat->chunks_written);
	json_line_number(line, "chunks_read", stat->chunks_read);
	json_line_number(line, "chunks_abandoned", stat->chunks_abandoned);
	json_line_number(line, "bytes_written", stat->bytes_written);
	json_line_number(line, "bytes_read", stat->bytes_read);
	json_line_number(line, "writer_waits", stat->writer_waits);
	json_line_number(line, "reader_waits", stat->reader_waits);
	json_line_number(line, "created_ns", stat->created_ns);
}

void json_line_stream(struct json_line *line, const struct bstream_stat *stat)
{
	json_line_text(line, "name", stat->name);
	json_line_number(line, "capacity", stat->capacity);
	json_line_number(line, "chunk_max", stat->chunk_max);
	json_line_number(line, "max_writers", stat->max_writers);
	json_line_number(line, "keep", stat->keep);
	json_line_number(line, "mode", stat->mode);
	json_line_number(line, "uid", stat->uid);
	json_line_number(line, "gid", stat->gid);
	json_line_number(line, "in_flight", stat->in_flight);
	json_line_number(line, "writers", stat->writers);
	json_line_number(line, "reader", stat->reader);
	json_line_number(line, "flags", stat->flags);
	json_line_number(line, "reader_pid", (uint64_t)(int64_t)stat->reader_pid);
	json_line_number(line, "writer_pid", (uint64_t)(int64_t)stat->writer_pid);
	json_line_counters(line, stat);
	json_line_bool(line, "sealed", stat->flags & BSTREAM_SEALED);
	json_line_bool(line, "ended", stat->flags & BSTREAM_ENDED);
	json_line_bool(line, "broken", stat->flags & BSTREAM_BROKEN);
	json_line_bool(line, "lost_writer", stat->flags & BSTREAM_LOST_WRITER);
	json_line_bool(line, "removed", stat->flags & BSTREAM_REMOVED);
}

void json_line_look(struct json_line *line, const struct listing_row *row)
{
	char why[STUCK_MAX];

	json_line_stream(line, &row->stat);
	json_line_text(line, "state", state_word(&row->stat, row->moving));
	json_line_text(line, "why", stuck_say(why, &row->stat, &row->stuck));
	json_line_number(line, "bytes_per_s", row->rate);
	json_line_number(line, "chunks_per_s", row->chunk_rate);
}
