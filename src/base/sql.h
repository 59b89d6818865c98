/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_SQL_H
#define BASE_SQL_H

/* Short ways to say what is said to SQLite again and again. Each returns SQLite's code where
 * nothing else is said; a connection, and its statements, belong to one thread at a time. */

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Once, before anything else of SQLite and before there are threads: else it does
 * nothing. What one statement would have to take back is kept in memory up to 128 KB:
 * SQLite keeps it for each row with a trigger that calls a function, and writes it to a
 * file beyond 64 KB. */
void sql_start(void);

/* What a file from elsewhere may do to us is switched off: for every connection to one. */
int sql_harden(sqlite3 *db);

/* Whether a result code says that the file is broken. */
bool sql_is_damage(int rc);

/* Renames a database that nobody has open, with its -wal and -shm where there are some.
 * Returns 0, or -1 (errno). */
int sql_rename(const char *from, const char *to);

/* Runs statements that give no rows. */
int sql_exec(sqlite3 *db, const char *sql);

/* Binds the parameters 1 … in order, as types has them:
 *   't' const char *, borrowed until the next bind (NULL: "")
 *   'b' const void *, size_t: a blob, borrowed likewise
 *   'i' int64_t
 *   'z' int64_t, of which 0 is NULL */
int sql_bind(sqlite3_stmt *stmt, const char *types, ...);
int sql_bind_from(sqlite3_stmt *stmt, int first, const char *types, ...); /* first, … */

/* Prepares a statement and binds as sql_bind. The caller finalizes *out, which is NULL after
 * a failure to prepare. */
int sql_query(sqlite3 *db, sqlite3_stmt **out, const char *sql, const char *types, ...);

/* Prepares a statement that is kept and run many times. */
int sql_prepare(sqlite3 *db, sqlite3_stmt **out, const char *sql);

/* Steps a statement that gives no row and resets it. SQLITE_OK, or the code. */
int sql_run(sqlite3_stmt *stmt);

/* Binds as sql_bind, runs as sql_run. */
int sql_run_with(sqlite3_stmt *stmt, const char *types, ...);

/* Prepares, binds as sql_bind, runs as sql_run. */
int sql_run_once(sqlite3 *db, const char *sql, const char *types, ...);

/* Prepares, binds as sql_bind, and reads the number in the first row; 0 where there is no
 * row. SQLITE_OK, or the code. */
int sql_number(sqlite3 *db, int64_t *out, const char *sql, const char *types, ...);

/* The text of a column, "" for NULL; lives until the next step. */
const char *sql_text(sqlite3_stmt *stmt, int column);

#endif
