/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/sql.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void sql_start(void)
{
    /* not more: SQLite 3.40 cannot move what is larger to a file, and calls the disk full
     * (unixWrite cuts what it writes at once to 17 bits) */
    (void)sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, 0x1ffff); /* else it is slower */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* a lock for each malloc */
}

int sql_harden(sqlite3 *db)
{
    static const struct {
        int option, on;
    } settings[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1}, /* no SQL can spoil the file itself */
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA,
         0},                              /* what is in it calls no functions of ours */
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0}, /* there are none of ours */
    };
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof settings / sizeof settings[0]; i++)
        rc = sqlite3_db_config(db, settings[i].option, settings[i].on, NULL);
    return rc;
}

bool sql_is_damage(int rc)
{
    return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

int sql_rename(const char *from, const char *to)
{
    /* the database last: who is stopped before that finds it as it was, and begins again */
    static const char *const parts[] = {"-shm", "-wal", ""};
    char old[PATH_MAX], new[PATH_MAX];

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int length = snprintf(old, sizeof old, "%s%s", from, parts[i]);
        int new_length = snprintf(new, sizeof new, "%s%s", to, parts[i]);

        if (length >= PATH_MAX || new_length >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        if (rename(old, new) != 0 && errno != ENOENT)
            return -1;
    }
    return 0;
}

int sql_exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int bind_all(sqlite3_stmt *stmt, int first, const char *types, va_list args)
{
    int rc = SQLITE_OK;
    const char *text;
    const void *blob;
    int64_t number;

    for (int i = 0; types[i] != '\0' && rc == SQLITE_OK; i++) {
        switch (types[i]) {
        case 't':
            text = va_arg(args, const char *);
            rc = sqlite3_bind_text(stmt, first + i, text != NULL ? text : "", -1,
                                   SQLITE_STATIC);
            break;
        case 'b':
            blob = va_arg(args, const void *);
            rc = sqlite3_bind_blob64(stmt, first + i, blob, va_arg(args, size_t),
                                     SQLITE_STATIC);
            break;
        case 'i':
            rc = sqlite3_bind_int64(stmt, first + i, va_arg(args, int64_t));
            break;
        case 'z':
            number = va_arg(args, int64_t);
            rc = number != 0 ? sqlite3_bind_int64(stmt, first + i, number)
                             : sqlite3_bind_null(stmt, first + i);
            break;
        default:
            abort(); /* an error in the caller's types */
        }
    }
    return rc;
}

int sql_bind(sqlite3_stmt *stmt, const char *types, ...)
{
    va_list args;
    int rc;

    va_start(args, types);
    rc = bind_all(stmt, 1, types, args);
    va_end(args);
    return rc;
}

int sql_bind_from(sqlite3_stmt *stmt, int first, const char *types, ...)
{
    va_list args;
    int rc;

    va_start(args, types);
    rc = bind_all(stmt, first, types, args);
    va_end(args);
    return rc;
}

static int query(sqlite3 *db, sqlite3_stmt **out, const char *sql, const char *types,
                 va_list args)
{
    int rc = sqlite3_prepare_v2(db, sql, -1, out, NULL);

    return rc == SQLITE_OK ? bind_all(*out, 1, types, args) : rc;
}

int sql_query(sqlite3 *db, sqlite3_stmt **out, const char *sql, const char *types, ...)
{
    va_list args;
    int rc;

    va_start(args, types);
    rc = query(db, out, sql, types, args);
    va_end(args);
    return rc;
}

int sql_prepare(sqlite3 *db, sqlite3_stmt **out, const char *sql)
{
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
}

int sql_run(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);

    sqlite3_reset(stmt); /* gives the same code again */
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int sql_run_with(sqlite3_stmt *stmt, const char *types, ...)
{
    va_list args;
    int rc;

    va_start(args, types);
    rc = bind_all(stmt, 1, types, args);
    va_end(args);
    return rc == SQLITE_OK ? sql_run(stmt) : rc;
}

int sql_run_once(sqlite3 *db, const char *sql, const char *types, ...)
{
    sqlite3_stmt *stmt = NULL;
    va_list args;
    int rc;

    va_start(args, types);
    rc = query(db, &stmt, sql, types, args);
    va_end(args);
    if (rc == SQLITE_OK)
        rc = sql_run(stmt);
    sqlite3_finalize(stmt);
    return rc;
}

int sql_number(sqlite3 *db, int64_t *out, const char *sql, const char *types, ...)
{
    sqlite3_stmt *stmt = NULL;
    va_list args;
    int rc;

    *out = 0;
    va_start(args, types);
    rc = query(db, &stmt, sql, types, args);
    va_end(args);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

const char *sql_text(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    return text != NULL ? text : "";
}
