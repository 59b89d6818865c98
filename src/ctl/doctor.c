/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor: what is wrong around the daemon, by itself and by the MTA's configuration. */

#include "ctl/commands.h"

#include <string.h>

#include "ctl/mta.h"
#include "ctl/shown.h"
#include "ctl/table.h"

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

/* Whether something is wrong: then the exit status is NO. */
static enum outcome worst(const json_t *findings)
{
    const json_t *finding;
    size_t i;

    json_array_foreach (findings, i, finding) {
        const char *level = json_string_value(json_object_get(finding, "level"));

        if (level == NULL || strcmp(level, "ok") != 0)
            return OUTCOME_NO;
    }
    return OUTCOME_DONE;
}

/* Adds what the MTA's configuration says of the milter's socket, which the daemon knows.
 */
static enum outcome add_mta(struct ctl *ctl, json_t *findings)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_ask_page(ctl, ctl_request("status"), &outcome);
    const char *socket =
        json_string_value(json_object_get(json_object_get(answer, "status"), "socket"));

    if (socket != NULL)
        mta_findings(socket, findings);
    json_decref(answer);
    return outcome;
}

enum outcome ctl_doctor(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_ask(ctl, ctl_request("doctor"), &outcome);
    json_t *findings = json_object_get(answer, "findings");

    (void)arguments;
    if (answer == NULL)
        return outcome;
    json_object_del(answer, "ok");
    outcome = add_mta(ctl, findings);
    if (outcome != OUTCOME_DONE)
        goto out;
    outcome = worst(findings);
    if (ctl->json)
        shown_json(answer, ctl->terminal);
    else if (table_of(finding_columns, 3, NULL, level_color, ctl->terminal, findings) !=
             0)
        outcome = OUTCOME_REFUSED;
out:
    json_decref(answer);
    return outcome;
}
