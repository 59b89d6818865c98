#ifndef DNS_CHANNEL_H
#define DNS_CHANNEL_H

/* The one place that knows c-ares: a channel sends questions to its name servers and
 * hands back their packets. All functions but the first three belong to the resolver's
 * thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "dns/answer.h"
#include "dns/stray.h"

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

/* Frees all channels; questions still with them are done with DNS_NOT_ASKED. */
void channel_set_free(struct channel_set *set);

/* A socket can be read or written: may call done of any question of its channel. */
void channel_set_ready(struct channel_set *set, int fd, bool readable, bool writable);

/* Looks after attempts that took too long; to be called every 50 ms or so while
 * questions are open. */
void channel_set_tick(struct channel_set *set);

/* Frees the channels that were retired and have no question left, or were retired
 * linger_ms ago: c-ares goes on for long with servers that are dead, when nobody waits
 * any more. Not from done. */
void channel_set_reap(struct channel_set *set, int64_t now_ms, int linger_ms);

struct channel_settings {
    const char *servers; /* "127.0.0.1:5300,[::1]:53"; "": /etc/resolv.conf's */
    unsigned first;      /* which of them is asked first, modulo their number */
    int timeout_ms, attempts;
    bool failover; /* c-ares asks the next server after SERVFAIL or REFUSED by itself,
                      and what they said is lost; else the first one's word is final */
};

/* Returns NULL without memory, or where the servers cannot be read; it was logged. */
struct channel *channel_new(struct channel_set *set,
                            const struct channel_settings *settings);

/* No more questions; it goes with the last open one, by channel_set_reap. NULL is fine.
 */
void channel_retire(struct channel *channel);

/* How many questions it has been asked. */
unsigned channel_asked(const struct channel *channel);

/* A question's part in it; embed it in what asks. */
struct channel_query {
    /* Called once, also from within channel_ask and the channel's end. packet is
     * borrowed, or NULL where there is none: then failure says why. May ask again, but
     * not after DNS_NOT_ASKED. */
    void (*done)(struct channel_query *query, enum dns_status failure,
                 const uint8_t *packet, size_t size);
    struct channel *channel;
    /* Of the channel that it was asked through, for done: */
    int server_count;
    unsigned first;
    bool retried; /* an attempt was in vain before the packet came */
};

void channel_ask(struct channel *channel, enum dns_type type, const char *name,
                 struct channel_query *query);

#endif
