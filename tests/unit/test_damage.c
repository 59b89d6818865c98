/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes wrong with the file: damage at the start, a full disk, a file that is gone or
 * cannot be written, other people's files; backups; migrations. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sql.h"
#include "blocklist/backup.h"
#include "blocklist/schema.h"
#include "blocklist/store.h"
#include "blocklist_helper.h"

static const struct {
    const char *label;
    off_t offset;
    size_t length; /* 0: cut there */
    bool gone;
} damages[] = {
    {"the header", 0, 100, false},
    {"a page", 4096, 4096, false},
    {"the second page", 8192, 4096, false},
    {"cut", 12288 + 100, 0, false},
    {"empty", 0, 0, false},
    {"gone", 0, 0, true},
};

static void damage(const struct box *box, size_t i)
{
    if (damages[i].gone)
        assert_int_equal(unlink(box->path), 0);
    else
        box_spoil(box, damages[i].offset, damages[i].length);
}

static void test_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct box box;

        box_make(&box, true);
        damage(&box, i);
        if (box_try_open(&box, BLOCKLIST_DAMAGE_STOP) != NULL)
            fail_msg("%s: opened", damages[i].label);
        assert_non_null(strstr(box.error, "blocklist.db"));
        assert_int_equal(box_count_files(&box, "*.damaged-*"), 0);
        box_end(&box);
    }
}

static void test_restore(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct box box;

        box_make(&box, true);
        damage(&box, i);
        if (box_try_open(&box, BLOCKLIST_DAMAGE_RESTORE) == NULL)
            fail_msg("%s: %s", damages[i].label, box.error);
        box_wait_filter(&box);
        assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_BLOCK);
        assert_int_equal(box_ask(&box, "x@b.example", NULL), BLOCKLIST_NONE);
        assert_int_equal(box_add(&box, "c.example", false, NULL, 0), BLOCKLIST_OK);
        assert_int_equal(box_count_files(&box, "blocklist.db.damaged-*"),
                         !damages[i].gone);
        box_end(&box);
    }
}

static void test_empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct box box;

        box_make(&box, true);
        damage(&box, i);
        if (box_try_open(&box, BLOCKLIST_DAMAGE_EMPTY) == NULL)
            fail_msg("%s: %s", damages[i].label, box.error);
        assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_NONE);
        assert_int_equal(box_add(&box, "c.example", false, NULL, 0), BLOCKLIST_OK);
        assert_int_equal(box_count_files(&box, "blocklist.db.damaged-*"),
                         !damages[i].gone);
        assert_int_equal(box_count_files(&box, "blocklist.db.backup-*"), 1);
        box_close(&box);
        assert_non_null(box_try_open(&box, BLOCKLIST_DAMAGE_STOP));
        box_end(&box);
    }
}

/* The newest backup is damaged too: the one before it serves. */
static void test_restore_older(void **state)
{
    char newer[128], command[400];
    struct box box;
    FILE *f;

    (void)state;
    box_make(&box, true);
    snprintf(newer, sizeof newer, "%s.backup-29990101", box.path);
    f = fopen(newer, "w");
    assert_non_null(f);
    fputs("no database", f);
    fclose(f);
    box_spoil(&box, 0, 100);
    assert_non_null(box_try_open(&box, BLOCKLIST_DAMAGE_RESTORE));
    assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_BLOCK);
    box_close(&box);
    /* and without any there is nothing to restore */
    snprintf(command, sizeof command, "rm %s.backup-*", box.path);
    assert_int_equal(system(command), 0);
    box_spoil(&box, 0, 100);
    assert_null(box_try_open(&box, BLOCKLIST_DAMAGE_RESTORE));
    assert_non_null(strstr(box.error, "no backup"));
    box_end(&box);
}

static void test_backups(void **state)
{
    char path[128];
    struct blocklist_status status;
    struct stat st;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    for (int day = 1; day <= 9; day++) {
        FILE *f;

        snprintf(path, sizeof path, "%s.backup-2020010%d", box.path, day);
        f = fopen(path, "w");
        assert_non_null(f);
        fclose(f);
    }
    box_back_up(&box, 4);
    assert_int_equal(box_count_files(&box, "blocklist.db.backup-????????"), 4);
    assert_int_equal(box_count_files(&box, "blocklist.db.backup-20200109"), 1);
    assert_int_equal(box_count_files(&box, "*.part"), 0);
    assert_true(backup_path(box.path, time(NULL), path, sizeof path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    blocklist_status(box.blocklist, &status);
    assert_true(status.last_backup >= time(NULL) - 60);
    box_end(&box);
}

static void set_mtime(const char *path, time_t at)
{
    struct timespec times[2] = {{.tv_sec = at}, {.tv_sec = at}};

    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A clock that was years ahead has left backups. They neither push out those made since then,
 * nor are they restored before them. */
static void test_backups_of_the_future(void **state)
{
    time_t now = time(NULL);
    char today[128], yesterday[128];
    struct box box;

    (void)state;
    box_make(&box, true); /* domain.xyz is in the backup, b.example is not */
    assert_true(backup_path(box.path, now, today, sizeof today));
    for (int day = 1; day <= 4; day++) { /* without domain.xyz */
        time_t then = now + (5 * 365 + day) * 86400;
        struct box old;
        char command[400];

        assert_true(backup_path(box.path, then, old.path, sizeof old.path));
        snprintf(command, sizeof command, "cp %s %s", today, old.path);
        assert_int_equal(system(command), 0);
        box_sql(&old, "DELETE FROM listing");
        set_mtime(old.path, day % 2 ? then : now - 5 * 365 * 86400);
    }
    assert_true(backup_path(box.path, now - 86400, yesterday, sizeof yesterday));
    assert_int_equal(rename(today, yesterday), 0);
    set_mtime(yesterday, now - 86400);
    box_spoil(&box, 0, 100);
    assert_non_null(box_try_open(&box, BLOCKLIST_DAMAGE_RESTORE));
    assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_BLOCK);
    for (int i = 0; i < 3; i++) {
        box_back_up(&box, 3);
        assert_int_equal(access(today, F_OK), 0);
        assert_int_equal(access(yesterday, F_OK), 0);
        assert_int_equal(box_count_files(&box, "blocklist.db.backup-*"), 3);
    }
    box_end(&box);
}

/* What is known goes on being refused; changes are told why they fail; once there is
 * room again all is well. */
static void test_full(void **state)
{
    struct blocklist_status status;
    char text[40], sql[80];
    bool failed = false;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    snprintf(sql, sizeof sql, "PRAGMA max_page_count = %d",
             (int)box_number(&box, "PRAGMA page_count") + 1);
    assert_int_equal(sql_exec(box.blocklist->writer.db, sql), SQLITE_OK);
    for (int i = 0; i < 2000 && !failed; i++) {
        snprintf(text, sizeof text, "d%d.example", i);
        failed = box_add(&box, text, false, NULL, 0) == BLOCKLIST_FAILED;
    }
    assert_true(failed);
    assert_non_null(strstr(box.error, "make room"));
    assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_BLOCK);
    snprintf(sql, sizeof sql, "x@%s", text);
    assert_int_equal(box_ask(&box, sql, NULL),
                     BLOCKLIST_NONE); /* nothing is half there */
    assert_int_equal(box_number(&box, "SELECT (SELECT count(*) FROM listing) <>"
                                      " (SELECT count(*) FROM audit)"),
                     0);
    /* A small write of the flusher's own that still fits says that all is well again */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(box_add(&box, text, false, NULL, 0), BLOCKLIST_FAILED);
        blocklist_status(box.blocklist, &status);
        if (status.error[0] != '\0')
            break;
    }
    assert_non_null(strstr(status.error, "full"));
    assert_int_equal(
        sql_exec(box.blocklist->writer.db, "PRAGMA max_page_count = 1000000"), SQLITE_OK);
    assert_int_equal(box_add(&box, text, false, NULL, 0), BLOCKLIST_OK);
    blocklist_status(box.blocklist, &status);
    assert_string_equal(status.error, "");
    box_end(&box);
}

static void test_read_only(void **state)
{
    struct blocklist_match match;
    struct blocklist_status status;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(sql_exec(box.blocklist->writer.db, "PRAGMA query_only = 1"),
                     SQLITE_OK);
    assert_int_equal(box_add(&box, "b.example", false, NULL, 0), BLOCKLIST_FAILED);
    assert_int_equal(box_remove(&box, "domain.xyz", NULL), BLOCKLIST_FAILED);
    assert_int_equal(box_ask(&box, "x@domain.xyz", &match), BLOCKLIST_BLOCK);
    blocklist_hit(box.blocklist, &match);
    flusher_work(box.blocklist);
    blocklist_status(box.blocklist, &status);
    assert_true(status.error[0] != '\0');
    assert_int_equal(sql_exec(box.blocklist->writer.db, "PRAGMA query_only = 0"),
                     SQLITE_OK);
    box_close(&box); /* the hit was kept */
    assert_int_equal(box_number(&box, "SELECT hits FROM hit"), 1);
    box_end(&box);
}

static void test_vanished(void **state)
{
    struct blocklist_status status;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(unlink(box.path), 0);
    assert_int_equal(box_add(&box, "b.example", false, NULL, 0), BLOCKLIST_FAILED);
    assert_non_null(strstr(box.error, "gone"));
    assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "x@b.example", NULL), BLOCKLIST_NONE);
    /* a thread that only now opens the file says so, too: the last word is the add's */
    assert_int_equal(box_add(&box, "c.example", false, NULL, 0), BLOCKLIST_FAILED);
    blocklist_status(box.blocklist, &status);
    assert_non_null(strstr(status.error, "gone"));
    box_end(&box);
}

/* Found while the file is in use: no backup is made of it, the status says so permanently,
 * and the next start looks. */
static void test_found_later(void **state)
{
    struct blocklist_status status;
    char path[128];
    int64_t page;
    struct box box;

    (void)state;
    box_make(&box, true);
    page = box_number(&box, "SELECT rootpage FROM sqlite_schema WHERE name = 'hit_hits'");
    box_open(&box, false);
    box_spoil(&box, (page - 1) * 4096, 4096);
    assert_int_equal(box_add(&box, "c.example", false, NULL, 0), BLOCKLIST_OK);
    box_back_up(&box, 3); /* today's is there */
    assert_true(backup_path(box.path, time(NULL), path, sizeof path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(maintenance_backup(box.blocklist), -1);
    assert_int_equal(box_count_files(&box, "blocklist.db.check"), 1);
    assert_int_equal(box_count_files(&box, "blocklist.db.backup-*"), 0);
    assert_int_equal(box_add(&box, "d.example", false, NULL, 0), BLOCKLIST_OK);
    blocklist_status(box.blocklist, &status);
    assert_non_null(strstr(status.error, "damaged"));
    assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_BLOCK);
    box_close(&box);
    assert_null(box_try_open(&box, BLOCKLIST_DAMAGE_STOP));
    assert_int_equal(box_count_files(&box, "blocklist.db.check"), 1);
    assert_non_null(box_try_open(&box, BLOCKLIST_DAMAGE_EMPTY));
    assert_int_equal(box_count_files(&box, "blocklist.db.check"), 0);
    box_end(&box);
}

static const struct {
    const char *label, *sql, *error;
} others[] = {
    {"another program's", "CREATE TABLE x (y)", "another program"},
    {"from the future",
     "PRAGMA application_id = 1380076621; PRAGMA user_version = 99; CREATE TABLE x (y)",
     "newer"},
};

static void test_not_ours(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct box box;

        box_start(&box);
        box_sql(&box, others[i].sql);
        /* No damage, so nothing is put in its place */
        assert_null(box_try_open(&box, BLOCKLIST_DAMAGE_EMPTY));
        if (strstr(box.error, others[i].error) == NULL)
            fail_msg("%s: %s", others[i].label, box.error);
        assert_int_equal(box_number(&box, "SELECT count(*) FROM x"), 0);
        box_end(&box);
    }
}

static void test_opened_twice(void **state)
{
    char error[BLOCKLIST_OPEN_ERROR_SIZE];
    struct blocklist_options options = {.on_damage = BLOCKLIST_DAMAGE_EMPTY};
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    options.database = box.path;
    assert_null(blocklist_open(&options, error));
    assert_non_null(strstr(error, "another rblmilter"));
    box_end(&box);
}

/* The tables as version 1 had them, with rows. Never changed. */
static const char version_1[] =
    "CREATE TABLE listing (id INTEGER PRIMARY KEY, entry TEXT NOT NULL, kind INTEGER NOT "
    "NULL,"
    " allow INTEGER NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL, who TEXT NOT "
    "NULL,"
    " since INTEGER NOT NULL, expires INTEGER) STRICT;"
    "CREATE UNIQUE INDEX listing_entry ON listing (entry, allow, source);"
    "CREATE INDEX listing_source ON listing (source);"
    "CREATE INDEX listing_since ON listing (since);"
    "CREATE INDEX listing_expires ON listing (expires) WHERE expires IS NOT NULL;"
    "CREATE TABLE hit (entry TEXT PRIMARY KEY, hits INTEGER NOT NULL, last INTEGER NOT "
    "NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX hit_hits ON hit (hits);"
    "CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"
    " login TEXT NOT NULL, uid INTEGER NOT NULL, action TEXT NOT NULL, entry TEXT NOT "
    "NULL,"
    " source TEXT NOT NULL, allow INTEGER NOT NULL, reason TEXT NOT NULL, before TEXT,"
    " after TEXT) STRICT;"
    "CREATE INDEX audit_entry ON audit (entry);"
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;"
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;"
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT "
    "ROWID;"
    "PRAGMA application_id = 1380076621; PRAGMA user_version = 1;"
    "INSERT INTO listing VALUES (7, 'domain.xyz', 1, 0, 'manual', 'bulk', 'anna',"
    " 1700000000, NULL), (8, '192.0.2.0/24', 2, 1, 'feed', '', 'cron', 1700000000, NULL);"
    "INSERT INTO hit VALUES ('domain.xyz', 5, 1700000001);"
    "INSERT INTO audit VALUES (1, 1700000000, 'anna', 1000, 'add', 'domain.xyz', "
    "'manual', 0,"
    " 'bulk', NULL, '{}');";

static void test_from_version_1(void **state)
{
    struct blocklist_match match;
    char audit[100];
    struct box box;

    (void)state;
    box_start(&box);
    box_sql(&box, version_1);
    box_open(&box, false);
    assert_int_equal(box_number(&box, "PRAGMA user_version"), SCHEMA_VERSION);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM sqlite_schema"
                                      " WHERE name = 'listing_kind'"),
                     1);
    assert_int_equal(box_ask(&box, "x@domain.xyz", &match), BLOCKLIST_BLOCK);
    assert_string_equal(match.reason, "bulk");
    assert_int_equal(match.since, 1700000000);
    assert_int_equal(box_ask(&box, "192.0.2.9", NULL), BLOCKLIST_ALLOW);
    assert_int_equal(box_remove(&box, "domain.xyz", NULL), BLOCKLIST_OK);
    box_audit(&box, "domain.xyz", audit, sizeof audit);
    assert_string_equal(audit, "add remove");
    assert_int_equal(box_tempfail(&box, "domain.xyz", NULL, 0, NULL), BLOCKLIST_OK);
    assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_TEMPFAIL);
    box_end(&box);
}

/* A backup that an older version made serves, too. */
static void test_backup_of_version_1(void **state)
{
    char backup[128];
    struct box box;

    (void)state;
    box_start(&box);
    box_sql(&box, version_1);
    assert_true(backup_path(box.path, time(NULL), backup, sizeof backup));
    assert_int_equal(rename(box.path, backup), 0);
    if (box_try_open(&box, BLOCKLIST_DAMAGE_RESTORE) == NULL)
        fail_msg("%s", box.error);
    box_wait_filter(&box);
    assert_int_equal(box_number(&box, "PRAGMA user_version"), SCHEMA_VERSION);
    assert_int_equal(box_ask(&box, "x@domain.xyz", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "192.0.2.9", NULL), BLOCKLIST_ALLOW);
    box_end(&box);
}

static void test_migrate(void **state)
{
    static const char *const steps[] = {"CREATE TABLE a (x)",
                                        "ALTER TABLE a ADD COLUMN y",
                                        "INSERT INTO a (y) VALUES (5)", "no SQL"};
    sqlite3 *db = NULL;
    struct box box;

    (void)state;
    box_start(&box);
    assert_int_equal(sqlite3_open(box.path, &db), SQLITE_OK);
    assert_int_equal(sql_exec(db, "BEGIN IMMEDIATE"), SQLITE_OK);
    assert_int_equal(schema_migrate(db, steps, 0, 1), SQLITE_OK);
    assert_int_equal(sql_exec(db, "COMMIT; BEGIN IMMEDIATE"), SQLITE_OK);
    assert_int_equal(schema_migrate(db, steps, 1, 3), SQLITE_OK);
    assert_int_equal(sql_exec(db, "COMMIT; BEGIN IMMEDIATE"), SQLITE_OK);
    assert_int_not_equal(schema_migrate(db, steps, 2, 4), SQLITE_OK);
    assert_int_equal(sql_exec(db, "ROLLBACK"), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(box_number(&box, "PRAGMA user_version"), 3);
    assert_int_equal(box_number(&box, "SELECT sum(y) FROM a"), 5);
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_restore_older),
        cmocka_unit_test(test_backups),
        cmocka_unit_test(test_backups_of_the_future),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_vanished),
        cmocka_unit_test(test_found_later),
        cmocka_unit_test(test_not_ours),
        cmocka_unit_test(test_opened_twice),
        cmocka_unit_test(test_from_version_1),
        cmocka_unit_test(test_backup_of_version_1),
        cmocka_unit_test(test_migrate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
