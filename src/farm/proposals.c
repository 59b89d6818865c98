/* SPDX-License-Identifier: BSD-2-Clause */
/* What rules found is reported to the other hosts, and read from them, numbered in the order in
 * which the server took it. In each session all is read again; then what the server does not
 * have is reported. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "farm/parts.h"

#define CALL_ROWS 100
#define CALLS     50 /* a round */

/* Calls the function with rows. Returns 1: taken, 0: not, but the connection is there; -1. */
static int report(struct farm *farm, const json_t *rows)
{
    char *text = json_dumps(rows, JSON_COMPACT);
    const char *values[] = {farm->node, text};
    PGresult *result;

    if (text == NULL)
        return farm_failed(farm, "no memory");
    result = connection_query(&farm->connection,
                              "SELECT farm.tell_findings($1, $2::jsonb)", 2, values);
    free(text);
    if (result == NULL)
        return counts_not_taken(farm, "findings");
    PQclear(result);
    return 1;
}

/* Whether it is a row that the server does not take, not all of them. */
static bool is_about_a_row(const struct farm *farm)
{
    return farm->connection.state[0] == '2' &&
           (farm->connection.state[1] == '2' || farm->connection.state[1] == '3');
}

static int report_each(struct farm *farm, const json_t *rows)
{
    json_t *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        json_t *one = json_pack("[O]", row);
        int rc = report(farm, one);

        if (rc >= 0) /* what is not taken stays here */
            farm->hooks.reported_findings(farm->hooks.context, one);
        json_decref(one);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int report_all(struct farm *farm)
{
    size_t count;

    do {
        json_t *rows = farm->hooks.report_findings(farm->hooks.context, CALL_ROWS);
        int rc;

        count = json_array_size(rows);
        rc = count > 0 ? report(farm, rows) : 1;
        if (rc == 1)
            farm->hooks.reported_findings(farm->hooks.context, rows);
        else if (rc == 0 && is_about_a_row(farm))
            rc = report_each(farm, rows);
        else
            count = 0;
        json_decref(rows);
        if (rc < 0)
            return -1;
    } while (count == CALL_ROWS && !atomic_load(&farm->stopping));
    return 0;
}

/* Hears up to CALL_ROWS; *more: there may be others. */
static int hear_some(struct farm *farm, bool *more)
{
    static const char sql[] =
        "SELECT seq, to_jsonb(f) FROM farm.finding f WHERE seq > $1"
        " AND at > extract(epoch FROM clock_timestamp()) - 90 * 86400 ORDER BY seq LIMIT "
        "100";
    char from[24];
    const char *values[] = {from};
    PGresult *result;
    int count;

    *more = false;
    (void)snprintf(from, sizeof from, "%" PRId64, farm->findings_seq);
    result = connection_query(&farm->connection, sql, 1, values);
    if (result == NULL)
        return counts_not_taken(farm, "findings");
    count = PQnfields(result) == 2 ? PQntuples(result) : 0;
    for (int i = 0; i < count && i < CALL_ROWS; i++) {
        int64_t seq = result_number(result, i, 0);
        json_t *row = json_loads(PQgetvalue(result, i, 1), 0, NULL);

        if (seq <= farm->findings_seq) /* not what was asked for */
            count = 0;
        else
            farm->findings_seq = seq;
        if (row != NULL && count > 0)
            farm->hooks.hear_finding(farm->hooks.context, farm->node, row);
        json_decref(row);
    }
    PQclear(result);
    *more = count >= CALL_ROWS;
    return 0;
}

/* Whether the server knows less than we have heard. */
static int look_at_head(struct farm *farm)
{
    PGresult *result =
        connection_query(&farm->connection, "SELECT findings FROM farm.head", 0, NULL);

    if (result == NULL)
        return counts_not_taken(farm, "findings");
    if (result_number(result, 0, 0) < farm->findings_seq)
        farm->findings_seq = -1;
    PQclear(result);
    return 0;
}

int proposals_exchange(struct farm *farm)
{
    bool more = true;

    if (atomic_load(&farm->stopping)) /* then what the hooks need may be gone */
        return -1;
    if (look_at_head(farm) != 0)
        return -1;
    if (farm->findings_seq < 0) {
        if (farm->hooks.forget_reported(farm->hooks.context) != 0)
            return 0; /* the rules' database is not open yet */
        farm->findings_seq = 0;
    }
    for (int i = 0; i < CALLS && more && !atomic_load(&farm->stopping); i++)
        if (hear_some(farm, &more) != 0)
            return -1;
    return more ? 0 : report_all(farm); /* what it has is not reported again */
}
