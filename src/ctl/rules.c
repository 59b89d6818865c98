/* SPDX-License-Identifier: BSD-2-Clause */
/* rules, proposals, usage, event, watch: what is listed by itself, or would be. */

#include "ctl/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "control/protocol.h"
#include "ctl/output.h"

#define WATCH_WAIT_S 20

/* Prints the rows of an answer, as each makes them; with --json the member itself. */
static enum outcome print_rows(struct ctl *ctl, json_t *request, const char *name,
                               const struct column *columns, size_t count,
                               json_t *(*shown)(const json_t *row), const char *none)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_send(ctl, request, &outcome), *rows;
    const json_t *all = json_object_get(answer, name), *row;
    size_t i;

    if (answer == NULL)
        return outcome;
    if (ctl->json) {
        shown_json(all, ctl->terminal);
    } else if (json_array_size(all) == 0) {
        puts(none);
    } else {
        rows = json_array();
        json_array_foreach (all, i, row)
            protocol_append(&rows, shown(row));
        if (json_object_get(json_array_get(rows, 0), columns[count - 1].name) == NULL)
            count--; /* a column that is not always there is the last */
        if (table_of(columns, count, NULL, NULL, ctl->terminal, rows) != 0)
            outcome = OUTCOME_REFUSED;
        json_decref(rows);
    }
    json_decref(answer);
    return outcome;
}

/* --- rules --- */

static const struct column rule_columns[] = {
    {"rule", "RULE", COLUMN_TEXT},           {"mode", "MODE", COLUMN_TEXT},
    {"now", "NOW", COLUMN_NUMBER},           {"findings", "FINDINGS", COLUMN_NUMBER},
    {"open", "OPEN", COLUMN_NUMBER},         {"listed", "LISTED", COLUMN_NUMBER},
    {"accepted", "ACCEPTED", COLUMN_NUMBER}, {"dismissed", "DISMISSED", COLUMN_NUMBER},
    {"removed", "REMOVED", COLUMN_NUMBER},
};

static json_t *shown_rule(const json_t *row)
{
    json_t *shown = json_deep_copy(row);
    const char *mode = text_of(row, "mode"), *but = "";
    char text[64];

    if (number_of(row, "tripped_at") != 0)
        but = ", tripped";
    else if (number_of(row, "since") > (json_int_t)time(NULL) - 7 * 86400 &&
             strcmp(mode, "enforce") == 0)
        but = ", but new";
    snprintf(text, sizeof text, "%s%s", mode, but);
    protocol_set(&shown, "mode", json_string(text));
    return shown;
}

enum outcome ctl_rules(struct ctl *ctl, const struct arguments *arguments)
{
    json_t *request;

    if (arguments->word_count == 0)
        return print_rows(ctl, ctl_request("rules"), "rules", COLUMNS(rule_columns),
                          shown_rule, "there are no rules");
    if (arguments->word_count != 2 || strcmp(arguments->words[0], "resume") != 0)
        return ctl_error(OUTCOME_USAGE, "usage: rblctl rules [resume NAME]");
    request = ctl_request("rules-resume");
    ctl_set_text(&request, "rule", arguments->words[1]);
    ctl_set_text(&request, "sudo", getenv("SUDO_USER"));
    return ctl_do(ctl, request);
}

/* --- proposals --- */

static const struct column proposal_columns[] = {
    {"no", "NO", COLUMN_NUMBER},     {"age", "AGE", COLUMN_TEXT},
    {"rule", "RULE", COLUMN_TEXT},   {"entry", "ENTRY", COLUMN_TEXT},
    {"would", "WOULD", COLUMN_TEXT}, {"because", "BECAUSE", COLUMN_TEXT},
    {"host", "HOST", COLUMN_TEXT}, /* in a farm */
};

static json_t *shown_proposal(const json_t *row)
{
    json_t *shown = json_deep_copy(row);
    long long age_s = (long long)time(NULL) - number_of(row, "at");
    char span[SPAN_TEXT_SIZE], age[32], would[96];

    shown_span(number_of(row, "for_s"), span);
    if (age_s < 3600)
        snprintf(age, sizeof age, "%lldm", age_s < 0 ? 0 : age_s / 60);
    else if (age_s < 2 * 86400)
        snprintf(age, sizeof age, "%lldh", age_s / 3600);
    else
        snprintf(age, sizeof age, "%lldd", age_s / 86400);
    if (strcmp(text_of(row, "state"), "open") == 0)
        snprintf(would, sizeof would, "%s %s", text_of(row, "action"), span);
    else
        snprintf(would, sizeof would, "%s %s: %s", text_of(row, "action"), span,
                 text_of(row, "state"));
    protocol_set(&shown, "age", json_string(age));
    protocol_set(&shown, "would", json_string(would));
    return shown;
}

static enum outcome decide(struct ctl *ctl, const struct arguments *arguments,
                           bool accept)
{
    json_t *numbers = json_array(), *request;

    for (int i = 1; i < arguments->word_count; i++) {
        const char *text = arguments->words[i];

        if (text[0] == '\0' || strlen(text) > 15 ||
            strspn(text, "0123456789") != strlen(text)) {
            json_decref(numbers);
            return ctl_error(OUTCOME_USAGE, "%s: expected the number of a proposal",
                             text);
        }
        protocol_append(&numbers, json_integer(strtoll(text, NULL, 10)));
    }
    request = ctl_request("proposals-decide");
    protocol_set(&request, "numbers", numbers);
    protocol_set(&request, "accept", json_boolean(accept));
    ctl_set_text(&request, "reason", arguments->option[OPTION_REASON]);
    ctl_set_text(&request, "sudo", getenv("SUDO_USER"));
    return ctl_do(ctl, request);
}

enum outcome ctl_proposals(struct ctl *ctl, const struct arguments *arguments)
{
    json_t *request;

    if (arguments->word_count > 1 && strcmp(arguments->words[0], "accept") == 0)
        return decide(ctl, arguments, true);
    if (arguments->word_count > 1 && strcmp(arguments->words[0], "dismiss") == 0)
        return decide(ctl, arguments, false);
    if (arguments->word_count > 0)
        return ctl_error(OUTCOME_USAGE,
                         "usage: rblctl proposals [--all] | accept NO… | dismiss NO… "
                         "[--reason TEXT]");
    request = ctl_request("proposals");
    ctl_set_flag(&request, "all", arguments, OPTION_ALL);
    return print_rows(ctl, request, "proposals", COLUMNS(proposal_columns),
                      shown_proposal, "there are no proposals");
}

/* --- usage --- */

static const struct column usage_columns[] = {
    {"key", "ENTRY", COLUMN_TEXT},
    {"count", "COUNT", COLUMN_TEXT},
    {"value", "NOW", COLUMN_NUMBER},
    {"limit", "LIMIT", COLUMN_TEXT},
    {"rule", "RULE", COLUMN_TEXT},
    {"farm", "FARM", COLUMN_NUMBER}, /* there, of all hosts */
};

/* One row a window that has a limit, or counts something. */
static void add_usage(json_t **rows, const json_t *one)
{
    const json_t *count;
    char text[64], span[SPAN_TEXT_SIZE], limit[32], rule[96];
    size_t i;

    json_array_foreach (json_object_get(one, "counts"), i, count) {
        const json_t *farm = json_object_get(count, "farm");

        if (number_of(count, "value") == 0 && json_integer_value(farm) == 0)
            continue;
        shown_span(number_of(count, "span_s"), span);
        snprintf(text, sizeof text, "%s in %s", text_of(count, "count"), span);
        snprintf(limit, sizeof limit, "%lld", number_of(count, "limit"));
        snprintf(rule, sizeof rule, "%s%s", text_of(count, "rule"),
                 json_is_true(json_object_get(count, "whole")) ? ""
                                                               : " (counted for less)");
        protocol_append(rows, json_pack("{s:s, s:s, s:I, s:s, s:s, s:O*}", "key",
                                        text_of(one, "key"), "count", text, "value",
                                        number_of(count, "value"), "limit",
                                        number_of(count, "limit") > 0 ? limit : "",
                                        "rule", rule, "farm", farm));
    }
}

static enum outcome print_usage(struct ctl *ctl, const json_t *usage)
{
    json_t *rows = json_array();
    const json_t *one;
    enum outcome outcome = OUTCOME_DONE;
    bool in_farm = false;
    size_t i;

    json_array_foreach (usage, i, one) {
        in_farm = in_farm || json_object_get(one, "hosts") != NULL;
        add_usage(&rows, one);
    }
    if (json_array_size(rows) == 0)
        puts("nothing is counted of it");
    else if (table_of(COLUMNS(usage_columns) - !in_farm, NULL, NULL, ctl->terminal,
                      rows) != 0)
        outcome = OUTCOME_REFUSED;
    json_decref(rows);
    return outcome;
}

enum outcome ctl_usage(struct ctl *ctl, const struct arguments *arguments)
{
    const char *entry = arguments->word_count > 0 ? arguments->words[0] : NULL;
    bool reset = arguments->option[OPTION_RESET] != NULL;
    json_t *request = ctl_request(reset ? "usage-reset" : "usage"), *answer;
    enum outcome outcome = OUTCOME_DONE;
    int64_t top;

    if (arguments_number(arguments, OPTION_TOP, &top) != 0 || (reset && entry == NULL)) {
        json_decref(request);
        return reset ? ctl_error(OUTCOME_USAGE, "usage: rblctl usage ENTRY --reset")
                     : OUTCOME_USAGE;
    }
    ctl_set_text(&request, "entry", entry);
    ctl_set_number(&request, "top", top);
    answer = ctl_send(ctl, request, &outcome);
    if (answer == NULL)
        return outcome;
    if (ctl->json)
        shown_json(json_object_get(answer, reset ? "entry" : "usage"), ctl->terminal);
    else if (!reset)
        outcome = print_usage(ctl, json_object_get(answer, "usage"));
    json_decref(answer);
    return outcome;
}

/* --- event --- */

enum outcome ctl_event(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *request = ctl_request("event"), *answer;
    int64_t n;

    if (arguments_number(arguments, OPTION_COUNTED, &n) != 0) {
        json_decref(request);
        return OUTCOME_USAGE;
    }
    ctl_set_text(&request, "kind", arguments->words[0]);
    ctl_set_text(&request, "entry", arguments->words[1]);
    ctl_set_number(&request, "n", n);
    answer = ctl_send(ctl, request, &outcome);
    if (answer != NULL && ctl->json)
        shown_json(answer, ctl->terminal);
    else if (answer != NULL && !json_is_true(json_object_get(answer, "counted")))
        puts("no rule counts that");
    json_decref(answer);
    return outcome;
}

/* --- watch --- */

/* Reads the number of the last event that was seen. Returns 0; or -1 after an error was
 * printed. A file that does not exist: from now on. */
static int read_cursor(const char *path, json_int_t *after)
{
    FILE *in = path != NULL ? fopen(path, "re") : NULL;
    char line[32] = "", *end;

    *after = -1;
    if (in == NULL) {
        if (path == NULL || errno == ENOENT)
            return 0;
        ctl_error(OUTCOME_REFUSED, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (fgets(line, sizeof line, in) != NULL)
        *after = strtoll(line, &end, 10);
    fclose(in);
    if (line[0] == '\0' || line[0] == '\n' || *end != '\n' || *after < 0) {
        ctl_error(OUTCOME_REFUSED, "%s: expected the number of an event", path);
        return -1;
    }
    return 0;
}

/* Keeps it, so that a kill leaves the old one or the new. */
static int write_cursor(const char *path, json_int_t last)
{
    char *temporary = NULL;
    FILE *out = NULL;
    int rc = -1;

    if (path == NULL)
        return 0;
    if (asprintf(&temporary, "%s.new", path) < 0) {
        temporary = NULL;
        goto out;
    }
    out = fopen(temporary, "we");
    if (out == NULL || fprintf(out, "%lld\n", (long long)last) < 0 || fflush(out) != 0 ||
        fsync(fileno(out)) != 0)
        goto out;
    rc = rename(temporary, path);
out:
    if (rc != 0)
        ctl_error(OUTCOME_REFUSED, "%s: %s", path, strerror(errno));
    if (out != NULL)
        fclose(out);
    free(temporary);
    return rc;
}

static void print_event(const struct ctl *ctl, const json_t *event)
{
    char when[64], entry[512], because[512], who[128];

    if (ctl->json) {
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    shown_clock(number_of(event, "at"), "%Y-%m-%d %H:%M:%S", when, sizeof when);
    shown_text(text_of(event, "entry"), entry, sizeof entry);
    shown_text(text_of(event, "because"), because, sizeof because);
    shown_text(text_of(event, "who"), who, sizeof who);
    printf("%s %s %s%s%s%s%s%s%s\n", when, text_of(event, "event"),
           text_of(event, "rule"), entry[0] != '\0' ? " " : "", entry,
           who[0] != '\0' ? " by " : "", who, because[0] != '\0' ? ": " : "", because);
}

/* Prints what happens until it is ended. The cursor is kept only when what it covers is
 * out: what a kill cuts off comes again. */
enum outcome ctl_watch(struct ctl *ctl, const struct arguments *arguments)
{
    const char *path = arguments->option[OPTION_CURSOR];
    enum outcome outcome = OUTCOME_DONE;
    json_int_t after, last;

    if (read_cursor(path, &after) != 0)
        return OUTCOME_REFUSED;
    for (;;) {
        json_t *request = ctl_request("watch"), *answer;
        const json_t *event;
        size_t i;

        protocol_set(&request, "after", json_integer(after));
        ctl_set_number(&request, "wait_s", WATCH_WAIT_S);
        answer = ctl_send_page(ctl, request, &outcome);
        if (answer == NULL)
            return outcome;
        json_array_foreach (json_object_get(answer, "events"), i, event)
            print_event(ctl, event);
        last = number_of(answer, "last");
        json_decref(answer);
        if (fflush(stdout) != 0)
            return ctl_error(OUTCOME_REFUSED, "cannot write: %s", strerror(errno));
        if (last != after && write_cursor(path, last) != 0)
            return OUTCOME_REFUSED;
        after = last;
    }
}
