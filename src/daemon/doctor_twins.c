#include "daemon/doctor_parts.h"

#include <stddef.h>

/* Lists that hold other lists: docs/lists.md. */
static const struct {
    const char *whole, *part; /* suffixes: a key may stand before them */
} twins[] = {
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

static bool holds(const struct list *whole, const struct list *part)
{
    for (size_t i = 0; i < sizeof twins / sizeof twins[0]; i++)
        if (domain_is_below(whole->zone, twins[i].whole) &&
            domain_is_below(part->zone, twins[i].part))
            return true;
    return false;
}

void doctor_twins(struct doctor *doctor)
{
    const struct dnsbl_set *lists = &doctor->policy->lists;

    for (size_t i = 0; i < lists->count; i++)
        for (size_t k = 0; k < lists->count; k++) {
            const struct list *a = lists->items[i].list, *b = lists->items[k].list;

            if (i != k && a->mode == LIST_ENFORCE && b->mode == LIST_ENFORCE &&
                (a->checks & b->checks) != 0 && holds(a, b))
                doctor_say(doctor, LEVEL_WARNING,
                           "take one of the two out, or set mode = \"monitor\" in it",
                           "list %s holds the data of list %s: a listing counts twice",
                           a->name, b->name);
        }
}
