/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of age and removal, where hosts share a list: what a row does that comes after
 * others, whatever the order; what this host's own changes leave for the farm. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "blocklist/shared.h"
#include "blocklist_helper.h"

static char error[BLOCKLIST_ERROR_SIZE];

/* "3 block feed": at 3, by source feed; "3 removed feed", "3 allow feed", "3 mark"; with an
 * end: "3 block feed -10" is over since 10 s. */
static struct shared_row row_of(const char *text, char source[static 16])
{
    static char action[16];
    int at = 0, ends = 0, n;
    struct shared_row row = {.entry = "a.example", .reason = "test", .who = "anna@mx3"};

    source[0] = '\0';
    n = sscanf(text, "%d %15s %15s %d", &at, action, source, &ends);
    assert_true(n >= 2);
    row.version = (struct version){at, 7};
    row.source = source;
    row.since = START_TIME;
    row.expires = n == 4 ? START_TIME + ends : 0;
    row.side = strcmp(action, "mark") == 0 ? 0 : strcmp(action, "allow") == 0 ? 2 : 1;
    row.action = row.side == 0 ? "removed" : action;
    return row;
}

static void merge(struct box *box, const char *text)
{
    struct shared_counts counts = {0};
    char source[16];
    struct shared_row row = row_of(text, source);

    assert_int_equal(shared_merge(box->blocklist, &row, 1, NULL, false, &counts, error),
                     BLOCKLIST_OK);
    if (counts.refused != 0)
        fail_msg("%s: %s", text, counts.why);
}

/* What stands, as "block/feed allow/manual", by side and source. */
static void standing(struct box *box, char out[static 200])
{
    char query[300];
    size_t used = 0;

    out[0] = '\0';
    for (int allow = 0; allow < 2; allow++)
        for (int i = 0; i < 2; i++) {
            static const char *const sources[] = {"feed", "manual"};

            snprintf(query, sizeof query,
                     "SELECT coalesce(sum(1 + tempfail), 0) FROM listing WHERE allow = %d"
                     " AND source = '%s'",
                     allow, sources[i]);
            int64_t found = box_number(box, query);

            if (found != 0)
                used += (size_t)snprintf(out + used, 200 - used, "%s%s/%s",
                                         used > 0 ? " " : "",
                                         allow        ? "allow"
                                         : found == 2 ? "tempfail"
                                                      : "block",
                                         sources[i]);
        }
}

/* clang-format off */
static const struct {
    const char *label, *rows[4], *want;
} rules[] = {
    {"a row", {"3 block feed"}, "block/feed"},
    {"the newer", {"3 block feed", "5 tempfail feed"}, "tempfail/feed"},
    {"the older comes later", {"5 tempfail feed", "3 block feed"}, "tempfail/feed"},
    {"the same again", {"3 block feed", "3 block feed"}, "block/feed"},
    {"removed", {"3 block feed", "5 removed feed"}, ""},
    {"removed, the add comes later", {"5 removed feed", "3 block feed"}, ""},
    {"added again", {"3 block feed", "5 removed feed", "7 block feed"}, "block/feed"},
    {"added again, the removal comes later", {"7 block feed", "5 removed feed"}, "block/feed"},
    {"another source stays", {"3 block feed", "3 block manual", "5 removed feed"}, "block/manual"},
    {"allow has a row of its own", {"3 block feed", "5 allow feed"}, "block/feed allow/feed"},
    {"a removed block leaves allow", {"3 block feed", "3 allow feed", "5 removed feed"}, "allow/feed"},
    {"a mark takes all", {"3 block feed", "3 allow manual", "4 tempfail manual", "5 mark"}, ""},
    {"a mark leaves what is newer", {"3 block feed", "6 block manual", "5 mark"}, "block/manual"},
    {"the older comes behind a mark", {"5 mark", "3 block feed", "4 allow manual"}, ""},
    {"the newer comes behind a mark", {"5 mark", "6 block feed"}, "block/feed"},
    {"an older mark comes late", {"5 mark", "6 block feed", "4 mark", "4 block manual"}, "block/feed"},
    {"has ended on its way", {"3 block feed 60", "5 block feed -10"}, ""},
    {"ended is newer than what comes later", {"5 block feed -10", "3 block feed"}, ""},
    {"an add behind an end", {"5 block feed -10", "6 block feed"}, "block/feed"},
    {"a removal behind an end", {"5 block feed -10", "6 removed feed", "5 block feed 60"}, ""},
};
/* clang-format on */

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        char found[200];
        struct box box;

        box_start_farm(&box);
        for (size_t k = 0; k < 4 && rules[i].rows[k] != NULL; k++)
            merge(&box, rules[i].rows[k]);
        standing(&box, found);
        if (strcmp(found, rules[i].want) != 0)
            fail_msg("%s: \"%s\" stands, expected \"%s\"", rules[i].label, found,
                     rules[i].want);
        box_end(&box);
    }
}

static void test_compare(void **state)
{
    const struct version old = {3, 9}, young = {5, 1}, other = {5, 2};

    (void)state;
    assert_true(version_compare(old, young) < 0);
    assert_true(version_compare(young, other) < 0);
    assert_int_equal(version_compare(young, young), 0);
    assert_true(version_counts(young, NULL, NULL));
    assert_true(version_counts(young, &old, &old));
    assert_false(version_counts(young, &young, NULL));
    assert_false(version_counts(young, &old, &young));
    assert_false(version_counts(young, &other, NULL));
}

static void test_own_changes(void **state)
{
    static const char *const local[] = {"fail2ban", NULL};
    struct box box;

    (void)state;
    box_start(&box);
    box.farm = true;
    box.keep_local = local;
    box_open(&box, false);
    box_join(&box);
    assert_int_equal(box_add(&box, "a.example", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "b.example", false, "fail2ban", 0), BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM outbox"), 1);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM listing WHERE at NOTNULL"),
                     2);
    /* a removal is kept, in the place of the row; a mark in the place of all */
    assert_int_equal(box_remove(&box, "a.example", "feed"), BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT allow FROM gone"), 0);
    assert_int_equal(box_add(&box, "a.example", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM gone"), 0);
    assert_int_equal(box_remove(&box, "a.example", NULL), BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT sum(allow) FROM gone"), -1);
    assert_int_equal(box_number(&box, "SELECT sum(allow) FROM outbox"), -1);
    /* one that is older takes no key of ours away */
    merge(&box, "3 mark");
    merge(&box, "3 block feed");
    assert_int_equal(box_number(&box, "SELECT count(*) FROM outbox"), 1);
    /* what others send has no way back to them */
    merge(&box, "9000000000001 block feed");
    assert_int_equal(box_number(&box, "SELECT count(*) FROM outbox"), 1);
    box_end(&box);
}

/* An unchanged row that a person adds again is newer than a removal on its way. */
static void test_added_again(void **state)
{
    int64_t first, again;
    char found[200];
    struct box box;

    (void)state;
    box_start_farm(&box);
    assert_int_equal(box_add(&box, "a.example", false, "feed", 0), BLOCKLIST_OK);
    first = box_number(&box, "SELECT at FROM listing");
    assert_int_equal(box_add(&box, "a.example", false, "feed", 0), BLOCKLIST_OK);
    again = box_number(&box, "SELECT at FROM listing");
    assert_true(again > first);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM audit"), 1);
    snprintf(found, sizeof found, "%lld removed feed", (long long)first);
    merge(&box, found);
    standing(&box, found);
    assert_string_equal(found, "block/feed");
    box_end(&box);
}

/* A change here is newer than all that was seen, also of a host whose clock is ahead, and
 * after a restart with the clock set back. */
static void test_clocks(void **state)
{
    char found[200];
    struct box box;

    (void)state;
    box_start_farm(&box);
    snprintf(found, sizeof found, "%d block feed", 5);
    merge(&box, found);
    {
        struct shared_counts counts = {0};
        struct shared_row ahead = {.side = 1,
                                   .entry = "a.example",
                                   .source = "feed",
                                   .action = "block",
                                   .reason = "",
                                   .who = "x@y",
                                   .since = START_TIME,
                                   .version = {START_TIME * 1000 + 3600000, 3}};

        assert_int_equal(
            shared_merge(box.blocklist, &ahead, 1, NULL, false, &counts, error),
            BLOCKLIST_OK);
    }
    box_close(&box);
    box.wall_ns -= INT64_C(7200) * 1000000000;
    box_open(&box, false);
    assert_int_equal(box_remove(&box, "a.example", "feed"), BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT at FROM gone"),
                     (int64_t)START_TIME * 1000 + 3600001);
    box_end(&box);
}

/* What the flusher takes off keeps its version, and nothing is sent. */
static void test_ends(void **state)
{
    struct box box;
    int64_t id;

    (void)state;
    box_start_farm(&box);
    assert_int_equal(box_add(&box, "a.example", false, "feed", 60), BLOCKLIST_OK);
    id = box_number(&box, "SELECT version FROM listing");
    box_sql(&box, "DELETE FROM outbox");
    box_pass(&box, 61);
    for (int i = 0; box_number(&box, "SELECT count(*) FROM gone") == 0; i++) {
        assert_true(i < 5000);
        usleep(1000);
    }
    assert_int_equal(box_number(&box, "SELECT version FROM gone"), id);
    assert_int_equal(box_number(&box, "SELECT until FROM gone"),
                     ((int64_t)START_TIME + 60) * 1000);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM outbox"), 0);
    box_end(&box);
}

/* So does an import that finds it before the flusher does, right behind a merge. */
static void test_ends_by_import(void **state)
{
    const struct blocklist_actor actor = {"cron", 0};
    const struct blocklist_import_options options = {.source = "other", .actor = &actor};
    struct blocklist_import_counts counts;
    struct blocklist_import *import;
    struct box box;

    (void)state;
    box_start_farm(&box);
    assert_int_equal(box_add(&box, "a.example", false, "feed", 60), BLOCKLIST_OK);
    import = blocklist_import_begin(box.blocklist, &options, error);
    assert_non_null(import);
    box_pass(&box, 61);
    merge(&box, "3 block manual");
    assert_int_equal(blocklist_import_commit(import, false, &counts, error),
                     BLOCKLIST_OK);
    assert_int_equal(
        box_number(&box, "SELECT count(*) FROM listing WHERE source = 'feed'"), 0);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM gone WHERE source = 'feed'"),
                     1);
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_own_changes),    cmocka_unit_test(test_added_again),
        cmocka_unit_test(test_clocks),         cmocka_unit_test(test_ends),
        cmocka_unit_test(test_ends_by_import),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
