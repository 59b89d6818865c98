/* SPDX-License-Identifier: BSD-2-Clause */
#include "known/risky_zones.h"

#include "base/domain.h"

static const struct risky_zone risky_zones[] = {
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

const struct risky_zone *risky_zone_next(const char *zone, size_t *index)
{
    while (*index < sizeof risky_zones / sizeof risky_zones[0]) {
        const struct risky_zone *row = &risky_zones[(*index)++];

        if (domain_is_below(zone, row->suffix))
            return row;
    }
    return NULL;
}
