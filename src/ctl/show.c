/* SPDX-License-Identifier: BSD-2-Clause */
/* show: one entry, now and before. */

#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/columns.h"
#include "ctl/pages.h"
#include "ctl/shown.h"

static enum outcome gather(void *context, const json_t *rows)
{
    json_array_extend(context, (json_t *)rows);
    return OUTCOME_DONE;
}

/* The pattern that only this text matches. */
static void pattern_of(const char *entry, char *out, size_t size)
{
    size_t used = 0;

    for (; *entry != '\0' && used + 4 < size; entry++)
        used += (size_t)snprintf(out + used, size - used,
                                 strchr("*?[", *entry) != NULL ? "[%c]" : "%c", *entry);
    out[used] = '\0';
}

/* The trail of one entry, or NULL after an error was printed. */
static json_t *history_of(struct ctl *ctl, const char *entry, enum outcome *outcome)
{
    json_t *request = ctl_request("log");
    json_t *history = json_array();
    char pattern[3 * 1024];

    pattern_of(entry, pattern, sizeof pattern);
    ctl_set_text(&request, "pattern", pattern);
    *outcome = pages_ask(ctl, request, "events", "before_id", -1, gather, history);
    if (*outcome == OUTCOME_DONE)
        return history;
    json_decref(history);
    return NULL;
}

static void print_line(const char *name, const json_t *value)
{
    char text[2048];

    if (json_is_integer(value))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    else
        shown_text(json_is_string(value) ? json_string_value(value) : "-", text,
                   sizeof text);
    printf("  %-9s %s\n", name, text);
}

static void print_time(const char *name, const json_t *value, const char *none)
{
    char text[128];

    if (json_is_integer(value)) {
        shown_time((time_t)json_integer_value(value), time(NULL), text, sizeof text);
        printf("  %-9s %s\n", name, text);
    } else {
        printf("  %-9s %s\n", name, none);
    }
}

static void print_row(const json_t *row)
{
    const char *action = json_string_value(json_object_get(row, "action"));
    bool allow = action != NULL && strcmp(action, "allow") == 0;

    printf("%s\n", allow ? "allowed" : "listed");
    print_time("since", json_object_get(row, "since"), "-");
    print_line("by", json_object_get(row, "who"));
    print_line("source", json_object_get(row, "source"));
    print_line("reason", json_object_get(row, "reason"));
    print_time("ends", json_object_get(row, "expires"), "never");
    print_line("hits", json_object_get(row, "hits"));
    print_time("last hit", json_object_get(row, "last_hit"), "never");
}

/* Another entry may decide about one that is not listed itself. */
static void print_covering(const json_t *covering)
{
    const char *entry = json_string_value(json_object_get(covering, "entry"));
    const char *action = json_string_value(json_object_get(covering, "action"));
    char text[1024];

    if (entry == NULL || action == NULL)
        return;
    shown_text(entry, text, sizeof text);
    printf("%s by %s: \"rblctl show\" shows why\n",
           strcmp(action, "allow") == 0 ? "allowed" : "blocked", text);
}

static int print_people(const struct ctl *ctl, const json_t *document)
{
    const char *entry = json_string_value(json_object_get(document, "entry"));
    const json_t *rows = json_object_get(document, "rows");
    const json_t *history = json_object_get(document, "history");
    char text[1024];
    const json_t *row;
    size_t i;

    shown_text(entry == NULL ? "" : entry, text, sizeof text);
    printf("%s%s\n", text,
           json_array_size(rows) > 0      ? ""
           : json_array_size(history) > 0 ? " is not listed now"
                                          : " is not listed and never was");
    print_covering(json_object_get(document, "covered_by"));
    json_array_foreach (rows, i, row)
        print_row(row);
    if (json_array_size(history) == 0)
        return 0;
    putchar('\n');
    return table_of(event_columns, event_column_count,
                    "at,who,change,action,source,reason", NULL, ctl->terminal, history);
}

/* All about the entry as one document; NULL after an error was printed. */
static json_t *ask(struct ctl *ctl, const char *text, enum outcome *outcome)
{
    json_t *request = ctl_request("show");
    json_t *answer, *document = NULL, *history = NULL;
    const json_t *rows;
    const char *entry;

    ctl_set_text(&request, "entry", text);
    answer = ctl_ask(ctl, request, outcome);
    if (answer == NULL)
        return NULL;
    rows = json_object_get(answer, "rows");
    entry = json_string_value(json_object_get(answer, "entry"));
    history = history_of(ctl, entry == NULL ? text : entry, outcome);
    if (history != NULL)
        document = json_pack(
            "{s:O, s:O, s:b, s:O*, s:O, s:o}", "entry", json_object_get(answer, "entry"),
            "kind", json_object_get(answer, "kind"), "listed", json_array_size(rows) > 0,
            "covered_by", json_object_get(answer, "covered_by"), "rows", rows, "history",
            history);
    if (history != NULL && document == NULL)
        *outcome = ctl_error(OUTCOME_REFUSED, "the daemon's answer lacks something");
    json_decref(answer);
    return document;
}

enum outcome ctl_show(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *document = ask(ctl, arguments->words[0], &outcome);

    if (document == NULL)
        return outcome;
    outcome =
        json_is_true(json_object_get(document, "listed")) ? OUTCOME_DONE : OUTCOME_NO;
    if (ctl->json)
        shown_json(document, ctl->terminal);
    else if (print_people(ctl, document) != 0)
        outcome = OUTCOME_REFUSED;
    json_decref(document);
    return outcome;
}
