#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

/* The resolver: one thread that owns c-ares and asks any number of questions at once.
 * Equal questions under way are joined; answers are cached by their TTL, negative ones
 * by the SOA's (RFC 2308), within bounds. A cached answer is given on the caller's own
 * thread. */

#include <stddef.h>
#include <stdint.h>

#include "dns/answer.h"
#include "dns/stray.h"

struct resolver;

/* A set of name servers that is asked in the same way: the resolver section's, or a
 * list's own. Counted by reference. */
struct upstream;

struct resolver_settings {
    int timeout_ms; /* one attempt */
    int attempts;
    int deadline_ms; /* a question's longest life, over all attempts */
    int cache_size;  /* answers */
    int min_ttl_s, max_ttl_s, negative_ttl_s;
    int stale_ttl_s; /* how long past its end an answer may serve while asking fails */
    int max_queries; /* under way at once; more are DNS_NOT_ASKED */
};

/* One asker's place in a question under way. Embed it in what waits; it must live until
 * done was called. */
struct dns_lookup {
    /* Called once, on the resolver's thread (or by resolver_free's caller), with no lock
     * held; it must not block. answer is borrowed: ref it to keep it. */
    void (*done)(struct dns_lookup *lookup, struct dns_answer *answer);
    struct dns_lookup *next; /* the resolver's, until done */
};

/* Starts the thread. Returns NULL (errno set) when it or c-ares cannot be had. */
struct resolver *resolver_new(const struct resolver_settings *settings);

/* Ends the thread; what is still open is done with DNS_NOT_ASKED. NULL is fine. All
 * upstreams must have been unref'd or be no longer used. */
void resolver_free(struct resolver *resolver);

/* New settings, from the next question on. Any thread. */
void resolver_configure(struct resolver *resolver,
                        const struct resolver_settings *settings);

/* The upstream for servers, "127.0.0.1:5300,[::1]:53", or NULL for /etc/resolv.conf's.
 * Upstreams of the same text are one and share their cache; those of other text do not.
 * Returns the caller's reference, or NULL (no memory). Any thread. */
struct upstream *resolver_upstream(struct resolver *resolver, const char *servers);
struct upstream *upstream_ref(struct upstream *upstream);
void upstream_unref(struct upstream *upstream); /* NULL is fine */

/* Asks for name (canonical: lower case, no dot at the end). If the cache knows, returns
 * the answer (the caller's reference) at once and lookup->done is not called; so also for
 * what is not asked: DNS_INVALID for a name that cannot be, DNS_NOT_ASKED (or a stale
 * answer) with too many under way, without memory, or stopping. Else returns NULL, and
 * done is called later, exactly once, also on every failure; it may come before this
 * returns. Any thread, done too; never blocks on the network or the disk. */
struct dns_answer *resolver_ask(struct resolver *resolver, struct upstream *upstream,
                                enum dns_type type, const char *name,
                                struct dns_lookup *lookup);

/* The same without the cache, and whatever is under way: what the servers say now, for
 * test points, which must not call a list down because we are busy, and for lists whose
 * older answers are not believed. A failure is one: nothing stale is given for it. */
struct dns_answer *resolver_ask_anew(struct resolver *resolver, struct upstream *upstream,
                                     enum dns_type type, const char *name,
                                     struct dns_lookup *lookup);

/* What is known without asking: a cached answer, or a stale one. For lists that are set
 * aside as down. The caller's reference, or NULL. Any thread. */
struct dns_answer *resolver_remembered(struct resolver *resolver,
                                       struct upstream *upstream, enum dns_type type,
                                       const char *name);

/* In place of asking, where there is too much under way: a cached answer, a stale one, or
 * DNS_NOT_ASKED; counted as not asked unless cached. The caller's reference. Any thread.
 */
struct dns_answer *resolver_leave_out(struct resolver *resolver,
                                      struct upstream *upstream, enum dns_type type,
                                      const char *name);

/* How many queries are under way. Any thread; cheap. */
size_t resolver_load(struct resolver *resolver);

/* What the cache says, if anything; never asks. The caller's reference, or NULL. */
struct dns_answer *resolver_cached(struct resolver *resolver, struct upstream *upstream,
                                   enum dns_type type, const char *name);

/* Forgets all cached answers. Any thread. */
void resolver_flush_cache(struct resolver *resolver);

struct resolver_stats {
    uint64_t asked;                       /* sent to a server */
    uint64_t joined;                      /* joined to one under way */
    uint64_t cached;                      /* given from the cache */
    uint64_t stale;                       /* of these or of failures: past their end */
    uint64_t by_status[DNS_STATUS_COUNT]; /* outcome of those asked */
    uint64_t cnames;                      /* replies that led on to another name */
    uint64_t strays[STRAY_COUNT];         /* packets that answer nothing */
    uint64_t not_asked;                   /* left out */
    size_t open;                          /* under way now */
    size_t cache_count;                   /* answers in the cache */
    size_t cache_bytes;                   /* about what they take */
};
void resolver_stats(struct resolver *resolver, struct resolver_stats *out);

/* The c-ares version in use, "1.18.1". */
const char *resolver_library_version(void);

#endif
