/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters as a file. Numbers are little endian, of 1, 2, 4 or 8 octets.
 *
 *   magic 8
 *   saved_s 8
 *   for each enum rule_by: windows 1, for each: count 1, span_s 4, since_s 8
 *   for each key: by 1, table 1, size 2, text, first_seen_s 8, last_seen_s 8,
 *       for each window that is not empty: count 1, span_s 4, newest 4, then
 *           of a sum: which buckets are not 0: 2, these: 4 each
 *           of strangers: the same, then for each network: hash and days, 2 each, which
 *           filter is filled 1, with how many 1, both filters
 *           of a distinct count: in common 1, for each half: hashes 1, these: 4 each
 *           (or 255 and the bitmap)
 *       END 1
 *   END 1
 *   SHA-256 of all that 32 */

#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "rules/shard.h"

#define MAGIC      "rblcnt\0\2" /* the last one is the version */
#define MAGIC_SIZE 8
#define END        255

/* --- writing --- */

static void put(FILE *out, uint64_t number, int octets)
{
    for (; octets > 0; octets--, number >>= 8)
        putc_unlocked((int)(number & 0xff), out);
}

static void put_ring(FILE *out, const struct ring *ring)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < WINDOW_BUCKETS; i++)
        mask |= (unsigned)(ring->buckets[i] > 0) << i;
    put(out, ring->newest, 4);
    put(out, mask, 2);
    for (unsigned i = 0; i < WINDOW_BUCKETS; i++)
        if (ring->buckets[i] > 0)
            put(out, ring->buckets[i], 4);
}

static void put_habits(FILE *out, const struct habits *habits)
{
    put_ring(out, &habits->strangers);
    for (int i = 0; i < HABIT_NETWORKS; i++) {
        put(out, habits->networks[i].hash, 2);
        put(out, habits->networks[i].first_day, 2);
        put(out, habits->networks[i].last_day, 2);
    }
    put(out, habits->filling, 1);
    put(out, habits->filled, 1);
    fwrite(habits->contacts, 1, sizeof habits->contacts, out);
}

static void put_sketch(FILE *out, const struct sketch *sketch)
{
    put(out, sketch->newest, 4);
    put(out, sketch->common, 1);
    for (int half = 0; half < 2; half++) {
        unsigned count = sketch->count[half];
        const union half *of = &sketch->halves[half];

        put(out, count, 1);
        if (count == SKETCH_MANY)
            fwrite(of->bits, 1, SKETCH_OCTETS, out);
        for (unsigned i = 0; count != SKETCH_MANY && i < count; i++)
            put(out, count > SKETCH_FEW ? of->list[i] : of->few[i], 4);
    }
}

static bool window_is_empty(const struct key *key, const struct places *places,
                            size_t window)
{
    static const struct habits empty;

    if (places->layout.windows[window].count == COUNT_STRANGERS)
        return memcmp(key_habits(key, places, window), &empty, sizeof empty) == 0;
    if (window_is_distinct(places, window)) {
        const struct sketch *sketch = key_sketch(key, places, window);

        return sketch->count[0] == 0 && sketch->count[1] == 0;
    }
    return memcmp(key_ring(key, places, window)->buckets, empty.strangers.buckets,
                  sizeof empty.strangers.buckets) == 0;
}

static void put_key(FILE *out, const struct key *key, const struct places *places)
{
    size_t size = strlen(key_text(key));

    put(out, key_by(key), 1);
    put(out, key->table, 1);
    put(out, size, 2);
    fwrite(key_text(key), 1, size, out);
    put(out, (uint64_t)key->first_seen_s, 8);
    put(out, (uint64_t)key->last_seen_s, 8);
    for (size_t i = 0; i < places->layout.count; i++) {
        if (window_is_empty(key, places, i))
            continue;
        put(out, places->layout.windows[i].count, 1);
        put(out, (uint64_t)places->layout.windows[i].span_s, 4);
        if (window_is_distinct(places, i))
            put_sketch(out, key_sketch(key, places, i));
        else if (places->layout.windows[i].count == COUNT_STRANGERS)
            put_habits(out, key_habits(key, places, i));
        else
            put_ring(out, key_ring(key, places, i));
    }
    put(out, END, 1);
}

static void put_head(FILE *out, const struct shard *shard, int64_t now_s)
{
    fwrite(MAGIC, 1, MAGIC_SIZE, out);
    put(out, (uint64_t)now_s, 8);
    for (int by = 0; by < RULE_BY_COUNT; by++) {
        const struct counter_layout *layout = &shard->places[by].layout;

        put(out, layout->count, 1);
        for (size_t i = 0; i < layout->count; i++) {
            put(out, layout->windows[i].count, 1);
            put(out, (uint64_t)layout->windows[i].span_s, 4);
            put(out, (uint64_t)layout->windows[i].since_s, 8);
        }
    }
}

/* A shard as octets, in memory: no lock is held while a disk is waited for. */
static int shard_write(struct shard *shard, bool first, bool last, int64_t now_s,
                       FILE *out, struct sha256_ctx *sum)
{
    char *octets = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&octets, &size);
    int rc = -1;

    if (memory == NULL)
        return -1;
    pthread_mutex_lock(&shard->lock);
    if (first)
        put_head(memory, shard, now_s);
    for (int table = 0; table < TABLE_COUNT; table++)
        for (const struct key *key = shard->tables[table]; key != NULL;
             key = key->hh.next)
            put_key(memory, key, &shard->places[key_by(key)]);
    pthread_mutex_unlock(&shard->lock);
    if (last)
        put(memory, END, 1);
    if (ferror(memory) == 0)
        rc = 0;
    if (fclose(memory) != 0)
        rc = -1;
    if (rc == 0) {
        sha256_update(sum, size, (const uint8_t *)octets);
        if (fwrite(octets, 1, size, out) != size)
            rc = -1;
    }
    free(octets);
    return rc;
}

int counters_save(struct counters *counters, int64_t now_s, FILE *out)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sum;

    sha256_init(&sum);
    for (size_t i = 0; i < SHARD_COUNT; i++)
        if (shard_write(&counters->shards[i], i == 0, i == SHARD_COUNT - 1, now_s, out,
                        &sum) != 0)
            return -1;
    sha256_digest(&sum, sizeof digest, digest);
    return fwrite(digest, 1, sizeof digest, out) == sizeof digest && fflush(out) == 0
               ? 0
               : -1;
}

/* --- reading --- */

struct reader {
    FILE *in;
    struct sha256_ctx sum;
    bool failed; /* what is read from then on is 0 */
    int64_t now_s, saved_s;
    struct counter_layout layouts[RULE_BY_COUNT]; /* those of the file */
};

static void get_octets(struct reader *reader, void *out, size_t size)
{
    if (!reader->failed && fread(out, 1, size, reader->in) != size)
        reader->failed = true;
    if (reader->failed)
        memset(out, 0, size);
    else
        sha256_update(&reader->sum, size, out);
}

static uint64_t get(struct reader *reader, unsigned octets)
{
    uint8_t bytes[8];
    uint64_t number = 0;

    get_octets(reader, bytes, octets);
    while (octets-- > 0)
        number = number << 8 | bytes[octets];
    return number;
}

static int64_t get_past(struct reader *reader)
{
    uint64_t at_s = get(reader, 8);

    return at_s < (uint64_t)reader->now_s ? (int64_t)at_s : reader->now_s;
}

static struct ring get_ring(struct reader *reader)
{
    struct ring ring = {.newest = (uint32_t)get(reader, 4)};
    unsigned mask = (unsigned)get(reader, 2);

    reader->failed |= mask >> WINDOW_BUCKETS != 0;
    for (unsigned i = 0; i < WINDOW_BUCKETS; i++)
        if (mask >> i & 1)
            ring.buckets[i] = (uint32_t)get(reader, 4);
    return ring;
}

static struct habits get_habits(struct reader *reader)
{
    struct habits habits = {.strangers = get_ring(reader)};

    for (int i = 0; i < HABIT_NETWORKS; i++) {
        habits.networks[i].hash = (uint16_t)get(reader, 2);
        habits.networks[i].first_day = (uint16_t)get(reader, 2);
        habits.networks[i].last_day = (uint16_t)get(reader, 2);
    }
    habits.filling = (uint8_t)get(reader, 1);
    habits.filled = (uint8_t)get(reader, 1);
    reader->failed |= habits.filling > 1;
    get_octets(reader, habits.contacts, sizeof habits.contacts);
    return habits;
}

static void get_half(struct reader *reader, struct sketch *sketch, int half)
{
    unsigned count = (unsigned)get(reader, 1);
    union half *of = &sketch->halves[half];
    uint32_t *hashes = of->few;

    if (count > SKETCH_LIST && count != SKETCH_MANY)
        reader->failed = true;
    if (count > SKETCH_FEW && !reader->failed) {
        hashes = of->list = malloc(SKETCH_OCTETS);
        reader->failed = hashes == NULL;
    }
    if (reader->failed)
        return;
    sketch->count[half] = (uint8_t)count;
    if (count == SKETCH_MANY)
        get_octets(reader, of->bits, SKETCH_OCTETS);
    for (unsigned i = 0; count != SKETCH_MANY && i < count; i++)
        hashes[i] = (uint32_t)get(reader, 4);
}

static struct sketch get_sketch(struct reader *reader)
{
    struct sketch sketch = {.newest = (uint32_t)get(reader, 4)};

    sketch.common = (uint8_t)get(reader, 1);
    get_half(reader, &sketch, 0);
    get_half(reader, &sketch, 1);
    reader->failed |= sketch.common > sketch.count[0] || sketch.common > sketch.count[1];
    return sketch;
}

/* Reads the window of a count; key may be NULL: it is left out, as is one that the places
 * do not have or that is ahead of the clock. */
static void get_window(struct reader *reader, enum rule_count count, struct key *key,
                       const struct places *places)
{
    int span_s = (int)get(reader, 4), at = layout_find(&places->layout, count, span_s);

    if (count_is_distinct(count)) {
        struct sketch sketch = get_sketch(reader);

        if (key != NULL && at >= 0 && !sketch_is_ahead(&sketch, span_s, reader->now_s)) {
            sketch_clear(key_sketch(key, places, (size_t)at));
            *key_sketch(key, places, (size_t)at) = sketch;
        } else {
            sketch_clear(&sketch);
        }
    } else if (count == COUNT_STRANGERS) {
        struct habits habits = get_habits(reader);

        if (ring_is_ahead(&habits.strangers, span_s, reader->now_s))
            habits.strangers = (struct ring){0};
        if (key != NULL && at >= 0)
            *key_habits(key, places, (size_t)at) = habits;
    } else {
        struct ring ring = get_ring(reader);

        if (key != NULL && at >= 0 && !ring_is_ahead(&ring, span_s, reader->now_s))
            *key_ring(key, places, (size_t)at) = ring;
    }
}

/* What follows by: a key and its windows. */
static void get_key(struct reader *reader, struct counters *counters, unsigned by)
{
    unsigned table = (unsigned)get(reader, 1), size = (unsigned)get(reader, 2), count;
    char text[COUNTER_KEY_SIZE] = "";
    struct key_name name;
    struct shard *shard;
    struct key *key = NULL;
    int64_t first_s, last_s;

    if (by >= RULE_BY_COUNT || table >= TABLE_COUNT || size >= sizeof text) {
        reader->failed = true;
        return;
    }
    get_octets(reader, text, size);
    first_s = get_past(reader);
    last_s = get_past(reader);
    if (strlen(text) != size || !key_name_make(&name, (enum rule_by)by, text))
        reader->failed = true;
    if (reader->failed)
        return;
    shard = shard_of(counters, name.hash);
    pthread_mutex_lock(&shard->lock);
    if (shard_find(shard, &name) != NULL)
        reader->failed = true;
    else if (shard->places[by].layout.count > 0)
        key = shard_add(counters, shard, &name, (enum counter_table)table, reader->now_s);
    if (key != NULL) {
        key->first_seen_s = first_s;
        key->last_seen_s = key->moved_s = last_s;
    }
    while (!reader->failed && (count = (unsigned)get(reader, 1)) != END) {
        if (count >= RULE_COUNT_COUNT)
            reader->failed = true;
        else
            get_window(reader, (enum rule_count)count, key, &shard->places[by]);
    }
    pthread_mutex_unlock(&shard->lock);
}

static void get_head(struct reader *reader)
{
    char magic[MAGIC_SIZE];

    get_octets(reader, magic, sizeof magic);
    if (memcmp(magic, MAGIC, sizeof magic) != 0)
        reader->failed = true;
    reader->saved_s = (int64_t)get(reader, 8);
    for (int by = 0; by < RULE_BY_COUNT; by++) {
        struct counter_layout *layout = &reader->layouts[by];

        layout->count = get(reader, 1);
        if (layout->count > COUNTER_WINDOWS_MAX)
            reader->failed = true;
        for (size_t i = 0; !reader->failed && i < layout->count; i++) {
            layout->windows[i].count = (enum rule_count)get(reader, 1);
            layout->windows[i].span_s = (int)get(reader, 4);
            layout->windows[i].since_s = get_past(reader);
        }
    }
}

/* Since when what the file has was observed. */
static void take_since(struct reader *reader, struct counters *counters, bool observed)
{
    for (struct shard *s = counters->shards; s < counters->shards + SHARD_COUNT; s++) {
        pthread_mutex_lock(&s->lock);
        for (int by = 0; by < RULE_BY_COUNT; by++)
            for (size_t i = 0; i < s->places[by].layout.count; i++) {
                struct counter_window *window = &s->places[by].layout.windows[i];
                int was =
                    layout_find(&reader->layouts[by], window->count, window->span_s);

                if (!observed)
                    window->since_s = reader->now_s;
                else if (was >= 0)
                    window->since_s = reader->layouts[by].windows[was].since_s;
            }
        pthread_mutex_unlock(&s->lock);
    }
}

int counters_load(struct counters *counters, int64_t now_s, int64_t max_gap_s, FILE *in)
{
    struct reader reader = {.in = in, .now_s = now_s > 0 ? now_s : 0};
    uint8_t wanted[SHA256_DIGEST_SIZE], digest[SHA256_DIGEST_SIZE];
    unsigned by;

    sha256_init(&reader.sum);
    get_head(&reader);
    while (!reader.failed && (by = (unsigned)get(&reader, 1)) != END)
        get_key(&reader, counters, by);
    sha256_digest(&reader.sum, sizeof wanted, wanted);
    if (reader.failed || fread(digest, 1, sizeof digest, in) != sizeof digest ||
        memcmp(digest, wanted, sizeof digest) != 0 || getc(in) != EOF) {
        counters_clear(counters);
        return -1;
    }
    take_since(&reader, counters,
               reader.saved_s >= 0 && reader.saved_s <= now_s &&
                   now_s - reader.saved_s <= max_gap_s);
    return 0;
}
