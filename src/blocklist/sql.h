#ifndef BLOCKLIST_SQL_H
#define BLOCKLIST_SQL_H

/* Short ways to say what is said to SQLite again and again. */

#include <sqlite3.h>

#include "blocklist/admin.h"

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
