/* SPDX-License-Identifier: BSD-2-Clause */
/* Which format a file is in, when most of its lines are bad in the one that was named:
 * its first lines are read in all others. */

#include <stdlib.h>
#include <string.h>

#include "formats/format_table.h"

#define GUESS_LINES 200
#define GUESS_BYTES 262144

/* The stricter ones first: rbldnsd takes any text behind an address, rspamd behind
 * anything. */
static const struct format *const by_strictness[] = {
    &format_plain,    &format_csv,     &format_json,  &format_postfix,
    &format_sendmail, &format_rbldnsd, &format_rspamd};

struct verdicts {
    bool good[GUESS_LINES + 1], bad[GUESS_LINES + 1]; /* by line */
};

static bool take_row(void *context, unsigned long line, const struct format_row *row)
{
    struct verdicts *verdicts = context;

    (void)row;
    if (line <= GUESS_LINES)
        verdicts->good[line] = true;
    return true;
}

static void take_bad(void *context, unsigned long line, const char *text)
{
    struct verdicts *verdicts = context;

    (void)text;
    if (line <= GUESS_LINES)
        verdicts->bad[line] = true;
}

/* Whether at least three quarters of the lines that say something are good. */
static bool is_fit(const struct format *format, enum format_subject subject,
                   const char *text, size_t length)
{
    struct verdicts verdicts = {0};
    const struct format_sink sink = {take_row, take_bad, &verdicts};
    const struct format_options options = {.subject = subject};
    struct format_reader *reader = format_reader_new(format, &options);
    FILE *in = fmemopen((void *)(uintptr_t)text, length, "r");
    unsigned good = 0, bad = 0;
    bool read = false;

    if (reader != NULL && in != NULL)
        read = format_read(reader, in, &sink) == 0;
    if (in != NULL)
        fclose(in);
    format_reader_free(reader);
    for (size_t i = 0; i <= GUESS_LINES; i++) {
        bad += verdicts.bad[i];
        good += verdicts.good[i] && !verdicts.bad[i];
    }
    return read && good > 0 && bad * 3 <= good;
}

/* The begin of the file, in whole lines. NULL: nothing in it, or no memory. */
static char *read_begin(FILE *in, size_t *length)
{
    char *text = malloc(GUESS_BYTES), *end = text;
    size_t got = text != NULL ? fread(text, 1, GUESS_BYTES, in) : 0;
    char *last = got > 0 ? text + got : NULL;

    for (unsigned lines = 0; last != NULL && lines < GUESS_LINES; lines++) {
        char *next = memchr(end, '\n', (size_t)(last - end));

        if (next == NULL)
            break;
        end = next + 1;
    }
    if (end == text && got > 0 && got < GUESS_BYTES)
        end = last; /* a single line without an end */
    *length = (size_t)(end - text);
    if (*length > 0)
        return text;
    free(text);
    return NULL;
}

/* In a table of Postfix it depends on --table, too. */
static bool is_format(const struct format *format, const char *text, size_t length)
{
    enum format_subject last = format == &format_postfix ? FORMAT_SENDER : FORMAT_ANY;

    for (enum format_subject subject = FORMAT_ANY; subject <= last; subject++)
        if (is_fit(format, subject, text, length))
            return true;
    return false;
}

const struct format *format_guess(FILE *in, const struct format *named)
{
    const struct format *found = NULL;
    size_t length;
    char *text = read_begin(in, &length);

    if (text != NULL && !is_format(named, text, length))
        for (size_t i = 0; i < sizeof by_strictness / sizeof by_strictness[0]; i++) {
            if (is_format(by_strictness[i], text, length)) {
                found = by_strictness[i];
                break;
            }
        }
    free(text);
    return found;
}
