#include "blocklist/filter.h"

#include <stdatomic.h>
#include <stdlib.h>

#define WORDS_PER_BLOCK 8 /* of 64 bits: one cache line */
#define BITS_PER_BLOCK  512
#define BITS_PER_KEY    16
#define BITS_SET        8
#define CAPACITY_MIN    65536
#define PREFIX_WORDS    3 /* 0 to 128 */

struct filter {
    uint64_t blocks;
    uint64_t capacity;
    _Atomic uint64_t keys;
    _Atomic uint64_t prefixes[2][PREFIX_WORDS];
    _Atomic uint64_t *words;
};

struct filter *filter_new(uint64_t capacity)
{
    struct filter *filter = calloc(1, sizeof *filter);

    if (filter == NULL)
        return NULL;
    filter->capacity = capacity < CAPACITY_MIN ? CAPACITY_MIN : capacity;
    filter->blocks = filter->capacity * BITS_PER_KEY / BITS_PER_BLOCK + 1;
    filter->words = aligned_alloc(64, filter_bytes(filter));
    if (filter->words == NULL) {
        free(filter);
        return NULL;
    }
    for (uint64_t i = 0; i < filter->blocks * WORDS_PER_BLOCK; i++)
        atomic_init(&filter->words[i], 0);
    return filter;
}

void filter_free(struct filter *filter)
{
    if (filter == NULL)
        return;
    free(filter->words);
    free(filter);
}

/* The block of a hash; the bits in it come from a second mix, so that they do not depend
 * on the block. */
static _Atomic uint64_t *block_of(const struct filter *filter, uint64_t hash,
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

void filter_add(struct filter *filter, uint64_t hash)
{
    uint64_t bits;
    _Atomic uint64_t *words = block_of(filter, hash, &bits);

    for (unsigned i = 0; i < WORDS_PER_BLOCK; i++)
        atomic_fetch_or_explicit(&words[i], bit_of(bits, i), memory_order_release);
    atomic_fetch_add_explicit(&filter->keys, 1, memory_order_relaxed);
}

bool filter_may_contain(const struct filter *filter, uint64_t hash)
{
    uint64_t bits;
    _Atomic uint64_t *words = block_of(filter, hash, &bits);

    for (unsigned i = 0; i < WORDS_PER_BLOCK; i++)
        if ((atomic_load_explicit(&words[i], memory_order_acquire) & bit_of(bits, i)) ==
            0)
            return false;
    return true;
}

void filter_add_prefix(struct filter *filter, unsigned family, unsigned prefix)
{
    atomic_fetch_or(&filter->prefixes[family == 6][prefix / 64], 1ULL << prefix % 64);
}

bool filter_has_prefix(const struct filter *filter, unsigned family, unsigned prefix)
{
    return (atomic_load(&filter->prefixes[family == 6][prefix / 64]) &
            1ULL << prefix % 64) != 0;
}

uint64_t filter_capacity(const struct filter *filter)
{
    return filter->capacity;
}

uint64_t filter_keys(const struct filter *filter)
{
    return atomic_load(&filter->keys);
}

size_t filter_bytes(const struct filter *filter)
{
    return filter->blocks * WORDS_PER_BLOCK * sizeof filter->words[0];
}
