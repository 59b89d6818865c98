/* SPDX-License-Identifier: BSD-2-Clause */
/* Imports of many rows, which are moved into the store: a running one holds up nobody, and one
 * that was killed is finished. */

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "blocklist/store.h"
#include "blocklist_helper.h"

/* More rows than the filter was made for: it must be built again, and never say no. */
static void test_many(void **state)
{
    struct blocklist_import *import;
    struct blocklist_status status;
    char text[80];
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    import = box_import(&box, false);
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(text, sizeof text, "user%u@d%u.example", i * 7919 % 100000, i % 100);
        assert_int_equal(box_feed(&box, import, text, NULL, 0), BLOCKLIST_OK);
    }
    expect_counts("many", box_commit(&box, import, false), 100000, 100000, 0, 0, 0);
    for (int i = 0; i < 500; i++) {
        for (unsigned k = i; k < 100000; k += 997) {
            snprintf(text, sizeof text, "user%u@d%u.example", k * 7919 % 100000, k % 100);
            if (box_ask(&box, text, NULL) != BLOCKLIST_BLOCK)
                fail_msg("%s is not listed", text);
        }
        blocklist_status(box.blocklist, &status);
        if (status.bloom_bytes > 200000 && i > 5)
            break;
    }
    assert_true(status.bloom_bytes > 200000);
    assert_int_equal(status.entries[ENTRY_ADDRESS], 100000);
    box_end(&box);
}

static void feed_many(struct box *box, struct blocklist_import *import, unsigned from,
                      unsigned to)
{
    char text[80];

    for (unsigned i = from; i < to; i++) {
        snprintf(text, sizeof text, "user%u@d%u.example", i, i % 100);
        assert_int_equal(box_feed(box, import, text, NULL, 0), BLOCKLIST_OK);
    }
}

/* More than is moved at once: the counts of a dry run are those of the commit, and what is of
 * other sources stays. */
static void test_replace_many(void **state)
{
    struct blocklist_import *import;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    import = box_import(&box, true);
    feed_many(&box, import, 0, 20000);
    expect_counts("first", box_commit(&box, import, false), 20000, 20000, 0, 0, 0);
    assert_int_equal(box_add(&box, "user3@d3.example", false, NULL, 0), BLOCKLIST_OK);
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        import = box_import(&box, true);
        feed_many(&box, import, 15000, 30000);
        expect_counts("second", box_commit(&box, import, dry_run), 15000, 10000, 0, 5000,
                      15000);
        assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"),
                         dry_run ? 20001 : 15001);
    }
    import = box_import(&box, true); /* few rows, but many go */
    feed_many(&box, import, 15000, 15010);
    expect_counts("third", box_commit(&box, import, false), 10, 0, 0, 10, 14990);
    assert_int_equal(box_ask(&box, "user3@d3.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "user15010@d10.example", NULL), BLOCKLIST_NONE);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM audit WHERE action = 'import'"
                                      " AND entry = ''"),
                     3);
    assert_int_equal(box_number(&box, "SELECT after ->> 'removed' FROM audit WHERE"
                                      " action = 'import' AND entry = ''"
                                      " ORDER BY id DESC LIMIT 1"),
                     14990);
    assert_int_equal(box_count_files(&box, "*.import*"), 0);
    box_end(&box);
}

/* So many that an add finds them still on their way. */
#ifdef __SANITIZE_THREAD__
#define MANY 30000
#else
#define MANY 150000
#endif

static void *import_many(void *context)
{
    struct box *box = context;
    struct blocklist_import *import = box_import(box, false);

    feed_many(box, import, 0, MANY);
    expect_counts("many", box_commit(box, import, false), MANY, MANY, 0, 0, 0);
    return NULL;
}

static void wait_until_moving(struct box *box)
{
    while (box_count_files(box, "*.import") == 0)
        usleep(1000);
}

/* Nobody waits until all rows are moved. */
static void test_add_while_many_are_moved(void **state)
{
    struct box box, mine;
    pthread_t thread;
    char text[40];

    (void)state;
    box_start(&box);
    box_open(&box, false);
    mine = (struct box){.blocklist = box.blocklist}; /* its error is of one thread */
    assert_int_equal(pthread_create(&thread, NULL, import_many, &box), 0);
    wait_until_moving(&box);
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "a%d@add.example", i);
        assert_int_equal(box_add(&mine, text, false, NULL, 0), BLOCKLIST_OK);
        assert_int_equal(box_ask(&mine, text, NULL), BLOCKLIST_BLOCK);
    }
    assert_int_equal(box_count_files(&box, "*.import"), 1);
    pthread_join(thread, NULL);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"), MANY + 3);
    assert_int_equal(box_count_files(&box, "*.import*"), 0);
    box_end(&box);
}

static void *import_many_in_vain(void *context)
{
    struct box *box = context;
    struct blocklist_import *import = box_import(box, false);
    struct blocklist_import_counts counts;

    feed_many(box, import, 0, MANY);
    assert_int_equal(blocklist_import_commit(import, false, &counts, box->error),
                     BLOCKLIST_FAILED);
    return NULL;
}

/* What cannot be written now is written when it can be; the error says so. */
static void test_failure_while_many_are_moved(void **state)
{
    pthread_t thread;
    char away[120];
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    snprintf(away, sizeof away, "%s.away", box.path);
    assert_int_equal(pthread_create(&thread, NULL, import_many_in_vain, &box), 0);
    wait_until_moving(&box);
    assert_int_equal(rename(box.path, away), 0);
    pthread_join(thread, NULL);
    assert_non_null(strstr(box.error, "the rest of the import follows"));
    assert_int_equal(rename(away, box.path), 0);
    assert_true(box_number(&box, "SELECT count(*) FROM listing") < MANY);
    import_finish_left(box.blocklist);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"), MANY);
    assert_int_equal(box_count_files(&box, "*.import*"), 0);
    box_end(&box);
}

/* Killed while rows are moved: the import is there, or not at all. */
static void test_kill_while_many_are_moved(void **state)
{
    struct box box;
    int64_t moved;
    pid_t pid;

    (void)state;
    box_start(&box);
    box_make(&box, false); /* two entries; closed */
    pid = fork();
    if (pid == 0) {
        box_open(&box, false);
        (void)import_many(&box);
        _exit(0);
    }
    wait_until_moving(&box);
    usleep(100000);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    moved = box_number(&box, "SELECT count(*) FROM listing") - 2;
    if (moved == MANY)
        fail_msg("all rows were moved before the kill");
    box_open(&box, false);
    import_finish_left(box.blocklist); /* where the maintenance thread has not begun to */
    while (box_count_files(&box, "*.import") > 0)
        usleep(1000);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"), MANY + 2);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM listing WHERE source = 'feed'"
                                      " AND reason = 'fed' AND who = 'cron'"),
                     MANY);
    assert_int_equal(box_ask(&box, "user7@d7.example", NULL), BLOCKLIST_BLOCK);
    box_end(&box);
}

/* What is no import of ours is not tried again each minute. */
static void test_left_file_is_junk(void **state)
{
    struct box box;
    char path[120];
    FILE *file;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    snprintf(path, sizeof path, "%s.import", box.path);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("junk\n", file);
    assert_int_equal(fclose(file), 0);
    import_finish_left(box.blocklist);
    assert_int_equal(box_count_files(&box, "*.import"), 0);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"), 0);
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_replace_many),
        cmocka_unit_test(test_add_while_many_are_moved),
        cmocka_unit_test(test_failure_while_many_are_moved),
        cmocka_unit_test(test_kill_while_many_are_moved),
        cmocka_unit_test(test_left_file_is_junk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
