#ifndef DNSBL_DNSBL_H
#define DNSBL_DNSBL_H

/* The lists of one configuration, ready to be asked. */

#include <stddef.h>

#include "config/config.h"
#include "dns/resolver.h"
#include "dnsbl/listing.h"
#include "dnsbl/record.h"
#include "dnsbl/registry.h"

/* One list, ready to be asked. */
struct dnsbl {
    const struct list *list;
    struct upstream *upstream;
    struct dnsbl_record *record; /* the registry's */
    int least, most;             /* what its answer can add to a score; 0 in monitor */
    int most_load; /* with so many queries under way it is not asked any more: shed.h */
};

struct dnsbl_set {
    struct dnsbl *items; /* those that are not off; in the order of the conf file */
    size_t count;
};

/* Makes the lists of config ready and has their health watched. config and registry are
 * borrowed and must outlive the set. Returns 0, or -1 without memory (nothing is held
 * then). One thread at a time. */
int dnsbl_set_init(struct dnsbl_set *set, struct config *config,
                   struct resolver *resolver, struct dnsbl_registry *registry);
void dnsbl_set_clear(struct dnsbl_set *set); /* zeroed is fine */

#endif
