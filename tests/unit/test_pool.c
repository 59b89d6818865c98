/* SPDX-License-Identifier: BSD-2-Clause */
/* When callbacks count as stuck: some under way, and none that returns. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "milter/pool.h"

#define BOUND_MS 300

static void sleep_ms(int ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

static void test_idle_is_not_stuck(void **state)
{
    struct progress progress = {0};

    (void)state;
    assert_false(progress_is_stuck(&progress, 0));
    progress_begin(&progress);
    progress_end(&progress);
    sleep_ms(5);
    assert_false(progress_is_stuck(&progress, 0));
}

/* After a quiet night the first one is not taken for one that hangs. */
static void test_first_after_a_quiet_time(void **state)
{
    struct progress progress = {0};

    (void)state;
    progress_begin(&progress);
    progress_end(&progress);
    sleep_ms(BOUND_MS + 50);
    progress_begin(&progress);
    assert_false(progress_is_stuck(&progress, BOUND_MS));
}

static void test_one_that_hangs(void **state)
{
    struct progress progress = {0};

    (void)state;
    progress_begin(&progress);
    sleep_ms(BOUND_MS + 50);
    assert_true(progress_is_stuck(&progress, BOUND_MS));
    progress_begin(&progress); /* one more that begins is no progress */
    assert_true(progress_is_stuck(&progress, BOUND_MS));
    progress_end(&progress);
    assert_false(progress_is_stuck(&progress, BOUND_MS));
    sleep_ms(BOUND_MS + 50);
    assert_true(progress_is_stuck(&progress, BOUND_MS));
}

static void *begin_and_end(void *context)
{
    for (int i = 0; i < 20000; i++) {
        progress_begin(context);
        progress_end(context);
    }
    return NULL;
}

/* Whoever looks never sees a callback with the time of an older one. */
static void test_many_threads(void **state)
{
    struct progress progress = {0};
    pthread_t threads[4];
    unsigned stuck = 0;

    (void)state;
    for (int t = 0; t < 4; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, begin_and_end, &progress), 0);
    for (int i = 0; i < 100000; i++)
        stuck += progress_is_stuck(&progress, 60000);
    for (int t = 0; t < 4; t++)
        pthread_join(threads[t], NULL);
    assert_int_equal(stuck, 0);
    assert_int_equal(progress.in_flight, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_is_not_stuck),
        cmocka_unit_test(test_first_after_a_quiet_time),
        cmocka_unit_test(test_one_that_hangs),
        cmocka_unit_test(test_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
