/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_ASKER_H
#define TESTS_ASKER_H

/* One who asks the resolver and waits for what it says. */

#include <pthread.h>
#include <stdatomic.h>

#include "dns/resolver.h"

struct asker {
    struct dns_lookup lookup; /* first */
    pthread_mutex_t lock;
    pthread_cond_t told;
    struct dns_answer *answer;
    atomic_int calls; /* of done */
};

/* Makes one ready, for a query of one's own. */
void asker_begin(struct asker *a);

void asker_ask(struct asker *a, struct resolver *r, struct upstream *u,
               enum dns_type type, const char *name);

/* The answer, the caller's; NULL if none came in 10 s. */
struct dns_answer *asker_wait(struct asker *a);

/* Asks and waits; NULL if no answer came in 10 s. */
struct dns_answer *asker_get(struct resolver *r, struct upstream *u, enum dns_type type,
                             const char *name);

#endif
