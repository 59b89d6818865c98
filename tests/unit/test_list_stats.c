/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/list_stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define FACTOR 10

/* How many suspicions a stream raises: 'l' listed, 'n' not, a number before it
 * repeats. */
static int suspicions(struct share *share, int listed, int clean, int times)
{
    int raised = 0;

    for (int t = 0; t < times; t++) {
        for (int i = 0; i < listed; i++)
            raised += share_note(share, true, FACTOR);
        for (int i = 0; i < clean; i++)
            raised += share_note(share, false, FACTOR);
    }
    return raised;
}

static void test_a_run_raises_a_question_soon(void **state)
{
    struct share share = {0};
    int at = 0;

    (void)state;
    while (!share_note(&share, true, FACTOR))
        at++;
    assert_in_range(at, 5, 20);
    /* and again, but not with each mail: a look costs queries */
    assert_in_range(suspicions(&share, 300, 0, 1), 5, 20);
}

static void test_an_ordinary_list_raises_none(void **state)
{
    struct share share = {0};

    (void)state;
    assert_int_equal(suspicions(&share, 1, 1, 1000), 0);
    share = (struct share){0}; /* the one as the other: from 1 of 2 to 4 of 5 is a jump */
    assert_int_equal(suspicions(&share, 4, 1, 1000), 0);
}

static void test_a_jump_of_a_rare_list(void **state)
{
    struct share share = {0};

    (void)state;
    assert_int_equal(suspicions(&share, 1, 199, 20), 0);
    assert_true(suspicions(&share, 3, 4, 20) > 0);
}

/* A list that has a third of all, and begins to list half of the others: not ten times as
 * many, no ten in a row. It is asked about again and again, not learned at once. */
static void test_a_jump_of_a_list_that_has_many(void **state)
{
    struct share share = {0};

    (void)state;
    assert_int_equal(suspicions(&share, 1, 2, 200), 0);
    assert_in_range(suspicions(&share, 2, 1, 400), 10, 24);
}

static void test_without_a_factor_only_runs(void **state)
{
    struct share share = {0};
    int raised = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        raised += share_note(&share, false, 0);
    for (int i = 0; i < 300; i++)
        raised += share_note(&share, i % 3 != 0, 0);
    assert_int_equal(raised, 0);
}

static enum list_event hear(struct list_stats *stats, enum dns_status status,
                            bool servers_failed, int took_ms)
{
    struct dns_answer *answer = dns_answer_failure(status);
    struct dnsbl_result result = {.state = status == DNS_NONE      ? RESULT_NOT_LISTED
                                           : status == DNS_REFUSED ? RESULT_ERROR
                                                                   : RESULT_FAILED};
    struct heard heard = {.answer = answer,
                          .result = &result,
                          .servers_failed = servers_failed,
                          .took_ms = took_ms,
                          .surge = FACTOR};
    enum list_event event = list_stats_heard(stats, &heard);

    dns_answer_unref(answer);
    return event;
}

static void test_three_failures_are_suspect(void **state)
{
    static const enum dns_status failures[] = {DNS_TIMEOUT, DNS_SERVFAIL, DNS_REFUSED,
                                               DNS_INVALID};

    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        struct list_stats stats = {0};

        list_stats_init(&stats);
        assert_int_equal(hear(&stats, failures[i], false, 10), EVENT_NONE);
        assert_int_equal(hear(&stats, failures[i], false, 10), EVENT_NONE);
        assert_int_equal(hear(&stats, failures[i], false, 10), EVENT_FAILED);
        list_stats_clear(&stats);
    }
}

static void test_a_servers_failure_is_not_suspect(void **state)
{
    struct list_stats stats = {0};

    (void)state;
    list_stats_init(&stats);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(hear(&stats, DNS_UNREACHABLE, true, 10), EVENT_NONE);
        assert_int_equal(hear(&stats, DNS_TIMEOUT, true, 3000), EVENT_NONE);
        assert_int_equal(hear(&stats, DNS_NOT_ASKED, false, 10), EVENT_NONE);
    }
    assert_false(list_stats_is_too_slow(&stats));
    list_stats_clear(&stats);
}

static void test_an_answer_between_ends_the_row(void **state)
{
    struct list_stats stats = {0};

    (void)state;
    list_stats_init(&stats);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(hear(&stats, DNS_TIMEOUT, false, 0), EVENT_NONE);
        assert_int_equal(hear(&stats, DNS_TIMEOUT, false, 0), EVENT_NONE);
        assert_int_equal(hear(&stats, DNS_NONE, false, 1), EVENT_NONE);
    }
    list_stats_clear(&stats);
}

static void test_too_slow_and_quick_again(void **state)
{
    struct list_stats stats = {0};

    (void)state;
    list_stats_init(&stats);
    for (int i = 0; i < 5; i++)
        hear(&stats, DNS_NONE, false, 1500);
    assert_false(list_stats_is_too_slow(&stats));
    hear(&stats, DNS_NONE, false, 1500);
    assert_true(list_stats_is_too_slow(&stats));
    for (int i = 0; i < 19; i++)
        hear(&stats, DNS_NONE, false, 5);
    assert_true(list_stats_is_too_slow(&stats));
    hear(&stats, DNS_NONE, false, 5);
    assert_false(list_stats_is_too_slow(&stats));
    list_stats_clear(&stats);
}

static void test_slow_before_it_came_back_is_forgotten(void **state)
{
    struct list_stats stats = {0};

    (void)state;
    list_stats_init(&stats);
    for (int i = 0; i < 10; i++)
        hear(&stats, DNS_NONE, false, 1500);
    list_stats_forget_slow(&stats);
    assert_false(list_stats_is_too_slow(&stats));
    for (int i = 0; i < 10; i++) /* sent while it was away */
        hear(&stats, DNS_NONE, false, 1500);
    assert_false(list_stats_is_too_slow(&stats));
    list_stats_clear(&stats);
}

/* By what it knows of the list; never above the resolver's deadline, and long enough for
 * what is sent again. */
static void test_patience(void **state)
{
    static const struct {
        const char *label;
        int deadline_ms, timeout_ms; /* the resolver's */
        int took_ms, times;          /* answers */
        int least, most;
    } rows[] = {
        {"nothing known", 5000, 500, 0, 0, 5000, 5000},
        {"little known", 5000, 500, 10, 49, 5000, 5000},
        {"quick, but what is lost is sent again", 5000, 500, 1, 50, 1500, 1500},
        {"three times its p99", 9000, 500, 900, 500, 2700, 3100},
        {"never above the resolver's", 5000, 500, 4000, 500, 5000, 5000},
        {"never above the resolver's, though quick", 1200, 500, 1, 500, 1200, 1200},
    };
    struct config config = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct list_stats stats = {0};
        int got;

        list_stats_init(&stats);
        for (int k = 0; k < rows[i].times; k++)
            hear(&stats, DNS_NONE, false, rows[i].took_ms);
        config.resolver.deadline_ms = rows[i].deadline_ms;
        config.resolver.timeout_ms = rows[i].timeout_ms;
        got = list_stats_patience_ms(&stats, &config);
        if (got < rows[i].least || got > rows[i].most)
            fail_msg("%s: %d ms", rows[i].label, got);
        list_stats_clear(&stats);
    }
}

static void test_txt_pauses(void **state)
{
    struct list_stats stats = {0};

    (void)state;
    list_stats_init(&stats);
    for (int i = 0; i < 2; i++)
        list_stats_txt(&stats, false);
    list_stats_txt(&stats, true);
    list_stats_txt(&stats, false);
    list_stats_txt(&stats, false);
    assert_true(list_stats_wants_txt(&stats));
    list_stats_txt(&stats, false);
    assert_false(list_stats_wants_txt(&stats));
    list_stats_clear(&stats);
}

/* --- latency --- */

static void note(struct latency *l, int ms, int times)
{
    for (int i = 0; i < times; i++)
        latency_note(l, ms);
}

static void test_percentiles(void **state)
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
static void test_forgets(void **state)
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
        cmocka_unit_test(test_a_run_raises_a_question_soon),
        cmocka_unit_test(test_an_ordinary_list_raises_none),
        cmocka_unit_test(test_a_jump_of_a_rare_list),
        cmocka_unit_test(test_a_jump_of_a_list_that_has_many),
        cmocka_unit_test(test_without_a_factor_only_runs),
        cmocka_unit_test(test_three_failures_are_suspect),
        cmocka_unit_test(test_a_servers_failure_is_not_suspect),
        cmocka_unit_test(test_an_answer_between_ends_the_row),
        cmocka_unit_test(test_too_slow_and_quick_again),
        cmocka_unit_test(test_slow_before_it_came_back_is_forgotten),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_txt_pauses),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_forgets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
