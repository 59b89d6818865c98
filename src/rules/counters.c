/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/counters_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define IDLE_S          3600 /* after which a key makes room for another */
#define MOVE_S          300
#define CANDIDATE_HOUR  3600
#define CANDIDATE_COUNT 3  /* events with which a stranger's key begins to be counted */
#define MALLOC_OCTETS   16 /* what malloc adds to a piece, about */

uint64_t counters_hash(const void *octets, size_t size)
{
    return octets_hash(octets, size, OCTETS_HASH_START);
}

bool count_is_distinct(enum rule_count count)
{
    return count == COUNT_DISTINCT || count == COUNT_NETWORKS || count == COUNT_SENDERS ||
           count == COUNT_DOMAINS;
}

/* --- keys --- */

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
static void places_make(struct places *places, const struct counter_layout *layout)
{
    size_t at = 0;

    places->layout = *layout;
    for (int distinct = 1; distinct >= 0; distinct--)
        for (size_t i = 0; i < layout->count; i++)
            if (count_is_distinct(layout->windows[i].count) == distinct) {
                places->offsets[i] = (uint16_t)at;
                at += distinct ? sizeof(struct sketch) : sizeof(struct ring);
            }
    places->size = at;
}

static bool window_is_distinct(const struct places *places, size_t window)
{
    return count_is_distinct(places->layout.windows[window].count);
}

static void windows_clear(struct key *key, const struct places *places)
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

/* --- tables --- */

static struct key *shard_find(struct shard *shard, const struct key_name *name)
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

static void shard_remove(struct counters *counters, struct shard *shard, struct key *key)
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
    if (idle == NULL || now_s - idle->last_seen_s < IDLE_S) {
        shard->refused++;
        return false;
    }
    shard_remove(counters, shard, idle);
    return true;
}

struct key *shard_add(struct counters *counters, struct shard *shard,
                      const struct key_name *name, enum counter_table table,
                      int64_t now_s)
{
    struct key *key = NULL;

    if (!shard_make_room(counters, shard, table, now_s))
        return NULL;
    key = key_new(name, &shard->places[(int)name->octets[0]], table, now_s);
    if (key != NULL &&
        !shard_link(counters, shard, key, name->size, (unsigned)name->hash, now_s)) {
        key_free(key, &shard->places[(int)name->octets[0]]);
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
 * that come once pushes out what is older, and none of them passes. */
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

/* --- events and readings --- */

static void key_count(struct key *key, const struct places *places,
                      const struct counter_event *event, int64_t now_s)
{
    for (size_t i = 0; i < places->layout.count; i++) {
        int span_s = places->layout.windows[i].span_s;

        if (places->layout.windows[i].count != event->count)
            continue;
        if (!count_is_distinct(event->count) && event->n < 0)
            ring_take_back(key_ring(key, places, i), span_s, event->at_s,
                           0u - (unsigned)event->n);
        else if (event->n > 0 && count_is_distinct(event->count))
            sketch_add(key_sketch(key, places, i), span_s, now_s, event->element);
        else if (event->n > 0)
            ring_add(key_ring(key, places, i), span_s, now_s, (uint32_t)event->n);
    }
}

static void key_read(const struct key *key, const struct places *places, int64_t now_s,
                     struct counter_reading *out)
{
    out->first_seen_s = key->first_seen_s;
    out->last_seen_s = key->last_seen_s;
    out->count = places->layout.count;
    memcpy(out->windows, places->layout.windows, out->count * sizeof out->windows[0]);
    for (size_t i = 0; i < out->count; i++)
        out->values[i] =
            window_is_distinct(places, i)
                ? sketch_value(key_sketch(key, places, i), out->windows[i].span_s, now_s)
                : ring_value(key_ring(key, places, i), out->windows[i].span_s, now_s);
}

/* The key of an event, which may be its first; NULL where it is not counted. */
static struct key *shard_enter(struct counters *counters, struct shard *shard,
                               const struct key_name *name, bool by_stranger,
                               int64_t now_s)
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

/* What is counted of a time that is still to come counts no more, or nothing does. */
static void key_settle(struct key *key, const struct places *places, int64_t now_s,
                       bool clear)
{
    for (size_t i = 0; i < places->layout.count; i++) {
        int span_s = places->layout.windows[i].span_s;

        if (window_is_distinct(places, i)) {
            if (clear || sketch_is_ahead(key_sketch(key, places, i), span_s, now_s))
                sketch_clear(key_sketch(key, places, i));
        } else if (clear || ring_is_ahead(key_ring(key, places, i), span_s, now_s)) {
            memset(key_ring(key, places, i), 0, sizeof(struct ring));
        }
    }
    key->moved_s = key->moved_s < now_s ? key->moved_s : now_s;
    key->last_seen_s = key->last_seen_s < now_s ? key->last_seen_s : now_s;
    key->first_seen_s = key->first_seen_s < now_s ? key->first_seen_s : now_s;
}

static bool has_news(const struct counter_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (events[i].n > 0)
            return true;
    return false;
}

bool counters_add(struct counters *counters, enum rule_by by, const char *text,
                  bool by_stranger, const struct counter_event *events, size_t count,
                  int64_t now_s, struct counter_reading *out)
{
    struct key_name name;
    struct shard *shard;
    struct key *key = NULL;
    const struct places *places;

    if (!counters_want(counters, by) || !key_name_make(&name, by, text))
        return false;
    shard = shard_of(counters, name.hash);
    places = &shard->places[by];
    pthread_mutex_lock(&shard->lock);
    if (places->layout.count > 0)
        key = has_news(events, count)
                  ? shard_enter(counters, shard, &name, by_stranger, now_s)
                  : shard_find(shard, &name);
    if (key != NULL) {
        for (size_t i = 0; i < count; i++)
            key_count(key, places, &events[i], now_s);
        if (out != NULL)
            key_read(key, places, now_s, out);
    }
    pthread_mutex_unlock(&shard->lock);
    return key != NULL;
}

bool counters_read(struct counters *counters, enum rule_by by, const char *text,
                   int64_t now_s, struct counter_reading *out)
{
    struct key_name name;
    struct shard *shard;
    const struct key *key;

    if (!key_name_make(&name, by, text))
        return false;
    shard = shard_of(counters, name.hash);
    pthread_mutex_lock(&shard->lock);
    key = shard_find(shard, &name);
    if (key != NULL)
        key_read(key, &shard->places[by], now_s, out);
    pthread_mutex_unlock(&shard->lock);
    return key != NULL;
}

bool counters_reset(struct counters *counters, enum rule_by by, const char *text)
{
    struct key_name name;
    struct shard *shard;
    struct key *key;

    if (!key_name_make(&name, by, text))
        return false;
    shard = shard_of(counters, name.hash);
    pthread_mutex_lock(&shard->lock);
    key = shard_find(shard, &name);
    if (key != NULL)
        windows_clear(key, &shard->places[by]);
    pthread_mutex_unlock(&shard->lock);
    return key != NULL;
}

void counters_each(struct counters *counters, enum rule_by by, int64_t now_s,
                   counters_each_key *each, void *context)
{
    struct counter_reading reading;

    for (struct shard *s = counters->shards; s < counters->shards + SHARD_COUNT; s++) {
        pthread_mutex_lock(&s->lock);
        for (int table = 0; table < TABLE_COUNT; table++)
            for (struct key *key = s->tables[table]; key != NULL; key = key->hh.next)
                if (key_by(key) == by) {
                    key_read(key, &s->places[by], now_s, &reading);
                    each(context, key_text(key), &reading);
                }
        pthread_mutex_unlock(&s->lock);
    }
}

size_t counters_active(struct counters *counters, enum rule_by by, int64_t since_s)
{
    size_t active = 0;

    for (struct shard *s = counters->shards; s < counters->shards + SHARD_COUNT; s++) {
        pthread_mutex_lock(&s->lock);
        for (int table = 0; table < TABLE_COUNT; table++)
            for (const struct key *key = s->tables[table]; key != NULL;
                 key = key->hh.next)
                active += key_by(key) == by && key->last_seen_s >= since_s;
        pthread_mutex_unlock(&s->lock);
    }
    return active;
}

/* --- layouts --- */

bool counters_want(const struct counters *counters, enum rule_by by)
{
    return atomic_load_explicit(&counters->wanted[by], memory_order_relaxed) != 0;
}

bool counters_want_count(const struct counters *counters, enum rule_by by,
                         enum rule_count count)
{
    return atomic_load_explicit(&counters->wanted[by], memory_order_relaxed) >> count & 1;
}

static int window_find(const struct counter_layout *layout,
                       const struct counter_window *like)
{
    for (size_t i = 0; i < layout->count; i++)
        if (layout->windows[i].count == like->count &&
            layout->windows[i].span_s == like->span_s)
            return (int)i;
    return -1;
}

static void places_of_next(struct places *next, const struct places *old,
                           const struct counter_layout *layout, int64_t now_s)
{
    places_make(next, layout);
    for (size_t i = 0; i < layout->count; i++) {
        struct counter_window *window = &next->layout.windows[i];
        int was = window_find(&old->layout, window);

        window->since_s = was >= 0 ? old->layout.windows[was].since_s : now_s;
    }
}

/* Moves a key's windows to other places. */
static int key_convert(struct key *key, const struct places *old,
                       const struct places *next)
{
    struct key to = {.windows = calloc(1, next->size > 0 ? next->size : 1)};

    if (to.windows == NULL)
        return -1;
    for (size_t i = 0; i < next->layout.count; i++) {
        int was = window_find(&old->layout, &next->layout.windows[i]);

        if (was < 0)
            continue;
        if (window_is_distinct(next, i)) {
            *key_sketch(&to, next, i) = *key_sketch(key, old, (size_t)was);
            memset(key_sketch(key, old, (size_t)was), 0, sizeof(struct sketch));
        } else {
            *key_ring(&to, next, i) = *key_ring(key, old, (size_t)was);
        }
    }
    windows_clear(key, old);
    free(key->windows);
    key->windows = to.windows;
    return 0;
}

/* Converts a table's keys; those of no use any more and, from the one idle longest, those
 * beyond keep, go. */
static void shard_convert(struct counters *counters, struct shard *shard, int table,
                          const struct places next[static RULE_BY_COUNT], size_t keep)
{
    struct key *key, *following;

    for (key = shard->tables[table]; key != NULL; key = following) {
        const struct places *to = &next[key_by(key)];

        following = key->hh.next;
        if (to->layout.count == 0 || HASH_COUNT(shard->tables[table]) > keep) {
            shard_remove(counters, shard, key);
        } else if (key_convert(key, &shard->places[key_by(key)], to) != 0) {
            shard_remove(counters, shard, key);
            shard->refused++;
        }
    }
}

void counters_configure(struct counters *counters, size_t max_keys,
                        const struct counter_layout layouts[static RULE_BY_COUNT],
                        int64_t now_s)
{
    size_t had[TABLE_COUNT];

    for (int table = 0; table < TABLE_COUNT; table++)
        had[table] = atomic_load(&counters->key_counts[table]);
    atomic_store(&counters->max_keys, max_keys);
    for (int by = 0; by < RULE_BY_COUNT; by++) {
        unsigned wanted = 0;

        for (size_t i = 0; i < layouts[by].count; i++)
            wanted |= 1u << layouts[by].windows[i].count;
        atomic_store(&counters->wanted[by], wanted);
    }
    for (struct shard *s = counters->shards; s < counters->shards + SHARD_COUNT; s++) {
        struct places next[RULE_BY_COUNT] = {0};

        pthread_mutex_lock(&s->lock);
        for (int by = 0; by < RULE_BY_COUNT; by++)
            places_of_next(&next[by], &s->places[by], &layouts[by], now_s);
        for (int table = 0; table < TABLE_COUNT; table++) {
            size_t keep = HASH_COUNT(s->tables[table]);

            if (had[table] > max_keys) /* each shard gives its part */
                keep = keep * max_keys / had[table];
            shard_convert(counters, s, table, next, keep);
        }
        memcpy(s->places, next, sizeof next);
        pthread_mutex_unlock(&s->lock);
    }
}

void counters_unobserved(struct counters *counters, int64_t now_s, bool clear)
{
    for (struct shard *s = counters->shards; s < counters->shards + SHARD_COUNT; s++) {
        pthread_mutex_lock(&s->lock);
        for (int by = 0; by < RULE_BY_COUNT; by++)
            for (size_t i = 0; i < s->places[by].layout.count; i++)
                s->places[by].layout.windows[i].since_s = now_s;
        for (int table = 0; table < TABLE_COUNT; table++)
            for (struct key *key = s->tables[table]; key != NULL; key = key->hh.next)
                key_settle(key, &s->places[key_by(key)], now_s, clear);
        pthread_mutex_unlock(&s->lock);
    }
}

/* --- all of it --- */

struct counters *counters_new(size_t max_keys,
                              const struct counter_layout layouts[static RULE_BY_COUNT],
                              int64_t now_s)
{
    struct counters *counters =
        aligned_alloc(_Alignof(struct counters), sizeof *counters);

    if (counters == NULL)
        return NULL;
    memset(counters, 0, sizeof *counters);
    for (size_t i = 0; i < SHARD_COUNT; i++)
        pthread_mutex_init(&counters->shards[i].lock, NULL);
    counters_configure(counters, max_keys, layouts, now_s);
    return counters;
}

void counters_clear(struct counters *counters)
{
    for (struct shard *s = counters->shards; s < counters->shards + SHARD_COUNT; s++) {
        pthread_mutex_lock(&s->lock);
        for (int table = 0; table < TABLE_COUNT; table++)
            while (s->tables[table] != NULL)
                shard_remove(counters, s, s->tables[table]);
        pthread_mutex_unlock(&s->lock);
    }
}

void counters_free(struct counters *counters)
{
    if (counters == NULL)
        return;
    counters_clear(counters);
    for (size_t i = 0; i < SHARD_COUNT; i++)
        pthread_mutex_destroy(&counters->shards[i].lock);
    free(counters);
}

static size_t key_memory(const struct key *key, const struct places *places)
{
    size_t octets = sizeof *key + key->hh.keylen + places->size + 2 * MALLOC_OCTETS;

    for (size_t i = 0; i < places->layout.count; i++)
        for (int half = 0; half < 2 && window_is_distinct(places, i); half++)
            if (key_sketch(key, places, i)->count[half] == SKETCH_MANY)
                octets += SKETCH_OCTETS + MALLOC_OCTETS;
    return octets;
}

void counters_stats(struct counters *counters, struct counters_stats *out)
{
    *out = (struct counters_stats){.octets = sizeof *counters};
    for (struct shard *s = counters->shards; s < counters->shards + SHARD_COUNT; s++) {
        pthread_mutex_lock(&s->lock);
        out->refused += s->refused;
        for (int table = 0; table < TABLE_COUNT; table++) {
            out->octets += HASH_OVERHEAD(hh, s->tables[table]);
            for (struct key *key = s->tables[table]; key != NULL; key = key->hh.next) {
                out->keys[key_by(key)]++;
                out->octets += key_memory(key, &s->places[key_by(key)]);
            }
        }
        pthread_mutex_unlock(&s->lock);
    }
}
