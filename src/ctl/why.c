/* SPDX-License-Identifier: BSD-2-Clause */
/* why, false: what the journal keeps of decisions. */

#include "ctl/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "ctl/output.h"

/* "2026-11-24 14:03:17.204", local time; short: without year and milliseconds. */
static void time_text(int64_t at_ms, bool is_short, char *out, size_t size)
{
    shown_clock(at_ms / 1000, is_short ? "%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M:%S", out,
                size);
    if (!is_short)
        snprintf(out + strlen(out), size - strlen(out), ".%03d", (int)(at_ms % 1000));
}

/* --- several, as a table --- */

static const struct column decision_columns[] = {
    {"id", "ID", COLUMN_TEXT},
    {"time", "TIME", COLUMN_TEXT},
    {"verdict", "VERDICT", COLUMN_TEXT},
    {"client", "CLIENT", COLUMN_TEXT},
    {"mail", "SENDER -> TO", COLUMN_TEXT},
    {"because", "BECAUSE", COLUMN_TEXT},
};

static const struct coloring verdict_coloring = {"color", "", "", "yellow"};

static void because(const json_t *decision, char *out, size_t size)
{
    struct buffer text = buffer_over(out, size);
    const json_t *lists = json_object_get(decision, "lists"), *list;
    size_t i;

    if (text_of(decision, "entry")[0] != '\0')
        buffer_add(&text, "%s by %s", text_of(decision, "entry_action"),
                   text_of(decision, "entry"));
    else if (text_of(decision, "exempt")[0] != '\0')
        buffer_add(&text, "exempt: %s", text_of(decision, "exempt"));
    json_array_foreach (lists, i, list)
        if (number_of(list, "weight") != 0)
            buffer_add(&text, "%s%s %lld", text.used > 0 ? ", " : "",
                       text_of(list, "list"), number_of(list, "weight"));
    if (text.used == 0)
        buffer_add(&text, "%lld of %lld", number_of(decision, "score"),
                   number_of(decision, "threshold"));
    if (number_of(decision, "folded") > 0)
        buffer_add(&text, "; represents %lld more", number_of(decision, "folded"));
    if (json_is_object(json_object_get(decision, "false")))
        buffer_add(&text, "; marked as wrong");
}

static json_t *decision_row(const json_t *decision)
{
    const json_t *recipients = json_object_get(decision, "recipients");
    const char *sender = text_of(decision, "sender");
    const char *verdict = text_of(decision, "verdict");
    size_t count = json_array_size(recipients);
    char time[64], mail[1024], why[512];
    struct buffer text = buffer_over(mail, sizeof mail);

    time_text(number_of(decision, "at_ms"), true, time, sizeof time);
    buffer_add(&text, "%s -> %s", sender[0] != '\0' ? sender : "<>",
               count > 0 ? text_of(json_array_get(recipients, 0), "recipient") : "?");
    if (count > 1)
        buffer_add(&text, " and %zu more", count - 1);
    because(decision, why, sizeof why);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", text_of(decision, "id"),
                     "time", time, "verdict", decision_verdict(verdict), "color",
                     strcmp(verdict, "accept") == 0   ? ""
                     : strcmp(verdict, "reject") == 0 ? "red"
                                                      : "yellow",
                     "client", text_of(decision, "client"), "mail", mail, "because", why);
}

static enum outcome print_table(struct ctl *ctl, const json_t *decisions)
{
    json_t *rows = json_array();
    const json_t *decision;
    size_t i;
    int rc = 0;

    json_array_foreach (decisions, i, decision)
        if (json_array_append_new(rows, decision_row(decision)) != 0)
            rc = -1;
    if (rc == 0)
        rc = table_of(COLUMNS(decision_columns), NULL, &verdict_coloring, ctl->terminal,
                      rows);
    json_decref(rows);
    return rc == 0 ? OUTCOME_DONE : ctl_error(OUTCOME_REFUSED, "no memory");
}

/* --- one, in full --- */

static void print_field(const char *name, const char *text, const char *none)
{
    printf("%-10s ", name);
    print_text(text[0] != '\0' ? text : none);
    putchar('\n');
}

static void print_head(const json_t *d)
{
    const char *stage = text_of(d, "stage"), *name = text_of(d, "client_name");
    char time[64];

    time_text(number_of(d, "at_ms"), false, time, sizeof time);
    printf("%-10s %s at %s: score %lld", decision_verdict(text_of(d, "verdict")), time,
           stage, number_of(d, "score"));
    if (number_of(d, "threshold") > 0)
        printf(", refused from %lld", number_of(d, "threshold"));
    if (number_of(d, "missing") < 0)
        printf("; allow lists not heard could take off %lld", -number_of(d, "missing"));
    putchar('\n');
    printf("%-10s ", "client");
    print_text(text_of(d, "client"));
    fputs(", ", stdout);
    print_text(name[0] != '\0' ? name : "no confirmed name");
    putchar('\n');
    print_field("helo", text_of(d, "helo"), "none");
    print_field("sender", text_of(d, "sender"), "<>");
    print_field("login", text_of(d, "login"), "none");
}

#define RECIPIENTS_SHOWN 20

static void print_recipients(const json_t *d)
{
    const json_t *recipients = json_object_get(d, "recipients"), *one;
    size_t i;

    json_array_foreach (recipients, i, one) {
        if (i == RECIPIENTS_SHOWN) {
            printf("%-10s and %zu more (--json has all)\n", "",
                   json_array_size(recipients) - i);
            break;
        }
        printf("%-10s ", i == 0 ? "to" : "");
        print_text(text_of(one, "recipient"));
        printf(" %s", text_of(one, "outcome"));
        if (text_of(one, "detail")[0] != '\0') {
            putchar(' ');
            print_text(text_of(one, "detail"));
        }
        putchar('\n');
    }
    print_field("queue id", text_of(d, "queue_id"), "none");
    print_field("ended", text_of(d, "end"), "");
}

static void print_marks(const json_t *d)
{
    const json_t *wrong = json_object_get(d, "false");
    char at[96];

    if (number_of(d, "folded") > 0)
        printf("%-10s %lld more like it, from the same network for the same reason\n",
               "stands for", number_of(d, "folded"));
    if (!json_is_object(wrong))
        return;
    shown_time(number_of(wrong, "at"), at, sizeof at);
    printf("%-10s as a wrong refusal by ", "marked");
    print_text(text_of(wrong, "login"));
    printf(", %s%s", at, text_of(wrong, "reason")[0] != '\0' ? ": " : "");
    print_text(text_of(wrong, "reason"));
    putchar('\n');
}

/* What the lists say of the same message now. NULL where it cannot be checked. */
static json_t *check_now(struct ctl *ctl, const json_t *d)
{
    const char *client = text_of(d, "client"), *sender = text_of(d, "sender");
    bool has_sender = sender[0] == '\0' || (sender[0] != '*' && sender[0] != '~');
    json_t *request = ctl_request("check"), *answer, *check;
    enum outcome outcome = OUTCOME_DONE;

    ctl_set_text(&request, "subject", client[0] != '\0' ? client : sender);
    if (has_sender && text_of(d, "helo")[0] != '\0')
        ctl_set_text(&request, "helo", text_of(d, "helo"));
    if (text_of(d, "client_name")[0] != '\0')
        ctl_set_text(&request, "name", text_of(d, "client_name"));
    if (has_sender)
        ctl_set_text(&request, "sender", sender[0] != '\0' ? sender : "<>");
    answer = ctl_send_any(ctl, request, &outcome);
    check = json_incref(json_object_get(answer, "check"));
    json_decref(answer);
    return check;
}

/* What it would be now, and what to do. */
static void print_advice(const json_t *d, const json_t *now)
{
    const char *verdict = text_of(now, "verdict"), *id = text_of(d, "id");
    const char *entry = text_of(d, "entry");
    char url[512];

    if (now != NULL) {
        printf("%-10s the same message would be %s", "now", decision_verdict(verdict));
        if (json_array_size(json_object_get(now, "blocklist")) > 0)
            puts(" by the blocklist");
        else
            printf(" (score %lld)\n", number_of(now, "score"));
    }
    if (strcmp(text_of(d, "verdict"), "reject") != 0 &&
        strcmp(text_of(d, "verdict"), "tempfail") != 0)
        return;
    if (json_is_object(json_object_get(d, "false"))) {
        printf("%-10s rblctl false %s --undo takes the mark back\n", "if right", id);
        return;
    }
    printf("%-10s rblctl false %s --reason TEXT", "if wrong", id);
    if (entry[0] != '\0') {
        fputs("; rblctl remove ", stdout);
        print_text(entry);
    } else {
        printf(" [--allow 7d lets the %s in]",
               text_of(d, "login")[0] != '\0' ? "login" : "client");
    }
    putchar('\n');
    decision_delisting(d, now, url, sizeof url);
    if (url[0] != '\0')
        print_field("delisting", url, "");
}

static enum outcome print_whole(struct ctl *ctl, json_t *d)
{
    json_t *now = check_now(ctl, d);
    enum outcome outcome;

    if (ctl->json) {
        json_object_set_new(d, "now", now != NULL ? now : json_null());
        return OUTCOME_DONE;
    }
    if (json_is_true(json_object_get(d, "stands_for")))
        puts("One of a flood; this one represents all of it:");
    printf("%-10s %s\n", "id", text_of(d, "id"));
    print_head(d);
    print_recipients(d);
    outcome =
        decision_lists(ctl, json_object_get(d, "lists"), json_object_get(now, "rows"));
    decision_print_entry(d, "entry_action", "entry_subject", "entry", "entry_reason",
                         "entry_since");
    print_field("exempt", text_of(d, "exempt"), "no");
    if (text_of(d, "reason")[0] != '\0')
        print_field("reason", text_of(d, "reason"), "");
    print_marks(d);
    print_advice(d, now);
    json_decref(now);
    return outcome;
}

/* --- what there is besides --- */

static void print_gaps(const json_t *answer)
{
    const json_t *gaps = json_object_get(answer, "gaps"), *gap;
    size_t i;

    json_array_foreach (gaps, i, gap) {
        char began[64], ended[64] = "now";
        int64_t ended_ms = number_of(gap, "ended_ms");

        time_text(number_of(gap, "began_ms"), true, began, sizeof began);
        if (ended_ms != 0)
            time_text(ended_ms, true, ended, sizeof ended);
        printf(
            "not kept: the journal could not be written from %s to %s (%lld decisions)\n",
            began, ended, number_of(gap, "dropped"));
    }
}

static void print_nothing(const char *what, const json_t *answer)
{
    const json_t *near = json_object_get(answer, "near"), *id;
    const json_t *node = json_object_get(answer, "node");
    const json_t *hosts = json_object_get(answer, "hosts");
    size_t i;

    print_text(what);
    if (json_array_size(hosts) > 0) {
        fputs(node != NULL ? ": this id is of " : ": not here; this id may be of ",
              stdout);
        json_array_foreach (hosts, i, id) {
            fputs(i > 0 ? " or " : "", stdout);
            print_text(json_string_value(id));
        }
        puts(": look it up there");
    } else if (node != NULL)
        printf(": not here; it is a decision of node %lld: run rblctl why there\n",
               (long long)json_integer_value(node));
    else
        puts(": no such decision is kept");
    json_array_foreach (near, i, id) {
        fputs(i == 0 ? "of the same second, and perhaps meant: " : " ", stdout);
        print_text(json_string_value(id));
    }
    if (json_array_size(near) > 0)
        putchar('\n');
}

static json_t *request_why(struct ctl *ctl, const char *what,
                           const struct arguments *arguments, enum outcome *outcome)
{
    int64_t since = -1, limit = -1;
    json_t *request;

    if (arguments_span(arguments, OPTION_SINCE, &since) != 0 ||
        arguments_number(arguments, OPTION_LIMIT, &limit) != 0) {
        *outcome = OUTCOME_USAGE;
        return NULL;
    }
    request = ctl_request("why");
    ctl_set_text(&request, "what", what);
    ctl_set_text(&request, "to", arguments->option[OPTION_TO]);
    ctl_set_text(&request, "verdict", arguments->option[OPTION_VERDICT]);
    ctl_set_text(&request, "list", arguments->option[OPTION_LIST]);
    ctl_set_number(&request, "since_s", since);
    ctl_set_number(&request, "limit", limit);
    return ctl_send(ctl, request, outcome);
}

/* One word's answer. The decisions are added to document's where it is JSON. */
static enum outcome show(struct ctl *ctl, const char *what, json_t *answer,
                         json_t *document, bool *found)
{
    static const char *const others[] = {"near", "node", "hosts"};
    json_t *decisions = json_object_get(answer, "decisions");
    size_t count = json_array_size(decisions);
    enum outcome outcome = OUTCOME_DONE;

    *found |= count > 0;
    if (count == 1)
        outcome = print_whole(ctl, json_array_get(decisions, 0));
    else if (count > 1 && !ctl->json)
        outcome = print_table(ctl, decisions);
    if (ctl->json) {
        json_array_extend(json_object_get(document, "decisions"), decisions);
        json_array_extend(json_object_get(document, "gaps"),
                          json_object_get(answer, "gaps"));
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            if (json_object_get(answer, others[i]) != NULL)
                json_object_set(document, others[i], json_object_get(answer, others[i]));
        return outcome;
    }
    if (count == 0)
        print_nothing(what, answer);
    if (json_is_true(json_object_get(answer, "more")))
        printf("there are more: --limit, --since, --to, --verdict and --list choose\n");
    print_gaps(answer);
    return outcome;
}

enum outcome ctl_why(struct ctl *ctl, const struct arguments *arguments)
{
    json_t *document = json_pack("{s:[], s:[]}", "decisions", "gaps");
    enum outcome outcome = OUTCOME_DONE;
    bool found = false;

    for (int i = 0; i < arguments->word_count && outcome == OUTCOME_DONE; i++) {
        json_t *answer = request_why(ctl, arguments->words[i], arguments, &outcome);

        if (answer == NULL)
            break;
        if (i > 0 && !ctl->json)
            putchar('\n');
        outcome = show(ctl, arguments->words[i], answer, document, &found);
        json_decref(answer);
    }
    if (ctl->json && outcome == OUTCOME_DONE)
        shown_json(document, ctl->terminal);
    json_decref(document);
    return outcome != OUTCOME_DONE ? outcome : found ? OUTCOME_DONE : OUTCOME_NO;
}

enum outcome ctl_false(struct ctl *ctl, const struct arguments *arguments)
{
    json_t *request = ctl_request("false"), *ids = json_array(), *answer;
    enum outcome outcome = OUTCOME_DONE;
    int64_t allow = -1;
    const json_t *entry;
    size_t i;

    for (int k = 0; k < arguments->word_count; k++)
        json_array_append_new(ids, json_string(arguments->words[k]));
    if (arguments_span(arguments, OPTION_ALLOW_FOR, &allow) != 0) {
        json_decref(ids);
        json_decref(request);
        return OUTCOME_USAGE;
    }
    json_object_set_new(request, "ids", ids);
    ctl_set_text(&request, "sudo", getenv("SUDO_USER"));
    ctl_set_text(&request, "reason", arguments->option[OPTION_REASON]);
    ctl_set_number(&request, "allow_s", allow);
    ctl_set_flag(&request, "undo", arguments, OPTION_UNDO);
    answer = ctl_send(ctl, request, &outcome);
    if (answer == NULL)
        return outcome;
    if (ctl->json)
        shown_json(answer, ctl->terminal);
    json_array_foreach (json_object_get(answer, "entries"), i, entry)
        if (!ctl->json) {
            fputs("allowed: ", stdout);
            print_text(json_string_value(entry));
            putchar('\n');
        }
    json_decref(answer);
    return OUTCOME_DONE;
}
