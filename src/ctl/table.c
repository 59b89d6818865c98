/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/table.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/shown.h"

#define COLUMNS_MAX 32
#define CELL_SIZE   128

struct table {
    struct libscols_table *scols;
    const struct column *columns[COLUMNS_MAX];
    size_t count;
    const char *(*color)(const json_t *row);
    bool terminal;
    bool begun; /* the first page is out */
};

static const struct column *column_by_name(const struct column *columns, size_t count,
                                           const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(columns[i].name) == length &&
            strncasecmp(columns[i].name, name, length) == 0)
            return &columns[i];
    return NULL;
}

static void wrong_column(const struct column *columns, size_t count, const char *name,
                         size_t length)
{
    fprintf(stderr, "rblctl: no column \"%.*s\"; possible are", (int)length, name);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s %s", i == 0 ? "" : ",", columns[i].name);
    fputc('\n', stderr);
}

static int choose(struct table *table, const struct column *columns, size_t count,
                  const char *chosen)
{
    if (chosen == NULL) {
        for (size_t i = 0; i < count; i++)
            if (columns[i].title != NULL)
                table->columns[table->count++] = &columns[i];
        return 0;
    }
    for (;;) {
        size_t length = strcspn(chosen, ",");
        const struct column *column = column_by_name(columns, count, chosen, length);

        if (column == NULL || table->count == COLUMNS_MAX) {
            wrong_column(columns, count, chosen, length);
            return -1;
        }
        table->columns[table->count++] = column;
        if (chosen[length] == '\0')
            return 0;
        chosen += length + 1;
    }
}

static int add_columns(struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct column *column = table->columns[i];
        bool right = column->kind == COLUMN_NUMBER || column->kind == COLUMN_PERCENT;
        char title[64];

        /* without a title of its own the name is it, as "last_hit" -> "LAST HIT" */
        snprintf(title, sizeof title, "%s",
                 column->title != NULL ? column->title : column->name);
        for (char *p = title; *p != '\0'; p++)
            if (*p == '_')
                *p = ' ';
            else if (*p >= 'a' && *p <= 'z')
                *p = (char)(*p - 'a' + 'A');
        if (scols_table_new_column(table->scols, title, 0, right ? SCOLS_FL_RIGHT : 0) ==
            NULL)
            return -1;
    }
    return 0;
}

struct table *table_new(const struct column *columns, size_t count, const char *chosen,
                        const char *(*color)(const json_t *row), bool terminal)
{
    struct table *table = calloc(1, sizeof *table);

    if (table == NULL)
        return NULL;
    table->color = color;
    table->terminal = terminal;
    if (choose(table, columns, count, chosen) != 0)
        goto failed;
    table->scols = scols_new_table();
    if (table->scols == NULL || add_columns(table) != 0) {
        fputs("rblctl: no memory\n", stderr);
        goto failed;
    }
    scols_table_enable_colors(table->scols, terminal);
    scols_table_enable_noencoding(table->scols, 1);
    return table;
failed:
    table_free(table);
    return NULL;
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    scols_unref_table(table->scols);
    free(table);
}

/* What is no text, for a cell. */
static void cell_value(const struct column *column, const json_t *value, char *out,
                       size_t size)
{
    int64_t number = (int64_t)json_integer_value(value);

    if (json_is_boolean(value))
        snprintf(out, size, "%s", json_is_true(value) ? "yes" : "no");
    else if (!json_is_number(value))
        snprintf(out, size, "-");
    else if (column->kind == COLUMN_TIME)
        shown_time((time_t)number, time(NULL), out, size);
    else if (column->kind == COLUMN_PERCENT)
        snprintf(out, size, "%.1f%%", json_number_value(value));
    else if (json_is_integer(value))
        snprintf(out, size, "%" PRId64, number);
    else
        snprintf(out, size, "%.1f", json_real_value(value));
}

/* Escaped by us, as all that is shown: libsmartcols knows no characters without width. */
static int set_text(struct libscols_line *line, size_t i, const char *text)
{
    size_t size = 4 * strlen(text) + 1; /* a byte is \xNN at worst */
    char *shown = malloc(size);
    int rc = -1;

    if (shown != NULL) {
        shown_text(text, shown, size);
        rc = scols_line_set_data(line, i, shown);
    }
    free(shown);
    return rc;
}

static int set_cell(struct libscols_line *line, size_t i, const struct column *column,
                    const json_t *value)
{
    char text[CELL_SIZE];
    char *json;
    int rc;

    if (json_is_string(value) && json_string_length(value) > 0)
        return set_text(line, i, json_string_value(value));
    if (json_is_object(value) || json_is_array(value)) {
        json = json_dumps(value, JSON_COMPACT);
        rc = json == NULL ? -1 : set_text(line, i, json);
        free(json);
        return rc;
    }
    cell_value(column, value, text, sizeof text);
    return scols_line_set_data(line, i, text);
}

int table_add(struct table *table, const json_t *row)
{
    struct libscols_line *line = scols_table_new_line(table->scols, NULL);

    if (line == NULL)
        return -1;
    for (size_t i = 0; i < table->count; i++)
        if (set_cell(line, i, table->columns[i],
                     json_object_get(row, table->columns[i]->name)) != 0)
            return -1;
    if (table->terminal && table->color != NULL && table->color(row) != NULL)
        return scols_line_set_color(line, table->color(row));
    return 0;
}

/* Later pages stand below the first one's headings, and no column gets narrower. */
static void keep_widths(struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        struct libscols_column *column = scols_table_get_column(table->scols, i);
        const char *title = scols_cell_get_data(scols_column_get_header(column));
        size_t width = scols_column_get_width(column);
        int flags = scols_column_get_flags(column);

        /* A hint is heeded by a column that is strict and wider than its heading; the
         * heading's width by one that is not strict. */
        if (width > strlen(title))
            flags |= SCOLS_FL_STRICTWIDTH;
        scols_column_set_whint(column, (double)width);
        scols_column_set_flags(column, flags);
    }
    scols_table_enable_noheadings(table->scols, 1);
}

int table_print(struct table *table)
{
    if (table->begun && scols_table_get_nlines(table->scols) == 0)
        return 0;
    if (scols_print_table(table->scols) != 0)
        return -1;
    keep_widths(table);
    table->begun = true;
    scols_table_remove_lines(table->scols);
    return 0;
}

int table_of(const struct column *columns, size_t count, const char *chosen,
             const char *(*color)(const json_t *row), bool terminal, const json_t *rows)
{
    struct table *table = table_new(columns, count, chosen, color, terminal);
    const json_t *row;
    size_t i;
    int rc = 0;

    if (table == NULL)
        return -1;
    json_array_foreach (rows, i, row)
        if (rc == 0)
            rc = table_add(table, row);
    if (rc == 0)
        rc = table_print(table);
    table_free(table);
    return rc;
}
