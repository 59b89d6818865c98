/* SPDX-License-Identifier: BSD-2-Clause */
/* Imports into the store: all or nothing, replace, counts, and that a running one holds
 * up nobody. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "blocklist/store.h"
#include "blocklist_helper.h"

static const struct blocklist_actor actor = {"cron", 0};

static struct blocklist_import *begin(struct box *box, bool replace)
{
    struct blocklist_import_options options = {
        .source = "feed", .reason = "fed", .replace = replace, .actor = &actor};
    struct blocklist_import *import =
        blocklist_import_begin(box->blocklist, &options, box->error);

    if (import == NULL)
        fail_msg("%s", box->error);
    return import;
}

static enum blocklist_result feed(struct box *box, struct blocklist_import *import,
                                  const char *text, const char *source, time_t expires)
{
    bool allow = *text == '!', tempfail = *text == '~';
    struct entry entry = box_entry(text + (allow || tempfail));
    struct blocklist_row_in row = {.entry = &entry,
                                   .allow = allow,
                                   .tempfail = tempfail,
                                   .source = source,
                                   .expires = expires};

    return blocklist_import_row(import, &row, box->error);
}

static struct blocklist_import_counts commit(struct box *box,
                                             struct blocklist_import *import,
                                             bool dry_run)
{
    struct blocklist_import_counts counts;

    if (blocklist_import_commit(import, dry_run, &counts, box->error) != BLOCKLIST_OK)
        fail_msg("%s", box->error);
    return counts;
}

static void expect(const char *label, struct blocklist_import_counts got, unsigned rows,
                   unsigned added, unsigned changed, unsigned unchanged, unsigned removed)
{
    if (got.rows != rows || got.added != added || got.changed != changed ||
        got.unchanged != unchanged || got.removed != removed)
        fail_msg("%s: rows %u added %u changed %u unchanged %u removed %u", label,
                 (unsigned)got.rows, (unsigned)got.added, (unsigned)got.changed,
                 (unsigned)got.unchanged, (unsigned)got.removed);
}

static void test_one(void **state)
{
    struct blocklist_import *import;
    struct blocklist_match match;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    import = begin(&box, false);
    assert_int_equal(feed(&box, import, "a.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(feed(&box, import, "!b.example", "other", 0), BLOCKLIST_OK);
    assert_int_equal(feed(&box, import, "192.0.2.0/24", NULL, START_TIME + 10),
                     BLOCKLIST_OK);
    assert_int_equal(feed(&box, import, "c.example", "not a name", 0), BLOCKLIST_REFUSED);
    assert_int_equal(feed(&box, import, "c.example", NULL, START_TIME),
                     BLOCKLIST_REFUSED);
    /* Nothing is there before the commit, and others can change meanwhile */
    assert_int_equal(box_ask(&box, "x@a.example", NULL), BLOCKLIST_NONE);
    assert_int_equal(box_add(&box, "d.example", false, NULL, 0), BLOCKLIST_OK);
    expect("first", commit(&box, import, false), 3, 3, 0, 0, 0);
    assert_int_equal(box_ask(&box, "x@a.example", &match), BLOCKLIST_BLOCK);
    assert_string_equal(match.reason, "fed");
    assert_int_equal(box_ask(&box, "x@b.example", NULL), BLOCKLIST_ALLOW);
    assert_int_equal(box_ask(&box, "192.0.2.9", NULL), BLOCKLIST_BLOCK);
    box_pass(&box, 10);
    assert_int_equal(box_ask(&box, "192.0.2.9", NULL), BLOCKLIST_NONE);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM audit WHERE action = 'import'"
                                      " AND login = 'cron' AND after ->> 'added' = 3"
                                      " AND source = 'feed'"),
                     1);
    box_end(&box);
}

/* What the source blocked it may put off now, in one file or from one to the next. */
static void test_tempfail(void **state)
{
    struct blocklist_import *import;
    char text[40];
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    import = begin(&box, true);
    assert_int_equal(feed(&box, import, "a.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(feed(&box, import, "~b.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(feed(&box, import, "~c.example", NULL, 0), BLOCKLIST_OK);
    expect("first", commit(&box, import, false), 3, 3, 0, 0, 0);
    assert_int_equal(box_ask(&box, "x@a.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "x@b.example", NULL), BLOCKLIST_TEMPFAIL);
    import = begin(&box, true);
    assert_int_equal(feed(&box, import, "~a.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(feed(&box, import, "b.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(feed(&box, import, "~c.example", NULL, 0), BLOCKLIST_OK);
    expect("turned round", commit(&box, import, false), 3, 0, 2, 1, 0);
    assert_int_equal(box_ask(&box, "x@a.example", NULL), BLOCKLIST_TEMPFAIL);
    assert_int_equal(box_ask(&box, "x@b.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "x@c.example", NULL), BLOCKLIST_TEMPFAIL);
    import = begin(&box, false); /* so many are moved in chunks */
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "%su%u@d.example", i % 2 == 0 ? "~" : "", i);
        assert_int_equal(feed(&box, import, text, NULL, 0), BLOCKLIST_OK);
    }
    expect("many", commit(&box, import, false), 5000, 5000, 0, 0, 0);
    assert_int_equal(box_ask(&box, "u4000@d.example", NULL), BLOCKLIST_TEMPFAIL);
    assert_int_equal(box_ask(&box, "u4001@d.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_number(&box, "SELECT sum(tempfail) FROM listing"), 2502);
    box_end(&box);
}

/* Moved from another host: when it was listed there is kept; by a clock ahead of ours it is
 * now. */
static void test_since(void **state)
{
    struct entry entry = box_entry("a.example");
    struct blocklist_row_in row = {.entry = &entry, .since = START_TIME - 100};
    struct blocklist_import *import;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    import = begin(&box, false);
    assert_int_equal(blocklist_import_row(import, &row, box.error), BLOCKLIST_OK);
    entry = box_entry("b.example");
    row.since = START_TIME + 100;
    assert_int_equal(blocklist_import_row(import, &row, box.error), BLOCKLIST_OK);
    row.since = -1;
    assert_int_equal(blocklist_import_row(import, &row, box.error), BLOCKLIST_REFUSED);
    expect("moved", commit(&box, import, false), 2, 2, 0, 0, 0);
    assert_int_equal(
        box_number(&box, "SELECT since FROM listing WHERE entry = 'a.example'"),
        START_TIME - 100);
    assert_int_equal(
        box_number(&box, "SELECT since FROM listing WHERE entry = 'b.example'"),
        START_TIME);
    box_end(&box);
}

static void test_abort_and_dry_run(void **state)
{
    struct blocklist_import *import;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    import = begin(&box, false);
    assert_int_equal(feed(&box, import, "a.example", NULL, 0), BLOCKLIST_OK);
    blocklist_import_abort(import);
    import = begin(&box, false);
    assert_int_equal(feed(&box, import, "a.example", NULL, 0), BLOCKLIST_OK);
    expect("dry run", commit(&box, import, true), 1, 1, 0, 0, 0);
    assert_int_equal(box_ask(&box, "x@a.example", NULL), BLOCKLIST_NONE);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM audit"), 0);
    box_end(&box);
}

static void test_replace(void **state)
{
    struct blocklist_import *import;
    struct blocklist_status status;
    char audit[200];
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "gone.example", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "gone.example", true, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "mine.example", false, "manual", 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "stays.example", false, "feed", 0), BLOCKLIST_OK);
    box_pass(&box, 5);
    import = begin(&box, true);
    assert_int_equal(feed(&box, import, "stays.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(feed(&box, import, "new.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(feed(&box, import, "x.example", "other", 0), BLOCKLIST_REFUSED);
    /* the reason of stays.example was "test", is "fed" now */
    expect("replace", commit(&box, import, false), 2, 1, 1, 0, 2);
    assert_int_equal(box_ask(&box, "x@gone.example", NULL), BLOCKLIST_NONE);
    assert_int_equal(box_ask(&box, "x@mine.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "x@stays.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_number(&box, "SELECT since FROM listing WHERE entry ="
                                      " 'stays.example'"),
                     START_TIME);
    box_audit(&box, "gone.example", audit, sizeof audit);
    assert_string_equal(audit, "add add import import");
    blocklist_status(box.blocklist, &status);
    assert_int_equal(status.entries[ENTRY_DOMAIN], 3);
    assert_int_equal(status.allow, 0);
    import = begin(&box, true);
    assert_int_equal(feed(&box, import, "stays.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(feed(&box, import, "new.example", NULL, 0), BLOCKLIST_OK);
    expect("the same again", commit(&box, import, false), 2, 0, 0, 2, 0);
    box_end(&box);
}

/* A cut file: more than a third of what the source has would go. */
static void test_cut_file(void **state)
{
    static const struct {
        unsigned had, left;
        bool force, refused;
    } cases[] = {
        {120, 80, false, false}, {120, 79, false, true}, {120, 1, true, false},
        {99, 1, false, false},   {100, 66, false, true}, {100, 67, false, false},
    };
    struct entry_limits limits = {.suffixes = NULL};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct blocklist_import_options options = {
            .source = "feed", .replace = true, .actor = &actor};
        struct blocklist_import_counts counts;
        enum blocklist_result result;
        struct box box;

        box_start(&box);
        box_open(&box, false);
        for (int pass = 0; pass < 2; pass++) {
            struct blocklist_import *import;

            options.limits = cases[i].force ? NULL : &limits;
            import = blocklist_import_begin(box.blocklist, &options, box.error);
            assert_non_null(import);
            for (unsigned n = 0; n < (pass == 0 ? cases[i].had : cases[i].left); n++) {
                char text[80];

                snprintf(text, sizeof text, "d%u.example", n);
                assert_int_equal(feed(&box, import, text, NULL, 0), BLOCKLIST_OK);
            }
            result = blocklist_import_commit(import, false, &counts, box.error);
        }
        if ((result == BLOCKLIST_REFUSED) != cases[i].refused)
            fail_msg("%u of %u: %s", cases[i].left, cases[i].had, box.error);
        assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"),
                         cases[i].refused ? cases[i].had : cases[i].left);
        box_end(&box);
    }
}

static void test_too_wide(void **state)
{
    struct entry_limits limits = {.suffixes = NULL};
    struct blocklist_import_options options = {.limits = &limits, .actor = &actor};
    struct blocklist_import *import;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    import = blocklist_import_begin(box.blocklist, &options, box.error);
    assert_int_equal(feed(&box, import, "gmail.com", NULL, 0), BLOCKLIST_REFUSED);
    assert_non_null(strstr(box.error, "gmail.com"));
    assert_int_equal(feed(&box, import, "!gmail.com", NULL, 0), BLOCKLIST_OK);
    expect("allowed only", commit(&box, import, false), 1, 1, 0, 0, 0);
    box_end(&box);
}

/* Each is as wide as one may be; what counts is all together, of what blocks. */
static void test_too_much(void **state)
{
    static const struct {
        unsigned block, allow;
        bool force, refused;
    } cases[] = {{4, 20, false, false}, {5, 0, false, true}, {200, 0, true, false}};
    struct entry_limits limits = {.suffixes = NULL};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct blocklist_import_options options = {
            .limits = cases[i].force ? NULL : &limits, .actor = &actor};
        struct blocklist_import_counts counts;
        struct blocklist_import *import;
        enum blocklist_result result;
        char text[40];
        struct box box;

        box_start(&box);
        box_open(&box, false);
        import = blocklist_import_begin(box.blocklist, &options, box.error);
        for (unsigned n = 0; n < cases[i].block + cases[i].allow; n++) {
            snprintf(text, sizeof text, "%s%u.0.0.0/8", n < cases[i].block ? "" : "!",
                     n + 1);
            assert_int_equal(feed(&box, import, text, NULL, 0), BLOCKLIST_OK);
        }
        result = blocklist_import_commit(import, false, &counts, box.error);
        assert_int_equal(result, cases[i].refused ? BLOCKLIST_REFUSED : BLOCKLIST_OK);
        assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"),
                         cases[i].refused ? 0 : cases[i].block + cases[i].allow);
        box_end(&box);
    }
}

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
    import = begin(&box, false);
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(text, sizeof text, "user%u@d%u.example", i * 7919 % 100000, i % 100);
        assert_int_equal(feed(&box, import, text, NULL, 0), BLOCKLIST_OK);
    }
    expect("many", commit(&box, import, false), 100000, 100000, 0, 0, 0);
    for (int i = 0; i < 500; i++) {
        for (unsigned k = i; k < 100000; k += 997) {
            snprintf(text, sizeof text, "user%u@d%u.example", k * 7919 % 100000, k % 100);
            if (box_ask(&box, text, NULL) != BLOCKLIST_BLOCK)
                fail_msg("%s is not listed", text);
        }
        blocklist_status(box.blocklist, &status);
        if (status.filter_bytes > 200000 && i > 5)
            break;
    }
    assert_true(status.filter_bytes > 200000);
    assert_int_equal(status.entries[ENTRY_ADDRESS], 100000);
    box_end(&box);
}

static void feed_many(struct box *box, struct blocklist_import *import, unsigned from,
                      unsigned to)
{
    char text[80];

    for (unsigned i = from; i < to; i++) {
        snprintf(text, sizeof text, "user%u@d%u.example", i, i % 100);
        assert_int_equal(feed(box, import, text, NULL, 0), BLOCKLIST_OK);
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
    import = begin(&box, true);
    feed_many(&box, import, 0, 20000);
    expect("first", commit(&box, import, false), 20000, 20000, 0, 0, 0);
    assert_int_equal(box_add(&box, "user3@d3.example", false, NULL, 0), BLOCKLIST_OK);
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        import = begin(&box, true);
        feed_many(&box, import, 15000, 30000);
        expect("second", commit(&box, import, dry_run), 15000, 10000, 0, 5000, 15000);
        assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"),
                         dry_run ? 20001 : 15001);
    }
    import = begin(&box, true); /* few rows, but many go */
    feed_many(&box, import, 15000, 15010);
    expect("third", commit(&box, import, false), 10, 0, 0, 10, 14990);
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
    struct blocklist_import *import = begin(box, false);

    feed_many(box, import, 0, MANY);
    expect("many", commit(box, import, false), MANY, MANY, 0, 0, 0);
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
    struct blocklist_import *import = begin(box, false);
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
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_abort_and_dry_run),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_too_wide),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_replace_many),
        cmocka_unit_test(test_add_while_many_are_moved),
        cmocka_unit_test(test_failure_while_many_are_moved),
        cmocka_unit_test(test_kill_while_many_are_moved),
        cmocka_unit_test(test_left_file_is_junk),
        cmocka_unit_test(test_cut_file),
        cmocka_unit_test(test_tempfail),
        cmocka_unit_test(test_since),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
