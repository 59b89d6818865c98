/* SPDX-License-Identifier: BSD-2-Clause */
/* The farm's database as a whole: its head (version, epoch, clock), who fills it where it is
 * empty, as all would send the same rows, and all its rows, in short or one after the other. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "farm/parts.h"

#define FILL_LOCK     "1918004576" /* a number of ours */
#define FILL_STILL_MS 30000
#define FILL_MOST_MS  300000

/* Whether this program knows the tables, of which result is the head. */
static int check_schema(struct farm *farm, const PGresult *result)
{
    int64_t schema = result_number(result, 0, 0);
    char text[200];

    if (PQntuples(result) == 1 && PQnfields(result) == 7 && schema == FARM_SCHEMA)
        return 0;
    (void)snprintf(text, sizeof text,
                   "the database's tables are of version %" PRId64
                   ", this rblmilter knows %d%s",
                   schema, FARM_SCHEMA,
                   schema > FARM_SCHEMA ? ": it is newer than this rblmilter" : "");
    return farm_failed(farm, text);
}

int database_head(struct farm *farm, struct shared_state *head, int64_t *now_ms)
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
    if (check_schema(farm, result) != 0) {
        PQclear(result);
        return -1;
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

int database_fill_wait(struct farm *farm)
{
    static const char sql[] =
        "SELECT seq, CASE WHEN seq = 0 THEN pg_try_advisory_lock(" FILL_LOCK ") ELSE NOT"
        " EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE"
        " d.datname = current_database() AND l.locktype = 'advisory' AND l.classid = 0"
        " AND l.objid = " FILL_LOCK " AND l.granted) END FROM farm.head";
    PGresult *result = connection_query(&farm->connection, sql, 0, NULL);
    int64_t seq, now = clock_ms();
    bool may;

    if (result == NULL)
        return farm_failed(farm, NULL);
    seq = result_number(result, 0, 0);
    may = result_text(result, 0, 1)[0] == 't';
    PQclear(result);
    if (farm->fill_seq < 0)
        farm->fill_began_ms = now;
    if (may || now - farm->fill_began_ms > FILL_MOST_MS ||
        (seq == farm->fill_seq && now - farm->fill_seen_ms > FILL_STILL_MS)) {
        farm->fill_seq = -1;
        return 0;
    }
    if (seq != farm->fill_seq)
        farm->fill_seen_ms = now;
    farm->fill_seq = seq;
    (void)farm_failed(farm, "the database was empty, and another host fills it");
    return 1;
}

/* --- all rows --- */

#define SHARED_ENTRIES                                                                   \
    " FROM farm.entry WHERE source <> ALL ($1::text[]) AND NOT ((action = 'removed' OR"  \
    " expires IS NOT NULL) AND greatest(at, expires * 1000) < $2::bigint)"

/* "{a,b}" of "a,b"; sources have no other characters than names have. */
static void local_sources(const struct farm *farm, char *out, size_t size)
{
    (void)snprintf(out, size, "{%s}", farm->keep_local); /* as long as shared_state's */
}

int database_digest(struct farm *farm, int64_t floor_ms, struct shared_digest *out)
{
    char local[520], floor[24];
    const char *values[] = {local, floor};
    PGresult *result;

    memset(out, 0, sizeof *out);
    local_sources(farm, local, sizeof local);
    (void)snprintf(floor, sizeof floor, "%" PRId64, floor_ms);
    result = connection_query(
        &farm->connection,
        "SELECT (id & 4095)::int, count(*), bit_xor(id)" SHARED_ENTRIES " GROUP BY 1", 2,
        values);
    if (result == NULL)
        return farm_failed(farm, NULL);
    for (int i = 0; i < PQntuples(result); i++) {
        int64_t bucket = result_number(result, i, 0), count = result_number(result, i, 1);

        if (bucket < 0 || bucket >= SHARED_BUCKETS || count < 0 || count > INT32_MAX)
            continue;
        out->count[bucket] = count;
        out->ids[bucket] = result_number(result, i, 2);
    }
    PQclear(result);
    return 0;
}

int database_plan(struct farm *farm, bool at_once)
{
    farm->connection.slow = at_once;
    return connection_do(&farm->connection,
                         at_once ? "SELECT set_config('enable_seqscan', 'on', true),"
                                   " set_config('enable_sort', 'on', true),"
                                   " set_config('cursor_tuple_fraction', '1', true),"
                                   " set_config('statement_timeout', '60s', true)"
                                 : "SELECT set_config('enable_seqscan', 'off', true),"
                                   " set_config('enable_sort', 'off', true),"
                                   " set_config('statement_timeout', '10s', true)") == 0
               ? 0
               : farm_failed(farm, NULL);
}

int database_declare(struct farm *farm, int64_t floor_ms, const bool *wanted)
{
    char local[520], floor[24], *buckets = malloc((size_t)SHARED_BUCKETS * 5 + 3);
    const char *values[] = {local, floor, buckets};
    PGresult *result;
    size_t used = 0;

    if (buckets == NULL)
        return farm_failed(farm, "no memory");
    local_sources(farm, local, sizeof local);
    (void)snprintf(floor, sizeof floor, "%" PRId64, floor_ms);
    buckets[used++] = '{';
    for (int i = 0; i < SHARED_BUCKETS && wanted != NULL; i++)
        if (wanted[i])
            used += (size_t)sprintf(buckets + used, "%s%d", used > 1 ? "," : "", i);
    buckets[used++] = '}';
    buckets[used] = '\0';
    result = connection_query(
        &farm->connection,
        "DECLARE rows NO SCROLL CURSOR FOR SELECT " ROW_COLUMNS SHARED_ENTRIES
        " AND ($3::int[] = '{}' OR (id & 4095)::int = ANY ($3::int[]))"
        " ORDER BY entry, side, source",
        3, values);
    free(buckets);
    PQclear(result);
    return result != NULL ? 0 : farm_failed(farm, NULL);
}
