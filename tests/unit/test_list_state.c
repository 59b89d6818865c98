/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/list_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

static struct bell bell;
static struct list_state storage, *list = &storage;
static const struct list plain = {.daily_limit = 0};

static int set_up(void **state)
{
    (void)state;
    log_open(LOG_TARGET_STDERR, LOG_LEVEL_ERROR, true);
    bell_init(&bell);
    list_state_init(list, "bl", &bell);
    list_state_begin(list, &plain, true);
    assert_int_equal(atomic_exchange(&list->events, 0), 1u << EVENT_NONE); /* the check */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    list_state_clear(list);
    bell_clear(&bell);
    return 0;
}

static enum health health(int half)
{
    return atomic_load(&list->halves[half].health);
}

static void test_the_first_health_check(void **state)
{
    (void)state;
    assert_int_equal(health(0), HEALTH_UNCHECKED);
    assert_true(list_state_checked(list, false, HEALTH_HEALTHY, "well"));
    assert_int_equal(health(0), HEALTH_HEALTHY);
}

static void test_only_the_second_health_check_disables(void **state)
{
    (void)state;
    list_state_checked(list, false, HEALTH_HEALTHY, "well");
    assert_false(list_state_checked(list, false, HEALTH_EMPTY, "one odd answer"));
    assert_int_equal(health(0), HEALTH_HEALTHY);
    assert_true(list_state_checked(list, false, HEALTH_HEALTHY, "well"));
    for (int i = 0; i < 2; i++)
        assert_false(list_state_checked(list, false, HEALTH_DOWN, "does not answer"));
    assert_int_equal(health(0), HEALTH_DOWN);
    assert_true(list_state_checked(list, false, HEALTH_HEALTHY, "well"));
    assert_int_equal(health(0), HEALTH_HEALTHY);
}

static void test_events_change_no_state(void **state)
{
    (void)state;
    list_state_checked(list, false, HEALTH_HEALTHY, "well");
    list_state_suspect(list, false, EVENT_FAILED);
    assert_false(list->halves[0].held);
    assert_int_equal(list->events, 1u << EVENT_FAILED);
    list_state_suspect(list, false, EVENT_SHARE);
    assert_true(list->halves[0].held);
    assert_int_equal(list->events, 1u << EVENT_FAILED | 1u << EVENT_SHARE);
    assert_int_equal(health(0), HEALTH_HEALTHY);
    list_state_checked(list, false, HEALTH_HEALTHY, "well");
    assert_false(list->halves[0].held);
}

static void test_a_health_check_just_answered_it(void **state)
{
    (void)state;
    list_state_checked(list, false, HEALTH_HEALTHY, "well");
    atomic_store(&list->quiet_until_ms, clock_ms() + 60000);
    list_state_suspect(list, false, EVENT_SHARE);
    assert_false(list->halves[0].held);
    list_state_suspect(list, false, EVENT_FOREIGN);
    assert_true(list->halves[0].held);
}

static void test_the_ipv6_half_has_its_own(void **state)
{
    (void)state;
    list_state_checked(list, false, HEALTH_HEALTHY, "well");
    assert_ptr_equal(list_state_half(list, true), &list->halves[0]);
    atomic_store(&list->ipv6_known, true);
    for (int i = 0; i < 2; i++)
        list_state_checked(list, true, HEALTH_LYING, "lists ::FFFF:7F00:1");
    assert_int_equal(health(1), HEALTH_LYING);
    assert_int_equal(health(0), HEALTH_HEALTHY);
}

static void test_what_voids_what_came(void **state)
{
    static const struct {
        enum health found;
        bool listed, unlisted; /* what is void */
    } rows[] = {{HEALTH_LYING, true, true},
                {HEALTH_EMPTY, false, true},
                {HEALTH_DOWN, false, false},
                {HEALTH_BLOCKED, false, false}};
    const struct list_half *half;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        half = &list->halves[0];
        list_state_checked(list, false, HEALTH_HEALTHY, "well");
        for (int k = 0; k < 2; k++)
            list_state_checked(list, false, rows[i].found, "why");
        assert_int_equal(half->listed_from_ms != 0, rows[i].listed);
        assert_int_equal(half->unlisted_from_ms != 0, rows[i].unlisted);
        tear_down(state);
        set_up(state);
    }
}

static void test_suspended_until_resumed(void **state)
{
    (void)state;
    list_state_checked(list, false, HEALTH_HEALTHY, "well");
    list_state_resume(list); /* it is not suspended */
    assert_int_equal(health(0), HEALTH_HEALTHY);
    list_state_suspend(list, "anna");
    list_state_suspend(list, "bert");
    assert_string_equal(list->halves[0].why, "suspended by anna");
    list_state_checked(list, false, HEALTH_HEALTHY, "well");
    assert_int_equal(health(0), HEALTH_SUSPENDED);
    list_state_begin(list, &plain, true);
    assert_int_equal(health(0), HEALTH_SUSPENDED);
    list_state_resume(list);
    assert_int_equal(health(0), HEALTH_UNCHECKED);
}

/* Saved, read back, and with the old daemon's file. */
static void test_saved(void **state)
{
    static const struct list limited = {.daily_limit = 10};
    json_t *saved;

    (void)state;
    list_state_begin(list, &limited, false);
    assert_false(list_state_is_over_limit(list, &limited));
    atomic_fetch_sub(&list->quota_left, 10);
    assert_true(list_state_is_over_limit(list, &limited));
    list_state_suspend(list, "anna");
    saved = list_state_save(list);
    list_state_clear(list);
    list_state_init(list, "bl", &bell);
    json_object_set_new(saved, "share", json_real(0.5)); /* the old daemon's */
    list_state_load(list, saved);
    json_decref(saved);
    list_state_begin(list, &limited, true);
    assert_int_equal(health(0), HEALTH_SUSPENDED);
    assert_true(list_state_is_over_limit(list, &limited));
    assert_int_equal(list_state_used_today(list), 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void test_names(void **state)
{
    enum health got;

    (void)state;
    for (int h = 0; h < HEALTH_COUNT; h++) {
        assert_int_equal(health_parse(health_name((enum health)h), &got), 0);
        assert_int_equal(got, h);
        assert_int_equal(health_counts(got), h == HEALTH_HEALTHY || h == HEALTH_SLOW);
    }
    assert_int_equal(health_parse("well", &got), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_health_check),
        TEST(test_only_the_second_health_check_disables),
        TEST(test_events_change_no_state),
        TEST(test_a_health_check_just_answered_it),
        TEST(test_the_ipv6_half_has_its_own),
        TEST(test_what_voids_what_came),
        TEST(test_suspended_until_resumed),
        TEST(test_saved),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
