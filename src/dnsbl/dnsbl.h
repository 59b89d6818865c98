/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNSBL_DNSBL_H
#define DNSBL_DNSBL_H

/* The lists of one configuration, ready to be queried. */

#include <stddef.h>

#include "config/config.h"
#include "dns/resolver.h"
#include "dnsbl/prober.h"
#include "dnsbl/result.h"

/* One list, ready to be queried. */
struct dnsbl {
    const struct list *list;
    struct upstream *upstream;
    struct watched *watched; /* the prober's */
    struct list_state *state;
    struct list_stats *stats;
    int least, most;  /* what its answer can add to a score; 0 in monitor */
    uint8_t priority; /* who gets a place first: what can move a score most */
    int surge;        /* health.surge */
};

struct dnsbl_set {
    struct dnsbl *items; /* those that are not off; in the order of the conf file */
    size_t count;
};

/* Makes the lists of config ready and has them checked. config and prober are borrowed
 * and must outlive the set. Returns 0, or -1 without memory (nothing is held then). One
 * thread at a time. */
int dnsbl_set_init(struct dnsbl_set *set, struct config *config,
                   struct resolver *resolver, struct prober *prober);
void dnsbl_set_clear(struct dnsbl_set *set); /* zeroed is fine */

/* Whether one of them may lower a score; in monitor none does. */
bool dnsbl_set_has_allow_list(const struct dnsbl_set *set);

/* What a lookup for mail may do with the list now. Any thread. */
enum access {
    ACCESS_QUERY,
    ACCESS_CACHE_ONLY, /* what is cached, or stale: it is disabled, or over its limit */
    ACCESS_SKIP        /* nothing: it is suspended, lying, or over its limit */
};
enum access dnsbl_admit(const struct dnsbl *dnsbl, bool ipv6);

/* Why the list is not queried: "down", "suspended", "limit" … A static text. */
const char *dnsbl_skip_reason(const struct dnsbl *dnsbl, bool ipv6);

/* Whether the list counts: it is not lying, not suspended, and still configured. */
bool dnsbl_counts(const struct dnsbl *dnsbl, bool ipv6);

/* Whether its answer that came then does, too: it was not found to be wrong since. */
bool dnsbl_believes(const struct dnsbl *dnsbl, bool ipv6, enum result_state said,
                    int64_t came_ms);

/* Whether there is no point in waiting for its answer: it is disabled, or too slow. */
bool dnsbl_is_not_awaited(const struct dnsbl *dnsbl, bool ipv6);

/* Whether a health check is under way that may void what it lists. */
bool dnsbl_is_held(const struct dnsbl *dnsbl, bool ipv6);

/* Whether it is as if it were not configured: suspended by an admin, or taken out before
 * it was checked. */
bool dnsbl_is_absent(const struct dnsbl *dnsbl);

/* Prepares a lookup for mail: its retry, its quota, its priority. */
void dnsbl_prepare(const struct dnsbl *dnsbl, struct dns_lookup *lookup);

/* Notes the outcome of one, and raises the suspicion that it may raise. */
void dnsbl_heard(const struct dnsbl *dnsbl, struct heard *heard);

#endif
