/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

/* The resolver: one thread that owns c-ares and sends any number of queries at once.
 * Equal queries under way are joined; answers are cached by their TTL, negative ones by
 * the SOA's (RFC 2308), within bounds. A cached answer is given on the caller's own
 * thread.
 *
 * A query goes to the first server that answers at all. A refused connection or an error
 * is no answer: the other servers are queried, and the same ones again, until the lookup's
 * deadline. Whether a server answers is known apart from what it says of single names:
 * one that does not is probed each half second, and where none does, lookups end with
 * DNS_UNREACHABLE. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/answer.h"

struct resolver;

/* A set of name servers that is queried in the same way: the resolver section's, or a
 * list's own. Lives as long as the resolver. */
struct upstream;

struct resolver_settings {
    int timeout_ms;  /* one attempt */
    int attempts;    /* of each server, while it is silent */
    int deadline_ms; /* a lookup's longest life, over all attempts */
    int cache_size;  /* answers */
    int min_ttl_s, max_ttl_s, negative_ttl_s;
    int stale_ttl_s; /* how long past its end an answer may serve while queries fail */
    int max_queries; /* under way at once; others wait for their place */
};

/* How a lookup is done. */
enum {
    DNS_AGAIN = 1,   /* not from the cache: for answers that are not believed any more */
    DNS_PRIVATE = 2, /* neither reads nor writes the cache, joins nothing, waits for no
                        place: for health checks and for what an admin wants to see */
    DNS_ONCE = 4,    /* an error is final once all servers were queried */
    DNS_CACHE_ONLY = 8, /* sends nothing: what is cached, or stale, or DNS_NOT_ASKED */
};

#define DNS_PRIORITIES 8 /* 0 to 7; the highest get their place first */

/* One asker's place in a query under way. Embed it in what waits, zeroed but for what it
 * sets; it must live until done was called. */
struct dns_lookup {
    /* Called once, on the resolver's thread (or by resolver_free's caller), with no lock
     * held; it must not block. answer is borrowed: ref it to keep it. */
    void (*done)(struct dns_lookup *lookup, struct dns_answer *answer);
    /* Whether an answer is the server's refusal to answer, an error as REFUSED is: never
     * cached, and the other servers are queried. On the resolver's thread. NULL: none is.
     */
    bool (*is_refusal)(const struct dns_lookup *lookup, const struct dns_answer *answer);
    const void *context;         /* for is_refusal; borrowed until done */
    atomic_int_fast64_t *budget; /* packets that may still leave; each takes one, at 0
                                    none does. Borrowed from what outlives the resolver;
                                    NULL: no bound */
    int timeout_ms;              /* its longest life; 0: the resolver's deadline */
    int retry_ms; /* when a silent server is queried again first; 0: one attempt's time */
    uint8_t priority;
    /* Set when done is called: whether a server failed meanwhile, so that the time taken
     * and a failure say nothing of the name. */
    bool servers_failed;
    /* The resolver's own, until done: */
    int64_t deadline_ms;
    struct dns_query *query;
    struct dns_lookup *next;
};

/* Starts the thread. Returns NULL (errno set) when it or c-ares cannot be had. */
struct resolver *resolver_new(const struct resolver_settings *settings);

/* Ends the thread; what is still open is done with DNS_NOT_ASKED. NULL is fine. */
void resolver_free(struct resolver *resolver);

/* New settings, from the next query on. Any thread. */
void resolver_configure(struct resolver *resolver,
                        const struct resolver_settings *settings);

#define UPSTREAM_SERVERS 8 /* more are not used */

/* The upstream for servers, "127.0.0.1:5300,[::1]:53", or NULL for /etc/resolv.conf's.
 * Upstreams of the same text are one and share their cache; those of other text do not.
 * Returns NULL without memory. Any thread. */
struct upstream *resolver_upstream(struct resolver *resolver, const char *servers);

/* Looks up name (canonical: lower case, no dot at the end), as flags say. Where the
 * answer is known at once, returns it (the caller's reference), and lookup->done is not
 * called: what is cached; DNS_INVALID for a name that cannot be one; DNS_NOT_ASKED, or a
 * stale answer, with DNS_CACHE_ONLY (lookup may be NULL then), without memory or when
 * stopping. Else returns NULL, and done is called later, exactly once, also on every
 * failure; it may come before this returns. Any thread, done too; never blocks on the
 * network or the disk. */
struct dns_answer *resolver_query(struct resolver *resolver, struct upstream *upstream,
                                  enum dns_type type, const char *name, unsigned flags,
                                  struct dns_lookup *lookup);

/* Within done, of a failure that is the name's own: the second in a row is cached for
 * so long, ms, so that nobody waits for it meanwhile. (One alone may be the end of what
 * all names suffered from.) */
void dns_lookup_cache_failure(struct dns_lookup *lookup, const struct dns_answer *failure,
                              int ms);

/* How many lookups are under way, those included that wait for their place. Any thread;
 * cheap. */
size_t resolver_load(struct resolver *resolver);

/* Forgets all cached answers. Any thread. */
void resolver_flush_cache(struct resolver *resolver);

/* Whether no server of upstream answers now. Any thread. */
bool resolver_is_away(const struct upstream *upstream);

/* When a server of upstream came back last, ms (CLOCK_MONOTONIC): what was open was sent
 * again then. 0: never. Any thread. */
int64_t resolver_back_ms(const struct upstream *upstream);

/* Calls report for each server in use: its address, and since when, ms (CLOCK_MONOTONIC),
 * it answers nothing (0: it answers). Any thread; a lock is held meanwhile. */
void resolver_servers(struct resolver *resolver,
                      void (*report)(void *context, const char *address, int64_t away_ms),
                      void *context);

struct resolver_stats {
    uint64_t asked;                       /* packets' worth of queries sent to a server */
    uint64_t joined;                      /* joined to one under way */
    uint64_t cached;                      /* given from the cache */
    uint64_t stale;                       /* of these or of failures: past their end */
    uint64_t by_status[DNS_STATUS_COUNT]; /* outcome of those asked */
    uint64_t cnames;                      /* replies that led on to another name */
    uint64_t strays[STRAY_COUNT];         /* packets that answer nothing */
    uint64_t not_asked;                   /* not sent: no place in time, no memory */
    size_t open;                          /* under way now */
    size_t cache_count;                   /* answers in the cache */
    size_t cache_bytes;                   /* about what they take */
};
void resolver_stats(struct resolver *resolver, struct resolver_stats *out);

/* The c-ares version in use, "1.18.1". */
const char *resolver_library_version(void);

#endif
