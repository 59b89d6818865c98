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

/* How many silences in a row make a server stand back, and after how many times a
 * question's longest life the first one has another chance. */
#define UPSTREAM_SILENCES_MAX 3
#define UPSTREAM_PROBE_LIVES  4

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
        bool probe; /* of the very first server, while another one is asked first */
    } slots[UPSTREAM_CHANNELS], failover;
    unsigned turn;
    unsigned first;      /* the server that is asked first: the first one that answers */
    unsigned silences;   /* of it, one after another */
    int64_t probe_at_ms; /* when the very first one is tried again */
};

/* Returns NULL without memory. */
struct upstream *upstream_new(struct resolver *resolver, uint32_t id,
                              const char *servers);

/* Retires its channels. The resolver's thread, or when there is none any more. */
void upstream_free(struct upstream *upstream);

/* The same for all of a list, which is empty then. */
void upstream_list_free(struct upstream_list *list);

/* upstream_retire_channels for all of a list. */
void upstream_list_retire(struct upstream_list *list);

/* The channel to ask now: one after another; or, with failover, the one that tries all
 * servers. NULL if it cannot be had. The resolver's thread. */
struct channel *upstream_channel(struct upstream *upstream, struct channel_set *set,
                                 const struct resolver_settings *settings, bool failover,
                                 int64_t now_ms);

/* Tells that an answer came to a question that began with server first of server_count,
 * and whether that one let an attempt pass. After some of these another server becomes
 * the first: c-ares 1.18 would wait for the silent one each time. The resolver's thread.
 */
void upstream_answered(struct upstream *upstream, unsigned first, int server_count,
                       bool retried);

/* New settings: the channels in use give way. The resolver's thread. */
void upstream_retire_channels(struct upstream *upstream);

#endif
