/* SPDX-License-Identifier: BSD-2-Clause */
#include "format_helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void append(struct seen *seen, const char *text)
{
    assert_true(strlen(seen->text) + strlen(text) < sizeof seen->text);
    strcat(seen->text, text);
}

static bool take_row(void *context, unsigned long line, const struct format_row *row)
{
    struct seen *seen = context;
    char number[40];

    assert_true(line > 0);
    append(seen, row->allow ? "!" : row->tempfail ? "~" : "");
    append(seen, row->entry.text);
    if (row->reason != NULL) {
        append(seen, "=");
        append(seen, row->reason);
    }
    if (row->expires != 0) {
        snprintf(number, sizeof number, "@%lld", (long long)row->expires);
        append(seen, number);
    }
    if (row->source != NULL) {
        append(seen, "%");
        append(seen, row->source);
    }
    append(seen, ";");
    return ++seen->rows != seen->stop_after;
}

static void take_bad(void *context, unsigned long line, const char *text)
{
    struct seen *seen = context;
    char number[40];

    snprintf(number, sizeof number, "%lu:bad;", line);
    append(seen, number);
    snprintf(seen->last_error, sizeof seen->last_error, "%s", text);
    assert_true(strlen(text) > 5);
}

int read_as(const char *format, const struct format_options *options, const char *text,
            size_t length, struct seen *seen)
{
    struct format_reader *reader = format_reader_new(format_find(format), options);
    struct format_sink sink = {take_row, take_bad, seen};
    FILE *in = fmemopen((void *)(uintptr_t)text, length, "r");
    int rc;

    assert_non_null(in);
    rc = format_read(reader, in, &sink);
    fclose(in);
    format_reader_free(reader);
    return rc;
}

int read_text(const char *format, const char *text, size_t length, struct seen *seen)
{
    return read_as(format, NULL, text, length, seen);
}
