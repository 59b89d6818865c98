/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_SHARD_H
#define RULES_SHARD_H

/* Counters are 64 shards of keys. All of a shard is read and changed with its lock held. */

#include <pthread.h>
#include <stdatomic.h>

#include "rules/counters.h"
#include "rules/window.h"

/* Without memory uthash would end the process: it leaves the key out instead. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
/* Each key of a chain is a line of memory that is in no cache: short chains. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 5U

#define SHARD_BITS  6
#define SHARD_COUNT (1u << SHARD_BITS)

/* Which table a key is in: a stranger's key evicts none of the others. */
enum counter_table { TABLE_LOGINS, TABLE_STRANGERS };
#define TABLE_COUNT 2

/* The windows of a kind of key, and where in its memory each is: a struct sketch for
 * distinct counts, struct habits for strangers, else a struct ring; habits begin with one. */
struct places {
    struct counter_layout layout;
    uint16_t offsets[COUNTER_WINDOWS_MAX];
    size_t size;
};

struct key {
    UT_hash_handle hh;
    int64_t first_seen_s, last_seen_s;
    int64_t moved_s;        /* to the end of its table */
    unsigned char *windows; /* as its kind's places say */
    uint8_t table;
    char octets[]; /* enum rule_by, then the text, which ends with NUL */
};

/* What a key is found by. */
struct key_name {
    char octets[1 + COUNTER_KEY_SIZE];
    size_t size; /* with the NUL */
    uint64_t hash;
};

/* Strangers' keys of which less than three events were seen in this hour: sets of tags
 * with their number, the one seen last first. */
#define CANDIDATE_SETS 512
#define CANDIDATE_WAYS 8

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct key *tables[TABLE_COUNT]; /* uthash; the key that is idle longest first */
    struct places places[RULE_BY_COUNT];
    uint64_t refused;
    int64_t candidates_hour;
    uint32_t candidates[CANDIDATE_SETS][CANDIDATE_WAYS];
};

struct counters {
    struct shard shards[SHARD_COUNT];
    atomic_size_t max_keys; /* of each table */
    atomic_size_t key_counts[TABLE_COUNT];
    atomic_uint wanted[RULE_BY_COUNT]; /* a bit for each enum rule_count */
};

bool count_is_distinct(enum rule_count count);
size_t count_size(enum rule_count count); /* of a window */
bool window_is_distinct(const struct places *places, size_t window);

/* The number of a window, or -1. */
int layout_find(const struct counter_layout *layout, enum rule_count count, int span_s);

void places_make(struct places *places, const struct counter_layout *layout);

/* False where the text is too long. */
bool key_name_make(struct key_name *name, enum rule_by by, const char *text);

/* Empties all windows of a key. */
void windows_clear(struct key *key, const struct places *places);

struct shard *shard_of(struct counters *counters, uint64_t hash);
struct key *shard_find(struct shard *shard, const struct key_name *name);

/* The key of an event, which may be its first; NULL where it is not counted. */
struct key *shard_enter(struct counters *counters, struct shard *shard,
                        const struct key_name *name, bool by_stranger, int64_t now_s);

/* A new key at the end of its table, or NULL: no room, no memory. */
struct key *shard_add(struct counters *counters, struct shard *shard,
                      const struct key_name *name, enum counter_table table,
                      int64_t now_s);

void shard_remove(struct counters *counters, struct shard *shard, struct key *key);

static inline enum rule_by key_by(const struct key *key)
{
    return (enum rule_by)key->octets[0];
}

static inline const char *key_text(const struct key *key)
{
    return key->octets + 1;
}

static inline struct ring *key_ring(const struct key *key, const struct places *places,
                                    size_t window)
{
    return (struct ring *)(void *)(key->windows + places->offsets[window]);
}

static inline struct habits *key_habits(const struct key *key,
                                        const struct places *places, size_t window)
{
    return (struct habits *)(void *)(key->windows + places->offsets[window]);
}

static inline struct sketch *key_sketch(const struct key *key,
                                        const struct places *places, size_t window)
{
    return (struct sketch *)(void *)(key->windows + places->offsets[window]);
}

/* Forgets all keys. */
void counters_clear(struct counters *counters);

#endif
