/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots: there and back, into other layouts, damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/counters.h"

#define NOW   INT64_C(1790000000)
#define GAP_S 600

static const struct counter_layout usual[RULE_BY_COUNT] = {
    [RULE_BY_LOGIN] = {.windows = {{.count = COUNT_RECIPIENTS, .span_s = 300},
                                   {.count = COUNT_NETWORKS, .span_s = 3600},
                                   {.count = COUNT_RECIPIENTS, .span_s = 86400},
                                   {.count = COUNT_DISTINCT, .span_s = 86400}},
                       .count = 4},
    [RULE_BY_CLIENT] = {.windows = {{.count = COUNT_UNKNOWN, .span_s = 3600}},
                        .count = 1},
};

/* Keys with as many recipients and elements as their number, from an hour before NOW. */
static struct counters *filled(uint64_t keys)
{
    struct counters *counters = counters_new(100000, usual, NOW - 7200);

    assert_non_null(counters);
    for (uint64_t n = 0; n < keys; n++)
        for (uint64_t i = 0; i <= n; i++) {
            const struct counter_event events[] = {
                {.count = COUNT_RECIPIENTS, .n = 3},
                {.count = COUNT_NETWORKS, .n = 1, .element = counters_hash(&i, 8)},
                {.count = COUNT_DISTINCT, .n = 1, .element = counters_hash(&i, 8)},
                {.count = COUNT_UNKNOWN, .n = 1},
            };
            char key[32];

            snprintf(key, sizeof key, "key%" PRIu64, n);
            assert_true(counters_add(
                counters, n % 3 == 2 ? RULE_BY_CLIENT : RULE_BY_LOGIN, key, false, events,
                4, NOW - 3600 + (int64_t)(i * 3600 / (n + 1)), NULL));
        }
    return counters;
}

struct octets {
    char *bytes;
    size_t size;
};

static struct octets saved(struct counters *counters, int64_t now_s)
{
    struct octets octets = {0};
    FILE *out = open_memstream(&octets.bytes, &octets.size);

    assert_non_null(out);
    assert_int_equal(counters_save(counters, now_s, out), 0);
    assert_int_equal(fclose(out), 0);
    return octets;
}

static int load(struct counters *counters, int64_t now_s, const char *bytes, size_t size)
{
    FILE *in = size > 0 ? fmemopen((void *)(uintptr_t)bytes, size, "r")
                        : fopen("/dev/null", "r");
    int rc;

    assert_non_null(in);
    rc = counters_load(counters, now_s, GAP_S, in);
    fclose(in);
    return rc;
}

struct taken {
    char key[32];
    struct counter_reading reading;
};

struct all_taken {
    struct taken keys[1000];
    size_t count;
};

static void take_key(void *context, const char *key,
                     const struct counter_reading *reading)
{
    struct all_taken *all = context;
    struct taken *taken = &all->keys[all->count++];

    assert_in_range(all->count, 1, 1000);
    snprintf(taken->key, sizeof taken->key, "%s", key);
    taken->reading = *reading;
}

static void compare_key(const struct taken *taken, enum rule_by by,
                        struct counters *other, int64_t now_s)
{
    const struct counter_reading *reading = &taken->reading;
    struct counter_reading others;

    assert_true(counters_read(other, by, taken->key, now_s, &others));
    assert_int_equal(others.first_seen_s, reading->first_seen_s);
    assert_int_equal(others.last_seen_s, reading->last_seen_s);
    assert_int_equal(others.count, reading->count);
    for (size_t i = 0; i < reading->count; i++) {
        assert_int_equal(others.windows[i].since_s, reading->windows[i].since_s);
        assert_int_equal(others.values[i], reading->values[i]);
    }
}

/* Each key of counters is in the others, too; returns their number. */
static size_t compare(struct counters *counters, struct counters *other, int64_t now_s)
{
    struct all_taken *all = calloc(1, sizeof *all);
    size_t count = 0;

    assert_non_null(all);
    for (int by = 0; by < RULE_BY_COUNT; by++) {
        all->count = 0;
        counters_each(counters, (enum rule_by)by, now_s, take_key, all);
        for (size_t i = 0; i < all->count; i++)
            compare_key(&all->keys[i], (enum rule_by)by, other, now_s);
        count += all->count;
    }
    free(all);
    return count;
}

static void test_there_and_back(void **state)
{
    struct counters *counters = filled(300);
    struct octets octets = saved(counters, NOW), again;
    struct counters *other = counters_new(100000, usual, NOW + 60);

    (void)state;
    assert_int_equal(load(other, NOW + 60, octets.bytes, octets.size), 0);
    for (int64_t later_s = 60; later_s < 100000; later_s = later_s * 2 + 7) {
        assert_int_equal(compare(counters, other, NOW + later_s), 300);
        assert_int_equal(compare(other, counters, NOW + later_s), 300);
    }
    again = saved(other, NOW);
    assert_int_equal(again.size, octets.size);
    assert_memory_equal(again.bytes, octets.bytes, octets.size);
    free(octets.bytes);
    free(again.bytes);
    counters_free(counters);
    counters_free(other);
}

/* Since when is counted, and what, by when it was saved. */
static void test_gap(void **state)
{
    static const struct {
        const char *label;
        int64_t later_s, since_s, seen_s;
        uint32_t recipients; /* in a day */
    } rows[] = {
        {"at once", 0, -7200, -129, 84},
        {"the longest gap", GAP_S, -7200, -129, 84},
        {"a longer one", GAP_S + 1, GAP_S + 1, -129, 84},
        {"before it, in the same buckets", -200, -200, -200, 84},
        {"a day before", -86400, -86400, -86400, 0},
    };
    struct counters *counters = filled(28);
    struct octets octets = saved(counters, NOW);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t now_s = NOW + rows[i].later_s;
        struct counters *other = counters_new(1000, usual, now_s);
        struct counter_reading reading;

        assert_int_equal(load(other, now_s, octets.bytes, octets.size), 0);
        assert_true(counters_read(other, RULE_BY_LOGIN, "key27", now_s, &reading));
        if (reading.windows[2].since_s != NOW + rows[i].since_s ||
            reading.last_seen_s != NOW + rows[i].seen_s ||
            reading.values[2] != rows[i].recipients)
            fail_msg("%s: since %" PRId64 ", seen %" PRId64 ", %" PRIu32, rows[i].label,
                     reading.windows[2].since_s - NOW, reading.last_seen_s - NOW,
                     reading.values[2]);
        counters_free(other);
    }
    free(octets.bytes);
    counters_free(counters);
}

/* Windows that both have are taken over, the others are as they were. */
static void test_other_layout(void **state)
{
    static const struct counter_layout others[RULE_BY_COUNT] = {
        [RULE_BY_LOGIN] = {.windows = {{.count = COUNT_DISTINCT, .span_s = 86400},
                                       {.count = COUNT_RECIPIENTS, .span_s = 3600},
                                       {.count = COUNT_RECIPIENTS, .span_s = 86400}},
                           .count = 3},
    };
    struct counters *counters = filled(28);
    struct octets octets = saved(counters, NOW);
    struct counters *other = counters_new(1000, others, NOW + 60);
    struct counter_reading reading;
    struct counters_stats stats;

    (void)state;
    assert_int_equal(load(other, NOW + 60, octets.bytes, octets.size), 0);
    assert_true(counters_read(other, RULE_BY_LOGIN, "key27", NOW + 60, &reading));
    assert_int_equal(reading.count, 3);
    assert_int_equal(reading.values[0], 28);
    assert_int_equal(reading.windows[0].since_s, NOW - 7200);
    assert_int_equal(reading.values[1], 0);
    assert_int_equal(reading.windows[1].since_s, NOW + 60);
    assert_int_equal(reading.values[2], 84);
    counters_stats(other, &stats);
    assert_int_equal(stats.keys[RULE_BY_CLIENT], 0); /* nothing counts by it */
    free(octets.bytes);
    counters_free(counters);
    counters_free(other);
}

/* More keys than there is room for: as many as there is, and it says how many not. */
static void test_less_room(void **state)
{
    struct counters *counters = filled(300);
    struct octets octets = saved(counters, NOW);
    struct counters *other = counters_new(50, usual, NOW);
    struct counters_stats stats;

    (void)state;
    assert_int_equal(load(other, NOW, octets.bytes, octets.size), 0);
    counters_stats(other, &stats);
    assert_int_equal(stats.keys[RULE_BY_LOGIN], 50);
    assert_int_equal(stats.keys[RULE_BY_CLIENT], 50);
    assert_int_equal(stats.refused, 200);
    free(octets.bytes);
    counters_free(counters);
    counters_free(other);
}

static void assert_refused(struct counters *counters, const char *bytes, size_t size,
                           const char *what, size_t at)
{
    struct counters_stats stats;

    if (load(counters, NOW, bytes, size) != -1)
        fail_msg("%s %zu: taken for whole", what, at);
    counters_stats(counters, &stats);
    for (int by = 0; by < RULE_BY_COUNT; by++)
        if (stats.keys[by] != 0)
            fail_msg("%s %zu: it left keys", what, at);
}

/* All three forms of a half are in it. */
static void test_damage(void **state)
{
    struct counters *counters = counters_new(1000, usual, NOW), *other;
    struct octets octets;

    (void)state;
    for (uint64_t i = 0; i < 76; i++) {
        const struct counter_event event = {
            .count = COUNT_NETWORKS, .n = 1, .element = counters_hash(&i, 8)};
        const char *login = i < 3 ? "anna" : i < 14 ? "otto" : "hans";

        counters_add(counters, RULE_BY_LOGIN, login, false, &event, 1, NOW, NULL);
        counters_add(counters, RULE_BY_LOGIN, "shop", false, &event, 1, NOW, NULL);
    }
    octets = saved(counters, NOW);
    assert_in_range(octets.size, 500, 2000);
    other = counters_new(1000, usual, NOW);
    for (size_t size = 0; size < octets.size; size++)
        assert_refused(other, octets.bytes, size, "cut at", size);
    for (size_t at = 0; at < octets.size; at++)
        for (int bit = 0; bit < 8; bit++) {
            octets.bytes[at] ^= (char)(1 << bit);
            assert_refused(other, octets.bytes, octets.size, "flipped",
                           at * 8 + (size_t)bit);
            octets.bytes[at] ^= (char)(1 << bit);
        }
    octets.bytes = realloc(octets.bytes, octets.size + 1);
    assert_non_null(octets.bytes);
    octets.bytes[octets.size] = '\n';
    assert_refused(other, octets.bytes, octets.size + 1, "longer by", 1);
    assert_int_equal(load(other, NOW, octets.bytes, octets.size), 0); /* whole again */
    assert_int_equal(compare(counters, other, NOW), 4);
    free(octets.bytes);
    counters_free(counters);
    counters_free(other);
}

static void test_disk_full(void **state)
{
    struct counters *counters = filled(30);
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    assert_non_null(full);
    assert_int_equal(counters_save(counters, NOW, full), -1);
    fclose(full);
    counters_free(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_gap),
        cmocka_unit_test(test_other_layout),   cmocka_unit_test(test_less_room),
        cmocka_unit_test(test_damage),         cmocka_unit_test(test_disk_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
