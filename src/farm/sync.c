/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes, there and back. Push: what this host has changed, the rows whose keys are in the
 * outbox, persons' first, some hundred at a call. Pull: the others' changes, in the order of
 * their numbers, some thousand at a time, each batch with its cursor in one transaction of the
 * blocklist. */

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "farm/parts.h"

#define SENT_ROWS   500
#define READ_ROWS   10000 /* one more is requested: the last one known */
#define SORTED_ROWS 500   /* so many are merged by their keys, whose pages lie together */

/* --- push --- */

/* What one call sends. */
struct call {
    const struct farm *farm;
    json_t *rows; /* an array */
    int64_t ids[SENT_ROWS];
    size_t count;
    int64_t empty[SENT_ROWS]; /* keys whose row is no more */
    size_t empty_count;
    bool failed; /* no memory */
};

static bool add_row(void *context, int64_t id, bool person, const struct shared_row *row)
{
    struct call *call = context;
    char who[SHARED_WHO_MAX + 1];
    json_t *value;

    (void)person;
    if (row == NULL) {
        call->empty[call->empty_count++] = id;
        return true;
    }
    /* who comes from another host has its name already */
    if (strchr(row->who, '@') != NULL)
        (void)snprintf(who, sizeof who, "%s", row->who);
    else
        (void)snprintf(who, sizeof who, "%s@%s", row->who, call->farm->node); /* cut */
    value = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:I, s:I}", "side", row->side, "entry",
        row->entry, "source", row->source, "action", row->action, "reason", row->reason,
        "who", who, "since", (json_int_t)row->since, "expires",
        row->expires != 0 ? json_integer((json_int_t)row->expires) : json_null(), "at",
        (json_int_t)row->version.at, "id", (json_int_t)row->version.id);
    if (json_array_append_new(call->rows, value) == 0)
        call->ids[call->count++] = id;
    else /* a text that is no UTF-8, of a database from elsewhere: it stays here */
        call->empty[call->empty_count++] = id;
    return true;
}

/* Returns the number of the last change, or -1. */
static int64_t send_rows(struct farm *farm, const json_t *rows)
{
    char *text = json_dumps(rows, JSON_COMPACT);
    const char *values[] = {farm->node, text};
    PGresult *result;
    int64_t seq;

    if (text == NULL) {
        (void)snprintf(farm->connection.error, sizeof farm->connection.error,
                       "no memory");
        return -1;
    }
    result = connection_query_kept(&farm->connection,
                                   "SELECT farm.publish($1, $2::jsonb)", 2, values);
    free(text);
    if (result == NULL)
        return -1;
    seq = result_number(result, 0, 0);
    PQclear(result);
    return seq < 1 ? 1 : seq; /* there is at least one change now */
}

static int answered(struct farm *farm, const int64_t *ids, size_t count, int64_t seq)
{
    char error[BLOCKLIST_ERROR_SIZE];

    farm->answers = true;
    if (seq > farm->published_seq)
        farm->published_seq = seq;
    if (count == 0 ||
        shared_outbox_sent(farm->blocklist, ids, count, seq, error) == BLOCKLIST_OK)
        return 0;
    return farm_failed(farm, error);
}

/* One after the other: what is not taken leaves the outbox, its neighbours pass. */
static int send_one_by_one(struct farm *farm, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        json_t *row = json_array_get(call->rows, i), *one = json_pack("[O]", row);
        int64_t seq = one != NULL ? send_rows(farm, one) : -1;

        json_decref(one);
        if (seq < 0 && !connection_row_refused(&farm->connection))
            return farm_failed(farm, NULL);
        if (seq < 0)
            farm_refused(farm, 1, json_string_value(json_object_get(row, "entry")),
                         farm->connection.error);
        if (answered(farm, &call->ids[i], 1, seq < 0 ? 0 : seq) != 0)
            return -1;
    }
    return 0;
}

static int send_call(struct farm *farm, const struct call *call)
{
    int64_t seq = send_rows(farm, call->rows), now_ms;
    char error[BLOCKLIST_ERROR_SIZE];
    struct shared_state head;

    if (seq > 0) {
        pthread_mutex_lock(&farm->lock);
        farm->status.sent += call->count;
        pthread_mutex_unlock(&farm->lock);
        return answered(farm, call->ids, call->count, seq);
    }
    if (connection_row_refused(&farm->connection))
        return send_one_by_one(farm, call);
    if (farm->connection.pg == NULL || strcmp(farm->connection.state, "RM001") != 0)
        return farm_failed(farm, NULL);
    /* changes made under a clock that is far ahead get new ages, by the server's */
    if (database_head(farm, &head, &now_ms) != 0)
        return -1;
    log_warning("farm: clock=ahead: this host's clock is more than a day ahead of the "
                "database's: its waiting changes are dated by that");
    if (shared_outbox_redate(farm->blocklist, now_ms, error) != BLOCKLIST_OK)
        return farm_failed(farm, error);
    return 0;
}

int push_changes(struct farm *farm)
{
    char error[BLOCKLIST_ERROR_SIZE];
    size_t found;

    do {
        struct call call = {.farm = farm, .rows = json_array()};
        int rc = 0;

        if (call.rows == NULL)
            return farm_failed(farm, "no memory");
        if (shared_outbox(farm->blocklist, SENT_ROWS, add_row, &call, error) !=
            BLOCKLIST_OK)
            rc = farm_failed(farm, error);
        if (rc == 0 && call.empty_count > 0 &&
            shared_outbox_sent(farm->blocklist, call.empty, call.empty_count, 0, error) !=
                BLOCKLIST_OK)
            rc = farm_failed(farm, error);
        if (rc == 0 && call.count > 0)
            rc = send_call(farm, &call);
        found = call.count + call.empty_count;
        json_decref(call.rows);
        if (rc != 0)
            return -1;
    } while (found == SENT_ROWS && !atomic_load(&farm->stopping));
    return 0;
}

/* --- pull --- */

struct shared_row row_of_result(const PGresult *result, int row, int first)
{
    int64_t side = result_number(result, row, first);

    return (struct shared_row){
        .side = side >= 0 && side <= 2 ? (int)side : -1,
        .entry = result_text(result, row, first + 1),
        .source = result_text(result, row, first + 2),
        .action = result_text(result, row, first + 3),
        .reason = result_text(result, row, first + 4),
        .who = result_text(result, row, first + 5),
        .since = result_number(result, row, first + 6),
        .expires = PQgetisnull(result, row, first + 7)
                       ? 0
                       : result_number(result, row, first + 7),
        .version = {result_number(result, row, first + 8),
                    result_number(result, row, first + 9)},
    };
}

/* Whether the first row is the one that was read last: else the server has forgotten, or
 * never had, what this host has read. */
static bool is_where_we_were(const struct farm *farm, const PGresult *result)
{
    const struct shared_state *state = &farm->state;

    if (state->seq == 0)
        return PQntuples(result) == 0 || result_number(result, 0, 0) == 1;
    return PQntuples(result) > 0 && result_number(result, 0, 0) == state->seq &&
           result_number(result, 0, 1) == state->stamp;
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct shared_row *)a)->entry,
                  ((const struct shared_row *)b)->entry);
}

int merge_rows(struct farm *farm, const struct shared_row *rows, size_t count,
               const struct shared_state *state, bool quiet, int64_t *refused)
{
    struct shared_counts counts = {0};
    char error[BLOCKLIST_ERROR_SIZE];

    if (shared_merge(farm->blocklist, rows, count, state, quiet, &counts, error) !=
        BLOCKLIST_OK)
        return farm_failed(farm, error);
    *refused += (int64_t)counts.refused;
    if (counts.refused > 0)
        farm_refused(farm, counts.refused, "", counts.why);
    pthread_mutex_lock(&farm->lock);
    farm->status.taken += counts.applied;
    pthread_mutex_unlock(&farm->lock);
    return 0;
}

/* Merges the rows behind the cursor's own. */
static int merge(struct farm *farm, const PGresult *result)
{
    int skip = farm->state.seq == 0 ? 0 : 1, count = PQntuples(result) - skip;
    struct shared_row *rows = calloc((size_t)count + 1, sizeof *rows);
    struct shared_state next = farm->state;
    int64_t refused = 0;
    int rc;

    if (rows == NULL)
        return farm_failed(farm, "no memory");
    for (int i = 0; i < count; i++)
        rows[i] = row_of_result(result, i + skip, 3);
    if (count > 0) {
        next.seq = result_number(result, count + skip - 1, 0);
        next.stamp = result_number(result, count + skip - 1, 1);
        next.read_at = result_number(result, count + skip - 1, 2);
    }
    if (count >= SORTED_ROWS) /* in which order makes no difference */
        qsort(rows, (size_t)count, sizeof *rows, compare_rows);
    if (next.seq - farm->state.seq < count) { /* numbers without a gap, or a lie */
        free(rows);
        return farm_failed(farm, "the database's numbers of changes do not rise");
    }
    rc = merge_rows(farm, rows, (size_t)count, &next, false, &refused);
    free(rows);
    if (rc == 0)
        farm->state = next;
    return rc;
}

/* The cursor alone: what is answered by it leaves the outbox. */
int read_note(struct farm *farm, int64_t now_ms)
{
    int64_t refused = 0;

    farm->state.read_at = now_ms;
    if (merge_rows(farm, NULL, 0, &farm->state, false, &refused) != 0)
        return -1;
    farm->answers = false;
    return 0;
}

/* Requests the changes from that number on. */
static int request_changes(struct farm *farm, int64_t seq)
{
    static const char sql[] =
        "SELECT seq, stamp, (SELECT (extract(epoch FROM clock_timestamp()) * "
        "1000)::bigint), " ROW_COLUMNS
        " FROM farm.change WHERE seq >= $1 ORDER BY seq LIMIT 10001";
    char from[24];
    const char *values[] = {from};

    (void)snprintf(from, sizeof from, "%" PRId64, seq);
    return connection_send(&farm->connection, sql, 1, values) == 0
               ? 0
               : farm_failed(farm, NULL);
}

int pull_changes(struct farm *farm)
{
    bool more;

    if (request_changes(farm, farm->state.seq) != 0)
        return -1;
    do {
        PGresult *result = connection_receive(&farm->connection);
        int rc = 0, found;

        if (result == NULL)
            return farm_failed(farm, NULL);
        found = PQntuples(result);
        more = found == READ_ROWS + 1 && !atomic_load(&farm->stopping);
        if (PQnfields(result) != 3 + ROW_COLUMN_COUNT || found > READ_ROWS + 1)
            rc = farm_failed(farm, "the database answers what was not asked");
        else if (!is_where_we_were(farm, result))
            farm->compare_now = true;
        else if (more) /* the server reads while this host writes */
            rc = request_changes(farm, result_number(result, found - 1, 0));
        if (rc == 0 && !farm->compare_now && found > (farm->state.seq != 0))
            rc = merge(farm, result);
        PQclear(result);
        if (rc != 0 || farm->compare_now)
            return rc;
    } while (more);
    if (farm->answers && farm->published_seq <= farm->state.seq &&
        read_note(farm, farm->state.read_at) != 0)
        return -1;
    pthread_mutex_lock(&farm->lock);
    farm->read_at_ms = clock_ms();
    pthread_mutex_unlock(&farm->lock);
    return 0;
}
