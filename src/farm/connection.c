/* SPDX-License-Identifier: BSD-2-Clause */
#include "farm/connection.h"

#include <assert.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

/* More than any answer of ours has: libpq keeps all of an answer in memory. */
#define ANSWER_MAX (64 << 20)

/* What libpq says, in one line and clean: it may be the server's own words. */
static void fail(struct connection *connection, const char *text, const char *state)
{
    char line[CONNECTION_ERROR_SIZE];
    size_t used = 0;

    for (; *text != '\0' && used + 1 < sizeof line; text++) {
        bool blank = *text == '\n' || *text == '\t' || *text == ' ';

        if (!blank || (used > 0 && line[used - 1] != ' '))
            line[used++] = blank ? ' ' : *text;
    }
    while (used > 0 && line[used - 1] == ' ')
        used--;
    line[used] = '\0';
    (void)text_clean(line, connection->error, sizeof connection->error); /* cut */
    (void)snprintf(connection->state, sizeof connection->state, "%s",
                   state != NULL ? state : "");
}

void connection_close(struct connection *connection)
{
    PQfinish(connection->pg);
    connection->pg = NULL;
    memset(connection->kept, 0, sizeof connection->kept);
    connection->slow = false;
}

static void lost(struct connection *connection, const char *text)
{
    fail(connection, text, NULL);
    connection_close(connection);
}

static void no_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

/* libpq's own words for a bad one may have the password in them. */
static bool is_readable(const char *text)
{
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(text, &error);
    bool readable = options != NULL || strpbrk(text, "=:/") == NULL;

    PQconninfoFree(options);
    PQfreemem(error);
    return readable;
}

int connection_open(struct connection *connection, const char *text, const char *name)
{
    /* what precedes dbname can be given otherwise in the text; what follows
     * cannot */
    const char *const words[] = {"connect_timeout",  "tcp_user_timeout",
                                 "keepalives_idle",  "keepalives_interval",
                                 "keepalives_count", "target_session_attrs",
                                 "dbname",           "application_name",
                                 "client_encoding",  NULL};
    const char *const values[] = {"3",          "5000", "5",  "2",    "3",
                                  "read-write", text,   name, "UTF8", NULL};

    connection_close(connection);
    if (!is_readable(text)) {
        fail(connection, "the connection string cannot be read", NULL);
        return -1;
    }
    connection->pg = PQconnectdbParams(words, values, 1);
    if (connection->pg == NULL || PQstatus(connection->pg) != CONNECTION_OK) {
        lost(connection,
             connection->pg != NULL ? PQerrorMessage(connection->pg) : "no memory");
        return -1;
    }
    PQsetNoticeReceiver(connection->pg, no_notice, NULL);
    if (PQsetnonblocking(connection->pg, 1) != 0) {
        lost(connection, PQerrorMessage(connection->pg));
        return -1;
    }
    return connection_script(
        connection,
        "SET statement_timeout = '10s'; SET lock_timeout = '5s';"
        "SET idle_in_transaction_session_timeout = '10s'; SET search_path = farm;"
        "SET bytea_output = 'hex'; SET standard_conforming_strings = on;"
        "SET enable_seqscan = off; SET enable_sort = off; SET jit = off");
}

/* Octets that came in over TCP; 0 where nobody counts. */
static uint64_t received(PGconn *pg)
{
    struct tcp_info info;
    socklen_t length = sizeof info;

    memset(&info, 0, sizeof info);
    if (getsockopt(PQsocket(pg), IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return 0;
    return info.tcpi_bytes_received;
}

/* Sends what is to be sent and reads until there is an answer. Returns 0, or -1 with the
 * connection closed. */
static int wait_for_answer(struct connection *connection, int64_t until_ms)
{
    PGconn *pg = connection->pg;
    uint64_t before = received(pg);
    int unsent;

    while ((unsent = PQflush(pg)) == 1 || PQisBusy(pg)) {
        struct pollfd fd = {PQsocket(pg), (short)(POLLIN | (unsent == 1 ? POLLOUT : 0)),
                            0};
        int64_t left = until_ms - clock_ms();

        if (unsent < 0)
            break;
        if (left <= 0 || poll(&fd, 1, (int)left) == 0) {
            lost(connection, connection->slow ? "the server does not answer within 60 s"
                                              : "the server does not answer within 10 s");
            return -1;
        }
        if (received(pg) - before > ANSWER_MAX) {
            lost(connection, "the server sends more than was asked for");
            return -1;
        }
        if ((fd.revents & ~POLLOUT) != 0 && PQconsumeInput(pg) == 0)
            break;
    }
    if (PQstatus(pg) == CONNECTION_OK && unsent == 0)
        return 0;
    lost(connection, PQerrorMessage(pg));
    return -1;
}

/* All answers of what was sent: the first that failed, else the last. */
static PGresult *collect(struct connection *connection, bool *failed)
{
    int64_t until_ms =
        clock_ms() + (connection->slow ? CONNECTION_SLOW_MS : CONNECTION_DEADLINE_MS);
    PGresult *kept = NULL, *result;

    *failed = false;
    for (;;) {
        if (wait_for_answer(connection, until_ms) != 0) {
            PQclear(kept);
            *failed = true;
            return NULL;
        }
        if ((result = PQgetResult(connection->pg)) == NULL)
            return kept;
        if (*failed) {
            PQclear(result);
            continue;
        }
        PQclear(kept);
        kept = result;
        *failed = PQresultStatus(result) != PGRES_TUPLES_OK &&
                  PQresultStatus(result) != PGRES_COMMAND_OK;
        if (PQresultStatus(result) == PGRES_COPY_IN ||
            PQresultStatus(result) == PGRES_COPY_OUT ||
            PQresultStatus(result) == PGRES_COPY_BOTH) {
            PQclear(kept);
            lost(connection, "the server speaks out of turn");
            return NULL;
        }
    }
}

static PGresult *answer_of(struct connection *connection, int sent)
{
    PGresult *result;
    bool failed;

    if (sent != 1) {
        lost(connection, PQerrorMessage(connection->pg));
        return NULL;
    }
    result = collect(connection, &failed);
    if (!failed && result != NULL)
        return result;
    if (result != NULL) {
        const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

        fail(connection, text != NULL ? text : PQresultErrorMessage(result),
             PQresultErrorField(result, PG_DIAG_SQLSTATE));
        PQclear(result);
        if (PQstatus(connection->pg) != CONNECTION_OK)
            connection_close(connection);
    }
    return NULL;
}

PGresult *connection_query(struct connection *connection, const char *sql, int count,
                           const char *const *values)
{
    if (connection->pg == NULL)
        return NULL;
    return answer_of(connection, PQsendQueryParams(connection->pg, sql, count, NULL,
                                                   values, NULL, NULL, 0));
}

/* The server knows it by how it begins: so do its admin, and who reads the wire. */
struct kept_name {
    char text[41];
};
static struct kept_name name_of(const char *sql)
{
    struct kept_name name;

    (void)snprintf(name.text, sizeof name.text, "%s", sql); /* cut */
    return name;
}

/* Lets the server prepare it, once a connection. */
static int keep(struct connection *connection, const char *sql, int count)
{
    PGresult *result;
    int i = 0;

    while (connection->kept[i] != NULL && connection->kept[i] != sql)
        i++;
    if (connection->kept[i] == sql)
        return 0;
    result = answer_of(
        connection, PQsendPrepare(connection->pg, name_of(sql).text, sql, count, NULL));
    if (result == NULL)
        return -1;
    PQclear(result);
    assert(i < CONNECTION_KEPT - 1); /* the last one is NULL */
    connection->kept[i] = sql;
    return 0;
}

int connection_send(struct connection *connection, const char *sql, int count,
                    const char *const *values)
{
    if (connection->pg == NULL || keep(connection, sql, count) != 0)
        return -1;
    if (PQsendQueryPrepared(connection->pg, name_of(sql).text, count, values, NULL, NULL,
                            0) == 1 &&
        PQflush(connection->pg) >= 0)
        return 0;
    lost(connection, PQerrorMessage(connection->pg));
    return -1;
}

PGresult *connection_receive(struct connection *connection)
{
    return connection->pg != NULL ? answer_of(connection, 1) : NULL;
}

PGresult *connection_query_kept(struct connection *connection, const char *sql, int count,
                                const char *const *values)
{
    return connection_send(connection, sql, count, values) == 0
               ? connection_receive(connection)
               : NULL;
}

int connection_do(struct connection *connection, const char *sql)
{
    PGresult *result = connection_query(connection, sql, 0, NULL);

    PQclear(result);
    return result != NULL ? 0 : -1;
}

int connection_script(struct connection *connection, const char *sql)
{
    PGresult *result;

    if (connection->pg == NULL)
        return -1;
    result = answer_of(connection, PQsendQuery(connection->pg, sql));
    PQclear(result);
    return result != NULL ? 0 : -1;
}

/* What came with an answer is in libpq already, where poll sees nothing of it. */
static bool take_notifications(struct connection *connection)
{
    bool notified = false;
    PGnotify *notify;

    while ((notify = PQnotifies(connection->pg)) != NULL) {
        notified = true;
        PQfreemem(notify);
    }
    return notified;
}

bool connection_wait(struct connection *connection, int timeout_ms)
{
    struct pollfd fds[] = {{connection->wake_fd, POLLIN, 0},
                           {PQsocket(connection->pg), POLLIN, 0}};

    if (take_notifications(connection))
        return true;
    if (poll(fds, 2, timeout_ms) <= 0)
        return false;
    if (fds[1].revents != 0 && PQconsumeInput(connection->pg) == 0) {
        lost(connection, PQerrorMessage(connection->pg));
        return false;
    }
    return take_notifications(connection);
}

bool connection_row_refused(const struct connection *connection)
{
    return connection->pg != NULL && (strncmp(connection->state, "22", 2) == 0 ||
                                      strncmp(connection->state, "23", 2) == 0);
}

const char *result_text(const PGresult *result, int row, int column)
{
    /* libpq gives NULL outside of a result, and complains on standard error */
    return row < PQntuples(result) && column < PQnfields(result)
               ? PQgetvalue(result, row, column)
               : "";
}

int64_t result_number(const PGresult *result, int row, int column)
{
    const char *text = result_text(result, row, column);
    long long number;
    char *end;

    errno = 0;
    number = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' ? number : -1;
}
