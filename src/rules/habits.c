/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/habits.h"

#include <string.h>

/* --- networks --- */

static bool is_kept(const struct habit_network *network, int today)
{
    return network->last_day != 0 && today - network->last_day <= HABIT_FORGET_DAYS;
}

static bool is_settled(const struct habit_network *network, int today)
{
    return today - network->first_day >= HABIT_SETTLE_DAYS;
}

/* Which of two makes room: one that is forgotten, then the newest one that has not settled, so
 * that many new ones push out no old one, then the one that was not used for longest. */
static bool goes_first(const struct habit_network *a, const struct habit_network *b,
                       int today)
{
    if (!is_kept(a, today) || !is_kept(b, today))
        return is_kept(b, today);
    if (!is_settled(a, today) || !is_settled(b, today))
        return a->first_day > b->first_day;
    return a->last_day < b->last_day;
}

/* Notes that a network is used; whether it is new for who is known for long enough. */
static bool is_new(struct habits *habits, uint16_t hash, int today)
{
    struct habit_network *all = habits->networks, *at = NULL;
    bool is_known_long = false;

    for (size_t i = 0; i < HABIT_NETWORKS; i++) {
        is_known_long = is_known_long || (is_kept(&all[i], today) &&
                                          today - all[i].first_day >= HABIT_LEARN_DAYS);
        if (is_kept(&all[i], today) && all[i].hash == hash)
            at = &all[i];
    }
    if (at == NULL) {
        at = all;
        for (size_t i = 1; i < HABIT_NETWORKS; i++)
            if (goes_first(&all[i], at, today))
                at = &all[i];
        *at = (struct habit_network){hash, (uint16_t)today, (uint16_t)today};
    }
    at->last_day = (uint16_t)today;
    return is_known_long && !is_settled(at, today);
}

/* --- contacts: two Bloom filters of three bits an element --- */

static bool filter_has(const uint8_t filter[static HABIT_CONTACTS_BITS / 8],
                       uint64_t hash)
{
    for (int i = 0; i < 3; i++, hash >>= 16)
        if ((filter[hash % HABIT_CONTACTS_BITS / 8] >> hash % 8 & 1) == 0)
            return false;
    return true;
}

static void contacts_add(struct habits *habits, uint64_t hash)
{
    if (habits->filled >= HABIT_CONTACTS) {
        habits->filling = !habits->filling;
        habits->filled = 0;
        memset(habits->contacts[habits->filling], 0, sizeof habits->contacts[0]);
    }
    habits->filled++;
    for (int i = 0; i < 3; i++, hash >>= 16)
        habits->contacts[habits->filling][hash % HABIT_CONTACTS_BITS / 8] |=
            (uint8_t)(1u << hash % 8);
}

/* --- both --- */

void habits_add(struct habits *habits, int span_s, int64_t now_s, uint64_t recipient,
                uint64_t network)
{
    uint32_t most = (uint32_t)(HABIT_HOUR_MOST * (span_s / WINDOW_BUCKETS) / 3600);
    bool is_late = filter_has(habits->contacts[habits->filling], recipient);
    bool is_old = filter_has(habits->contacts[!habits->filling], recipient);

    if (!is_late)
        contacts_add(habits, recipient);
    if (now_s < 0 || !is_new(habits, (uint16_t)network, (int)(now_s / 86400)))
        return;
    if (is_old)
        ring_take_back(&habits->strangers, span_s, now_s, 1);
    else if (!is_late &&
             ring_bucket(&habits->strangers, span_s, now_s) < (most > 0 ? most : 1))
        ring_add(&habits->strangers, span_s, now_s, 1);
}
