/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_WINDOW_H
#define RULES_WINDOW_H

/* What one window of a key holds: a ring of buckets for sums, a sketch of two halves for
 * distinct counts, habits for strangers. Zero-initialised: empty, nothing is known. Times are
 * unix seconds; buckets and halves are aligned to them. One thread at a time for each. */

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

/* --- habits --- */

/* A login's habits: the networks that it is used from and the people it writes to; and
 * `strangers`, the count of what differs from them: recipients it never wrote to, from a
 * network it was never used from. That is what a hijacked mailbox does, and its owner
 * does not. */

#define HABIT_LEARN_DAYS  7  /* known for so long, habits mean something */
#define HABIT_SETTLE_DAYS 3  /* a network is new for so long */
#define HABIT_FORGET_DAYS 60 /* and is forgotten so long after it was used last */
#define HABIT_HOUR_MOST   40 /* strangers that count in an hour */

#define HABIT_NETWORKS      16
#define HABIT_CONTACTS      100 /* of each of two filters */
#define HABIT_CONTACTS_BITS 512

struct habits {
    struct ring strangers; /* the first, as in windows of other counts */
    struct habit_network {
        uint16_t hash, first_day, last_day; /* days since 1970; last_day 0: none */
    } networks[HABIT_NETWORKS];
    /* Its recipients: 100 to 200 different ones, the latest. */
    uint8_t contacts[2][HABIT_CONTACTS_BITS / 8];
    uint8_t filling, filled; /* which of them is being filled, with how many */
};

/* A recipient, by hashes of address and network. From a network that is new for a login whose
 * habits are known, who is no contact counts, up to HABIT_HOUR_MOST in an hour (a mail merge
 * is no more than that), and a contact takes one off; from all others who is no contact
 * becomes one. */
void habits_add(struct habits *habits, int span_s, int64_t now_s, uint64_t recipient,
                uint64_t network);

#endif
