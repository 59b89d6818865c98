/* SPDX-License-Identifier: BSD-2-Clause */
/* What one host says of a key to the others: what is written reads back as the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules/others_parts.h"

#define NOW INT64_C(1790553600)

static const struct counter_layout layouts[RULE_BY_COUNT] = {
    [RULE_BY_LOGIN] = {.windows = {{COUNT_RECIPIENTS, 3600, 0},
                                   {COUNT_NETWORKS, 3600, 0},
                                   {COUNT_MESSAGES, 7 * 86400, 0}},
                       .count = 3}};

/* So many recipients and networks are counted, told and heard. */
static struct heard *pass(struct counters *counters, unsigned networks,
                          struct counter_reading *reading)
{
    struct counter_event events[] = {{.count = COUNT_RECIPIENTS, .n = 3},
                                     {.count = COUNT_NETWORKS, .n = 1}};
    struct heard *heard;
    char *text;

    for (unsigned i = 0; i < networks; i++) {
        events[1].element = counters_hash(&i, sizeof i);
        assert_true(counters_add(counters, RULE_BY_LOGIN, "user:anna", false, events, 2,
                                 NOW, reading));
    }
    text = heard_write(counters, RULE_BY_LOGIN, "user:anna", reading, NOW);
    assert_non_null(text);
    heard = heard_read(text);
    free(text);
    assert_non_null(heard);
    return heard;
}

static void test_reads_back(void **state)
{
    static const unsigned networks[] = {1, 8, 64, 65, 300};

    (void)state;
    for (size_t n = 0; n < sizeof networks / sizeof networks[0]; n++) {
        struct counters *counters = counters_new(100, layouts, NOW - 2 * 3600);
        struct counter_reading reading;
        struct heard *heard = pass(counters, networks[n], &reading);
        uint64_t bits[SKETCH_BITS / 64] = {0};

        assert_int_equal(heard->count, 3);
        assert_int_equal(heard->last_seen_s, NOW);
        assert_int_equal(heard->windows[0].value, 3 * networks[n]);
        assert_null(heard->windows[0].bits);
        assert_true(counters_bits(counters, RULE_BY_LOGIN, "user:anna", COUNT_NETWORKS,
                                  3600, NOW, bits));
        assert_memory_equal(heard->windows[1].bits, bits, sizeof bits);
        /* a week was not observed */
        assert_int_equal(heard->windows[2].value, -1);
        heard_free(heard);
        counters_free(counters);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads_back)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
