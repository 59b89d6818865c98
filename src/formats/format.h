/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FORMATS_FORMAT_H
#define FORMATS_FORMAT_H

/* The formats of import and export: pure code over lines, one file per format
 * (plain.c …) behind one table. Runs in rblctl, so that an error carries a line
 * number; needs no store. A parser belongs to one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "blocklist/entry.h"

/* A row read from a file, or to be written into one. Borrowed. */
struct format_row {
    struct entry entry;
    bool allow, tempfail;        /* not both */
    const char *source, *reason; /* NULL: the file says nothing */
    time_t since, expires;       /* 0: the file says nothing, never */
};

/* What a lookup table of names is about. */
enum format_subject {
    FORMAT_ANY, /* not said: names are senders' domains, and none can be let pass */
    FORMAT_CLIENT,
    FORMAT_SENDER,
    FORMAT_HELO
};

/* How a file is to be read. Zero-initialised: as it says itself. Borrowed. */
struct format_options {
    enum format_subject subject; /* postfix */
    bool allow;                  /* the file is one of good senders */
    const char *field;           /* csv, json: where the entry is; NULL: "entry" */
    bool wide; /* --force: also lines that would list more than they did */
};

struct format; /* a row of the table */

/* plain, csv, json, postfix, rbldnsd, rspamd, sendmail; NULL for an unknown name. */
const struct format *format_find(const char *name);
const char *format_name(const struct format *format);
bool format_can_export(const struct format *format); /* not rspamd, sendmail */
const char *const *format_names(void);               /* NULL at the end */

#define FORMAT_ERROR_SIZE 512

/* One file being read. */
struct format_reader;

/* options NULL: as the file says. NULL: no memory. */
struct format_reader *format_reader_new(const struct format *format,
                                        const struct format_options *options);
void format_reader_free(struct format_reader *reader);

/* Told of each row and of each bad line, of some formats only once all is read. row and
 * text live for the call. A row callback returns false to end the reading. */
struct format_sink {
    bool (*row)(void *context, unsigned long line, const struct format_row *row);
    void (*bad)(void *context, unsigned long line, const char *text);
    void *context;
};

/* Reads the whole stream. Returns 0 at its end, or -1 when reading failed (errno) or the
 * row callback ended it. Lines longer than 64 KiB are bad lines. */
int format_read(struct format_reader *reader, FILE *in, const struct format_sink *sink);

/* The format that three quarters of the first lines are good in, of a file that is at its
 * begin; NULL: none, or the one that was named is as good. Moves the file. */
const struct format *format_guess(FILE *in, const struct format *named);

/* One file being written. */
struct format_writer;

/* Starts it. NULL: no memory, no temporary file (errno). Borrows out until the end. */
struct format_writer *format_writer_new(const struct format *format, FILE *out);

/* Returns 0, 1 for a row that the format cannot express (host: in rbldnsd …: left out,
 * count them), or -1 when writing failed. */
int format_writer_row(struct format_writer *writer, const struct format_row *row);

/* Ends it and frees the writer. Returns 0, or -1 when writing failed (errno). */
int format_writer_end(struct format_writer *writer);

#endif
