/* SPDX-License-Identifier: BSD-2-Clause */
#include "known/zones.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/domain.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* In order of the suffix. State of November 2026, from public pages; docs/lists.md says
 * how a list dies. */
static const struct dead_zone dead_zones[] = {
    {"abuseat.org", "CBL", "by 2023-02; it became the XBL, which zen.spamhaus.org holds",
     DEAD_ZONE_WARN},
    {"ahbl.org", "AHBL", "2014-03; lists every address since 2015-01-01",
     DEAD_ZONE_REFUSE},
    {"bad.psky.me", "psky.me", "by 2026-03; its domain is for sale", DEAD_ZONE_REFUSE},
    {"bl.konstant.no", "Konstant", "unknown; it has no name server", DEAD_ZONE_WARN},
    {"bsb.spamlookup.net", "BSB", "2020-04; broken", DEAD_ZONE_WARN},
    {"burnt-tech.com", "Burnt Tech",
     "2015-09; lists every address, its domain is for sale", DEAD_ZONE_REFUSE},
    {"cidr.bl.mcafee.com", "McAfee", "by 2024-11; not confirmed", DEAD_ZONE_WARN},
    {"combined.abuse.ch", "abuse.ch", "by 2019-02; abuse.ch has no DNS lists any more",
     DEAD_ZONE_WARN},
    {"dnsbl.cyberlogic.net", "Cyberlogic", "2018-05; broken, and was private",
     DEAD_ZONE_WARN},
    {"dnsbl.inps.de", "inps.de", "2020-05-25; silent", DEAD_ZONE_WARN},
    {"dnsbl.madavi.de", "madavi", "by 2025-03; not confirmed", DEAD_ZONE_WARN},
    {"dnsrbl.org", "dnsrbl.org", "by 2026-03; its domain is for sale", DEAD_ZONE_REFUSE},
    {"dnswl.inps.de", "inps.de", "2020-05-25; silent", DEAD_ZONE_WARN},
    {"drone.abuse.ch", "abuse.ch", "by 2019-02; abuse.ch has no DNS lists any more",
     DEAD_ZONE_WARN},
    {"dsbl.org", "DSBL", "2008-05; its servers are off since 2009-03-09", DEAD_ZONE_WARN},
    {"dwl.spamhaus.org", "Spamhaus DWL", "by 2018-12; dnswl.org is another allow list",
     DEAD_ZONE_WARN},
    {"dynip.rothen.com", "Rothen", "2020-09; not confirmed", DEAD_ZONE_WARN},
    {"emailbasura.org", "Email Basura",
     "2019-10; lists every address, a speculator has its domain", DEAD_ZONE_REFUSE},
    {"fusionzero.com", "0spam", "unknown; moved to 0spam.org", DEAD_ZONE_WARN},
    {"httpbl.abuse.ch", "abuse.ch", "by 2019-02; abuse.ch has no DNS lists any more",
     DEAD_ZONE_WARN},
    {"ix.dnsbl.manitu.net", "NiX Spam", "2025-01-16; emptied", DEAD_ZONE_WARN},
    {"lbl.lagengymnastik.dk", "Lagengymnastik",
     "2003-04; lists every address since 2007-01", DEAD_ZONE_REFUSE},
    {"mail-abuse.com", "MAPS", "unknown; sold, and silent without an activation code",
     DEAD_ZONE_WARN},
    {"mail-abuse.org", "MAPS", "unknown; sold, and silent without an activation code",
     DEAD_ZONE_WARN},
    {"megarbl.net", "megarbl", "2019-11; not confirmed", DEAD_ZONE_WARN},
    {"njabl.org", "NJABL", "2013-03-01; lists every address since its domain lapsed",
     DEAD_ZONE_REFUSE},
    {"nszones.com", "nszones",
     "unknown; a fraud with stolen data that takes money to delist", DEAD_ZONE_REFUSE},
    {"ordb.org", "ORDB", "2006-12-18; lists every address since 2008-03-25",
     DEAD_ZONE_REFUSE},
    {"osirusoft.com", "Osirusoft", "2003-08; listed every address at its end",
     DEAD_ZONE_REFUSE},
    {"rbl.jp", "rbl.jp", "unknown; it has no name server", DEAD_ZONE_WARN},
    {"rbl.smtpcheck.net", "smtpcheck", "unknown; nobody is known to keep it",
     DEAD_ZONE_WARN},
    {"rbl.suresupport.com", "SureSupport", "2019-12; not confirmed", DEAD_ZONE_WARN},
    {"rbl.triumf.ca", "TRIUMF", "unknown; it has no name server", DEAD_ZONE_WARN},
    {"relays.nether.net", "nether.net", "unknown; it has no name server", DEAD_ZONE_WARN},
    {"rfc-ignorant.org", "rfc-ignorant", "2012; not confirmed", DEAD_ZONE_WARN},
    {"sectoor.de", "sectoor", "2018-06; not confirmed", DEAD_ZONE_WARN},
    {"solid.net", "solid.net", "before 2013; lists every address, its domain is parked",
     DEAD_ZONE_REFUSE},
    {"sorbs.net", "SORBS", "2024-06-05; emptied", DEAD_ZONE_WARN},
    {"spam.abuse.ch", "abuse.ch", "by 2019-02; abuse.ch has no DNS lists any more",
     DEAD_ZONE_WARN},
    {"spamcannibal.org", "SpamCannibal",
     "2018-05; lists every address, its domain is parked", DEAD_ZONE_REFUSE},
    {"spamdown.org", "spamdown", "2026-03; lists every address", DEAD_ZONE_REFUSE},
    {"spamhaus.org", "this name below spamhaus.org",
     "never existed; mistyped names are answered too: use zen. or dbl.spamhaus.org",
     DEAD_ZONE_REFUSE},
    {"spamsources.dnsbl.info", "dnsbl.info", "before 2009; lists every address",
     DEAD_ZONE_REFUSE},
    {"spamtrap.drbl.drand.net", "drand", "2024-03-26; lists every address",
     DEAD_ZONE_REFUSE},
    {"swl.spamhaus.org", "Spamhaus SWL", "by 2018-12; dnswl.org is another allow list",
     DEAD_ZONE_WARN},
    {"tqmcube.com", "TQMcube", "2009-08; not confirmed", DEAD_ZONE_WARN},
    {"ubl.lashback.com", "LashBack UBL", "by 2024-06; it has no name server",
     DEAD_ZONE_WARN},
    {"unsubscore.com", "LashBack UBL", "by 2024-06; it has no name server",
     DEAD_ZONE_WARN},
    {"webiron.net", "Webiron", "2020-05; lists every address, its domain lapsed",
     DEAD_ZONE_REFUSE},
    {"wpbl.info", "WPBL", "2023-11; emptied", DEAD_ZONE_WARN},
};

/* Zones that live below one of the suffixes above. */
static const char *const living_zones[] = {
    "zen.spamhaus.org", "sbl.spamhaus.org",     "xbl.spamhaus.org",
    "pbl.spamhaus.org", "sbl-xbl.spamhaus.org", "dbl.spamhaus.org",
};

const struct dead_zone *dead_zone_find(const char *zone)
{
    const struct dead_zone *found = NULL;

    for (size_t i = 0; i < COUNT(living_zones); i++)
        if (domain_is_below(zone, living_zones[i]))
            return NULL;
    for (size_t i = 0; i < COUNT(dead_zones); i++) {
        const struct dead_zone *d = &dead_zones[i];

        if (domain_is_below(zone, d->suffix) &&
            (found == NULL || strlen(d->suffix) > strlen(found->suffix)))
            found = d;
    }
    return found;
}

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
     "its refusals look like hits, query multi.uribl.com"},
    {"grey.uribl.com", RISK_ENFORCED,
     "its refusals look like hits, query multi.uribl.com"},
    {"red.uribl.com", RISK_ENFORCED,
     "its refusals look like hits, query multi.uribl.com"},
    {"zen.spamhaus.org", RISK_NAMES, "it knows addresses only, query dbl for names"},
    {"zen.dq.spamhaus.net", RISK_NAMES, "it knows addresses only, query dbl for names"},
    {"dbl.spamhaus.org", RISK_ADDRESSES, "it knows names only, query zen for addresses"},
    {"dbl.dq.spamhaus.net", RISK_ADDRESSES,
     "it knows names only, query zen for addresses"},
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

/* docs/lists.md */
static const struct {
    const char *whole, *part; /* suffixes: a key may precede them */
} contained[] = {
    {"zen.spamhaus.org", "zen.dq.spamhaus.net"},
    {"zen.spamhaus.org", "sbl.spamhaus.org"},
    {"zen.spamhaus.org", "xbl.spamhaus.org"},
    {"zen.spamhaus.org", "pbl.spamhaus.org"},
    {"zen.spamhaus.org", "sbl-xbl.spamhaus.org"},
    {"zen.spamhaus.org", "cbl.abuseat.org"},
    {"zen.dq.spamhaus.net", "sbl.dq.spamhaus.net"},
    {"zen.dq.spamhaus.net", "xbl.dq.spamhaus.net"},
    {"zen.dq.spamhaus.net", "pbl.dq.spamhaus.net"},
    {"zen.dq.spamhaus.net", "sbl.spamhaus.org"},
    {"zen.dq.spamhaus.net", "xbl.spamhaus.org"},
    {"zen.dq.spamhaus.net", "pbl.spamhaus.org"},
    {"zen.dq.spamhaus.net", "sbl-xbl.spamhaus.org"},
    {"zen.dq.spamhaus.net", "cbl.abuseat.org"},
    {"sbl-xbl.spamhaus.org", "sbl.spamhaus.org"},
    {"sbl-xbl.spamhaus.org", "xbl.spamhaus.org"},
    {"sbl-xbl.spamhaus.org", "cbl.abuseat.org"},
    {"xbl.spamhaus.org", "cbl.abuseat.org"},
    {"combined.mail.abusix.zone", "black.mail.abusix.zone"},
    {"combined.mail.abusix.zone", "exploit.mail.abusix.zone"},
    {"combined.mail.abusix.zone", "dynamic.mail.abusix.zone"},
    {"white.mail.abusix.zone", "list.dnswl.org"},
    {"bl.mailspike.net", "z.mailspike.net"},
    {"bl.mailspike.net", "rep.mailspike.net"},
};

bool zone_contains(const char *whole, const char *part)
{
    for (size_t i = 0; i < sizeof contained / sizeof contained[0]; i++)
        if (domain_is_below(whole, contained[i].whole) &&
            domain_is_below(part, contained[i].part))
            return true;
    return false;
}
