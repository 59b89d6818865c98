/* SPDX-License-Identifier: BSD-2-Clause */
/* add, allow, remove. */

#include "ctl/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/shown.h"

/* Who stands behind sudo is told to the trail, as a claim. */
static void set_sudo(json_t **request)
{
    ctl_set_text(request, "sudo", getenv("SUDO_USER"));
}

static json_t *entries_request(const char *command, const struct arguments *arguments)
{
    json_t *request = ctl_request(command);
    json_t *entries = json_array();

    for (int i = 0; i < arguments->word_count; i++)
        if (json_array_append_new(entries, json_string(arguments->words[i])) != 0) {
            json_decref(request);
            request = NULL; /* not UTF-8: ctl_ask says so */
        }
    json_object_set_new(request, "entries", entries);
    ctl_set_text(&request, "reason", arguments->option[OPTION_REASON]);
    ctl_set_text(&request, "source", arguments->option[OPTION_SOURCE]);
    set_sudo(&request);
    return request;
}

static void print_entries(const json_t *answer, const char *what)
{
    const json_t *entries = json_object_get(answer, "entries");
    const json_t *entry;
    char text[1024];
    size_t i;

    json_array_foreach (entries, i, entry) {
        shown_text(json_is_string(entry) ? json_string_value(entry) : "", text,
                   sizeof text);
        printf("%s: %s\n", text, what);
    }
}

static enum outcome add(struct ctl *ctl, const struct arguments *arguments,
                        const char *command, const char *what)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *request, *answer;
    int64_t expires_s;

    if (arguments_span(arguments, OPTION_EXPIRES, &expires_s) != 0)
        return OUTCOME_USAGE;
    request = entries_request(command, arguments);
    ctl_set_number(&request, "expires_s", expires_s);
    if (arguments->option[OPTION_FORCE] != NULL)
        json_object_set_new(request, "force", json_true());
    answer = ctl_ask(ctl, request, &outcome);
    if (answer == NULL)
        return outcome;
    json_object_del(answer, "ok");
    if (ctl->json)
        shown_json(answer, ctl->terminal);
    else
        print_entries(answer, what);
    if (json_is_true(json_object_get(answer, "shadowed")))
        ctl_error(OUTCOME_DONE, "an allow entry of the same text still lets it pass: "
                                "\"rblctl remove\" takes both off");
    json_decref(answer);
    return OUTCOME_DONE;
}

enum outcome ctl_add(struct ctl *ctl, const struct arguments *arguments)
{
    return add(ctl, arguments, "add", "listed");
}

enum outcome ctl_allow(struct ctl *ctl, const struct arguments *arguments)
{
    return add(ctl, arguments, "allow", "allowed");
}

enum outcome ctl_remove(struct ctl *ctl, const struct arguments *arguments)
{
    bool dry_run = arguments->option[OPTION_DRY_RUN] != NULL;
    enum outcome outcome = OUTCOME_DONE;
    json_t *request = entries_request("remove", arguments);
    json_t *answer;

    if (dry_run)
        json_object_set_new(request, "dry_run", json_true());
    answer = ctl_ask(ctl, request, &outcome);
    if (answer == NULL)
        return outcome;
    json_object_del(answer, "ok");
    if (ctl->json)
        shown_json(answer, ctl->terminal);
    else
        print_entries(answer, dry_run ? "would be removed" : "removed");
    json_decref(answer);
    return OUTCOME_DONE;
}
