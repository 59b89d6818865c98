/* SPDX-License-Identifier: BSD-2-Clause */
/* Strangers: what is unlike a login's habits, against a model that keeps every mail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "rules/counters.h"
#include "rules/window.h"

#define DAY   86400
#define BEGIN (INT64_C(20700) * DAY)
#define HOME  1
#define AWAY  100

static const struct counter_layout layouts[RULE_BY_COUNT] = {
    [RULE_BY_LOGIN] = {.windows = {{.count = COUNT_STRANGERS, .span_s = DAY}},
                       .count = 1},
};
static uint64_t nobody; /* the last one of those who were never written to */

static struct counters *begin(void)
{
    struct counters *counters = counters_new(10, layouts, BEGIN - 40 * DAY);

    assert_non_null(counters);
    return counters;
}

/* A mail to one; the strangers of the day. */
static uint32_t mail(struct counters *counters, int64_t at_s, uint64_t to,
                     uint64_t network)
{
    struct counter_event event = {.count = COUNT_STRANGERS,
                                  .n = 1,
                                  .element = counters_hash(&to, sizeof to),
                                  .network = counters_hash(&network, sizeof network)};
    struct counter_reading reading;

    assert_true(counters_add(counters, RULE_BY_LOGIN, "user:anna", false, &event, 1, at_s,
                             &reading));
    return reading.values[0];
}

static uint32_t value_of(struct counters *counters, int64_t at_s)
{
    struct counter_reading reading;

    assert_true(counters_read(counters, RULE_BY_LOGIN, "user:anna", at_s, &reading));
    return reading.values[0];
}

/* Whether one more whom nobody wrote to counts, from there. */
static bool counts(struct counters *counters, int64_t at_s, uint64_t network)
{
    uint64_t to = UINT64_C(1) << 40 | ++nobody;
    uint32_t before = value_of(counters, at_s);

    return mail(counters, at_s, to, network) > before;
}

/* Eight days at home. */
static struct counters *known(void)
{
    struct counters *counters = begin();

    for (int day = -8; day < 0; day++)
        mail(counters, BEGIN + day * DAY, 1, HOME);
    return counters;
}

static void test_networks(void **state)
{
    struct counters *counters = begin();

    (void)state;
    for (int day = -10; day < -3; day++) { /* nothing is known yet */
        mail(counters, BEGIN + day * DAY, 1, HOME);
        assert_false(counts(counters, BEGIN + day * DAY, AWAY - 20 - (uint64_t)day));
    }
    assert_false(counts(counters, BEGIN - 3 * DAY, HOME));
    assert_true(counts(counters, BEGIN - 3 * DAY, AWAY));
    assert_true(counts(counters, BEGIN - 1 * DAY - 1, AWAY));
    assert_true(counts(counters, BEGIN - 1 * DAY, AWAY));
    assert_false(counts(counters, BEGIN, AWAY)); /* it has settled */
    assert_false(counts(counters, BEGIN + 59 * DAY, AWAY));
    assert_true(counts(counters, BEGIN + 59 * DAY, HOME));   /* it was forgotten */
    assert_false(counts(counters, BEGIN + 120 * DAY, HOME)); /* all are */
    counters_free(counters);
}

/* However many new ones come, no settled one makes room. */
static void test_many_networks(void **state)
{
    struct counters *counters = known();
    unsigned counted = 0;

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        counted += counts(counters, BEGIN + (int64_t)i * 200, AWAY + i);
        if (i % 50 == 0)
            assert_false(counts(counters, BEGIN + (int64_t)i * 200, HOME));
    }
    assert_in_range(counted, 850, 1000); /* the others look like contacts */
    counters_free(counters);
}

/* Contacts take off what counts, once they are old ones. */
static void test_contacts(void **state)
{
    struct counters *counters = known();
    uint32_t value = 0;

    (void)state;
    for (uint64_t to = 1; to <= 150; to++) /* 50 of them are not old yet */
        mail(counters, BEGIN, to, HOME);
    for (int i = 0; i < 40; i++)
        counts(counters, BEGIN, AWAY);
    value = mail(counters, BEGIN, 1u << 20, AWAY);
    assert_in_range(value, 25, 41); /* some look like contacts */
    assert_int_equal(mail(counters, BEGIN, 1u << 20, AWAY), value); /* again */
    assert_int_equal(mail(counters, BEGIN, 149, AWAY), value);
    assert_int_equal(mail(counters, BEGIN, 2, HOME), value);
    assert_int_equal(mail(counters, BEGIN, 3, AWAY), value - 1);
    for (uint64_t i = 0; i < 100; i++)
        value = mail(counters, BEGIN, 4, AWAY);
    assert_int_equal(value, 0);
    counters_free(counters);
}

/* A mail merge is no more than what counts in an hour. */
static void test_all_at_once(void **state)
{
    struct counters *counters = known();
    unsigned counted = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        counts(counters, BEGIN + i / 2, AWAY);
    assert_int_equal(value_of(counters, BEGIN), 2 * HABIT_HOUR_MOST);
    for (int i = 0; i < 20; i++)
        counted += counts(counters, BEGIN + 7200, AWAY);
    assert_in_range(counted, 15, 20);
    counters_free(counters);
}

static uint64_t drawn(uint64_t *state) /* splitmix64 */
{
    uint64_t i = *state += 0x9e3779b97f4a7c15ULL;

    i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9ULL;
    i = (i ^ (i >> 27)) * 0x94d049bb133111ebULL;
    return i ^ (i >> 31);
}

/* Owners with up to 90 contacts and four networks, and mail of somebody else among theirs, at
 * most 30 an hour: what counts of it is exact but for who is taken for a contact, one in eight at
 * most on average; nothing of the owner's counts. */
static void test_against_a_model(void **state)
{
    uint64_t exact = 0, counted = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct counters *counters = begin();
        uint64_t chance = seed, contacts = 1 + drawn(&chance) % 90;
        uint32_t value = 0, strangers = 0;
        bool is_before = true;

        for (int64_t at_s = BEGIN - 20 * DAY; at_s < BEGIN + DAY; at_s += 600) {
            uint64_t network = drawn(&chance) % 4, to = drawn(&chance) % contacts;

            if (at_s < BEGIN - 10 * DAY && is_before) /* all of them are met early */
                for (to = 0; to < contacts; to++)
                    mail(counters, at_s, to, to % 4);
            is_before = at_s < BEGIN - 10 * DAY - 600;
            assert_int_equal(mail(counters, at_s, to % contacts, network), value);
            if (at_s < BEGIN || drawn(&chance) % 3 == 0)
                continue;
            value = mail(counters, at_s, UINT64_C(1) << 40 | ++nobody, AWAY);
            strangers++;
            assert_in_range(value, 0, strangers);
        }
        exact += strangers;
        counted += value;
        counters_free(counters);
    }
    assert_in_range(exact, 200 * 80, 200 * 110);
    assert_in_range(counted, exact * 7 / 8, exact);
}

/* What other rules, a snapshot, a clock that jumps make of habits. */
static void test_kept(void **state)
{
    static const struct counter_layout other[RULE_BY_COUNT] = {
        [RULE_BY_LOGIN] = {.windows = {{.count = COUNT_NETWORKS, .span_s = 3600},
                                       {.count = COUNT_RECIPIENTS, .span_s = DAY},
                                       {.count = COUNT_STRANGERS, .span_s = DAY}},
                           .count = 3},
    };
    struct counters *counters = known(), *loaded = begin();
    char *octets = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&octets, &size);

    (void)state;
    counters_configure(counters, 10, other, BEGIN);
    counters_configure(counters, 10, layouts, BEGIN);
    assert_true(counts(counters, BEGIN, AWAY));
    assert_non_null(file);
    assert_int_equal(counters_save(counters, BEGIN, file), 0);
    assert_int_equal(fclose(file), 0);
    file = fmemopen(octets, size, "r");
    assert_non_null(file);
    assert_int_equal(counters_load(loaded, BEGIN, 600, file), 0);
    fclose(file);
    free(octets);
    assert_int_equal(mail(loaded, BEGIN, 1, AWAY), 1);
    assert_false(counts(loaded, BEGIN, HOME));
    assert_true(counts(loaded, BEGIN, AWAY));
    for (int clear = 0; clear < 2; clear++) {
        counters_unobserved(loaded, BEGIN + 60, clear);
        assert_int_equal(value_of(loaded, BEGIN + 60), clear ? 0 : 2);
    }
    assert_true(counts(loaded, BEGIN + 60, AWAY));
    assert_false(counts(loaded, BEGIN + 60, HOME));
    assert_true(counters_reset(loaded, RULE_BY_LOGIN, "user:anna"));
    assert_int_equal(value_of(loaded, BEGIN + 60), 0);
    assert_true(counts(loaded, BEGIN + 60, AWAY));
    counters_free(counters);
    counters_free(loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),        cmocka_unit_test(test_many_networks),
        cmocka_unit_test(test_contacts),        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_against_a_model), cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
