/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FORMATS_FORMAT_TABLE_H
#define FORMATS_FORMAT_TABLE_H

/* What the formats are made of, for the files of this folder only. */

#include <jansson.h>
#include <stdint.h>

#include "blocklist/admin.h"
#include "formats/format.h"

#define FORMAT_LINE_MAX 65536
#define FORMAT_COLUMNS  6

struct format_reader {
    const struct format *format;
    const struct format_sink *sink;
    unsigned long line;
    bool stopped;                /* the sink wants no more */
    int columns[FORMAT_COLUMNS]; /* csv: which field is where; -1 not there */
    bool header_read;
    char reason[1024]; /* rbldnsd: of entries without their own; postfix: unused */
    char *text;        /* json: the object so far */
    size_t used, size;
    int depth;
    bool in_string, escaped;
    unsigned long text_line; /* json: where the object began */
};

struct format_writer {
    const struct format *format;
    FILE *out;
    bool begun;
    FILE *parts[2]; /* rbldnsd: what must follow the first part */
};

struct format {
    const char *name;
    /* Takes one line, without its end; may change it. */
    void (*line)(struct format_reader *reader, char *line);
    void (*end)(struct format_reader *reader); /* NULL: nothing to do */
    int (*write_start)(struct format_writer *writer);
    int (*write_row)(struct format_writer *writer,
                     const struct format_row *row); /* NULL */
    int (*write_end)(struct format_writer *writer);
};

extern const struct format format_plain, format_csv, format_json, format_postfix,
    format_rbldnsd, format_rspamd;

/* Hands over a row, or a bad line. */
void reader_row(struct format_reader *reader, const struct format_row *row);
void reader_bad(struct format_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads text as an ENTRY and hands over a row of it, or a bad line. */
void reader_entry(struct format_reader *reader, const char *text, bool allow,
                  const char *reason);

/* The first and the last character that is no space. Returns text, cut and moved on. */
char *format_trim(char *text);

/* The year 10000: no time is so late, as it could not be written with four digits. */
#define FORMAT_TIME_END INT64_C(253402300800)

/* "2026-11-24T10:00:00Z", or seconds since 1970. The parser returns 0 or -1; "" is 0. */
int format_time_parse(const char *text, time_t *out);
void format_time_text(time_t time, char out[static 32]);

#endif
