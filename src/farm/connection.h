/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FARM_CONNECTION_H
#define FARM_CONNECTION_H

/* A connection to the farm's database that never waits longer than its deadline, whatever
 * the server does: stopped, gone, or sending without an end. For one thread.
 *
 * Plans go by indexes, in order: a table that was never analyzed may be large. */

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#define CONNECTION_DEADLINE_MS 10000
#define CONNECTION_SLOW_MS     60000
#define CONNECTION_ERROR_SIZE  400
#define CONNECTION_KEPT        8

struct connection {
    PGconn *pg;                        /* NULL: closed */
    int wake_fd;                       /* an eventfd that ends connection_wait; -1 none */
    char error[CONNECTION_ERROR_SIZE]; /* of the last failure, one line, no password */
    char state[6];                     /* its SQLSTATE, "" none */
    const char *kept[CONNECTION_KEPT]; /* what the server has prepared; NULL behind */
    bool slow;                         /* CONNECTION_SLOW_MS is waited for an answer */
};

/* Connects to one that takes changes, within some seconds for each host of text (a libpq
 * connection string). name is
 * how the server's admin sees us. Returns 0 or -1. connection_close in either case. */
int connection_open(struct connection *connection, const char *text, const char *name);
void connection_close(struct connection *connection);

/* Runs one statement, its parameters as texts. Returns what it gave, to be PQcleared; or
 * NULL with error, where the connection is closed (pg NULL) unless it is the server that
 * refused. */
PGresult *connection_query(struct connection *connection, const char *sql, int count,
                           const char *const *values);

/* The same for what is asked many times, of which the server keeps the plan: few statements,
 * each a text that stays where it is and begins as no other does. */
PGresult *connection_query_kept(struct connection *connection, const char *sql, int count,
                                const char *const *values);

/* connection_query_kept in two steps, with other work in between, but no other statement: 0 or
 * -1, then what it gave. */
int connection_send(struct connection *connection, const char *sql, int count,
                    const char *const *values);
PGresult *connection_receive(struct connection *connection);

/* The same where nothing is given back. 0 or -1. */
int connection_do(struct connection *connection, const char *sql);

/* Runs a script of statements with no parameters. 0 or -1. */
int connection_script(struct connection *connection, const char *sql);

/* Whether the last statement failed because of what a row says (SQLSTATE 22 and 23): the others
 * may pass without it. */
bool connection_row_refused(const struct connection *connection);

/* A text of a result; "" where it is NULL, or the server has sent fewer rows or columns. */
const char *result_text(const PGresult *result, int row, int column);

/* A whole number of a result; -1 where it is none. */
int64_t result_number(const PGresult *result, int row, int column);

/* Waits for timeout_ms, for wake_fd, or for a notification (returns true). */
bool connection_wait(struct connection *connection, int timeout_ms);

#endif
