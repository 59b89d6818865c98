/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

/* The answers that were got, for as long as they may be given again. Bounded in number
 * and in memory; what was not used lately goes first (CLOCK). Divided into shards, each
 * with a lock of its own that is held for a look-up only. Any thread. */

#include <stddef.h>
#include <stdint.h>

#include "dns/answer.h"

struct cache;

/* The average that an answer may take, so that the number of answers bounds the memory.
 */
#define CACHE_ANSWER_BYTES 390

/* A cache for limit answers. Returns NULL without memory. */
struct cache *cache_new(size_t limit);
void cache_free(struct cache *cache); /* NULL is fine */

/* Another limit; what is too much goes at once. */
void cache_resize(struct cache *cache, size_t limit);

/* The answer if it is there and has not ended by now_ms, else NULL. The caller's
 * reference. Counts as a hit. */
struct dns_answer *cache_get(struct cache *cache, const struct dns_key *key,
                             int64_t now_ms);

/* The answer if it is there and had not ended at since_ms. */
struct dns_answer *cache_get_ended(struct cache *cache, const struct dns_key *key,
                                   int64_t since_ms);

/* Keeps the answer (takes its own reference) in the place of an earlier one, until its
 * expires_ms and beyond for cache_get_ended. Without memory it does not. */
void cache_put(struct cache *cache, const struct dns_key *key, struct dns_answer *answer);

void cache_flush(struct cache *cache);

struct cache_stats {
    uint64_t hits;
    size_t count, bytes;
};
void cache_stats(struct cache *cache, struct cache_stats *out);

#endif
