/* SPDX-License-Identifier: BSD-2-Clause */
/* farm: the hosts that share this list; farm init, compare, forget. */

#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/output.h"
#include "farm/farm.h"

/* --- how far a change has come --- */

enum outcome farm_reach_show(const json_t *answer, const char *what, bool wait)
{
    const json_t *farm = json_object_get(answer, "farm");
    long long have = number_of(farm, "have"), hosts = number_of(farm, "hosts");
    long long waiting = number_of(farm, "waiting");
    char error[512];

    if (farm == NULL)
        return OUTCOME_DONE;
    shown_text(text_of(farm, "error"), error, sizeof error);
    if (what == NULL)
        ; /* it is in the JSON */
    else if (json_is_true(json_object_get(farm, "reached")))
        printf("%s; %lld of %lld host%s %s it\n", what, have, hosts,
               hosts == 1 ? "" : "s", have == 1 ? "has" : "have");
    else
        printf("%s here; the farm %s%s%s, %lld change%s wait%s\n", what,
               error[0] != '\0' ? "cannot be reached (" : "has not answered yet", error,
               error[0] != '\0' ? ")" : "", waiting, waiting == 1 ? "" : "s",
               waiting == 1 ? "s" : "");
    return wait && (hosts == 0 || have < hosts) ? OUTCOME_NOT_ALL : OUTCOME_DONE;
}

/* --- the table --- */

static const struct column host_columns[] = {
    {"host", "HOST", COLUMN_TEXT},         {"state", "STATE", COLUMN_TEXT},
    {"entries", "ENTRIES", COLUMN_NUMBER}, {"lag_ms", "LAG MS", COLUMN_NUMBER},
    {"waiting", "WAITING", COLUMN_NUMBER}, {"version", "VERSION", COLUMN_TEXT},
    {"since", "SINCE", COLUMN_TIME},       {"refused", "REFUSED", COLUMN_NUMBER},
    {"seen_s", NULL, COLUMN_NUMBER},
};

static const struct coloring host_coloring = {"state", "equal", "", "behind"};

static void print_head(const json_t *farm)
{
    long long version = number_of(farm, "server_version");
    char server[300], node[300], wrong[600];

    shown_text(text_of(farm, "server"), server, sizeof server);
    shown_text(text_of(farm, "node"), node, sizeof node);
    shown_text(text_of(farm, "wrong"), wrong, sizeof wrong);
    if (strcmp(text_of(farm, "state"), "reached") != 0)
        printf("The farm cannot be reached (%s), %lld changes wait.\n", wrong,
               number_of(farm, "waiting"));
    else
        printf(
            "Farm on %s (PostgreSQL %lld.%lld), in sync as of %lld ms ago; this host is "
            "%s.\n",
            server, version / 10000, version % 10000, number_of(farm, "read_ms"), node);
    if (number_of(farm, "refused") > 0) {
        shown_text(text_of(farm, "refused_last"), wrong, sizeof wrong);
        printf("%lld rows were refused, last: %s\n", number_of(farm, "refused"), wrong);
    }
}

static enum outcome show_farm(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_send(ctl, ctl_request("farm"), &outcome);

    if (answer == NULL)
        return outcome;
    json_object_del(answer, "ok");
    if (json_is_true(json_object_get(answer, "wrong")))
        outcome = OUTCOME_NO;
    if (ctl->json) {
        shown_json(answer, ctl->terminal);
    } else {
        print_head(json_object_get(answer, "farm"));
        if (table_of(COLUMNS(host_columns), arguments->option[OPTION_OUTPUT],
                     &host_coloring, ctl->terminal,
                     json_object_get(answer, "hosts")) != 0)
            outcome = OUTCOME_USAGE;
    }
    json_decref(answer);
    return outcome;
}

/* --- compare, forget, init --- */

static void print_comparison(const json_t *found)
{
    long long here = number_of(found, "missing_here") + number_of(found, "older_here");
    long long there =
        number_of(found, "missing_in_farm") + number_of(found, "older_in_farm");
    json_t *row;
    size_t i;

    printf("%lld rows here, %lld in the farm, at its change %lld",
           number_of(found, "here"), number_of(found, "farm"), number_of(found, "seq"));
    if (number_of(found, "other") > 0)
        printf(": %lld of the same version say something else\n",
               number_of(found, "other"));
    else if (here + there == 0)
        printf(": equal, %lld refused\n", number_of(found, "refused"));
    else
        printf(": %lld were taken, %lld sent\n", here, there);
    json_array_foreach (json_object_get(found, "rows"), i, row) {
        print_text(json_is_string(row) ? json_string_value(row) : "");
        putchar('\n');
    }
}

/* NO where something differed. */
static enum outcome compare(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *request = ctl_request("farm-compare"), *answer;
    const json_t *found;

    ctl_set_flag(&request, "full", arguments, OPTION_FULL);
    answer = ctl_send(ctl, request, &outcome);
    if (answer == NULL)
        return outcome;
    found = json_object_get(answer, "comparison");
    if (json_array_size(json_object_get(found, "rows")) > 0)
        outcome = OUTCOME_NO;
    if (ctl->json)
        shown_json(found, ctl->terminal);
    else
        print_comparison(found);
    json_decref(answer);
    return outcome;
}

static enum outcome forget(struct ctl *ctl, const char *node)
{
    json_t *request = ctl_request("farm-forget"), *answer;
    enum outcome outcome = OUTCOME_DONE;

    ctl_set_text(&request, "node", node);
    answer = ctl_send(ctl, request, &outcome);
    if (answer == NULL)
        return outcome;
    if (!ctl->json)
        printf("forgotten; a host that is still there comes back by itself\n");
    json_decref(answer);
    return outcome;
}

enum outcome ctl_farm(struct ctl *ctl, const struct arguments *arguments)
{
    char **words = arguments->words;
    int count = arguments->word_count;
    char said[FARM_ERROR_SIZE];

    if (count == 0)
        return show_farm(ctl, arguments);
    if (count == 2 && strcmp(words[0], "init") == 0) {
        if (farm_init(words[1], said) != 0)
            return ctl_error(OUTCOME_REFUSED, "farm init: %s", said);
        puts(said);
        return OUTCOME_DONE;
    }
    if (count == 1 && strcmp(words[0], "compare") == 0)
        return compare(ctl, arguments);
    if (count == 2 && strcmp(words[0], "forget") == 0)
        return forget(ctl, words[1]);
    return ctl_error(OUTCOME_USAGE,
                     "farm %s: possible are farm, farm init CONNECTION, "
                     "farm compare, farm forget NODE",
                     words[0]);
}
