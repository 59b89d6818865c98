/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/user_queries.h"

#define NOW 1000000
#define T   DNS_BUDGET_TOKEN_MS

/* What one user takes, one after the other. */
static void test_one_user(void **state)
{
    /* clang-format off */
    static const struct {
        const char *label;
        int tokens;
        int64_t at_ms, wait_ms;
    } cases[] = {
        {"all at once", 60, NOW, 0},
        {"one more", 1, NOW, T},
        {"half a token later", 1, NOW + T / 2, T / 2},
        {"a token later", 1, NOW + T, 0},
        {"ten, a token after it", 10, NOW + 2 * T, 9 * T},
        {"one of them", 1, NOW + 2 * T, 0},
        {"all, long after", 60, NOW + 3600000, 0},
        {"no more than that", 1, NOW + 3600000, T},
    };
    /* clang-format on */
    struct dns_budget budget = {.lock = PTHREAD_MUTEX_INITIALIZER};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (dns_budget_take(&budget, 1000, cases[i].tokens, cases[i].at_ms) !=
            cases[i].wait_ms)
            fail_msg("%s", cases[i].label);
}

/* Users have each their own; more than are remembered push out those with most left. */
static void test_many_users(void **state)
{
    struct dns_budget budget = {.lock = PTHREAD_MUTEX_INITIALIZER};

    (void)state;
    assert_int_equal(dns_budget_take(&budget, 1, 60, NOW), 0);
    for (uid_t uid = 2; uid < 3 * DNS_BUDGET_USERS; uid++)
        assert_int_equal(dns_budget_take(&budget, uid, 1, NOW), 0);
    assert_int_equal(dns_budget_take(&budget, 1, 1, NOW), T);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_user),
        cmocka_unit_test(test_many_users),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
