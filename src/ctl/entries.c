/* SPDX-License-Identifier: BSD-2-Clause */
/* add, tempfail, allow, remove, list, show, log: the entries of the blocklist, and the
 * audit log. */

#include "ctl/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ipaddr.h"
#include "ctl/output.h"

/* --- add, tempfail, allow, remove --- */

static json_t *entries_request(const char *command, const struct arguments *arguments)
{
    json_t *request = ctl_request(command);
    json_t *entries = json_array();

    for (int i = 0; i < arguments->word_count; i++)
        if (json_array_append_new(entries, json_string(arguments->words[i])) != 0) {
            json_decref(request);
            request = NULL; /* not UTF-8: ctl_send says so */
        }
    json_object_set_new(request, "entries", entries);
    ctl_set_text(&request, "reason", arguments->option[OPTION_REASON]);
    ctl_set_text(&request, "source", arguments->option[OPTION_SOURCE]);
    ctl_set_flag(&request, "wait", arguments, OPTION_WAIT);
    /* recorded in the audit log, as a claim */
    ctl_set_text(&request, "sudo", getenv("SUDO_USER"));
    return request;
}

/* Whether the same source had another action for the entry. */
static bool is_replaced(const json_t *answer, const json_t *entry)
{
    const json_t *one;
    size_t i;

    json_array_foreach (json_object_get(answer, "replaced"), i, one)
        if (json_equal(one, entry))
            return true;
    return false;
}

/* Each entry; of a removal by source and time, how many there were. */
static void print_entries(const json_t *answer, const char *what, const char *before)
{
    long long rows = number_of(answer, "removed");
    const json_t *entries = json_object_get(answer, "entries");
    const json_t *entry;
    size_t i;

    json_array_foreach (entries, i, entry) {
        print_text(json_is_string(entry) ? json_string_value(entry) : "");
        printf(": %s%s\n", what, is_replaced(answer, entry) ? before : "");
    }
    if (json_array_size(entries) == 0)
        printf("%lld row%s %s\n", rows, rows == 1 ? "" : "s", what);
}

/* One address of IPv6 is left as soon as it is listed. */
static void hint_ipv6(const json_t *answer)
{
    const json_t *entry;
    size_t i;

    json_array_foreach (json_object_get(answer, "entries"), i, entry) {
        char text[NETWORK_TEXT_SIZE];
        struct network network;

        if (!json_is_string(entry) ||
            network_parse(json_string_value(entry), &network) != 0 ||
            network.base.family != 6 || network.prefix != 128)
            continue;
        network_of(&network.base, 64, &network);
        network_text(&network, text);
        ctl_error(OUTCOME_DONE, "%s: a customer usually has the whole of %s",
                  json_string_value(entry), text);
    }
}

/* Sends request, and prints what became of each entry; before: what an addition replaced, NULL of
 * a removal. */
static enum outcome change(struct ctl *ctl, json_t *request, const char *what,
                           const char *before)
{
    bool wait = json_is_true(json_object_get(request, "wait"));
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_send(ctl, request, &outcome);

    if (answer == NULL)
        return outcome;
    json_object_del(answer, "ok");
    if (ctl->json)
        shown_json(answer, ctl->terminal);
    else
        print_entries(answer, what, before);
    outcome = farm_reach_show(answer, ctl->json ? NULL : what, wait);
    if (before != NULL && !ctl->json)
        hint_ipv6(answer);
    if (json_is_true(json_object_get(answer, "shadowed")))
        ctl_error(OUTCOME_DONE, "an allow entry of the same text still lets it pass: "
                                "\"rblctl remove\" takes both off");
    if (json_is_true(json_object_get(answer, "blocked")))
        ctl_error(OUTCOME_DONE, "a block of the same text, of another source, still "
                                "refuses it: \"rblctl show\" shows both");
    json_decref(answer);
    return outcome;
}

static enum outcome add(struct ctl *ctl, const struct arguments *arguments,
                        const char *command, const char *what, const char *before)
{
    json_t *request;
    int64_t expires_s;

    if (arguments_span(arguments, OPTION_EXPIRES, &expires_s) != 0)
        return OUTCOME_USAGE;
    request = entries_request(command, arguments);
    ctl_set_number(&request, "expires_s", expires_s);
    ctl_set_flag(&request, "force", arguments, OPTION_FORCE);
    return change(ctl, request, what, before);
}

enum outcome ctl_add(struct ctl *ctl, const struct arguments *arguments)
{
    return add(ctl, arguments, "add", "listed", " (was deferred)");
}

enum outcome ctl_tempfail(struct ctl *ctl, const struct arguments *arguments)
{
    return add(ctl, arguments, "tempfail", "deferred", " (was blocked)");
}

enum outcome ctl_allow(struct ctl *ctl, const struct arguments *arguments)
{
    return add(ctl, arguments, "allow", "allowed", "");
}

enum outcome ctl_remove(struct ctl *ctl, const struct arguments *arguments)
{
    bool dry_run = arguments->option[OPTION_DRY_RUN] != NULL;
    bool since = arguments->option[OPTION_SINCE] != NULL;
    json_t *request;
    int64_t since_s;

    /* either entries, or a source and a time */
    if (since ? arguments->word_count > 0 || arguments->option[OPTION_SOURCE] == NULL
              : arguments->word_count == 0)
        return ctl_error(OUTCOME_USAGE, "usage: rblctl remove ENTRY…, or --source NAME "
                                        "--since SPAN");
    if (arguments_span(arguments, OPTION_SINCE, &since_s) != 0)
        return OUTCOME_USAGE;
    request = entries_request("remove", arguments);
    if (since_s >= 0) {
        json_object_del(request, "entries");
        ctl_set_number(&request, "since_s", since_s);
    }
    ctl_set_flag(&request, "dry_run", arguments, OPTION_DRY_RUN);
    return change(ctl, request, dry_run ? "would be removed" : "removed", NULL);
}

/* --- list, log --- */

static const struct column entry_columns[] = {
    {"entry", "ENTRY", COLUMN_TEXT},   {"action", "ACTION", COLUMN_TEXT},
    {"source", "SOURCE", COLUMN_TEXT}, {"since", "SINCE", COLUMN_TIME},
    {"expires", "ENDS", COLUMN_TIME},  {"hits", "HITS", COLUMN_NUMBER},
    {"reason", "REASON", COLUMN_TEXT}, {"kind", NULL, COLUMN_TEXT},
    {"who", NULL, COLUMN_TEXT},        {"last_hit", NULL, COLUMN_TIME},
};

static const struct coloring entry_coloring = {"action", "", "allow", "tempfail"};

static const struct column event_columns[] = {
    {"at", "WHEN", COLUMN_TIME},       {"who", "WHO", COLUMN_TEXT},
    {"change", "CHANGE", COLUMN_TEXT}, {"entry", "ENTRY", COLUMN_TEXT},
    {"action", "ACTION", COLUMN_TEXT}, {"source", "SOURCE", COLUMN_TEXT},
    {"reason", "REASON", COLUMN_TEXT}, {"uid", NULL, COLUMN_NUMBER},
    {"before", NULL, COLUMN_TEXT},     {"after", NULL, COLUMN_TEXT},
};

/* "--kind address,user" -> ["address","user"] */
static json_t *kinds_value(const char *text)
{
    json_t *kinds = json_array();

    for (;;) {
        size_t length = strcspn(text, ",");

        json_array_append_new(kinds, json_stringn(text, length));
        if (text[length] == '\0')
            return kinds;
        text += length + 1;
    }
}

enum outcome ctl_list(struct ctl *ctl, const struct arguments *arguments)
{
    struct pages_output output = {"entries", COLUMNS(entry_columns),
                                  arguments->option[OPTION_OUTPUT], &entry_coloring};
    int64_t since_s, expiring_s, limit;
    json_t *request;

    if (arguments_span(arguments, OPTION_SINCE, &since_s) != 0 ||
        arguments_span(arguments, OPTION_EXPIRING, &expiring_s) != 0 ||
        arguments_number(arguments, OPTION_LIMIT, &limit) != 0)
        return OUTCOME_USAGE;
    request = ctl_request("list");
    if (arguments->word_count > 0)
        ctl_set_text(&request, "pattern", arguments->words[0]);
    if (arguments->option[OPTION_KIND] != NULL)
        json_object_set_new(request, "kinds",
                            kinds_value(arguments->option[OPTION_KIND]));
    ctl_set_text(&request, "source", arguments->option[OPTION_SOURCE]);
    ctl_set_text(&request, "reason", arguments->option[OPTION_REASON]);
    ctl_set_text(&request, "sort", arguments->option[OPTION_SORT]);
    ctl_set_number(&request, "since_s", since_s);
    ctl_set_number(&request, "expiring_s", expiring_s);
    return pages_print(ctl, request, "rows", "cursor", limit, &output);
}

enum outcome ctl_log(struct ctl *ctl, const struct arguments *arguments)
{
    struct pages_output output = {"events", COLUMNS(event_columns),
                                  arguments->option[OPTION_OUTPUT], NULL};
    int64_t since_s, limit;
    json_t *request;

    if (arguments_span(arguments, OPTION_SINCE, &since_s) != 0 ||
        arguments_number(arguments, OPTION_LIMIT, &limit) != 0)
        return OUTCOME_USAGE;
    request = ctl_request("log");
    if (arguments->word_count > 0)
        ctl_set_text(&request, "pattern", arguments->words[0]);
    ctl_set_number(&request, "since_s", since_s);
    return pages_print(ctl, request, "events", "before_id", limit, &output);
}

/* --- show: one entry, now and before --- */

static enum outcome gather(void *context, const json_t *rows)
{
    if (json_array_extend(context, (json_t *)rows) == 0)
        return OUTCOME_DONE;
    return ctl_error(OUTCOME_REFUSED, "no memory");
}

/* The history of one entry in the audit log, or NULL after an error was printed. */
static json_t *history_of(struct ctl *ctl, const char *entry, enum outcome *outcome)
{
    json_t *request = ctl_request("log");
    json_t *history = json_array();
    char pattern[3 * 1024]; /* that only this text matches */
    size_t used = 0;

    for (; *entry != '\0' && used + 4 < sizeof pattern; entry++)
        used += (size_t)snprintf(pattern + used, sizeof pattern - used,
                                 strchr("*?[", *entry) != NULL ? "[%c]" : "%c", *entry);
    pattern[used] = '\0';
    ctl_set_text(&request, "pattern", pattern);
    *outcome = ctl_send_pages(ctl, request, "events", "before_id", -1, gather, history);
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

    if (json_is_integer(value))
        shown_time(json_integer_value(value), text, sizeof text);
    printf("  %-9s %s\n", name, json_is_integer(value) ? text : none);
}

/* What an entry of that action does; block: the word for one that blocks. */
static const char *done_by(const char *action, const char *block)
{
    return strcmp(action, "allow") == 0      ? "allowed"
           : strcmp(action, "tempfail") == 0 ? "deferred"
                                             : block;
}

static void print_row(const json_t *row)
{
    puts(done_by(text_of(row, "action"), "listed"));
    print_time("since", json_object_get(row, "since"), "-");
    print_line("by", json_object_get(row, "who"));
    print_line("source", json_object_get(row, "source"));
    print_line("reason", json_object_get(row, "reason"));
    print_time("ends", json_object_get(row, "expires"), "never");
    print_line("hits", json_object_get(row, "hits"));
    print_time("last hit", json_object_get(row, "last_hit"), "never");
}

/* Of the whole farm; NULL: this host is alone. */
static void print_farm_hits(const json_t *hits)
{
    if (hits == NULL)
        return;
    if (!json_is_object(hits)) {
        print_line("farm hits", json_null());
        return;
    }
    printf("  farm hits %lld on %lld hosts\n", number_of(hits, "hits"),
           number_of(hits, "hosts"));
    print_time("last hit", json_object_get(hits, "last_hit"), "never");
}

/* What rules have found of it, and on what grounds. */
static void print_findings(const json_t *findings)
{
    const json_t *row, *decision;
    size_t i, k;

    json_array_foreach (findings, i, row) {
        char when[64], because[600], held[600], sender[400], client[64];

        shown_time(number_of(row, "at"), when, sizeof when);
        shown_text(text_of(row, "because"), because, sizeof because);
        shown_text(text_of(row, "held"), held, sizeof held);
        printf("found by rule %s, %s: %s (%s%s%s)\n", text_of(row, "rule"), when, because,
               text_of(row, "state"), held[0] != '\0' ? "; only proposed: " : "", held);
        json_array_foreach (
            json_object_get(json_object_get(row, "evidence"), "decisions"), k, decision) {
            shown_time(number_of(decision, "at_ms") / 1000, when, sizeof when);
            shown_text(text_of(decision, "sender"), sender, sizeof sender);
            shown_text(text_of(decision, "client"), client, sizeof client);
            printf("    %s  %s  %s  from=<%s>  recipients=%lld\n",
                   text_of(decision, "id"), when, client, sender,
                   number_of(decision, "recipients"));
        }
    }
}

static int print_entry_text(const struct ctl *ctl, const json_t *document)
{
    const json_t *rows = json_object_get(document, "rows");
    const json_t *history = json_object_get(document, "history");
    const json_t *covering = json_object_get(document, "covered_by");
    const json_t *row;
    size_t i;

    print_text(text_of(document, "entry"));
    puts(json_array_size(rows) > 0      ? ""
         : json_array_size(history) > 0 ? " is not listed now"
                                        : " is not listed and never was");
    /* another entry may decide about one that is not listed itself */
    if (json_is_object(covering)) {
        printf("%s by ", done_by(text_of(covering, "action"), "blocked"));
        print_text(text_of(covering, "entry"));
        puts(": \"rblctl show\" shows why");
    }
    json_array_foreach (rows, i, row)
        print_row(row);
    print_farm_hits(json_object_get(document, "farm_hits"));
    print_findings(json_object_get(document, "findings"));
    if (json_array_size(history) == 0)
        return 0;
    putchar('\n');
    return table_of(COLUMNS(event_columns), "at,who,change,action,source,reason", NULL,
                    ctl->terminal, history);
}

/* All about the entry as one document; NULL after an error was printed. */
static json_t *ask_all(struct ctl *ctl, const char *text, enum outcome *outcome)
{
    json_t *request = ctl_request("show");
    json_t *answer, *document = NULL, *history = NULL;
    const json_t *rows;
    const char *entry;

    ctl_set_text(&request, "entry", text);
    answer = ctl_send(ctl, request, outcome);
    if (answer == NULL)
        return NULL;
    rows = json_object_get(answer, "rows");
    entry = json_string_value(json_object_get(answer, "entry"));
    history = history_of(ctl, entry == NULL ? text : entry, outcome);
    if (history != NULL)
        document = json_pack(
            "{s:O, s:O, s:b, s:O*, s:O, s:o, s:O*, s:O*}", "entry",
            json_object_get(answer, "entry"), "kind", json_object_get(answer, "kind"),
            "listed", json_array_size(rows) > 0, "covered_by",
            json_object_get(answer, "covered_by"), "rows", rows, "history", history,
            "findings", json_object_get(answer, "findings"), "farm_hits",
            json_object_get(answer, "farm_hits"));
    if (history != NULL && document == NULL)
        *outcome = ctl_error(OUTCOME_REFUSED, "the daemon's answer lacks something");
    json_decref(answer);
    return document;
}

enum outcome ctl_show(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *document = ask_all(ctl, arguments->words[0], &outcome);

    if (document == NULL)
        return outcome;
    outcome =
        json_is_true(json_object_get(document, "listed")) ? OUTCOME_DONE : OUTCOME_NO;
    if (ctl->json)
        shown_json(document, ctl->terminal);
    else if (print_entry_text(ctl, document) != 0)
        outcome = OUTCOME_REFUSED;
    json_decref(document);
    return outcome;
}
