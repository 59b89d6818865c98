/* SPDX-License-Identifier: BSD-2-Clause */
/* export: the whole list in one of the formats. */

#include "ctl/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "formats/format.h"

struct exporting {
    struct format_writer *writer;
    bool sources; /* it says them: csv, json */
    unsigned long written, left_out;
    json_t *held; /* of a format without sources: the row that is written next */
};

/* An entry as the daemon has it. Returns 0, or -1 for an answer that is none. */
static int read_row(const json_t *value, struct format_row *row)
{
    const char *action = text_of(value, "action");

    *row = (struct format_row){0};
    if (action[0] == '\0' ||
        entry_kind_parse(text_of(value, "kind"), &row->entry.kind) != 0 ||
        !json_is_string(json_object_get(value, "entry")) ||
        !text_copy(text_of(value, "entry"), row->entry.text, sizeof row->entry.text))
        return -1;
    row->allow = strcmp(action, "allow") == 0;
    row->tempfail = strcmp(action, "tempfail") == 0;
    row->source = json_string_value(json_object_get(value, "source"));
    row->reason = json_string_value(json_object_get(value, "reason"));
    row->since = (time_t)number_of(value, "since");
    row->expires = (time_t)number_of(value, "expires");
    return 0;
}

static enum outcome write_one(struct exporting *ex, const json_t *value)
{
    struct format_row row;
    int rc;

    if (read_row(value, &row) != 0)
        return ctl_error(OUTCOME_REFUSED, "the daemon's answer has a row that is none");
    rc = format_writer_row(ex->writer, &row);
    if (rc < 0)
        return OUTCOME_REFUSED; /* main says why */
    if (rc == 0)
        ex->written++;
    else
        ex->left_out++;
    return OUTCOME_DONE;
}

static void hold(struct exporting *ex, const json_t *value)
{
    json_decref(ex->held);
    ex->held = json_incref((json_t *)value);
}

/* A format that has no sources says each entry once: it blocks where one of them does. */
static enum outcome write_once(struct exporting *ex, const json_t *value)
{
    enum outcome outcome = OUTCOME_DONE;
    bool allow = strcmp(text_of(value, "action"), "allow") == 0;

    /* another source's, about the same */
    if (ex->held != NULL &&
        json_equal(json_object_get(ex->held, "entry"), json_object_get(value, "entry")) &&
        (strcmp(text_of(ex->held, "action"), "allow") == 0) == allow) {
        if (strcmp(text_of(ex->held, "action"), "tempfail") == 0 &&
            strcmp(text_of(value, "action"), "block") == 0)
            hold(ex, value);
        return OUTCOME_DONE;
    }
    if (ex->held != NULL)
        outcome = write_one(ex, ex->held);
    hold(ex, value);
    return outcome;
}

static enum outcome write_page(void *context, const json_t *rows)
{
    struct exporting *ex = context;
    enum outcome outcome = OUTCOME_DONE;
    const json_t *value;
    size_t i;

    json_array_foreach (rows, i, value) {
        outcome = ex->sources ? write_one(ex, value) : write_once(ex, value);
        if (outcome != OUTCOME_DONE)
            break;
    }
    return outcome;
}

const struct format *find_format(const char *name, bool to_export)
{
    const struct format *format = format_find(name);

    if (format != NULL && (!to_export || format_can_export(format)))
        return format;
    fprintf(stderr, "rblctl: no %sformat \"%s\"; possible are",
            to_export ? "export " : "", name);
    for (const char *const *p = format_names(); *p != NULL; p++)
        if (!to_export || format_can_export(format_find(*p)))
            fprintf(stderr, " %s", *p);
    fputc('\n', stderr);
    return NULL;
}

enum outcome ctl_export(struct ctl *ctl, const struct arguments *arguments)
{
    const char *name = arguments->option[OPTION_FORMAT];
    const struct format *format;
    struct exporting ex = {0};
    enum outcome outcome;
    json_t *request;

    if (name == NULL)
        name = ctl->json ? "json" : "plain";
    format = find_format(name, true);
    if (format == NULL)
        return OUTCOME_USAGE;
    ex.sources = strcmp(name, "csv") == 0 || strcmp(name, "json") == 0;
    ex.writer = format_writer_new(format, stdout);
    if (ex.writer == NULL)
        return ctl_error(OUTCOME_REFUSED, "%s", strerror(errno));
    request = ctl_request("list");
    ctl_set_text(&request, "sort", "entry"); /* what write_once rests on */
    outcome = ctl_send_pages(ctl, request, "rows", "cursor", -1, write_page, &ex);
    if (outcome == OUTCOME_DONE && ex.held != NULL)
        outcome = write_one(&ex, ex.held);
    json_decref(ex.held);
    if (format_writer_end(ex.writer) != 0 && outcome == OUTCOME_DONE)
        outcome = ctl_error(OUTCOME_REFUSED, "cannot write: %s", strerror(errno));
    if (ex.left_out > 0)
        ctl_error(OUTCOME_DONE, "%lu entries left out: %s cannot say them", ex.left_out,
                  name);
    return outcome;
}
