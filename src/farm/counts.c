/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hosts count adds up, and what their rules find: each reports its own, and
 * hears the others'. Counts are in tables that the server may lose at any time: a host
 * reports all of it again in each session. Findings are numbered in the order in which
 * the server took them: in each session all are read again; then what the server does not
 * have is reported. */

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "farm/parts.h"

#define COUNTS_MS   5000
#define ALONE_MS    300000 /* the journal is asked, which may wait for a search */
#define BEATS_MS    30000  /* a host that was heard of within that */
#define HITS_ROWS   500
#define HITS_CALLS  4 /* a round: a flood of hits waits */
#define FOUND_ROWS  100
#define FOUND_CALLS 50 /* a round */
#define ROUND_TELLS 60000

/* For what is no reason to end the session, when the server does not take it: the blocklist
 * matters more. Returns 0, or -1 where the connection is gone. */
static int not_taken(struct farm *farm, const char *what)
{
    static struct log_limit limit;
    unsigned held_back;

    if (farm->connection.pg == NULL)
        return farm_failed(farm, NULL);
    if (log_limit_pass(&limit, ROUND_TELLS, &held_back))
        log_warning("farm: %s: %s: are the database's tables older than this rblmilter?",
                    what, farm->connection.error);
    return 0;
}

/* Calls a function of this node and rows. Returns 1: taken, 0: not, but the connection is
 * there; -1. */
static int report(struct farm *farm, const char *sql, const json_t *rows,
                  const char *what)
{
    char *text = json_dumps(rows, JSON_COMPACT);
    const char *values[] = {farm->node, text};
    PGresult *result;

    if (text == NULL)
        return farm_failed(farm, "no memory");
    result = connection_query(&farm->connection, sql, 2, values);
    free(text);
    if (result == NULL)
        return not_taken(farm, what);
    PQclear(result);
    return 1;
}

/* --- hits --- */

static void add_hit(void *context, const struct shared_hit *hit)
{
    /* what is no UTF-8 is NULL, and stays here */
    (void)json_array_append_new(context, json_pack("{s:s, s:I, s:I}", "entry", hit->entry,
                                                   "hits", (json_int_t)hit->hits, "last",
                                                   (json_int_t)hit->last));
}

static int report_hits(struct farm *farm, bool all, bool *more)
{
    char error[BLOCKLIST_ERROR_SIZE];
    json_t *rows = json_array();
    enum blocklist_result result =
        all ? shared_hits_all(farm->blocklist, farm->hits_after, HITS_ROWS, add_hit, rows,
                              more, error)
            : shared_hits_lately(farm->blocklist, HITS_ROWS, add_hit, rows, more, error);
    int rc = 0;

    if (result != BLOCKLIST_OK)
        rc = farm_failed(farm, error);
    else if (json_array_size(rows) > 0)
        rc = report(farm, "SELECT farm.tell_hits($1, $2::jsonb)", rows, "hits");
    json_decref(rows);
    return rc;
}

int counts_answer(struct farm *farm)
{
    static const char sql[] =
        "SELECT least(sum(hits), 4e18)::bigint, max(last), count(*) FROM farm.hit"
        " WHERE entry = $1 AND node <> $2 HAVING count(*) > 0";
    char entry[ENTRY_TEXT_SIZE];
    const char *values[] = {entry, farm->node};
    struct farm_hits hits = {0};
    PGresult *result;

    pthread_mutex_lock(&farm->lock);
    memcpy(entry, farm->hits_of, sizeof entry);
    pthread_mutex_unlock(&farm->lock);
    if (entry[0] == '\0')
        return 0;
    result = connection_query(&farm->connection, sql, 2, values);
    if (result == NULL)
        return not_taken(farm, "hits");
    if (PQntuples(result) == 1 && PQnfields(result) == 3) {
        hits.hits = result_number(result, 0, 0);
        hits.last = result_number(result, 0, 1);
        hits.hosts = (unsigned)(result_number(result, 0, 2) & 0xffff);
    }
    PQclear(result);
    pthread_mutex_lock(&farm->lock);
    if (strcmp(entry, farm->hits_of) == 0) {
        farm->hits = hits;
        farm->hits_of[0] = '\0';
        pthread_cond_broadcast(&farm->news);
    }
    pthread_mutex_unlock(&farm->lock);
    return 0;
}

int farm_hits(struct farm *farm, const char *entry, int wait_ms, struct farm_hits *out)
{
    struct timespec until = clock_timespec(clock_ms() + wait_ms);
    int rc = 0;

    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&farm->lock);
    while (farm->hits_busy && rc == 0)
        rc = pthread_cond_clockwait(&farm->news, &farm->lock, CLOCK_MONOTONIC, &until);
    if (farm->hits_busy || !farm->status.connected ||
        !text_copy(entry, farm->hits_of, sizeof farm->hits_of)) {
        pthread_mutex_unlock(&farm->lock);
        return -1;
    }
    farm->hits_busy = true;
    farm_wake(farm);
    while (farm->hits_of[0] != '\0' && rc == 0 && farm->status.connected &&
           !atomic_load(&farm->stopping))
        rc = pthread_cond_clockwait(&farm->news, &farm->lock, CLOCK_MONOTONIC, &until);
    rc = farm->hits_of[0] == '\0' ? 0 : -1;
    if (rc == 0)
        *out = farm->hits;
    farm->hits_of[0] = '\0';
    farm->hits_busy = false;
    pthread_cond_broadcast(&farm->news);
    pthread_mutex_unlock(&farm->lock);
    return rc;
}

/* --- what DNS lists alone refused --- */

static int hear_alone(struct farm *farm)
{
    static const char sql[] =
        "SELECT list, least(sum(refused), 1e15)::bigint, least(sum(wrong), 1e15)::bigint,"
        " array_to_string((array_agg(ids) FILTER (WHERE ids <> ''))[1:5], ' ')"
        " FROM farm.alone WHERE node <> $1 GROUP BY list LIMIT 1000";
    const char *values[] = {farm->node};
    PGresult *result = connection_query(&farm->connection, sql, 1, values);
    json_t *rows, *old;

    if (result == NULL)
        return not_taken(farm, "alone");
    rows = json_array();
    for (int i = 0; i < PQntuples(result) && i < 1000 && PQnfields(result) == 4; i++) {
        int64_t refused = result_number(result, i, 1),
                wrong = result_number(result, i, 2);

        if (refused >= 0 && wrong >= 0)
            (void)json_array_append_new(
                rows, json_pack("{s:s, s:I, s:I, s:s}", "list", PQgetvalue(result, i, 0),
                                "refused", (json_int_t)refused, "wrong",
                                (json_int_t)wrong, "ids", PQgetvalue(result, i, 3)));
    }
    PQclear(result);
    pthread_mutex_lock(&farm->lock);
    old = farm->alone;
    farm->alone = rows;
    pthread_mutex_unlock(&farm->lock);
    json_decref(old);
    return 0;
}

static int exchange_alone(struct farm *farm)
{
    json_t *rows;
    int rc = 0;

    if (atomic_load(&farm->stopping)) /* then what the hook needs may be gone */
        return -1;
    if (atomic_exchange(&farm->alone_changed, false) ||
        clock_ms() >= farm->next_alone_ms) {
        farm->next_alone_ms = clock_ms() + ALONE_MS;
        rows = farm->hooks.alone != NULL ? farm->hooks.alone(farm->hooks.context) : NULL;
        if (rows != NULL)
            rc = report(farm, "SELECT farm.tell_alone($1, $2::jsonb)", rows, "alone");
        json_decref(rows);
    }
    return rc < 0 ? -1 : hear_alone(farm);
}

json_t *farm_alone(struct farm *farm)
{
    json_t *copy;

    pthread_mutex_lock(&farm->lock);
    copy = farm->alone != NULL ? json_deep_copy(farm->alone) : json_array();
    pthread_mutex_unlock(&farm->lock);
    return copy;
}

void farm_alone_changed(struct farm *farm)
{
    atomic_store(&farm->alone_changed, true);
    farm_wake(farm);
}

/* --- what senders do --- */

static int report_counts(struct farm *farm)
{
    json_t *rows = farm->hooks.report_counts(farm->hooks.context);
    bool any = json_array_size(rows) > 0;
    int rc = 0;

    if (rows != NULL && (any || farm->counts_reported))
        rc = report(farm, "SELECT farm.tell_counts($1, $2::jsonb)", rows, "counts");
    json_decref(rows);
    farm->counts_reported = any;
    return rc;
}

static int hear_counts(struct farm *farm)
{
    static const char sql[] =
        "SELECT node, kind, key, body FROM farm.count WHERE node <> $1"
        " AND stored > clock_timestamp() - interval '15 s' LIMIT 10000";
    const char *values[] = {farm->node};
    PGresult *result = connection_query(&farm->connection, sql, 1, values);
    struct farm_count *rows;
    unsigned hosts = 0; /* that were heard of lately */
    size_t count;

    if (result == NULL)
        return not_taken(farm, "counts");
    count = PQnfields(result) == 4 ? (size_t)PQntuples(result) : 0;
    rows = calloc(count + 1, sizeof *rows);
    for (size_t i = 0; rows != NULL && i < count; i++)
        rows[i] = (struct farm_count){
            PQgetvalue(result, (int)i, 0), PQgetvalue(result, (int)i, 1),
            PQgetvalue(result, (int)i, 2), PQgetvalue(result, (int)i, 3)};
    pthread_mutex_lock(&farm->lock);
    for (unsigned i = 0; i < farm->status.host_count; i++)
        hosts += farm->status.hosts[i].seen_ms >= 0 &&
                 farm->status.hosts[i].seen_ms <= BEATS_MS;
    pthread_mutex_unlock(&farm->lock);
    if (rows != NULL)
        farm->hooks.hear_counts(farm->hooks.context, farm->node, hosts, rows, count);
    free(rows);
    PQclear(result);
    return 0;
}

/* --- what rules found --- */

static int report_findings(struct farm *farm, const json_t *rows)
{
    return report(farm, "SELECT farm.tell_findings($1, $2::jsonb)", rows, "findings");
}

/* What is not taken of them stays here. */
static int report_one_by_one(struct farm *farm, const json_t *rows)
{
    json_t *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        json_t *one = json_pack("[O]", row);
        int rc = report_findings(farm, one);

        if (rc >= 0)
            farm->hooks.reported_findings(farm->hooks.context, one);
        json_decref(one);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int report_found(struct farm *farm)
{
    size_t count;

    do {
        json_t *rows = farm->hooks.report_findings(farm->hooks.context, FOUND_ROWS);
        int rc;

        count = json_array_size(rows);
        rc = count > 0 ? report_findings(farm, rows) : 1;
        if (rc == 1)
            farm->hooks.reported_findings(farm->hooks.context, rows);
        else if (rc == 0 && connection_row_refused(&farm->connection))
            rc = report_one_by_one(farm, rows);
        else
            count = 0;
        json_decref(rows);
        if (rc < 0)
            return -1;
    } while (count == FOUND_ROWS && !atomic_load(&farm->stopping));
    return 0;
}

/* Hears up to FOUND_ROWS; *more: there may be others. */
static int hear_findings(struct farm *farm, bool *more)
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
        return not_taken(farm, "findings");
    count = PQnfields(result) == 2 ? PQntuples(result) : 0;
    for (int i = 0; i < count && i < FOUND_ROWS; i++) {
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
    *more = count >= FOUND_ROWS;
    return 0;
}

static int exchange_findings(struct farm *farm)
{
    PGresult *head =
        connection_query(&farm->connection, "SELECT findings FROM farm.head", 0, NULL);
    bool more = true;

    if (head == NULL)
        return not_taken(farm, "findings");
    if (result_number(head, 0, 0) < farm->findings_seq)
        farm->findings_seq = -1; /* it has lost what we have heard */
    PQclear(head);
    if (farm->findings_seq < 0) {
        if (farm->hooks.forget_reported(farm->hooks.context) != 0)
            return 0; /* the rules' database is not open yet */
        farm->findings_seq = 0;
    }
    for (int i = 0; i < FOUND_CALLS && more && !atomic_load(&farm->stopping); i++)
        if (hear_findings(farm, &more) != 0)
            return -1;
    return more ? 0 : report_found(farm); /* what it has is not reported again */
}

/* --- all of it --- */

void counts_begin(struct farm *farm)
{
    farm->next_counts_ms = farm->next_alone_ms = 0;
    farm->hits_after[0] = '\0';
    farm->hits_walk = farm->counts_reported = true;
    farm->findings_seq = -1;
}

int counts_exchange(struct farm *farm)
{
    bool more = true;

    if (clock_ms() < farm->next_counts_ms && !atomic_load(&farm->alone_changed))
        return 0;
    farm->next_counts_ms = clock_ms() + COUNTS_MS;
    for (int i = 0; i < HITS_CALLS && more; i++)
        if (report_hits(farm, false, &more) < 0)
            return -1;
    for (int i = 0; i < HITS_CALLS && farm->hits_walk; i++)
        if (report_hits(farm, true, &farm->hits_walk) < 0)
            return -1;
    if (exchange_alone(farm) != 0)
        return -1;
    if (atomic_load(&farm->stopping)) /* then what the hooks need may be gone */
        return -1;
    if (farm->hooks.report_counts != NULL &&
        (report_counts(farm) < 0 || hear_counts(farm) != 0))
        return -1;
    if (atomic_load(&farm->stopping))
        return -1;
    return farm->hooks.report_findings != NULL ? exchange_findings(farm) : 0;
}
