/* SPDX-License-Identifier: BSD-2-Clause */
/* The Bloom filter: never a wrong no, few wrong yes. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "blocklist/bloom.h"
#include "blocklist/entry.h"

#define KEYS 200000

static uint64_t hash_of(unsigned i)
{
    struct entry entry = {.kind = ENTRY_ADDRESS};

    snprintf(entry.text, sizeof entry.text, "user%u@d%u.example", i, i % 1000);
    return entry_hash(&entry);
}

static void test_no_false_negative(void **state)
{
    struct bloom_filter *filter = bloom_filter_new(KEYS);
    unsigned wrong = 0;

    (void)state;
    for (unsigned i = 0; i < KEYS; i++)
        bloom_filter_add(filter, hash_of(i));
    for (unsigned i = 0; i < KEYS; i++)
        if (!bloom_filter_may_contain(filter, hash_of(i)))
            fail_msg("key %u is not found", i);
    for (unsigned i = KEYS; i < 2 * KEYS; i++)
        wrong += bloom_filter_may_contain(filter, hash_of(i));
    print_message("wrong yes: %.4f %%\n", 100.0 * wrong / KEYS);
    assert_true(wrong < KEYS / 200);
    bloom_filter_free(filter);
}

/* Too full it only says yes too often. */
static void test_overfull(void **state)
{
    struct bloom_filter *filter = bloom_filter_new(1);
    uint64_t capacity = bloom_filter_capacity(filter);

    (void)state;
    for (unsigned i = 0; i < 10 * capacity; i++)
        bloom_filter_add(filter, hash_of(i));
    for (unsigned i = 0; i < 10 * capacity; i++)
        assert_true(bloom_filter_may_contain(filter, hash_of(i)));
    assert_true(bloom_filter_keys(filter) > bloom_filter_capacity(filter));
    bloom_filter_free(filter);
}

static void test_prefixes(void **state)
{
    struct bloom_filter *filter = bloom_filter_new(1);

    (void)state;
    bloom_filter_add_prefix(filter, 4, 0);
    bloom_filter_add_prefix(filter, 4, 32);
    bloom_filter_add_prefix(filter, 6, 64);
    bloom_filter_add_prefix(filter, 6, 128);
    for (unsigned i = 0; i <= 128; i++) {
        assert_int_equal(bloom_filter_has_prefix(filter, 4, i), i == 0 || i == 32);
        assert_int_equal(bloom_filter_has_prefix(filter, 6, i), i == 64 || i == 128);
    }
    bloom_filter_free(filter);
}

struct part {
    struct bloom_filter *filter;
    unsigned from;
};

static void *add_part(void *context)
{
    struct part *part = context;

    for (unsigned i = 0; i < KEYS / 4; i++)
        bloom_filter_add(part->filter, hash_of(part->from + i));
    return NULL;
}

static void test_threads(void **state)
{
    struct bloom_filter *filter = bloom_filter_new(KEYS);
    struct part parts[4];
    pthread_t threads[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        parts[i] = (struct part){filter, i * (KEYS / 4)};
        assert_int_equal(pthread_create(&threads[i], NULL, add_part, &parts[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < KEYS; i++)
        assert_true(bloom_filter_may_contain(filter, hash_of(i)));
    assert_int_equal(bloom_filter_keys(filter), KEYS);
    bloom_filter_free(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_false_negative),
        cmocka_unit_test(test_overfull),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
