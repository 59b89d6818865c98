#include "dns/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

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

void upstream_list_retire(struct upstream_list *list)
{
    struct upstream *upstream;

    TAILQ_FOREACH(upstream, list, link)
    {
        upstream_retire_channels(upstream);
    }
}

void upstream_list_free(struct upstream_list *list)
{
    struct upstream *upstream;

    while ((upstream = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, upstream, link);
        upstream_free(upstream);
    }
}

static bool worn_out(const struct slot *slot, int64_t now_ms)
{
    return channel_asked(slot->channel) >= (slot->probe ? 1 : UPSTREAM_CHANNEL_ASKS) ||
           now_ms - slot->since_ms >= UPSTREAM_CHANNEL_AGE_MS;
}

static void begin_with(struct upstream *upstream, unsigned first)
{
    log_notice("resolver: servers=\"%s\" asked first: no. %u, no longer no. %u",
               upstream->servers, first + 1, upstream->first + 1);
    upstream->first = first;
    upstream->silences = 0;
    upstream->probe_at_ms = 0;
    upstream_retire_channels(upstream);
}

void upstream_answered(struct upstream *upstream, unsigned first, int server_count,
                       bool retried)
{
    if (server_count < 2)
        return;
    if (first != upstream->first) {
        if (first == 0 && !retried)
            begin_with(upstream, 0); /* it is back */
    } else if (!retried) {
        upstream->silences = 0;
    } else if (++upstream->silences >= UPSTREAM_SILENCES_MAX) {
        begin_with(upstream, (first + 1) % (unsigned)server_count);
    }
}

/* Now and then one channel, so one question, begins with the very first server again. */
static unsigned first_server(struct upstream *upstream,
                             const struct resolver_settings *settings, int64_t now_ms)
{
    bool probe = upstream->probe_at_ms != 0 && now_ms >= upstream->probe_at_ms;

    if (upstream->first != 0 && (probe || upstream->probe_at_ms == 0))
        upstream->probe_at_ms =
            now_ms + (int64_t)settings->deadline_ms * UPSTREAM_PROBE_LIVES;
    return probe ? 0 : upstream->first;
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
            .first = failover ? 0 : first_server(upstream, settings, now_ms),
            .timeout_ms = settings->timeout_ms,
            .attempts = settings->attempts,
            .failover = failover,
        };
        slot->channel = channel_new(set, &of_channel);
        slot->probe = !failover && of_channel.first != upstream->first;
        slot->since_ms = now_ms;
    }
    return slot->channel;
}
