#include "blocklist/sql.h"

#include <stdarg.h>
#include <stdlib.h>

static int bind_one(sqlite3_stmt *stmt, int index, char type, va_list args)
{
    const char *text;
    int64_t number;

    switch (type) {
    case 't':
        text = va_arg(args, const char *);
        return sqlite3_bind_text(stmt, index, text != NULL ? text : "", -1,
                                 SQLITE_STATIC);
    case 'i':
        return sqlite3_bind_int64(stmt, index, va_arg(args, int64_t));
    case 'z':
        number = va_arg(args, int64_t);
        return number != 0 ? sqlite3_bind_int64(stmt, index, number)
                           : sqlite3_bind_null(stmt, index);
    }
    abort(); /* a mistake in the caller's types */
}

int sql_bind(sqlite3_stmt *stmt, const char *types, ...)
{
    va_list args;
    int rc = SQLITE_OK;

    va_start(args, types);
    for (int i = 0; types[i] != '\0' && rc == SQLITE_OK; i++)
        rc = bind_one(stmt, i + 1, types[i], args);
    va_end(args);
    return rc;
}

int sql_run(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);

    sqlite3_reset(stmt); /* gives the same code again */
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

const char *sql_text(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    return text != NULL ? text : "";
}
