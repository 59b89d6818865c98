/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FORMATS_FORMAT_TABLE_H
#define FORMATS_FORMAT_TABLE_H

/* What the formats are made of, for the files of this folder only. */

#include <jansson.h>
#include <stdint.h>

#include "blocklist/admin.h"
#include "formats/format.h"

#define FORMAT_LINE_MAX 65536
#define FORMAT_COLUMNS  7

struct lookup_table;

struct format_reader {
    const struct format *format;
    struct format_options options;
    const struct format_sink *sink;
    unsigned long line;
    bool stopped;                /* the sink wants no more */
    int columns[FORMAT_COLUMNS]; /* csv: which field is where; -1 not there */
    bool header_read;
    struct lookup_table *table; /* of formats whose lines depend on one another */
    struct logical_line *lines; /* postfix, sendmail: the whole file */
    size_t line_count, line_size;
    char reason[1024];       /* rbldnsd: of entries without their own */
    char variables[11][256]; /* rbldnsd: $0 to $9, $= */
    bool exact, lists;       /* rbldnsd: in a trie; the data set lists what is in it */
    uint64_t range_max;      /* rbldnsd: $MAXRANGE4, addresses; 0 none */
    char *text;              /* json: the object so far */
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
    bool has_table; /* the reader has a lookup_table */
    /* Takes one line, without its end; may change it. */
    void (*line)(struct format_reader *reader, char *line);
    void (*end)(struct format_reader *reader); /* NULL: nothing to do */
    int (*write_start)(struct format_writer *writer);
    int (*write_row)(struct format_writer *writer,
                     const struct format_row *row); /* NULL */
    int (*write_end)(struct format_writer *writer);
};

extern const struct format format_plain, format_csv, format_json, format_postfix,
    format_rbldnsd, format_rspamd, format_sendmail;

/* Hands over a row, or a bad line: of the line that is being read, or of another. */
void reader_row(struct format_reader *reader, const struct format_row *row);
void reader_row_at(struct format_reader *reader, unsigned long line,
                   const struct format_row *row);
void reader_bad_at(struct format_reader *reader, unsigned long line, const char *format,
                   ...) __attribute__((format(printf, 3, 4)));
#define reader_bad(reader, ...) reader_bad_at(reader, (reader)->line, __VA_ARGS__)

/* The reading ends here: there is no memory. */
void reader_no_memory(struct format_reader *reader);

/* A line with those that go on with it, which begin with a space, as Postfix reads
 * its tables. */
struct logical_line {
    unsigned long line;
    char *text;
};

/* Takes a line of such a file; comments and empty lines are left out. */
void reader_keep(struct format_reader *reader, char *line);

/* Reads text as an ENTRY and hands over a row of it, or a bad line. */
void reader_entry(struct format_reader *reader, const char *text, bool allow,
                  bool tempfail);

/* Why a row that does not say it is good, or that blocks or defers, is refused where the file
 * is one of good senders. */
#define READER_NOT_GOOD "it blocks, but the file is one of good senders (--allow)"
#define READER_NOT_GOOD_TEMPFAIL                                                         \
    "it defers mail, but the file is one of good senders (--allow)"

/* What a row says it does: action "block", "tempfail", "allow", or "" (nothing); and
 * whether it is said to allow, or not to. Sets allow and tempfail of the row, or returns
 * false after a bad line. */
bool reader_action(struct format_reader *reader, const char *action, bool allows,
                   bool denies, struct format_row *row);

/* The first and the last character that is no space. Returns text, cut and moved on. */
char *format_trim(char *text);

/* The year 10000: no time is so late, as it could not be written with four digits. */
#define FORMAT_TIME_END INT64_C(253402300800)

/* "2026-11-24T10:00:00Z", or seconds since 1970. The parser returns 0 or -1; "" is 0. */
int format_time_parse(const char *text, time_t *out);
void format_time_text(time_t time, char out[static 32]);

#endif
