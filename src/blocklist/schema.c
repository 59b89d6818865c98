/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist/schema.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/sql.h"
#include "base/text.h"
#include "blocklist/admin.h"

/* Nobody writes but one thread at a time, and readers are not held up by it: these are
 * for the moments when the log is started over. */
#define BUSY_WRITE_MS 5000
#define BUSY_READ_MS  500
#define JOURNAL_LIMIT "67108864"

/* What brings a file from version i to i + 1. A row, once released, is never changed:
 * a new version is a new row. */
static const char *const migrations[SCHEMA_VERSION] = {
    /* 1: a row per entry, source and side; what matched is counted apart, so that hits
     * rewrite no listing; the audit log keeps what was. */
    "CREATE TABLE listing ("
    "  id INTEGER PRIMARY KEY,"
    "  entry TEXT NOT NULL,"    /* canonical, as rblctl writes it */
    "  kind INTEGER NOT NULL,"  /* enum entry_kind */
    "  allow INTEGER NOT NULL," /* 1: wins over listings */
    "  source TEXT NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  who TEXT NOT NULL,"      /* the login that listed it */
    "  since INTEGER NOT NULL," /* unix time */
    "  expires INTEGER"         /* unix time; NULL never */
    ") STRICT;"
    "CREATE UNIQUE INDEX listing_entry ON listing (entry, allow, source);"
    "CREATE INDEX listing_source ON listing (source);"
    "CREATE INDEX listing_since ON listing (since);"
    "CREATE INDEX listing_expires ON listing (expires) WHERE expires IS NOT NULL;"
    "CREATE TABLE hit ("
    "  entry TEXT PRIMARY KEY,"
    "  hits INTEGER NOT NULL,"
    "  last INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX hit_hits ON hit (hits);"
    "CREATE TABLE audit ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  at INTEGER NOT NULL,"
    "  login TEXT NOT NULL,"
    "  uid INTEGER NOT NULL,"
    "  action TEXT NOT NULL,"
    "  entry TEXT NOT NULL,"
    "  source TEXT NOT NULL,"
    "  allow INTEGER NOT NULL,"
    "  reason TEXT NOT NULL," /* that the change was given */
    "  before TEXT,"          /* JSON */
    "  after TEXT"            /* JSON */
    ") STRICT;"
    "CREATE INDEX audit_entry ON audit (entry);"
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit"
    "  BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;"
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
    "  BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;"
    "CREATE TABLE meta ("
    "  name TEXT PRIMARY KEY,"
    "  value INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;",
    /* 2: rblctl list --kind, without a walk past millions of another kind */
    "CREATE INDEX listing_kind ON listing (kind, entry, allow, source);",
    /* 3: entries that defer (451). An entry of one source refuses or defers, so this is
     * no part of its key. */
    ("ALTER TABLE listing ADD COLUMN tempfail INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE audit ADD COLUMN tempfail INTEGER NOT NULL DEFAULT 0;"),
    /* 4: the same list on many hosts (versions.h). What a host that is alone has is empty. */
    ("ALTER TABLE listing ADD COLUMN at INTEGER;" /* of its version; NULL: none yet */
     "ALTER TABLE listing ADD COLUMN version INTEGER;" /* the other half of it */
     "CREATE TABLE gone (" /* removed and ended rows, and marks */
     "  entry TEXT NOT NULL,"
     "  allow INTEGER NOT NULL," /* 0, 1; -1: the mark that all of the entry was removed */
     "  source TEXT NOT NULL,"
     "  at INTEGER NOT NULL,"
     "  version INTEGER NOT NULL,"
     "  until INTEGER NOT NULL," /* ms: the later of at and its end */
     "  reason TEXT NOT NULL,"
     "  who TEXT NOT NULL,"
     "  PRIMARY KEY (entry, allow, source)"
     ") STRICT, WITHOUT ROWID;"
     "CREATE INDEX gone_until ON gone (until);"
     "CREATE TABLE outbox (" /* keys of rows that the farm has not confirmed yet */
     "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
     "  entry TEXT NOT NULL,"
     "  allow INTEGER NOT NULL,"
     "  source TEXT NOT NULL,"
     "  person INTEGER NOT NULL," /* 0: of an import; sent behind the others */
     "  answered INTEGER"         /* the farm's number when it was sent; NULL: unsent */
     ") STRICT;"
     "CREATE UNIQUE INDEX outbox_entry ON outbox (entry, allow, source);"
     "CREATE INDEX outbox_unsent ON outbox (person, id) WHERE answered IS NULL;"
     "CREATE INDEX outbox_answered ON outbox (answered) WHERE answered IS NOT NULL;"
     "CREATE TABLE refused ("     /* rows of the farm that are none */
     "  key INTEGER PRIMARY KEY," /* a hash of entry, allow and source */
     "  at INTEGER NOT NULL,"
     "  version INTEGER NOT NULL,"
     "  name TEXT NOT NULL,"
     "  why TEXT NOT NULL"
     ") STRICT;"
     "CREATE TABLE farm (" /* one row, from the first join on */
     "  one INTEGER PRIMARY KEY CHECK (one = 1),"
     "  last_at INTEGER NOT NULL," /* the greatest at given or taken */
     "  joined INTEGER NOT NULL,"  /* 1: all rows of listing have a version */
     "  epoch TEXT NOT NULL,"
     "  seq INTEGER NOT NULL," /* the last change read, and its stamp */
     "  stamp INTEGER NOT NULL,"
     "  read_at INTEGER NOT NULL," /* the engine's clock at the last read, ms */
     "  keep_local TEXT NOT NULL," /* as it was then */
     "  program TEXT NOT NULL"     /* the version of rblmilter that looked at refused */
     ") STRICT;"),
};

/* Writes what SQLite says of its last call into error: DAMAGED or REFUSED. */
static enum schema_result failed(sqlite3 *db, const char *path, char *error, size_t size)
{
    int rc = db != NULL ? sqlite3_errcode(db) : SQLITE_NOMEM;

    text_sentence(error, size, "%s: %s", path,
                  db != NULL ? sqlite3_errmsg(db) : "no memory");
    return sql_is_damage(rc) ? SCHEMA_DAMAGED : SCHEMA_REFUSED;
}

enum schema_result schema_connect(const char *path, enum schema_mode mode, sqlite3 **out,
                                  char *error, size_t error_size)
{
    /* Commits are synced (FULL). The flusher does the checkpoints, so that no
     * admin's commit has to wait for one. */
    static const char *const settings[] = {
        [SCHEMA_WRITE] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                         "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8192;"
                         "PRAGMA journal_size_limit = " JOURNAL_LIMIT ";",
        [SCHEMA_READ] = "PRAGMA query_only = 1; PRAGMA cache_size = -2048;"
                        "PRAGMA wal_autocheckpoint = 0;",
    };
    int rc = sqlite3_open_v2(path, out,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                 (mode == SCHEMA_WRITE ? SQLITE_OPEN_CREATE : 0),
                             NULL);

    if (rc == SQLITE_OK)
        rc = sql_harden(*out);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(*out,
                                  mode == SCHEMA_WRITE ? BUSY_WRITE_MS : BUSY_READ_MS);
    if (rc == SQLITE_OK && sqlite3_db_readonly(*out, "main") == 1) {
        text_sentence(error, error_size, "%s: the file or its folder cannot be written",
                      path);
        return SCHEMA_REFUSED;
    }
    if (rc == SQLITE_OK)
        rc = sql_exec(*out, settings[mode]);
    return rc == SQLITE_OK ? SCHEMA_OK : failed(*out, path, error, error_size);
}

int schema_migrate(sqlite3 *db, const char *const *steps, int from, int to)
{
    char sql[80];
    int rc = SQLITE_OK;

    for (int i = from; i < to && rc == SQLITE_OK; i++)
        rc = sql_exec(db, steps[i]);
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA application_id = %d; PRAGMA user_version = %d;",
                   SCHEMA_APPLICATION_ID, to); /* fits */
    return rc == SQLITE_OK ? sql_exec(db, sql) : rc;
}

/* Whether a database file is ours and sound: its version, what is defined in it, its
 * pages, its values. A file that comes from elsewhere is a stranger's text. */

#define SHOWN_SIZE 200 /* a name or text of the file's, in an error */

__attribute__((format(printf, 4, 5))) static enum schema_result damaged(
    sqlite3 *db, char *error, size_t size, const char *format, ...)
{
    char text[SHOWN_SIZE * 2];
    va_list args;

    va_start(args, format);
    text_sentence_of(text, sizeof text, format, args);
    va_end(args);
    text_sentence(error, size, "%s: damaged: %s", sqlite3_db_filename(db, "main"), text);
    return SCHEMA_DAMAGED;
}

/* Whether two definitions are the same but for their blanks. */
static bool same_definition(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (isspace((unsigned char)*a))
            a++;
        while (isspace((unsigned char)*b))
            b++;
        if (*a != *b)
            return false;
        if (*a == '\0')
            return true;
    }
}

/* A plain table of others, or SQLite's own index of one, does nothing to ours. The type is
 * what the file claims; SQLite goes by the text. */
static bool is_harmless(const char *type, const char *sql)
{
    static const char table[] = "CREATE TABLE ";

    if (strcmp(type, "index") == 0)
        return *sql == '\0';
    return strcmp(type, "table") == 0 && strncmp(sql, table, strlen(table)) == 0;
}

/* Compares each definition that list gives with those that find looks through: all of
 * ours must be in the file (strangers false), and nothing else but harmless ones. */
static enum schema_result compare(sqlite3 *db, sqlite3_stmt *list, sqlite3_stmt *find,
                                  bool strangers, char *error, size_t size)
{
    char shown[SHOWN_SIZE];
    int rc;

    while ((rc = sqlite3_step(list)) == SQLITE_ROW) {
        const char *type = sql_text(list, 0), *name = sql_text(list, 1);
        const char *sql = sql_text(list, 2), *other = NULL;

        /* of that type and name; "" of one that SQLite made itself */
        sqlite3_reset(find);
        if (sql_bind(find, "tt", type, name) == SQLITE_OK &&
            sqlite3_step(find) == SQLITE_ROW)
            other = sql_text(find, 0);
        (void)text_clean(name, shown, sizeof shown); /* cut where longer */
        if (other == NULL && !strangers)
            return damaged(db, error, size, "its %s %s is missing", type, shown);
        if (other == NULL && !is_harmless(type, sql))
            return damaged(db, error, size,
                           "%s in it is none of rblmilter's: expected no triggers, views "
                           "or indexes but its own",
                           shown);
        if (other != NULL && !same_definition(sql, other))
            return damaged(db, error, size, "its %s %s is not as rblmilter makes it",
                           type, shown);
    }
    return rc == SQLITE_DONE ? SCHEMA_OK
                             : failed(sqlite3_db_handle(list),
                                      sqlite3_db_filename(db, "main"), error, size);
}

#define LIST_SQL "SELECT type, name, sql FROM sqlite_schema"
#define FIND_SQL "SELECT sql FROM sqlite_schema WHERE type = ? AND name = ?"

/* What is right is asked of the migrations themselves, run in memory. */
static enum schema_result check_definitions(sqlite3 *db, int version, char *error,
                                            size_t size)
{
    sqlite3_stmt *list[2] = {NULL, NULL}, *find[2] = {NULL, NULL};
    enum schema_result result;
    sqlite3 *own = NULL;

    if (sqlite3_open(":memory:", &own) != SQLITE_OK ||
        schema_migrate(own, migrations, 0, version) != SQLITE_OK ||
        sql_query(own, &list[0], LIST_SQL, "") != SQLITE_OK ||
        sql_query(own, &find[0], FIND_SQL, "") != SQLITE_OK) {
        result = failed(own, sqlite3_db_filename(db, "main"), error, size);
        goto out;
    }
    if (sql_query(db, &list[1], LIST_SQL, "") != SQLITE_OK ||
        sql_query(db, &find[1], FIND_SQL, "") != SQLITE_OK) {
        result = failed(db, sqlite3_db_filename(db, "main"), error, size);
        goto out;
    }
    result = compare(db, list[0], find[1], false, error, size);
    if (result == SCHEMA_OK)
        result = compare(db, list[1], find[0], true, error, size);
out:
    for (int i = 0; i < 2; i++) {
        sqlite3_finalize(list[i]);
        sqlite3_finalize(find[i]);
    }
    sqlite3_close(own);
    return result;
}

/* Whose file is it, of which version (0: an empty one), and is what is defined in it ours,
 * by name and text? DAMAGED where it is not: triggers, views and indexes of others, tables
 * of ours that read otherwise. Tables of others are let be. */
static enum schema_result inspect(sqlite3 *db, int *version, char *error,
                                  size_t error_size)
{
    const char *path = sqlite3_db_filename(db, "main");
    int64_t id, number, tables;

    *version = 0;
    if (sql_number(db, &id, "PRAGMA application_id", "") != SQLITE_OK ||
        sql_number(db, &number, "PRAGMA user_version", "") != SQLITE_OK ||
        sql_number(db, &tables, "SELECT count(*) FROM sqlite_schema", "") != SQLITE_OK)
        return failed(db, path, error, error_size);
    if (tables > 0 && id != SCHEMA_APPLICATION_ID) {
        text_sentence(error, error_size, "%s: this is the database of another program",
                      path);
        return SCHEMA_REFUSED;
    }
    if (number > SCHEMA_VERSION) {
        text_sentence(
            error, error_size,
            "%s: made by a newer rblmilter (version %lld of the tables; this one "
            "knows %d)",
            path, (long long)number, SCHEMA_VERSION);
        return SCHEMA_REFUSED;
    }
    if (tables == 0)
        return SCHEMA_OK;
    if (number < 1)
        return damaged(db, error, error_size,
                       "user_version %lld of the tables: expected 1 to %d",
                       (long long)number, SCHEMA_VERSION);
    *version = (int)number;
    return check_definitions(db, *version, error, error_size);
}

enum schema_result schema_prepare(sqlite3 *db, char *error, size_t error_size)
{
    const char *path = sqlite3_db_filename(db, "main");
    enum schema_result result;
    int version;

    if (sql_exec(db, "BEGIN IMMEDIATE") != SQLITE_OK)
        return failed(db, path, error, error_size);
    /* Nothing is run on tables that are not as we made them: a trigger in them would run
     * with it. */
    result = inspect(db, &version, error, error_size);
    if (result == SCHEMA_OK && version < SCHEMA_VERSION &&
        schema_migrate(db, migrations, version, SCHEMA_VERSION) != SQLITE_OK)
        result = failed(db, path, error, error_size);
    if (result == SCHEMA_OK && sql_exec(db, "COMMIT") != SQLITE_OK)
        result = failed(db, path, error, error_size);
    if (!sqlite3_get_autocommit(db))
        (void)sql_exec(db, "ROLLBACK"); /* what failed is reported already */
    return result;
}

static enum schema_result check_pages(sqlite3 *db, char *error, size_t size)
{
    enum schema_result result = SCHEMA_OK;
    sqlite3_stmt *stmt = NULL;
    int rc = sql_query(db, &stmt, "PRAGMA quick_check(1)", "");

    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = sql_text(stmt, 0);

        if (strcmp(text, "ok") != 0)
            result = damaged(db, error, size, "%s", *text != '\0' ? text : "no memory");
    } else {
        result = failed(db, sqlite3_db_filename(db, "main"), error, size);
    }
    sqlite3_finalize(stmt);
    return result;
}

#define SECOND_MAX "9000000000"       /* the year 2255; in nanoseconds an int64_t */
#define NUMBER_MAX "9007199254740991" /* 2^53 - 1: there is room to count on */

#define TEXT_RULE(column, max)                                                           \
    " WHEN length(CAST(" column " AS BLOB)) NOT BETWEEN 1 AND " max " THEN '" column     \
    " of ' || length(CAST(" column " AS BLOB)) || ' bytes: expected 1 to ' || " max      \
    " WHEN instr(CAST(" column " AS BLOB), x'00') > 0"                                   \
    " THEN '" column " with a NUL in it: expected none'"                                 \
    " WHEN NOT is_text(" column ")"                                                      \
    " THEN '" column " with control characters or what is no UTF-8: expected text'"
#define TIME_RULE(column)                                                                \
    " WHEN " column " < 0 THEN '" column " ' || " column " || ': expected 0 or more'"
#define ALLOW_RULE                                                                       \
    " WHEN allow NOT IN (0, 1) THEN 'allow ' || allow || ': expected 0 or 1'"
#define TEMPFAIL_CHECK                                                                   \
    "'tempfail ' || tempfail || ' beside allow ' || allow ||"                            \
    " ': expected 0, or 1 beside 0'"
#define TEMPFAIL_WRONG " WHERE tempfail NOT BETWEEN 0 AND 1 - allow LIMIT 1"

/* What each table must not hold, from that version of the tables on: a name for the row,
 * and what is wrong with it. ?1 is the last kind, ?2 and ?3 the longest entry and source. What
 * cannot be counted on, shown or paged by is out of range, not what merely looks odd. */
static const struct {
    int version;
    const char *sql;
} value_checks[] = {
    {1,
     "SELECT entry, CASE WHEN kind NOT BETWEEN 0 AND ?1"
     " THEN 'kind ' || kind || ': expected 0 to ' || ?1" ALLOW_RULE TEXT_RULE(
         "entry", "?2") TEXT_RULE("source", "?3")
         TIME_RULE("since") " WHEN expires < 1 THEN 'expires ' || expires || ': expected "
                            "1 or more, or none' END"
                            " AS wrong FROM listing WHERE wrong IS NOT NULL LIMIT 1"},
    {1, "SELECT entry, CASE WHEN hits NOT BETWEEN 0 AND " NUMBER_MAX
        " THEN 'hits ' || hits || ': expected 0 to " NUMBER_MAX "'" TIME_RULE("last")
            TEXT_RULE("entry",
                      "?2") " END AS wrong FROM hit WHERE wrong IS NOT NULL LIMIT 1"},
    {1, "SELECT 'line ' || id, CASE WHEN id NOT BETWEEN 1 AND " NUMBER_MAX
        " THEN 'id ' || id || ': expected 1 to " NUMBER_MAX "'" TIME_RULE("at") ALLOW_RULE
     " WHEN uid NOT BETWEEN 0 AND 4294967295"
     " THEN 'uid ' || uid || ': expected 0 to 4294967295' END"
     " AS wrong FROM audit WHERE wrong IS NOT NULL LIMIT 1"},
    {1,
     "SELECT name, 'seq: expected 0 to " NUMBER_MAX "' FROM sqlite_sequence"
     " WHERE typeof(seq) <> 'integer' OR seq NOT BETWEEN 0 AND " NUMBER_MAX " LIMIT 1"},
    {1, "SELECT name, 'value ' || value || ': expected 0 to " SECOND_MAX "' FROM meta"
        " WHERE value NOT BETWEEN 0 AND " SECOND_MAX " LIMIT 1"},
    {3, "SELECT entry, " TEMPFAIL_CHECK " FROM listing" TEMPFAIL_WRONG},
    {3, "SELECT 'line ' || id, " TEMPFAIL_CHECK " FROM audit" TEMPFAIL_WRONG},
    {4, "SELECT entry, 'a version of ' || at || ', ' || version FROM listing WHERE"
        " (at IS NULL) <> (version IS NULL) OR at NOT BETWEEN 0 AND " NUMBER_MAX
        " OR version < 0 LIMIT 1"},
    {4, "SELECT entry, CASE WHEN allow NOT BETWEEN -1 AND 1 OR at NOT BETWEEN 0 "
        "AND " NUMBER_MAX " OR until < at OR version < 0 OR (allow = -1) <> (source = '')"
        " THEN 'a version out of range'" TEXT_RULE(
            "entry", "?2") " END AS wrong FROM gone WHERE wrong IS NOT NULL LIMIT 1"},
    {4, "SELECT entry, 'allow ' || allow || ': expected -1 to 1' FROM outbox"
        " WHERE allow NOT BETWEEN -1 AND 1 LIMIT 1"},
};

static void is_text(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    const char *text = (const char *)sqlite3_value_text(argv[0]);

    (void)argc;
    sqlite3_result_int(context, text != NULL && utf8_is_clean(text));
}

static enum schema_result check_values(sqlite3 *db, const char *sql, char *error,
                                       size_t size)
{
    static const int limits[] = {ENTRY_KIND_COUNT - 1, ENTRY_TEXT_SIZE - 1,
                                 BLOCKLIST_SOURCE_SIZE - 1};
    char shown[SHOWN_SIZE], wrong[SHOWN_SIZE];
    enum schema_result result = SCHEMA_OK;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_create_function(db, "is_text", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                     NULL, is_text, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = sql_query(db, &stmt, sql, "");
    for (int i = 0; rc == SQLITE_OK && i < sqlite3_bind_parameter_count(stmt); i++)
        rc = sqlite3_bind_int(stmt, i + 1, limits[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        (void)text_clean(sql_text(stmt, 0), shown, sizeof shown); /* cut where longer */
        (void)text_clean(sql_text(stmt, 1), wrong, sizeof wrong);
        result = damaged(db, error, size, "%s has %s", shown, wrong);
    } else if (rc != SQLITE_DONE) {
        result = failed(db, sqlite3_db_filename(db, "main"), error, size);
    }
    sqlite3_finalize(stmt);
    return result;
}

enum schema_result schema_check(sqlite3 *db, char *error, size_t error_size)
{
    int version;
    enum schema_result result = inspect(db, &version, error, error_size);

    if (result == SCHEMA_OK)
        result = check_pages(db, error, error_size);
    for (size_t i = 0;
         result == SCHEMA_OK && i < sizeof value_checks / sizeof value_checks[0]; i++)
        if (version >= value_checks[i].version)
            result = check_values(db, value_checks[i].sql, error, error_size);
    return result;
}
