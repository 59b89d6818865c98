/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal's files of many days: those that are open, and those that change behind it. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "journal_helper.h"

#define DAY_S 86400

static void test_a_year(void **state)
{
    struct sample one = full_sample;
    struct box box;
    char client[32];
    time_t first = JOURNAL_EPOCH + DAY_S;

    (void)state;
    box_prepare(&box);
    box.settings.refused_s = box.settings.accepted_s = 400 * DAY_S;
    one.client = client;
    box_open(&box);
    for (unsigned i = 0; i < 366; i++) {
        (void)snprintf(client, sizeof client, "10.%u.%u.1", i / 200, i % 200);
        box_put(&box, id_at(first + (time_t)i * DAY_S, i), i % 2 == 0, &one);
    }
    journal_flush(box.journal, 60000);
    assert_int_equal(box_find(&box, TOKEN_ADDRESS, "anna.a@domain.xyz", 1000), 366);
    assert_int_equal(box_walk(&box), 366);
    assert_true(box_open_files() < 300);
    assert_true(box_find_id(&box, id_at(first, 0)));
    box_end(&box);
}

/* As by a clock that jumped: what a search has read already may be added to. */
static void test_an_old_day_that_is_written(void **state)
{
    struct box box;
    journal_id id = id_at(time(NULL) - 5 * DAY_S, 1);

    (void)state;
    box_start(&box);
    for (unsigned n = 0; n < 3; n++) {
        char queue_id[16];

        (void)snprintf(queue_id, sizeof queue_id, "OLD%u", n);
        box_put(&box, id + n, true, &full_sample);
        box_put_more(&box, id + n, true, &(struct sample){.queue_id = queue_id});
        assert_int_equal(box_find(&box, TOKEN_CLIENT, "192.0.2.1", 9), n + 1);
        assert_int_equal(box_find(&box, TOKEN_QUEUE_ID, queue_id, 9), 1);
        assert_true(box_find_id(&box, id + n));
        assert_string_equal(box.found[0].queue_id, queue_id);
    }
    box_end(&box);
}

/* Ids of several days in one batch: midnight in a burst, a clock that jumps. */
static void test_days_in_one_batch(void **state)
{
    struct sample one = full_sample;
    struct box box;
    time_t midnight = time(NULL) / DAY_S * DAY_S;

    (void)state;
    one.verdict = 0; /* so that it is no flood */
    box_start(&box);
    for (unsigned i = 0; i < 50; i++)
        box_put(&box, id_at(midnight - 25 + (time_t)i, i), i % 2 == 0, &one);
    for (unsigned i = 50; i < 62; i++)
        box_put(&box, id_at(midnight + (time_t)(i % 6) * 3 * DAY_S, i), i % 2 == 0, &one);
    journal_flush(box.journal, 60000);
    for (unsigned i = 0; i < 50; i++)
        assert_true(box_find_id(&box, id_at(midnight - 25 + (time_t)i, i)));
    for (unsigned i = 50; i < 62; i++)
        if (!box_find_id(&box, id_at(midnight + (time_t)(i % 6) * 3 * DAY_S, i)))
            fail_msg("%u is lost", i);
    assert_int_equal(box_walk(&box), 62);
    box_end(&box);
}

/* A search that has read the directory long after it changed finds what comes later all the
 * same. */
static void test_a_file_that_comes_later(void **state)
{
    static const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    struct sample one = {
        .client = "192.0.2.1", .verdict = 3, .sender = "anna@domain.xyz"};
    time_t now = time(NULL);
    struct box box;

    (void)state;
    box_prepare(&box);
    box_open(&box);
    box_put(&box, id_at(now, 1), true, &one);
    assert_int_equal(box_find(&box, TOKEN_ADDRESS, one.sender, 9), 1);
    assert_int_equal(utimensat(AT_FDCWD, box.settings.directory, old, 0), 0);
    assert_int_equal(box_find(&box, TOKEN_ADDRESS, one.sender, 9), 1);
    box_put(&box, id_at(now - 86400, 1), true, &one);
    assert_int_equal(box_find(&box, TOKEN_ADDRESS, one.sender, 9), 2);
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_year),
        cmocka_unit_test(test_an_old_day_that_is_written),
        cmocka_unit_test(test_days_in_one_batch),
        cmocka_unit_test(test_a_file_that_comes_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
