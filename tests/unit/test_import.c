/* SPDX-License-Identifier: BSD-2-Clause */
/* Imports into the store: all or nothing, replace, counts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

#include "blocklist/store.h"
#include "blocklist_helper.h"

static void test_one(void **state)
{
    struct blocklist_import *import;
    struct blocklist_match match;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    import = box_import(&box, false);
    assert_int_equal(box_feed(&box, import, "a.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_feed(&box, import, "!b.example", "other", 0), BLOCKLIST_OK);
    assert_int_equal(box_feed(&box, import, "192.0.2.0/24", NULL, START_TIME + 10),
                     BLOCKLIST_OK);
    assert_int_equal(box_feed(&box, import, "c.example", "not a name", 0),
                     BLOCKLIST_REFUSED);
    assert_int_equal(box_feed(&box, import, "c.example", NULL, START_TIME),
                     BLOCKLIST_REFUSED);
    /* Nothing is there before the commit, and others can change meanwhile */
    assert_int_equal(box_ask(&box, "x@a.example", NULL), BLOCKLIST_NONE);
    assert_int_equal(box_add(&box, "d.example", false, NULL, 0), BLOCKLIST_OK);
    expect_counts("first", box_commit(&box, import, false), 3, 3, 0, 0, 0);
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
    import = box_import(&box, true);
    assert_int_equal(box_feed(&box, import, "a.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_feed(&box, import, "~b.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_feed(&box, import, "~c.example", NULL, 0), BLOCKLIST_OK);
    expect_counts("first", box_commit(&box, import, false), 3, 3, 0, 0, 0);
    assert_int_equal(box_ask(&box, "x@a.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "x@b.example", NULL), BLOCKLIST_TEMPFAIL);
    import = box_import(&box, true);
    assert_int_equal(box_feed(&box, import, "~a.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_feed(&box, import, "b.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_feed(&box, import, "~c.example", NULL, 0), BLOCKLIST_OK);
    expect_counts("turned round", box_commit(&box, import, false), 3, 0, 2, 1, 0);
    assert_int_equal(box_ask(&box, "x@a.example", NULL), BLOCKLIST_TEMPFAIL);
    assert_int_equal(box_ask(&box, "x@b.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "x@c.example", NULL), BLOCKLIST_TEMPFAIL);
    import = box_import(&box, false); /* so many are moved in chunks */
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "%su%u@d.example", i % 2 == 0 ? "~" : "", i);
        assert_int_equal(box_feed(&box, import, text, NULL, 0), BLOCKLIST_OK);
    }
    expect_counts("many", box_commit(&box, import, false), 5000, 5000, 0, 0, 0);
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
    import = box_import(&box, false);
    assert_int_equal(blocklist_import_row(import, &row, box.error), BLOCKLIST_OK);
    entry = box_entry("b.example");
    row.since = START_TIME + 100;
    assert_int_equal(blocklist_import_row(import, &row, box.error), BLOCKLIST_OK);
    row.since = -1;
    assert_int_equal(blocklist_import_row(import, &row, box.error), BLOCKLIST_REFUSED);
    expect_counts("moved", box_commit(&box, import, false), 2, 2, 0, 0, 0);
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
    import = box_import(&box, false);
    assert_int_equal(box_feed(&box, import, "a.example", NULL, 0), BLOCKLIST_OK);
    blocklist_import_abort(import);
    import = box_import(&box, false);
    assert_int_equal(box_feed(&box, import, "a.example", NULL, 0), BLOCKLIST_OK);
    expect_counts("dry run", box_commit(&box, import, true), 1, 1, 0, 0, 0);
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
    import = box_import(&box, true);
    assert_int_equal(box_feed(&box, import, "stays.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_feed(&box, import, "new.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_feed(&box, import, "x.example", "other", 0), BLOCKLIST_REFUSED);
    /* the reason of stays.example was "test", is "fed" now */
    expect_counts("replace", box_commit(&box, import, false), 2, 1, 1, 0, 2);
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
    import = box_import(&box, true);
    assert_int_equal(box_feed(&box, import, "stays.example", NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_feed(&box, import, "new.example", NULL, 0), BLOCKLIST_OK);
    expect_counts("the same again", box_commit(&box, import, false), 2, 0, 0, 2, 0);
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
            .source = "feed", .replace = true, .actor = &box_actor};
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
                assert_int_equal(box_feed(&box, import, text, NULL, 0), BLOCKLIST_OK);
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
    struct blocklist_import_options options = {.limits = &limits, .actor = &box_actor};
    struct blocklist_import *import;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    import = blocklist_import_begin(box.blocklist, &options, box.error);
    assert_int_equal(box_feed(&box, import, "gmail.com", NULL, 0), BLOCKLIST_REFUSED);
    assert_non_null(strstr(box.error, "gmail.com"));
    assert_int_equal(box_feed(&box, import, "!gmail.com", NULL, 0), BLOCKLIST_OK);
    expect_counts("allowed only", box_commit(&box, import, false), 1, 1, 0, 0, 0);
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
            .limits = cases[i].force ? NULL : &limits, .actor = &box_actor};
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
            assert_int_equal(box_feed(&box, import, text, NULL, 0), BLOCKLIST_OK);
        }
        result = blocklist_import_commit(import, false, &counts, box.error);
        assert_int_equal(result, cases[i].refused ? BLOCKLIST_REFUSED : BLOCKLIST_OK);
        assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"),
                         cases[i].refused ? 0 : cases[i].block + cases[i].allow);
        box_end(&box);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),      cmocka_unit_test(test_abort_and_dry_run),
        cmocka_unit_test(test_replace),  cmocka_unit_test(test_too_wide),
        cmocka_unit_test(test_too_much), cmocka_unit_test(test_cut_file),
        cmocka_unit_test(test_tempfail), cmocka_unit_test(test_since),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
