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

static void join(struct box *box)
{
    bool done = false;

    while (!done)
        assert_int_equal(shared_join(box->blocklist, &done, error), BLOCKLIST_OK);
}

static void start(struct box *box)
{
    box_start(box);
    box->farm = true;
    box_open(box, false);
    join(box);
}

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

        start(&box);
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
    join(&box);
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
    start(&box);
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
    start(&box);
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
    start(&box);
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
    start(&box);
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

/* What follows each change of many: filter, counts and audit log, in the order of the rows. Of
 * e5 there are two versions, e7 is allowed too and goes by a mark, a07 comes out of order. */
static void test_many_rows(void **state)
{
    enum { COUNT = 40 };
    char names[COUNT][24], subject[24], log[60];
    struct shared_row rows[COUNT + 4];
    struct shared_counts counts = {0};
    struct blocklist_status status;
    struct box box;
    size_t count = 0;

    (void)state;
    start(&box);
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "e%02d.example", i);
        rows[count++] = (struct shared_row){.side = 1,
                                            .entry = names[i],
                                            .source = "feed",
                                            .action = "block",
                                            .reason = "spam",
                                            .who = "anna@mx3",
                                            .since = START_TIME,
                                            .version = {i + 1, 1}};
        if (i != 5 && i != 7)
            continue;
        rows[count] = rows[count - 1];
        rows[count].version.at = 100;
        rows[count].side = i == 5 ? 1 : 2;
        rows[count++].action = i == 5 ? "tempfail" : "allow";
    }
    rows[count] = rows[8];
    rows[count].side = 0;
    rows[count].source = "";
    rows[count].action = "removed";
    rows[count++].version.at = 200;
    rows[count] = rows[0];
    rows[count++].entry = "a07.example";
    assert_int_equal(
        shared_merge(box.blocklist, rows, count, NULL, false, &counts, error),
        BLOCKLIST_OK);
    assert_int_equal(counts.applied, count);
    for (int i = 0; i < COUNT; i++) {
        snprintf(subject, sizeof subject, "x@%.15s", names[i]);
        assert_int_equal(box_ask(&box, subject, NULL), i == 7   ? BLOCKLIST_NONE
                                                       : i == 5 ? BLOCKLIST_TEMPFAIL
                                                                : BLOCKLIST_BLOCK);
        box_audit(&box, names[i], log, sizeof log);
        assert_string_equal(log, i == 5   ? "add change"
                                 : i == 7 ? "add add remove remove"
                                          : "add");
    }
    assert_int_equal(box_ask(&box, "x@a07.example", NULL), BLOCKLIST_BLOCK);
    blocklist_status(box.blocklist, &status);
    assert_int_equal(status.entries[ENTRY_DOMAIN], COUNT);
    assert_int_equal(status.allow, 0);
    assert_int_equal(
        box_number(&box,
                   "SELECT count(*) FROM audit WHERE login = 'anna@mx3' AND uid = 65534"
                   " AND reason = 'spam' AND at = 1800000000 AND source = 'feed'"),
        count + 1);
    ;
    assert_int_equal(
        box_number(&box,
                   "SELECT count(*) FROM audit WHERE action = 'change' AND before ="
                   " '{\"action\":\"block\",\"reason\":\"spam\",\"since\":1800000000,"
                   "\"expires\":null,\"who\":\"anna@mx3\"}' AND after ="
                   " replace(before, 'block', 'tempfail')"),
        1);
    box_end(&box);
}

/* clang-format off */
static const struct {
    const char *label;
    struct shared_row row;
} hostile[] = {
    {"an action that nobody knows", {1, "a.example", "feed", "drop", "", "x", 0, 0, {5, 5}}},
    {"a side that nobody knows", {3, "a.example", "feed", "block", "", "x", 0, 0, {5, 5}}},
    {"side and action differ", {2, "a.example", "feed", "block", "", "x", 0, 0, {5, 5}}},
    {"a mark with a source", {0, "a.example", "feed", "removed", "", "x", 0, 0, {5, 5}}},
    {"a row without a source", {1, "a.example", "", "block", "", "x", 0, 0, {5, 5}}},
    {"a source with blanks", {1, "a.example", "a b", "block", "", "x", 0, 0, {5, 5}}},
    {"not the one form", {1, "A.Example.", "feed", "block", "", "x", 0, 0, {5, 5}}},
    {"no entry", {1, "", "feed", "block", "", "x", 0, 0, {5, 5}}},
    {"a pattern", {1, "10.0.0.1-10.0.0.9", "feed", "block", "", "x", 0, 0, {5, 5}}},
    {"not UTF-8", {1, "a.example", "feed", "block", "\xff\xfe", "x", 0, 0, {5, 5}}},
    {"a reason with a line's end", {1, "a.example", "feed", "block", "a\nb", "x", 0, 0, {5, 5}}},
    {"a login with a control character", {1, "a.example", "feed", "block", "", "a\x1b[2J", 0, 0, {5, 5}}},
    {"a time out of range", {1, "a.example", "feed", "block", "", "x", -1, 0, {5, 5}}},
    {"an end out of range", {1, "a.example", "feed", "block", "", "x", 0, INT64_MAX, {5, 5}}},
    {"an age out of range", {1, "a.example", "feed", "block", "", "x", 0, 0, {INT64_MAX, 5}}},
    {"an id out of range", {1, "a.example", "feed", "block", "", "x", 0, 0, {5, -5}}},
};
/* clang-format on */

static void test_hostile_rows(void **state)
{
    char long_reason[BLOCKLIST_ADMIN_REASON + 2], long_entry[2 * ENTRY_TEXT_SIZE];
    size_t count = sizeof hostile / sizeof hostile[0];
    struct shared_row more = hostile[0].row;
    struct shared_counts counts = {0};
    struct box box;
    int64_t noted;

    (void)state;
    start(&box);
    for (size_t i = 0; i < count; i++) {
        /* its neighbours pass */
        const struct shared_row rows[] = {{.side = 1,
                                           .entry = "b.example",
                                           .source = "feed",
                                           .action = "block",
                                           .reason = "",
                                           .who = "x",
                                           .version = {(int64_t)i + 1, 1}},
                                          hostile[i].row};

        counts = (struct shared_counts){0};
        assert_int_equal(
            shared_merge(box.blocklist, rows, 2, NULL, false, &counts, error),
            BLOCKLIST_OK);
        if (counts.refused != 1 || counts.applied != 1)
            fail_msg("%s: %d refused, %d applied", hostile[i].label, (int)counts.refused,
                     (int)counts.applied);
    }
    memset(long_reason, 'x', sizeof long_reason);
    long_reason[sizeof long_reason - 1] = '\0';
    more.action = "block";
    more.reason = long_reason;
    assert_int_equal(shared_merge(box.blocklist, &more, 1, NULL, false, &counts, error),
                     BLOCKLIST_OK);
    memset(long_entry, 'x', sizeof long_entry);
    long_entry[sizeof long_entry - 1] = '\0';
    more.reason = "";
    more.entry = long_entry;
    assert_int_equal(shared_merge(box.blocklist, &more, 1, NULL, false, &counts, error),
                     BLOCKLIST_OK);
    assert_int_equal(counts.refused, 3);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"), 1);
    assert_true(box_number(&box, "SELECT max(length(name)) FROM refused") < 120);
    /* a good one of that key is no refused one any more */
    noted = box_number(&box, "SELECT count(*) FROM refused");
    more = hostile[0].row;
    more.action = "block";
    assert_int_equal(shared_merge(box.blocklist, &more, 1, NULL, false, &counts, error),
                     BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM refused"), noted - 1);
    box_end(&box);
}

static bool count_key(void *context, int64_t id, bool person,
                      const struct shared_row *row)
{
    int64_t *seen = context;

    (void)person;
    assert_non_null(row);
    assert_string_equal(row->entry, "a.example");
    seen[0]++;
    seen[1] = id;
    return true;
}

static bool note_key(void *context, int64_t id, bool person, const struct shared_row *row)
{
    char *order = context;

    (void)id;
    (void)row;
    strncat(order, person ? "p" : "i", 9 - strlen(order));
    return true;
}

/* Persons' changes are sent first, whatever else waits; not more than there is room for. */
static void test_order_of_sending(void **state)
{
    static const struct {
        size_t limit;
        const char *want;
    } cases[] = {{1, "p"}, {3, "ppi"}, {10, "ppiii"}};
    const struct shared_row rows[] = {{.entry = "a.example", .side = 1, .source = "feed"},
                                      {.entry = "b.example", .side = 1, .source = "feed"},
                                      {.entry = "c.example", .side = 0, .source = ""}};
    struct box box;

    (void)state;
    start(&box);
    assert_int_equal(shared_outbox_add(box.blocklist, rows, 3, error), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "d.example", false, "manual", 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "e.example", false, "manual", 0), BLOCKLIST_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char order[10] = "";

        assert_int_equal(
            shared_outbox(box.blocklist, cases[i].limit, note_key, order, error),
            BLOCKLIST_OK);
        assert_string_equal(order, cases[i].want);
    }
    box_end(&box);
}

/* A key goes when the row comes back, or when what was answered was read; not by an answer
 * to what the row was before. */
static void test_outbox(void **state)
{
    struct shared_counts counts = {0};
    struct shared_state cursor = {.seq = 6};
    int64_t seen[2] = {0};
    struct box box;

    (void)state;
    start(&box);
    assert_int_equal(box_add(&box, "a.example", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(shared_outbox(box.blocklist, 10, count_key, seen, error),
                     BLOCKLIST_OK);
    assert_int_equal(seen[0], 1);
    assert_int_equal(box_tempfail(&box, "a.example", "feed", 0, NULL), BLOCKLIST_OK);
    assert_int_equal(shared_outbox_sent(box.blocklist, &seen[1], 1, 6, error),
                     BLOCKLIST_OK);
    assert_int_equal(
        box_number(&box, "SELECT count(*) FROM outbox WHERE answered NOTNULL"), 0);
    assert_int_equal(shared_outbox(box.blocklist, 10, count_key, seen, error),
                     BLOCKLIST_OK);
    assert_int_equal(seen[0], 2);
    assert_int_equal(shared_outbox_sent(box.blocklist, &seen[1], 1, 7, error),
                     BLOCKLIST_OK);
    assert_int_equal(shared_merge(box.blocklist, NULL, 0, &cursor, false, &counts, error),
                     BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM outbox"), 1);
    cursor.seq = 7;
    assert_int_equal(shared_merge(box.blocklist, NULL, 0, &cursor, false, &counts, error),
                     BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM outbox"), 0);
    box_end(&box);
}

/* A list from before: each row is as old as it says; a host that is alone pays nothing. */
static void test_join(void **state)
{
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "a.example", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(box_remove(&box, "a.example", NULL), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "a.example", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(box_number(&box,
                                "SELECT (SELECT count(*) FROM gone) + (SELECT count(*)"
                                " FROM outbox) + (SELECT count(*) FROM farm) +"
                                " (SELECT count(at) FROM listing)"),
                     0);
    box_close(&box);
    box.farm = true;
    box_open(&box, false);
    join(&box);
    assert_int_equal(box_number(&box, "SELECT at FROM listing"),
                     (int64_t)START_TIME * 1000);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM outbox"), 0);
    /* who has left goes on with versions, so that nothing is lost when it comes back */
    box_close(&box);
    box.farm = false;
    box_open(&box, false);
    assert_int_equal(box_remove(&box, "a.example", NULL), BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM outbox"), 1);
    box_end(&box);
}

/* Changes of a clock years ahead keep their order when the engine refuses their age. */
static void test_redate(void **state)
{
    struct box box;
    const int64_t now = (int64_t)START_TIME * 1000;

    (void)state;
    box_start(&box);
    box.wall_ns += INT64_C(1000) * 86400 * 1000000000;
    box.farm = true;
    box_open(&box, false);
    join(&box);
    assert_int_equal(box_add(&box, "a.example", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(box_remove(&box, "a.example", NULL), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "a.example", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(shared_outbox_redate(box.blocklist, now, error), BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT at FROM gone"), now + 1);
    assert_int_equal(box_number(&box, "SELECT at FROM listing"), now + 2);
    assert_int_equal(box_number(&box, "SELECT last_at FROM farm"), now + 2);
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_own_changes),
        cmocka_unit_test(test_added_again),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_hostile_rows),
        cmocka_unit_test(test_outbox),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_redate),
        cmocka_unit_test(test_ends_by_import),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_order_of_sending),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
