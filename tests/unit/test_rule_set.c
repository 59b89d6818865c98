/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a key's counts is over a rule's limits. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rules/rule_set.h"

#define NOW INT64_C(1790553600)

static struct rule_limit limit;
static struct rule rule = {.name = "test",
                           .by = RULE_BY_LOGIN,
                           .over = &limit,
                           .over_count = 1,
                           .mode = RULE_PROPOSE};
static struct config config = {.rules = &rule, .rule_count = 1};
static char because[FINDING_TEXT_SIZE];

static void hear(void *context, const struct finding *finding)
{
    (void)context;
    memcpy(because, finding->because, sizeof because);
}

/* clang-format off */
static const struct {
    const char *label;
    int number;
    enum rule_count count;
    int share; /* per mille */
    struct { enum rule_count count; uint32_t value; } has[3];
    const char *because; /* NULL: nothing is found */
} rows[] = {
    {"at the limit", 500, COUNT_RECIPIENTS, 0, {{COUNT_RECIPIENTS, 500}}, "500 recipients in 24h: 500"},
    {"below it", 500, COUNT_RECIPIENTS, 0, {{COUNT_RECIPIENTS, 499}}, NULL},
    {"list mail is taken off", 500, COUNT_RECIPIENTS, 0, {{COUNT_RECIPIENTS, 900}, {COUNT_LIST_MAIL, 401}}, NULL},
    {"more of it than recipients", 500, COUNT_RECIPIENTS, 0, {{COUNT_RECIPIENTS, 900}, {COUNT_LIST_MAIL, 2000}}, NULL},
    {"number and share", 100, COUNT_BOUNCES, 200, {{COUNT_BOUNCES, 100}, {COUNT_RECIPIENTS, 500}}, "100 bounces in 24h: 100, 20 % of 500"},
    {"share too small", 100, COUNT_BOUNCES, 200, {{COUNT_BOUNCES, 100}, {COUNT_RECIPIENTS, 501}}, NULL},
    {"a list's bounces are of list mail too", 100, COUNT_BOUNCES, 200, {{COUNT_BOUNCES, 100}, {COUNT_RECIPIENTS, 1600}, {COUNT_LIST_MAIL, 1500}}, NULL},
    {"unknown of all that were tried", 25, COUNT_UNKNOWN, 200, {{COUNT_UNKNOWN, 25}, {COUNT_TRIED, 126}}, NULL},
};
/* clang-format on */

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct counter_reading reading = {.first_seen_s = NOW - 40 * 86400};

        limit = (struct rule_limit){rows[i].number, rows[i].count, 86400};
        rule.share = rows[i].share;
        for (size_t k = 0; k < 3 && rows[i].has[k].value > 0; k++) {
            reading.windows[k] =
                (struct counter_window){rows[i].has[k].count, 86400, NOW - 86400};
            reading.values[k] = rows[i].has[k].value;
            reading.count++;
        }
        because[0] = '\0';
        rule_set_judge(&config, RULE_BY_LOGIN, "user:anna", &reading, NOW, hear, NULL);
        if (strcmp(because, rows[i].because != NULL ? rows[i].because : "") != 0)
            fail_msg("%s: \"%s\"", rows[i].label, because);
    }
}

static void test_not_observed(void **state)
{
    struct counter_reading reading = {
        .first_seen_s = NOW - 40 * 86400,
        .count = 1,
        .windows = {{COUNT_RECIPIENTS, 86400, NOW - 86400 + 1}},
        .values = {1000}};

    (void)state;
    limit = (struct rule_limit){500, COUNT_RECIPIENTS, 86400};
    rule.share = 0;
    because[0] = '\0';
    rule_set_judge(&config, RULE_BY_LOGIN, "user:anna", &reading, NOW, hear, NULL);
    assert_string_equal(because, "");
    rule_set_judge(&config, RULE_BY_LOGIN, "user:anna", &reading, NOW + 1, hear, NULL);
    assert_string_equal(because, "500 recipients in 24h: 1000");
}

/* What several hosts have counted together, with what this one has of it. */
static void test_sum(void **state)
{
    static const struct {
        uint32_t sum, own;
        const char *because;
    } sums[] = {{500, 499, "500 recipients in 24h: 500, on 3 hosts"},
                {499, 499, ""},
                {UINT32_MAX, 31, ""}, /* less than a sixteenth */
                {UINT32_MAX, 32, "500 recipients in 24h: 4294967295, on 3 hosts"}};

    (void)state;
    limit = (struct rule_limit){500, COUNT_RECIPIENTS, 86400};
    rule.share = 0;
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
        struct counter_reading own = {.first_seen_s = NOW - 40 * 86400,
                                      .count = 1,
                                      .windows = {{COUNT_RECIPIENTS, 86400, NOW - 86400}},
                                      .values = {sums[i].own}},
                               sum = own;

        sum.values[0] = sums[i].sum;
        because[0] = '\0';
        rule_set_judge_sum(&config, RULE_BY_LOGIN, "user:anna", &sum, &own, 3, NOW, hear,
                           NULL);
        assert_string_equal(because, sums[i].because);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_not_observed),
                                       cmocka_unit_test(test_sum)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
