/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/dnsbl.h"

#include <limits.h>
#include <stdlib.h>

static int item_init(struct dnsbl *item, struct config *config, const struct list *list,
                     struct resolver *resolver, struct prober *prober)
{
    const char *servers =
        list->servers != NULL ? list->servers : config->resolver.servers;

    item->list = list;
    item->surge = config->health.surge;
    item->upstream = resolver_upstream(resolver, servers);
    if (item->upstream == NULL)
        return -1;
    item->watched = prober_watch(prober, config, list, item->upstream);
    if (item->watched == NULL)
        return -1;
    item->state = &item->watched->state;
    item->stats = &item->watched->stats;
    if (list->mode == LIST_ENFORCE)
        result_bounds(list, &item->least, &item->most);
    return 0;
}

/* What a list's answer can move the score by, up or down. */
static int worth_of(const struct dnsbl *dnsbl)
{
    return dnsbl->most > -dnsbl->least ? dnsbl->most : -dnsbl->least;
}

/* By the number of lists that are worth less; those that count for nothing get 0. */
static void rank(struct dnsbl_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        size_t less = 0;

        for (size_t k = 0; k < set->count; k++)
            less += worth_of(&set->items[k]) < worth_of(&set->items[i]);
        if (worth_of(&set->items[i]) > 0)
            set->items[i].priority =
                (uint8_t)(1 + less * (DNS_PRIORITIES - 2) / set->count);
    }
}

int dnsbl_set_init(struct dnsbl_set *set, struct config *config,
                   struct resolver *resolver, struct prober *prober)
{
    set->count = 0;
    set->items = calloc(config->list_count + 1, sizeof *set->items);
    if (set->items == NULL)
        return -1;
    for (size_t i = 0; i < config->list_count; i++) {
        if (config->lists[i].mode == LIST_OFF)
            continue;
        if (item_init(&set->items[set->count++], config, &config->lists[i], resolver,
                      prober) != 0) {
            dnsbl_set_clear(set);
            return -1;
        }
    }
    rank(set);
    return 0;
}

bool dnsbl_set_has_allow_list(const struct dnsbl_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].least < 0)
            return true;
    return false;
}

void dnsbl_set_clear(struct dnsbl_set *set)
{
    free(set->items);
    *set = (struct dnsbl_set){0};
}

static enum health health_of(const struct dnsbl *dnsbl, bool ipv6)
{
    return atomic_load_explicit(&list_state_half(dnsbl->state, ipv6)->health,
                                memory_order_relaxed);
}

bool dnsbl_is_absent(const struct dnsbl *dnsbl)
{
    enum health health = health_of(dnsbl, false);

    return health == HEALTH_SUSPENDED ||
           (health == HEALTH_UNCHECKED &&
            !atomic_load_explicit(&dnsbl->state->configured, memory_order_relaxed));
}

enum access dnsbl_admit(const struct dnsbl *dnsbl, bool ipv6)
{
    if (dnsbl_is_absent(dnsbl))
        return ACCESS_SKIP;
    switch (health_of(dnsbl, ipv6)) {
    case HEALTH_UNCHECKED:
    case HEALTH_HEALTHY:
    case HEALTH_SLOW:
        break;
    case HEALTH_EMPTY:
    case HEALTH_BLOCKED:
    case HEALTH_DOWN:
        return ACCESS_CACHE_ONLY;
    case HEALTH_LYING:
    case HEALTH_SUSPENDED:
        return ACCESS_SKIP;
    }
    if (!list_state_is_over_limit(dnsbl->state, dnsbl->list))
        return ACCESS_QUERY;
    /* what an allow list is known to have said must save the message all the same */
    return dnsbl->list->on_limit == ON_LIMIT_CACHE_ONLY || dnsbl->least < 0
               ? ACCESS_CACHE_ONLY
               : ACCESS_SKIP;
}

const char *dnsbl_skip_reason(const struct dnsbl *dnsbl, bool ipv6)
{
    enum health health = health_of(dnsbl, ipv6);

    return health_counts(health) || health == HEALTH_UNCHECKED ? "limit"
                                                               : health_name(health);
}

bool dnsbl_counts(const struct dnsbl *dnsbl, bool ipv6)
{
    return !dnsbl_is_absent(dnsbl) && health_of(dnsbl, ipv6) != HEALTH_LYING;
}

bool dnsbl_believes(const struct dnsbl *dnsbl, bool ipv6, enum result_state said,
                    int64_t came_ms)
{
    const struct list_half *half = list_state_half(dnsbl->state, ipv6);
    const atomic_int_fast64_t *from_ms =
        said == RESULT_LISTED ? &half->listed_from_ms : &half->unlisted_from_ms;

    return dnsbl_counts(dnsbl, ipv6) &&
           came_ms >= atomic_load_explicit(from_ms, memory_order_relaxed);
}

bool dnsbl_is_not_awaited(const struct dnsbl *dnsbl, bool ipv6)
{
    enum health health = health_of(dnsbl, ipv6);

    return dnsbl_is_absent(dnsbl) ||
           !(health_counts(health) || health == HEALTH_UNCHECKED) ||
           list_stats_is_too_slow(dnsbl->stats);
}

bool dnsbl_is_held(const struct dnsbl *dnsbl, bool ipv6)
{
    const struct list_half *half = list_state_half(dnsbl->state, ipv6);

    return !dnsbl_is_absent(dnsbl) &&
           (atomic_load_explicit(&half->held, memory_order_relaxed) ||
            health_of(dnsbl, ipv6) == HEALTH_UNCHECKED);
}

void dnsbl_prepare(const struct dnsbl *dnsbl, struct dns_lookup *lookup)
{
    lookup->is_refusal = result_is_refusal;
    lookup->context = dnsbl->list;
    lookup->retry_ms = list_stats_retry_ms(dnsbl->stats);
    lookup->priority = dnsbl->priority;
    if (dnsbl->list->daily_limit > 0)
        lookup->budget = &dnsbl->state->quota_left;
}

void dnsbl_heard(const struct dnsbl *dnsbl, struct heard *heard)
{
    enum list_event event;

    heard->surge = dnsbl->surge;
    event = list_stats_heard(dnsbl->stats, heard);
    if (event != EVENT_NONE)
        list_state_suspect(dnsbl->state, heard->ipv6, event);
}
