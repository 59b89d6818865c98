#include "blocklist/sql.h"

#include <stdarg.h>
#include <stdlib.h>

static int bind_text(sqlite3_stmt *stmt, int index, const char *text)
{
    return sqlite3_bind_text(stmt, index, text != NULL ? text : "", -1, SQLITE_STATIC);
}

static int bind_nonzero(sqlite3_stmt *stmt, int index, int64_t number)
{
    return number != 0 ? sqlite3_bind_int64(stmt, index, number)
                       : sqlite3_bind_null(stmt, index);
}

static int bind_all(sqlite3_stmt *stmt, const char *types, va_list args)
{
    int rc = SQLITE_OK;

    for (int i = 0; types[i] != '\0' && rc == SQLITE_OK; i++) {
        switch (types[i]) {
        case 't':
            rc = bind_text(stmt, i + 1, va_arg(args, const char *));
            break;
        case 'i':
            rc = sqlite3_bind_int64(stmt, i + 1, va_arg(args, int64_t));
            break;
        case 'z':
            rc = bind_nonzero(stmt, i + 1, va_arg(args, int64_t));
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
    rc = bind_all(stmt, types, args);
    va_end(args);
    return rc;
}

int sql_run(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);

    sqlite3_reset(stmt); /* gives the same code again */
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int sql_run_once(sqlite3 *db, const char *sql, const char *types, ...)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    va_list args;

    va_start(args, types);
    if (rc == SQLITE_OK)
        rc = bind_all(stmt, types, args);
    va_end(args);
    if (rc == SQLITE_OK)
        rc = sql_run(stmt);
    sqlite3_finalize(stmt);
    return rc;
}

const char *sql_text(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    return text != NULL ? text : "";
}
