/* SPDX-License-Identifier: BSD-2-Clause */
/* A database from elsewhere: what somebody made of it who can write the file. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "blocklist/backup.h"
#include "blocklist_helper.h"

/* What somebody who can write the file, or sends us one, makes of it. */
static const struct {
    const char *label, *sql, *error;
} hostile[] = {
    {"a version below all", "PRAGMA user_version = -5",
     "user_version -5 of the tables: expected 1 to"},
    {"far below", "PRAGMA user_version = -100000", "user_version -100000"},
    {"no version", "PRAGMA user_version = 0", "user_version 0"},
    {"a trigger",
     "CREATE TRIGGER planted AFTER INSERT ON listing"
     " BEGIN UPDATE listing SET allow = 1 WHERE id = new.id; END",
     "planted in it is none of rblmilter's: expected no triggers"},
    {"a view", "CREATE VIEW planted AS SELECT * FROM listing", "planted in it is none"},
    {"an index", "CREATE UNIQUE INDEX planted ON listing (id)", "planted in it is none"},
    {"a trigger that claims to be a table",
     "CREATE TRIGGER planted AFTER INSERT ON listing"
     " BEGIN UPDATE listing SET allow = 1; END;"
     "PRAGMA writable_schema = 1;"
     "UPDATE sqlite_schema SET type = 'table' WHERE name = 'planted'",
     "malformed database schema (planted)"},
    {"a virtual table", "CREATE VIRTUAL TABLE planted USING fts5 (x)",
     "planted in it is none"},
    {"a trigger of ours in other words",
     "DROP TRIGGER audit_no_update;"
     "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT 1; END",
     "its trigger audit_no_update is not as rblmilter makes it"},
    {"a trigger of ours gone", "DROP TRIGGER audit_no_delete",
     "its trigger audit_no_delete is missing"},
    {"a table with more columns", "ALTER TABLE hit ADD COLUMN x TEXT",
     "its table hit is not as rblmilter makes it"},
    {"a view in a table's place",
     "ALTER TABLE meta RENAME TO x; CREATE VIEW meta AS SELECT * FROM x",
     "its table meta is missing"},
    {"an unknown kind", "UPDATE listing SET kind = 77", "has kind 77: expected 0 to 4"},
    {"a kind below all", "UPDATE listing SET kind = -1", "has kind -1: expected"},
    {"an odd allow", "UPDATE listing SET allow = 2", "has allow 2: expected 0 or 1"},
    {"an odd tempfail", "UPDATE listing SET tempfail = 2",
     "has tempfail 2 beside allow 0: expected 0, or 1 beside 0"},
    {"allowed and put off", "UPDATE listing SET allow = 1, tempfail = 1",
     "has tempfail 1 beside allow 1"},
    {"a line of both",
     "INSERT INTO audit SELECT 77, at, login, uid, action, entry,"
     " source, 1, reason, before, after, 1 FROM audit LIMIT 1",
     "line 77 has tempfail 1 beside allow 1"},
    {"before all time", "UPDATE listing SET since = -9223372036854775807",
     "has since -9223372036854775807: expected 0 or more"},
    {"ended before all time", "UPDATE listing SET expires = -1", "has expires -1"},
    {"no entry", "UPDATE listing SET entry = '' WHERE entry = 'domain.xyz'",
     "entry of 0 bytes"},
    {"an endless entry",
     "UPDATE listing SET entry = printf('%4000d', 1) WHERE entry = 'domain.xyz'",
     "entry of 4000 bytes: expected 1 to"},
    {"a NUL in the entry",
     "UPDATE listing SET entry = 'a' || char(0) || 'b' WHERE entry = 'domain.xyz'",
     "entry with a NUL"},
    {"an entry that is no UTF-8",
     "UPDATE listing SET entry = CAST(x'61FF62' AS TEXT) WHERE entry = 'domain.xyz'",
     "a\\xFFb has entry with control characters or what is no UTF-8"},
    {"an entry with a line end",
     "UPDATE listing SET entry = 'a' || char(10) WHERE entry = 'domain.xyz'",
     "a\\x0A has entry with control characters"},
    {"a source that is no UTF-8",
     "UPDATE listing SET source = CAST(x'C3' AS TEXT) WHERE entry = 'domain.xyz'",
     "domain.xyz has source with control characters or what is no UTF-8"},
    {"an endless source",
     "UPDATE listing SET source = printf('%400d', 1)"
     " WHERE entry = 'domain.xyz'",
     "source of 400 bytes"},
    {"hits that cannot be counted on",
     "INSERT INTO hit VALUES ('domain.xyz', 9223372036854775807, 1)", "has hits 92233"},
    {"no further line of the log",
     "INSERT INTO audit SELECT 9223372036854775807, at, login, uid, action, entry,"
     " source, allow, reason, before, after, 0 FROM audit LIMIT 1",
     "has id 9223372036854775807"},
    {"no further number of a line",
     "UPDATE sqlite_sequence SET seq = 9223372036854775807", "audit has seq: expected"},
    {"a nobody",
     "INSERT INTO audit SELECT 77, at, login, -1, action, entry, source,"
     " allow, reason, before, after, 0 FROM audit LIMIT 1",
     "line 77 has uid -1"},
    {"last in use never",
     "INSERT OR REPLACE INTO meta VALUES ('last_seen', 9223372036854775807)",
     "last_seen has value 9223372036854775807: expected 0 to"},
};

static void test_hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct box box;

        box_make(&box, true);
        box_sql(&box, hostile[i].sql);
        if (box_try_open(&box, BLOCKLIST_DAMAGE_STOP) != NULL)
            fail_msg("%s: opened", hostile[i].label);
        if (strstr(box.error, hostile[i].error) == NULL)
            fail_msg("%s: %s", hostile[i].label, box.error);
        if (box_try_open(&box, BLOCKLIST_DAMAGE_RESTORE) == NULL)
            fail_msg("%s: %s", hostile[i].label, box.error);
        box_wait_filter(&box);
        assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_BLOCK);
        assert_int_equal(box_count_files(&box, "blocklist.db.damaged-*"), 1);
        box_end(&box);
    }
}

/* A hostile backup is passed over, and the one before it serves. */
static void test_hostile_backup(void **state)
{
    char today[128], before[128];
    struct box box, other;

    (void)state;
    box_make(&box, true);
    assert_true(backup_path(box.path, time(NULL), today, sizeof today));
    assert_true(backup_path(box.path, time(NULL) - 86400, before, sizeof before));
    assert_int_equal(rename(today, before), 0);
    box_make(&other, false);
    box_sql(&other, hostile[3].sql);
    box_sql(&other, "PRAGMA journal_mode = DELETE");
    assert_int_equal(rename(other.path, today), 0);
    box_spoil(&box, 0, 100);
    assert_non_null(box_try_open(&box, BLOCKLIST_DAMAGE_RESTORE));
    box_wait_filter(&box);
    assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "x@b.example", NULL), BLOCKLIST_NONE);
    box_end(&other);
    box_end(&box);
}

/* What others keep in tables of their own is theirs. */
static void test_other_tables(void **state)
{
    struct box box;

    (void)state;
    box_make(&box, false);
    box_sql(&box, "CREATE TABLE notes (x UNIQUE); ANALYZE");
    box_open(&box, false);
    assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_BLOCK);
    box_end(&box);
}

static bool count_row(void *context, const struct blocklist_row *row)
{
    (void)row;
    ++*(unsigned *)context;
    return true;
}

/* While it is in use: the answer is an error, and the next start looks. */
static void test_hostile_later(void **state)
{
    struct blocklist_cursor cursor = {0};
    struct blocklist_criteria criteria = {0};
    struct blocklist_status status;
    struct entry entry = box_entry("domain.xyz");
    unsigned rows = 0;
    struct box box;

    (void)state;
    box_make(&box, false);
    box_open(&box, false);
    assert_int_equal(
        blocklist_list(box.blocklist, &criteria, &cursor, 9, count_row, &rows, box.error),
        BLOCKLIST_OK);
    assert_int_equal(rows, 2);
    box_sql(&box, "UPDATE listing SET kind = 77, allow = 2 WHERE entry = 'domain.xyz'");
    cursor = (struct blocklist_cursor){0};
    assert_int_equal(
        blocklist_list(box.blocklist, &criteria, &cursor, 9, count_row, &rows, box.error),
        BLOCKLIST_FAILED);
    assert_non_null(strstr(box.error, "out of range"));
    assert_int_equal(blocklist_show(box.blocklist, &entry, count_row, &rows, box.error),
                     BLOCKLIST_FAILED);
    assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_NONE);
    assert_int_equal(box_ask(&box, "x@b.example", NULL), BLOCKLIST_BLOCK);
    blocklist_status(box.blocklist, &status);
    assert_non_null(strstr(status.error, "out of range"));
    assert_int_equal(box_count_files(&box, "blocklist.db.check"), 1);
    box_close(&box);
    assert_null(box_try_open(&box, BLOCKLIST_DAMAGE_STOP));
    assert_non_null(strstr(box.error, "kind 77"));
    box_end(&box);
}

/* It could be shown only as what it is not, and no page would begin after it. */
static void test_no_text_later(void **state)
{
    struct blocklist_cursor cursor = {0};
    struct blocklist_criteria criteria = {0};
    unsigned rows = 0;
    struct box box;

    (void)state;
    box_make(&box, false);
    box_open(&box, false);
    box_sql(&box, "UPDATE listing SET entry = CAST(x'61FF' AS TEXT)"
                  " WHERE entry = 'domain.xyz'");
    assert_int_equal(
        blocklist_list(box.blocklist, &criteria, &cursor, 9, count_row, &rows, box.error),
        BLOCKLIST_FAILED);
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_hostile_backup),
        cmocka_unit_test(test_other_tables), cmocka_unit_test(test_hostile_later),
        cmocka_unit_test(test_no_text_later)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
