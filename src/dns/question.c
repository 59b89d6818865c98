#include "dns/question.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dns/reply.h"
#include "dns/upstream.h"

#define NEAR_MS 10 /* an answer that comes by then is of a server nearby */

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void questions_init(struct questions *qs, struct channel_set *channels,
                    struct cache *cache)
{
    *qs = (struct questions){.channels = channels, .cache = cache};
    TAILQ_INIT(&qs->deadlines);
}

struct question *question_new(struct questions *qs, struct upstream *upstream,
                              const struct dns_key *key, struct dns_lookup *lookup)
{
    struct question *q = malloc(sizeof *q);

    if (q == NULL)
        return NULL;
    *q = (struct question){
        .upstream = upstream_ref(upstream),
        .waiters = lookup,
        .key = *key,
    };
    lookup->next = NULL;
    atomic_fetch_add_explicit(&qs->open, 1, memory_order_relaxed);
    return q;
}

void question_free(struct questions *qs, struct question *q)
{
    if (q == NULL)
        return;
    if (!q->closed)
        atomic_fetch_sub_explicit(&qs->open, 1, memory_order_relaxed);
    upstream_unref(q->upstream);
    free(q);
}

/* Frees one that was started. */
static void let_go(struct questions *qs, struct question *q)
{
    qs->held--;
    question_free(qs, q);
}

/* Tells all who wait. They are off the list before the first is called, as each may ask
 * again. */
static void tell(struct dns_lookup *waiters, struct dns_answer *answer)
{
    for (struct dns_lookup *next; waiters != NULL; waiters = next) {
        next = waiters->next;
        waiters->done(waiters, answer);
    }
}

struct dns_answer *questions_failed_answer(struct questions *qs,
                                           const struct dns_key *key, int stale_ttl_s,
                                           enum dns_status failure)
{
    struct dns_answer *ended =
        cache_get_ended(qs->cache, key, clock_ms() - (int64_t)stale_ttl_s * 1000);
    struct dns_answer *stale = ended != NULL ? dns_answer_stale(ended) : NULL;

    dns_answer_unref(ended);
    if (stale == NULL)
        return dns_answer_failure(failure);
    count(&qs->stale);
    return stale;
}

/* Ends the question for those who wait. It itself stays while c-ares holds it. */
static void close_with(struct questions *qs, struct question *q,
                       struct dns_answer *answer)
{
    struct dns_lookup *waiters = q->waiters;

    q->waiters = NULL;
    q->closed = true;
    atomic_fetch_sub_explicit(&qs->open, 1, memory_order_relaxed);
    HASH_DEL(qs->table, q);
    TAILQ_REMOVE(&qs->deadlines, q, link);
    tell(waiters, answer);
}

static void close_failed(struct questions *qs, struct question *q,
                         enum dns_status failure)
{
    /* who asks anew wants to know how the servers are */
    struct dns_answer *answer =
        q->anew ? dns_answer_failure(failure)
                : questions_failed_answer(qs, &q->key, qs->settings.stale_ttl_s, failure);

    count(&qs->by_status[failure]);
    close_with(qs, q, answer);
    dns_answer_unref(answer);
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

/* An answer goes to the cache, also one too late for those who waited. */
static void take_answer(struct questions *qs, struct question *q,
                        const struct reply *reply)
{
    struct dns_answer *answer =
        answer_of(reply, &qs->settings, dns_key_type(&q->key) == DNS_TXT);

    if (answer == NULL) {
        if (!q->closed)
            close_failed(qs, q, DNS_NOT_ASKED);
        return;
    }
    cache_put(qs->cache, &q->key, answer);
    if (!q->closed) {
        count(&qs->by_status[answer->status]);
        close_with(qs, q, answer);
    }
    dns_answer_unref(answer);
}

static void send_question(struct questions *qs, struct question *q);

/* The other servers may do better than the one that could or would not. */
static bool try_others(struct questions *qs, struct question *q, enum dns_status status,
                       int server_count)
{
    if (q->closed || q->second_try || server_count < 2 ||
        (status != DNS_SERVFAIL && status != DNS_REFUSED))
        return false;
    q->second_try = true;
    q->said = status;
    send_question(qs, q);
    return true;
}

/* Gives back the credit of a question, and learns whether the servers are near. */
static void note_answer(struct questions *qs, const struct question *q)
{
    qs->credit++;
    if (clock_ms() - q->sent_ms > NEAR_MS)
        qs->near -= qs->near > 0;
    else
        qs->near += qs->near < QUESTIONS_NEAR;
}

static void on_reply(struct channel_query *query, enum dns_status failure,
                     const uint8_t *packet, size_t size)
{
    struct question *q = (struct question *)query;
    struct questions *qs = q->qs;
    struct reply reply;

    reply.status = failure;
    if (packet != NULL) {
        note_answer(qs, q);
        reply_parse(packet, size, dns_key_type(&q->key), dns_key_name(&q->key), &reply);
        if (reply.cname_count > 0)
            count(&qs->cnames);
        if (!q->second_try)
            upstream_answered(q->upstream, query->first, query->server_count,
                              query->retried);
    }
    if (try_others(qs, q, reply.status, query->server_count))
        return;
    if (reply.status == DNS_FOUND || reply.status == DNS_NONE)
        take_answer(qs, q, &reply);
    else if (!q->closed)
        close_failed(qs, q,
                     q->second_try && reply.status == DNS_SERVFAIL ? q->said
                                                                   : reply.status);
    let_go(qs, q);
}

/* May call on_reply, and with it free the question, before it returns. */
static void send_question(struct questions *qs, struct question *q)
{
    q->sent_ms = clock_ms();
    struct channel *channel = upstream_channel(q->upstream, qs->channels, &qs->settings,
                                               q->second_try, q->sent_ms);

    q->query.done = on_reply;
    if (channel == NULL) {
        close_failed(qs, q, q->second_try ? q->said : DNS_SERVFAIL);
        let_go(qs, q);
        return;
    }
    count(&qs->asked);
    qs->credit--;
    channel_ask(channel, dns_key_type(&q->key), dns_key_name(&q->key), &q->query);
}

/* Deadlines are nearly always in order: only a reload makes a later one shorter. */
static void insert_by_deadline(struct questions *qs, struct question *q)
{
    struct question *before;

    TAILQ_FOREACH_REVERSE(before, &qs->deadlines, question_list, link)
    {
        if (before->deadline_ms <= q->deadline_ms) {
            TAILQ_INSERT_AFTER(&qs->deadlines, before, q, link);
            return;
        }
    }
    TAILQ_INSERT_HEAD(&qs->deadlines, q, link);
}

/* Whether an equal question is under way: then it has our waiters too. */
static bool join(struct questions *qs, struct question *q)
{
    struct question *open;

    HASH_FIND_BYHASHVALUE(hh, qs->table, q->key.octets, q->key.size, q->key.hash, open);
    if (open == NULL)
        return false;
    q->waiters->next = open->waiters;
    open->waiters = q->waiters;
    count(&qs->joined);
    return true;
}

void questions_start(struct questions *qs, struct question *q, int64_t now_ms)
{
    if (join(qs, q)) {
        question_free(qs, q);
        return;
    }
    /* It may have been answered between the asker's look into the cache and now. */
    struct dns_answer *answer = q->anew ? NULL : cache_get(qs->cache, &q->key, now_ms);
    if (answer != NULL) {
        tell(q->waiters, answer);
        dns_answer_unref(answer);
        question_free(qs, q);
        return;
    }
    q->qs = qs;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, qs->table, q->key.octets, q->key.size, q->key.hash,
                                q);
    if (q->hh.tbl == NULL) {
        question_leave_out(qs, q);
        return;
    }
    insert_by_deadline(qs, q);
    qs->held++;
    send_question(qs, q);
}

void questions_expire(struct questions *qs, int64_t now_ms)
{
    struct question *q;

    while ((q = TAILQ_FIRST(&qs->deadlines)) != NULL && q->deadline_ms <= now_ms)
        close_failed(qs, q, q->second_try ? q->said : DNS_TIMEOUT);
}

int questions_next_ms(const struct questions *qs, int64_t now_ms)
{
    const struct question *q = TAILQ_FIRST(&qs->deadlines);

    if (q == NULL)
        return -1;
    return q->deadline_ms <= now_ms ? 0 : (int)(q->deadline_ms - now_ms);
}

void question_leave_out(struct questions *qs, struct question *q)
{
    struct dns_answer *answer = dns_answer_failure(DNS_NOT_ASKED);

    tell(q->waiters, answer);
    dns_answer_unref(answer);
    question_free(qs, q);
}
