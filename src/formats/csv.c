/* SPDX-License-Identifier: BSD-2-Clause */
/* csv (RFC 4180): entry,allow,source,reason,since,expires,action. A first line with the word
 * "entry" names the columns, in any order, and others are passed over; without one a line
 * is entry[,reason]. With --field another column has the entry, and "#" begins a comment.
 */

#include <string.h>
#include <strings.h>

#include "formats/format_table.h"

enum column {
    COLUMN_ENTRY,
    COLUMN_ALLOW,
    COLUMN_SOURCE,
    COLUMN_REASON,
    COLUMN_SINCE,
    COLUMN_EXPIRES,
    COLUMN_ACTION
};

static const char *const column_names[FORMAT_COLUMNS] = {
    "entry", "allow", "source", "reason", "since", "expires", "action"};

#define FIELDS_MAX 64

/* Takes one field out of a line and moves on. Returns it, or NULL for a broken one. *more
 * says whether another follows. */
static char *take_field(char **line, bool *more)
{
    char *from = *line, *field = *line, *to = *line;

    if (*from == '"') {
        for (from++; *from != '\0' && (*from != '"' || from[1] == '"'); from++) {
            if (*from == '"')
                from++;
            *to++ = *from;
        }
        if (*from != '"' || (from[1] != ',' && from[1] != '\0'))
            return NULL;
        from++;
        *more = *from == ',';
        *to = '\0';
        *line = from + *more;
        return field;
    }
    from += strcspn(from, ",");
    *more = *from == ',';
    *line = from + *more;
    *from = '\0';
    return format_trim(field);
}

/* Returns the number of fields, or -1. */
static int split(char *line, char *fields[static FIELDS_MAX])
{
    bool more = true;
    int count = 0;

    while (more) {
        if (count == FIELDS_MAX || (fields[count] = take_field(&line, &more)) == NULL)
            return -1;
        count++;
    }
    return count;
}

/* Whether the first line names the columns; notes where they are. */
static bool read_header(struct format_reader *reader, char *const *fields, int count)
{
    const char *field = reader->options.field;

    for (int c = 0; c < FORMAT_COLUMNS; c++)
        reader->columns[c] = -1;
    for (int i = 0; i < count; i++)
        for (int c = 0; c < FORMAT_COLUMNS; c++)
            if (strcasecmp(fields[i], c == COLUMN_ENTRY && field != NULL
                                          ? field
                                          : column_names[c]) == 0)
                reader->columns[c] = i;
    if (field != NULL)
        reader->columns[COLUMN_ACTION] = -1; /* others mean something else by it */
    if (reader->columns[COLUMN_ENTRY] >= 0)
        return true;
    if (field != NULL) { /* every line is bad then: none has that column */
        reader_bad(reader, "the first line has no column \"%.100s\"", field);
        return true;
    }
    reader->columns[COLUMN_ENTRY] = 0;
    reader->columns[COLUMN_REASON] = 1;
    return false;
}

static const char *field_of(const struct format_reader *reader, char *const *fields,
                            int count, enum column column)
{
    int at = reader->columns[column];

    return at >= 0 && at < count ? fields[at] : "";
}

static bool is_yes(const char *text)
{
    return strcmp(text, "1") == 0 || strcasecmp(text, "true") == 0 ||
           strcasecmp(text, "yes") == 0 || strcasecmp(text, "allow") == 0;
}

static bool is_no(const char *text)
{
    return *text == '\0' || strcmp(text, "0") == 0 || strcasecmp(text, "false") == 0 ||
           strcasecmp(text, "no") == 0 || strcasecmp(text, "block") == 0;
}

static void read_fields(struct format_reader *reader, char *const *fields, int count)
{
    struct format_row row = {0};
    const char *text = field_of(reader, fields, count, COLUMN_ENTRY);
    const char *allow = field_of(reader, fields, count, COLUMN_ALLOW);
    char error[ENTRY_ERROR_SIZE];
    bool marked = *text == '!'; /* as in the plain format */

    row.source = field_of(reader, fields, count, COLUMN_SOURCE);
    row.reason = field_of(reader, fields, count, COLUMN_REASON);
    row.source = *row.source != '\0' ? row.source : NULL;
    row.reason = *row.reason != '\0' ? row.reason : NULL;
    if (entry_parse(text + marked, &row.entry, error) != 0)
        reader_bad(reader, "%s", error);
    else if (!is_yes(allow) && !is_no(allow))
        reader_bad(reader, "allow: expected true or false");
    else if (!reader_action(reader, field_of(reader, fields, count, COLUMN_ACTION),
                            marked || is_yes(allow), *allow != '\0' && is_no(allow),
                            &row))
        return;
    else if (format_time_parse(field_of(reader, fields, count, COLUMN_SINCE),
                               &row.since) != 0 ||
             format_time_parse(field_of(reader, fields, count, COLUMN_EXPIRES),
                               &row.expires) != 0)
        reader_bad(reader, "expected a time such as 2026-11-24T10:00:00Z");
    else
        reader_row(reader, &row);
}

static void csv_line(struct format_reader *reader, char *line)
{
    char *fields[FIELDS_MAX];
    int count;

    line = format_trim(line);
    if (*line == '\0' || (reader->options.field != NULL && *line == '#'))
        return;
    count = split(line, fields);
    if (count < 0) {
        reader_bad(reader,
                   "a quoted field does not end on its line, or something follows "
                   "its end, or there are more than %d",
                   FIELDS_MAX);
        return;
    }
    if (!reader->header_read) {
        reader->header_read = true;
        if (read_header(reader, fields, count))
            return;
    }
    read_fields(reader, fields, count);
}

static int write_field(FILE *out, const char *text, char end)
{
    size_t length;

    if (text == NULL)
        text = "";
    length = strlen(text);
    /* space at an end is kept only inside quotes */
    if (strpbrk(text, ",\"\r\n") == NULL &&
        (length == 0 ||
         (strchr(" \t", text[0]) == NULL && strchr(" \t", text[length - 1]) == NULL)))
        return fprintf(out, "%s%c", text, end) < 0 ? -1 : 0;
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    return fprintf(out, "\"%c", end) < 0 ? -1 : 0;
}

static int csv_start(struct format_writer *writer)
{
    return fputs("entry,allow,source,reason,since,expires,action\n", writer->out) < 0 ? -1
                                                                                      : 0;
}

static int csv_row(struct format_writer *writer, const struct format_row *row)
{
    char since[32], expires[32];

    format_time_text(row->since, since);
    format_time_text(row->expires, expires);
    return write_field(writer->out, row->entry.text, ',') == 0 &&
                   write_field(writer->out, row->allow ? "true" : "false", ',') == 0 &&
                   write_field(writer->out, row->source, ',') == 0 &&
                   write_field(writer->out, row->reason, ',') == 0 &&
                   write_field(writer->out, since, ',') == 0 &&
                   write_field(writer->out, expires, ',') == 0 &&
                   write_field(writer->out, entry_action_name(row->allow, row->tempfail),
                               '\n') == 0
               ? 0
               : -1;
}

const struct format format_csv = {
    .name = "csv", .line = csv_line, .write_start = csv_start, .write_row = csv_row};
