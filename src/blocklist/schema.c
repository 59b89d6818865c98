/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist/schema.h"

#include <stdint.h>
#include <stdio.h>

#include "base/sql.h"
#include "base/text.h"

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
    /* 3: entries that put off (451). An entry of one source refuses or puts off, so this is
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

enum schema_result schema_failed(sqlite3 *db, const char *path, char *error, size_t size)
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
    return rc == SQLITE_OK ? SCHEMA_OK : schema_failed(*out, path, error, error_size);
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

int schema_make(sqlite3 *db, int version)
{
    return schema_migrate(db, migrations, 0, version);
}

/* Within a transaction. Nothing is run on tables that are not as we made them: a trigger
 * in them would run with it. */
static enum schema_result adopt(sqlite3 *db, const char *path, char *error, size_t size)
{
    int version;
    enum schema_result result = schema_inspect(db, &version, error, size);

    if (result == SCHEMA_OK && version < SCHEMA_VERSION &&
        schema_migrate(db, migrations, version, SCHEMA_VERSION) != SQLITE_OK)
        result = schema_failed(db, path, error, size);
    return result;
}

enum schema_result schema_prepare(sqlite3 *db, char *error, size_t error_size)
{
    const char *path = sqlite3_db_filename(db, "main");
    enum schema_result result;

    if (sql_exec(db, "BEGIN IMMEDIATE") != SQLITE_OK)
        return schema_failed(db, path, error, error_size);
    result = adopt(db, path, error, error_size);
    if (result == SCHEMA_OK && sql_exec(db, "COMMIT") != SQLITE_OK)
        result = schema_failed(db, path, error, error_size);
    if (!sqlite3_get_autocommit(db))
        (void)sql_exec(db, "ROLLBACK"); /* what failed is told already */
    return result;
}
