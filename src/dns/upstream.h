/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_UPSTREAM_H
#define DNS_UPSTREAM_H

/* An upstream from the inside: its servers, which of them answer, and the channels to
 * them. All functions belong to the resolver's thread, except where said.
 *
 * A server that leaves everything unanswered for a moment, or refuses a connection, is
 * probed with a name of no list: only that decides whether it is away, not what it says,
 * or does not say, about a list's names. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/ipaddr.h"
#include "dns/channel.h"
#include "dns/resolver.h"

/* How many channels to a server, so source ports, are in use at once, and after how many
 * queries or what time a channel is replaced by a new one, with a new port. So often are
 * resolv.conf's servers read again, too. */
#define UPSTREAM_CHANNELS       4
#define UPSTREAM_CHANNEL_ASKS   100
#define UPSTREAM_CHANNEL_AGE_MS 4000

struct server {
    char address[ENDPOINT_SIZE]; /* written under the resolver's lock */
    atomic_int_fast64_t away_ms; /* since when it answers nothing; 0: it answers. Any
                                    thread reads it */
    int64_t unanswered_ms;       /* the first query sent since its last packet; 0: none */
    struct slot {
        struct channel *channel;
        int64_t since_ms;
    } slots[UPSTREAM_CHANNELS];
    unsigned turn;
    /* The probe: one at a time. */
    struct channel_query probe;
    struct channel *probe_channel;
    int64_t probe_at_ms; /* the next one, while it is away */
    unsigned probe_failures;
    bool probing;
    struct upstream *upstream;
};

TAILQ_HEAD(upstream_list, upstream);

struct upstream {
    TAILQ_ENTRY(upstream) link;
    uint32_t id;
    char *text; /* "" for /etc/resolv.conf's */
    struct server servers[UPSTREAM_SERVERS];
    atomic_size_t count;
    int64_t read_ms;             /* when resolv.conf was read */
    atomic_int_fast64_t back_ms; /* when a server came back last. Any thread reads it */
    bool changed; /* a server came back or went away: what is open is sent again */
};

/* Returns NULL without memory. Any thread. */
struct upstream *upstream_new(uint32_t id, const char *text);
void upstream_free(struct upstream *upstream);

/* Retires the channels: new settings, or the end. */
void upstream_retire_channels(struct upstream *upstream);

/* Reads the servers where that is due; lock is held while addresses are written. */
void upstream_read_servers(struct upstream *upstream, int64_t now_ms,
                           pthread_mutex_t *lock);

/* The first server that answers and is not among tried (bits by index); -1: none. */
int upstream_pick(const struct upstream *upstream, unsigned tried);

/* The server whose word counts: the first one, unless it has been away for long. What
 * others say in its place is theirs. */
int upstream_usual(const struct upstream *upstream, int64_t now_ms);

/* Whether no server has answered for longer than ms. Any thread. */
bool upstream_is_gone(const struct upstream *upstream, int64_t now_ms, int ms);

/* A channel to the server, for a query that is about to leave. NULL if there is none to
 * be had. */
struct channel *upstream_channel(struct upstream *upstream, int server,
                                 struct channel_set *set, int life_ms, int64_t now_ms);

/* What became of a query: a packet came, whatever it says; or the connection was refused.
 */
void upstream_heard(struct upstream *upstream, int server, int64_t now_ms);
void upstream_unreachable(struct upstream *upstream, int server, int64_t now_ms);

/* Probes the servers that should be. */
void upstream_tick(struct upstream *upstream, struct channel_set *set, int64_t now_ms);

/* The name servers of resolv.conf(5). Any thread. */

#define RESOLV_CONF "/etc/resolv.conf"

/* Reads up to most servers, as "127.0.0.1:53" and "[fe80::1%eth0]:53". Without a file, or
 * a server in it, it is the one on this machine (resolver(5)). What it cannot use goes to
 * dropped, with commas between, cut to size: "line 3: fe80::1". Returns the number. */
size_t resolv_conf_servers(const char *path, char (*out)[ENDPOINT_SIZE], size_t most,
                           char *dropped, size_t size);

#endif
