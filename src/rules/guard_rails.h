/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_GUARD_RAILS_H
#define RULES_GUARD_RAILS_H

/* What no rule may do, whatever the conf file says: a customer locked out wrongly is the
 * worst that can come of a rule. docs/rules.md numbers them. For the rules' thread. */

#include "blocklist/admin.h"
#include "rules/findings.h"
#include "rules/rule_set.h"

#define GUARD_WHY_SIZE 256

/* What a finding is held against. All borrowed. */
struct guard {
    struct blocklist *blocklist;
    struct findings *findings;
    struct counters *counters;
    const struct config *config;
    struct entry_limits limits;
    int64_t now;
};

/* The login of what rules list, in the audit log. */
#define RULES_LOGIN "rules"

enum guard_word {
    GUARD_NEVER,   /* nothing at all */
    GUARD_PROPOSE, /* a person is to decide */
    GUARD_LIST
};

/* What may be made of a finding for an entry; why says what held it back, "" nothing. trip
 * is set where the rule has listed so much that it is to list no more. */
enum guard_word guard_judge(const struct guard *guard, const struct finding *finding,
                            const struct entry *entry,
                            const struct usage_subject *subject,
                            const struct finding_history *history,
                            const struct finding_rule *rule, bool *trip,
                            char why[static GUARD_WHY_SIZE]);

/* Parts of it, for mail that is played again (policy/replay_rules.h): whether an entry is one
 * that no rule lists (GUARD_NEVER; else GUARD_LIST), whether it is a client of many users,
 * and whether rules have listed too much. */
enum guard_word guard_entry(const struct config *config,
                            const struct entry_limits *limits, const struct entry *entry,
                            char why[static GUARD_WHY_SIZE]);
bool guard_is_shared(const struct entry *entry, const struct usage_subject *subject,
                     char why[static GUARD_WHY_SIZE]);

/* What rules have listed within an hour, a day, and of logins but the current one; and the
 * logins that were active within a day. */
struct guard_made {
    int64_t hour, day, logins, active;
};
bool guard_over_caps(const struct config *config, const struct entry *entry,
                     const struct guard_made *made, char why[static GUARD_WHY_SIZE]);

/* Whether a person has taken the entry off the list since then. */
bool guard_was_removed(const struct guard *guard, const char *entry, int64_t since,
                       char who[static GUARD_WHY_SIZE]);

#endif
