/* SPDX-License-Identifier: BSD-2-Clause */
#include "known/contained_zones.h"

#include <stddef.h>

#include "base/domain.h"

/* docs/lists.md */
static const struct {
    const char *whole, *part; /* suffixes: a key may stand before them */
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
