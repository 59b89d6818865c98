/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal where the disk is full, files are broken or gone, and what is too old or too much:
 * it costs the least, and never today's mail. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal_helper.h"

#define DAY_S 86400

/* --- what cannot be written --- */

static void test_gap(void **state)
{
    struct journal_stats stats;
    struct box box;
    time_t now = time(NULL);

    (void)state;
    box_prepare(&box);
    box_text_file(&box, "", "in its place"); /* a file where the directory is to be */
    box_open(&box);
    for (unsigned i = 0; i < 5; i++)
        box_put(&box, id_at(now, i), true, &full_sample);
    journal_flush(box.journal, 5000);
    journal_stats(box.journal, &stats);
    assert_true(stats.failing);
    assert_true(strstr(stats.error, box.directory) != NULL);
    assert_int_equal(stats.dropped, 5);
    assert_int_equal(stats.written, 0);
    assert_int_equal(box_gaps(&box), 1);
    assert_true(box.gap.ended_ms == 0);
    assert_int_equal(unlink(box.directory), 0);
    box_retry_now(&box);
    box_put(&box, id_at(now, 5), true, &full_sample);
    assert_true(box_find_id(&box, id_at(now, 5)));
    assert_int_equal(box_gaps(&box), 1);
    assert_int_equal(box.gap.dropped, 5);
    assert_true(box.gap.ended_ms >= box.gap.began_ms);
    box_restart(&box);
    assert_int_equal(box_gaps(&box), 1);
    assert_int_equal(box.gap.dropped, 5);
    box_end(&box);
}

static void test_min_free(void **state)
{
    struct journal_stats stats;
    struct box box;

    (void)state;
    box_prepare(&box);
    box.settings.min_free = INT64_MAX;
    box_open(&box);
    box_put(&box, id_at(time(NULL), 0), true, &full_sample);
    assert_false(box_find_id(&box, id_at(time(NULL), 0)));
    journal_stats(box.journal, &stats);
    assert_true(stats.failing && strstr(stats.error, "min-free") != NULL);
    assert_int_equal(box_count_files(&box, ".db"), 0);
    box.settings.min_free = 0;
    journal_configure(box.journal, &box.settings);
    box_retry_now(&box);
    box_put(&box, id_at(time(NULL), 1), true, &full_sample);
    assert_int_equal(box_walk(&box), 1);
    box_end(&box);
}

/* Today's files are never removed: beyond max-size nothing is added to them. */
static void test_full_by_today(void **state)
{
    struct journal_stats stats = {0};
    struct box box;
    time_t now = time(NULL);
    unsigned put = 0;

    (void)state;
    box_start(&box);
    box_put(&box, id_at(now, 0), true, &full_sample);
    box_close(&box);
    box.settings.max_size = 1;
    box_open(&box);
    while (!stats.failing && put < 1000) { /* it looks at them after it has written */
        box_put(&box, id_at(now, ++put), true, &full_sample);
        journal_flush(box.journal, 5000);
        usleep(10000);
        journal_stats(box.journal, &stats);
    }
    assert_true(stats.failing && strstr(stats.error, "max-size") != NULL);
    box_put(&box, id_at(now, ++put), true, &full_sample);
    assert_false(box_find_id(&box, id_at(now, put)));
    assert_true(box_find_id(&box, id_at(now, 0)));
    box_end(&box);
}

/* The writer waits for a lock; what does not fit into 16 MiB is counted and costs nobody. */
static void test_full_queue(void **state)
{
    struct journal_stats stats;
    struct box box;
    time_t now = time(NULL);
    unsigned put = 120000;

    (void)state;
    box_start(&box);
    box_put(&box, id_at(now, 0), true, &full_sample);
    journal_flush(box.journal, 5000);
    box_lock_file(&box, now, "refused");
    for (unsigned i = 1; i < put; i++) {
        box_put(&box, id_at(now, i), true, &full_sample);
        if (i % 1000 == 0) {
            journal_stats(box.journal, &stats);
            assert_true(stats.queued <= 17u << 20);
        }
    }
    box_unlock_file(&box);
    journal_flush(box.journal, 5000);
    journal_stats(box.journal, &stats);
    assert_true(stats.dropped > 0);
    assert_int_equal(stats.written + stats.dropped, put);
    box_retry_now(&box);
    box_put(&box, id_at(now, put), true, &full_sample);
    assert_true(box_find_id(&box, id_at(now, put)));
    assert_true(box_gaps(&box) >= 1);
    box_end(&box);
}

static void test_second_daemon(void **state)
{
    struct journal_stats stats;
    struct box box;
    struct journal *second;

    (void)state;
    box_start(&box);
    second = journal_new(&box.settings);
    assert_non_null(second);
    journal_stats(second, &stats);
    assert_true(stats.failing && strstr(stats.error, "another daemon") != NULL);
    box_put(&box, id_at(time(NULL), 0), true, &full_sample);
    assert_int_equal(box_walk(&box), 1);
    journal_free(second);
    box_end(&box);
}

static void test_removed_while_running(void **state)
{
    struct box box;
    time_t now = time(NULL);

    (void)state;
    box_start(&box);
    box_put(&box, id_at(now, 0), true, &full_sample);
    assert_int_equal(box_walk(&box), 1);
    assert_true(box_find_id(&box, id_at(now, 0))); /* the reader has it open */
    box_remove_files(&box);
    box_put(&box, id_at(now, 1), true, &full_sample);
    assert_true(box_find_id(&box, id_at(now, 1)));
    assert_false(box_find_id(&box, id_at(now, 0)));
    box_remove_files(&box);
    assert_int_equal(rmdir(box.directory), 0);
    box_put(&box, id_at(now, 2), true, &full_sample);
    assert_true(box_find_id(&box, id_at(now, 2)));
    assert_int_equal(box_walk(&box), 1);
    box_end(&box);
}

/* --- damage --- */

enum damage { HEADER, MIDDLE, CUT, EMPTY, TEXT, FOLDER, DAMAGES };
static const char *const damage_names[] = {"header", "a page in the middle", "cut",
                                           "empty",  "a text file",          "a folder"};

static void spoil(struct box *box, time_t day, enum damage damage)
{
    switch (damage) {
    case HEADER:
        box_overwrite(box, day, 0, 4096);
        break;
    case MIDDLE:
        box_overwrite(box, day, 4096, 1 << 20);
        break;
    case CUT:
        box_truncate(box, day, 5000);
        break;
    case EMPTY:
        box_truncate(box, day, 0);
        break;
    case TEXT:
        box_remove_day(box, day);
        box_text_file(box, box_day_name(day, "refused"), "some notes of mine\n");
        break;
    case FOLDER:
        box_remove_day(box, day);
        box_folder(box, box_day_name(day, "refused"));
        break;
    case DAMAGES:
        break;
    }
}

/* Yesterday is readable, today is written, whatever today's file was. */
static void check_after_damage(struct box *box, time_t now, enum damage damage)
{
    for (unsigned i = 100; i < 200; i++) {
        struct sample other = full_sample;

        other.client = "198.51.100.1";
        other.sender = "new@domain.xyz";
        box_put(box, id_at(now, i), true, i % 2 == 0 ? &other : &full_sample);
        if (i % 10 == 0)
            journal_flush(box->journal, 5000);
    }
    if (!box_find_id(box, id_at(now, 199)))
        fail_msg("%s: not kept", damage_names[damage]);
    if (box_find(box, TOKEN_ADDRESS, "new@domain.xyz", 100) != 50)
        fail_msg("%s: %zu found", damage_names[damage], box->count);
    if (!box_find_id(box, id_at(now - DAY_S, 7)))
        fail_msg("%s: yesterday's are lost", damage_names[damage]);
}

static void fill_two_days(struct box *box, time_t now)
{
    struct sample one = full_sample;
    char client[32];

    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(client, sizeof client, "192.0.%u.1", i);
        one.client = client;
        box_put(box, id_at(now, i), true, &one);
        box_put(box, id_at(now - DAY_S, i), true, &one);
    }
    journal_flush(box->journal, 5000);
}

static void test_damage_at_the_start(void **state)
{
    time_t now = time(NULL);

    (void)state;
    for (int damage = 0; damage < DAMAGES; damage++) {
        struct box box;

        box_start(&box);
        fill_two_days(&box, now);
        box_close(&box);
        spoil(&box, now, (enum damage)damage);
        box_open(&box);
        check_after_damage(&box, now, (enum damage)damage);
        if (damage != EMPTY)
            assert_int_equal(box_count_files(&box, ".damaged-"), 1);
        box_end(&box);
    }
}

static void test_damage_while_running(void **state)
{
    time_t now = time(NULL);

    (void)state;
    for (int damage = 0; damage < DAMAGES; damage++) {
        struct box box;

        box_start(&box);
        fill_two_days(&box, now);
        assert_true(box_find_id(&box, id_at(now, 7)));
        spoil(&box, now, (enum damage)damage);
        check_after_damage(&box, now, (enum damage)damage);
        box_restart(&box);
        if (!box_find_id(&box, id_at(now - DAY_S, 7)))
            fail_msg("%s: yesterday's are lost", damage_names[damage]);
        box_end(&box);
    }
}

/* --- what goes, and when --- */

static void test_age(void **state)
{
    static const struct {
        int days;
        const char *kind;
        bool stays;
    } rows[] = {
        {0, "refused", true},   {0, "accepted", true},  {29, "refused", true},
        {30, "refused", true},  {31, "refused", false}, {200, "refused", false},
        {7, "accepted", true},  {8, "accepted", false}, {-3, "refused", true},
        {-3, "accepted", true},
    };
    struct box box;
    time_t now = time(NULL);

    (void)state;
    box_prepare(&box);
    box.settings.refused_s = 30 * DAY_S;
    box.settings.accepted_s = 7 * DAY_S;
    box_folder(&box, "");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        box_old_file(&box, box_day_name(now - rows[i].days * DAY_S, rows[i].kind), 4096);
    box_old_file(&box, "2026-1-1.refused.db", 10);
    box_old_file(&box, "2026-01-01.refused.db.damaged-1767225600", 10);
    box_old_file(&box, "notes", 10);
    box_open(&box);
    box_close(&box);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (box_has(&box, box_day_name(now - rows[i].days * DAY_S, rows[i].kind)) !=
            rows[i].stays)
            fail_msg("%s, %d days old", rows[i].kind, rows[i].days);
    assert_true(box_has(&box, "2026-1-1.refused.db") && box_has(&box, "notes"));
    assert_false(box_has(&box, "2026-01-01.refused.db.damaged-1767225600"));
    box_end(&box);
}

/* Accepted mail of the oldest days first, then refusals; never today's. */
static void test_size(void **state)
{
    static const struct {
        int64_t max_mb;
        const char *left; /* letter: a accepted, r refused; digit: days old */
    } rows[] = {
        {9, "a0a1a2r0r1r2"}, {6, "a0a1a2r0r1r2"}, {5, "a0a1r0r1r2"}, {4, "a0r0r1r2"},
        {3, "a0r0r1"},       {2, "a0r0"},         {1, "a0r0"},
    };
    time_t now = time(NULL);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct box box;
        char left[32] = "";

        box_prepare(&box);
        box_folder(&box, "");
        box.settings.max_size = rows[i].max_mb << 20;
        for (int k = 0; k < 6; k++)
            box_old_file(
                &box, box_day_name(now - k % 3 * DAY_S, k < 3 ? "accepted" : "refused"),
                1 << 20);
        box_open(&box);
        box_close(&box);
        for (int k = 0; k < 6; k++)
            if (box_has(&box, box_day_name(now - k % 3 * DAY_S,
                                           k < 3 ? "accepted" : "refused")))
                (void)snprintf(left + strlen(left), sizeof left - strlen(left), "%c%d",
                               k < 3 ? 'a' : 'r', k % 3);
        assert_string_equal(left, rows[i].left);
        box_end(&box);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_min_free),
        cmocka_unit_test(test_full_by_today),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_second_daemon),
        cmocka_unit_test(test_removed_while_running),
        cmocka_unit_test(test_damage_at_the_start),
        cmocka_unit_test(test_damage_while_running),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
