/* SPDX-License-Identifier: BSD-2-Clause */
#include "formats/format.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "formats/format_table.h"
#include "formats/lookup_table.h"

#define SHOWN_REASON_SIZE 4096

static const struct format *const formats[] = {
    &format_plain,   &format_csv,    &format_json,    &format_postfix,
    &format_rbldnsd, &format_rspamd, &format_sendmail};
#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

static const char *const names[FORMAT_COUNT + 1] = {
    "plain", "csv", "json", "postfix", "rbldnsd", "rspamd", "sendmail"};

const struct format *format_find(const char *name)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

const char *format_name(const struct format *format)
{
    return format->name;
}

bool format_can_export(const struct format *format)
{
    return format->write_row != NULL;
}

const char *const *format_names(void)
{
    return names;
}

struct format_reader *format_reader_new(const struct format *format,
                                        const struct format_options *options)
{
    struct format_reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        return NULL;
    reader->format = format;
    if (options != NULL)
        reader->options = *options;
    if (format->has_table && (reader->table = lookup_table_new()) == NULL) {
        free(reader);
        return NULL;
    }
    return reader;
}

void format_reader_free(struct format_reader *reader)
{
    if (reader == NULL)
        return;
    for (size_t i = 0; i < reader->line_count; i++)
        free(reader->lines[i].text);
    free(reader->lines);
    lookup_table_free(reader->table);
    free(reader->text);
    free(reader);
}

void reader_row_at(struct format_reader *reader, unsigned long line,
                   const struct format_row *row)
{
    if (!reader->stopped && !reader->sink->row(reader->sink->context, line, row))
        reader->stopped = true;
}

void reader_row(struct format_reader *reader, const struct format_row *row)
{
    reader_row_at(reader, reader->line, row);
}

void reader_bad_at(struct format_reader *reader, unsigned long line, const char *format,
                   ...)
{
    char text[FORMAT_ERROR_SIZE];
    va_list args;

    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    va_end(args);
    if (!reader->stopped)
        reader->sink->bad(reader->sink->context, line, text);
}

void reader_no_memory(struct format_reader *reader)
{
    reader->stopped = true;
    errno = ENOMEM;
}

static struct logical_line *new_logical_line(struct format_reader *reader)
{
    if (reader->line_count == reader->line_size) {
        size_t size = reader->line_size > 0 ? reader->line_size * 2 : 64;
        struct logical_line *lines = reallocarray(reader->lines, size, sizeof *lines);

        if (lines == NULL)
            return NULL;
        reader->lines = lines;
        reader->line_size = size;
    }
    return &reader->lines[reader->line_count];
}

void reader_keep(struct format_reader *reader, char *line)
{
    const char *begin = line + strspn(line, " \t\r");
    struct logical_line *last;
    char *text;

    if (*begin == '\0' || *begin == '#')
        return;
    if (begin > line && reader->line_count > 0) {
        last = &reader->lines[reader->line_count - 1];
        if (strlen(last->text) + strlen(line) > FORMAT_LINE_MAX) {
            reader_bad(reader,
                       "with the lines before it, the line is longer than %d bytes",
                       FORMAT_LINE_MAX);
            return;
        }
        text = realloc(last->text, strlen(last->text) + strlen(line) + 1);
        if (text == NULL) {
            reader_no_memory(reader);
            return;
        }
        strcat(text, line);
        last->text = text;
        return;
    }
    last = new_logical_line(reader);
    text = last != NULL ? strdup(begin) : NULL;
    if (text == NULL) {
        reader_no_memory(reader);
        return;
    }
    *last = (struct logical_line){reader->line, text};
    reader->line_count++;
}

bool reader_action(struct format_reader *reader, const char *action, bool allows,
                   bool denies, struct format_row *row)
{
    bool tempfail = strcasecmp(action, "tempfail") == 0;
    bool block = strcasecmp(action, "block") == 0;
    const char *why = NULL;

    allows |= strcasecmp(action, "allow") == 0;
    denies |= tempfail || block;
    if (*action != '\0' && !tempfail && !block && strcasecmp(action, "allow") != 0)
        why = "action: expected block, tempfail or allow";
    else if (allows && denies)
        why = "it says both that it allows and that it does not";
    else if (reader->options.allow && denies)
        why = tempfail ? READER_NOT_GOOD_TEMPFAIL : READER_NOT_GOOD;
    if (why != NULL)
        reader_bad(reader, "%s", why);
    row->allow = allows || reader->options.allow;
    row->tempfail = tempfail;
    return why == NULL;
}

void reader_entry(struct format_reader *reader, const char *text, bool allow,
                  bool tempfail)
{
    struct format_row row = {.allow = allow, .tempfail = tempfail};
    char error[ENTRY_ERROR_SIZE], shown[64];

    if (entry_parse(text, &row.entry, error) == 0) {
        reader_row(reader, &row);
        return;
    }
    (void)text_clean(text, shown, sizeof shown); /* cut where longer */
    reader_bad(reader, "\"%s\": %s", shown, error);
}

char *format_trim(char *text)
{
    size_t length;

    text += strspn(text, " \t\r");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

int format_time_parse(const char *text, time_t *out)
{
    struct tm tm = {0};
    char *end;
    long long number;

    *out = 0;
    if (*text == '\0')
        return 0;
    end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (end != NULL && *end == '\0') {
        *out = timegm(&tm);
        return *out >= 0 ? 0 : -1;
    }
    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || *text < '0' || *text > '9' ||
        number >= FORMAT_TIME_END)
        return -1;
    *out = (time_t)number;
    return 0;
}

void format_time_text(time_t time, char out[static 32])
{
    struct tm tm;

    out[0] = '\0';
    if (time != 0 && gmtime_r(&time, &tm) != NULL &&
        strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        out[0] = '\0';
}

static void take_line(struct format_reader *reader, char *line, size_t length)
{
    reader->line++;
    if (length > 0 && line[length - 1] == '\n')
        line[--length] = '\0';
    if (reader->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3; /* a byte order mark, as some editors put it */
        length -= 3;
    }
    if (length > FORMAT_LINE_MAX)
        reader_bad(reader, "the line is longer than %d bytes", FORMAT_LINE_MAX);
    else if (strlen(line) != length)
        reader_bad(reader, "the line has a NUL character in it");
    else
        reader->format->line(reader, line);
}

int format_read(struct format_reader *reader, FILE *in, const struct format_sink *sink)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    int rc;

    reader->sink = sink;
    while (!reader->stopped && (length = getline(&line, &size, in)) >= 0)
        take_line(reader, line, (size_t)length);
    free(line);
    rc = reader->stopped || ferror(in) ? -1 : 0;
    if (rc == 0 && reader->format->end != NULL)
        reader->format->end(reader);
    return reader->stopped ? -1 : rc;
}

struct format_writer *format_writer_new(const struct format *format, FILE *out)
{
    struct format_writer *writer = calloc(1, sizeof *writer);

    if (writer == NULL)
        return NULL;
    writer->format = format;
    writer->out = out;
    if (format->write_start != NULL && format->write_start(writer) != 0) {
        (void)format_writer_end(writer); /* what failed is reported already */
        return NULL;
    }
    return writer;
}

/* JSON can escape what cannot be seen, and be read back. In the others an entry with such
 * a character cannot be said; a reason is shown. */
int format_writer_row(struct format_writer *writer, const struct format_row *row)
{
    struct format_row shown = *row;
    char reason[SHOWN_REASON_SIZE];
    int rc;

    if (writer->format != &format_json) {
        if (utf8_find_hidden(row->entry.text) != 0)
            return 1;
        if (row->reason != NULL && utf8_find_hidden(row->reason) != 0) {
            (void)utf8_show(row->reason, reason, sizeof reason); /* cut where longer */
            shown.reason = reason;
        }
    }
    rc = writer->format->write_row(writer, &shown);
    if (rc == 0)
        writer->begun = true;
    return rc;
}

int format_writer_end(struct format_writer *writer)
{
    int rc = writer->format->write_end != NULL ? writer->format->write_end(writer) : 0;

    for (size_t i = 0; i < sizeof writer->parts / sizeof writer->parts[0]; i++)
        if (writer->parts[i] != NULL)
            fclose(writer->parts[i]); /* a temporary file */
    if (fflush(writer->out) != 0 || ferror(writer->out))
        rc = -1;
    free(writer);
    return rc;
}

/* --- which format a file is in, when most of its lines are bad in the one that was named:
 * its first lines are read in all others --- */

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
