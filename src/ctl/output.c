/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/output.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#include "base/text.h"

void shown_text(const char *in, char *out, size_t size)
{
    size_t used = 0, left = strlen(in);
    mbstate_t state = {0};

    while (left > 0) {
        wchar_t wide;
        size_t n = mbrtowc(&wide, in, left, &state);
        bool plain = n > 0 && n <= left && iswprint((wint_t)wide) &&
                     !utf8_is_hidden((unsigned long)wide);

        if (!plain) {
            n = 1; /* byte by byte, whatever it was a part of */
            state = (mbstate_t){0};
        }
        if (used + (plain ? n : 4) >= size)
            break;
        if (plain) {
            memcpy(out + used, in, n);
            used += n;
        } else {
            used += (size_t)snprintf(out + used, size - used, "\\x%02X",
                                     (unsigned)(unsigned char)*in);
        }
        in += n;
        left -= n;
    }
    out[used] = '\0';
}

void print_text(const char *text)
{
    char clean[2048];

    shown_text(text, clean, sizeof clean);
    fputs(clean, stdout);
}

void shown_span(int64_t seconds, char out[static SPAN_TEXT_SIZE])
{
    if (seconds == 0)
        snprintf(out, SPAN_TEXT_SIZE, "forever");
    else if (seconds == 86400)
        snprintf(out, SPAN_TEXT_SIZE, "24h");
    else
        span_text(seconds * 1000, out);
}

/* "3 days ago", "in 2 hours", "just now". */
static void shown_distance(int64_t distance, char *out, size_t size)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"year", 365 * 86400}, {"month", 30 * 86400}, {"week", 7 * 86400},
                 {"day", 86400},        {"hour", 3600},        {"minute", 60}};
    int64_t seconds = distance < 0 ? -distance : distance;

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        int64_t count = seconds / units[i].seconds;

        /* two of a unit at least, but for the smaller ones: "10 days", not "1 week" */
        if (count < (i < 3 ? 2 : 1))
            continue;
        snprintf(out, size, "%s%" PRId64 " %s%s%s", distance > 0 ? "in " : "", count,
                 units[i].name, count == 1 ? "" : "s", distance < 0 ? " ago" : "");
        return;
    }
    snprintf(out, size, distance > 0 ? "in a moment" : "just now");
}

void shown_clock(int64_t at, const char *format, char *out, size_t size)
{
    time_t time = (time_t)at;
    struct tm tm;

    if (localtime_r(&time, &tm) == NULL || strftime(out, size, format, &tm) == 0)
        snprintf(out, size, "%" PRId64, at);
}

void shown_time(int64_t at, char *out, size_t size)
{
    char clock[64], distance[64];

    shown_clock(at, "%Y-%m-%d %H:%M", clock, sizeof clock);
    shown_distance(at - (int64_t)time(NULL), distance, sizeof distance);
    snprintf(out, size, "%s (%s)", clock, distance);
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

static void shown_bytes(int64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t i = 0;

    while (value >= 1024 && i + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        i++;
    }
    snprintf(out, size, i == 0 ? "%.0f %s" : "%.1f %s", value, units[i]);
}

static void shown_seconds(int64_t seconds, char *out, size_t size)
{
    if (seconds >= 2 * 86400)
        snprintf(out, size, "%" PRId64 " days", seconds / 86400);
    else if (seconds >= 2 * 3600)
        snprintf(out, size, "%" PRId64 " hours", seconds / 3600);
    else if (seconds >= 2 * 60)
        snprintf(out, size, "%" PRId64 " minutes", seconds / 60);
    else
        snprintf(out, size, "%" PRId64 " seconds", seconds);
}

/* A number, by the unit that its name ends in. */
static void shown_number(const char *name, const json_t *value, char *out, size_t size)
{
    int64_t number = (int64_t)json_integer_value(value);
    bool is_time = ends_in(name, "_at") || strcmp(name, "since") == 0;

    if (!json_is_integer(value))
        snprintf(out, size, "%.2f", json_number_value(value));
    else if (is_time && number == 0)
        snprintf(out, size, "never");
    else if (is_time)
        shown_time(number, out, size);
    else if (ends_in(name, "_ms"))
        snprintf(out, size, "%" PRId64 " ms", number);
    else if (ends_in(name, "_s"))
        shown_seconds(number, out, size);
    else if (ends_in(name, "_bytes"))
        shown_bytes(number, out, size);
    else
        snprintf(out, size, "%" PRId64, number);
}

/* "last_backup_at" -> "last backup", "wal_bytes" -> "wal size" */
static void shown_name(const char *name, char *out, size_t size)
{
    static const char *const endings[][2] = {
        {"_at", ""}, {"_s", ""}, {"_ms", ""}, {"_bytes", "_size"}};
    size_t length;

    shown_text(name, out, size);
    length = strlen(out);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (ends_in(out, endings[i][0])) {
            memcpy(out + length - strlen(endings[i][0]), endings[i][1],
                   strlen(endings[i][1]) + 1); /* never longer */
            break;
        }
    for (char *p = out; *p != '\0'; p++)
        if (*p == '_')
            *p = ' ';
}

void shown_object(const json_t *object)
{
    char left[64], right[2048];
    const char *name;
    bool first = true;
    json_t *value;

    json_object_foreach ((json_t *)object, name, value) {
        if (json_is_object(value) || json_is_array(value))
            continue;
        shown_name(name, left, sizeof left);
        if (json_is_string(value))
            shown_text(json_string_value(value), right, sizeof right);
        else if (json_is_number(value))
            shown_number(name, value, right, sizeof right);
        else if (json_is_boolean(value))
            snprintf(right, sizeof right, "%s", json_is_true(value) ? "yes" : "no");
        else
            snprintf(right, sizeof right, "-");
        printf("%-20s  %s\n", left, right);
        first = false;
    }
    json_object_foreach ((json_t *)object, name, value) {
        if (!json_is_object(value) || json_object_size(value) == 0)
            continue;
        shown_name(name, left, sizeof left);
        printf("%s%s\n", first ? "" : "\n", left);
        shown_object(value);
        first = false;
    }
}

void shown_json(const json_t *document, bool terminal)
{
    /* On a terminal nothing but ASCII: control characters hide in Unicode too. */
    json_show(document, stdout, JSON_INDENT(2) | (terminal ? JSON_ENSURE_ASCII : 0));
    putchar('\n');
}

/* --- tables --- */

#define COLUMNS_MAX 32
#define CELL_SIZE   128

struct table {
    struct libscols_table *scols;
    const struct column *columns[COLUMNS_MAX];
    size_t count;
    const struct coloring *coloring;
    bool terminal;
    bool begun; /* the first page is out */
};

/* Returns 0, or -1 after an error was printed. */
static int choose(struct table *table, const struct column *columns, size_t count,
                  const char *chosen)
{
    if (chosen == NULL) {
        for (size_t i = 0; i < count; i++)
            if (columns[i].title != NULL)
                table->columns[table->count++] = &columns[i];
        return 0;
    }
    for (;; chosen++) {
        size_t length = strcspn(chosen, ","), i = 0;

        while (i < count && (strlen(columns[i].name) != length ||
                             strncasecmp(columns[i].name, chosen, length) != 0))
            i++;
        if (i == count || table->count == COLUMNS_MAX) {
            fprintf(stderr, "rblctl: no column \"%.*s\"; possible are", (int)length,
                    chosen);
            for (i = 0; i < count; i++)
                fprintf(stderr, "%s %s", i == 0 ? "" : ",", columns[i].name);
            fputc('\n', stderr);
            return -1;
        }
        table->columns[table->count++] = &columns[i];
        chosen += length;
        if (*chosen == '\0')
            return 0;
    }
}

static int add_columns(struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct column *column = table->columns[i];
        bool right = column->kind == COLUMN_NUMBER;
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

static void table_free(struct table *table)
{
    if (table == NULL)
        return;
    scols_unref_table(table->scols);
    free(table);
}

/* As table_of has them. NULL after an error was printed. Borrows columns. */
static struct table *table_new(const struct column *columns, size_t count,
                               const char *chosen, const struct coloring *coloring,
                               bool terminal)
{
    struct table *table = calloc(1, sizeof *table);

    if (table == NULL)
        return NULL;
    table->coloring = coloring;
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
    int64_t number = json_integer_value(value);
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
    if (json_is_boolean(value))
        snprintf(text, sizeof text, "%s", json_is_true(value) ? "yes" : "no");
    else if (!json_is_number(value))
        snprintf(text, sizeof text, "-");
    else if (column->kind == COLUMN_TIME)
        shown_time(number, text, sizeof text);
    else if (json_is_integer(value))
        snprintf(text, sizeof text, "%" PRId64, number);
    else
        snprintf(text, sizeof text, "%.1f", json_real_value(value));
    return scols_line_set_data(line, i, text);
}

static const char *color_of(const struct coloring *coloring, const json_t *row)
{
    const char *text = text_of(row, coloring->member);

    if (text[0] == '\0' || strcmp(text, coloring->plain) == 0)
        return NULL;
    if (strcmp(text, coloring->green) == 0)
        return "green";
    return strcmp(text, coloring->yellow) == 0 ? "yellow" : "red";
}

/* Adds a row. Returns 0, or -1 without memory. */
static int table_add(struct table *table, const json_t *row)
{
    struct libscols_line *line = scols_table_new_line(table->scols, NULL);
    const char *color;

    if (line == NULL)
        return -1;
    for (size_t i = 0; i < table->count; i++)
        if (set_cell(line, i, table->columns[i],
                     json_object_get(row, table->columns[i]->name)) != 0)
            return -1;
    if (table->terminal && table->coloring != NULL) {
        color = color_of(table->coloring, row);
        return color != NULL ? scols_line_set_color(line, color) : 0;
    }
    return 0;
}

/* Prints the rows added since the last time. Returns 0, or -1. */
static int table_print(struct table *table)
{
    if (table->begun && scols_table_get_nlines(table->scols) == 0)
        return 0;
    if (scols_print_table(table->scols) != 0)
        return -1;
    /* later pages come below the first one's headings, and no column gets narrower */
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
    table->begun = true;
    scols_table_remove_lines(table->scols);
    return 0;
}

int table_of(const struct column *columns, size_t count, const char *chosen,
             const struct coloring *coloring, bool terminal, const json_t *rows)
{
    struct table *table = table_new(columns, count, chosen, coloring, terminal);
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

/* --- long answers, page by page --- */

struct printing {
    struct table *table; /* NULL: JSON */
    bool ascii;
    size_t count;
};

static enum outcome print_page(void *context, const json_t *rows)
{
    struct printing *p = context;
    const json_t *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        if (p->table != NULL) {
            if (table_add(p->table, row) != 0)
                return ctl_error(OUTCOME_REFUSED, "no memory");
            continue;
        }
        fputs(p->count++ == 0 ? "\n    " : ",\n    ", stdout);
        json_show(row, stdout, JSON_COMPACT | (p->ascii ? JSON_ENSURE_ASCII : 0));
    }
    if (p->table != NULL && table_print(p->table) != 0)
        return OUTCOME_REFUSED;
    return ferror(stdout) ? OUTCOME_REFUSED : OUTCOME_DONE;
}

enum outcome pages_print(struct ctl *ctl, json_t *request, const char *rows,
                         const char *cursor, int64_t limit,
                         const struct pages_output *output)
{
    struct printing printing = {.ascii = ctl->terminal};
    enum outcome outcome;

    if (ctl->json) {
        printf("{\"%s\": [", output->name);
    } else {
        printing.table = table_new(output->columns, output->column_count, output->chosen,
                                   output->coloring, ctl->terminal);
        if (printing.table == NULL) {
            json_decref(request);
            return OUTCOME_USAGE;
        }
    }
    outcome = ctl_send_pages(ctl, request, rows, cursor, limit, print_page, &printing);
    if (ctl->json && outcome == OUTCOME_DONE)
        fputs("\n]}\n", stdout);
    table_free(printing.table);
    return outcome;
}
