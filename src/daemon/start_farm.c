/* SPDX-License-Identifier: BSD-2-Clause */
/* The farm's thread, and what it carries between the rules of the hosts. */

#include <stdlib.h>

#include "base/log.h"
#include "daemon/commands.h"
#include "daemon/daemon.h"

static json_t *report_counts(void *context)
{
    return rules_report_counts(((struct daemon *)context)->rules);
}

static void hear_counts(void *context, const char *own_node, unsigned hosts,
                        const struct farm_count *rows, size_t count)
{
    struct other_count *heard = calloc(count + 1, sizeof *heard);

    for (size_t i = 0; heard != NULL && i < count; i++)
        heard[i] =
            (struct other_count){rows[i].node, rows[i].kind, rows[i].key, rows[i].body};
    if (heard != NULL)
        rules_hear_counts(((struct daemon *)context)->rules, own_node, hosts, heard,
                          count);
    free(heard);
}

static json_t *report_findings(void *context, size_t limit)
{
    return rules_report_findings(((struct daemon *)context)->rules, limit);
}

static void reported_findings(void *context, const json_t *rows)
{
    rules_reported_findings(((struct daemon *)context)->rules, rows);
}

static void hear_finding(void *context, const char *own_node, const json_t *row)
{
    rules_hear_finding(((struct daemon *)context)->rules, own_node, row);
}

static int forget_reported(void *context)
{
    return rules_forget_reported(((struct daemon *)context)->rules);
}

bool daemon_has_farm(const struct config *config)
{
    return config->farm.database != NULL && config->farm.database[0] != '\0';
}

int daemon_start_farm(struct daemon *daemon, const struct config *config)
{
    struct farm_options options = {
        .blocklist = daemon->blocklist,
        .database = config->farm.database,
        .node = config->farm.node,
        .keep_local = (const char *const *)config->farm.keep_local,
        .keep_local_count = config->farm.keep_local_count,
        .number = config->journal.node,
        .alone = command_alone,
        .report_counts = report_counts,
        .hear_counts = hear_counts,
        .report_findings = report_findings,
        .reported_findings = reported_findings,
        .hear_finding = hear_finding,
        .forget_reported = forget_reported,
        .context = daemon,
    };
    char error[FARM_ERROR_SIZE];

    if (!daemon_has_farm(config))
        return 0;
    daemon->farm = farm_new(&options, error);
    if (daemon->farm == NULL)
        log_error("farm: %s", error);
    return daemon->farm != NULL ? 0 : -1;
}
