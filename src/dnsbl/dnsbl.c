#include "dnsbl/dnsbl.h"

#include <stdlib.h>

static int item_init(struct dnsbl *item, struct config *config, const struct list *list,
                     struct resolver *resolver, struct dnsbl_registry *registry)
{
    const char *servers =
        list->servers != NULL ? list->servers : config->resolver.servers;

    item->list = list;
    item->upstream = resolver_upstream(resolver, servers);
    if (item->upstream == NULL)
        return -1;
    item->record = registry_watch(registry, config, list, item->upstream);
    if (list->mode == LIST_ENFORCE)
        listing_bounds(list, &item->least, &item->most);
    return item->record != NULL ? 0 : -1;
}

int dnsbl_set_init(struct dnsbl_set *set, struct config *config,
                   struct resolver *resolver, struct dnsbl_registry *registry)
{
    set->count = 0;
    set->items = calloc(config->list_count + 1, sizeof *set->items);
    if (set->items == NULL)
        return -1;
    for (size_t i = 0; i < config->list_count; i++) {
        if (config->lists[i].mode == LIST_OFF)
            continue;
        if (item_init(&set->items[set->count++], config, &config->lists[i], resolver,
                      registry) != 0) {
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
