/* SPDX-License-Identifier: BSD-2-Clause */
/* The farm's tables are made: by rblctl, as whoever may do that. A file of its own, so
 * that rblctl is linked with this and connection.c only, and has no SQLite in it. */

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "farm/parts.h"

static const char script[] =
#include "farm_sql.h"
    ;

/* The schema that is there: 0 none, -1 where nobody can say. */
static int64_t schema_there(struct connection *connection)
{
    PGresult *result = connection_query(
        connection, "SELECT (to_regclass('farm.head') IS NOT NULL)::int", 0, NULL);
    int64_t there;

    if (result == NULL)
        return -1;
    there = result_number(result, 0, 0);
    PQclear(result);
    if (there != 1)
        return there;
    result = connection_query(connection, "SELECT schema FROM farm.head", 0, NULL);
    if (result == NULL)
        return -1;
    there = result_number(result, 0, 0);
    PQclear(result);
    return there;
}

int farm_init(const char *database, char said[static FARM_ERROR_SIZE])
{
    struct connection connection = {.wake_fd = -1};
    int64_t there = -1;
    int rc = -1;

    if (connection_open(&connection, database, "rblctl farm init") == 0)
        there = schema_there(&connection);
    if (there < 0) {
        text_sentence(said, FARM_ERROR_SIZE, "%s", connection.error);
    } else if (there > FARM_SCHEMA) {
        text_sentence(said, FARM_ERROR_SIZE,
                      "the database's tables are of version %" PRId64
                      ", newer than the %d"
                      " that this rblmilter knows: nothing was changed",
                      there, FARM_SCHEMA);
    } else if (there == FARM_SCHEMA) {
        text_sentence(said, FARM_ERROR_SIZE,
                      "the tables of the farm are there already: nothing was changed");
        rc = 0;
    } else if (connection_script(&connection, script) != 0) {
        text_sentence(said, FARM_ERROR_SIZE, "%s: nothing was changed", connection.error);
    } else {
        text_sentence(said, FARM_ERROR_SIZE,
                      "made the schema farm, of the role rblmilter_owner, and the role "
                      "rblmilter, which the daemons connect as: give it a password, or a "
                      "line in pg_hba.conf");
        rc = 0;
    }
    connection_close(&connection);
    return rc;
}
