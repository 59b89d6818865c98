/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "control/protocol.h"
#include "ctl/client.h"
#include "ctl/shown.h"
#include "ctl/table.h"

enum outcome ctl_error(enum outcome outcome, const char *format, ...)
{
    va_list args;

    fputs("rblctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return outcome;
}

static enum outcome outcome_of(enum protocol_error error)
{
    switch (error) {
    case PROTOCOL_USAGE:
        return OUTCOME_USAGE;
    case PROTOCOL_NO_ENTRY:
        return OUTCOME_NO;
    case PROTOCOL_DENIED:
    case PROTOCOL_REFUSED:
    case PROTOCOL_BUSY:
    case PROTOCOL_FAILED:
        return OUTCOME_REFUSED;
    }
    abort();
}

enum outcome ctl_refused(const json_t *answer)
{
    const char *text = json_string_value(json_object_get(answer, "text"));
    const char *name = json_string_value(json_object_get(answer, "error"));
    const json_t *messages = json_object_get(answer, "messages");
    enum protocol_error error = PROTOCOL_FAILED;
    char clean[2048];
    size_t i;
    json_t *message;

    json_array_foreach (messages, i, message)
        if (json_is_string(message)) {
            shown_text(json_string_value(message), clean, sizeof clean);
            ctl_error(OUTCOME_REFUSED, "%s", clean);
        }
    shown_text(text == NULL ? "the daemon gave no reason" : text, clean, sizeof clean);
    if (name != NULL)
        (void)protocol_error_parse(name, &error); /* an unknown one: FAILED */
    return ctl_error(outcome_of(error), "%s", clean);
}

static enum outcome not_reached(const struct ctl *ctl)
{
    const char *advice = "";

    if (errno == EACCES || errno == EPERM)
        return ctl_error(
            OUTCOME_REFUSED,
            "%s: permission denied: only root, the daemon's user and members "
            "of its group may read",
            ctl->socket);
    if (errno == ENOENT || errno == ECONNREFUSED)
        advice = "; is rblmilter running, with this control socket?";
    if (errno == ECONNRESET)
        return ctl_error(OUTCOME_UNREACHABLE,
                         "%s: the daemon has closed the connection: it has stopped, or "
                         "nothing was said for a minute",
                         ctl->socket);
    return ctl_error(OUTCOME_UNREACHABLE, "%s: %s%s", ctl->socket, strerror(errno),
                     advice);
}

static json_t *ask_once(struct ctl *ctl, const json_t *request)
{
    if (ctl->client == NULL)
        ctl->client = client_new(ctl->socket);
    return ctl->client == NULL ? NULL : client_ask(ctl->client, request);
}

/* Takes the reference to request. An idle connection may have been closed by the daemon:
 * what changes nothing is then asked again. */
static json_t *ask(struct ctl *ctl, json_t *request, bool repeatable,
                   enum outcome *outcome)
{
    bool again = ctl->client != NULL && repeatable;
    json_t *answer;

    if (request == NULL) {
        *outcome = ctl_error(OUTCOME_USAGE, "an argument is not valid UTF-8");
        return NULL;
    }
    answer = ask_once(ctl, request);
    if (answer == NULL && errno == ECONNRESET && again) {
        ctl_end(ctl);
        answer = ask_once(ctl, request);
    }
    if (answer == NULL)
        *outcome = not_reached(ctl);
    json_decref(request);
    return answer;
}

static json_t *only_ok(json_t *answer, enum outcome *outcome)
{
    if (answer == NULL || json_is_true(json_object_get(answer, "ok")))
        return answer;
    *outcome = ctl_refused(answer);
    json_decref(answer);
    return NULL;
}

json_t *ctl_ask_any(struct ctl *ctl, json_t *request, enum outcome *outcome)
{
    return ask(ctl, request, false, outcome);
}

json_t *ctl_ask(struct ctl *ctl, json_t *request, enum outcome *outcome)
{
    return only_ok(ask(ctl, request, false, outcome), outcome);
}

json_t *ctl_ask_page(struct ctl *ctl, json_t *request, enum outcome *outcome)
{
    return only_ok(ask(ctl, request, true, outcome), outcome);
}

enum outcome ctl_show_member(struct ctl *ctl, json_t *request, const char *name)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_ask(ctl, request, &outcome);
    const json_t *member = json_object_get(answer, name);

    if (answer == NULL)
        return outcome;
    if (ctl->json)
        shown_json(member, ctl->terminal);
    else
        shown_object(member);
    json_decref(answer);
    return OUTCOME_DONE;
}

json_t *ctl_request(const char *command)
{
    return json_pack("{s:s}", "command", command);
}

static void set(json_t **request, const char *name, json_t *value)
{
    if (json_object_set_new(*request, name, value) == 0)
        return;
    json_decref(*request);
    *request = NULL;
}

void ctl_set_text(json_t **request, const char *name, const char *text)
{
    if (text != NULL)
        set(request, name, json_string(text));
}

void ctl_set_number(json_t **request, const char *name, json_int_t number)
{
    if (number != -1)
        set(request, name, json_integer(number));
}

void ctl_end(struct ctl *ctl)
{
    client_free(ctl->client);
    ctl->client = NULL;
}

/* --- long answers, page by page --- */

enum outcome pages_ask(struct ctl *ctl, json_t *request, const char *rows,
                       const char *cursor, int64_t limit, pages_each *each, void *context)
{
    enum outcome outcome = OUTCOME_DONE;
    const json_t *next = NULL;
    json_t *answer;

    do {
        if (limit != -1)
            json_object_set_new(request, "limit",
                                json_integer(limit < PROTOCOL_PAGE_ROWS
                                                 ? (json_int_t)limit
                                                 : PROTOCOL_PAGE_ROWS));
        answer = ctl_ask_page(ctl, json_incref(request), &outcome);
        if (answer == NULL)
            break;
        outcome = each(context, json_object_get(answer, rows));
        if (limit != -1)
            limit -= (int64_t)json_array_size(json_object_get(answer, rows));
        next = json_object_get(answer, cursor);
        if (next != NULL)
            json_object_set(request, cursor, (json_t *)next);
        json_decref(answer);
    } while (next != NULL && outcome == OUTCOME_DONE && limit != 0);
    json_decref(request);
    return outcome;
}

struct printing {
    struct table *table; /* NULL: JSON */
    bool ascii;
    size_t count;
};

static enum outcome print_page(void *context, const json_t *rows)
{
    struct printing *p = context;
    const json_t *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        if (p->table != NULL) {
            if (table_add(p->table, row) != 0)
                return ctl_error(OUTCOME_REFUSED, "no memory");
            continue;
        }
        fputs(p->count++ == 0 ? "\n    " : ",\n    ", stdout);
        json_show(row, stdout, JSON_COMPACT | (p->ascii ? JSON_ENSURE_ASCII : 0));
    }
    if (p->table != NULL && table_print(p->table) != 0)
        return OUTCOME_REFUSED;
    return ferror(stdout) ? OUTCOME_REFUSED : OUTCOME_DONE;
}

enum outcome pages_print(struct ctl *ctl, json_t *request, const char *rows,
                         const char *cursor, int64_t limit,
                         const struct pages_output *output)
{
    struct printing printing = {.ascii = ctl->terminal};
    enum outcome outcome;

    if (ctl->json) {
        printf("{\"%s\": [", output->name);
    } else {
        printing.table = table_new(output->columns, output->column_count, output->chosen,
                                   output->color, ctl->terminal);
        if (printing.table == NULL) {
            json_decref(request);
            return OUTCOME_USAGE;
        }
    }
    outcome = pages_ask(ctl, request, rows, cursor, limit, print_page, &printing);
    if (ctl->json && outcome == OUTCOME_DONE)
        fputs("\n]}\n", stdout);
    table_free(printing.table);
    return outcome;
}
