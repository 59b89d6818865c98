/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_USER_QUERIES_H
#define DAEMON_USER_QUERIES_H

/* DNS queries for a user of rblctl, who waits for the answers: how many one may have made,
 * and queries past the cache and past the lists' health, which are counted for nothing. */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/domain.h"
#include "dns/resolver.h"

/* How often a user who may only read can have the daemon query the DNS: a token bucket a
 * uid. Any thread. */

#define DNS_BUDGET_TOKENS 60 /* at once; one is a check */
#define DNS_BUDGET_TOKEN_MS                                                              \
    160 /* until one is there again: 50 queries a second, of 8 lists */
#define DNS_BUDGET_USERS   64   /* who are remembered: those with the least left */
#define DNS_BUDGET_WAIT_MS 1000 /* so long a command waits for its tokens */

/* Zero-initialise it, but for the lock: nobody has used any. */
struct dns_budget {
    pthread_mutex_t lock;
    struct {
        uid_t uid;       /* never root's, who has no budget */
        int64_t full_ms; /* when all tokens are there again; 0: a free place */
    } users[DNS_BUDGET_USERS];
};

/* Takes tokens. Returns 0; or, with nothing taken, in how many ms there are enough. */
int64_t dns_budget_take(struct dns_budget *budget, uid_t uid, int tokens, int64_t now_ms);

struct user_query {
    char name[DOMAIN_SIZE];    /* canonical; "": nothing is queried */
    struct upstream *upstream; /* borrowed */
    /* what came: */
    struct dns_answer *answer; /* a reference; NULL where nothing was queried */
    int took_ms;
};

/* Queries all for addresses (A), at once, and waits for all: a resolver's deadline at the
 * longest. What cannot be queried for lack of memory is DNS_NOT_ASKED. Any thread but the
 * resolver's. */
void user_queries_all(struct resolver *resolver, struct user_query *queries,
                      size_t count);

/* Gives the answers up. */
void user_queries_clear(struct user_query *queries, size_t count);

#endif
