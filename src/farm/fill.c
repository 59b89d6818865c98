/* SPDX-License-Identifier: BSD-2-Clause */
/* An empty database is filled by one host, as the others would send the same rows. */

#include "base/clock.h"
#include "farm/parts.h"

#define FILL_LOCK     "1918004576" /* a number of ours */
#define FILL_STILL_MS 30000
#define FILL_MOST_MS  300000

int fill_wait(struct farm *farm)
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
