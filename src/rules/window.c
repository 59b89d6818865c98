/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Which of the span's parts a time is in. */
static uint32_t part_of(int64_t at_s, int span_s, int parts)
{
    int64_t width_s = span_s / parts;

    if (at_s < 0)
        return 0;
    return (uint32_t)((at_s < UINT32_MAX ? at_s : UINT32_MAX) /
                      (width_s > 0 ? width_s : 1));
}

static uint32_t sum_of(uint32_t a, uint32_t b)
{
    return a <= UINT32_MAX - b ? a + b : UINT32_MAX;
}

void ring_add(struct ring *ring, int span_s, int64_t now_s, uint32_t n)
{
    uint32_t bucket = part_of(now_s, span_s, WINDOW_BUCKETS);
    uint32_t *at = &ring->buckets[bucket % WINDOW_BUCKETS];

    if (bucket + (int64_t)WINDOW_BUCKETS <= ring->newest ||
        bucket >= ring->newest + (int64_t)WINDOW_BUCKETS) {
        memset(ring->buckets, 0, sizeof ring->buckets);
        ring->newest = bucket;
    }
    while (ring->newest < bucket)
        ring->buckets[++ring->newest % WINDOW_BUCKETS] = 0;
    *at = sum_of(*at, n);
}

void ring_take_back(struct ring *ring, int span_s, int64_t at_s, uint32_t n)
{
    uint32_t bucket = part_of(at_s, span_s, WINDOW_BUCKETS);

    for (; n > 0 && bucket <= ring->newest && ring->newest - bucket < WINDOW_BUCKETS;
         bucket--) {
        uint32_t *at = &ring->buckets[bucket % WINDOW_BUCKETS];
        uint32_t taken = n < *at ? n : *at;

        *at -= taken;
        n -= taken;
    }
}

uint32_t ring_bucket(const struct ring *ring, int span_s, int64_t now_s)
{
    uint32_t now = part_of(now_s, span_s, WINDOW_BUCKETS);

    return now == ring->newest ? ring->buckets[now % WINDOW_BUCKETS] : 0;
}

uint32_t ring_value(const struct ring *ring, int span_s, int64_t now_s)
{
    uint32_t now = part_of(now_s, span_s, WINDOW_BUCKETS);
    uint32_t value = 0, gone = now > ring->newest ? now - ring->newest : 0;

    for (; gone < WINDOW_BUCKETS; gone++)
        value = sum_of(value, ring->buckets[(ring->newest + 1 + gone) % WINDOW_BUCKETS]);
    return value;
}

bool ring_is_ahead(const struct ring *ring, int span_s, int64_t now_s)
{
    return ring->newest > part_of(now_s, span_s, WINDOW_BUCKETS);
}

static void half_clear(struct sketch *sketch, unsigned half)
{
    if (sketch->count[half] > SKETCH_FEW)
        free(sketch->halves[half].list);
    memset(&sketch->halves[half], 0, sizeof sketch->halves[half]);
    sketch->count[half] = 0;
    sketch->common = 0;
}

void sketch_clear(struct sketch *sketch)
{
    half_clear(sketch, 0);
    half_clear(sketch, 1);
    sketch->newest = 0;
}

static void bits_set(uint8_t *bits, uint32_t hash)
{
    bits[hash % SKETCH_BITS / 8] |= (uint8_t)(1u << hash % 8);
}

/* The hashes of a half without a bitmap. */
static uint32_t *half_hashes(struct sketch *sketch, unsigned half)
{
    return sketch->count[half] > SKETCH_FEW ? sketch->halves[half].list
                                            : sketch->halves[half].few;
}

static bool half_has(struct sketch *sketch, unsigned half, uint32_t hash)
{
    const uint32_t *hashes = half_hashes(sketch, half);
    unsigned count = sketch->count[half] != SKETCH_MANY ? sketch->count[half] : 0;

    for (unsigned i = 0; i < count; i++)
        if (hashes[i] == hash)
            return true;
    return false;
}

/* Makes room for one hash more than a half has: a list, then a bitmap. */
static int half_grow(struct sketch *sketch, unsigned half)
{
    uint32_t hashes[SKETCH_LIST], *list = sketch->halves[half].list;

    if (sketch->count[half] == SKETCH_FEW) {
        list = malloc(SKETCH_OCTETS);
        if (list == NULL)
            return -1;
        memcpy(list, sketch->halves[half].few, sizeof sketch->halves[half].few);
        sketch->halves[half].list = list;
    } else if (sketch->count[half] == SKETCH_LIST) {
        memcpy(hashes, list, sizeof hashes);
        memset(list, 0, SKETCH_OCTETS);
        for (unsigned i = 0; i < SKETCH_LIST; i++)
            bits_set(sketch->halves[half].bits, hashes[i]);
        sketch->count[half] = SKETCH_MANY;
    }
    return 0;
}

void sketch_add(struct sketch *sketch, int span_s, int64_t now_s, uint64_t element)
{
    uint32_t now = part_of(now_s, span_s, 2), hash = (uint32_t)element;
    unsigned half = now % 2;

    if (now + INT64_C(1) != sketch->newest) { /* else the clock went back a little */
        if (now == sketch->newest + INT64_C(1))
            half_clear(sketch, half);
        else if (now != sketch->newest)
            sketch_clear(sketch);
        sketch->newest = now;
    }
    if (half_has(sketch, half, hash) || half_grow(sketch, half) != 0)
        return;
    if (sketch->count[half] == SKETCH_MANY) {
        bits_set(sketch->halves[half].bits, hash);
        return;
    }
    sketch->common += half_has(sketch, 1 - half, hash);
    sketch->count[half]++;
    half_hashes(sketch, half)[sketch->count[half] - 1] = hash;
}

/* Linear counting (Whang, 1990): of so many bits, so many are still not set. */
uint32_t bits_estimate(const uint64_t bits[static SKETCH_BITS / 64])
{
    int zeros = SKETCH_BITS;

    for (size_t i = 0; i < SKETCH_BITS / 64; i++)
        zeros -= __builtin_popcountll(bits[i]);
    return (uint32_t)(SKETCH_BITS * log((double)SKETCH_BITS / (zeros > 0 ? zeros : 1)) +
                      0.5);
}

static void half_merge(uint64_t bits[static SKETCH_BITS / 64], struct sketch *sketch,
                       unsigned half)
{
    uint64_t more[SKETCH_BITS / 64];

    if (sketch->count[half] == SKETCH_MANY) {
        memcpy(more, sketch->halves[half].bits, sizeof more);
        for (size_t i = 0; i < SKETCH_BITS / 64; i++)
            bits[i] |= more[i];
    } else {
        for (unsigned i = 0; i < sketch->count[half]; i++)
            bits_set((uint8_t *)bits, half_hashes(sketch, half)[i]);
    }
}

/* What of it counts now; false: nothing does. */
static bool sketch_now(struct sketch *seen, int span_s, int64_t now_s)
{
    uint32_t now = part_of(now_s, span_s, 2);

    if (now > seen->newest + INT64_C(1))
        return false;
    if (now > seen->newest) { /* the older half has gone */
        seen->count[1 - seen->newest % 2] = 0;
        seen->common = 0;
    }
    return true;
}

void sketch_merge(const struct sketch *sketch, int span_s, int64_t now_s,
                  uint64_t bits[static SKETCH_BITS / 64])
{
    struct sketch seen = *sketch;

    if (!sketch_now(&seen, span_s, now_s))
        return;
    half_merge(bits, &seen, 0);
    half_merge(bits, &seen, 1);
}

uint32_t sketch_value(const struct sketch *sketch, int span_s, int64_t now_s)
{
    struct sketch seen = *sketch;
    uint64_t bits[SKETCH_BITS / 64] = {0};

    if (!sketch_now(&seen, span_s, now_s))
        return 0;
    if (seen.count[0] != SKETCH_MANY && seen.count[1] != SKETCH_MANY)
        return (uint32_t)(seen.count[0] + seen.count[1] - seen.common);
    half_merge(bits, &seen, 0);
    half_merge(bits, &seen, 1);
    return bits_estimate(bits);
}

bool sketch_is_ahead(const struct sketch *sketch, int span_s, int64_t now_s)
{
    return sketch->newest > part_of(now_s, span_s, 2);
}

/* --- habits: networks --- */

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

/* --- habits: contacts, two Bloom filters of three bits an element --- */

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

/* --- habits: both --- */

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
