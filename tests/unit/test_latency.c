/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a list takes: percentiles, and forgetting. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dnsbl/list_stats.h"

static void note(struct latency *l, int ms, int times)
{
    for (int i = 0; i < times; i++)
        latency_note(l, ms);
}

static void percentiles(void **state)
{
    static const struct {
        const char *label;
        int ms[3], times[3]; /* what was noted */
        int percent, least, most;
    } cases[] = {
        {"nothing known", {0}, {0}, 99, 0, 0},
        {"one answer", {7}, {1}, 50, 7, 10},
        {"0 ms", {0}, {100}, 99, 0, 1},
        {"all alike", {50}, {1000}, 99, 50, 75},
        {"the slow hundredth is not in p95", {10, 900}, {990, 10}, 95, 10, 15},
        {"nor in p99", {10, 900}, {990, 10}, 99, 10, 15},
        {"the slow twentieth is in p99", {10, 900}, {950, 50}, 99, 900, 1350},
        {"the median of three", {1, 100, 5000}, {40, 20, 40}, 50, 100, 150},
        {"longer than the last bucket", {INT32_MAX}, {10}, 50, 24576, 24576},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct latency l = {0};

        for (int k = 0; k < 3; k++)
            note(&l, cases[i].ms[k], cases[i].times[k]);
        int got = latency_percentile(&l, cases[i].percent);
        if (got < cases[i].least || got > cases[i].most)
            fail_msg("%s: %d ms", cases[i].label, got);
    }
}

/* A list that became quick is soon taken for quick. */
static void forgets(void **state)
{
    struct latency l = {0};

    (void)state;
    note(&l, 3000, 100000);
    assert_true(latency_percentile(&l, 50) >= 3000);
    assert_true(l.total <= 8192);
    note(&l, 10, 20000);
    assert_true(latency_percentile(&l, 50) <= 15);
    note(&l, 10, 40000);
    assert_true(latency_percentile(&l, 99) <= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles),
        cmocka_unit_test(forgets),
    };

    return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}
