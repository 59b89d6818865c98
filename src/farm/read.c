/* SPDX-License-Identifier: BSD-2-Clause */
/* The others' changes are taken: in the order of their numbers, some thousand at a time,
 * each batch with its cursor in one transaction of the blocklist. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "farm/parts.h"

#define BATCH_ROWS 10000 /* one more is asked for: the last one known */

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

int read_head(struct farm *farm, struct shared_state *head, int64_t *now_ms)
{
    static const char sql[] =
        "SELECT h.schema, h.epoch, h.seq, coalesce(c.stamp, 0), h.keep_days,"
        " (extract(epoch FROM clock_timestamp()) * 1000)::bigint,"
        " coalesce((extract(epoch FROM c.stored) * 1000)::bigint, 0)"
        " FROM farm.head h LEFT JOIN farm.change c USING (seq)";
    int64_t began = clock_ms();
    PGresult *result = connection_query(&farm->connection, sql, 0, NULL);
    struct timespec own;
    bool known;

    if (result == NULL)
        return farm_failed(farm, NULL);
    known = PQntuples(result) == 1 && PQnfields(result) == 7 &&
            result_number(result, 0, 0) == FARM_SCHEMA;
    if (!known) {
        char text[200];

        (void)snprintf(text, sizeof text,
                       "the database's tables are of version %" PRId64
                       ", this rblmilter knows %d%s",
                       result_number(result, 0, 0), FARM_SCHEMA,
                       result_number(result, 0, 0) > FARM_SCHEMA
                           ? ": it is newer than this rblmilter"
                           : "");
        PQclear(result);
        return farm_failed(farm, text);
    }
    if (!text_copy(result_text(result, 0, 1), head->epoch, sizeof head->epoch))
        head->epoch[0] = '\0'; /* none that anyone has */
    head->seq = result_number(result, 0, 2);
    head->stamp = result_number(result, 0, 3);
    farm->keep_days = (int)(result_number(result, 0, 4) % 36600);
    *now_ms = result_number(result, 0, 5);
    farm->newest_ms = result_number(result, 0, 6);
    known = head->seq >= 0 && farm->keep_days >= 2 && *now_ms > 0 &&
            *now_ms <= VERSION_AT_MAX && farm->newest_ms >= 0 &&
            farm->newest_ms <= VERSION_AT_MAX;
    PQclear(result);
    if (!known)
        return farm_failed(farm, "the database answers what was not asked");
    clock_gettime(CLOCK_REALTIME, &own);
    pthread_mutex_lock(&farm->lock);
    /* by half of the way there and back at most wrong */
    farm->status.offset_ms = *now_ms -
                             ((int64_t)own.tv_sec * 1000 + own.tv_nsec / 1000000) +
                             (clock_ms() - began) / 2;
    pthread_mutex_unlock(&farm->lock);
    return 0;
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

#define SORTED_ROWS 500 /* so many are merged by their keys, whose pages lie together */

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct shared_row *)a)->entry,
                  ((const struct shared_row *)b)->entry);
}

/* Merges the rows behind the cursor's own. */
static int merge(struct farm *farm, const PGresult *result)
{
    int skip = farm->state.seq == 0 ? 0 : 1, count = PQntuples(result) - skip;
    struct shared_row *rows = calloc((size_t)count + 1, sizeof *rows);
    struct shared_counts counts = {0};
    char error[BLOCKLIST_ERROR_SIZE];
    struct shared_state next = farm->state;
    enum blocklist_result merged;

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
    merged =
        shared_merge(farm->blocklist, rows, (size_t)count, &next, false, &counts, error);
    free(rows);
    if (merged != BLOCKLIST_OK)
        return farm_failed(farm, error);
    farm->state = next;
    if (counts.refused > 0)
        farm_refused(farm, counts.refused, "", counts.why);
    pthread_mutex_lock(&farm->lock);
    farm->status.taken += counts.applied;
    pthread_mutex_unlock(&farm->lock);
    return 0;
}

/* The cursor alone: what is answered by it leaves the outbox. */
int read_note(struct farm *farm, int64_t now_ms)
{
    struct shared_counts counts = {0};
    char error[BLOCKLIST_ERROR_SIZE];

    farm->state.read_at = now_ms;
    if (shared_merge(farm->blocklist, NULL, 0, &farm->state, false, &counts, error) !=
        BLOCKLIST_OK)
        return farm_failed(farm, error);
    farm->answers = false;
    return 0;
}

/* Asks for the changes from that number on. */
static int ask(struct farm *farm, int64_t seq)
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

int read_all(struct farm *farm)
{
    bool more;

    if (ask(farm, farm->state.seq) != 0)
        return -1;
    do {
        PGresult *result = connection_receive(&farm->connection);
        int rc = 0, found;

        if (result == NULL)
            return farm_failed(farm, NULL);
        found = PQntuples(result);
        more = found == BATCH_ROWS + 1 && !atomic_load(&farm->stopping);
        if (PQnfields(result) != 3 + ROW_COLUMN_COUNT || found > BATCH_ROWS + 1)
            rc = farm_failed(farm, "the database answers what was not asked");
        else if (!is_where_we_were(farm, result))
            farm->compare_now = true;
        else if (more) /* the server reads while this host writes */
            rc = ask(farm, result_number(result, found - 1, 0));
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
