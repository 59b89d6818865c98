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

enum outcome ctl_reload(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_send_any(ctl, ctl_request("reload"), &outcome);
    const json_t *message;
    size_t i;

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
        json_array_foreach (json_object_get(answer, "messages"), i, message) {
            print_text(json_is_string(message) ? json_string_value(message) : "");
            putchar('\n');
        }
    }
    json_decref(answer);
    return outcome;
}

enum outcome ctl_flush_cache(struct ctl *ctl, const struct arguments *arguments)
{
    (void)arguments;
    return ctl_do(ctl, ctl_request("flush-cache"));
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
    {"checked_at", "LAST CHECK", COLUMN_TIME},
    {"why", "WHY", COLUMN_TEXT},
    {"zone", NULL, COLUMN_TEXT},
    {"not_asked", NULL, COLUMN_NUMBER},
    {"asked_today", NULL, COLUMN_NUMBER},
    {"daily_limit", NULL, COLUMN_NUMBER},
    {"ipv6_state", NULL, COLUMN_TEXT},
    {"unnamed_codes", NULL, COLUMN_NUMBER},
};

static const struct coloring health_coloring = {"state", "healthy", "", "slow"};

static void print_proposal(const json_t *list, const json_t *proposal)
{
    const json_t *changes = json_object_get(proposal, "changes"), *change, *id;
    long long alone = number_of(list, "refused_alone"), wrong = number_of(list, "false");
    size_t i;

    print_text(text_of(list, "list"));
    change = json_array_get(changes, 0);
    printf(": weight %lld -> %lld, it should not refuse alone: of %lld that it did, %lld "
           "are marked as wrong:\n    rblctl why",
           number_of(change, "from"), number_of(change, "to"),
           /* those that are marked are kept longer than what is counted */
           alone > wrong ? alone : wrong, wrong);
    json_array_foreach (json_object_get(proposal, "ids"), i, id)
        printf(" %s", json_string_value(id));
    putchar('\n');
    json_array_foreach (changes, i, change) {
        fputs("    ", stdout);
        print_text(text_of(change, "where"));
        fputs(": ", stdout);
        if (text_of(change, "codes")[0] != '\0') {
            fputs("codes \"", stdout);
            print_text(text_of(change, "codes"));
            fputs("\" ", stdout);
        }
        printf("weight = %lld\n", number_of(change, "to"));
    }
    puts("    what last week's mail would have met with: rblctl whatif -c FILE, a copy "
         "of the conf file with that change");
}

static enum outcome show_lists(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_send(ctl, ctl_request("dnsbl"), &outcome);
    const json_t *lists = json_object_get(answer, "lists"), *list, *proposal;
    size_t i;

    if (answer == NULL)
        return outcome;
    json_object_del(answer, "ok");
    if (ctl->json)
        shown_json(answer, ctl->terminal);
    else if (table_of(COLUMNS(list_columns), arguments->option[OPTION_OUTPUT],
                      &health_coloring, ctl->terminal, lists) != 0)
        outcome = OUTCOME_USAGE;
    else
        json_array_foreach (lists, i, list) {
            proposal = json_object_get(list, "proposal");
            if (json_is_object(proposal))
                print_proposal(list, proposal);
        }
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
