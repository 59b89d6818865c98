/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/cache.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Without memory uthash would end the process: it leaves the entry out instead. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
/* Each entry of a chain is a line of memory that is in no cache: short chains. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 5U

#define SHARD_BITS   4
#define SHARD_COUNT  (1u << SHARD_BITS)
#define MALLOC_BYTES 16 /* what malloc adds to a piece, about */

struct entry {
    UT_hash_handle hh;
    struct dns_answer *answer;
    bool used; /* since the clock's hand came by */
    uint8_t key[];
};

struct shard {
    _Alignas(64) pthread_mutex_t lock; /* a cache line that is not the neighbour's */
    struct entry *entries;             /* uthash; in the order of arrival */
    struct entry *hand;                /* CLOCK: the next to be looked at; NULL: first */
    size_t count, limit, bytes;
    uint64_t hits;
};

struct cache {
    struct shard shards[SHARD_COUNT];
};

/* --- keys --- */

#define LETTER(upper, lower) [upper] = lower, [lower] = lower

/* Characters of a label, in lower case; 0 for all else. A table, as every query comes
 * by here. */
static const uint8_t label_octets[256] = {
    LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'),
    LETTER('E', 'e'), LETTER('F', 'f'), LETTER('G', 'g'), LETTER('H', 'h'),
    LETTER('I', 'i'), LETTER('J', 'j'), LETTER('K', 'k'), LETTER('L', 'l'),
    LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'), LETTER('P', 'p'),
    LETTER('Q', 'q'), LETTER('R', 'r'), LETTER('S', 's'), LETTER('T', 't'),
    LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'),
    LETTER('Y', 'y'), LETTER('Z', 'z'), ['0'] = '0',      ['1'] = '1',
    ['2'] = '2',      ['3'] = '3',      ['4'] = '4',      ['5'] = '5',
    ['6'] = '6',      ['7'] = '7',      ['8'] = '8',      ['9'] = '9',
    ['-'] = '-',      ['_'] = '_',
};

/* Copies a name that may be queried. Returns its length, or 0. */
static size_t copy_name(const char *name, uint8_t out[static DNS_NAME_MAX + 1])
{
    const uint8_t *in = (const uint8_t *)name;
    size_t size = 0;

    for (;;) {
        size_t label = size;

        while (size < DNS_NAME_MAX && label_octets[in[size]] != 0) {
            out[size] = label_octets[in[size]];
            size++;
        }
        if (size == label || size - label > DNS_LABEL_MAX)
            return 0;
        if (in[size] == '\0') {
            out[size] = '\0';
            return size;
        }
        if (in[size] != '.' || size == DNS_NAME_MAX)
            return 0;
        out[size++] = '.';
    }
}

bool dns_key_make(struct dns_key *key, uint64_t secret, uint32_t upstream,
                  enum dns_type type, const char *name)
{
    size_t size = copy_name(name, key->octets + DNS_KEY_PREFIX);

    if (size == 0)
        return false;
    memcpy(key->octets, &upstream, sizeof upstream);
    key->octets[sizeof upstream] = (uint8_t)type;
    key->size = (uint16_t)(DNS_KEY_PREFIX + size);
    key->secret = secret;
    _Static_assert(offsetof(struct dns_key, octets) ==
                       offsetof(struct dns_key, secret) + sizeof(uint64_t),
                   "the secret is hashed together with the octets behind it");
    const uint8_t *hashed = (const uint8_t *)key + offsetof(struct dns_key, secret);
    HASH_JEN(hashed, sizeof key->secret + key->size, key->hash);
    return true;
}

const char *dns_key_name(const struct dns_key *key)
{
    return (const char *)key->octets + DNS_KEY_PREFIX;
}

enum dns_type dns_key_type(const struct dns_key *key)
{
    return (enum dns_type)key->octets[DNS_KEY_PREFIX - 1];
}

/* --- shards --- */

/* uthash takes its bucket from the low bits, so the shard is in the high ones. */
static struct shard *shard_of(struct cache *cache, const struct dns_key *key)
{
    return &cache->shards[key->hash >> (32 - SHARD_BITS)];
}

static size_t entry_bytes(const struct entry *entry)
{
    const struct dns_answer *answer = entry->answer;

    return sizeof *entry + entry->hh.keylen + MALLOC_BYTES + sizeof *answer +
           answer->address_count * sizeof answer->addresses[0] +
           (answer->text != NULL ? strlen(answer->text) + 1 : 0) + MALLOC_BYTES;
}

static struct entry *shard_find(struct shard *shard, const struct dns_key *key)
{
    struct entry *entry;

    HASH_FIND_BYHASHVALUE(hh, shard->entries, key->octets, key->size, key->hash, entry);
    return entry;
}

static void shard_remove(struct shard *shard, struct entry *entry)
{
    if (shard->hand == entry)
        shard->hand = entry->hh.next;
    HASH_DEL(shard->entries, entry);
    shard->count--;
    shard->bytes -= entry_bytes(entry);
    dns_answer_unref(entry->answer);
    free(entry);
}

/* Takes out the next entry that was not used since the hand came by the last time. */
static void shard_evict(struct shard *shard)
{
    for (;;) {
        struct entry *entry = shard->hand != NULL ? shard->hand : shard->entries;

        shard->hand = entry->hh.next;
        if (!entry->used) {
            shard_remove(shard, entry);
            return;
        }
        entry->used = false;
    }
}

/* Makes room for count entries of so many bytes. */
static void shard_shrink(struct shard *shard, size_t count, size_t bytes)
{
    while (shard->count > 0 && (shard->count + count > shard->limit ||
                                shard->bytes + bytes > shard->limit * CACHE_ANSWER_BYTES))
        shard_evict(shard);
}

static void shard_add(struct shard *shard, const struct dns_key *key,
                      struct dns_answer *answer)
{
    struct entry *entry = calloc(1, sizeof *entry + key->size);

    if (entry == NULL)
        return;
    memcpy(entry->key, key->octets, key->size);
    entry->answer = dns_answer_ref(answer);
    entry->hh.keylen = key->size;
    size_t bytes = entry_bytes(entry);
    shard_shrink(shard, 1, bytes);
    if (shard->limit == 0 || bytes > shard->limit * CACHE_ANSWER_BYTES)
        goto drop;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, shard->entries, entry->key, key->size, key->hash,
                                entry);
    if (entry->hh.tbl == NULL)
        goto drop;
    shard->count++;
    shard->bytes += bytes;
    return;
drop:
    dns_answer_unref(answer);
    free(entry);
}

void cache_resize(struct cache *cache, size_t limit)
{
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct shard *shard = &cache->shards[i];

        pthread_mutex_lock(&shard->lock);
        shard->limit = limit / SHARD_COUNT + (i < limit % SHARD_COUNT);
        shard_shrink(shard, 0, 0);
        pthread_mutex_unlock(&shard->lock);
    }
}

struct cache *cache_new(size_t limit)
{
    struct cache *cache = aligned_alloc(_Alignof(struct cache), sizeof *cache);

    if (cache == NULL)
        return NULL;
    memset(cache, 0, sizeof *cache);
    for (size_t i = 0; i < SHARD_COUNT; i++)
        pthread_mutex_init(&cache->shards[i].lock, NULL);
    cache_resize(cache, limit);
    return cache;
}

void cache_free(struct cache *cache)
{
    if (cache == NULL)
        return;
    cache_flush(cache);
    for (size_t i = 0; i < SHARD_COUNT; i++)
        pthread_mutex_destroy(&cache->shards[i].lock);
    free(cache);
}

static struct dns_answer *get(struct cache *cache, const struct dns_key *key,
                              int64_t since_ms, bool is_hit)
{
    struct shard *shard = shard_of(cache, key);
    struct dns_answer *answer = NULL;

    pthread_mutex_lock(&shard->lock);
    struct entry *entry = shard_find(shard, key);
    if (entry != NULL && entry->answer->expires_ms > since_ms) {
        answer = dns_answer_ref(entry->answer);
        entry->used = true;
        shard->hits += is_hit;
    }
    pthread_mutex_unlock(&shard->lock);
    return answer;
}

struct dns_answer *cache_get(struct cache *cache, const struct dns_key *key,
                             int64_t now_ms)
{
    return get(cache, key, now_ms, true);
}

struct dns_answer *cache_get_ended(struct cache *cache, const struct dns_key *key,
                                   int64_t since_ms)
{
    return get(cache, key, since_ms, false);
}

void cache_put(struct cache *cache, const struct dns_key *key, struct dns_answer *answer)
{
    struct shard *shard = shard_of(cache, key);

    pthread_mutex_lock(&shard->lock);
    struct entry *earlier = shard_find(shard, key);
    if (earlier != NULL)
        shard_remove(shard, earlier);
    shard_add(shard, key, answer);
    pthread_mutex_unlock(&shard->lock);
}

void cache_flush(struct cache *cache)
{
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct shard *shard = &cache->shards[i];

        pthread_mutex_lock(&shard->lock);
        struct entry *entry = shard->entries, *next;
        HASH_CLEAR(hh, shard->entries); /* frees the table, not the entries */
        shard->hand = NULL;
        shard->count = shard->bytes = 0;
        pthread_mutex_unlock(&shard->lock);
        for (; entry != NULL; entry = next) { /* in their order of arrival */
            next = entry->hh.next;
            dns_answer_unref(entry->answer);
            free(entry);
        }
    }
}

void cache_stats(struct cache *cache, struct cache_stats *out)
{
    *out = (struct cache_stats){0};
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct shard *shard = &cache->shards[i];

        pthread_mutex_lock(&shard->lock);
        out->hits += shard->hits;
        out->count += shard->count;
        out->bytes += shard->bytes;
        pthread_mutex_unlock(&shard->lock);
    }
}
