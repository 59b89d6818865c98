/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon itself: status, stats, reload, flush-cache. */

#include "ctl/commands.h"

#include <stdio.h>

#include "ctl/shown.h"

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
