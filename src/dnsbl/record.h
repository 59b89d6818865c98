#ifndef DNSBL_RECORD_H
#define DNSBL_RECORD_H

/* What is known of a list over time: counts, latency, health, quota. It outlives reloads,
 * by the list's name. Functions may be called by any thread; none waits for more than
 * another's few instructions. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "dns/resolver.h"
#include "dnsbl/health.h"
#include "dnsbl/latency.h"
#include "dnsbl/listing.h"
#include "dnsbl/surge.h"

#define WHY_SIZE 200

struct dnsbl_registry;

/* One test point being asked. */
struct probe {
    struct dns_lookup lookup; /* must be first */
    struct dnsbl_record *record;
    struct dns_answer *answer; /* a reference; NULL: not asked, or not answered yet */
    bool open;
};

struct dnsbl_record {
    char *name;
    struct dnsbl_registry *registry;
    struct dnsbl_record *next;

    /* counts since the start, of questions of sessions */
    atomic_uint_fast64_t questions, cached;
    atomic_uint_fast64_t by_state[LISTING_FAILED + 1];
    atomic_uint_fast64_t by_status[DNS_STATUS_COUNT];
    atomic_uint_fast64_t
        aside; /* not asked, as the list was set aside or over its limit */
    atomic_uint_fast64_t alone;   /* hits that no other list had */
    atomic_uint_fast64_t decided; /* refusals that would not have been without it */

    _Atomic enum health health; /* changed under the lock only */
    atomic_bool surge_hold;     /* set aside for a surge, but asked on, to see its end */
    atomic_int deadline_ms;     /* its own; 0: the resolver's */
    atomic_int failures;        /* in a row */
    atomic_int_fast64_t
        answered_ms; /* CLOCK_MONOTONIC: when it last answered a question */
    _Atomic int64_t believed_from_ms; /* CLOCK_MONOTONIC: older answers are not */

    pthread_mutex_t lock; /* of what follows */
    time_t since;         /* wall clock: of the state */
    char why[WHY_SIZE];
    enum health before; /* at the last stop; UNCHECKED once it was tested since */
    struct latency latency;
    struct surge surge;
    int64_t quota_day; /* days since 1970, UTC */
    uint64_t quota_used;
    int quota_told; /* per cent of the limit that the log has told of today */

    /* the registry's, under its lock: */
    struct config *config; /* a reference; NULL: in no configuration now */
    const struct list *list;
    struct upstream *upstream; /* a reference */
    int64_t check_ms;          /* CLOCK_MONOTONIC: when its test points are asked next */
    int64_t checked_ms;        /* when they were last */
    int retries;               /* tests in a row that were not good */
    struct probe listed, unlisted;
    bool probing;
    bool outdated; /* the test under way is of a configuration that is no more */
};

/* What a session may do with the list now. */
enum dnsbl_way {
    DNSBL_ASK,
    DNSBL_REMEMBER, /* only what is cached, or stale: it is down, or over its limit */
    DNSBL_ASIDE     /* not at all */
};
enum dnsbl_way record_way(struct dnsbl_record *record, const struct list *list);

/* Why the list is not asked, or does not count: "down", "suspended", "limit" … A static
 * text. */
const char *record_aside_reason(const struct dnsbl_record *record);

/* Whether an answer counts for the score: the list is well, or it is down and this is
 * what is remembered of it. */
bool record_counts(const struct dnsbl_record *record, bool remembered);

/* Whether an answer that came then is believed. What a list said before it was found
 * lying, empty or saying no, and until it was well again, the cache still knows, and so
 * does a session that is still open. came_ms 0, of a failure: yes. */
bool record_believes(const struct dnsbl_record *record, int64_t came_ms);

/* Notes that a question went out (not from the cache): for the quota. */
void record_asked(struct dnsbl_record *record, const struct list *list);

/* Notes an answer to a session's question; took_ms is not looked at for cached ones. May
 * set the list aside: too many failures in a row, an answer that no list gives. */
void record_answer(struct dnsbl_record *record, const struct dns_answer *answer,
                   const struct listing *listing, enum check check, bool cached,
                   int took_ms);

/* Notes a client that speaks against the list if it has it (surge.h). */
void record_watch(struct dnsbl_record *record, bool listed, int factor);

/* The one place where a state changes; says so in the log. The record's lock is held. */
void record_enter(struct dnsbl_record *record, enum health to, const char *why);

#endif
