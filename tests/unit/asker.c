/* SPDX-License-Identifier: BSD-2-Clause */
#include "asker.h"

#include "base/clock.h"

static void on_done(struct dns_lookup *lookup, struct dns_answer *answer)
{
    struct asker *a = (struct asker *)lookup;

    pthread_mutex_lock(&a->lock);
    a->answer = dns_answer_ref(answer);
    a->calls++;
    pthread_cond_signal(&a->told);
    pthread_mutex_unlock(&a->lock);
}

void asker_begin(struct asker *a)
{
    *a = (struct asker){.lookup.done = on_done};
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->told, NULL);
}

void asker_ask(struct asker *a, struct resolver *r, struct upstream *u,
               enum dns_type type, const char *name)
{
    asker_begin(a);
    struct dns_answer *at_once = resolver_query(r, u, type, name, 0, &a->lookup);
    if (at_once == NULL)
        return;
    pthread_mutex_lock(&a->lock);
    a->answer = at_once;
    pthread_mutex_unlock(&a->lock);
}

struct dns_answer *asker_wait(struct asker *a)
{
    struct timespec until = clock_timespec(clock_ms() + 10000);
    int rc = 0;

    pthread_mutex_lock(&a->lock);
    while (a->answer == NULL && rc == 0)
        rc = pthread_cond_clockwait(&a->told, &a->lock, CLOCK_MONOTONIC, &until);
    struct dns_answer *answer = a->answer;
    pthread_mutex_unlock(&a->lock);
    return answer;
}

struct dns_answer *asker_get(struct resolver *r, struct upstream *u, enum dns_type type,
                             const char *name)
{
    struct asker a;

    asker_ask(&a, r, u, type, name);
    struct dns_answer *answer = asker_wait(&a);
    pthread_mutex_destroy(&a.lock);
    pthread_cond_destroy(&a.told);
    return answer;
}
