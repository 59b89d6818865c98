#ifndef DNSBL_DNSBL_H
#define DNSBL_DNSBL_H

/* The lists of one configuration, ready to be asked, and what is counted of them. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "dns/resolver.h"
#include "dnsbl/listing.h"

/* What was seen of a list since the start; it outlives reloads, by the list's name. All
 * are counts of questions but last_change. Any thread may add or read. */
struct dnsbl_counters {
    char *name;
    atomic_uint_fast64_t questions; /* of sessions, from the cache or not */
    atomic_uint_fast64_t cached;
    atomic_uint_fast64_t by_state[LISTING_FAILED + 1];
    atomic_uint_fast64_t by_status[DNS_STATUS_COUNT];
    atomic_uint_fast64_t decided; /* refusals that this list's weight was needed for */
    struct dnsbl_counters *next;
};

/* The counters of all lists ever configured. */
struct dnsbl_registry;

struct dnsbl_registry *dnsbl_registry_new(void); /* NULL: no memory */
void dnsbl_registry_free(struct dnsbl_registry *registry);

/* One list, ready to be asked. */
struct dnsbl {
    const struct list *list;
    struct upstream *upstream;
    struct dnsbl_counters *counters;
    int least, most; /* what its answer can add to a score; 0 in monitor */
};

struct dnsbl_set {
    struct dnsbl *items; /* those that are not off; in the order of the conf file */
    size_t count;
};

/* Makes the lists of config ready. config and registry are borrowed and must outlive the
 * set. Returns 0, or -1 without memory (nothing is held then). One thread at a time. */
int dnsbl_set_init(struct dnsbl_set *set, const struct config *config,
                   struct resolver *resolver, struct dnsbl_registry *registry);
void dnsbl_set_clear(struct dnsbl_set *set); /* zeroed is fine */

/* Counts an answer to a question of a session. Any thread. */
void dnsbl_count(struct dnsbl *dnsbl, const struct dns_answer *answer,
                 const struct listing *listing, bool cached);

#endif
