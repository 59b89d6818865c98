/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_SCHEMA_H
#define BLOCKLIST_SCHEMA_H

/* The database file: connections with our settings, and the tables in it, brought from
 * any earlier version to the current one. */

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#define SCHEMA_APPLICATION_ID 0x52424c4d /* "RBLM" */
#define SCHEMA_VERSION        4

enum schema_result {
    SCHEMA_OK,
    SCHEMA_DAMAGED, /* the file is there, and is broken */
    SCHEMA_REFUSED  /* not ours, from a newer version, cannot be opened or written */
};

enum schema_mode { SCHEMA_WRITE, SCHEMA_READ };

/* Opens a connection with our settings (WAL; commits are on disk). The caller closes
 * it, also after a failure (*out may be NULL). error gets a sentence. */
enum schema_result schema_connect(const char *path, enum schema_mode mode, sqlite3 **out,
                                  char *error, size_t error_size);

/* What a file from elsewhere may do to us is switched off: for every connection to one.
 * Returns SQLite's code. */
int schema_harden(sqlite3 *db);

/* Checks that the file is ours (schema_inspect) and makes the tables or migrates them, in one
 * transaction. */
enum schema_result schema_prepare(sqlite3 *db, char *error, size_t error_size);

/* Runs steps[from] to steps[to - 1] and notes the version to. Within the caller's
 * transaction. Returns SQLite's code. */
int schema_migrate(sqlite3 *db, const char *const *steps, int from, int to);

/* Makes the tables as they are in that version, in an empty database, as schema_migrate.
 */
int schema_make(sqlite3 *db, int version);

/* Whose file is it, of which version (0: an empty one), and is what is defined in it ours,
 * by name and text? DAMAGED where it is not: triggers, views and indexes of others, tables
 * of ours that read otherwise. Tables of others are let be. */
enum schema_result schema_inspect(sqlite3 *db, int *version, char *error,
                                  size_t error_size);

/* Reads the whole file and checks it: schema_inspect, PRAGMA quick_check, and that no
 * value is out of its range. OK, DAMAGED, or REFUSED when it was interrupted. */
enum schema_result schema_check(sqlite3 *db, char *error, size_t error_size);

/* Writes what SQLite says of its last call into error: DAMAGED or REFUSED. */
enum schema_result schema_failed(sqlite3 *db, const char *path, char *error, size_t size);

/* Whether a result code of SQLite says that the file is broken. */
bool schema_is_damage(int rc);

/* Runs statements that give no rows. Returns SQLite's code. */
int schema_exec(sqlite3 *db, const char *sql);

/* What becomes of a row that the same source has already: it is changed, and keeps its
 * since. */
#define SCHEMA_ON_CONFLICT                                                               \
    " ON CONFLICT (entry, allow, source) DO UPDATE SET tempfail = excluded.tempfail,"    \
    " reason = excluded.reason, expires = excluded.expires, at = excluded.at,"           \
    " version = excluded.version"                                                        \
    " WHERE tempfail <> excluded.tempfail OR reason <> excluded.reason"                  \
    " OR expires IS NOT excluded.expires"

/* Short ways to say what is said to SQLite again and again. */

/* Binds the parameters 1 … in order: 't' const char *, borrowed until the next bind
 * (NULL: ""), 'i' int64_t, 'z' int64_t of which 0 is NULL. Returns SQLite's code. */
int sql_bind(sqlite3_stmt *stmt, const char *types, ...);

/* Steps a statement that gives no row and resets it. Returns SQLITE_OK, or the code. */
int sql_run(sqlite3_stmt *stmt);

/* Prepares, binds as sql_bind, runs as sql_run. Returns SQLite's code. */
int sql_run_once(sqlite3 *db, const char *sql, const char *types, ...);

/* The text of a column, "" for NULL; lives until the next step. */
const char *sql_text(sqlite3_stmt *stmt, int column);

#endif
