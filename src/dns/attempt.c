/* SPDX-License-Identifier: BSD-2-Clause */
/* The packets of a query: to which server each goes, when it is sent again, what an answer
 * means, and how long it holds. */

#include <string.h>

#include "base/clock.h"
#include "dns/query_parts.h"

#define QUICK_MS          10   /* an answer that arrives by then is of a server nearby */
#define LINGER_MS         1000 /* for answers just too late: the cache wants them */
#define UNREACHABLE_MS    150  /* a refused connection: tried again so much later */
#define UNHEARD_MS        250 /* others gave errors, the usual server is silent: so, too */
#define ERROR_ROUNDS      2   /* an error is final after so many more: */
#define ERROR_FIRST_MS    250 /* so much later, and then twice that */
#define RESERVED_ATTEMPTS 2   /* for when a server comes back */

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

int query_first_retry_ms(const struct dns_query *q)
{
    int timeout_ms = q->queries->settings.timeout_ms;

    return q->retry_ms > 0 && q->retry_ms < timeout_ms ? q->retry_ms : timeout_ms;
}

static void on_attempt(struct channel_query *query, enum dns_status failure,
                       const uint8_t *packet, size_t size);

/* Sends it to a server. May end it; the caller holds it. */
static void send_to(struct dns_query *q, int server, int64_t now_ms)
{
    struct queries *qs = q->queries;
    const struct resolver_settings *s = &qs->settings;
    unsigned most = (unsigned)s->attempts * (unsigned)atomic_load(&q->upstream->count);
    struct attempt *a = free_attempt(q);
    struct channel *channel;

    q->next_ms = now_ms + s->timeout_ms;
    if (a == NULL)
        return; /* enough are on their way */
    channel = spend(q) ? upstream_channel(q->upstream, server, qs->channels,
                                          s->deadline_ms + LINGER_MS, now_ms)
                       : NULL;
    if (channel == NULL) {
        if (q->holds == 1)
            query_close_status(q, DNS_NOT_ASKED);
        return;
    }
    *a = (struct attempt){
        .query.done = on_attempt, .owner = q, .server = (uint8_t)server, .live = true};
    query_hold(q);
    q->sends++;
    q->server = server;
    q->sent_ms = now_ms;
    q->next_ms = INT64_MAX; /* while it stays silent */
    if (q->sends <= most)
        q->next_ms = now_ms + (q->sends == 1 ? query_first_retry_ms(q) : s->timeout_ms);
    qs->credit--;
    count(&qs->asked);
    channel_send(channel, dns_key_type(&q->key), dns_key_name(&q->key), &a->query);
}

static bool has_live_attempt(const struct dns_query *q)
{
    for (int i = 0; i < QUERY_ATTEMPTS; i++)
        if (q->attempts[i].live)
            return true;
    return false;
}

/* A server failed: the next one is tried, and when all have failed, they all are again.
 */
static void try_next(struct dns_query *q, int server, bool unreachable, int64_t now_ms)
{
    int next;

    q->tried |= 1u << server;
    next = upstream_pick(q->upstream, q->tried);
    if (next >= 0) {
        send_to(q, next, now_ms);
        return;
    }
    q->tried = 0;
    if (q->said != NULL && (q->flags & DNS_ONCE || q->rounds >= ERROR_ROUNDS)) {
        query_close_failed(q, dns_answer_ref(q->said));
    } else if (q->said != NULL) {
        q->next_ms = now_ms + ((int64_t)ERROR_FIRST_MS << q->rounds);
        q->rounds++;
    } else if (q->flags & DNS_ONCE && !has_live_attempt(q)) {
        query_close_status(q, DNS_UNREACHABLE);
    } else {
        q->next_ms = now_ms + (unreachable ? UNREACHABLE_MS : UNHEARD_MS);
    }
}

/* An error from the usual server is kept; from one that is used in its place, it is that
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

/* Returns NULL without memory. */
static struct dns_answer *answer_of(const struct reply *reply,
                                    const struct resolver_settings *settings, bool text)
{
    bool found = reply->status == DNS_FOUND;
    uint32_t least_s = (uint32_t)settings->min_ttl_s, ttl_s = reply->ttl_s;
    uint32_t most_s = (uint32_t)(found ? settings->max_ttl_s : settings->negative_ttl_s);
    struct dns_answer *answer = dns_answer_new(reply->status, reply->address_count,
                                               found && text ? reply->text : NULL);

    if (answer == NULL)
        return NULL;
    memcpy(answer->addresses, reply->addresses,
           reply->address_count * sizeof reply->addresses[0]);
    if (ttl_s < least_s)
        ttl_s = least_s;
    if (ttl_s > most_s)
        ttl_s = most_s;
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
            query_close_status(q, DNS_NOT_ASKED);
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
            query_close_with(q, answer);
        }
    }
    dns_answer_unref(answer);
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
        query_close_status(q, DNS_INVALID);
    } else if (failure == DNS_NOT_ASKED && !has_live_attempt(q)) {
        query_close_status(q, DNS_NOT_ASKED);
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
        q->queries->credit++;
        if (now_ms - q->sent_ms <= QUICK_MS)
            q->queries->quick_ms = now_ms;
        upstream_heard(q->upstream, a->server, now_ms);
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
    query_release(q);
}

void query_send(struct dns_query *q, int64_t now_ms)
{
    int server = upstream_pick(q->upstream, q->tried);

    send_to(q, server >= 0 ? server : upstream_usual(q->upstream, now_ms), now_ms);
}

void query_send_when_due(struct dns_query *q, int64_t now_ms)
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
    query_send(q, now_ms);
}
