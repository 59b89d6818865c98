/* SPDX-License-Identifier: BSD-2-Clause */
/* What is counted of a key, and which keys are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/counters.h"

#define NOW INT64_C(1790000000)

static const struct counter_layout usual[RULE_BY_COUNT] = {
    [RULE_BY_LOGIN] = {.windows = {{.count = COUNT_RECIPIENTS, .span_s = 300},
                                   {.count = COUNT_NETWORKS, .span_s = 3600},
                                   {.count = COUNT_RECIPIENTS, .span_s = 86400}},
                       .count = 3},
    [RULE_BY_CLIENT] = {.windows = {{.count = COUNT_UNKNOWN, .span_s = 3600}},
                        .count = 1},
};

static bool add(struct counters *counters, enum rule_by by, const char *key,
                bool by_stranger, enum rule_count count, int64_t now_s,
                struct counter_reading *out)
{
    struct counter_event event = {.count = count, .n = 1};

    return counters_add(counters, by, key, by_stranger, &event, 1, now_s, out);
}

static void test_login(void **state)
{
    struct counters *counters = counters_new(100, usual, NOW);
    const struct counter_event events[] = {
        {.count = COUNT_RECIPIENTS, .n = 5},
        {.count = COUNT_NETWORKS, .n = 1, .element = counters_hash("a", 1)},
        {.count = COUNT_TRAPS, .n = 1}, /* which nothing looks at */
    };
    const struct counter_event back = {.count = COUNT_RECIPIENTS, .n = -3, .at_s = NOW};
    struct counter_reading reading;

    (void)state;
    assert_non_null(counters);
    assert_true(
        counters_add(counters, RULE_BY_LOGIN, "anna", false, events, 3, NOW, &reading));
    assert_int_equal(reading.count, 3);
    assert_int_equal(reading.windows[1].count, COUNT_NETWORKS);
    assert_int_equal(reading.windows[1].since_s, NOW);
    assert_int_equal(reading.values[0], 5);
    assert_int_equal(reading.values[1], 1);
    assert_int_equal(reading.values[2], 5);
    assert_true(counters_add(counters, RULE_BY_LOGIN, "anna", false, events, 2, NOW + 600,
                             &reading));
    assert_int_equal(reading.values[0], 5); /* of five minutes */
    assert_int_equal(reading.values[1], 1); /* the same network */
    assert_int_equal(reading.values[2], 10);
    assert_true(counters_add(counters, RULE_BY_LOGIN, "anna", false, &back, 1, NOW + 700,
                             &reading));
    assert_int_equal(reading.values[0], 5); /* what is taken back had gone */
    assert_int_equal(reading.values[2], 7);
    assert_int_equal(reading.first_seen_s, NOW);
    assert_int_equal(reading.last_seen_s, NOW + 600);
    assert_false(counters_read(counters, RULE_BY_LOGIN, "otto", NOW, &reading));
    assert_false(counters_read(counters, RULE_BY_CLIENT, "anna", NOW, &reading));
    assert_false(
        counters_add(counters, RULE_BY_LOGIN, "otto", false, &back, 1, NOW, NULL));
    assert_true(counters_reset(counters, RULE_BY_LOGIN, "anna"));
    assert_false(counters_reset(counters, RULE_BY_LOGIN, "otto"));
    assert_true(counters_read(counters, RULE_BY_LOGIN, "anna", NOW + 700, &reading));
    assert_int_equal(reading.values[2], 0);
    assert_int_equal(reading.first_seen_s, NOW);
    counters_free(counters);
}

static void test_want(void **state)
{
    struct counters *counters = counters_new(100, usual, NOW);

    (void)state;
    assert_true(counters_want(counters, RULE_BY_LOGIN));
    assert_true(counters_want_count(counters, RULE_BY_LOGIN, COUNT_NETWORKS));
    assert_false(counters_want_count(counters, RULE_BY_LOGIN, COUNT_TRAPS));
    assert_false(counters_want(counters, RULE_BY_SENDER));
    assert_false(
        add(counters, RULE_BY_SENDER, "a@b.example", false, COUNT_MESSAGES, NOW, NULL));
    counters_free(counters);
}

static void test_stranger(void **state)
{
    struct counters *counters = counters_new(100, usual, NOW);
    struct counter_reading reading;
    static const struct {
        const char *label;
        int64_t at_s;
        bool counted;
    } events[] = {
        {"first", 0, false},
        {"second", 600, false},
        {"first of another hour", 3600, false},
        {"second of it", 4000, false},
        {"third of it", 5000, true},
        {"and on", 90000, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (add(counters, RULE_BY_CLIENT, "192.0.2.1", true, COUNT_UNKNOWN,
                NOW / 3600 * 3600 + events[i].at_s, &reading) != events[i].counted)
            fail_msg("%s", events[i].label);
    assert_int_equal(reading.values[0], 1);
    assert_int_equal(reading.first_seen_s, NOW / 3600 * 3600 + 5000);
    counters_free(counters);
}

static const struct counter_layout senders[RULE_BY_COUNT] = {
    [RULE_BY_LOGIN] = {.windows = {{.count = COUNT_RECIPIENTS, .span_s = 3600}},
                       .count = 1},
    [RULE_BY_SENDER] = {.windows = {{.count = COUNT_RECIPIENTS, .span_s = 3600}},
                        .count = 1},
};

static bool add_numbered(struct counters *counters, enum rule_by by, const char *prefix,
                         int n, bool by_stranger, int64_t now_s)
{
    char key[64];

    snprintf(key, sizeof key, "%s%d", prefix, n);
    return add(counters, by, key, by_stranger, COUNT_RECIPIENTS, now_s, NULL);
}

static bool is_counted(struct counters *counters, enum rule_by by, const char *prefix,
                       int n, int64_t now_s, struct counter_reading *out)
{
    char key[64];

    snprintf(key, sizeof key, "%s%d", prefix, n);
    return counters_read(counters, by, key, now_s, out);
}

static void assert_logins(struct counters *counters, int count, uint32_t value,
                          int64_t now_s)
{
    struct counter_reading reading;

    for (int i = 0; i < count; i++) {
        assert_true(is_counted(counters, RULE_BY_LOGIN, "login", i, now_s, &reading));
        assert_int_equal(reading.values[0], value);
    }
}

/* A million senders in half an hour, each once, among 100 logins and a stranger that comes
 * each 500 of them. */
static void test_flood(void **state)
{
    struct counters *counters = counters_new(1000, senders, NOW);
    int64_t begin_s = NOW / 3600 * 3600;
    struct counters_stats before, after;
    struct counter_reading reading;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(add_numbered(counters, RULE_BY_LOGIN, "login", i, false, begin_s));
    counters_stats(counters, &before);
    for (int i = 0; i < 1000000; i++) {
        int64_t now_s = begin_s + i / 600;

        add_numbered(counters, RULE_BY_SENDER, "forged", i, true, now_s);
        if (i % 10000 == 0)
            add_numbered(counters, RULE_BY_LOGIN, "login", i / 10000, false, now_s);
        if (i % 500 == 0 && i < 1500)
            assert_int_equal(
                add_numbered(counters, RULE_BY_SENDER, "real", 0, true, now_s),
                i == 1000);
    }
    counters_stats(counters, &after);
    assert_int_equal(after.keys[RULE_BY_LOGIN], 100);
    assert_int_equal(after.keys[RULE_BY_SENDER], 1);
    assert_int_equal(after.refused, 0);
    assert_true(after.octets - before.octets < 2000); /* of the one stranger */
    assert_logins(counters, 100, 2, begin_s + 1700);
    assert_true(
        is_counted(counters, RULE_BY_SENDER, "real", 0, begin_s + 1700, &reading));
    assert_int_equal(reading.values[0], 1);
    counters_free(counters);
}

/* They come often enough to be counted: as many as there is room for, and logins have
 * theirs. */
static void test_stubborn_flood(void **state)
{
    struct counters *counters = counters_new(1000, senders, NOW);
    int64_t begin_s = NOW / 3600 * 3600;
    struct counters_stats stats;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(add_numbered(counters, RULE_BY_LOGIN, "login", i, false, begin_s));
    for (int i = 0; i < 60000; i++) { /* half of them as names of logins */
        enum rule_by by = i / 3 % 2 == 0 ? RULE_BY_SENDER : RULE_BY_LOGIN;

        add_numbered(counters, by, "forged", i / 3, true, begin_s + i / 30);
    }
    counters_stats(counters, &stats);
    assert_int_equal(stats.keys[RULE_BY_LOGIN] - 100 + stats.keys[RULE_BY_SENDER], 1000);
    assert_int_equal(stats.refused, 20000 - 1000);
    assert_logins(counters, 100, 1, begin_s + 2000);
    for (int i = 100; i < 1000; i++)
        assert_true(
            add_numbered(counters, RULE_BY_LOGIN, "login", i, false, begin_s + 2000));
    assert_logins(counters, 1000, 1, begin_s + 2000);
    counters_free(counters);
}

static void test_full(void **state)
{
    struct counters *counters = counters_new(1000, senders, NOW);
    struct counters_stats stats;
    int entered = 0, active = 0, kept = 0;

    (void)state;
    for (int i = 0; i < 3000; i++)
        assert_int_equal(add_numbered(counters, RULE_BY_LOGIN, "login", i, false, NOW),
                         i < 1000);
    for (int i = 0; i < 500; i++) /* these are seen again */
        assert_true(add_numbered(counters, RULE_BY_LOGIN, "login", i, false, NOW + 1800));
    counters_stats(counters, &stats);
    assert_int_equal(stats.keys[RULE_BY_LOGIN], 1000);
    assert_int_equal(stats.refused, 2000);
    assert_false(add_numbered(counters, RULE_BY_LOGIN, "later", 0, false, NOW + 3599));
    for (int i = 0; i < 3000; i++)
        entered += add_numbered(counters, RULE_BY_LOGIN, "later", i, false, NOW + 3600);
    assert_int_equal(entered, 500); /* in the place of those that were idle */
    for (int i = 0; i < 1000; i++) {
        bool there = is_counted(counters, RULE_BY_LOGIN, "login", i, NOW + 3600, NULL);

        active += there && i < 500;
        kept += there;
    }
    assert_int_equal(active, 500);
    assert_int_equal(kept, 500);
    counters_stats(counters, &stats);
    assert_int_equal(stats.keys[RULE_BY_LOGIN], 1000);
    counters_free(counters);
}

/* What strangers had named first has the logins' room as soon as it is a login for sure. */
static void test_promotion(void **state)
{
    struct counters *counters = counters_new(64, senders, NOW);
    int64_t begin_s = NOW / 3600 * 3600;
    struct counter_reading reading;

    (void)state;
    for (int i = 0; i < 3; i++) {
        add(counters, RULE_BY_LOGIN, "anna", true, COUNT_RECIPIENTS, begin_s, NULL);
        add(counters, RULE_BY_LOGIN, "otto", true, COUNT_RECIPIENTS, begin_s, NULL);
    }
    assert_true(add(counters, RULE_BY_LOGIN, "anna", false, COUNT_RECIPIENTS,
                    begin_s + 60, NULL));
    for (int i = 0; i < 30000; i++)
        add_numbered(counters, RULE_BY_SENDER, "forged", i / 3, true, begin_s + 7200);
    assert_false(counters_read(counters, RULE_BY_LOGIN, "otto", begin_s + 120, &reading));
    assert_true(counters_read(counters, RULE_BY_LOGIN, "anna", begin_s + 120, &reading));
    assert_int_equal(reading.values[0], 2);
    counters_free(counters);
}

static const struct counter_layout others[RULE_BY_COUNT] = {
    [RULE_BY_LOGIN] = {.windows = {{.count = COUNT_RECIPIENTS, .span_s = 86400},
                                   {.count = COUNT_UNKNOWN, .span_s = 3600},
                                   {.count = COUNT_NETWORKS, .span_s = 3600}},
                       .count = 3},
};

static void add_networks(struct counters *counters, const char *login, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const struct counter_event events[] = {
            {.count = COUNT_RECIPIENTS, .n = 2},
            {.count = COUNT_NETWORKS, .n = 1, .element = counters_hash(&i, sizeof i)},
        };

        assert_true(
            counters_add(counters, RULE_BY_LOGIN, login, false, events, 2, NOW, NULL));
    }
}

static void test_configure(void **state)
{
    static const uint64_t networks[] = {0, 5, 40, 300};
    struct counters *counters = counters_new(1000, usual, NOW);
    struct counter_reading before, after;
    char login[] = "0";

    (void)state;
    for (size_t i = 0; i < 4; i++, login[0]++)
        add_networks(counters, login, networks[i]);
    add(counters, RULE_BY_CLIENT, "192.0.2.1", false, COUNT_UNKNOWN, NOW, NULL);
    for (int i = 1; i < 4; i++) {
        login[0] = (char)('0' + i);
        assert_true(counters_read(counters, RULE_BY_LOGIN, login, NOW + 60, &before));
        counters_configure(counters, 1000, others, NOW + 60);
        assert_true(counters_read(counters, RULE_BY_LOGIN, login, NOW + 60, &after));
        assert_int_equal(after.values[0], before.values[2]);
        assert_int_equal(after.values[0], 2 * networks[i]);
        assert_int_equal(after.windows[0].since_s, NOW);
        assert_int_equal(after.values[1], 0);
        assert_int_equal(after.windows[1].since_s, NOW + 60);
        assert_int_equal(after.values[2], before.values[1]);
        assert_int_equal(after.windows[2].since_s, NOW);
        assert_int_equal(after.first_seen_s, NOW);
        counters_configure(counters, 1000, usual, NOW + 60);
        assert_true(counters_read(counters, RULE_BY_LOGIN, login, NOW + 60, &after));
        assert_int_equal(after.values[0], 0); /* it began again */
        assert_int_equal(after.windows[0].since_s, NOW + 60);
        assert_int_equal(after.values[1], before.values[1]);
    }
    assert_false(counters_read(counters, RULE_BY_CLIENT, "192.0.2.1", NOW + 60, &after));
    counters_free(counters);
}

static void test_configure_fewer_keys(void **state)
{
    struct counters *counters = counters_new(10000, usual, NOW);
    struct counters_stats stats;
    size_t recent = 0;

    (void)state;
    for (int i = 0; i < 10000; i++)
        assert_true(add_numbered(counters, RULE_BY_LOGIN, "login", i, false, NOW + i));
    counters_configure(counters, 1000, others, NOW + 10000);
    counters_stats(counters, &stats);
    assert_in_range(stats.keys[RULE_BY_LOGIN], 900, 1000); /* each shard rounds down */
    for (int i = 8000; i < 10000; i++)
        recent += is_counted(counters, RULE_BY_LOGIN, "login", i, NOW + 10000, NULL);
    assert_int_equal(recent, stats.keys[RULE_BY_LOGIN]);
    counters_configure(counters, 1000, (struct counter_layout[RULE_BY_COUNT]){0}, NOW);
    counters_stats(counters, &stats);
    assert_int_equal(stats.keys[RULE_BY_LOGIN], 0);
    assert_false(counters_want(counters, RULE_BY_LOGIN));
    counters_free(counters);
}

static void test_unobserved(void **state)
{
    struct counters *counters = counters_new(1000, usual, NOW);
    struct counter_reading reading;

    (void)state;
    add_networks(counters, "anna", 5);
    counters_unobserved(counters, NOW + 60, false);
    assert_true(counters_read(counters, RULE_BY_LOGIN, "anna", NOW + 60, &reading));
    assert_int_equal(reading.values[1], 5);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(reading.windows[i].since_s, NOW + 60);
    counters_unobserved(counters, NOW - 100, false); /* the clock went back */
    assert_true(counters_read(counters, RULE_BY_LOGIN, "anna", NOW - 100, &reading));
    assert_int_equal(reading.values[0], 0); /* of buckets that are still to come */
    assert_int_equal(reading.values[2], 10);
    assert_int_equal(reading.last_seen_s, NOW - 100);
    counters_unobserved(counters, NOW + 120, true);
    assert_true(counters_read(counters, RULE_BY_LOGIN, "anna", NOW + 120, &reading));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(reading.values[i], 0);
    counters_free(counters);
}

struct seen {
    bool keys[1000];
    size_t count;
};

static void on_key(void *context, const char *key, const struct counter_reading *reading)
{
    struct seen *seen = context;
    int n = atoi(key + strlen("login"));

    assert_in_range(n, 0, 999);
    assert_false(seen->keys[n]);
    assert_int_equal(reading->values[2], 1);
    assert_int_equal(reading->first_seen_s, NOW + n);
    seen->keys[n] = true;
    seen->count++;
}

static void test_each(void **state)
{
    struct counters *counters = counters_new(1000, usual, NOW);
    struct seen seen = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_true(add_numbered(counters, RULE_BY_LOGIN, "login", i, false, NOW + i));
    add(counters, RULE_BY_CLIENT, "192.0.2.1", false, COUNT_UNKNOWN, NOW, NULL);
    counters_each(counters, RULE_BY_LOGIN, NOW + 1000, on_key, &seen);
    assert_int_equal(seen.count, 1000);
    assert_int_equal(counters_active(counters, RULE_BY_LOGIN, NOW + 900), 100);
    assert_int_equal(counters_active(counters, RULE_BY_CLIENT, NOW), 1);
    assert_int_equal(counters_active(counters, RULE_BY_SENDER, NOW), 0);
    counters_free(counters);
}

#define THREADS 8
#define ADDS    20000

static void *add_many(void *context)
{
    for (int i = 0; i < ADDS; i++)
        if (!add_numbered(context, RULE_BY_LOGIN, "login", i % 16, false, NOW + i / 100))
            abort();
    return NULL;
}

/* Eight threads count, while another one does all that may be done meanwhile. */
static void test_threads(void **state)
{
    struct counters *counters = counters_new(1000, usual, NOW);
    pthread_t threads[THREADS];
    struct counter_reading reading;
    struct counters_stats stats;
    FILE *nowhere = fopen("/dev/null", "w");

    (void)state;
    assert_non_null(nowhere);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, counters), 0);
    for (int i = 0; i < 40; i++) {
        counters_configure(counters, 1000, i % 2 == 0 ? others : usual, NOW);
        counters_stats(counters, &stats);
        counters_active(counters, RULE_BY_LOGIN, NOW);
        assert_int_equal(counters_save(counters, NOW, nowhere), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 16; i++) {
        assert_true(is_counted(counters, RULE_BY_LOGIN, "login", i, NOW + 300, &reading));
        assert_int_equal(reading.values[2], THREADS * ADDS / 16);
    }
    fclose(nowhere);
    counters_free(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_want),
        cmocka_unit_test(test_stranger),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_stubborn_flood),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_promotion),
        cmocka_unit_test(test_configure),
        cmocka_unit_test(test_configure_fewer_keys),
        cmocka_unit_test(test_unobserved),
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
