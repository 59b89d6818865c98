/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_COUNTERS_H
#define RULES_COUNTERS_H

/* What senders do, counted: a key (a login, a client, …) and, for each, the windows that
 * the rules in force look at ("recipients in 1h"). Bounded in keys, so that strangers who
 * invent senders evict nobody. Any thread may call all of it; a lock is held for some
 * hundred nanoseconds, each of 64 for its share of the keys.
 *
 * A window is a ring of WINDOW_BUCKETS buckets, each the window's span divided by their
 * number wide, and aligned to the clock: the same on all hosts. Its value is the sum of
 * the buckets of the last span, so it is exact to a bucket, and never more than what
 * happened in the span. A distinct count (networks, senders,
 * recipients, domains) keeps two halves of the span instead: of up to 64 elements each it is
 * exact; beyond that each half is a bitmap of 2,048 bits, whose union is estimated by linear
 * counting (off by 1.6 to 2.1 % up to 3,000, root mean square). It covers between half the
 * span and the whole. Strangers are a sum, and habits beside it: see window.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"

#define COUNTER_WINDOWS_MAX 24 /* of one kind of key */
#define COUNTER_KEY_SIZE    600

struct counters;

/* One window of each key of a kind. */
struct counter_window {
    enum rule_count count;
    int span_s;
    int64_t since_s; /* unix time from which on all was counted; filled by counters */
};

/* The windows of all keys, by what they count by. Zero-initialised: nothing is counted. */
struct counter_layout {
    struct counter_window windows[COUNTER_WINDOWS_MAX];
    size_t count;
};

/* Times are unix seconds, and the caller's: they may be simulated. max_keys: of logins; of
 * what strangers can invent (all else) as many again. NULL: no memory. */
struct counters *counters_new(size_t max_keys,
                              const struct counter_layout layouts[static RULE_BY_COUNT],
                              int64_t now_s);
void counters_free(struct counters *counters); /* NULL is fine */

/* Other rules are in force: windows of the same count and span go on with what they have,
 * the others begin now. Keys of a kind that nothing counts by any more go, and beyond
 * max_keys those idle longest; so does a key that there is no memory for. One thread at a
 * time. */
void counters_configure(struct counters *counters, size_t max_keys,
                        const struct counter_layout layouts[static RULE_BY_COUNT],
                        int64_t now_s);

/* Whether anything is counted by this, or this count of it is. */
bool counters_want(const struct counters *counters, enum rule_by by);
bool counters_want_count(const struct counters *counters, enum rule_by by,
                         enum rule_count count);

/* What a key has just done. */
struct counter_event {
    enum rule_count count;
    int n; /* negative: taken back, never below 0; of distinct counts ignored */
    uint64_t element; /* hash of what a distinct count counts, or of a recipient */
    uint64_t network; /* of strangers: hash of where it was written from */
    int64_t at_s;     /* of what is taken back: when it was counted */
};

/* A key as it is now. */
struct counter_reading {
    int64_t first_seen_s, last_seen_s;
    size_t count; /* windows, as the layout of its kind has them */
    struct counter_window windows[COUNTER_WINDOWS_MAX];
    uint32_t values[COUNTER_WINDOWS_MAX];
};

/* Adds events to a key and reads it. by_stranger: the key is one that strangers can
 * invent: it begins to be counted only with its third event within an hour. Returns
 * whether the key is counted; *out (may be NULL) is filled then. */
bool counters_add(struct counters *counters, enum rule_by by, const char *key,
                  bool by_stranger, const struct counter_event *events, size_t count,
                  int64_t now_s, struct counter_reading *out);

/* The key as it is (out may be NULL), or false where it is not counted. */
bool counters_read(struct counters *counters, enum rule_by by, const char *key,
                   int64_t now_s, struct counter_reading *out);

/* Adds what a distinct window of a key has to a bitmap of 2,048 bits (window.h). False, and
 * nothing is added, where there is no such window. */
bool counters_bits(struct counters *counters, enum rule_by by, const char *key,
                   enum rule_count count, int span_s, int64_t now_s, uint64_t *bits);

/* Begins again with a key: its windows are empty, its first_seen and habits stay. Returns
 * whether it was there. */
bool counters_reset(struct counters *counters, enum rule_by by, const char *key);

/* All keys of a kind, in no order, under one lock of 64 after the other: each must not call
 * counters. */
typedef void counters_each_key(void *context, const char *key,
                               const struct counter_reading *reading);
void counters_each(struct counters *counters, enum rule_by by, int64_t now_s,
                   counters_each_key *each, void *context);

/* The number of keys of a kind seen since then. */
size_t counters_active(struct counters *counters, enum rule_by by, int64_t since_s);

/* The clock has jumped to now_s, or events were lost: no window was wholly observed. clear:
 * what was counted is no good either. */
void counters_unobserved(struct counters *counters, int64_t now_s, bool clear);

struct counters_stats {
    size_t keys[RULE_BY_COUNT];
    uint64_t refused; /* keys that were not counted as there was no room */
    size_t octets;    /* of memory, about */
};
void counters_stats(struct counters *counters, struct counters_stats *out);

/* A snapshot: all keys and windows. Returns 0, or -1 where it cannot be written. */
int counters_save(struct counters *counters, int64_t now_s, FILE *out);

/* Reads one into empty counters: windows that the layouts do not have are left out. Where it
 * was saved more than max_gap_s before now_s (or after it), what the windows have is kept,
 * but counts as observed only from now_s on. Returns 0, or -1 where it is damaged or
 * without memory: the counters are empty then. */
int counters_load(struct counters *counters, int64_t now_s, int64_t max_gap_s, FILE *in);

/* A hash for distinct counts: the same in all processes and on all hosts. */
uint64_t counters_hash(const void *octets, size_t size);

#endif
