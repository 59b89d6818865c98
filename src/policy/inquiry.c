#include "policy/inquiry.h"

#include <stdlib.h>

#include "base/clock.h"
#include "policy/inquiry_parts.h"
#include "policy/question.h"

struct inquiry *inquiry_new(struct policy *policy)
{
    size_t size = sizeof(struct inquiry) + policy->lists.count * sizeof(struct list_sum);
    struct inquiry *inquiry = calloc(1, size);
    pthread_condattr_t monotonic;

    if (inquiry == NULL)
        return NULL;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    if (pthread_mutex_init(&inquiry->lock, NULL) != 0 ||
        pthread_cond_init(&inquiry->answered, &monotonic) != 0) {
        pthread_condattr_destroy(&monotonic);
        free(inquiry);
        return NULL;
    }
    pthread_condattr_destroy(&monotonic);
    inquiry->refs = 1;
    inquiry->policy = policy_ref(policy);
    return inquiry;
}

/* Gives up one reference; the lock is held, and is released. */
static void unlock_and_unref(struct inquiry *inquiry)
{
    bool last = --inquiry->refs == 0;

    pthread_mutex_unlock(&inquiry->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&inquiry->lock);
    pthread_cond_destroy(&inquiry->answered);
    policy_unref(inquiry->policy);
    free(inquiry);
}

static void batch_free(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        dns_answer_unref(batch->questions[i].text);
    free(batch);
}

/* Takes a batch out of the session's hands; the lock is held. */
static void forget_batch(struct batch *batch)
{
    batch->forgotten = true;
    if (batch->open == 0)
        batch_free(batch);
}

void inquiry_forget(struct inquiry *inquiry, enum stage from)
{
    pthread_mutex_lock(&inquiry->lock);
    inquiry_account_alone(inquiry);
    for (struct batch **at = &inquiry->first; *at != NULL;) {
        struct batch *batch = *at;

        if (batch->stage < from) {
            at = &batch->next;
            continue;
        }
        *at = batch->next;
        forget_batch(batch);
    }
    for (size_t i = 0; i < inquiry->policy->lists.count; i++)
        inquiry->sums[i].had_turn = false;
    pthread_mutex_unlock(&inquiry->lock);
}

void inquiry_free(struct inquiry *inquiry)
{
    if (inquiry == NULL)
        return;
    inquiry_forget(inquiry, STAGE_CONNECT);
    pthread_mutex_lock(&inquiry->lock);
    unlock_and_unref(inquiry);
}

/* Fills in an answer; the lock is held, or the question is not yet known to others. */
static void take_answer(struct question *q, struct dns_answer *answer, bool cached)
{
    q->open = false;
    q->cached = cached;
    q->stale = answer->stale;
    q->status = answer->status;
    q->came_ms = answer->came_ms;
    if (q->batch->is_reason) {
        q->text = dns_answer_ref(answer);
        return;
    }
    q->listing = listing_judge(q->dnsbl->list, answer);
    record_answer(q->dnsbl->record, answer, &q->listing, q->check, cached, q->took_ms);
}

/* Whether the sleeping session has something to do now that an answer of the batch came.
 * To wake it for each of them costs more than all else that is done for an answer. The
 * lock is held. */
static bool ends_wait(struct inquiry *inquiry, const struct batch *batch)
{
    bool turn;

    return batch->is_reason || inquiry_is_settled(inquiry, inquiry->waiting, &turn) ||
           turn;
}

/* The resolver's call: on its thread, under no lock. */
static void on_answer(struct dns_lookup *lookup, struct dns_answer *answer)
{
    struct question *q = (struct question *)lookup; /* its first member */
    struct batch *batch = q->batch;
    struct inquiry *inquiry = batch->inquiry;

    shed_answered(&inquiry->policy->shed, batch->network);
    pthread_mutex_lock(&inquiry->lock);
    q->took_ms = (int)(clock_ms() - batch->asked_ms);
    take_answer(q, answer, false);
    if (inquiry->waiting != NULL && ends_wait(inquiry, batch))
        pthread_cond_signal(&inquiry->answered);
    if (--batch->open > 0) {
        pthread_mutex_unlock(&inquiry->lock);
        return;
    }
    if (batch->forgotten)
        batch_free(batch);
    unlock_and_unref(inquiry);
}

/* Whether there is too much under way for this question: see shed.h. */
static bool is_left_out(const struct question *q, enum dns_type type)
{
    const struct policy *policy = q->batch->inquiry->policy;
    int most = type == DNS_A ? q->dnsbl->most_load
                             : shed_first(policy->config->resolver.max_queries);

    return resolver_load(policy->resolver) >= (size_t)most ||
           !shed_has_place(&policy->shed, q->batch->network);
}

/* Asks, or gives what is known without asking where the question is left out. NULL:
 * asked.
 */
static struct dns_answer *ask_or_leave_out(struct question *q, enum dns_type type,
                                           const char *name)
{
    struct policy *policy = q->batch->inquiry->policy;
    struct dnsbl *dnsbl = q->dnsbl;
    struct dns_answer *answer;

    if (is_left_out(q, type))
        return resolver_leave_out(policy->resolver, dnsbl->upstream, type, name);
    answer = resolver_ask(policy->resolver, dnsbl->upstream, type, name, &q->lookup);
    if (answer != NULL && !record_believes(dnsbl->record, answer->came_ms)) {
        dns_answer_unref(answer);
        answer =
            resolver_ask_anew(policy->resolver, dnsbl->upstream, type, name, &q->lookup);
    }
    if (answer == NULL) {
        shed_asked(&policy->shed, q->batch->network);
        record_asked(dnsbl->record, dnsbl->list);
    }
    return answer;
}

/* Puts a question before the resolver, or answers it with what is known, as far as the
 * list's health allows. Returns true while its answer is open. */
static bool put(struct question *q, enum dns_type type, const char *name)
{
    const struct policy *policy = q->batch->inquiry->policy;
    struct dnsbl *dnsbl = q->dnsbl;
    struct dns_answer *answer = NULL;

    switch (record_way(dnsbl->record, dnsbl->list)) {
    case DNSBL_ASK:
        answer = ask_or_leave_out(q, type, name);
        if (answer == NULL)
            return true;
        break;
    case DNSBL_REMEMBER:
        answer = resolver_remembered(policy->resolver, dnsbl->upstream, type, name);
        q->remembered = answer != NULL;
        break;
    case DNSBL_ASIDE:
        break;
    }
    if (answer != NULL) {
        take_answer(q, answer, true);
        dns_answer_unref(answer);
        return false;
    }
    q->open = false;
    q->aside = record_aside_reason(dnsbl->record);
    q->status = DNS_NOT_ASKED;
    q->listing.state = LISTING_FAILED;
    atomic_fetch_add_explicit(&dnsbl->record->aside, 1, memory_order_relaxed);
    return false;
}

/* Asks one question, or leaves it out if there is nothing to ask. Returns true while its
 * answer is open. */
static bool ask(struct batch *batch, struct dnsbl *dnsbl, enum check check,
                enum dns_type type, const struct facts *facts)
{
    const struct policy *policy = batch->inquiry->policy;
    struct question *q = &batch->questions[batch->count];
    char name[DOMAIN_SIZE];

    if (question_name(dnsbl->list, check, facts, policy->config->suffixes, name) != 0)
        return false;
    q->lookup.done = on_answer;
    q->batch = batch;
    q->dnsbl = dnsbl;
    q->check = check;
    q->listing.label = "";
    q->open = true;
    batch->count++;
    return put(q, type, name);
}

/* Opens a batch for at most count questions, held open by the asking itself so that an
 * early answer does not end it. */
static struct batch *batch_open(struct inquiry *inquiry, enum stage stage, size_t count,
                                const struct facts *facts)
{
    struct batch *batch = calloc(1, sizeof *batch + count * sizeof batch->questions[0]);

    if (batch == NULL)
        return NULL;
    batch->inquiry = inquiry;
    batch->stage = stage;
    batch->asked_ms = clock_ms();
    batch->open = (unsigned)count;
    batch->network = shed_network_of(&inquiry->policy->shed,
                                     facts->has_client ? &facts->client : NULL);
    pthread_mutex_lock(&inquiry->lock);
    inquiry->refs++;
    pthread_mutex_unlock(&inquiry->lock);
    return batch;
}

/* The asking is over: of count questions that were counted as open, so many are. */
static void batch_asked(struct batch *batch, size_t count, unsigned pending)
{
    struct inquiry *inquiry = batch->inquiry;
    struct batch **at = &inquiry->first;

    pthread_mutex_lock(&inquiry->lock);
    while (*at != NULL)
        at = &(*at)->next;
    *at = batch;
    batch->open -= (unsigned)count - pending;
    if (batch->open == 0 && pending < count)
        inquiry->refs--; /* never the last: the session holds one */
    pthread_mutex_unlock(&inquiry->lock);
}

/* Marks the lists whose turn comes at this stage; returns how many questions they have at
 * most. Lock held. */
static size_t take_turns(struct inquiry *inquiry, enum stage stage)
{
    const struct dnsbl_set *lists = &inquiry->policy->lists;
    size_t count = 0;

    for (size_t i = 0; i < lists->count; i++) {
        const struct list *list = lists->items[i].list;
        struct list_sum *sum = &inquiry->sums[i];

        sum->turn = 0;
        if (stage == STAGE_RCPT && (sum->had_turn || inquiry_must_wait(inquiry, list)))
            continue;
        for (int check = 0; check < CHECK_COUNT; check++) {
            if (question_stage(list, (enum check)check) != (int)stage)
                continue;
            sum->turn |= 1u << check;
            count++;
        }
        if (stage == STAGE_RCPT && sum->turn != 0)
            sum->had_turn = true;
    }
    return count;
}

int inquiry_ask(struct inquiry *inquiry, enum stage stage, const struct facts *facts)
{
    struct dnsbl_set *lists = &inquiry->policy->lists;
    struct batch *batch;
    unsigned pending = 0;
    size_t count;

    pthread_mutex_lock(&inquiry->lock);
    count = take_turns(inquiry, stage);
    pthread_mutex_unlock(&inquiry->lock);
    if (count == 0)
        return 0;
    batch = batch_open(inquiry, stage, count, facts);
    if (batch == NULL)
        return -1;
    for (size_t i = 0; i < lists->count; i++)
        for (int check = 0; check < CHECK_COUNT; check++)
            if (inquiry->sums[i].turn & 1u << check)
                pending += ask(batch, &lists->items[i], (enum check)check, DNS_A, facts);
    batch_asked(batch, count, pending);
    return 0;
}

int inquiry_ask_reason(struct inquiry *inquiry, const struct question *listed,
                       const struct facts *facts)
{
    struct batch *batch = batch_open(inquiry, STAGE_EOM, 1, facts);

    if (batch == NULL)
        return -1;
    batch->is_reason = true;
    batch_asked(batch, 1, ask(batch, listed->dnsbl, listed->check, DNS_TXT, facts));
    return 0;
}

const struct question *inquiry_next(const struct inquiry *inquiry,
                                    const struct question *previous)
{
    const struct batch *batch = inquiry->first;

    if (previous != NULL) {
        batch = previous->batch;
        if ((size_t)(previous + 1 - batch->questions) < batch->count)
            return previous + 1;
        batch = batch->next;
    }
    while (batch != NULL && (batch->count == 0 || batch->is_reason))
        batch = batch->next;
    return batch != NULL ? &batch->questions[0] : NULL;
}
