#include "dnsbl/dnsbl.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct dnsbl_registry {
    pthread_mutex_t lock;
    struct dnsbl_counters *first;
};

struct dnsbl_registry *dnsbl_registry_new(void)
{
    struct dnsbl_registry *registry = calloc(1, sizeof *registry);

    if (registry != NULL && pthread_mutex_init(&registry->lock, NULL) != 0) {
        free(registry);
        return NULL;
    }
    return registry;
}

void dnsbl_registry_free(struct dnsbl_registry *registry)
{
    if (registry == NULL)
        return;
    for (struct dnsbl_counters *c = registry->first, *next; c != NULL; c = next) {
        next = c->next;
        free(c->name);
        free(c);
    }
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

static struct dnsbl_counters *counters_new(const char *name)
{
    struct dnsbl_counters *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->name = strdup(name);
    if (c->name == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

/* The counters of that name, made if there are none. NULL: no memory. */
static struct dnsbl_counters *registry_find(struct dnsbl_registry *registry,
                                            const char *name)
{
    struct dnsbl_counters *c;

    pthread_mutex_lock(&registry->lock);
    for (c = registry->first; c != NULL; c = c->next)
        if (strcmp(c->name, name) == 0)
            break;
    if (c == NULL) {
        c = counters_new(name);
        if (c != NULL) {
            c->next = registry->first;
            registry->first = c;
        }
    }
    pthread_mutex_unlock(&registry->lock);
    return c;
}

int dnsbl_set_init(struct dnsbl_set *set, const struct config *config,
                   struct resolver *resolver, struct dnsbl_registry *registry)
{
    set->count = 0;
    set->items = calloc(config->list_count + 1, sizeof *set->items);
    if (set->items == NULL)
        return -1;
    for (size_t i = 0; i < config->list_count; i++) {
        const struct list *list = &config->lists[i];
        struct dnsbl *item = &set->items[set->count];

        if (list->mode == LIST_OFF)
            continue;
        item->list = list;
        item->upstream = resolver_upstream(
            resolver, list->servers != NULL ? list->servers : config->resolver.servers);
        item->counters = registry_find(registry, list->name);
        if (list->mode == LIST_ENFORCE)
            listing_bounds(list, &item->least, &item->most);
        set->count++;
        if (item->upstream == NULL || item->counters == NULL) {
            dnsbl_set_clear(set);
            return -1;
        }
    }
    return 0;
}

void dnsbl_set_clear(struct dnsbl_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        upstream_unref(set->items[i].upstream);
    free(set->items);
    *set = (struct dnsbl_set){0};
}

void dnsbl_count(struct dnsbl *dnsbl, const struct dns_answer *answer,
                 const struct listing *listing, bool cached)
{
    struct dnsbl_counters *c = dnsbl->counters;

    atomic_fetch_add_explicit(&c->questions, 1, memory_order_relaxed);
    if (cached)
        atomic_fetch_add_explicit(&c->cached, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->by_state[listing->state], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->by_status[answer->status], 1, memory_order_relaxed);
}
