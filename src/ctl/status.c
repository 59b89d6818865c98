/* SPDX-License-Identifier: BSD-2-Clause */
/* How the daemon and its lists are: status, stats, reload, flush-cache; dnsbl. */

#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/output.h"

enum outcome ctl_status(struct ctl *ctl, const struct arguments *arguments)
{
    (void)arguments;
    return ctl_show_member(ctl, ctl_request("status"), "status");
}

enum outcome ctl_stats(struct ctl *ctl, const struct arguments *arguments)
{
    (void)arguments;
    return ctl_show_member(ctl, ctl_request("stats"), "stats");
}

static void print_messages(const json_t *messages)
{
    char clean[2048];
    size_t i;
    json_t *message;

    json_array_foreach (messages, i, message) {
        shown_text(json_is_string(message) ? json_string_value(message) : "", clean,
                   sizeof clean);
        printf("%s\n", clean);
    }
}

enum outcome ctl_reload(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_ask_any(ctl, ctl_request("reload"), &outcome);

    (void)arguments;
    if (answer == NULL)
        return outcome;
    if (!json_is_true(json_object_get(answer, "ok"))) {
        if (ctl->json)
            shown_json(answer, ctl->terminal);
        outcome = ctl_refused(answer);
    } else if (ctl->json) {
        shown_json(answer, ctl->terminal);
    } else {
        print_messages(json_object_get(answer, "messages"));
    }
    json_decref(answer);
    return outcome;
}

enum outcome ctl_flush_cache(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_ask(ctl, ctl_request("flush-cache"), &outcome);

    (void)arguments;
    if (answer != NULL && ctl->json)
        shown_json(answer, ctl->terminal);
    json_decref(answer);
    return outcome;
}

/* dnsbl: the DNS lists, and an admin's word on one. */

static const struct column list_columns[] = {
    {"list", "LIST", COLUMN_TEXT},
    {"mode", "MODE", COLUMN_TEXT},
    {"state", "STATE", COLUMN_TEXT},
    {"since", "SINCE", COLUMN_TIME},
    {"queries", "QUERIES", COLUMN_NUMBER},
    {"cached_percent", "CACHED %", COLUMN_NUMBER},
    {"hits", "HITS", COLUMN_NUMBER},
    {"unique_hits", "UNIQUE", COLUMN_NUMBER},
    {"decided_alone", "DECIDED", COLUMN_NUMBER},
    {"refused_alone", "REFUSED ALONE", COLUMN_NUMBER},
    {"false", "FALSE", COLUMN_NUMBER},
    {"errors", "ERRORS", COLUMN_NUMBER},
    {"p50_ms", "P50 MS", COLUMN_NUMBER},
    {"p95_ms", "P95 MS", COLUMN_NUMBER},
    {"p99_ms", "P99 MS", COLUMN_NUMBER},
    {"looked_at", "LAST LOOK", COLUMN_TIME},
    {"why", "WHY", COLUMN_TEXT},
    {"zone", NULL, COLUMN_TEXT},
    {"not_asked", NULL, COLUMN_NUMBER},
    {"asked_today", NULL, COLUMN_NUMBER},
    {"daily_limit", NULL, COLUMN_NUMBER},
    {"ipv6_state", NULL, COLUMN_TEXT},
    {"unnamed_codes", NULL, COLUMN_NUMBER},
};
static const size_t list_column_count = sizeof list_columns / sizeof list_columns[0];

static const char *health_color(const json_t *row)
{
    const char *health = json_string_value(json_object_get(row, "state"));

    if (health == NULL || strcmp(health, "healthy") == 0)
        return NULL;
    return strcmp(health, "slow") == 0 ? "yellow" : "red";
}

static void print_proposal(const json_t *list, const json_t *proposal)
{
    const json_t *changes = json_object_get(proposal, "changes"), *change, *id;
    json_int_t alone = json_integer_value(json_object_get(list, "refused_alone"));
    json_int_t wrong = json_integer_value(json_object_get(list, "false"));
    char text[1024];
    size_t i;

    shown_text(json_string_value(json_object_get(list, "list")), text, sizeof text);
    change = json_array_get(changes, 0);
    printf(
        "%s: weight %lld -> %lld, it should not refuse alone: of %lld that it did, %lld "
        "are marked as wrong:\n    rblctl why",
        text, (long long)json_integer_value(json_object_get(change, "from")),
        (long long)json_integer_value(json_object_get(change, "to")),
        /* those that are marked are kept longer than what is counted */
        (long long)(alone > wrong ? alone : wrong), (long long)wrong);
    json_array_foreach (json_object_get(proposal, "ids"), i, id)
        printf(" %s", json_string_value(id));
    putchar('\n');
    json_array_foreach (changes, i, change) {
        const char *codes = json_string_value(json_object_get(change, "codes"));

        shown_text(json_string_value(json_object_get(change, "where")), text,
                   sizeof text);
        printf("    %s: ", text);
        shown_text(codes, text, sizeof text);
        if (codes != NULL && codes[0] != '\0')
            printf("codes \"%s\" ", text);
        printf("weight = %lld\n",
               (long long)json_integer_value(json_object_get(change, "to")));
    }
    puts("    what last week's mail would have met with: rblctl whatif -c FILE, a copy "
         "of the "
         "conf file with that change");
}

static void print_proposals(const json_t *lists)
{
    const json_t *list;
    size_t i;

    json_array_foreach (lists, i, list) {
        const json_t *proposal = json_object_get(list, "proposal");

        if (json_is_object(proposal))
            print_proposal(list, proposal);
    }
}

static enum outcome show_lists(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_ask(ctl, ctl_request("dnsbl"), &outcome);

    if (answer == NULL)
        return outcome;
    json_object_del(answer, "ok");
    if (ctl->json)
        shown_json(answer, ctl->terminal);
    else if (table_of(list_columns, list_column_count, arguments->option[OPTION_OUTPUT],
                      health_color, ctl->terminal, json_object_get(answer, "lists")) != 0)
        outcome = OUTCOME_USAGE;
    else
        print_proposals(json_object_get(answer, "lists"));
    json_decref(answer);
    return outcome;
}

enum outcome ctl_dnsbl(struct ctl *ctl, const struct arguments *arguments)
{
    static const char *const actions[] = {"suspend", "resume", "test"};
    char **words = arguments->words;
    json_t *request;

    if (arguments->word_count == 0)
        return show_lists(ctl, arguments);
    if (arguments->word_count == 2 && strcmp(words[0], "try") == 0) {
        request = ctl_request("dnsbl-try");
        ctl_set_text(&request, "zone", words[1]);
        return ctl_show_member(ctl, request, "trial");
    }
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (arguments->word_count != 2 || strcmp(words[0], actions[i]) != 0)
            continue;
        request = ctl_request("dnsbl-change");
        ctl_set_text(&request, "action", words[0]);
        ctl_set_text(&request, "list", words[1]);
        return ctl_show_member(ctl, request, "list");
    }
    return ctl_error(OUTCOME_USAGE,
                     "dnsbl %s: possible are dnsbl, dnsbl suspend NAME, "
                     "dnsbl resume NAME, dnsbl test NAME, dnsbl try ZONE",
                     words[0]);
}
