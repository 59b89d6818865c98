#include "base/clock.h"
#include "policy/inquiry_parts.h"

static int weight_now(const struct question *q)
{
    if (q->listing.state != LISTING_LISTED || q->dnsbl->list->mode != LIST_ENFORCE ||
        !record_counts(q->dnsbl->record, q->remembered) ||
        !record_believes(q->dnsbl->record, q->came_ms))
        return 0;
    return q->listing.weight;
}

int question_weight(const struct question *question)
{
    return question->counted ? question->weight : weight_now(question);
}

static void settle_question(struct question *q, int64_t now_ms, int64_t deadline_ms)
{
    const struct dnsbl_record *record = q->dnsbl->record;

    q->counted = !q->open;
    q->late = q->open && (now_ms >= deadline_ms || now_ms >= inquiry_overdue_ms(q));
    if (!q->counted)
        return;
    q->weight = weight_now(q);
    if (q->aside == NULL && !record_counts(record, q->remembered))
        q->aside = record_aside_reason(record);
}

bool inquiry_is_answered(struct inquiry *inquiry, const struct question *question)
{
    bool answered;

    pthread_mutex_lock(&inquiry->lock);
    answered = !question->open;
    pthread_mutex_unlock(&inquiry->lock);
    return answered;
}

struct tally inquiry_settle(struct inquiry *inquiry, const struct wait *wait)
{
    int64_t now_ms = clock_ms();
    struct tally tally;

    pthread_mutex_lock(&inquiry->lock);
    for (struct batch *batch = inquiry->first; batch != NULL; batch = batch->next)
        for (size_t i = 0; i < batch->count; i++)
            settle_question(&batch->questions[i], now_ms, wait->deadline_ms);
    tally = inquiry_tally(inquiry, true);
    pthread_mutex_unlock(&inquiry->lock);
    return tally;
}

/* Whether another list speaks against the client, by what counted, or by all that has
 * come by now (lock held): then it is no witness about this list. */
static bool is_on_block_list(const struct inquiry *inquiry, const struct question *but,
                             bool by_now)
{
    for (const struct question *q = inquiry_next(inquiry, NULL); q != NULL;
         q = inquiry_next(inquiry, q))
        if (q != but && (by_now ? !q->open : q->counted) && q->check == CHECK_CLIENT &&
            q->listing.state == LISTING_LISTED && q->listing.weight > 0 &&
            health_counts(atomic_load(&q->dnsbl->record->health)))
            return true;
    return false;
}

/* See surge.h for which clients are watched. Only fresh answers, and each but once,
 * however many messages the session has: nobody may speak against a list many times. */
static void watch(const struct inquiry *inquiry, struct question *q)
{
    bool listed = q->listing.state == LISTING_LISTED, on_block_list;
    int least, most;

    if (q->watched || q->cached || q->check != CHECK_CLIENT ||
        (!listed && q->listing.state != LISTING_NONE))
        return;
    q->watched = true;
    listing_bounds(q->dnsbl->list, &least, &most);
    on_block_list = is_on_block_list(inquiry, q, false);
    if ((most <= 0 && least < 0) == on_block_list)
        record_watch(q->dnsbl->record, listed, inquiry->policy->config->health.surge);
}

static void account_question(const struct inquiry *inquiry, struct question *q,
                             const struct tally *tally)
{
    int reject = inquiry->policy->config->verdict.reject;

    if (!q->counted)
        return;
    watch(inquiry, q);
    if (q->listing.state == LISTING_LISTED && q->listing.weight > 0 && reject > 0 &&
        tally->score >= reject && tally->score - q->weight < reject)
        atomic_fetch_add_explicit(&q->dnsbl->record->decided, 1, memory_order_relaxed);
}

void inquiry_account(struct inquiry *inquiry, const struct tally *tally)
{
    inquiry->judged = true;
    for (struct batch *batch = inquiry->first; batch != NULL; batch = batch->next)
        for (size_t i = 0; i < batch->count && !batch->is_reason; i++)
            account_question(inquiry, &batch->questions[i], tally);
}

/* Not at the verdict, which the quickest lists give: the others have their say by now. */
void inquiry_account_alone(struct inquiry *inquiry)
{
    for (const struct question *q = inquiry_next(inquiry, NULL);
         inquiry->judged && q != NULL; q = inquiry_next(inquiry, q))
        if (!q->open && q->listing.state == LISTING_LISTED && q->listing.weight > 0 &&
            !is_on_block_list(inquiry, q, true))
            atomic_fetch_add_explicit(&q->dnsbl->record->alone, 1, memory_order_relaxed);
    inquiry->judged = false;
}
