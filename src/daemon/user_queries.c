/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/user_queries.h"

#include <stdlib.h>

#include "base/clock.h"

/* --- the budget --- */

/* The user's place, else that of whoever has the most left. */
static size_t place_of(const struct dns_budget *budget, uid_t uid)
{
    size_t place = 0;

    for (size_t i = 0; i < DNS_BUDGET_USERS; i++) {
        if (budget->users[i].full_ms != 0 && budget->users[i].uid == uid)
            return i;
        if (budget->users[i].full_ms < budget->users[place].full_ms)
            place = i;
    }
    return place;
}

int64_t dns_budget_take(struct dns_budget *budget, uid_t uid, int tokens, int64_t now_ms)
{
    int64_t full_ms = now_ms, wait_ms;
    size_t i;

    pthread_mutex_lock(&budget->lock);
    i = place_of(budget, uid);
    if (budget->users[i].uid == uid && budget->users[i].full_ms > now_ms)
        full_ms = budget->users[i].full_ms;
    full_ms += (int64_t)tokens * DNS_BUDGET_TOKEN_MS;
    wait_ms = full_ms - now_ms - (int64_t)DNS_BUDGET_TOKENS * DNS_BUDGET_TOKEN_MS;
    if (wait_ms <= 0) {
        budget->users[i].uid = uid;
        budget->users[i].full_ms = full_ms;
    }
    pthread_mutex_unlock(&budget->lock);
    return wait_ms > 0 ? wait_ms : 0;
}

/* --- queries --- */

struct round {
    pthread_mutex_t lock;
    pthread_cond_t done;
    size_t open;
};

struct place {
    struct dns_lookup lookup; /* must be first */
    struct user_query *query;
    struct round *round;
    int64_t asked_ms;
};

static void on_answer(struct dns_lookup *lookup, struct dns_answer *answer)
{
    struct place *place = (struct place *)lookup;
    struct round *round = place->round;

    pthread_mutex_lock(&round->lock);
    place->query->answer = dns_answer_ref(answer);
    place->query->took_ms = (int)(clock_ms() - place->asked_ms);
    if (--round->open == 0)
        pthread_cond_signal(&round->done);
    pthread_mutex_unlock(&round->lock);
}

void user_queries_all(struct resolver *resolver, struct user_query *queries, size_t count)
{
    struct round round = {.lock = PTHREAD_MUTEX_INITIALIZER,
                          .done = PTHREAD_COND_INITIALIZER};
    struct place *places = calloc(count + 1, sizeof *places);

    for (size_t i = 0; i < count; i++) {
        struct user_query *query = &queries[i];
        struct dns_answer *answer;

        query->answer = NULL;
        query->took_ms = 0;
        if (query->name[0] == '\0')
            continue;
        if (places == NULL) {
            query->answer = dns_answer_failure(DNS_NOT_ASKED);
            continue;
        }
        places[i] = (struct place){.lookup = {.done = on_answer},
                                   .query = query,
                                   .round = &round,
                                   .asked_ms = clock_ms()};
        pthread_mutex_lock(&round.lock);
        round.open++;
        pthread_mutex_unlock(&round.lock);
        answer = resolver_query(resolver, query->upstream, DNS_A, query->name,
                                DNS_PRIVATE, &places[i].lookup);
        if (answer != NULL)
            on_answer(&places[i].lookup, answer);
        dns_answer_unref(answer);
    }
    pthread_mutex_lock(&round.lock);
    while (round.open > 0)
        pthread_cond_wait(&round.done, &round.lock);
    pthread_mutex_unlock(&round.lock);
    pthread_cond_destroy(&round.done);
    pthread_mutex_destroy(&round.lock);
    free(places);
}

void user_queries_clear(struct user_query *queries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dns_answer_unref(queries[i].answer);
        queries[i].answer = NULL;
    }
}
