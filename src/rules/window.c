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

static void ring_roll(struct ring *ring, uint32_t to)
{
    if (to + (int64_t)WINDOW_BUCKETS <= ring->newest ||
        to >= ring->newest + (int64_t)WINDOW_BUCKETS) {
        memset(ring->buckets, 0, sizeof ring->buckets);
        ring->newest = to;
    }
    while (ring->newest < to)
        ring->buckets[++ring->newest % WINDOW_BUCKETS] = 0;
}

void ring_add(struct ring *ring, int span_s, int64_t now_s, uint32_t n)
{
    uint32_t bucket = part_of(now_s, span_s, WINDOW_BUCKETS);
    uint32_t *at = &ring->buckets[bucket % WINDOW_BUCKETS];

    ring_roll(ring, bucket);
    *at = sum_of(*at, n);
}

void ring_take_back(struct ring *ring, int span_s, int64_t at_s, uint32_t n)
{
    uint32_t bucket = part_of(at_s, span_s, WINDOW_BUCKETS);
    uint32_t *at = &ring->buckets[bucket % WINDOW_BUCKETS];

    if (bucket > ring->newest || ring->newest - bucket >= WINDOW_BUCKETS)
        return;
    *at -= n < *at ? n : *at;
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
    if (sketch->count[half] == SKETCH_MANY)
        free(sketch->halves[half].bits);
    memset(&sketch->halves[half], 0, sizeof sketch->halves[half]);
    sketch->count[half] = 0;
}

void sketch_clear(struct sketch *sketch)
{
    half_clear(sketch, 0);
    half_clear(sketch, 1);
    sketch->newest = 0;
}

static void sketch_roll(struct sketch *sketch, uint32_t to)
{
    if (to + INT64_C(1) == sketch->newest) /* the clock went back a little */
        return;
    if (to == sketch->newest + INT64_C(1))
        half_clear(sketch, to % 2);
    else if (to != sketch->newest)
        sketch_clear(sketch);
    sketch->newest = to;
}

static void bits_set(uint8_t *bits, uint32_t hash)
{
    bits[hash % SKETCH_BITS / 8] |= (uint8_t)(1u << hash % 8);
}

static bool few_has(const union half *half, unsigned count, uint32_t hash)
{
    for (unsigned i = 0; i < count; i++)
        if (half->few[i] == hash)
            return true;
    return false;
}

void sketch_add(struct sketch *sketch, int span_s, int64_t now_s, uint64_t element)
{
    uint32_t now = part_of(now_s, span_s, 2), hash = (uint32_t)element;
    uint8_t *count = &sketch->count[now % 2], *bits;
    union half *half = &sketch->halves[now % 2];

    sketch_roll(sketch, now);
    if (*count == SKETCH_MANY) {
        bits_set(half->bits, hash);
    } else if (few_has(half, *count, hash)) {
        return;
    } else if (*count < SKETCH_FEW) {
        half->few[(*count)++] = hash;
    } else {
        bits = calloc(1, SKETCH_OCTETS);
        if (bits == NULL)
            return;
        for (unsigned i = 0; i < SKETCH_FEW; i++)
            bits_set(bits, half->few[i]);
        bits_set(bits, hash);
        half->bits = bits;
        *count = SKETCH_MANY;
    }
}

/* Linear counting (Whang, 1990): of so many bits, so many are still not set. */
static uint32_t bits_estimate(const uint64_t bits[static SKETCH_BITS / 64])
{
    int zeros = SKETCH_BITS;

    for (size_t i = 0; i < SKETCH_BITS / 64; i++)
        zeros -= __builtin_popcountll(bits[i]);
    return (uint32_t)(SKETCH_BITS * log((double)SKETCH_BITS / (zeros > 0 ? zeros : 1)) +
                      0.5);
}

static void half_merge(uint64_t bits[static SKETCH_BITS / 64], const union half *half,
                       unsigned count)
{
    uint64_t more[SKETCH_BITS / 64];

    if (count == SKETCH_MANY) {
        memcpy(more, half->bits, sizeof more);
        for (size_t i = 0; i < SKETCH_BITS / 64; i++)
            bits[i] |= more[i];
    } else {
        for (unsigned i = 0; i < count; i++)
            bits_set((uint8_t *)bits, half->few[i]);
    }
}

uint32_t sketch_value(const struct sketch *sketch, int span_s, int64_t now_s)
{
    uint32_t now = part_of(now_s, span_s, 2), first = sketch->newest % 2, both;
    uint32_t gone = now > sketch->newest ? now - sketch->newest : 0;
    unsigned counts[2] = {gone < 2 ? sketch->count[first] : 0,
                          gone < 1 ? sketch->count[1 - first] : 0};
    const union half *halves[2] = {&sketch->halves[first], &sketch->halves[1 - first]};
    uint64_t bits[SKETCH_BITS / 64] = {0};

    if (counts[0] != SKETCH_MANY && counts[1] != SKETCH_MANY) {
        both = counts[0];
        for (unsigned i = 0; i < counts[1]; i++)
            both += !few_has(halves[0], counts[0], halves[1]->few[i]);
        return both;
    }
    half_merge(bits, halves[0], counts[0]);
    half_merge(bits, halves[1], counts[1]);
    return bits_estimate(bits);
}

bool sketch_is_ahead(const struct sketch *sketch, int span_s, int64_t now_s)
{
    return sketch->newest > part_of(now_s, span_s, 2);
}
