/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hosts of a farm share of rules: counts and findings; and what a rule's name, which
 * is what they share of it, stands for here. */

#include <string.h>
#include <time.h>

#include "rules/rules_parts.h"

const struct rule *rules_find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->rule_count; i++)
        if (strcmp(config->rules[i].name, name) == 0)
            return &config->rules[i];
    return NULL;
}

json_t *rules_report_counts(struct rules *rules)
{
    struct config *config = rules_config(rules);
    json_t *rows = others_report(rules->others, rules->counters, config, time(NULL));

    config_unref(config);
    return rows;
}

void rules_hear_counts(struct rules *rules, const char *own_node, unsigned hosts,
                       const struct other_count *rows, size_t count)
{
    others_hear(rules->others, own_node, hosts, rows, count);
}

unsigned rules_sum(struct rules *rules, enum rule_by by, const char *key,
                   const struct counter_reading *own, int64_t now_s,
                   struct counter_reading *sum)
{
    return others_add(rules->others, rules->counters, by, key, own, now_s, sum);
}

json_t *rules_report_findings(struct rules *rules, size_t limit)
{
    struct findings *findings = rules_findings(rules);

    return findings != NULL ? findings_unreported(findings, limit, time(NULL)) : NULL;
}

void rules_reported_findings(struct rules *rules, const json_t *rows)
{
    struct findings *findings = rules_findings(rules);

    if (findings != NULL)
        (void)findings_reported(findings, rows);
}

/* Whose entry another host has made begins again here, too: see begin_again in decide.c. */
void rules_hear_finding(struct rules *rules, const char *own_node, const json_t *row)
{
    struct findings *findings = rules_findings(rules);
    struct config *config = rules_config(rules);
    const char *name, *key;
    const struct rule *rule;

    if (findings != NULL &&
        findings_hear(findings, row, own_node, time(NULL), &name, &key) == 1) {
        rule = rules_find(config, name);
        if (rule != NULL)
            (void)counters_reset(rules->counters, rule->by, key);
    }
    config_unref(config);
}

int rules_forget_reported(struct rules *rules)
{
    struct findings *findings = rules_findings(rules);

    return findings != NULL ? findings_forget_reported(findings, time(NULL)) : -1;
}
