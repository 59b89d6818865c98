/* The daemon itself: status, stats, doctor, reload, flush-cache. */

#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#include "ctl/shown.h"
#include "ctl/table.h"

/* Asks for what the command of that name answers, and prints the member of that name. */
static enum outcome show_member(struct ctl *ctl, const char *name)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_ask(ctl, ctl_request(name), &outcome);
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

enum outcome ctl_status(struct ctl *ctl, const struct arguments *arguments)
{
    (void)arguments;
    return show_member(ctl, "status");
}

enum outcome ctl_stats(struct ctl *ctl, const struct arguments *arguments)
{
    (void)arguments;
    return show_member(ctl, "stats");
}

static void print_messages(const json_t *messages)
{
    char clean[2048];
    size_t i;
    json_t *message;

    json_array_foreach(messages, i, message)
    {
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

static const struct column finding_columns[] = {
    {"level", "LEVEL", COLUMN_TEXT},
    {"what", "WHAT", COLUMN_TEXT},
    {"advice", "WHAT TO DO", COLUMN_TEXT},
};

static const char *level_color(const json_t *row)
{
    const char *level = json_string_value(json_object_get(row, "level"));

    if (level == NULL || strcmp(level, "ok") == 0)
        return NULL;
    return strcmp(level, "error") == 0 ? "red" : "yellow";
}

/* Whether one of the findings is an error: then the exit status is NO. */
static enum outcome worst(const json_t *findings)
{
    const json_t *finding;
    size_t i;

    json_array_foreach(findings, i, finding)
    {
        const char *level = json_string_value(json_object_get(finding, "level"));

        if (level != NULL && strcmp(level, "error") == 0)
            return OUTCOME_NO;
    }
    return OUTCOME_DONE;
}

enum outcome ctl_doctor(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_ask(ctl, ctl_request("doctor"), &outcome);
    const json_t *findings = json_object_get(answer, "findings");

    (void)arguments;
    if (answer == NULL)
        return outcome;
    json_object_del(answer, "ok");
    outcome = worst(findings);
    if (ctl->json)
        shown_json(answer, ctl->terminal);
    else if (table_of(finding_columns, 3, NULL, level_color, ctl->terminal, findings) !=
             0)
        outcome = OUTCOME_REFUSED;
    json_decref(answer);
    return outcome;
}
