/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/guard_rails.h"

#include <string.h>

#include "base/domain.h"
#include "base/text.h"

#define DAY_S        86400
#define QUIET_S      (7 * DAY_S) /* after a person has dismissed a proposal */
#define TRIAL_S      (7 * DAY_S) /* of a new or changed rule: it only proposes */
#define SILENCE_S    DAY_S       /* after a person has removed an entry */
#define LOGINS_SHARE 100         /* one of so many active logins within a day */

static enum guard_word never(char why[static GUARD_WHY_SIZE], const char *text)
{
    text_sentence(why, GUARD_WHY_SIZE, "%s", text);
    return GUARD_NEVER;
}

static enum guard_word propose(char why[static GUARD_WHY_SIZE], const char *text)
{
    if (why[0] == '\0')
        text_sentence(why, GUARD_WHY_SIZE, "%s", text);
    return GUARD_PROPOSE;
}

/* --- 9: what a person took away --- */

struct removals {
    bool found;
    char *who;
};

static bool see_event(void *context, const struct blocklist_event *event)
{
    struct removals *removals = context;

    if (strcmp(event->action, "remove") != 0 || strcmp(event->login, RULES_LOGIN) == 0)
        return true;
    removals->found = true;
    text_sentence(removals->who, GUARD_WHY_SIZE, "%s", event->login);
    return false;
}

bool guard_was_removed(const struct guard *guard, const char *entry, int64_t since,
                       char who[static GUARD_WHY_SIZE])
{
    struct removals removals = {false, who};
    char error[BLOCKLIST_ERROR_SIZE];
    int64_t before = 0;

    while (before != -1 && !removals.found)
        if (blocklist_log(guard->blocklist, entry, (time_t)since, &before, 100, see_event,
                          &removals, error) != BLOCKLIST_OK)
            return true; /* nobody knows: then nothing is listed */
    return removals.found;
}

/* --- 1, 2: what no rule may list --- */

static bool is_exempt_address(const struct config *config, const char *text)
{
    struct mail_address address;

    return mail_address_parse(text, &address) == 0 &&
           (mail_address_is_null(&address) || mail_address_is_role(&address) ||
            exempt_addresses_have(config->exempt.senders, config->exempt.sender_count,
                                  &address));
}

enum guard_word guard_entry(const struct config *config,
                            const struct entry_limits *limits, const struct entry *entry,
                            char why[static GUARD_WHY_SIZE])
{
    char too_wide[ENTRY_ERROR_SIZE] = "";
    struct network network;
    bool is_network = entry_network(entry, &network) == 0;

    if (entry->kind == ENTRY_DOMAIN || entry->kind == ENTRY_HOST ||
        (is_network && network.prefix < (network.base.family == 4 ? 32 : 64)))
        return never(why, "it is more than one sender, which no rule lists");
    if (is_network && ipaddr_is_local(&network.base))
        return never(why, "it is a private network, or a proxy's");
    if ((entry->kind == ENTRY_ADDRESS && is_exempt_address(config, entry->text)) ||
        (entry->kind == ENTRY_USER &&
         is_exempt_address(config, entry->text + strlen("user:"))))
        return never(why, "it is exempt, or a role that everybody has");
    if (entry_too_wide(entry, false, limits, too_wide))
        return never(why, too_wide);
    return GUARD_LIST;
}

static enum guard_word judge_entry(const struct guard *guard, const struct entry *entry,
                                   char why[static GUARD_WHY_SIZE])
{
    struct blocklist_match match;

    if (guard_entry(guard->config, &guard->limits, entry, why) == GUARD_NEVER)
        return GUARD_NEVER;
    switch (blocklist_lookup_entry(guard->blocklist, entry, &match)) {
    case BLOCKLIST_ALLOW:
        text_sentence(why, GUARD_WHY_SIZE, "it is allowed by %s", match.key);
        return GUARD_NEVER;
    case BLOCKLIST_BLOCK:
    case BLOCKLIST_TEMPFAIL:
        text_sentence(why, GUARD_WHY_SIZE, "it is listed already by %s", match.key);
        return GUARD_NEVER;
    case BLOCKLIST_NONE:
        break;
    }
    return GUARD_LIST;
}

/* --- 6: how much rules may list --- */

bool guard_over_caps(const struct config *config, const struct entry *entry,
                     const struct guard_made *made, char why[static GUARD_WHY_SIZE])
{
    if (made->hour >= config->automatic.max_per_hour)
        text_sentence(why, GUARD_WHY_SIZE, "rules have listed %lld within an hour",
                      (long long)made->hour);
    else if (made->day >= config->automatic.max_per_day)
        text_sentence(why, GUARD_WHY_SIZE, "rules have listed %lld within a day",
                      (long long)made->day);
    else if (entry->kind == ENTRY_USER && made->logins * LOGINS_SHARE >= made->active &&
             made->logins > 0)
        text_sentence(why, GUARD_WHY_SIZE,
                      "rules have listed %lld of the %lld logins that were active within "
                      "a day: more than 1 %%",
                      (long long)made->logins, (long long)made->active);
    else
        return false;
    return true;
}

static bool is_over_caps(const struct guard *guard, const struct entry *entry,
                         char why[static GUARD_WHY_SIZE])
{
    struct guard_made made = {0};

    if (findings_made(guard->findings, guard->now - 3600, entry->text, &made.hour,
                      &made.logins) != 0 ||
        findings_made(guard->findings, guard->now - DAY_S, entry->text, &made.day,
                      &made.logins) != 0)
        return true;
    made.active =
        (int64_t)counters_active(guard->counters, RULE_BY_LOGIN, guard->now - DAY_S);
    return guard_over_caps(guard->config, entry, &made, why);
}

/* --- 4: clients of many --- */

bool guard_is_shared(const struct entry *entry, const struct usage_subject *subject,
                     char why[static GUARD_WHY_SIZE])
{
    if (entry->kind != ENTRY_NETWORK || !subject->is_shared)
        return false;
    text_sentence(why, GUARD_WHY_SIZE, "others may use it: %s", subject->shared);
    return true;
}

enum guard_word guard_judge(const struct guard *guard, const struct finding *finding,
                            const struct entry *entry,
                            const struct usage_subject *subject,
                            const struct finding_history *history,
                            const struct finding_rule *rule, bool *trip,
                            char why[static GUARD_WHY_SIZE])
{
    char who[GUARD_WHY_SIZE];
    const struct config *config = guard->config;

    *trip = false;
    why[0] = '\0';
    if (history->is_open)
        return never(why, "it is proposed already");
    if (history->dismissed_at > guard->now - QUIET_S)
        return never(why, "it was dismissed within 7 days");
    if (history->dismissed_at > 0 && finding->times < 2)
        return never(why, "it was dismissed, and is not twice over the limit");
    if (judge_entry(guard, entry, why) == GUARD_NEVER)
        return GUARD_NEVER;
    if (guard_was_removed(guard, entry->text, guard->now - SILENCE_S, who)) {
        text_sentence(why, GUARD_WHY_SIZE, "%s removed it within a day", who);
        return GUARD_NEVER;
    }
    if (config->automatic.mode != RULE_ENFORCE || finding->rule->mode != RULE_ENFORCE)
        return GUARD_PROPOSE;
    if (rule->since > guard->now - TRIAL_S)
        return propose(why, "the rule is new, or was changed, within 7 days");
    if (guard_is_shared(entry, subject, why))
        return GUARD_PROPOSE;
    if (rule->tripped_at != 0)
        return propose(why, "the rule has tripped");
    if (is_over_caps(guard, entry, why)) {
        *trip = true;
        return GUARD_PROPOSE;
    }
    return GUARD_LIST;
}
