/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_WINDOW_H
#define RULES_WINDOW_H

/* What one window of a key holds: a ring of buckets for sums, a sketch of two halves for
 * distinct counts. Zero-initialised: empty. Times are unix seconds; buckets and halves are
 * aligned to them. One thread at a time for each. */

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_BUCKETS 12

struct ring {
    uint32_t newest;                  /* bucket's number: time / width */
    uint32_t buckets[WINDOW_BUCKETS]; /* number n is at n % WINDOW_BUCKETS */
};

/* Adds n, now. Where the clock has gone back by the whole span, the ring begins again. */
void ring_add(struct ring *ring, int span_s, int64_t now_s, uint32_t n);

/* Takes n back from the bucket of at_s and, where it has less, from those before it: what
 * was counted since then, and may have taken longer than a bucket. Never below 0. */
void ring_take_back(struct ring *ring, int span_s, int64_t at_s, uint32_t n);

/* What the bucket of now_s has. */
uint32_t ring_bucket(const struct ring *ring, int span_s, int64_t now_s);

uint32_t ring_value(const struct ring *ring, int span_s, int64_t now_s);

#define SKETCH_BITS   2048
#define SKETCH_OCTETS (SKETCH_BITS / 8)
#define SKETCH_FEW    8
#define SKETCH_LIST   (SKETCH_OCTETS / 4)

/* Each half has its hashes in itself, then in a list of its own, then a bitmap in the
 * list's place. As long as neither has a bitmap the sketch is exact. */
struct sketch {
    uint32_t newest;  /* half's number: time / (span / 2); it is at newest % 2 */
    uint8_t count[2]; /* hashes, or SKETCH_MANY: a bitmap */
    uint8_t common;   /* hashes that both halves have, as long as neither has a bitmap */
    union half {
        uint32_t few[SKETCH_FEW];
        uint32_t *list; /* of more than SKETCH_FEW */
        uint8_t *bits;
    } halves[2];
};
#define SKETCH_MANY 255

/* Adds an element by its hash. Without memory it is left out. */
void sketch_add(struct sketch *sketch, int span_s, int64_t now_s, uint64_t element);

/* About how many different elements the half of now_s and the one before it have. */
uint32_t sketch_value(const struct sketch *sketch, int span_s, int64_t now_s);

/* Adds the elements of those two halves to a bitmap, and how many a bitmap has. */
void sketch_merge(const struct sketch *sketch, int span_s, int64_t now_s,
                  uint64_t bits[static SKETCH_BITS / 64]);
uint32_t bits_estimate(const uint64_t bits[static SKETCH_BITS / 64]);

void sketch_clear(struct sketch *sketch); /* frees its lists and bitmaps */

/* Whether what was added last is of a bucket or half that is still to come. */
bool ring_is_ahead(const struct ring *ring, int span_s, int64_t now_s);
bool sketch_is_ahead(const struct sketch *sketch, int span_s, int64_t now_s);

#endif
