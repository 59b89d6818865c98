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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_want),
        cmocka_unit_test(test_stranger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
