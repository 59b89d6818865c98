/* SPDX-License-Identifier: BSD-2-Clause */
/* The list as a farm sees it: rows that are merged, good and hostile ones; the outbox; a list from
 * before there was a farm. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "blocklist/shared.h"
#include "blocklist_helper.h"

static char error[BLOCKLIST_ERROR_SIZE];

#define MANY 40

/* Rows of e00 to e39. Of e5 there are two versions, e7 is allowed too and goes by a mark, a07
 * comes out of order. Returns how many. */
static size_t fill_many(struct shared_row rows[static MANY + 4], char names[MANY][24])
{
    size_t count = 0;

    for (int i = 0; i < MANY; i++) {
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
    return count;
}

/* What is looked up, and the audit log of each. */
static void check_many(struct box *box, char names[MANY][24])
{
    char subject[24], log[60];

    for (int i = 0; i < MANY; i++) {
        snprintf(subject, sizeof subject, "x@%.15s", names[i]);
        assert_int_equal(box_ask(box, subject, NULL), i == 7   ? BLOCKLIST_NONE
                                                      : i == 5 ? BLOCKLIST_TEMPFAIL
                                                               : BLOCKLIST_BLOCK);
        box_audit(box, names[i], log, sizeof log);
        assert_string_equal(log, i == 5   ? "add change"
                                 : i == 7 ? "add add remove remove"
                                          : "add");
    }
    assert_int_equal(box_ask(box, "x@a07.example", NULL), BLOCKLIST_BLOCK);
}

/* What follows each change of many: filter, counts and audit log, in the order of the rows. */
static void test_many_rows(void **state)
{
    char names[MANY][24];
    struct shared_row rows[MANY + 4];
    struct shared_counts counts = {0};
    struct blocklist_status status;
    struct box box;
    size_t count = fill_many(rows, names);

    (void)state;
    box_start_farm(&box);
    assert_int_equal(
        shared_merge(box.blocklist, rows, count, NULL, false, &counts, error),
        BLOCKLIST_OK);
    assert_int_equal(counts.applied, count);
    check_many(&box, names);
    blocklist_status(box.blocklist, &status);
    assert_int_equal(status.entries[ENTRY_DOMAIN], MANY);
    assert_int_equal(status.allow, 0);
    assert_int_equal(
        box_number(&box,
                   "SELECT count(*) FROM audit WHERE login = 'anna@mx3' AND uid = 65534"
                   " AND reason = 'spam' AND at = 1800000000 AND source = 'feed'"),
        count + 1);
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
    box_start_farm(&box);
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
    box_start_farm(&box);
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
    box_start_farm(&box);
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
    box_join(&box);
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
    box_join(&box);
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
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_hostile_rows),
        cmocka_unit_test(test_order_of_sending),
        cmocka_unit_test(test_outbox),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_redate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
