/* SPDX-License-Identifier: BSD-2-Clause */
/* What the answers add up to: list by list, with what is still open and what may never be
 * heard. */

#include "base/clock.h"
#include "policy/lookups_parts.h"

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

int64_t lookup_sent_ms(const struct dnsbl_lookup *l)
{
    int64_t back_ms = resolver_back_ms(l->dnsbl->upstream);

    return back_ms > l->batch->began_ms ? back_ms : l->batch->began_ms;
}

int64_t tally_overdue_ms(const struct dnsbl_lookup *l)
{
    if (l->batch->lookups->is_admin)
        return INT64_MAX;
    if (dnsbl_is_hopeless(l->dnsbl, l->ipv6))
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

struct tally tally_make(struct lookups *lookups, bool settled)
{
    const struct dnsbl_set *lists = &lookups->policy->lists;
    struct tally tally = {0};
    int64_t now_ms = clock_ms();

    for (size_t i = 0; i < lists->count; i++) {
        struct list_sum *sum = &lookups->sums[i];

        sum->weight = 0;
        sum->open = sum->unheard = sum->absent = false;
        /* a question that another session raised since the wait ended changes nothing */
        sum->held = settled && sum->held;
    }
    for (const struct dnsbl_lookup *l = lookups_next(lookups, NULL); l != NULL;
         l = lookups_next(lookups, l))
        add_lookup(sum_of(lookups, l), l, settled, now_ms);
    for (size_t i = 0; i < lists->count; i++)
        add_sum(&tally, &lookups->sums[i], &lists->items[i], settled);
    return tally;
}

/* By the sums of a tally just made. */
static bool is_allow_list_open(const struct lookups *lookups)
{
    const struct dnsbl_set *lists = &lookups->policy->lists;

    for (size_t i = 0; i < lists->count; i++)
        if (lookups->sums[i].open && lists->items[i].least < 0)
            return true;
    return false;
}

bool tally_is_settled(struct lookups *lookups, const struct wait *wait, bool *turn)
{
    struct tally tally = tally_make(lookups, false);
    const struct dnsbl_set *lists = &lookups->policy->lists;
    bool open = false;

    *turn = false;
    if (wait->what == WAIT_ALLOW_LISTS)
        return !is_allow_list_open(lookups);
    if (wait->what == WAIT_VERDICT && verdict_is_decided(lookups->policy->config, &tally))
        return true;
    for (size_t i = 0; i < lists->count; i++) {
        const struct list_sum *sum = &lookups->sums[i];
        const struct list *list = lists->items[i].list;

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
        l->counted =
            l->late && !l->batch->lookups->is_admin && lookup_remember(l, wait->envelope);
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

    if (lookups->is_admin)
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
