/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_LOOKUPS_PARTS_H
#define POLICY_LOOKUPS_PARTS_H

/* What lookups.c (their life, and the queries) and tally.c (counting, and waiting on top
 * of it) share. Private to them. */

#include <pthread.h>

#include "policy/lookups.h"

/* A batch is what one stage looked up. It is freed by whoever is last: the session that
 * forgets it, or the answer to its last open lookup. */
struct batch {
    struct batch *next;
    struct lookups *lookups; /* a reference, as long as lookups are open */
    enum stage stage;
    bool is_reason; /* one TXT lookup */
    bool forgotten;
    int64_t began_ms;
    unsigned open;
    size_t count;
    struct dnsbl_lookup items[];
};

/* A list's part of the score, and whose turn it is. */
struct list_sum {
    int weight;
    bool open;     /* an answer worth waiting for */
    bool held;     /* a health check decides whether what it lists counts */
    bool unheard;  /* it was to be queried, and has not said anything that counts */
    bool absent;   /* nothing of it counts: it is lying, or suspended */
    bool had_turn; /* it waits for others (after), and was queried or had nothing to be */
    unsigned turn; /* the checks to be looked up now: 1u << CHECK_… */
};

struct lookups {
    pthread_mutex_t lock; /* of refs, waiting, the chain of batches and their answers */
    pthread_cond_t answered;
    unsigned refs; /* the session, and each batch with open lookups */
    bool is_dry_run;
    bool judged;                /* the message has its verdict, by the score */
    const struct wait *waiting; /* while the session sleeps: what for; else NULL */
    struct policy *policy;      /* a reference */
    struct batch *first;        /* of the session; in the order of the queries */
    struct list_sum sums[]; /* one a list of the policy; the session's thread only, but
                               for a tally while it sleeps */
};

/* Whether the list waits for another one that has not had its say yet; lock held. */
bool tally_must_wait(const struct lookups *lookups, const struct list *list);

/* Whether there is nothing more to wait for; lock held. Lists whose turn has come are
 * reported in *turn, to be queried first. */
bool tally_is_settled(struct lookups *lookups, const struct wait *wait, bool *turn);

/* At the end of a message that was judged: counts for each list what it alone had. Lock
 * held. */
void tally_account_alone(struct lookups *lookups);

/* Waits while a lookup is open, until_ms at the longest. */
void wait_while_open(struct lookups *lookups, const struct wait *wait,
                     const struct dnsbl_lookup *lookup, int64_t until_ms);

/* What is cached of a lookup, without a query: fresh or stale, and believed. Fills
 * it in and returns true, or returns false. Lock held. */
bool lookup_from_cache(struct dnsbl_lookup *lookup, const struct envelope *envelope);

#endif
