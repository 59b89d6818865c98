#include "base/clock.h"
#include "policy/inquiry_parts.h"

#define RESENT_MS 1000 /* for the answer to the second attempt */

bool inquiry_must_wait(const struct inquiry *inquiry, const struct list *list)
{
    const struct dnsbl_set *lists = &inquiry->policy->lists;
    const struct list *all = inquiry->policy->config->lists;

    for (size_t i = 0; i < list->after_count; i++) {
        const struct list *before = &all[list->after[i]];

        for (size_t k = 0; k < lists->count; k++) {
            if (lists->items[k].list != before)
                continue;
            if (inquiry->sums[k].open ||
                (before->after_count > 0 && !inquiry->sums[k].had_turn))
                return true;
        }
    }
    return false;
}

/* When a question is given up: a list has its own deadline, from how long it takes as a
 * rule, but long enough for what was lost and sent again: one lost packet is no reason to
 * lose a listing. */
int64_t inquiry_overdue_ms(const struct question *q)
{
    int deadline_ms =
        atomic_load_explicit(&q->dnsbl->record->deadline_ms, memory_order_relaxed);
    int least_ms = q->batch->inquiry->policy->config->resolver.timeout_ms + RESENT_MS;

    if (deadline_ms <= 0)
        return INT64_MAX;
    return q->batch->asked_ms + (deadline_ms > least_ms ? deadline_ms : least_ms);
}

/* The first moment at which an open question is given up; lock held. */
static int64_t next_overdue_ms(const struct inquiry *inquiry, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;

    for (const struct question *q = inquiry_next(inquiry, NULL); q != NULL;
         q = inquiry_next(inquiry, q)) {
        int64_t at_ms = q->open ? inquiry_overdue_ms(q) : INT64_MAX;

        if (at_ms > now_ms && at_ms < next_ms)
            next_ms = at_ms;
    }
    return next_ms;
}

struct tally inquiry_tally(struct inquiry *inquiry, bool settled)
{
    const struct dnsbl_set *lists = &inquiry->policy->lists;
    struct tally tally = {0};
    int64_t now_ms = clock_ms();

    for (size_t i = 0; i < lists->count; i++) {
        inquiry->sums[i].weight = 0;
        inquiry->sums[i].open = false;
    }
    for (const struct question *q = inquiry_next(inquiry, NULL); q != NULL;
         q = inquiry_next(inquiry, q)) {
        struct list_sum *sum = &inquiry->sums[q->dnsbl - lists->items];

        if (q->open)
            sum->open |= now_ms < inquiry_overdue_ms(q);
        else if (!settled || q->counted)
            sum->weight = listing_heavier(sum->weight, question_weight(q));
    }
    for (size_t i = 0; i < lists->count; i++) {
        struct list_sum *sum = &inquiry->sums[i];
        const struct dnsbl *dnsbl = &lists->items[i];
        bool moves = sum->open || (dnsbl->list->after_count > 0 && !sum->had_turn);

        tally.score += sum->weight;
        tally.least += moves && sum->weight <= 0 && dnsbl->least < sum->weight
                           ? dnsbl->least
                           : sum->weight;
        tally.most += moves && dnsbl->most > sum->weight ? dnsbl->most : sum->weight;
    }
    return tally;
}

/* By the sums of a tally just made. */
static bool is_allow_list_open(const struct inquiry *inquiry)
{
    const struct dnsbl_set *lists = &inquiry->policy->lists;

    for (size_t i = 0; i < lists->count; i++)
        if (inquiry->sums[i].open && lists->items[i].least < 0)
            return true;
    return false;
}

bool inquiry_is_settled(struct inquiry *inquiry, const struct wait *wait, bool *turn)
{
    struct tally tally = inquiry_tally(inquiry, false);
    const struct dnsbl_set *lists = &inquiry->policy->lists;
    bool open = false;

    *turn = false;
    if (wait->what == WAIT_ALLOW_LISTS)
        return !is_allow_list_open(inquiry);
    if (wait->what == WAIT_VERDICT && verdict_is_decided(inquiry->policy->config, &tally))
        return true;
    for (size_t i = 0; i < lists->count; i++) {
        const struct list *list = lists->items[i].list;

        open |= inquiry->sums[i].open;
        if (list->after_count > 0 && !inquiry->sums[i].had_turn &&
            !inquiry_must_wait(inquiry, list))
            *turn = true;
    }
    return !open && !*turn;
}

static bool call_is_due(const struct wait *wait, int64_t now_ms, int64_t call_ms)
{
    return wait->on_wait != NULL && call_ms >= 0 && now_ms >= call_ms;
}

static void call(const struct wait *wait, int64_t now_ms, int64_t *call_ms)
{
    int again_ms = wait->on_wait(wait->context);

    *call_ms = again_ms < 0 ? -1 : now_ms + again_ms;
}

void inquiry_wait_once(struct inquiry *inquiry, const struct wait *wait, int64_t *call_ms)
{
    int64_t now_ms = clock_ms(), until_ms = next_overdue_ms(inquiry, now_ms);
    struct timespec until;

    if (call_is_due(wait, now_ms, *call_ms)) {
        pthread_mutex_unlock(&inquiry->lock);
        call(wait, now_ms, call_ms);
        pthread_mutex_lock(&inquiry->lock);
        return; /* an answer may have come meanwhile: look before waiting */
    }
    if (wait->deadline_ms < until_ms)
        until_ms = wait->deadline_ms;
    if (wait->on_wait != NULL && *call_ms >= 0 && *call_ms < until_ms)
        until_ms = *call_ms;
    until = clock_timespec(until_ms);
    inquiry->waiting = wait;
    pthread_cond_timedwait(&inquiry->answered, &inquiry->lock, &until);
    inquiry->waiting = NULL;
}

static void wait_for_first_test(const struct dnsbl_record *record,
                                const struct wait *wait, int64_t *call_ms)
{
    int64_t now_ms = clock_ms();

    while (atomic_load_explicit(&record->health, memory_order_relaxed) ==
               HEALTH_UNCHECKED &&
           now_ms < wait->deadline_ms) {
        int64_t until_ms = wait->deadline_ms;

        if (call_is_due(wait, now_ms, *call_ms))
            call(wait, now_ms, call_ms);
        if (wait->on_wait != NULL && *call_ms >= 0 && *call_ms < until_ms)
            until_ms = *call_ms;
        registry_wait_checked(record, until_ms);
        now_ms = clock_ms();
    }
}

/* The first test of a list comes before the first verdict that counts it. */
static void wait_for_first_tests(const struct inquiry *inquiry, const struct wait *wait,
                                 int64_t *call_ms)
{
    const struct dnsbl_set *lists = &inquiry->policy->lists;

    for (size_t i = 0; i < lists->count; i++) {
        const struct dnsbl *dnsbl = &lists->items[i];

        if (wait->what == WAIT_ALL || dnsbl->least < 0 ||
            (wait->what == WAIT_VERDICT && dnsbl->most > 0))
            wait_for_first_test(dnsbl->record, wait, call_ms);
    }
}

void inquiry_wait(struct inquiry *inquiry, const struct wait *wait)
{
    int64_t call_ms = 0;
    bool turn;

    wait_for_first_tests(inquiry, wait, &call_ms);
    pthread_mutex_lock(&inquiry->lock);
    while (!inquiry_is_settled(inquiry, wait, &turn) && clock_ms() < wait->deadline_ms) {
        if (!turn) {
            inquiry_wait_once(inquiry, wait, &call_ms);
            continue;
        }
        pthread_mutex_unlock(&inquiry->lock);
        int asked = inquiry_ask(inquiry, STAGE_RCPT, wait->facts);
        pthread_mutex_lock(&inquiry->lock);
        if (asked != 0)
            break; /* no memory: what is known must do */
    }
    pthread_mutex_unlock(&inquiry->lock);
}
