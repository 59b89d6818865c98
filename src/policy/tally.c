/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/tally.h"

#include "base/clock.h"
#include "policy/lookups_parts.h"

#define HELD_MS 10  /* a health check that may void a listing takes a few ms as a rule */
#define DOWN_MS 200 /* a list may be found to be down, or slow, meanwhile */

/* --- the tally --- */

bool tally_must_wait(const struct lookups *lookups, const struct list *list)
{
    const struct dnsbl_set *lists = &lookups->policy->lists;
    const struct list *all = lookups->policy->config->lists;

    for (size_t i = 0; i < list->after_count; i++) {
        const struct list *before = &all[list->after[i]];

        for (size_t k = 0; k < lists->count; k++) {
            if (lists->items[k].list != before)
                continue;
            if (lookups->sums[k].open ||
                (before->after_count > 0 && !lookups->sums[k].had_turn))
                return true;
        }
    }
    return false;
}

/* Since when the list may answer: it was sent then, or again, to servers that had been
 * away. */
static int64_t lookup_sent_ms(const struct dnsbl_lookup *l)
{
    int64_t back_ms = resolver_back_ms(l->dnsbl->upstream);

    return back_ms > l->batch->began_ms ? back_ms : l->batch->began_ms;
}

/* When a lookup is given up. */
static int64_t tally_overdue_ms(const struct dnsbl_lookup *l)
{
    if (l->batch->lookups->is_dry_run)
        return INT64_MAX;
    if (dnsbl_is_not_awaited(l->dnsbl, l->ipv6))
        return 0;
    if (resolver_is_away(l->dnsbl->upstream)) /* it is not late: its servers are */
        return INT64_MAX;
    return lookup_sent_ms(l) +
           list_stats_patience_ms(l->dnsbl->stats, l->batch->lookups->policy->config);
}

static int weight_now(const struct dnsbl_lookup *l)
{
    if (l->result.state != RESULT_LISTED || l->dnsbl->list->mode != LIST_ENFORCE ||
        !dnsbl_believes(l->dnsbl, l->ipv6, l->result.state, l->came_ms))
        return 0;
    return l->result.weight;
}

int lookup_weight(const struct dnsbl_lookup *lookup)
{
    return lookup->counted ? lookup->weight : weight_now(lookup);
}

/* Whether the list has said something about this subject that counts. */
static bool is_heard(const struct dnsbl_lookup *l)
{
    return (l->result.state == RESULT_NOT_LISTED || l->result.state == RESULT_LISTED) &&
           dnsbl_believes(l->dnsbl, l->ipv6, l->result.state, l->came_ms);
}

static struct list_sum *sum_of(struct lookups *lookups, const struct dnsbl_lookup *l)
{
    return &lookups->sums[l->dnsbl - lookups->policy->lists.items];
}

static void add_lookup(struct list_sum *sum, const struct dnsbl_lookup *l, bool settled,
                       int64_t now_ms)
{
    bool has_result = settled ? l->counted : !l->open;

    if (has_result)
        sum->weight = result_heavier(sum->weight, lookup_weight(l));
    else if (!settled)
        sum->open |= l->open && now_ms < tally_overdue_ms(l);
    sum->unheard |= !has_result || !is_heard(l);
    sum->absent |= !dnsbl_counts(l->dnsbl, l->ipv6); /* it lists everybody */
    if (!settled)
        sum->held |= dnsbl_is_held(l->dnsbl, l->ipv6);
}

/* Adds a list's part: what it weighs, and between which bounds it may still move. */
static void add_sum(struct tally *tally, const struct list_sum *sum,
                    const struct dnsbl *dnsbl, bool settled)
{
    bool waits = dnsbl->list->after_count > 0 && !sum->had_turn;
    bool moves = sum->open || waits;
    int weight = settled && sum->held ? 0 : sum->weight; /* in doubt it refuses nobody */
    int low = sum->held && sum->weight > 0 ? 0 : sum->weight;
    int high = sum->held && sum->weight < 0 ? 0 : sum->weight;

    tally->score += weight;
    tally->least += moves && low <= 0 && dnsbl->least < low ? dnsbl->least : low;
    tally->most += moves && dnsbl->most > high ? dnsbl->most : high;
    if (dnsbl->least < 0 && !sum->absent && !dnsbl_is_absent(dnsbl)) {
        if (sum->weight < 0 && sum->held)
            tally->missing += sum->weight;
        else if (sum->unheard && !sum->open && sum->weight > dnsbl->least)
            tally->missing += dnsbl->least - (sum->weight < 0 ? sum->weight : 0);
        else if (settled && waits)
            tally->missing += dnsbl->least;
    }
}

/* The score of what is answered (or, settled, of what counted, and with the lists held that
 * were when the wait ended), list by list, and how far the rest may move it; fills in the
 * sums. Lock held. */
static struct tally tally_make(struct lookups *lookups, bool settled)
{
    const struct dnsbl_set *lists = &lookups->policy->lists;
    struct tally tally = {0};
    int64_t now_ms = clock_ms();

    for (size_t i = 0; i < lists->count; i++) {
        struct list_sum *sum = &lookups->sums[i];

        sum->weight = 0;
        sum->open = sum->unheard = sum->absent = false;
        /* a suspicion that another session raised since the wait ended changes nothing */
        sum->held = settled && sum->held;
    }
    for (const struct dnsbl_lookup *l = lookups_next(lookups, NULL); l != NULL;
         l = lookups_next(lookups, l))
        add_lookup(sum_of(lookups, l), l, settled, now_ms);
    for (size_t i = 0; i < lists->count; i++)
        add_sum(&tally, &lookups->sums[i], &lists->items[i], settled);
    return tally;
}

bool tally_is_settled(struct lookups *lookups, const struct wait *wait, bool *turn)
{
    struct tally tally = tally_make(lookups, false);
    const struct config *config = lookups->policy->config;
    const struct dnsbl_set *lists = &lookups->policy->lists;
    bool open = false;

    *turn = false;
    /* more score is never a milder verdict, so the ends of the range decide */
    if (wait->what == WAIT_VERDICT &&
        verdict_of_tally(config, tally.least, tally.missing) ==
            verdict_of_tally(config, tally.most, tally.missing))
        return true;
    for (size_t i = 0; i < lists->count; i++) {
        const struct list_sum *sum = &lookups->sums[i];
        const struct list *list = lists->items[i].list;

        if (wait->what == WAIT_ALLOW_LISTS) {
            open |= sum->open && lists->items[i].least < 0;
            continue;
        }
        open |= sum->open || (sum->held && sum->weight != 0);
        if (list->after_count > 0 && !sum->had_turn && !tally_must_wait(lookups, list))
            *turn = true;
    }
    return !open && !*turn;
}

static void settle_lookup(struct dnsbl_lookup *l, const struct wait *wait, int64_t now_ms)
{
    if (l->open) {
        l->late = now_ms >= wait->deadline_ms || now_ms >= tally_overdue_ms(l);
        l->counted = l->late && !l->batch->lookups->is_dry_run &&
                     lookup_from_cache(l, wait->envelope);
    } else {
        l->counted = true;
    }
    if (!l->counted)
        return;
    l->weight = weight_now(l);
    if (l->skip == NULL && !dnsbl_counts(l->dnsbl, l->ipv6))
        l->skip = dnsbl_skip_reason(l->dnsbl, l->ipv6);
}

struct tally lookups_settle(struct lookups *lookups, const struct wait *wait)
{
    int64_t now_ms = clock_ms();
    struct tally tally;

    pthread_mutex_lock(&lookups->lock);
    for (struct batch *batch = lookups->first; batch != NULL; batch = batch->next)
        for (size_t i = 0; i < batch->count && !batch->is_reason; i++)
            settle_lookup(&batch->items[i], wait, now_ms);
    tally = tally_make(lookups, true);
    /* a list in doubt refuses nobody, and says so */
    for (struct batch *batch = lookups->first; batch != NULL; batch = batch->next)
        for (size_t i = 0; i < batch->count && !batch->is_reason; i++)
            if (batch->items[i].counted && batch->items[i].weight != 0 &&
                sum_of(lookups, &batch->items[i])->held) {
                batch->items[i].weight = 0;
                batch->items[i].skip = "unchecked";
            }
    pthread_mutex_unlock(&lookups->lock);
    return tally;
}

void lookups_account(struct lookups *lookups, const struct tally *tally)
{
    int reject = lookups->policy->config->verdict.reject;

    if (lookups->is_dry_run)
        return;
    lookups->judged = true;
    for (const struct dnsbl_lookup *l = lookups_next(lookups, NULL); l != NULL;
         l = lookups_next(lookups, l))
        if (l->counted && l->result.state == RESULT_LISTED && l->result.weight > 0 &&
            reject > 0 && tally->score >= reject && tally->score - l->weight < reject)
            atomic_fetch_add_explicit(&l->dnsbl->stats->decided, 1, memory_order_relaxed);
}

/* Whether another list speaks against the client, by all that is known by now. */
static bool is_on_block_list(const struct lookups *lookups,
                             const struct dnsbl_lookup *except)
{
    for (const struct dnsbl_lookup *l = lookups_next(lookups, NULL); l != NULL;
         l = lookups_next(lookups, l))
        if (l != except && !l->open && l->check == CHECK_CLIENT &&
            l->result.state == RESULT_LISTED && l->result.weight > 0 &&
            dnsbl_believes(l->dnsbl, l->ipv6, l->result.state, l->came_ms))
            return true;
    return false;
}

/* Not at the verdict, which the quickest lists give: the others have their say by now. */
void tally_account_alone(struct lookups *lookups)
{
    for (const struct dnsbl_lookup *l = lookups_next(lookups, NULL);
         lookups->judged && l != NULL; l = lookups_next(lookups, l))
        if (!l->open && l->result.state == RESULT_LISTED && l->result.weight > 0 &&
            !is_on_block_list(lookups, l))
            atomic_fetch_add_explicit(&l->dnsbl->stats->alone, 1, memory_order_relaxed);
    lookups->judged = false;
}

uint64_t lookups_listed_bits(const struct lookups *lookups)
{
    uint64_t bits = 0;

    for (const struct dnsbl_lookup *l = lookups_next(lookups, NULL); l != NULL;
         l = lookups_next(lookups, l))
        if (l->counted && l->result.state == RESULT_LISTED)
            bits |= witnesses_list_bit(l->dnsbl->list->name);
    return bits;
}

/* --- waiting --- */

/* When to see again what changes without an answer: a lookup that is given up, a
 * health check that ends; lock held. */
static int64_t next_change_ms(const struct lookups *lookups, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;

    for (const struct dnsbl_lookup *l = lookups_next(lookups, NULL); l != NULL;
         l = lookups_next(lookups, l)) {
        int64_t at_ms = INT64_MAX;

        if (l->open)
            at_ms = tally_overdue_ms(l);
        if (l->open && at_ms > now_ms + DOWN_MS)
            at_ms = now_ms + DOWN_MS;
        if (!l->open && l->result.state == RESULT_LISTED &&
            dnsbl_is_held(l->dnsbl, l->ipv6))
            at_ms = now_ms + HELD_MS;
        if (at_ms > now_ms && at_ms < next_ms)
            next_ms = at_ms;
    }
    return next_ms;
}

/* Waits for the next answer, or until something else is due; lock held, but not while
 * on_wait is called. *call_ms begins as 0: when on_wait is due. */
static void wait_once(struct lookups *lookups, const struct wait *wait, int64_t until_ms,
                      int64_t *call_ms)
{
    int64_t now_ms = clock_ms(), change_ms = next_change_ms(lookups, now_ms);
    struct timespec until;

    if (wait->on_wait != NULL && *call_ms >= 0 && now_ms >= *call_ms) {
        pthread_mutex_unlock(&lookups->lock);
        int again_ms = wait->on_wait(wait->context);
        pthread_mutex_lock(&lookups->lock);
        *call_ms = again_ms < 0 ? -1 : now_ms + again_ms;
        return; /* an answer may have come meanwhile: look before waiting */
    }
    if (change_ms < until_ms)
        until_ms = change_ms;
    if (wait->on_wait != NULL && *call_ms >= 0 && *call_ms < until_ms)
        until_ms = *call_ms;
    until = clock_timespec(until_ms);
    lookups->waiting = wait;
    pthread_cond_timedwait(&lookups->answered, &lookups->lock, &until);
    lookups->waiting = NULL;
}

void wait_while_open(struct lookups *lookups, const struct wait *wait,
                     const struct dnsbl_lookup *lookup, int64_t until_ms)
{
    int64_t call_ms = 0;

    pthread_mutex_lock(&lookups->lock);
    while (lookup->open && clock_ms() < until_ms)
        wait_once(lookups, wait, until_ms, &call_ms);
    pthread_mutex_unlock(&lookups->lock);
}

/* A list that has made mail wait for a second, and answered nobody meanwhile: is it down?
 */
static void suspect_silent_lists(const struct lookups *lookups)
{
    int64_t now_ms = clock_ms();

    for (const struct dnsbl_lookup *l = lookups_next(lookups, NULL); l != NULL;
         l = lookups_next(lookups, l)) {
        int64_t waited_ms = now_ms - lookup_sent_ms(l);

        if (l->open && waited_ms >= 1000 && !resolver_is_away(l->dnsbl->upstream) &&
            !list_stats_answers_others(l->dnsbl->stats, (int)waited_ms))
            list_state_suspect(l->dnsbl->state, l->ipv6, EVENT_FAILED);
    }
}

void lookups_wait(struct lookups *lookups, const struct wait *wait)
{
    int64_t call_ms = 0;
    bool turn;

    pthread_mutex_lock(&lookups->lock);
    while (!tally_is_settled(lookups, wait, &turn) && clock_ms() < wait->deadline_ms) {
        if (!turn) {
            wait_once(lookups, wait, wait->deadline_ms, &call_ms);
            if (!lookups->is_dry_run)
                suspect_silent_lists(lookups);
            continue;
        }
        pthread_mutex_unlock(&lookups->lock);
        int started = lookups_start(lookups, STAGE_RCPT, wait->envelope);
        pthread_mutex_lock(&lookups->lock);
        if (started != 0)
            break; /* no memory: what is known must do */
    }
    pthread_mutex_unlock(&lookups->lock);
}
