/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for answers: until the verdict is decided, the deadline at the latest. */

#include "base/clock.h"
#include "policy/lookups_parts.h"

#define HELD_MS 10  /* a look that may void a listing takes a few ms as a rule */
#define DOWN_MS 200 /* a list may be found to be down, or slow, meanwhile */

/* When to see again what changes without an answer: a lookup that is given up, a look
 * that ends; lock held. */
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
static void question_silent_lists(const struct lookups *lookups)
{
    int64_t now_ms = clock_ms();

    for (const struct dnsbl_lookup *l = lookups_next(lookups, NULL); l != NULL;
         l = lookups_next(lookups, l)) {
        int64_t waited_ms = now_ms - lookup_sent_ms(l);

        if (l->open && waited_ms >= 1000 && !resolver_is_away(l->dnsbl->upstream) &&
            !list_stats_answers_others(l->dnsbl->stats, (int)waited_ms))
            list_state_question(l->dnsbl->state, l->ipv6, EVENT_FAILED);
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
            if (!lookups->is_admin)
                question_silent_lists(lookups);
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
