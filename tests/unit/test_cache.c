/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct dns_key key_of(uint32_t upstream, enum dns_type type, const char *name)
{
    struct dns_key key;

    assert_true(dns_key_make(&key, 4711, upstream, type, name));
    return key;
}

/* Puts an answer that ends at expires_ms, known by its address. */
static void put(struct cache *cache, struct dns_key key, uint32_t address,
                int64_t expires_ms)
{
    struct dns_answer *answer = dns_answer_new(DNS_FOUND, 1, NULL);

    assert_non_null(answer);
    answer->addresses[0].s_addr = address;
    answer->expires_ms = expires_ms;
    cache_put(cache, &key, answer);
    dns_answer_unref(answer);
}

/* The address of the answer, 0 for none. */
static uint32_t get(struct cache *cache, struct dns_key key, int64_t now_ms)
{
    struct dns_answer *answer = cache_get(cache, &key, now_ms);
    uint32_t address = answer != NULL ? answer->addresses[0].s_addr : 0;

    dns_answer_unref(answer);
    return address;
}

static struct cache_stats stats_of(struct cache *cache)
{
    struct cache_stats stats;

    cache_stats(cache, &stats);
    return stats;
}

static struct dns_key numbered(unsigned i)
{
    char name[32];

    snprintf(name, sizeof name, "n%u.bl.test", i);
    return key_of(1, DNS_A, name);
}

static void test_keys_apart(void **state)
{
    struct cache *cache = cache_new(1000);

    (void)state;
    put(cache, key_of(1, DNS_A, "a.t"), 1, 100);
    put(cache, key_of(2, DNS_A, "a.t"), 2, 100);
    put(cache, key_of(1, DNS_TXT, "a.t"), 3, 100);
    put(cache, key_of(1, DNS_A, "b.t"), 4, 100);
    assert_int_equal(get(cache, key_of(1, DNS_A, "a.t"), 0), 1);
    assert_int_equal(get(cache, key_of(2, DNS_A, "a.t"), 0), 2);
    assert_int_equal(get(cache, key_of(1, DNS_TXT, "a.t"), 0), 3);
    assert_int_equal(get(cache, key_of(1, DNS_A, "b.t"), 0), 4);
    assert_int_equal(get(cache, key_of(1, DNS_A, "a.t.t"), 0), 0);
    put(cache, key_of(1, DNS_A, "a.t"), 9, 100);
    assert_int_equal(get(cache, key_of(1, DNS_A, "a.t"), 0), 9);
    assert_int_equal(stats_of(cache).count, 4);
    assert_int_equal(stats_of(cache).hits, 5);
    cache_flush(cache);
    assert_int_equal(get(cache, key_of(1, DNS_A, "a.t"), 0), 0);
    assert_int_equal(stats_of(cache).count, 0);
    assert_int_equal(stats_of(cache).bytes, 0);
    cache_free(cache);
}

static void test_end(void **state)
{
    struct cache *cache = cache_new(1000);
    struct dns_key key = key_of(1, DNS_A, "a.t");

    (void)state;
    put(cache, key, 1, 100);
    assert_int_equal(get(cache, key, 99), 1);
    assert_int_equal(get(cache, key, 100), 0);
    struct dns_answer *ended = cache_get_ended(cache, &key, 50);
    assert_non_null(ended);
    dns_answer_unref(ended);
    assert_null(cache_get_ended(cache, &key, 100));
    cache_free(cache);
}

static const size_t limits[] = {0, 1, 10, 100, 1000};

static void test_bounds(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
        struct cache *cache = cache_new(limits[l]);

        for (unsigned i = 0; i < 5000; i++)
            put(cache, numbered(i), i + 1, 100);
        assert_true(stats_of(cache).count <= limits[l]);
        assert_true(stats_of(cache).count >= limits[l] * 9 / 10);
        assert_true(stats_of(cache).bytes <= limits[l] * CACHE_ANSWER_BYTES);
        cache_resize(cache, limits[l] / 2);
        assert_true(stats_of(cache).count <= limits[l] / 2);
        cache_free(cache);
    }
}

/* Large answers: the memory is bounded, not only their number. */
static void test_bytes(void **state)
{
    struct cache *cache = cache_new(1600);
    char text[DNS_TEXT_MAX + 1];

    (void)state;
    memset(text, 'x', DNS_TEXT_MAX);
    text[DNS_TEXT_MAX] = '\0';
    for (unsigned i = 0; i < 5000; i++) {
        struct dns_answer *answer = dns_answer_new(DNS_FOUND, 0, text);
        struct dns_key key = numbered(i);

        answer->expires_ms = 100;
        cache_put(cache, &key, answer);
        dns_answer_unref(answer);
    }
    assert_true(stats_of(cache).bytes <= 1600 * CACHE_ANSWER_BYTES);
    assert_true(stats_of(cache).bytes >= 1600 * CACHE_ANSWER_BYTES * 9 / 10);
    cache_free(cache);
}

/* What is used stays, however much else comes. */
static void test_used_stays(void **state)
{
    struct cache *cache = cache_new(1600);

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        put(cache, numbered(i), i + 1, 100);
    for (unsigned i = 1000; i < 20000; i++) {
        put(cache, numbered(i), i, 100);
        assert_int_equal(get(cache, numbered(i % 100), 0), i % 100 + 1);
    }
    cache_free(cache);
}

static const struct {
    const char *label, *name;
    bool good;
} names[] = {
    {"a name", "a.bl.test", true},
    {"an underscore", "_x.a-b.test", true},
    {"one label", "test", true},
    {"no name", "", false},
    {"the root", ".", false},
    {"a dot at the end", "a.", false},
    {"a dot at the front", ".a", false},
    {"an empty label", "a..b", false},
    {"a backslash", "a\\.b", false},
    {"a space", "a b", false},
    {"an at sign", "a@b", false},
    {"8-bit", "\xe4.b", false},
    {"a control character", "a\n.b", false},
};

static void test_names(void **state)
{
    struct dns_key key;
    char name[300];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (dns_key_make(&key, 1, 1, DNS_A, names[i].name) != names[i].good)
            fail_msg("%s", names[i].label);
    memset(name, 'a', sizeof name);
    for (size_t i = 0; i < sizeof name; i += 50)
        name[i] = 'b', name[i + 49] = '.';
    name[253] = '\0';
    assert_true(dns_key_make(&key, 1, 1, DNS_A, name));
    assert_string_equal(dns_key_name(&key), name);
    name[253] = 'a';
    name[254] = '\0';
    assert_false(dns_key_make(&key, 1, 1, DNS_A, name));
    memset(name, 'a', 64);
    name[63] = '\0';
    assert_true(dns_key_make(&key, 1, 1, DNS_A, name));
    name[63] = 'a';
    name[64] = '\0';
    assert_false(dns_key_make(&key, 1, 1, DNS_A, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_apart), cmocka_unit_test(test_end),
        cmocka_unit_test(test_bounds),     cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_used_stays), cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
