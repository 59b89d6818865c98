/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_CHANNEL_H
#define DNS_CHANNEL_H

/* The one place that knows c-ares: a channel sends queries to its name server and hands
 * back its packets. All functions but the first three belong to the resolver's
 * thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/ipaddr.h"
#include "dns/answer.h"

/* c-ares as a whole, once per resolver. Returns 0, or -1. Any thread. */
int channel_library_init(void);
void channel_library_cleanup(void);
const char *channel_library_version(void);

struct channel;

/* All channels that are there, with the sockets that they opened. */
struct channel_set {
    int epoll_fd; /* borrowed; event.data.fd is the socket */
    struct channel_socket {
        struct channel
            *channel; /* whose socket it is; NULL: no one's, or not waited for */
        bool udp;
    } * by_fd;
    size_t by_fd_size;
    TAILQ_HEAD(, channel) all;
    struct stray_counters strays;
};

void channel_set_init(struct channel_set *set, int epoll_fd);

/* Frees all channels; queries still with them are done with DNS_NOT_ASKED. */
void channel_set_free(struct channel_set *set);

/* A socket can be read or written: may call done of any query of its channel. */
void channel_set_ready(struct channel_set *set, int fd, bool readable, bool writable);

/* Looks after attempts that took too long; to be called every 50 ms or so while
 * queries are open. */
void channel_set_tick(struct channel_set *set);

/* Frees the channels that were retired and have no query left, or were retired
 * linger_ms ago: c-ares goes on for long with servers that are dead, when nobody waits
 * any more. Not from done. */
void channel_set_reap(struct channel_set *set, int64_t now_ms, int linger_ms);

/* A channel to one server. life_ms is how long it waits for an answer; it never sends a
 * query again by itself (but see ATTEMPTS_ADAPTIVE). Returns NULL without memory, or
 * where the server cannot be read; it was logged. */
struct channel *channel_new(struct channel_set *set, const char *server, int life_ms);

/* No more queries; it goes with the last open one, by channel_set_reap. NULL is fine. */
void channel_retire(struct channel *channel);

/* How many queries it has sent. */
unsigned channel_sent(const struct channel *channel);

/* A query's part in it; embed it in what waits. */
struct channel_query {
    /* Called once, also from within channel_send and the channel's end. packet is
     * borrowed, or NULL where there is none: then failure says why: DNS_UNREACHABLE,
     * DNS_TIMEOUT, DNS_NOT_ASKED, DNS_INVALID. May ask again, but not after
     * DNS_NOT_ASKED. */
    void (*done)(struct channel_query *query, enum dns_status failure,
                 const uint8_t *packet, size_t size);
    struct channel *channel;
};

void channel_send(struct channel *channel, enum dns_type type, const char *name,
                  struct channel_query *query);

#endif
