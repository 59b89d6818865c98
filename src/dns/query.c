/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/query.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dns/query_parts.h"

void queries_init(struct queries *qs, struct channel_set *channels, struct cache *cache)
{
    *qs = (struct queries){.channels = channels, .cache = cache, .quick_ms = clock_ms()};
    TAILQ_INIT(&qs->open);
    for (size_t i = 0; i <= DNS_PRIORITIES; i++)
        TAILQ_INIT(&qs->waiting[i]);
}

struct dns_query *query_new(struct queries *qs, struct upstream *upstream,
                            const struct dns_key *key, unsigned flags,
                            struct dns_lookup *lookup)
{
    struct dns_query *q = malloc(sizeof *q);

    if (q == NULL)
        return NULL;
    lookup->next = NULL;
    lookup->query = NULL;
    *q = (struct dns_query){
        .queries = qs,
        .upstream = upstream,
        .first = lookup,
        .last = lookup,
        .flags = flags,
        .is_refusal = lookup->is_refusal,
        .budget = lookup->budget,
        .retry_ms = lookup->retry_ms,
        .priority = flags & DNS_PRIVATE                 ? DNS_PRIORITIES
                    : lookup->priority < DNS_PRIORITIES ? lookup->priority
                                                        : DNS_PRIORITIES - 1,
        .key = *key,
        .began_ms = clock_ms(),
    };
    atomic_fetch_add_explicit(&qs->under_way, 1, memory_order_relaxed);
    return q;
}

void query_free(struct queries *qs, struct dns_query *q)
{
    if (q == NULL)
        return;
    if (!q->closed)
        atomic_fetch_sub_explicit(&qs->under_way, 1, memory_order_relaxed);
    dns_answer_unref(q->said);
    free(q);
}

void query_hold(struct dns_query *q)
{
    q->holds++;
}

/* Frees a query that is over once neither c-ares nor a function up the stack has it. */
void query_release(struct dns_query *q)
{
    if (--q->holds > 0 || !q->closed)
        return;
    q->queries->held--;
    query_free(q->queries, q);
}

/* Calls all that wait. They are off the list before the first is called, as each may
 * look up again. */
static void call_waiters(struct dns_query *q, struct dns_lookup *first,
                         struct dns_answer *answer)
{
    for (struct dns_lookup *lookup = first, *next; lookup != NULL; lookup = next) {
        next = lookup->next;
        lookup->servers_failed = q->servers_failed;
        lookup->query = q;
        lookup->done(lookup, answer);
    }
}

void dns_lookup_cache_failure(struct dns_lookup *lookup, const struct dns_answer *failure,
                              int ms)
{
    const struct dns_query *q = lookup->query;
    struct dns_answer *known, *answer = NULL;
    int64_t now_ms = clock_ms();
    bool again = false;

    if (q == NULL || q->flags & DNS_PRIVATE)
        return;
    known = cache_get_ended(q->queries->cache, &q->key, INT64_MIN);
    if (known != NULL) {
        if (known->status == DNS_FOUND || known->status == DNS_NONE)
            goto out; /* it may still serve, stale */
        if (known->came_ms > q->began_ms)
            goto out; /* of this query, by another who waited for it */
        again = true;
    }
    answer = dns_answer_new(failure->status, 0, NULL);
    if (answer == NULL)
        goto out;
    answer->came_ms = now_ms;
    answer->expires_ms = again ? now_ms + ms : now_ms; /* the first time: only noted */
    cache_put(q->queries->cache, &q->key, answer);
out:
    dns_answer_unref(known);
    dns_answer_unref(answer);
}

struct dns_answer *queries_stale_or(struct queries *qs, const struct dns_key *key,
                                    int stale_ttl_s, struct dns_answer *failure)
{
    struct dns_answer *ended =
        cache_get_ended(qs->cache, key, clock_ms() - (int64_t)stale_ttl_s * 1000);
    struct dns_answer *stale = NULL;

    if (ended != NULL && (ended->status == DNS_FOUND || ended->status == DNS_NONE))
        stale = dns_answer_stale(ended);
    dns_answer_unref(ended);
    if (stale == NULL)
        return failure;
    dns_answer_unref(failure);
    count(&qs->stale);
    return stale;
}

/* Takes it off the lists; it stays while c-ares holds it. */
static void leave_lists(struct dns_query *q)
{
    struct queries *qs = q->queries;

    q->closed = true;
    atomic_fetch_sub_explicit(&qs->under_way, 1, memory_order_relaxed);
    if (!(q->flags & DNS_PRIVATE))
        HASH_DEL(qs->table, q);
    if (q->sent_ms == 0) {
        TAILQ_REMOVE(&qs->waiting[q->priority], q, link);
        return;
    }
    TAILQ_REMOVE(&qs->open, q, link);
    qs->in_flight -= !(q->flags & DNS_PRIVATE);
}

/* Ends it for all who wait. */
void query_close_with(struct dns_query *q, struct dns_answer *answer)
{
    struct dns_lookup *first = q->first;

    q->first = q->last = NULL;
    leave_lists(q);
    call_waiters(q, first, answer);
}

/* The failure, which it takes over, or what is known from before; the caller's reference. */
static struct dns_answer *failed_answer(struct dns_query *q, struct dns_answer *failure)
{
    struct queries *qs = q->queries;

    count(failure->status == DNS_NOT_ASKED ? &qs->not_asked
                                           : &qs->by_status[failure->status]);
    /* who does not want the cache wants to know how the servers are */
    if (q->flags & (DNS_AGAIN | DNS_PRIVATE))
        return failure;
    return queries_stale_or(qs, &q->key, qs->settings.stale_ttl_s, failure);
}

void query_close_failed(struct dns_query *q, struct dns_answer *failure)
{
    struct dns_answer *answer = failed_answer(q, failure);

    query_close_with(q, answer);
    dns_answer_unref(answer);
}

void query_close_status(struct dns_query *q, enum dns_status status)
{
    query_close_failed(q, dns_answer_failure(status));
}

/* Whether an equal query is under way: then it has our waiter too. One that has waited in
 * silence for as long as an attempt may is sent again for it. */
static bool join(struct queries *qs, struct dns_query *q, int64_t now_ms)
{
    struct dns_query *open;

    HASH_FIND_BYHASHVALUE(hh, qs->table, q->key.octets, q->key.size, q->key.hash, open);
    if (open == NULL)
        return false;
    open->last->next = q->first;
    open->last = q->first;
    if (q->first->deadline_ms < open->deadline_ms)
        open->deadline_ms = q->first->deadline_ms;
    if (open->sent_ms != 0 && now_ms - open->sent_ms >= query_first_retry_ms(open)) {
        open->next_ms = now_ms;
        open->sends = open->rounds = 0;
    }
    count(&qs->joined);
    return true;
}

void query_leave_out(struct queries *qs, struct dns_query *q)
{
    struct dns_answer *answer = dns_answer_failure(DNS_NOT_ASKED);

    count(&qs->not_asked);
    call_waiters(q, q->first, answer);
    dns_answer_unref(answer);
    query_free(qs, q);
}

/* What needs no sending: in the cache by now, or of servers that are all gone. */
static struct dns_answer *known_answer(struct queries *qs, struct dns_query *q,
                                       int64_t now_ms)
{
    struct dns_answer *answer = NULL;

    if (!(q->flags & DNS_AGAIN))
        answer = cache_get(qs->cache, &q->key, now_ms);
    if (answer == NULL &&
        upstream_is_gone(q->upstream, now_ms, qs->settings.deadline_ms)) {
        q->servers_failed = true;
        answer = failed_answer(q, dns_answer_failure(DNS_UNREACHABLE));
    }
    return answer;
}

void queries_take(struct queries *qs, struct dns_query *q, int64_t now_ms)
{
    struct dns_answer *answer;

    if (!(q->flags & DNS_PRIVATE)) {
        if (join(qs, q, now_ms)) {
            query_free(qs, q);
            return;
        }
        answer = known_answer(qs, q, now_ms);
        if (answer != NULL) {
            call_waiters(q, q->first, answer);
            dns_answer_unref(answer);
            query_free(qs, q);
            return;
        }
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, qs->table, q->key.octets, q->key.size,
                                    q->key.hash, q);
        if (q->hh.tbl == NULL) {
            query_leave_out(qs, q);
            return;
        }
    }
    q->deadline_ms = q->first->deadline_ms;
    q->next_ms = INT64_MAX;
    qs->held++;
    TAILQ_INSERT_TAIL(&qs->waiting[q->priority], q, link);
}

/* The first in line that may leave, if credit allows; NULL: none. */
static struct dns_query *first_with_place(const struct queries *qs)
{
    for (int i = DNS_PRIORITIES; i >= 0; i--) {
        if (i < DNS_PRIORITIES && qs->in_flight >= qs->settings.max_queries)
            return NULL;
        if (!TAILQ_EMPTY(&qs->waiting[i]))
            return TAILQ_FIRST(&qs->waiting[i]);
    }
    return NULL;
}

bool queries_lack_credit(const struct queries *qs)
{
    return qs->credit <= 0 && first_with_place(qs) != NULL;
}

void queries_send_waiting(struct queries *qs, int64_t now_ms)
{
    struct dns_query *q;

    while (qs->credit > 0 && (q = first_with_place(qs)) != NULL) {
        TAILQ_REMOVE(&qs->waiting[q->priority], q, link);
        TAILQ_INSERT_TAIL(&qs->open, q, link);
        qs->in_flight += !(q->flags & DNS_PRIVATE);
        q->sent_ms = now_ms;
        query_hold(q);
        query_send(q, now_ms);
        query_release(q);
    }
}

/* What to say where the time is over. */
static struct dns_answer *overdue_answer(struct dns_query *q)
{
    bool is_away = resolver_is_away(q->upstream);

    q->servers_failed |= is_away;
    if (q->said != NULL)
        return failed_answer(q, dns_answer_ref(q->said));
    if (q->sent_ms == 0)
        return failed_answer(q, dns_answer_failure(DNS_NOT_ASKED));
    return failed_answer(q, dns_answer_failure(is_away ? DNS_UNREACHABLE : DNS_TIMEOUT));
}

/* Ends the lookups whose time is over, and the query with the last of them. */
static void end_overdue(struct dns_query *q, int64_t now_ms)
{
    struct dns_lookup *over = NULL, **over_end = &over, **at = &q->first;
    struct dns_answer *answer;

    q->deadline_ms = INT64_MAX;
    q->last = NULL;
    while (*at != NULL) {
        struct dns_lookup *lookup = *at;

        if (lookup->deadline_ms <= now_ms) {
            *at = lookup->next;
            lookup->next = NULL;
            *over_end = lookup;
            over_end = &lookup->next;
            continue;
        }
        if (lookup->deadline_ms < q->deadline_ms)
            q->deadline_ms = lookup->deadline_ms;
        q->last = lookup;
        at = &lookup->next;
    }
    answer = overdue_answer(q);
    if (q->first == NULL)
        leave_lists(q);
    call_waiters(q, over, answer);
    dns_answer_unref(answer);
}

/* What is done for one query may end others, the next one too: then from the start. */
static void tick_list(struct query_list *list, int64_t now_ms)
{
    struct dns_query *q = TAILQ_FIRST(list), *next;

    if (q != NULL)
        query_hold(q);
    for (; q != NULL; q = next) {
        next = TAILQ_NEXT(q, link);
        if (next != NULL)
            query_hold(next);
        if (now_ms >= q->deadline_ms)
            end_overdue(q, now_ms);
        if (!q->closed && q->sent_ms != 0)
            query_send_when_due(q, now_ms);
        query_release(q);
        if (next != NULL && next->closed) {
            query_release(next);
            next = TAILQ_FIRST(list);
            if (next != NULL)
                query_hold(next);
        }
    }
}

void queries_tick(struct queries *qs, int64_t now_ms)
{
    tick_list(&qs->open, now_ms);
    for (int i = 0; i <= DNS_PRIORITIES; i++)
        tick_list(&qs->waiting[i], now_ms);
}

static void end_list(struct query_list *list)
{
    struct dns_query *q;

    while ((q = TAILQ_FIRST(list)) != NULL) {
        query_hold(q);
        query_close_status(q, DNS_NOT_ASKED);
        query_release(q);
    }
}

void queries_end(struct queries *qs)
{
    end_list(&qs->open);
    for (int i = 0; i <= DNS_PRIORITIES; i++)
        end_list(&qs->waiting[i]);
}
