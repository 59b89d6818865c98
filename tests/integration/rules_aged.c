/* SPDX-License-Identifier: BSD-2-Clause */
/* rules_aged CONF FOLDER [LOGIN…]: leaves in FOLDER what a daemon with this conf file leaves
 * behind that has seen no mail for 40 days (but one message of each LOGIN, and eight days ago one
 * from 192.0.2.9 to r0@e.f): windows that are wholly observed, habits that are known, and rules
 * that are no longer new. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/text.h"
#include "rules/findings.h"
#include "rules/usage.h"

#define AGE_S (40 * 86400)

static void report(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

static FILE *open_in(const char *folder, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "we");
}

static int age_rules(const struct config *config, const char *folder, int64_t then)
{
    char path[4096], error[FINDINGS_ERROR_SIZE];
    struct findings *findings;
    struct finding_rule rule;
    int rc = 0;

    snprintf(path, sizeof path, "%s/rules.db", folder);
    findings = findings_open(path, error);
    if (findings == NULL) {
        fprintf(stderr, "%s\n", error);
        return -1;
    }
    for (size_t i = 0; i < config->rule_count; i++) {
        char *text = rule_set_text(&config->rules[i]);

        if (text == NULL ||
            findings_rule(findings, config->rules[i].name, text, then, &rule) != 0)
            rc = -1;
        free(text);
    }
    findings_close(findings);
    return rc;
}

int main(int argc, char **argv)
{
    struct config *config = argc > 2 ? config_load(argv[1], report, NULL) : NULL;
    int64_t now = (int64_t)time(NULL), then = now - AGE_S;
    struct counter_layout layouts[RULE_BY_COUNT];
    struct counter_event event = {.count = COUNT_MESSAGES, .n = 1};
    struct counter_event habit = {.count = COUNT_STRANGERS,
                                  .n = 1,
                                  .element =
                                      octets_hash("e.f", 3, counters_hash("r0", 2)),
                                  .network = counters_hash("192.0.0.0/16", 12)};
    struct own_domains *own = own_domains_new();
    struct counters *counters;
    FILE *out;

    if (config == NULL || own == NULL)
        return 1;
    rule_set_layouts(config, layouts);
    counters = counters_new((size_t)config->automatic.max_keys, layouts, then);
    out = open_in(argv[2], "rules.counters");
    if (counters == NULL || out == NULL)
        return 1;
    for (int i = 3; i < argc; i++) {
        counters_add(counters, RULE_BY_LOGIN, argv[i], false, &event, 1, then, NULL);
        counters_add(counters, RULE_BY_LOGIN, argv[i], false, &habit, 1, now - 8 * 86400,
                     NULL);
    }
    if (own_domains_save(own, out) != 0 || counters_save(counters, now, out) != 0 ||
        fclose(out) != 0 || age_rules(config, argv[2], then) != 0)
        return 1;
    counters_free(counters);
    own_domains_free(own);
    config_unref(config);
    return 0;
}
