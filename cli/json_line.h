/* SPDX-License-Identifier: MIT */
/* json_line.h - one JSON object a line, "v":1 first. Only to be used where --json was accepted. */
#ifndef CLI_JSON_LINE_H
#define CLI_JSON_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_line;
struct bstream_stat;
struct listing_row;

/* False in a build without jansson; nothing else here may be called then. */
bool json_line_available(void);

/* An object with "v":1; json_line_print frees it. Ends the program when there is no memory. */
struct json_line *json_line_new(void);
/* An object that is added to a list of @line's, without "v"; freed with it. */
struct json_line *json_line_item(struct json_line *line, const char *list);
/* Makes sure that @line has that list, if only an empty one. */
void json_line_list(struct json_line *line, const char *list);

void json_line_text(struct json_line *line, const char *key, const char *value);
/*
 * Any bytes: as they are if they are UTF-8, else with \xNN for what cannot be printed, and all of them
 * in hex under @key_hex.
 */
void json_line_bytes(struct json_line *line, const char *key, const void *bytes, size_t len);
void json_line_number(struct json_line *line, const char *key, uint64_t value);
void json_line_real(struct json_line *line, const char *key, double value);
void json_line_bool(struct json_line *line, const char *key, bool value);
/* Every member of struct bstream_stat, and its flags in words. */
void json_line_stream(struct json_line *line, const struct bstream_stat *stat);
/* The same, and what two looks at it tell: state, rates, who is stuck on whom. */
void json_line_look(struct json_line *line, const struct listing_row *row);

/* Prints the object and a newline, and frees it. */
void json_line_print(struct json_line *line, FILE *out);

#endif
