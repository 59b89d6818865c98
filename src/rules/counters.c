/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/shard.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define MALLOC_OCTETS 16 /* what malloc adds to a piece, about */

uint64_t counters_hash(const void *octets, size_t size)
{
    return octets_hash(octets, size, OCTETS_HASH_START);
}

/* --- events and readings --- */

static void key_count(struct key *key, const struct places *places,
                      const struct counter_event *event, int64_t now_s)
{
    for (size_t i = 0; i < places->layout.count; i++) {
        int span_s = places->layout.windows[i].span_s;

        if (places->layout.windows[i].count != event->count)
            continue;
        if (event->count == COUNT_STRANGERS)
            habits_add(key_habits(key, places, i), span_s, now_s, event->element,
                       event->network);
        else if (!count_is_distinct(event->count) && event->n < 0)
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
            memset(key_ring(key, places, i), 0, sizeof(struct ring)); /* habits stay */
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

/* A key, with its shard's lock held; NULL: it is not counted, and no lock is held. */
static struct key *find_locked(struct counters *counters, enum rule_by by,
                               const char *text, struct shard **shard)
{
    struct key_name name;
    struct key *key;

    if (!key_name_make(&name, by, text))
        return NULL;
    *shard = shard_of(counters, name.hash);
    pthread_mutex_lock(&(*shard)->lock);
    key = shard_find(*shard, &name);
    if (key == NULL)
        pthread_mutex_unlock(&(*shard)->lock);
    return key;
}

bool counters_read(struct counters *counters, enum rule_by by, const char *text,
                   int64_t now_s, struct counter_reading *out)
{
    struct shard *shard;
    const struct key *key = find_locked(counters, by, text, &shard);

    if (key == NULL)
        return false;
    if (out != NULL)
        key_read(key, &shard->places[by], now_s, out);
    pthread_mutex_unlock(&shard->lock);
    return true;
}

bool counters_bits(struct counters *counters, enum rule_by by, const char *text,
                   enum rule_count count, int span_s, int64_t now_s, uint64_t *bits)
{
    struct shard *shard;
    const struct key *key =
        count_is_distinct(count) ? find_locked(counters, by, text, &shard) : NULL;
    int window;

    if (key == NULL)
        return false;
    window = layout_find(&shard->places[by].layout, count, span_s);
    if (window >= 0)
        sketch_merge(key_sketch(key, &shard->places[by], (size_t)window), span_s, now_s,
                     bits);
    pthread_mutex_unlock(&shard->lock);
    return window >= 0;
}

bool counters_reset(struct counters *counters, enum rule_by by, const char *text)
{
    struct shard *shard;
    struct key *key = find_locked(counters, by, text, &shard);

    if (key == NULL)
        return false;
    key_settle(key, &shard->places[by], INT64_MAX, true);
    pthread_mutex_unlock(&shard->lock);
    return true;
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

static void places_of_next(struct places *next, const struct places *old,
                           const struct counter_layout *layout, int64_t now_s)
{
    places_make(next, layout);
    for (size_t i = 0; i < layout->count; i++) {
        struct counter_window *window = &next->layout.windows[i];
        int was = layout_find(&old->layout, window->count, window->span_s);

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
        int was = layout_find(&old->layout, next->layout.windows[i].count,
                              next->layout.windows[i].span_s);
        size_t size = count_size(next->layout.windows[i].count);

        if (was < 0)
            continue;
        memcpy(to.windows + next->offsets[i], key->windows + old->offsets[was], size);
        memset(key->windows + old->offsets[was], 0, size); /* a sketch's lists moved */
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
            if (key_sketch(key, places, i)->count[half] > SKETCH_FEW)
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
