/* SPDX-License-Identifier: BSD-2-Clause */
/* Import formats: the first byte chooses one. Each row that is read has a canonical entry
 * and an honest line number; written in the formats that can say all (csv, json) it reads
 * back as the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct state {
    const struct format_row *want; /* NULL: of the input itself */
    unsigned rows, bad;
    unsigned long lines;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool same(const char *a, const char *b)
{
    /* Space at the ends of csv fields is not kept; nothing and "" are one */
    a = a != NULL ? a : "";
    b = b != NULL ? b : "";
    return strcmp(a, b) == 0;
}

static bool take_again(void *context, unsigned long line, const struct format_row *row)
{
    struct state *state = context;

    (void)line;
    check(strcmp(row->entry.text, state->want->entry.text) == 0);
    check(row->allow == state->want->allow && row->expires == state->want->expires);
    check(row->tempfail == state->want->tempfail);
    check(same(row->reason, state->want->reason));
    state->rows++;
    return true;
}

static void take_bad_again(void *context, unsigned long line, const char *text)
{
    (void)context;
    (void)line;
    (void)text;
    abort();
}

/* Whether a reason is one that the store would take: without control characters. */
static bool is_clean(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

static void write_and_read(const char *name, const struct format_row *row)
{
    const struct format_sink sink = {take_again, take_bad_again,
                                     &(struct state){.want = row}};
    struct format_row bare = *row;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length), *in;
    struct format_writer *writer = format_writer_new(format_find(name), out);
    struct format_reader *reader = format_reader_new(format_find(name), NULL);

    bare.source = "feed";
    check(writer != NULL && reader != NULL && format_writer_row(writer, &bare) == 0 &&
          format_writer_end(writer) == 0);
    fclose(out);
    in = fmemopen(text, length, "r");
    check(in != NULL && format_read(reader, in, &sink) == 0);
    check(((struct state *)sink.context)->rows == 1);
    fclose(in);
    format_reader_free(reader);
    free(text);
}

static bool take_row(void *context, unsigned long line, const struct format_row *row)
{
    struct state *state = context;
    char error[ENTRY_ERROR_SIZE];
    struct entry again;

    check(line >= 1 && line <= state->lines);
    check(entry_parse(row->entry.text, &again, error) == 0);
    check(strcmp(again.text, row->entry.text) == 0 && again.kind == row->entry.kind);
    check(row->expires >= 0);
    if (++state->rows <= 3 && is_clean(row->reason)) {
        write_and_read("csv", row);
        write_and_read("json", row);
    }
    return state->rows < 100000;
}

static void take_bad(void *context, unsigned long line, const char *text)
{
    struct state *state = context;

    check(line >= 1 && line <= state->lines && text[0] != '\0');
    state->bad++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const *names = format_names();
    struct state state = {.lines = 1};
    const struct format_sink sink = {take_row, take_bad, &state};
    struct format_options options = {0};
    struct format_reader *reader;
    size_t count = 0;
    FILE *in;

    while (names[count] != NULL)
        count++;
    if (size < 2)
        return 0;
    for (size_t i = 1; i < size; i++)
        state.lines += data[i] == '\n';
    options.subject = data[0] / count % 4;
    options.wide = data[0] >= 128;
    reader = format_reader_new(format_find(names[data[0] % count]), &options);
    in = fmemopen((void *)(uintptr_t)(data + 1), size - 1, "r");
    if (reader != NULL && in != NULL)
        check(format_read(reader, in, &sink) == 0 || state.rows >= 100000);
    if (in != NULL && data[0] % 16 == 0) { /* it reads in all formats: slow */
        const struct format *named = format_find(names[data[0] % count]);

        rewind(in);
        check(format_guess(in, named) != named);
    }
    if (in != NULL)
        fclose(in);
    format_reader_free(reader);
    return 0;
}
