#include "dns/query.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dns/reply.h"

#define NEAR_MS           10   /* an answer that arrives by then is of a server nearby */
#define LINGER_MS         1000 /* for answers just too late: the cache wants them */
#define UNREACHABLE_MS    150  /* a refused connection: tried again so much later */
#define UNHEARD_MS        250 /* others gave errors, the usual server is silent: so, too */
#define ERROR_ROUNDS      2   /* an error is final after so many more: */
#define ERROR_FIRST_MS    250 /* so much later, and then twice that */
#define RESERVED_ATTEMPTS 2   /* for when a server comes back */

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void queries_init(struct queries *qs, struct channel_set *channels, struct cache *cache)
{
    *qs = (struct queries){.channels = channels, .cache = cache};
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

static void hold(struct dns_query *q)
{
    q->holds++;
}

/* Frees a query that is over once neither c-ares nor a function up the stack has it. */
static void release(struct dns_query *q)
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

void dns_lookup_remember_failure(struct dns_lookup *lookup,
                                 const struct dns_answer *failure, int ms)
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
        return dns_answer_ref(failure);
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
static void close_with(struct dns_query *q, struct dns_answer *answer)
{
    struct dns_lookup *first = q->first;

    q->first = q->last = NULL;
    leave_lists(q);
    call_waiters(q, first, answer);
}

/* The failure, or what is known from before; the caller's reference. */
static struct dns_answer *failed_answer(struct dns_query *q, struct dns_answer *failure)
{
    struct queries *qs = q->queries;

    count(failure->status == DNS_NOT_ASKED ? &qs->not_asked
                                           : &qs->by_status[failure->status]);
    /* who does not want the cache wants to know how the servers are */
    if (q->flags & (DNS_AGAIN | DNS_PRIVATE))
        return dns_answer_ref(failure);
    return queries_stale_or(qs, &q->key, qs->settings.stale_ttl_s, failure);
}

static void close_failed(struct dns_query *q, struct dns_answer *failure)
{
    struct dns_answer *answer = failed_answer(q, failure);

    close_with(q, answer);
    dns_answer_unref(answer);
}

static void close_status(struct dns_query *q, enum dns_status status)
{
    struct dns_answer *failure = dns_answer_failure(status);

    close_failed(q, failure);
    dns_answer_unref(failure);
}

static struct attempt *free_attempt(struct dns_query *q)
{
    int most = q->upstream->changed ? QUERY_ATTEMPTS : QUERY_ATTEMPTS - RESERVED_ATTEMPTS;
    struct attempt *found = NULL;

    for (int i = 0, live = 0; i < QUERY_ATTEMPTS; i++) {
        if (!q->attempts[i].live)
            found = &q->attempts[i];
        else if (++live >= most)
            return NULL;
    }
    return found;
}

/* Takes one packet off the budget; false: there is none left. */
static bool spend(struct dns_query *q)
{
    if (q->budget == NULL || atomic_fetch_sub(q->budget, 1) > 0)
        return true;
    atomic_fetch_add(q->budget, 1);
    return false;
}

static int first_retry_ms(const struct dns_query *q)
{
    int timeout_ms = q->queries->settings.timeout_ms;

    return q->retry_ms > 0 && q->retry_ms < timeout_ms ? q->retry_ms : timeout_ms;
}

/* When a server that stays silent is followed by the next attempt. */
static int64_t after_silence_ms(const struct dns_query *q, int64_t now_ms)
{
    const struct resolver_settings *s = &q->queries->settings;
    unsigned most = (unsigned)s->attempts * (unsigned)atomic_load(&q->upstream->count);

    if (q->sends > most)
        return INT64_MAX;
    return now_ms + (q->sends == 1 ? first_retry_ms(q) : s->timeout_ms);
}

static void on_attempt(struct channel_query *query, enum dns_status failure,
                       const uint8_t *packet, size_t size);

/* Sends it to a server. May end it; the caller holds it. */
static void query_send(struct dns_query *q, int server, int64_t now_ms)
{
    struct queries *qs = q->queries;
    struct attempt *a = free_attempt(q);
    struct channel *channel;

    q->next_ms = now_ms + qs->settings.timeout_ms;
    if (a == NULL)
        return; /* enough are on their way */
    channel = spend(q) ? upstream_channel(q->upstream, server, qs->channels,
                                          qs->settings.deadline_ms + LINGER_MS, now_ms)
                       : NULL;
    if (channel == NULL) {
        if (q->holds == 1)
            close_status(q, DNS_NOT_ASKED);
        return;
    }
    *a = (struct attempt){
        .query.done = on_attempt, .owner = q, .server = (uint8_t)server, .live = true};
    hold(q);
    q->sends++;
    q->server = server;
    q->sent_ms = now_ms;
    q->next_ms = after_silence_ms(q, now_ms);
    qs->credit--;
    count(&qs->asked);
    channel_ask(channel, dns_key_type(&q->key), dns_key_name(&q->key), &a->query);
}

static bool has_live_attempt(const struct dns_query *q)
{
    for (int i = 0; i < QUERY_ATTEMPTS; i++)
        if (q->attempts[i].live)
            return true;
    return false;
}

/* A server failed: the next one is asked, and when all have failed, they all are again.
 */
static void try_next(struct dns_query *q, int server, bool unreachable, int64_t now_ms)
{
    int next;

    q->tried |= 1u << server;
    next = upstream_pick(q->upstream, q->tried);
    if (next >= 0) {
        query_send(q, next, now_ms);
        return;
    }
    q->tried = 0;
    if (q->said != NULL && (q->flags & DNS_ONCE || q->rounds >= ERROR_ROUNDS)) {
        close_failed(q, q->said);
    } else if (q->said != NULL) {
        q->next_ms = now_ms + ((int64_t)ERROR_FIRST_MS << q->rounds);
        q->rounds++;
    } else if (q->flags & DNS_ONCE && !has_live_attempt(q)) {
        close_status(q, DNS_UNREACHABLE);
    } else {
        q->next_ms = now_ms + (unreachable ? UNREACHABLE_MS : UNHEARD_MS);
    }
}

/* An error from the usual server is kept; from one that stands in for it, it is that
 * server's own. */
static void take_error(struct dns_query *q, int server, struct dns_answer *error,
                       int64_t now_ms)
{
    if (server == upstream_usual(q->upstream, now_ms)) {
        dns_answer_unref(q->said);
        q->said = dns_answer_ref(error);
    } else {
        q->servers_failed = true;
    }
    try_next(q, server, false, now_ms);
}

static uint32_t bounded(uint32_t ttl_s, int min_s, int max_s)
{
    if (ttl_s < (uint32_t)min_s)
        ttl_s = (uint32_t)min_s;
    return ttl_s > (uint32_t)max_s ? (uint32_t)max_s : ttl_s;
}

/* Returns NULL without memory. */
static struct dns_answer *answer_of(const struct reply *reply,
                                    const struct resolver_settings *settings, bool text)
{
    bool found = reply->status == DNS_FOUND;
    uint32_t ttl_s = bounded(reply->ttl_s, settings->min_ttl_s,
                             found ? settings->max_ttl_s : settings->negative_ttl_s);
    struct dns_answer *answer = dns_answer_new(reply->status, reply->address_count,
                                               found && text ? reply->text : NULL);

    if (answer == NULL)
        return NULL;
    memcpy(answer->addresses, reply->addresses,
           reply->address_count * sizeof reply->addresses[0]);
    answer->came_ms = clock_ms();
    answer->expires_ms = answer->came_ms + (int64_t)ttl_s * 1000;
    return answer;
}

/* An answer goes to the cache, also one too late for those who waited; a refusal does
 * not. */
static void take_answer(struct dns_query *q, int server, const struct reply *reply,
                        int64_t now_ms)
{
    struct queries *qs = q->queries;
    struct dns_answer *answer =
        answer_of(reply, &qs->settings, dns_key_type(&q->key) == DNS_TXT);

    if (answer == NULL) {
        if (!q->closed)
            close_status(q, DNS_NOT_ASKED);
        return;
    }
    if (!q->closed && answer->status == DNS_FOUND && q->is_refusal != NULL &&
        q->is_refusal(q->first, answer)) {
        take_error(q, server, answer, now_ms);
    } else {
        if (!(q->flags & DNS_PRIVATE))
            cache_put(qs->cache, &q->key, answer);
        if (!q->closed) {
            count(&qs->by_status[answer->status]);
            close_with(q, answer);
        }
    }
    dns_answer_unref(answer);
}

/* A packet came: gives back the credit, and learns whether the servers are near. */
static void note_packet(struct dns_query *q, int server, int64_t now_ms)
{
    struct queries *qs = q->queries;

    qs->credit++;
    if (now_ms - q->sent_ms > NEAR_MS)
        qs->near -= qs->near > 0;
    else
        qs->near += qs->near < QUERIES_NEAR;
    upstream_heard(q->upstream, server, now_ms);
}

/* What a failure of an attempt means for a query that somebody waits for. */
static void take_failure(struct dns_query *q, int server, enum dns_status failure,
                         bool has_packet, int64_t now_ms)
{
    struct dns_answer *error;

    if (has_packet) {
        error = dns_answer_failure(failure);
        take_error(q, server, error, now_ms);
        dns_answer_unref(error);
    } else if (failure == DNS_UNREACHABLE) {
        q->servers_failed = true;
        try_next(q, server, true, now_ms);
    } else if (failure == DNS_INVALID) { /* the name cannot be sent */
        close_status(q, DNS_INVALID);
    } else if (failure == DNS_NOT_ASKED && !has_live_attempt(q)) {
        close_status(q, DNS_NOT_ASKED);
    } /* silence: the tick sends it again, or ends it */
}

static void on_attempt(struct channel_query *query, enum dns_status failure,
                       const uint8_t *packet, size_t size)
{
    struct attempt *a = (struct attempt *)query;
    struct dns_query *q = a->owner;
    int64_t now_ms = clock_ms();
    struct reply reply = {.status = failure};

    a->live = false; /* its hold is ours until the end */
    if (packet != NULL) {
        note_packet(q, a->server, now_ms);
        reply_parse(packet, size, dns_key_type(&q->key), dns_key_name(&q->key), &reply);
        if (reply.cname_count > 0)
            count(&q->queries->cnames);
    } else if (failure == DNS_UNREACHABLE) {
        upstream_unreachable(q->upstream, a->server, now_ms);
    }
    if (reply.status == DNS_FOUND || reply.status == DNS_NONE)
        take_answer(q, a->server, &reply, now_ms);
    else if (!q->closed)
        take_failure(q, a->server, reply.status, packet != NULL, now_ms);
    release(q);
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
    if (open->sent_ms != 0 && now_ms - open->sent_ms >= first_retry_ms(open)) {
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
    struct dns_answer *answer = NULL, *failure;

    if (!(q->flags & DNS_AGAIN))
        answer = cache_get(qs->cache, &q->key, now_ms);
    if (answer == NULL &&
        upstream_is_gone(q->upstream, now_ms, qs->settings.deadline_ms)) {
        failure = dns_answer_failure(DNS_UNREACHABLE);
        q->servers_failed = true;
        answer = failed_answer(q, failure);
        dns_answer_unref(failure);
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

static int server_for(const struct dns_query *q, int64_t now_ms)
{
    int server = upstream_pick(q->upstream, q->tried);

    return server >= 0 ? server : upstream_usual(q->upstream, now_ms);
}

void queries_send_waiting(struct queries *qs, int64_t now_ms)
{
    struct dns_query *q;

    while (qs->credit > 0 && (q = first_with_place(qs)) != NULL) {
        TAILQ_REMOVE(&qs->waiting[q->priority], q, link);
        TAILQ_INSERT_TAIL(&qs->open, q, link);
        qs->in_flight += !(q->flags & DNS_PRIVATE);
        q->sent_ms = now_ms;
        hold(q);
        query_send(q, server_for(q, now_ms), now_ms);
        release(q);
    }
}

/* What to say where the time is over. */
static struct dns_answer *overdue_answer(struct dns_query *q)
{
    struct dns_answer *failure, *answer;

    if (upstream_is_away(q->upstream))
        q->servers_failed = true;
    if (q->said != NULL)
        failure = dns_answer_ref(q->said);
    else if (q->sent_ms == 0)
        failure = dns_answer_failure(DNS_NOT_ASKED);
    else if (upstream_is_away(q->upstream))
        failure = dns_answer_failure(DNS_UNREACHABLE);
    else
        failure = dns_answer_failure(DNS_TIMEOUT);
    answer = failed_answer(q, failure);
    dns_answer_unref(failure);
    return answer;
}

/* Ends the lookups whose time is over, and the query with the last of them. */
static void expire(struct dns_query *q, int64_t now_ms)
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

/* A server that came back is sent what is open; one that went away is replaced. */
static void send_when_due(struct dns_query *q, int64_t now_ms)
{
    if (q->upstream->changed) {
        q->servers_failed = true;
        q->tried = 0;
        q->next_ms = now_ms;
    }
    if (now_ms < q->next_ms || q->queries->credit <= 0)
        return;
    if (now_ms - q->sent_ms >= q->queries->settings.timeout_ms)
        q->tried |= 1u << q->server; /* silent for as long as an attempt may be */
    if (upstream_pick(q->upstream, q->tried) < 0)
        q->tried = 0;
    query_send(q, server_for(q, now_ms), now_ms);
}

/* What is done for one query may end others, the next one too: then from the start. */
static void tick_list(struct query_list *list, int64_t now_ms)
{
    struct dns_query *q = TAILQ_FIRST(list), *next;

    if (q != NULL)
        hold(q);
    for (; q != NULL; q = next) {
        next = TAILQ_NEXT(q, link);
        if (next != NULL)
            hold(next);
        if (now_ms >= q->deadline_ms)
            expire(q, now_ms);
        if (!q->closed && q->sent_ms != 0)
            send_when_due(q, now_ms);
        release(q);
        if (next != NULL && next->closed) {
            release(next);
            next = TAILQ_FIRST(list);
            if (next != NULL)
                hold(next);
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
        hold(q);
        close_status(q, DNS_NOT_ASKED);
        release(q);
    }
}

void queries_end(struct queries *qs)
{
    end_list(&qs->open);
    for (int i = 0; i <= DNS_PRIORITIES; i++)
        end_list(&qs->waiting[i]);
}
