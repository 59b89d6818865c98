/* Lists that are alive, but dangerous as this file asks them. docs/lists.md says why. */

#include <string.h>

#include "base/domain.h"
#include "config/build.h"

enum risk {
    RISK_POSITIVE,     /* with a weight above 0 */
    RISK_NO_CODES,     /* without codes sections */
    RISK_ADDRESSES,    /* asked for addresses */
    RISK_NAMES,        /* asked for names */
    RISK_ENFORCED,     /* in any case, but for mode = "monitor" */
    RISK_EVERY_SENDER, /* not for bounces alone */
};

static const struct risky_zone {
    const char *suffix; /* behind the key, where there is one */
    enum risk risk;
    const char *advice;
} risky_zones[] = {
    {"list.dnswl.org", RISK_POSITIVE, "a list of good senders, give it weights below 0"},
    {"white.mail.abusix.zone", RISK_POSITIVE,
     "a list of good senders, give it weights below 0"},
    {"wl.mailspike.net", RISK_POSITIVE,
     "a list of good senders, give it weights below 0"},
    {"hostkarma.junkemailfilter.com", RISK_NO_CODES,
     "it lists good senders, too: name the codes that count"},
    {"rep.mailspike.net", RISK_NO_CODES,
     "it lists good senders, too: name the codes that count"},
    {"score.senderscore.com", RISK_NO_CODES,
     "its codes are a score or bits: name those that count"},
    {"multi.surbl.org", RISK_NO_CODES, "its codes are bits: name those that count"},
    {"multi.uribl.com", RISK_NO_CODES, "its codes are bits: name those that count"},
    {"black.uribl.com", RISK_ENFORCED,
     "its refusals look like hits, ask multi.uribl.com"},
    {"grey.uribl.com", RISK_ENFORCED, "its refusals look like hits, ask multi.uribl.com"},
    {"red.uribl.com", RISK_ENFORCED, "its refusals look like hits, ask multi.uribl.com"},
    {"zen.spamhaus.org", RISK_NAMES, "it knows addresses only, ask dbl for names"},
    {"zen.dq.spamhaus.net", RISK_NAMES, "it knows addresses only, ask dbl for names"},
    {"dbl.spamhaus.org", RISK_ADDRESSES, "it knows names only, ask zen for addresses"},
    {"dbl.dq.spamhaus.net", RISK_ADDRESSES, "it knows names only, ask zen for addresses"},
    {"zrd.dq.spamhaus.net", RISK_ADDRESSES, "it knows names only"},
    {"dnsbl-2.uceprotect.net", RISK_ENFORCED, "it lists neighbours on purpose"},
    {"dnsbl-3.uceprotect.net", RISK_ENFORCED, "it lists whole providers on purpose"},
    {"ips.backscatterer.org", RISK_EVERY_SENDER,
     "it is meant for bounces: when = \"null-sender\""},
    {"backscatter.spameatingmonkey.net", RISK_EVERY_SENDER,
     "it is meant for bounces: when = \"null-sender\""},
};

static bool has_positive_weight(const struct list *list)
{
    for (size_t i = 0; i < list->rule_count; i++)
        if (list->rules[i].weight > 0)
            return true;
    return list->rule_count == 0 && list->weight > 0;
}

static bool is_run(const struct list *list, enum risk risk)
{
    switch (risk) {
    case RISK_POSITIVE:
        return has_positive_weight(list);
    case RISK_NO_CODES:
        return list->rule_count == 0;
    case RISK_ADDRESSES:
        return (list->checks & 1u << CHECK_CLIENT) != 0;
    case RISK_NAMES:
        return (list->checks & ~(1u << CHECK_CLIENT)) != 0;
    case RISK_ENFORCED:
        return true;
    case RISK_EVERY_SENDER:
        return list->when != WHEN_NULL_SENDER;
    }
    return false;
}

void check_risks(struct build *b, const struct list *list, const char *path)
{
    if (list->zone == NULL || list->mode != LIST_ENFORCE)
        return;
    for (size_t i = 0; i < sizeof risky_zones / sizeof risky_zones[0]; i++)
        if (domain_is_below(list->zone, risky_zones[i].suffix) &&
            is_run(list, risky_zones[i].risk))
            list_warning(b, path, "zone", "zone = \"%s\": %s", list->zone_text,
                         risky_zones[i].advice);
}
