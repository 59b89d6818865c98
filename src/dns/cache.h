/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

/* The answers that were got, for as long as they may be given again. Bounded in number
 * and in memory; what was not used lately goes first (CLOCK). Divided into shards, each
 * with a lock of its own that is held for a look-up only. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/answer.h"

/* What distinguishes one query from another, for the cache and for the queries under way:
 * upstream, type and name in one row of octets, with their hash. */

#define DNS_NAME_MAX   253 /* RFC 1035: 255 octets on the wire */
#define DNS_LABEL_MAX  63
#define DNS_KEY_PREFIX 5 /* upstream and type */

struct dns_key {
    uint32_t hash;
    uint16_t size; /* of octets in use; the name's end is beyond it */
    uint64_t secret;
    uint8_t octets[DNS_KEY_PREFIX + DNS_NAME_MAX + 1];
};

/* Makes the key. secret goes into the hash, so that no stranger can choose names that
 * all fall together. Returns false for a name that must not be queried: anything but
 * letters, digits, "-" and "_" in labels of 1 to 63, or too long (a backslash would be
 * an escape to c-ares, no name at all the root). */
bool dns_key_make(struct dns_key *key, uint64_t secret, uint32_t upstream,
                  enum dns_type type, const char *name);

const char *dns_key_name(const struct dns_key *key);
enum dns_type dns_key_type(const struct dns_key *key);

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
