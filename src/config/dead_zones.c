#include "config/dead_zones.h"

#include <stddef.h>
#include <string.h>

#include "base/domain.h"

static const struct dead_zone dead_zones[] = {
    {"ahbl.org", "AHBL", "2014-03; lists every address since 2015-01-01",
     DEAD_ZONE_REFUSE},
    {"njabl.org", "NJABL", "2013-03-01; lists every address since its domain lapsed",
     DEAD_ZONE_REFUSE},
    {"sorbs.net", "SORBS", "2024-06-05; emptied", DEAD_ZONE_WARN},
};

const struct dead_zone *dead_zone_find(const char *zone)
{
    const struct dead_zone *found = NULL;

    for (size_t i = 0; i < sizeof dead_zones / sizeof dead_zones[0]; i++) {
        const struct dead_zone *d = &dead_zones[i];

        if (domain_is_below(zone, d->suffix) &&
            (found == NULL || strlen(d->suffix) > strlen(found->suffix)))
            found = d;
    }
    return found;
}
