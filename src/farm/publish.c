/* SPDX-License-Identifier: BSD-2-Clause */
/* What this host has changed is sent: the rows whose keys are in the outbox, persons' first,
 * some hundred at a call. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "farm/parts.h"

#define CALL_ROWS 500

/* What one call sends. */
struct call {
    const struct farm *farm;
    json_t *rows; /* an array */
    int64_t ids[CALL_ROWS];
    size_t count;
    int64_t empty[CALL_ROWS]; /* keys whose row is no more */
    size_t empty_count;
    bool failed; /* no memory */
};

static json_t *row_value(const struct farm *farm, const struct shared_row *row)
{
    char who[SHARED_WHO_MAX + 1];

    /* who comes from another host has its name already */
    if (strchr(row->who, '@') != NULL)
        (void)snprintf(who, sizeof who, "%s", row->who);
    else
        (void)snprintf(who, sizeof who, "%s@%s", row->who, farm->node); /* cut */
    return json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:I, s:I}", "side", row->side, "entry",
        row->entry, "source", row->source, "action", row->action, "reason", row->reason,
        "who", who, "since", (json_int_t)row->since, "expires",
        row->expires != 0 ? json_integer((json_int_t)row->expires) : json_null(), "at",
        (json_int_t)row->version.at, "id", (json_int_t)row->version.id);
}

static bool add_row(void *context, int64_t id, bool person, const struct shared_row *row)
{
    struct call *call = context;

    (void)person;
    if (row == NULL) {
        call->empty[call->empty_count++] = id;
        return true;
    }
    if (json_array_append_new(call->rows, row_value(call->farm, row)) != 0) {
        /* a text that is no UTF-8, of a database from elsewhere: it stays here */
        call->empty[call->empty_count++] = id;
        return true;
    }
    call->ids[call->count++] = id;
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

/* Whether it is the row itself that the server does not take. */
static bool is_about_the_row(const struct farm *farm)
{
    return farm->connection.pg != NULL &&
           (strncmp(farm->connection.state, "22", 2) == 0 ||
            strncmp(farm->connection.state, "23", 2) == 0);
}

/* One after the other: what is not taken leaves the outbox, its neighbours pass. */
static int send_one_by_one(struct farm *farm, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        json_t *row = json_array_get(call->rows, i), *one = json_pack("[O]", row);
        int64_t seq = one != NULL ? send_rows(farm, one) : -1;

        json_decref(one);
        if (seq < 0 && !is_about_the_row(farm))
            return farm_failed(farm, NULL);
        if (seq < 0)
            farm_refused(farm, 1, json_string_value(json_object_get(row, "entry")),
                         farm->connection.error);
        if (answered(farm, &call->ids[i], 1, seq < 0 ? 0 : seq) != 0)
            return -1;
    }
    return 0;
}

/* The changes made under a clock that is far ahead get new ages, by the server's. */
static int redate(struct farm *farm)
{
    struct shared_state head;
    char error[BLOCKLIST_ERROR_SIZE];
    int64_t now_ms;

    if (read_head(farm, &head, &now_ms) != 0)
        return -1;
    log_warning("farm: clock=ahead: this host's clock is more than a day ahead of the "
                "database's: its waiting changes are dated by that");
    if (shared_outbox_redate(farm->blocklist, now_ms, error) != BLOCKLIST_OK)
        return farm_failed(farm, error);
    return 0;
}

static int send_call(struct farm *farm, const struct call *call)
{
    int64_t seq = send_rows(farm, call->rows);

    if (seq > 0) {
        pthread_mutex_lock(&farm->lock);
        farm->status.sent += call->count;
        pthread_mutex_unlock(&farm->lock);
        return answered(farm, call->ids, call->count, seq);
    }
    if (is_about_the_row(farm))
        return send_one_by_one(farm, call);
    if (farm->connection.pg != NULL && strcmp(farm->connection.state, "RM001") == 0)
        return redate(farm);
    return farm_failed(farm, NULL);
}

int publish_all(struct farm *farm)
{
    char error[BLOCKLIST_ERROR_SIZE];
    size_t found;

    do {
        struct call call = {.farm = farm, .rows = json_array()};
        int rc = 0;

        if (call.rows == NULL)
            return farm_failed(farm, "no memory");
        if (shared_outbox(farm->blocklist, CALL_ROWS, add_row, &call, error) !=
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
    } while (found == CALL_ROWS && !atomic_load(&farm->stopping));
    return 0;
}
