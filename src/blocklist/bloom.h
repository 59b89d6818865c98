/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_BLOOM_H
#define BLOCKLIST_BLOOM_H

/* A Bloom filter over hashes of entries: says at once that a subject is not listed, in
 * front of the database. 16 bits per key, eight of them set, all within one cache line
 * ("Cache-, Hash- and Space-Efficient Bloom Filters", Putze and others, 2007). It never
 * denies what was added; to about one in a thousand others it says yes. Beside it,
 * which lengths of network prefixes occur. Any thread may add and look up at once. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blocklist/entry.h"

#define BLOOM_BYTES_PER_KEY 2

struct bloom_filter;

/* Room for that many keys; beyond it more and more wrong yes. NULL: no memory. */
struct bloom_filter *bloom_filter_new(uint64_t capacity);
void bloom_filter_free(struct bloom_filter *filter); /* NULL is fine */

void bloom_filter_add(struct bloom_filter *filter, uint64_t hash);
bool bloom_filter_may_contain(const struct bloom_filter *filter, uint64_t hash);

/* Networks of that family (4 or 6) and prefix length occur. */
void bloom_filter_add_prefix(struct bloom_filter *filter, unsigned family,
                             unsigned prefix);
bool bloom_filter_has_prefix(const struct bloom_filter *filter, unsigned family,
                             unsigned prefix);

uint64_t bloom_filter_capacity(const struct bloom_filter *filter);
uint64_t bloom_filter_keys(
    const struct bloom_filter *filter); /* added so far, twice counted twice */
size_t bloom_filter_bytes(const struct bloom_filter *filter);

/* The filter in use and, while one is being built, its successor. Whoever lists
 * something adds it before the commit is acknowledged, to both, so that no filter ever
 * denies what is there. Any thread; the lock is held for a lookup or a swap only. */
struct bloom {
    pthread_rwlock_t lock;
    struct bloom_filter *current, *next; /* current NULL: everything may be listed */
};

int bloom_init(struct bloom *bloom); /* 0, or -1 */
void bloom_destroy(struct bloom *bloom);

void bloom_add(struct bloom *bloom, const struct entry *entry);
bool bloom_may_contain(struct bloom *bloom, uint64_t hash);

/* The lengths of prefixes that may be listed: bit i % 64 of word i / 64. */
struct bloom_prefixes {
    uint64_t words[3];
};
struct bloom_prefixes bloom_prefixes(struct bloom *bloom, unsigned family);

/* Starts a successor. From its return on bloom_add fills it too; the caller then adds
 * what the database holds with bloom_build_add. Returns 0, or -1 (no memory). One
 * builder at a time. */
int bloom_build_start(struct bloom *bloom, uint64_t capacity);
void bloom_build_add(struct bloom *bloom, const struct entry *entry);
void bloom_build_finish(struct bloom *bloom); /* the successor takes over */
void bloom_build_cancel(struct bloom *bloom);

bool bloom_is_ready(struct bloom *bloom); /* there is a filter */
bool bloom_is_full(struct bloom *bloom);  /* it should be built again, larger */
void bloom_size(struct bloom *bloom, uint64_t *bytes, uint64_t *keys, bool *ready);

#endif
