/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist/bloom.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#define WORDS_PER_BLOCK 8 /* of 64 bits: one cache line */
#define BITS_PER_BLOCK  512
#define BITS_SET        8
#define CAPACITY_MIN    65536
#define PREFIX_WORDS    3 /* 0 to 128 */

struct bloom_filter {
    uint64_t blocks;
    uint64_t capacity;
    _Atomic uint64_t keys;
    _Atomic uint64_t prefixes[2][PREFIX_WORDS];
    _Atomic uint64_t *words;
};

struct bloom_filter *bloom_filter_new(uint64_t capacity)
{
    struct bloom_filter *filter = calloc(1, sizeof *filter);

    if (filter == NULL)
        return NULL;
    filter->capacity = capacity < CAPACITY_MIN ? CAPACITY_MIN : capacity;
    filter->blocks = filter->capacity * BLOOM_BYTES_PER_KEY * 8 / BITS_PER_BLOCK + 1;
    filter->words = aligned_alloc(64, bloom_filter_bytes(filter));
    if (filter->words == NULL) {
        free(filter);
        return NULL;
    }
    for (uint64_t i = 0; i < filter->blocks * WORDS_PER_BLOCK; i++)
        atomic_init(&filter->words[i], 0);
    return filter;
}

void bloom_filter_free(struct bloom_filter *filter)
{
    if (filter == NULL)
        return;
    free(filter->words);
    free(filter);
}

/* The block of a hash; the bits in it come from a second mix, so that they do not depend
 * on the block. */
static _Atomic uint64_t *block_of(const struct bloom_filter *filter, uint64_t hash,
                                  uint64_t *bits)
{
    uint64_t block = (uint64_t)((unsigned __int128)hash * filter->blocks >> 64);

    *bits = (hash ^ (hash >> 29)) * 0x9e3779b97f4a7c15ULL;
    *bits ^= *bits >> 32;
    return filter->words + block * WORDS_PER_BLOCK;
}

/* One bit in each word: six bits of the mix say which; eight times six are 48. */
static uint64_t bit_of(uint64_t bits, unsigned word)
{
    return 1ULL << (bits >> (6 * word) & 63);
}

_Static_assert(BITS_SET == WORDS_PER_BLOCK, "one bit is set in each word of a block");

void bloom_filter_add(struct bloom_filter *filter, uint64_t hash)
{
    uint64_t bits;
    _Atomic uint64_t *words = block_of(filter, hash, &bits);

    for (unsigned i = 0; i < WORDS_PER_BLOCK; i++)
        atomic_fetch_or_explicit(&words[i], bit_of(bits, i), memory_order_release);
    atomic_fetch_add_explicit(&filter->keys, 1, memory_order_relaxed);
}

bool bloom_filter_may_contain(const struct bloom_filter *filter, uint64_t hash)
{
    uint64_t bits;
    _Atomic uint64_t *words = block_of(filter, hash, &bits);

    for (unsigned i = 0; i < WORDS_PER_BLOCK; i++)
        if ((atomic_load_explicit(&words[i], memory_order_acquire) & bit_of(bits, i)) ==
            0)
            return false;
    return true;
}

void bloom_filter_add_prefix(struct bloom_filter *filter, unsigned family,
                             unsigned prefix)
{
    atomic_fetch_or(&filter->prefixes[family == 6][prefix / 64], 1ULL << prefix % 64);
}

bool bloom_filter_has_prefix(const struct bloom_filter *filter, unsigned family,
                             unsigned prefix)
{
    return (atomic_load(&filter->prefixes[family == 6][prefix / 64]) &
            1ULL << prefix % 64) != 0;
}

uint64_t bloom_filter_capacity(const struct bloom_filter *filter)
{
    return filter->capacity;
}

uint64_t bloom_filter_keys(const struct bloom_filter *filter)
{
    return atomic_load(&filter->keys);
}

size_t bloom_filter_bytes(const struct bloom_filter *filter)
{
    return filter->blocks * WORDS_PER_BLOCK * sizeof filter->words[0];
}

int bloom_init(struct bloom *bloom)
{
    bloom->current = NULL;
    bloom->next = NULL;
    return pthread_rwlock_init(&bloom->lock, NULL) == 0 ? 0 : -1;
}

void bloom_destroy(struct bloom *bloom)
{
    bloom_filter_free(bloom->current);
    bloom_filter_free(bloom->next);
    pthread_rwlock_destroy(&bloom->lock);
}

static void add(struct bloom_filter *filter, const struct entry *entry)
{
    struct network network;

    if (filter == NULL)
        return;
    if (entry_network(entry, &network) == 0)
        bloom_filter_add_prefix(filter, network.base.family, network.prefix);
    bloom_filter_add(filter, entry_hash(entry));
}

void bloom_add(struct bloom *bloom, const struct entry *entry)
{
    pthread_rwlock_rdlock(&bloom->lock);
    add(bloom->current, entry);
    add(bloom->next, entry);
    pthread_rwlock_unlock(&bloom->lock);
}

bool bloom_may_contain(struct bloom *bloom, uint64_t hash)
{
    bool may;

    pthread_rwlock_rdlock(&bloom->lock);
    may = bloom->current == NULL || bloom_filter_may_contain(bloom->current, hash);
    pthread_rwlock_unlock(&bloom->lock);
    return may;
}

struct bloom_prefixes bloom_prefixes(struct bloom *bloom, unsigned family)
{
    struct bloom_prefixes out = {{0}};
    unsigned bits = family == 4 ? 32 : 128;

    pthread_rwlock_rdlock(&bloom->lock);
    for (unsigned i = 0; i <= bits; i++)
        if (bloom->current == NULL || bloom_filter_has_prefix(bloom->current, family, i))
            out.words[i / 64] |= 1ULL << i % 64;
    pthread_rwlock_unlock(&bloom->lock);
    return out;
}

int bloom_build_start(struct bloom *bloom, uint64_t capacity)
{
    struct bloom_filter *filter = bloom_filter_new(capacity);

    if (filter == NULL)
        return -1;
    pthread_rwlock_wrlock(&bloom->lock);
    bloom->next = filter;
    pthread_rwlock_unlock(&bloom->lock);
    return 0;
}

void bloom_build_add(struct bloom *bloom, const struct entry *entry)
{
    add(bloom->next, entry); /* only the builder replaces it */
}

void bloom_build_finish(struct bloom *bloom)
{
    struct bloom_filter *old;

    pthread_rwlock_wrlock(&bloom->lock);
    old = bloom->current;
    bloom->current = bloom->next;
    bloom->next = NULL;
    pthread_rwlock_unlock(&bloom->lock);
    bloom_filter_free(old);
}

void bloom_build_cancel(struct bloom *bloom)
{
    struct bloom_filter *unfinished;

    pthread_rwlock_wrlock(&bloom->lock);
    unfinished = bloom->next;
    bloom->next = NULL;
    pthread_rwlock_unlock(&bloom->lock);
    bloom_filter_free(unfinished);
}

bool bloom_is_ready(struct bloom *bloom)
{
    bool ready;

    pthread_rwlock_rdlock(&bloom->lock);
    ready = bloom->current != NULL;
    pthread_rwlock_unlock(&bloom->lock);
    return ready;
}

bool bloom_is_full(struct bloom *bloom)
{
    bool full;

    pthread_rwlock_rdlock(&bloom->lock);
    full = bloom->current != NULL &&
           bloom_filter_keys(bloom->current) > bloom_filter_capacity(bloom->current);
    pthread_rwlock_unlock(&bloom->lock);
    return full;
}

void bloom_size(struct bloom *bloom, uint64_t *bytes, uint64_t *keys, bool *ready)
{
    pthread_rwlock_rdlock(&bloom->lock);
    *ready = bloom->current != NULL;
    *bytes = *ready ? bloom_filter_bytes(bloom->current) : 0;
    *keys = *ready ? bloom_filter_keys(bloom->current) : 0;
    pthread_rwlock_unlock(&bloom->lock);
}
