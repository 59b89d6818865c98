/* SPDX-License-Identifier: BSD-2-Clause */
/* What the farm changes in the blocklist beside rows (merge.c): transactions, keys of the
 * outbox that are answered, the state that it keeps. */

#include <stdio.h>
#include <string.h>

#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"
#include "blocklist/shared_parts.h"

#define JOIN_ROWS      20000
#define EXPECTED_LEAST 100000     /* fewer are no reason for a new filter */
#define EXPECTED_MOST  12000000   /* a filter of 30 MB */
#define SECOND_MAX     9000000000 /* as schema.c has it */
#define FORGET_ROWS    2000

/* --- transactions --- */

int shared_open(struct blocklist *blocklist, char *error, size_t size)
{
    struct sharing *sharing = &blocklist->sharing;

    if (schema_connect(blocklist->path, SCHEMA_WRITE, &sharing->db, error, size) !=
        SCHEMA_OK)
        return -1;
    if (sql_exec(sharing->db, "PRAGMA synchronous = NORMAL") == SQLITE_OK &&
        versions_functions(&blocklist->versions, sharing->db) == SQLITE_OK)
        return 0;
    text_sentence(error, size, "%s: %s", blocklist->path, sqlite3_errmsg(sharing->db));
    return -1;
}

void shared_close(struct blocklist *blocklist)
{
    for (size_t i = 0; i < SHARING_STATEMENTS; i++)
        sqlite3_finalize(blocklist->sharing.statements[i]);
    sqlite3_close(blocklist->sharing.db);
}

enum blocklist_result shared_begin(struct blocklist *blocklist,
                                   char error[static BLOCKLIST_ERROR_SIZE])
{
    struct sharing *sharing = &blocklist->sharing;
    enum blocklist_result result =
        transaction_lock(blocklist, BLOCKLIST_WAIT_S * 1000, error);

    if (result != BLOCKLIST_OK)
        return result;
    result = transaction_check_file(blocklist, error);
    if (result == BLOCKLIST_OK && sql_exec(sharing->db, "BEGIN IMMEDIATE") != SQLITE_OK)
        result = transaction_failed(blocklist, sharing->db, error);
    memset(&sharing->changed, 0, sizeof sharing->changed);
    versions_begin(&blocklist->versions);
    if (result != BLOCKLIST_OK)
        transaction_unlock(blocklist);
    return result;
}

enum blocklist_result shared_end(struct blocklist *blocklist, int rc,
                                 char error[static BLOCKLIST_ERROR_SIZE])
{
    struct sharing *sharing = &blocklist->sharing;
    enum blocklist_result result = BLOCKLIST_OK;

    if (rc == SQLITE_OK)
        rc = versions_note(&blocklist->versions, sharing->db);
    if (rc == SQLITE_OK)
        rc = sql_exec(sharing->db, "COMMIT");
    if (rc == SQLITE_OK) {
        store_trouble(blocklist, NULL, false);
        transaction_count(blocklist, &sharing->changed);
    } else {
        result = transaction_failed(blocklist, sharing->db, error);
        if (!sqlite3_get_autocommit(sharing->db)) /* else it is rolled back already */
            (void)sql_exec(sharing->db, "ROLLBACK");
    }
    transaction_unlock(blocklist);
    return result;
}

int shared_cache(struct sharing *sharing, bool large, bool in_order)
{
    int kib = !large ? 2048 : in_order ? 16384 : 49152, rc = SQLITE_OK;
    char sql[40];

    (void)snprintf(sql, sizeof sql, "PRAGMA cache_size = -%d", kib);
    if (sharing->cache_kib != kib)
        rc = sql_exec(sharing->db, sql);
    if (rc == SQLITE_OK)
        sharing->cache_kib = kib;
    return rc;
}

/* --- a row --- */

bool shared_row_is_fine(const struct shared_row *row, struct entry *entry, char *error)
{
    static const char *const sides[][2] = {
        {"removed", "removed"}, {"block", "tempfail"}, {"allow", "allow"}};
    char why[ENTRY_ERROR_SIZE];
    bool removed = strcmp(row->action, "removed") == 0;

    if (entry_parse_kept(row->entry, entry, why) != 0) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s", why);
        return false;
    }
    if (!transaction_texts_are_fine(row->side == 0 ? "manual" : row->source, row->reason,
                                    error))
        return false;
    if (strcmp(entry->text, row->entry) != 0)
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "the entry is not in its one form");
    else if (row->side < 0 || row->side > 2 || (row->side == 0) != (*row->source == '\0'))
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "bad side %d", row->side);
    else if (!removed && strcmp(row->action, sides[row->side][0]) != 0 &&
             strcmp(row->action, sides[row->side][1]) != 0)
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "unknown action");
    else if (strlen(row->who) > SHARED_WHO_MAX || !utf8_is_clean(row->who) ||
             utf8_find_hidden(row->who) != 0)
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "bad login");
    else if (row->since < 0 || row->since > SECOND_MAX || row->expires < 0 ||
             row->expires > SECOND_MAX)
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "a time out of range");
    else if (row->version.at < 0 || row->version.at > VERSION_AT_MAX ||
             row->version.id < 0)
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "a version out of range");
    else
        return true;
    return false;
}

/* --- the state --- */

enum blocklist_result shared_state_set(struct blocklist *blocklist,
                                       const struct shared_state *state,
                                       char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = shared_begin(blocklist, error);

    if (result != BLOCKLIST_OK)
        return result;
    return shared_end(
        blocklist,
        sql_run_once(blocklist->sharing.db,
                     "UPDATE farm SET epoch = ?, seq = ?, stamp = ?, read_at = ?,"
                     " keep_local = ?, program = ?",
                     "tiiitt", state->epoch, state->seq, state->stamp, state->read_at,
                     state->keep_local, state->program),
        error);
}

void shared_expect(struct blocklist *blocklist, int64_t more)
{
    uint64_t bytes, keys,
        expected = more < EXPECTED_MOST ? (uint64_t)more : EXPECTED_MOST;
    bool ready;

    if (more < EXPECTED_LEAST)
        return;
    atomic_store(&blocklist->expected, expected);
    bloom_size(&blocklist->bloom, &bytes, &keys, &ready);
    if (ready && keys + expected > bytes / BLOOM_BYTES_PER_KEY)
        store_rebuild(blocklist);
}

/* The rows of those ids, and where that ends. Returns SQLite's code. */
static int join_some(sqlite3 *db, int64_t from, int64_t *last)
{
    int rc = sql_number(db, last,
                        "SELECT coalesce(max(id), 0) FROM (SELECT id FROM listing WHERE"
                        " id > ? ORDER BY id LIMIT ?)",
                        "ii", from, (int64_t)JOIN_ROWS);

    if (rc == SQLITE_OK)
        rc = sql_run_once(db,
                          "UPDATE listing SET at = since * 1000, version = version_id()"
                          " WHERE id > ? AND id <= ? AND at IS NULL",
                          "ii", from, *last);
    return rc;
}

/* How far it came is kept in seq, which nobody needs before. */
enum blocklist_result shared_join(struct blocklist *blocklist, bool *done,
                                  char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result;
    struct shared_state state;
    int64_t last = 0;
    int rc;

    result = shared_state(blocklist, &state, error);
    *done = state.joined;
    if (result != BLOCKLIST_OK || state.joined)
        return result;
    result = shared_begin(blocklist, error);
    if (result != BLOCKLIST_OK)
        return result;
    rc = sql_run_once(blocklist->sharing.db,
                      "INSERT OR IGNORE INTO farm VALUES (1, 0, 0, '', 0, 0, 0, '', '')",
                      "");
    if (rc == SQLITE_OK)
        rc = join_some(blocklist->sharing.db, state.seq, &last);
    *done = last == 0;
    if (rc == SQLITE_OK)
        rc = sql_run_once(blocklist->sharing.db, "UPDATE farm SET joined = ?, seq = ?",
                          "ii", (int64_t)*done, last);
    return shared_end(blocklist, rc, error);
}

/* --- the outbox --- */

enum blocklist_result shared_outbox_sent(struct blocklist *blocklist, const int64_t *ids,
                                         size_t count, int64_t seq,
                                         char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = shared_begin(blocklist, error);
    sqlite3_stmt *stmt = NULL;
    int rc;

    if (result != BLOCKLIST_OK)
        return result;
    rc = sqlite3_prepare_v2(blocklist->sharing.db,
                            seq > 0 ? "UPDATE outbox SET answered = ?2 WHERE id = ?1"
                                    : "DELETE FROM outbox WHERE id = ?1 AND ?2 = 0",
                            -1, &stmt, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = sql_run_with(stmt, "ii", ids[i], seq);
    result = shared_end(blocklist, rc, error);
    sqlite3_finalize(stmt);
    return result;
}

static enum blocklist_result run_alone(struct blocklist *blocklist, const char *sql,
                                       char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = shared_begin(blocklist, error);

    return result == BLOCKLIST_OK
               ? shared_end(blocklist, sql_exec(blocklist->sharing.db, sql), error)
               : result;
}

enum blocklist_result shared_outbox_again(struct blocklist *blocklist,
                                          char error[static BLOCKLIST_ERROR_SIZE])
{
    return run_alone(blocklist,
                     "UPDATE outbox SET answered = NULL WHERE answered NOTNULL", error);
}

enum blocklist_result shared_outbox_redate(struct blocklist *blocklist, int64_t now_ms,
                                           char error[static BLOCKLIST_ERROR_SIZE])
{
    /* in their order, one after the other: a removal stays older than what was added
     * after it */
    static const char sql[] =
        "CREATE TEMP TABLE redated AS SELECT at AS old, row_number() OVER (ORDER BY at) "
        "AS"
        " place FROM (SELECT at FROM outbox JOIN listing USING (entry, allow, source)"
        " UNION SELECT at FROM outbox JOIN gone USING (entry, allow, source));"
        "CREATE UNIQUE INDEX temp.redated_old ON redated (old)";
    static const char *const moves[] = {
        "DELETE FROM redated WHERE old <= ?1",
        "UPDATE listing SET version = version_id(), at = ?1 + (SELECT place FROM redated"
        " WHERE old = at) WHERE at > ?1 AND (entry, allow, source) IN (SELECT entry, "
        "allow,"
        " source FROM outbox)",
        "UPDATE gone SET version = version_id(), at = ?1 + (SELECT place FROM redated"
        " WHERE old = at), until = max(until, ?1 + (SELECT max(place) FROM redated))"
        " WHERE at > ?1 AND (entry, allow, source) IN (SELECT entry, allow, source FROM"
        " outbox)",
    };
    enum blocklist_result result = shared_begin(blocklist, error);
    sqlite3 *db = blocklist->sharing.db;
    int rc;

    if (result != BLOCKLIST_OK)
        return result;
    rc = sql_exec(db, sql);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof moves / sizeof moves[0]; i++)
        rc = sql_run_once(db, moves[i], "i", now_ms);
    if (rc == SQLITE_OK)
        rc = sql_number(db, &blocklist->versions.last_at,
                        "SELECT ? + coalesce(max(place), 0) FROM redated", "i", now_ms);
    if (rc == SQLITE_OK)
        rc = sql_exec(db, "DROP TABLE redated");
    blocklist->versions.noted = false;
    return shared_end(blocklist, rc, error);
}

enum blocklist_result shared_outbox_add(struct blocklist *blocklist,
                                        const struct shared_row *rows, size_t count,
                                        char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = shared_begin(blocklist, error);
    sqlite3_stmt *stmt = NULL;
    int rc;

    if (result != BLOCKLIST_OK)
        return result;
    rc = sqlite3_prepare_v2(blocklist->sharing.db,
                            "INSERT INTO outbox (entry, allow, source, person)"
                            " VALUES (?, ?, ?, 0) ON CONFLICT (entry, allow, source)"
                            " DO UPDATE SET answered = NULL",
                            -1, &stmt, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = sql_run_with(stmt, "tit", rows[i].entry, (int64_t)rows[i].side - 1,
                          rows[i].source);
    result = shared_end(blocklist, rc, error);
    sqlite3_finalize(stmt);
    return result;
}

/* --- what the farm has forgotten --- */

enum blocklist_result shared_forget(struct blocklist *blocklist, int64_t before_ms,
                                    bool *done, char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = shared_begin(blocklist, error);
    int rc;

    if (result != BLOCKLIST_OK)
        return result;
    rc = sql_run_once(blocklist->sharing.db,
                      "DELETE FROM gone WHERE (entry, allow, source) IN (SELECT"
                      " entry, allow, source FROM gone WHERE until < ? LIMIT ?)",
                      "ii", before_ms, (int64_t)FORGET_ROWS);
    *done = sqlite3_changes(blocklist->sharing.db) < FORGET_ROWS;
    return shared_end(blocklist, rc, error);
}

enum blocklist_result shared_refused_clear(struct blocklist *blocklist,
                                           char error[static BLOCKLIST_ERROR_SIZE])
{
    return run_alone(blocklist, "DELETE FROM refused", error);
}
