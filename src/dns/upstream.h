#ifndef DNS_UPSTREAM_H
#define DNS_UPSTREAM_H

/* An upstream from the inside: the channels through which a set of servers is asked. */

#include <stdatomic.h>
#include <stdint.h>
#include <sys/queue.h>

#include "dns/channel.h"
#include "dns/resolver.h"

/* How many channels, so source ports, are in use at once, and after how many questions or
 * what time a channel gives way to a new one, with a new port and with what resolv.conf
 * says then. */
#define UPSTREAM_CHANNELS       4
#define UPSTREAM_CHANNEL_ASKS   100
#define UPSTREAM_CHANNEL_AGE_MS 4000

TAILQ_HEAD(upstream_list, upstream);

struct upstream {
    TAILQ_ENTRY(upstream) link;
    struct resolver *resolver;
    atomic_uint refs;
    uint32_t id;
    char *servers; /* "" for /etc/resolv.conf's */
    /* The resolver thread's own: */
    struct slot {
        struct channel *channel;
        int64_t since_ms;
    } slots[UPSTREAM_CHANNELS], failover;
    unsigned turn;
};

/* Returns NULL without memory. */
struct upstream *upstream_new(struct resolver *resolver, uint32_t id,
                              const char *servers);

/* Retires its channels. The resolver's thread, or when there is none any more. */
void upstream_free(struct upstream *upstream);

/* The channel to ask now: one after another; or, with failover, the one that tries all
 * servers. NULL if it cannot be had. The resolver's thread. */
struct channel *upstream_channel(struct upstream *upstream, struct channel_set *set,
                                 const struct resolver_settings *settings, bool failover,
                                 int64_t now_ms);

/* New settings: the channels in use give way. The resolver's thread. */
void upstream_retire_channels(struct upstream *upstream);

#endif
