/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/others_parts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "rules/shard.h" /* uthash, key names */
#include "rules/usage.h"

#define NOTED_MAX 1000
#define HEARD_MAX 10000 /* rows */
#define ACTIVE_S  60    /* who has seen the key within that may be the one to act */
/* Others hear of a key, and report what they have of it, before the sum counts: a share of
 * them that is not reported yet would be missed. */
#define SETTLE_MS 12000

/* A key in one of the tables. */
struct other {
    UT_hash_handle hh;
    int64_t since_ms;              /* it is in the table */
    int64_t over_ms, over_last_ms; /* a limit, since then, and lately */
    struct heard *heard;           /* NULL: of noted */
    enum rule_by by;
    struct key_name name;
};

struct others {
    pthread_mutex_t lock; /* held for moments only */
    struct other *noted;  /* what is to be reported */
    struct other *heard;
    int64_t heard_until_ms;
    char node[256];
    _Atomic unsigned near; /* a limit by so many is near */
    atomic_bool active;    /* the farm is there */
};

struct others *others_new(void)
{
    struct others *others = calloc(1, sizeof *others);

    if (others == NULL)
        return NULL;
    pthread_mutex_init(&others->lock, NULL);
    atomic_init(&others->near, 4);
    return others;
}

static void table_free(struct other **table)
{
    struct other *one, *next;

    HASH_ITER (hh, *table, one, next) {
        HASH_DEL(*table, one);
        for (struct heard *heard = one->heard, *after; heard != NULL; heard = after) {
            after = heard->next;
            heard_free(heard);
        }
        free(one);
    }
}

void others_free(struct others *others)
{
    if (others == NULL)
        return;
    table_free(&others->noted);
    table_free(&others->heard);
    pthread_mutex_destroy(&others->lock);
    free(others);
}

static struct other *table_find(struct other *table, const struct key_name *name)
{
    struct other *one = NULL;

    HASH_FIND(hh, table, name->octets, name->size, one);
    return one;
}

/* NULL: no memory, or there are so many. */
static struct other *table_add(struct other **table, enum rule_by by,
                               const struct key_name *name, unsigned most)
{
    struct other *one = HASH_COUNT(*table) < most ? calloc(1, sizeof *one) : NULL;

    if (one == NULL)
        return NULL;
    one->by = by;
    one->name = *name;
    one->since_ms = clock_ms();
    HASH_ADD_KEYPTR(hh, *table, one->name.octets, one->name.size, one);
    if (one->hh.tbl == NULL) {
        free(one);
        return NULL;
    }
    return one;
}

/* --- what is near a limit --- */

/* The greatest part of a limit that a key has reached, in thousandths. */
static int64_t nearness(const struct config *config, enum rule_by by,
                        const struct counter_reading *reading, int64_t now_s)
{
    int64_t most = 0;

    for (size_t r = 0; r < config->rule_count; r++) {
        const struct rule *rule = &config->rules[r];

        for (size_t i = 0;
             rule->by == by && rule->mode != RULE_OFF && i < rule->over_count; i++) {
            int64_t value =
                rule_value(reading, rule->over[i].count, rule->over[i].span_s, now_s);
            int64_t part = value > 0 ? value * 1000 / rule->over[i].number : 0;

            most = part > most ? part : most;
        }
    }
    return most;
}

void others_note(struct others *others, const struct config *config, enum rule_by by,
                 const char *key, const struct counter_reading *own, int64_t now_s)
{
    struct key_name name;

    if (!atomic_load_explicit(&others->active, memory_order_relaxed) ||
        nearness(config, by, own, now_s) * atomic_load(&others->near) < 1000 ||
        !key_name_make(&name, by, key))
        return;
    pthread_mutex_lock(&others->lock);
    if (table_find(others->noted, &name) == NULL)
        (void)table_add(&others->noted, by, &name, NOTED_MAX);
    pthread_mutex_unlock(&others->lock);
}

/* --- what is reported --- */

/* What may be reported. */
struct reportable {
    enum rule_by by;
    char key[COUNTER_KEY_SIZE];
    int64_t nearness;
};

static int nearer(const void *a, const void *b)
{
    const struct reportable *x = a, *y = b;

    return (x->nearness < y->nearness) - (x->nearness > y->nearness);
}

/* Keys that were noted here, and those that others have noted. */
static size_t copy_keys(struct others *others, struct reportable **out)
{
    size_t count = 0, room;

    pthread_mutex_lock(&others->lock);
    room = HASH_COUNT(others->noted) + HASH_COUNT(others->heard);
    *out = calloc(room + 1, sizeof **out);
    for (int table = 0; table < 2 && *out != NULL; table++)
        for (struct other *one = table == 0 ? others->noted : others->heard; one != NULL;
             one = one->hh.next) {
            if (table == 1 && table_find(others->noted, &one->name) != NULL)
                continue;
            (*out)[count].by = one->by;
            (void)text_copy(one->name.octets + 1, (*out)[count++].key, COUNTER_KEY_SIZE);
        }
    pthread_mutex_unlock(&others->lock);
    return count;
}

/* It is not near any more. */
static void forget(struct others *others, const struct reportable *key)
{
    struct key_name name;
    struct other *one;

    if (!key_name_make(&name, key->by, key->key))
        return;
    pthread_mutex_lock(&others->lock);
    one = table_find(others->noted, &name);
    if (one != NULL) {
        HASH_DEL(others->noted, one);
        free(one);
    }
    pthread_mutex_unlock(&others->lock);
}

json_t *others_report(struct others *others, struct counters *counters,
                      const struct config *config, int64_t now_s)
{
    struct counter_reading reading;
    struct reportable *keys;
    size_t count;
    json_t *rows = json_array();

    atomic_store(&others->active, true);
    count = copy_keys(others, &keys);
    for (size_t i = 0; i < count; i++) {
        keys[i].nearness =
            counters_read(counters, keys[i].by, keys[i].key, now_s, &reading)
                ? nearness(config, keys[i].by, &reading, now_s)
                : -1;
        if (keys[i].nearness * atomic_load(&others->near) < 1000)
            forget(others, &keys[i]);
    }
    if (count > 0)
        qsort(keys, count, sizeof *keys, nearer);
    for (size_t i = 0; i < count && json_array_size(rows) < OTHERS_KEYS_MAX; i++) {
        char *body;

        if (keys[i].nearness < 0 ||
            !counters_read(counters, keys[i].by, keys[i].key, now_s, &reading))
            continue;
        body = heard_write(counters, keys[i].by, keys[i].key, &reading, now_s);
        if (body != NULL && strlen(body) <= HEARD_TEXT_MAX)
            (void)json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "kind",
                                                        rule_by_name(keys[i].by), "key",
                                                        keys[i].key, "body", body));
        free(body);
    }
    free(keys);
    return rows;
}

/* --- what is heard --- */

static int by_of(const char *name, enum rule_by *by)
{
    for (int i = 0; i < RULE_BY_COUNT; i++)
        if (strcmp(rule_by_name((enum rule_by)i), name) == 0) {
            *by = (enum rule_by)i;
            return 0;
        }
    return -1;
}

static uint64_t turn_of(const char *node, const struct key_name *name)
{
    return counters_hash(node, strlen(node)) * UINT64_C(0x9e3779b97f4a7c15) ^ name->hash;
}

/* Adds a row to a table that is being made; one that fails a check is left out. */
static void hear_row(struct other **table, const struct farm_count *row)
{
    struct key_name name;
    struct heard *heard;
    struct other *one;
    enum rule_by by, is;

    if (by_of(row->kind, &by) != 0 || usage_by_of(row->key, &is) != 0 || is != by ||
        !key_name_make(&name, by, row->key))
        return;
    heard = heard_read(row->body);
    if (heard == NULL)
        return;
    heard->turn = turn_of(row->node, &name);
    one = table_find(*table, &name);
    if (one == NULL)
        one = table_add(table, by, &name, HEARD_MAX);
    if (one == NULL) {
        heard_free(heard);
        return;
    }
    heard->next = one->heard;
    one->heard = heard;
}

void others_hear(struct others *others, const char *own_node, unsigned hosts,
                 const struct farm_count *rows, size_t count)
{
    struct other *table = NULL, *old, *one;

    for (size_t i = 0; i < count && i < HEARD_MAX; i++)
        hear_row(&table, &rows[i]);
    pthread_mutex_lock(&others->lock);
    for (one = table; one != NULL && clock_ms() < others->heard_until_ms;
         one = one->hh.next) {
        const struct other *was = table_find(others->heard, &one->name);

        if (was == NULL)
            continue;
        one->since_ms = was->since_ms;
        one->over_ms = was->over_ms;
        one->over_last_ms = was->over_last_ms;
    }
    old = others->heard;
    others->heard = table;
    others->heard_until_ms = clock_ms() + OTHERS_HOLD_MS;
    (void)text_copy(own_node, others->node, sizeof others->node);
    pthread_mutex_unlock(&others->lock);
    atomic_store(&others->near, hosts < 4              ? 4
                                : hosts > RULE_SUPPORT ? RULE_SUPPORT
                                                       : hosts);
    table_free(&old);
}

/* --- both together --- */

/* Adds one host's word to a window of sum, and its bits to those of a distinct one. */
static void add_window(const struct heard *heard, struct counter_window *window,
                       uint32_t *value, uint64_t bits[static SKETCH_BITS / 64],
                       int64_t now_s)
{
    int64_t sum;

    for (size_t i = 0; i < heard->count; i++) {
        if (heard->windows[i].count != window->count ||
            heard->windows[i].span_s != window->span_s || heard->windows[i].value < 0)
            continue;
        sum = *value + heard->windows[i].value; /* of 0 to UINT32_MAX: see heard_read */
        if (!count_is_distinct(window->count))
            *value = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
        for (size_t k = 0; heard->windows[i].bits != NULL && k < SKETCH_BITS / 64; k++)
            bits[k] |= heard->windows[i].bits[k];
        return;
    }
    window->since_s = now_s; /* nobody knows what that host has seen */
}

/* Under the lock. */
static unsigned put_together(const struct other *one, struct counters *counters,
                             enum rule_by by, const char *key, int64_t now_s,
                             struct counter_reading *sum)
{
    unsigned hosts = 1;

    for (size_t i = 0; i < sum->count; i++) {
        struct counter_window *window = &sum->windows[i];
        uint64_t bits[SKETCH_BITS / 64] = {0};

        for (const struct heard *heard = one->heard; heard != NULL; heard = heard->next)
            add_window(heard, window, &sum->values[i], bits, now_s);
        if (count_is_distinct(window->count) &&
            counters_bits(counters, by, key, window->count, window->span_s, now_s,
                          bits)) {
            uint32_t value = bits_estimate(bits);

            sum->values[i] = value > sum->values[i] ? value : sum->values[i];
        }
    }
    for (const struct heard *heard = one->heard; heard != NULL; heard = heard->next) {
        hosts++;
        if (heard->first_seen_s < sum->first_seen_s)
            sum->first_seen_s = heard->first_seen_s;
    }
    return hosts;
}

unsigned others_add(struct others *others, struct counters *counters, enum rule_by by,
                    const char *key, const struct counter_reading *own, int64_t now_s,
                    struct counter_reading *sum)
{
    const struct other *one;
    struct key_name name;
    unsigned hosts = 0;

    if (!atomic_load_explicit(&others->active, memory_order_relaxed) ||
        !key_name_make(&name, by, key))
        return 0;
    pthread_mutex_lock(&others->lock);
    one = clock_ms() < others->heard_until_ms ? table_find(others->heard, &name) : NULL;
    if (one != NULL && one->since_ms <= clock_ms() - SETTLE_MS) {
        *sum = *own;
        hosts = put_together(one, counters, by, key, now_s, sum);
    }
    pthread_mutex_unlock(&others->lock);
    return hosts;
}

bool others_is_turn(struct others *others, enum rule_by by, const char *key,
                    int64_t now_s)
{
    int64_t now_ms = clock_ms(), wait_ms = 0;
    struct other *one = NULL;
    struct key_name name;
    bool is_turn = false;

    if (!key_name_make(&name, by, key))
        return false;
    pthread_mutex_lock(&others->lock);
    one = table_find(others->heard, &name);
    if (one != NULL) {
        uint64_t own = turn_of(others->node, &name);

        for (const struct heard *heard = one->heard; heard != NULL; heard = heard->next)
            if (heard->turn < own && heard->last_seen_s > now_s - ACTIVE_S)
                wait_ms += OTHERS_TURN_MS;
        if (now_ms - one->over_last_ms > ACTIVE_S * 1000)
            one->over_ms = now_ms;
        one->over_last_ms = now_ms;
        is_turn = now_ms - one->over_ms >= wait_ms;
    }
    pthread_mutex_unlock(&others->lock);
    return is_turn;
}
