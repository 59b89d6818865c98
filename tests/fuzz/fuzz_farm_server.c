/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz_farm_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 20
#define ROWS_MAX    12000 /* of all answers; more than is asked for at once */

PGresult *__wrap_connection_query(struct connection *connection, const char *sql,
                                  int count, const char *const *values);
PGresult *__wrap_connection_query_kept(struct connection *connection, const char *sql,
                                       int count, const char *const *values);
int __wrap_connection_send(struct connection *connection, const char *sql, int count,
                           const char *const *values);
PGresult *__wrap_connection_receive(struct connection *connection);
int __wrap_connection_do(struct connection *connection, const char *sql);

PGresult *given[GIVEN_MAX];
size_t given_count;

static char *answers; /* what is left of the input */
static int rows_left;

void check_at(bool holds, const char *file, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d does not hold\n", file, line);
    abort();
}

void server_answers(char *text)
{
    answers = text;
    rows_left = ROWS_MAX;
}

static char *next_line(void)
{
    char *line = strsep(&answers, "\n");

    return line != NULL && *line != '\0' ? line : NULL;
}

static void set_columns(PGresult *result, int count)
{
    PGresAttDesc columns[COLUMNS_MAX];

    memset(columns, 0, sizeof columns);
    for (int i = 0; i < count; i++)
        columns[i].name = (char[]){"x"};
    check(count == 0 || PQsetResultAttrs(result, count, columns) == 1);
}

static void add_row(PGresult *result, char *const *cells, int count)
{
    int row = PQntuples(result);

    for (int i = 0; i < count; i++) {
        bool is_null = cells[i] == NULL || strcmp(cells[i], "\\N") == 0;

        check(PQsetvalue(result, row, i, is_null ? NULL : cells[i],
                         is_null ? -1 : (int)strlen(cells[i])) == 1);
    }
}

PGresult *__wrap_connection_query(struct connection *connection, const char *sql,
                                  int count, const char *const *values)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    char *cells[COLUMNS_MAX] = {NULL}, *line;
    int columns = 0;

    (void)sql;
    (void)count;
    (void)values;
    check(result != NULL);
    if (answers == NULL) {
        PQclear(result);
        (void)snprintf(connection->error, sizeof connection->error, "no more");
        return NULL;
    }
    while ((line = next_line()) != NULL) {
        int repeat = line[0] == '*' ? (int)strtol(line + 1, NULL, 10) : 1, found = 0;
        char *rest = line[0] != '*' ? line : NULL;

        if (rest != NULL)
            memset(cells, 0, sizeof cells);
        while (rest != NULL && found < COLUMNS_MAX)
            cells[found++] = strsep(&rest, "\t");
        if (columns == 0 && found > 0)
            set_columns(result, columns = found);
        for (; columns > 0 && repeat > 0 && rows_left > 0; repeat--, rows_left--)
            add_row(result, cells, columns);
    }
    if (given_count < GIVEN_MAX && columns > 0 && PQntuples(result) <= 500)
        given[given_count++] = PQcopyResult(result, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
    return result;
}

PGresult *__wrap_connection_query_kept(struct connection *connection, const char *sql,
                                       int count, const char *const *values)
{
    return __wrap_connection_query(connection, sql, count, values);
}

static PGresult *sent; /* its answer */

int __wrap_connection_send(struct connection *connection, const char *sql, int count,
                           const char *const *values)
{
    PQclear(sent); /* of a session that has failed */
    sent = __wrap_connection_query(connection, sql, count, values);
    return 0;
}

PGresult *__wrap_connection_receive(struct connection *connection)
{
    PGresult *result = sent;

    (void)connection;
    sent = NULL;
    return result;
}

int __wrap_connection_do(struct connection *connection, const char *sql)
{
    (void)connection;
    (void)sql;
    return 0;
}
