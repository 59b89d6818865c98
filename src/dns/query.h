/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_QUERY_H
#define DNS_QUERY_H

/* The queries under way: who waits for each, when it is sent again and where, what became
 * of it. The resolver's thread alone, but for query_new, query_free and the counters. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Without memory uthash would end the process: it leaves the entry out instead. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "dns/answer.h"
#include "dns/cache.h"
#include "dns/channel.h"
#include "dns/resolver.h"
#include "dns/upstream.h"

#define QUERY_ATTEMPTS 6 /* of one query that wait for an answer at once */

struct attempt {
    struct channel_query query; /* must be first */
    struct dns_query *owner;
    uint8_t server;
    bool live;
};

struct dns_query {
    UT_hash_handle hh;           /* in the table of those that can be joined */
    TAILQ_ENTRY(dns_query) link; /* handed over, waiting for its place, or open */
    struct queries *queries;
    struct upstream *upstream;
    struct dns_lookup *first, *last; /* the waiters, in the order of their coming */
    int64_t deadline_ms;             /* the first of theirs */
    int64_t began_ms;
    int64_t sent_ms; /* the last time; 0: it waits for its place */
    int64_t next_ms; /* when it is sent again; INT64_MAX: not */
    unsigned flags;  /* DNS_AGAIN … of its first waiter, and what follows */
    bool (*is_refusal)(const struct dns_lookup *lookup, const struct dns_answer *answer);
    atomic_int_fast64_t *budget;
    int retry_ms;
    uint8_t priority;
    bool closed;             /* all waiters have their answer */
    bool servers_failed;     /* a server refused the connection, or went away */
    unsigned sends;          /* while it was silent */
    unsigned rounds;         /* of errors from all servers */
    unsigned tried;          /* the servers that failed in this round, bits by index */
    int server;              /* the one that it was sent to last */
    unsigned holds;          /* live attempts, and functions that are at work on it */
    struct dns_answer *said; /* the error that the usual server gave; a reference */
    struct attempt attempts[QUERY_ATTEMPTS];
    struct dns_key key;
};
TAILQ_HEAD(query_list, dns_query);

struct queries {
    struct dns_query *table;                       /* uthash, by key */
    struct query_list open;                        /* those that were sent */
    struct query_list waiting[DNS_PRIORITIES + 1]; /* by priority; private ones last */
    struct channel_set *channels;
    struct cache *cache;
    struct resolver_settings settings;
    int credit;              /* queries that may leave now: one each that was answered */
    int64_t quick_ms;        /* the last answer that came quickly; at first the start */
    int in_flight;           /* open ones that count for max_queries */
    size_t held;             /* not freed yet: c-ares may hold them past their end */
    atomic_size_t under_way; /* handed over or not closed: somebody waits */
    atomic_uint_fast64_t asked, joined, stale, cnames, not_asked,
        by_status[DNS_STATUS_COUNT];
};

void queries_init(struct queries *queries, struct channel_set *channels,
                  struct cache *cache);

/* One lookup's query; counts as under way. Returns NULL without memory. Any thread. */
struct dns_query *query_new(struct queries *queries, struct upstream *upstream,
                            const struct dns_key *key, unsigned flags,
                            struct dns_lookup *lookup);

/* One that the thread has not taken. NULL is fine. Any thread. */
void query_free(struct queries *queries, struct dns_query *query);

/* Ends one that the thread has not taken with DNS_NOT_ASKED. */
void query_leave_out(struct queries *queries, struct dns_query *query);

/* Takes over one that was handed over: joins it to an equal one, answers it from the
 * cache, or lines it up. */
void queries_take(struct queries *queries, struct dns_query *query, int64_t now_ms);

/* Sends those that are lined up, as far as there is a place and credit. */
void queries_send_waiting(struct queries *queries, int64_t now_ms);

/* Whether some that have a place only lack credit. */
bool queries_lack_credit(const struct queries *queries);

/* Ends lookups whose time is over, and sends again what is due. */
void queries_tick(struct queries *queries, int64_t now_ms);

/* Ends what is left when nothing can be sent any more. */
void queries_end(struct queries *queries);

/* What is given in place of an answer: one that has ended but may serve still, or the
 * failure, whose reference it takes over. The caller's reference. Any thread. */
struct dns_answer *queries_stale_or(struct queries *queries, const struct dns_key *key,
                                    int stale_ttl_s, struct dns_answer *failure);

#endif
