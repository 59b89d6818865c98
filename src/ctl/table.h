/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

/* A table for people, of JSON objects, printed page by page, so that a list of millions
 * needs no more memory than a page. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum column_kind {
    COLUMN_TEXT,
    COLUMN_NUMBER,
    COLUMN_TIME, /* "2026-11-24 05:54 (3 days ago)"; null: "-" */
    COLUMN_PERCENT
};

struct column {
    const char *name;  /* the member of the row, and the name for -o */
    const char *title; /* NULL: not among those shown without -o */
    enum column_kind kind;
};

struct table;

/* A table of those columns that chosen names (with commas between), or NULL: of those
 * with a title. color gives a row's colour for a terminal, NULL for none; it may be NULL.
 * Returns NULL after an error was printed. Borrows columns. */
struct table *table_new(const struct column *columns, size_t count, const char *chosen,
                        const char *(*color)(const json_t *row), bool terminal);
void table_free(struct table *table); /* NULL is fine; prints nothing */

/* Adds a row. Returns 0, or -1 without memory. */
int table_add(struct table *table, const json_t *row);

/* Prints the rows added since the last time. Returns 0, or -1. */
int table_print(struct table *table);

/* Prints all rows of an array in one go. Returns 0, or -1 after an error was printed. */
int table_of(const struct column *columns, size_t count, const char *chosen,
             const char *(*color)(const json_t *row), bool terminal, const json_t *rows);

#endif
