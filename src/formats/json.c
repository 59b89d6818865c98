/* SPDX-License-Identifier: BSD-2-Clause */
/* json: objects {"entry":…,"action":…,"allow":…,"source":…,"reason":…,"since":…,
 * "expires":…}, in an array or one after the other. Only one object is held at a time,
 * however long the array is: its end is found by counting braces, and jansson reads what
 * is between. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "formats/format_table.h"

/* A time, as a number or a text; null and nothing are 0. */
static int read_time(const json_t *value, time_t *out)
{
    *out = 0;
    if (value == NULL || json_is_null(value))
        return 0;
    if (json_is_integer(value)) {
        *out = (time_t)json_integer_value(value);
        return *out >= 0 && *out < FORMAT_TIME_END ? 0 : -1;
    }
    return json_is_string(value) ? format_time_parse(json_string_value(value), out) : -1;
}

static void read_object(struct format_reader *reader, const json_t *object)
{
    const char *field = reader->options.field != NULL ? reader->options.field : "entry";
    const char *entry = json_string_value(json_object_get(object, field));
    const char *type = json_string_value(json_object_get(object, "type"));
    const json_t *allow = json_object_get(object, "allow");
    /* others mean something else by it */
    const json_t *action =
        reader->options.field == NULL ? json_object_get(object, "action") : NULL;
    struct format_row row = {
        .source = json_string_value(json_object_get(object, "source")),
        .reason = json_string_value(json_object_get(object, "reason"))};
    char error[ENTRY_ERROR_SIZE];

    if (entry == NULL && reader->options.field != NULL && type != NULL &&
        strcmp(type, "metadata") == 0)
        return; /* Spamhaus' DROP ends so */
    if (entry == NULL)
        reader_bad(reader,
                   "expected an object with \"%.100s\": \"…\" (--field NAME: another)",
                   field);
    else if (allow != NULL && !json_is_boolean(allow) && !json_is_null(allow))
        reader_bad(reader, "\"allow\": expected true or false");
    else if (action != NULL && !json_is_string(action) && !json_is_null(action))
        reader_bad(reader, "\"action\": expected \"block\", \"tempfail\" or \"allow\"");
    else if (!reader_action(reader,
                            json_is_string(action) ? json_string_value(action) : "",
                            json_is_true(allow), json_is_false(allow), &row))
        return;
    else if (entry_parse(entry, &row.entry, error) != 0)
        reader_bad(reader, "%s", error);
    else if (read_time(json_object_get(object, "since"), &row.since) != 0 ||
             read_time(json_object_get(object, "expires"), &row.expires) != 0)
        reader_bad(reader, "expected a time such as 1800000000 or "
                           "\"2026-11-24T10:00:00Z\"");
    else
        reader_row(reader, &row);
}

/* The object is whole; errors go with the line where it began. */
static void take_object(struct format_reader *reader)
{
    unsigned long line = reader->line;
    json_error_t error;
    json_t *object = json_loads(reader->text, JSON_REJECT_DUPLICATES, &error);

    reader->line = reader->text_line;
    if (object == NULL)
        reader_bad(reader, "no JSON: %s", error.text);
    else
        read_object(reader, object);
    json_decref(object);
    reader->line = line;
    reader->used = 0;
}

/* Returns false where the line cannot be gone on with. */
static bool take_character(struct format_reader *reader, char c)
{
    size_t size = reader->size > 0 ? reader->size * 2 : 1024;
    char *text;

    if (reader->depth == 0 && c != '{')
        return strchr(" \t\r\n,[]", c) != NULL;
    if (reader->depth == 0) {
        reader->text_line = reader->line;
        reader->used = 0;
    }
    if (reader->used + 2 > reader->size) {
        text = size > FORMAT_LINE_MAX * 2 ? NULL : realloc(reader->text, size);
        if (text == NULL)
            return false;
        reader->text = text;
        reader->size = size;
    }
    reader->text[reader->used++] = c;
    reader->text[reader->used] = '\0';
    if (reader->in_string) {
        reader->in_string = reader->escaped || c != '"';
        reader->escaped = !reader->escaped && c == '\\';
        return true;
    }
    reader->in_string = c == '"';
    reader->depth += (c == '{') - (c == '}');
    if (reader->depth == 0)
        take_object(reader);
    return true;
}

static void json_line(struct format_reader *reader, char *line)
{
    for (char *p = line; *p != '\0'; p++) {
        if (take_character(reader, *p))
            continue;
        reader_bad(reader,
                   "expected {\"entry\": \"…\"}, objects in an array or one after "
                   "the other");
        reader->depth = 0;
        reader->in_string = reader->escaped = false;
        return;
    }
    if (reader->depth > 0)
        (void)take_character(reader, '\n'); /* full: the next character says */
}

static void json_end(struct format_reader *reader)
{
    if (reader->depth > 0) {
        reader->line = reader->text_line;
        reader_bad(reader, "the object that begins here does not end");
    }
}

static int json_row(struct format_writer *writer, const struct format_row *row)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:b, s:s*, s:s*, s:I}", "entry", row->entry.text, "action",
        entry_action_name(row->allow, row->tempfail), "allow", (int)row->allow, "source",
        row->source, "reason", row->reason, "since", (json_int_t)row->since);
    int rc = -1;

    if (object != NULL && row->expires != 0 &&
        json_object_set_new(object, "expires", json_integer((json_int_t)row->expires)) !=
            0)
        goto out;
    if (object != NULL && fputs(writer->begun ? ",\n" : "", writer->out) >= 0)
        rc = json_show(object, writer->out, JSON_COMPACT);
out:
    json_decref(object);
    return rc;
}

static int json_start(struct format_writer *writer)
{
    return fputs("[\n", writer->out) < 0 ? -1 : 0;
}

static int json_finish(struct format_writer *writer)
{
    return fputs(writer->begun ? "\n]\n" : "]\n", writer->out) < 0 ? -1 : 0;
}

const struct format format_json = {.name = "json",
                                   .line = json_line,
                                   .end = json_end,
                                   .write_start = json_start,
                                   .write_row = json_row,
                                   .write_end = json_finish};
