/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char empty[] = "", zone[] = "bl.test", name[] = "bl";
static const struct list list = {.name = name,
                                 .zone = zone,
                                 .checks = 1u << CHECK_CLIENT,
                                 .weight = 8,
                                 .test_listed = empty,
                                 .test_unlisted = empty};

/* What a look finds that asked so many witnesses, some of them listed. */
static enum health find(size_t asked, size_t listed, bool lying)
{
    static struct look look;
    struct dns_answer *yes = dns_answer_new(DNS_FOUND, 1, NULL);
    struct dns_answer *no = dns_answer_new(DNS_NONE, 0, NULL);
    enum health found = HEALTH_UNCHECKED;
    char why[WHY_SIZE];

    assert_non_null(yes);
    assert_non_null(no);
    yes->addresses[0].s_addr = htonl(0x7f000002);
    memset(&look, 0, sizeof look);
    look.list = &list;
    look.lying[0] = lying;
    look.count = PROBE_WITNESS;
    for (size_t i = 0; i < asked; i++) {
        struct probe *probe = &look.probes[look.count++];

        probe->kind = PROBE_WITNESS;
        probe->answer = dns_answer_ref(i < listed ? yes : no);
    }
    assert_true(look_judge(&look, false, &found, why, sizeof why));
    look_clear(&look);
    dns_answer_unref(yes);
    dns_answer_unref(no);
    return found;
}

static void test_half_of_the_witnesses(void **state)
{
    static const struct {
        size_t asked, listed;
        bool lying; /* it was found to before */
        enum health found;
    } rows[] = {
        {16, 0, false, HEALTH_HEALTHY}, {16, 7, false, HEALTH_HEALTHY},
        {16, 8, false, HEALTH_LYING},   {8, 4, false, HEALTH_LYING},
        {7, 7, false, HEALTH_HEALTHY},  {16, 2, true, HEALTH_HEALTHY},
        {16, 3, true, HEALTH_LYING},    {8, 1, true, HEALTH_HEALTHY},
        {8, 2, true, HEALTH_LYING},     {7, 7, true, HEALTH_HEALTHY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(find(rows[i].asked, rows[i].listed, rows[i].lying),
                         rows[i].found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_half_of_the_witnesses)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
