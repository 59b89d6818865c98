/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/shard.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define IDLE_S          3600 /* after which a key makes room for another */
#define MOVE_S          300
#define CANDIDATE_HOUR  3600
#define CANDIDATE_COUNT 3 /* events with which a stranger's key begins to be counted */

bool count_is_distinct(enum rule_count count)
{
    return count == COUNT_DISTINCT || count == COUNT_NETWORKS || count == COUNT_SENDERS ||
           count == COUNT_DOMAINS;
}

size_t count_size(enum rule_count count)
{
    return count_is_distinct(count)   ? sizeof(struct sketch)
           : count == COUNT_STRANGERS ? sizeof(struct habits)
                                      : sizeof(struct ring);
}

int layout_find(const struct counter_layout *layout, enum rule_count count, int span_s)
{
    for (size_t i = 0; i < layout->count; i++)
        if (layout->windows[i].count == count && layout->windows[i].span_s == span_s)
            return (int)i;
    return -1;
}

bool key_name_make(struct key_name *name, enum rule_by by, const char *text)
{
    name->octets[0] = (char)by;
    if (!text_copy(text, name->octets + 1, sizeof name->octets - 1))
        return false;
    name->size = strlen(text) + 2;
    name->hash = counters_hash(name->octets, name->size);
    return true;
}

/* uthash takes its bucket from the low bits, so the shard is in the high ones. */
struct shard *shard_of(struct counters *counters, uint64_t hash)
{
    return &counters->shards[hash >> (64 - SHARD_BITS)];
}

/* Sketches first: they have pointers. */
void places_make(struct places *places, const struct counter_layout *layout)
{
    size_t at = 0;

    places->layout = *layout;
    for (int distinct = 1; distinct >= 0; distinct--)
        for (size_t i = 0; i < layout->count; i++)
            if (count_is_distinct(layout->windows[i].count) == distinct) {
                places->offsets[i] = (uint16_t)at;
                at += count_size(layout->windows[i].count);
            }
    places->size = at;
}

bool window_is_distinct(const struct places *places, size_t window)
{
    return count_is_distinct(places->layout.windows[window].count);
}

void windows_clear(struct key *key, const struct places *places)
{
    for (size_t i = 0; i < places->layout.count; i++)
        if (window_is_distinct(places, i))
            sketch_clear(key_sketch(key, places, i));
    memset(key->windows, 0, places->size);
}

static void key_free(struct key *key, const struct places *places)
{
    windows_clear(key, places);
    free(key->windows);
    free(key);
}

static struct key *key_new(const struct key_name *name, const struct places *places,
                           enum counter_table table, int64_t now_s)
{
    struct key *key = calloc(1, sizeof *key + name->size);

    if (key == NULL)
        return NULL;
    key->windows = calloc(1, places->size);
    if (key->windows == NULL) {
        free(key);
        return NULL;
    }
    key->first_seen_s = key->last_seen_s = now_s;
    key->table = (uint8_t)table;
    memcpy(key->octets, name->octets, name->size);
    return key;
}

struct key *shard_find(struct shard *shard, const struct key_name *name)
{
    struct key *key = NULL;

    for (int table = 0; table < TABLE_COUNT && key == NULL; table++)
        HASH_FIND_BYHASHVALUE(hh, shard->tables[table], name->octets, name->size,
                              (unsigned)name->hash, key);
    return key;
}

static void shard_unlink(struct counters *counters, struct shard *shard, struct key *key)
{
    HASH_DEL(shard->tables[key->table], key);
    atomic_fetch_sub(&counters->key_counts[key->table], 1);
}

void shard_remove(struct counters *counters, struct shard *shard, struct key *key)
{
    shard_unlink(counters, shard, key);
    key_free(key, &shard->places[key_by(key)]);
}

/* Puts a key to the end of its table; false, with the key in none, without memory. */
static bool shard_link(struct counters *counters, struct shard *shard, struct key *key,
                       size_t size, unsigned hash, int64_t now_s)
{
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, shard->tables[key->table], key->octets, size, hash,
                                key);
    if (key->hh.tbl == NULL)
        return false;
    atomic_fetch_add(&counters->key_counts[key->table], 1);
    key->moved_s = now_s;
    return true;
}

/* Whether a table has room for one more, or a key of this shard that was idle makes it. */
static bool shard_make_room(struct counters *counters, struct shard *shard,
                            enum counter_table table, int64_t now_s)
{
    struct key *idle = shard->tables[table];

    if (atomic_load(&counters->key_counts[table]) < atomic_load(&counters->max_keys))
        return true;
    if (idle == NULL || now_s - idle->last_seen_s < IDLE_S)
        return false;
    shard_remove(counters, shard, idle);
    return true;
}

struct key *shard_add(struct counters *counters, struct shard *shard,
                      const struct key_name *name, enum counter_table table,
                      int64_t now_s)
{
    const struct places *places = &shard->places[(int)name->octets[0]];
    struct key *key = NULL;

    if (shard_make_room(counters, shard, table, now_s))
        key = key_new(name, places, table, now_s);
    if (key != NULL &&
        !shard_link(counters, shard, key, name->size, (unsigned)name->hash, now_s)) {
        key_free(key, places);
        key = NULL;
    }
    if (key == NULL)
        shard->refused++;
    return key;
}

/* To the end of its table, or another table; NULL where the key is lost for want of memory. */
static struct key *shard_move(struct counters *counters, struct shard *shard,
                              struct key *key, enum counter_table table, int64_t now_s)
{
    if (table == key->table && key->hh.next == NULL) {
        key->moved_s = now_s;
        return key;
    }
    shard_unlink(counters, shard, key);
    key->table = (uint8_t)table;
    if (shard_link(counters, shard, key, key->hh.keylen, key->hh.hashv, now_s))
        return key;
    shard->refused++;
    key_free(key, &shard->places[key_by(key)]);
    return NULL;
}

/* Whether this is at least the third event of a stranger's key in this hour. A flood of keys
 * that come once pushes out what is older, and none of them passes. The two lowest bits of
 * a tag count. */
static bool candidate_passes(struct shard *shard, uint64_t hash, int64_t now_s)
{
    uint32_t *set = shard->candidates[hash % CANDIDATE_SETS];
    uint32_t tag = (uint32_t)(hash >> 24) | 3u, found = tag & ~3u;
    int64_t hour = now_s / CANDIDATE_HOUR;
    int at = 0;

    if (hour != shard->candidates_hour)
        memset(shard->candidates, 0, sizeof shard->candidates);
    shard->candidates_hour = hour;
    while (at < CANDIDATE_WAYS - 1 && (set[at] | 3u) != tag)
        at++;
    if ((set[at] | 3u) == tag)
        found = set[at];
    memmove(set + 1, set, (size_t)at * sizeof *set);
    set[0] = found + ((found & 3u) < CANDIDATE_COUNT);
    return (set[0] & 3u) == CANDIDATE_COUNT;
}

struct key *shard_enter(struct counters *counters, struct shard *shard,
                        const struct key_name *name, bool by_stranger, int64_t now_s)
{
    struct key *key = shard_find(shard, name);
    enum counter_table table =
        name->octets[0] == RULE_BY_LOGIN && !by_stranger ? TABLE_LOGINS : TABLE_STRANGERS;

    if (key == NULL) {
        if (by_stranger && !candidate_passes(shard, name->hash, now_s))
            return NULL;
        return shard_add(counters, shard, name, table, now_s);
    }
    if (now_s > key->last_seen_s)
        key->last_seen_s = now_s;
    /* A login that only strangers had named before. */
    if (table < key->table && shard_make_room(counters, shard, table, now_s))
        return shard_move(counters, shard, key, table, now_s);
    if (now_s - key->moved_s >= MOVE_S)
        return shard_move(counters, shard, key, (enum counter_table)key->table, now_s);
    return key;
}
