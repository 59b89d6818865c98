/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

/* What rblctl prints: values and tables for people, pages of rows, JSON. One thread. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/text.h"
#include "ctl/ctl.h"

/* --- values --- */

/* Copies in to out; what the locale cannot print, and every control character, becomes
 * \xNN: strangers write reasons and names. What does not fit is left out at a whole
 * character. */
void shown_text(const char *in, char *out, size_t size);

/* Prints it like that; what does not fit 2 KB is left out. */
void print_text(const char *text);

/* Unix time as local time, formatted as strftime does; as a number where it cannot be. */
void shown_clock(int64_t at, const char *format, char *out, size_t size);

/* The local time and how far it is from now: "2026-11-24 05:54 (3 days ago)",
 * "2026-12-24 05:54 (in 4 weeks)". */
void shown_time(int64_t at, char *out, size_t size);

/* How long an entry holds: "1h", "24h", "forever" (0 seconds). */
void shown_span(int64_t seconds, char out[static SPAN_TEXT_SIZE]);

/* Prints an object for people: one line a member, sections below it after an empty line
 * with their name. Members whose names end in "_at" are times, in "_s" and "_ms" spans,
 * in "_bytes" sizes. */
void shown_object(const json_t *object);

/* Prints a JSON document on standard output. */
void shown_json(const json_t *document, bool terminal);

/* --- tables --- */

/* A table for people, of JSON objects. */

enum column_kind {
    COLUMN_TEXT,
    COLUMN_NUMBER,
    COLUMN_TIME /* "2026-11-24 05:54 (3 days ago)"; null: "-" */
};

struct column {
    const char *name;  /* the member of the row, and the name for -o */
    const char *title; /* NULL: not among those shown without -o */
    enum column_kind kind;
};

/* An array of columns and their number, as table_of and struct pages_output want them. */
#define COLUMNS(columns) columns, sizeof(columns) / sizeof((columns)[0])

/* A row's colour on a terminal, by the text of a member: none for "" and for plain, red
 * for all but those named; "" where there is none of that colour. */
struct coloring {
    const char *member, *plain, *green, *yellow;
};

/* Prints all rows of an array, those columns that chosen names (with commas between), or
 * NULL: those with a title. coloring NULL: no colours. Returns 0, or -1 after an error was
 * printed. */
int table_of(const struct column *columns, size_t count, const char *chosen,
             const struct coloring *coloring, bool terminal, const json_t *rows);

/* How the pages of a command are printed: a table, or one JSON document. */
struct pages_output {
    const char *name; /* of the JSON document's array */
    const struct column *columns;
    size_t column_count;
    const char *chosen; /* columns of the table: as of table_of */
    const struct coloring *coloring;
};

/* As ctl_send_pages, and prints them page by page, so that a list of millions needs no more
 * memory than a page. */
enum outcome pages_print(struct ctl *ctl, json_t *request, const char *rows,
                         const char *cursor, int64_t limit,
                         const struct pages_output *output);

#endif
