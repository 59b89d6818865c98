#include "dns/upstream.h"

#include <stdlib.h>
#include <string.h>

struct upstream *upstream_new(struct resolver *resolver, uint32_t id, const char *servers)
{
    struct upstream *upstream = calloc(1, sizeof *upstream);

    if (upstream == NULL)
        return NULL;
    upstream->servers = strdup(servers);
    if (upstream->servers == NULL) {
        free(upstream);
        return NULL;
    }
    upstream->resolver = resolver;
    upstream->id = id;
    atomic_init(&upstream->refs, 1);
    return upstream;
}

void upstream_retire_channels(struct upstream *upstream)
{
    for (size_t i = 0; i < UPSTREAM_CHANNELS; i++) {
        channel_retire(upstream->slots[i].channel);
        upstream->slots[i].channel = NULL;
    }
    channel_retire(upstream->failover.channel);
    upstream->failover.channel = NULL;
}

void upstream_free(struct upstream *upstream)
{
    upstream_retire_channels(upstream);
    free(upstream->servers);
    free(upstream);
}

static bool worn_out(const struct slot *slot, int64_t now_ms)
{
    return channel_asked(slot->channel) >= UPSTREAM_CHANNEL_ASKS ||
           now_ms - slot->since_ms >= UPSTREAM_CHANNEL_AGE_MS;
}

struct channel *upstream_channel(struct upstream *upstream, struct channel_set *set,
                                 const struct resolver_settings *settings, bool failover,
                                 int64_t now_ms)
{
    struct slot *slot = failover ? &upstream->failover
                                 : &upstream->slots[upstream->turn++ % UPSTREAM_CHANNELS];

    if (slot->channel != NULL && worn_out(slot, now_ms)) {
        channel_retire(slot->channel);
        slot->channel = NULL;
    }
    if (slot->channel == NULL) {
        struct channel_settings of_channel = {
            .servers = upstream->servers,
            .timeout_ms = settings->timeout_ms,
            .attempts = settings->attempts,
            .failover = failover,
        };
        slot->channel = channel_new(set, &of_channel);
        slot->since_ms = now_ms;
    }
    return slot->channel;
}
