/* SPDX-License-Identifier: BSD-2-Clause */
/* The time that ends are reckoned from: jumps of the clock move it only when confirmed.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "blocklist/store.h"

#define START 1800000000LL
#define YEAR  (365LL * 24 * 3600)
#define HOUR  3600LL

struct clocks {
    int64_t wall_s, steady_s;
};

static int64_t wall_ns(void *context)
{
    return ((struct clocks *)context)->wall_s * 1000000000;
}

static int64_t steady_ns(void *context)
{
    return ((struct clocks *)context)->steady_s * 1000000000;
}

/* A start, a jump of the wall clock, some time, a tick a second for it. */
static const struct {
    const char *label;
    int64_t last_seen, jump, then, want; /* want: from START */
    bool warning;
} cases[] = {
    {"nothing", 0, 0, 60, 60, false},
    {"a little step", 0, 30, 60, 90, false},
    {"a little step back", 0, -30, 60, 30, false},
    {"a year forward", 0, YEAR, 60, 60, true},
    {"an hour back", 0, -HOUR, 60, 60, true},
    {"a year forward, and it stays", 0, YEAR, WALLTIME_HOLD_S + 60,
     YEAR + WALLTIME_HOLD_S + 60, false},
    {"an hour back, and it stays", 0, -HOUR, WALLTIME_HOLD_S + 60,
     WALLTIME_HOLD_S + 60 - HOUR, false},
    {"off for a week", START - 7 * 24 * HOUR, 0, 60, 60, false},
    {"off for a year, it seems", START - YEAR, 0, 60, 60 - YEAR, true},
    {"before it was last on", START + HOUR, 0, 60, 60 + HOUR, true},
};

static void test_jumps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct clocks clocks = {START, 77};
        struct blocklist_clock clock = {wall_ns, steady_ns, &clocks};
        struct walltime walltime;
        char warning[300];

        walltime_init(&walltime, &clock, cases[i].last_seen);
        walltime_tick(&walltime);
        clocks.wall_s += cases[i].jump;
        for (int64_t s = 0; s < cases[i].then; s++) {
            clocks.wall_s++;
            clocks.steady_s++;
            walltime_tick(&walltime);
        }
        walltime_warning(&walltime, warning, sizeof warning);
        if (walltime_now(&walltime) != START + cases[i].want ||
            (warning[0] != '\0') != cases[i].warning)
            fail_msg("%s: %lld (%s)", cases[i].label,
                     (long long)walltime_now(&walltime) - START, warning);
    }
}

static void test_there_and_back(void **state)
{
    struct clocks clocks = {START, 77};
    struct blocklist_clock clock = {wall_ns, steady_ns, &clocks};
    struct walltime walltime;
    char warning[300];

    (void)state;
    walltime_init(&walltime, &clock, 0);
    clocks.wall_s += YEAR;
    walltime_tick(&walltime);
    assert_int_equal(walltime_now(&walltime), START);
    clocks.wall_s -= YEAR;
    walltime_tick(&walltime);
    walltime_warning(&walltime, warning, sizeof warning);
    assert_string_equal(warning, "");
    assert_int_equal(walltime_now(&walltime), START);
}

struct jumping {
    int reads, jump_after; /* of the wall clock */
};

static int64_t jumping_wall_ns(void *context)
{
    struct jumping *jumping = context;

    return (START + (jumping->reads++ < jumping->jump_after ? 0 : YEAR)) * 1000000000;
}

static int64_t still_ns(void *context)
{
    (void)context;
    return 77;
}

/* Whatever the moment of the jump, it is seen as one. */
static void test_jump_within_a_tick(void **state)
{
    (void)state;
    for (int after = 1; after < 8; after++) {
        struct jumping jumping = {0, after};
        struct blocklist_clock clock = {jumping_wall_ns, still_ns, &jumping};
        struct walltime walltime;

        walltime_init(&walltime, &clock, 0);
        for (int tick = 0; tick < 10; tick++)
            walltime_tick(&walltime);
        if (walltime_now(&walltime) != START)
            fail_msg("a jump after %d reads was followed", after);
    }
}

static void test_trust(void **state)
{
    struct clocks clocks = {START, 77};
    struct blocklist_clock clock = {wall_ns, steady_ns, &clocks};
    struct walltime walltime;
    char warning[300];

    (void)state;
    walltime_init(&walltime, &clock, 0);
    clocks.wall_s += YEAR;
    walltime_tick(&walltime);
    walltime_warning(&walltime, warning, sizeof warning);
    assert_non_null(strstr(warning, "forward"));
    walltime_trust(&walltime);
    assert_int_equal(walltime_now(&walltime), START + YEAR);
    walltime_warning(&walltime, warning, sizeof warning);
    assert_string_equal(warning, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_jump_within_a_tick),
        cmocka_unit_test(test_trust),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
