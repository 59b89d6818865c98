/* SPDX-License-Identifier: BSD-2-Clause */
/* Of a flood of equal refusals some are kept for themselves, and one stands for the rest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "journal_helper.h"

#define KEPT 61 /* 60 for themselves, and the one that stands for the rest */

static void put_flood(struct box *box, time_t now, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        box_put(box, id_at(now, i), true, &full_sample);
    journal_flush(box->journal, 5000);
}

static void test_flood(void **state)
{
    struct box box;
    time_t now;

    (void)state;
    box_start(&box);
    now = box_new_minute(&box);
    put_flood(&box, now, 0, 70);
    put_flood(&box, now, 70, 100);
    /* ends that come later are no decisions of their own */
    box_put_more(&box, id_at(now, 65), true, &(struct sample){.queue_id = "LATE"});
    for (unsigned i = 0; i < 100; i++) {
        assert_true(box_find_id(&box, id_at(now, i)));
        assert_true(box.found[0].id == id_at(now, i < KEPT ? i : KEPT - 1));
        assert_int_equal(box.found[0].folded_away, i >= KEPT);
        assert_int_equal(box.found[0].folded, i >= KEPT - 1 ? 100 - KEPT : 0);
    }
    assert_int_equal(box_find(&box, TOKEN_QUEUE_ID, "LATE", 9), 0);
    assert_int_equal(box_walk(&box), KEPT);
    box_new_minute(&box);
    put_flood(&box, now, 100, 100 + KEPT);
    assert_int_equal(box_walk(&box), 2 * KEPT);
    box_end(&box);
}

static void test_what_is_no_flood(void **state)
{
    struct sample accepted = full_sample, other = full_sample;
    struct box box;
    time_t now;

    (void)state;
    accepted.verdict = 0;
    other.entry = NULL;
    box_start(&box);
    now = box_new_minute(&box);
    for (unsigned i = 0; i < 200; i++)
        box_put(&box, id_at(now, i), false, &accepted);
    for (unsigned i = 200; i < 260; i++)
        box_put(&box, id_at(now, i), true, &full_sample);
    for (unsigned i = 260; i < 320; i++) /* for another reason */
        box_put(&box, id_at(now, i), true, &other);
    assert_int_equal(box_walk(&box), 320);
    box_end(&box);
}

/* A batch that is lost must not leave one that others lead to. */
static void test_flood_in_a_gap(void **state)
{
    struct box box;
    time_t now;

    (void)state;
    box_start(&box);
    now = box_new_minute(&box);
    box_put(&box, id_at(now, 0), true, &full_sample);
    journal_flush(box.journal, 5000);
    box_lock_file(&box, now, "refused");
    put_flood(&box, now, 1, 100);
    box_unlock_file(&box);
    box_retry_now(&box);
    put_flood(&box, now, 100, 200);
    for (unsigned i = 100; i < 200; i++)
        assert_true(box_find_id(&box, id_at(now, i)));
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_what_is_no_flood),
        cmocka_unit_test(test_flood_in_a_gap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
