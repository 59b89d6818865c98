/* SPDX-License-Identifier: BSD-2-Clause */
/* check: what would become of a message, subject by subject. */

#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#include "ctl/decision.h"
#include "ctl/shown.h"

/* The blocklist's entry, as why shows it. */
static void print_entries(const json_t *check)
{
    const json_t *entries = json_object_get(check, "blocklist"), *entry;
    size_t i;

    json_array_foreach (entries, i, entry)
        decision_entry(entry, "action", "subject", "entry", "reason", "since");
}

/* Where an entry decides, the score does not matter. */
static void print_why(const json_t *check)
{
    const char *exempt = json_string_value(json_object_get(check, "exempt"));
    const json_t *threshold = json_object_get(check, "threshold");
    char text[200];

    if (json_array_size(json_object_get(check, "blocklist")) > 0) {
        puts(" (by the blocklist)");
        return;
    }
    printf(" (score %lld",
           (long long)json_integer_value(json_object_get(check, "score")));
    if (json_integer_value(threshold) > 0)
        printf(" of %lld", (long long)json_integer_value(threshold));
    if (exempt != NULL && exempt[0] != '\0') {
        shown_text(exempt, text, sizeof text);
        printf("; exempt: %s", text);
    }
    puts(")");
}

static void print_verdict(const json_t *check)
{
    const char *subject = json_string_value(json_object_get(check, "subject"));
    const char *verdict = json_string_value(json_object_get(check, "verdict"));
    const char *reply = json_string_value(json_object_get(check, "reply"));
    char text[1200];

    shown_text(subject == NULL ? "" : subject, text, sizeof text);
    printf("%s: %s", text, verdict == NULL ? "no verdict" : verdict);
    print_why(check);
    if (reply != NULL && reply[0] != '\0') {
        shown_text(reply, text, sizeof text);
        printf("%s\n", text);
    }
}

/* What was not asked about. */
static void print_not_given(const json_t *check)
{
    const json_t *names = json_object_get(check, "not_given"), *name;
    char text[64];
    size_t i;

    json_array_foreach (names, i, name) {
        const char *one = json_string_value(name);

        shown_text(one == NULL ? "" : one, text, sizeof text);
        printf("%s%s", i == 0 ? "not given, so not looked up: " : ", ", text);
    }
    if (json_array_size(names) > 0)
        putchar('\n');
}

static enum outcome print_check(struct ctl *ctl, const json_t *check, bool first)
{
    const json_t *rows = json_object_get(check, "rows");
    enum outcome outcome;

    if (!json_is_array(rows) || !json_is_array(json_object_get(check, "blocklist")))
        return ctl_error(OUTCOME_REFUSED, "malformed answer of the daemon");
    if (!first)
        putchar('\n');
    print_verdict(check);
    outcome = decision_lists(ctl, rows, NULL);
    print_entries(check);
    print_not_given(check);
    return outcome;
}

/* Asks about one subject. Returns the check, a new reference, or NULL with *outcome. */
static json_t *ask(struct ctl *ctl, const char *subject,
                   const struct arguments *arguments, enum outcome *outcome)
{
    json_t *request = ctl_request("check");
    json_t *answer, *check;

    ctl_set_text(&request, "subject", subject);
    ctl_set_text(&request, "sender", arguments->option[OPTION_SENDER]);
    ctl_set_text(&request, "helo", arguments->option[OPTION_HELO]);
    ctl_set_text(&request, "name", arguments->option[OPTION_NAME]);
    answer = ctl_ask(ctl, request, outcome);
    check = json_incref(json_object_get(answer, "check"));
    if (answer != NULL && check == NULL)
        *outcome = ctl_error(OUTCOME_REFUSED, "the daemon's answer has no check");
    json_decref(answer);
    return check;
}

enum outcome ctl_check(struct ctl *ctl, const struct arguments *arguments)
{
    json_t *document = json_pack("{s:[]}", "checks");
    json_t *checks = json_object_get(document, "checks");
    enum outcome outcome = OUTCOME_DONE, found = OUTCOME_DONE;

    for (int i = 0; i < arguments->word_count && outcome == OUTCOME_DONE; i++) {
        json_t *check = ask(ctl, arguments->words[i], arguments, &outcome);

        if (check == NULL)
            break;
        if (json_is_true(json_object_get(check, "listed")))
            found = OUTCOME_NO;
        if (!ctl->json)
            outcome = print_check(ctl, check, i == 0);
        else if (json_array_append(checks, check) != 0)
            outcome = ctl_error(OUTCOME_REFUSED, "no memory");
        json_decref(check);
    }
    if (ctl->json && outcome == OUTCOME_DONE)
        shown_json(document, ctl->terminal);
    json_decref(document);
    return outcome == OUTCOME_DONE ? found : outcome;
}
