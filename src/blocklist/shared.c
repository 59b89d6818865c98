/* SPDX-License-Identifier: BSD-2-Clause */
/* What the farm changes in the blocklist: rows merged, keys of the outbox answered. */

#include "blocklist/shared.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/sql.h"
#include "base/text.h"
#include "blocklist/transaction.h"

#define JOIN_ROWS     20000
#define FORGET_ROWS   2000
#define MANY_ROWS     1000
#define NOBODY        65534      /* the uid of who is on another host */
#define SECOND_MAX    9000000000 /* as schema_check.c has it */
#define REFUSED_MAX   10000      /* rows of the table refused */
#define REFUSED_SHOWN 120        /* bytes of a name in it */

static enum blocklist_result begin(struct blocklist *blocklist, const char *action,
                                   char error[static BLOCKLIST_ERROR_SIZE])
{
    return transaction_begin(blocklist, TRANSACTION_LAZY, action, &blocklist_self, "",
                             BLOCKLIST_WAIT_S * 1000, error);
}

/* Ends what begin began, by what SQLite said. */
static enum blocklist_result end(struct blocklist *blocklist, int rc,
                                 char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result;

    if (rc == SQLITE_OK || rc == SQLITE_DONE)
        return transaction_commit(blocklist, error);
    result = transaction_failed(blocklist, blocklist->writing.db, error);
    transaction_cancel(blocklist);
    return result;
}

/* --- one row --- */

/* A merge under way. */
struct merge {
    struct blocklist *blocklist;
    sqlite3_stmt *find, *find_gone, *put, *change, *drop, *put_gone, *drop_gone, *met,
        *met_mark, *mark_rows, *mark_gone, *accepted;
    bool quiet;
    bool has_outbox;                   /* else there is nothing to be taken from it */
    int64_t refused;                   /* rows of that table, or some more */
    bool is_listed, is_gone;           /* the present row's key, in listing and in gone */
    const char *action, *who, *reason; /* as the audit log was told last */
};

/* They are kept: to make them takes longer than to merge a row. */
static int prepare(struct merge *merge)
{
#define KEY " WHERE entry = ?1 AND allow = ?2 AND source = ?3"
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } statements[] = {
        {&merge->find, "SELECT coalesce(at, since * 1000), coalesce(version, 0) FROM"
                       " listing" KEY},
        {&merge->find_gone, "SELECT allow, at, version FROM gone WHERE entry = ?1 AND"
                            " ((allow = ?2 AND source = ?3) OR allow = -1)"},
        /* OR ROLLBACK: a row that fails ends the merge as a whole */
        {&merge->put,
         "INSERT OR ROLLBACK INTO listing (entry, kind, allow, tempfail, source, reason, "
         "who, since,"
         " expires, at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"},
        {&merge->change, "UPDATE OR ROLLBACK listing SET tempfail = ?4, reason = ?6, who "
                         "= ?7, since = ?8,"
                         " expires = ?9, at = ?10, version = ?11"
                         " WHERE entry = ?1 AND allow = ?3 AND source = ?5"},
        {&merge->drop, "DELETE FROM listing" KEY},
        {&merge->put_gone, "REPLACE INTO gone VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"},
        {&merge->drop_gone, "DELETE FROM gone" KEY},
        {&merge->met, "DELETE FROM outbox" KEY},
        /* what a mark has taken away need not be sent */
        {&merge->met_mark,
         "DELETE FROM outbox WHERE entry = ?1 AND NOT EXISTS (SELECT 1 FROM listing l"
         " WHERE l.entry = outbox.entry AND l.allow = outbox.allow AND"
         " l.source = outbox.source) AND NOT EXISTS (SELECT 1 FROM gone g"
         " WHERE g.entry = outbox.entry AND g.allow = outbox.allow AND"
         " g.source = outbox.source)"},
        {&merge->mark_rows,
         "DELETE FROM listing WHERE entry = ?1 AND"
         " (coalesce(at, since * 1000), coalesce(version, 0)) < (?2, ?3)"},
        {&merge->mark_gone,
         "DELETE FROM gone WHERE entry = ?1 AND (at, version) < (?2, ?3)"},
        {&merge->accepted, "DELETE FROM refused WHERE key = ?1"},
    };
    struct transaction *writing = &merge->blocklist->writing;
    int rc = SQLITE_OK;

    static_assert(sizeof statements / sizeof statements[0] ==
                      sizeof writing->merge / sizeof writing->merge[0],
                  "each has its place");
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof statements / sizeof statements[0];
         i++) {
        if (writing->merge[i] == NULL)
            rc = sql_prepare(writing->db, &writing->merge[i], statements[i].sql);
        *statements[i].stmt = writing->merge[i];
    }
    return rc;
}

/* What the row's key and its entry's mark have. Returns SQLite's code. */
static int look(struct merge *merge, const struct shared_row *row, struct version *stored,
                bool *is_stored, struct version *mark, bool *is_marked)
{
    int64_t allow = row->side - 1;
    int rc = sql_bind(merge->find, "tit", row->entry, allow, row->source);

    *is_stored = *is_marked = merge->is_listed = merge->is_gone = false;
    if (rc == SQLITE_OK && (rc = sqlite3_step(merge->find)) == SQLITE_ROW) {
        *stored = (struct version){sqlite3_column_int64(merge->find, 0),
                                   sqlite3_column_int64(merge->find, 1)};
        *is_stored = merge->is_listed = true;
    }
    sqlite3_reset(merge->find);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        rc = sql_bind(merge->find_gone, "tit", row->entry, allow, row->source);
    while (rc == SQLITE_OK && (rc = sqlite3_step(merge->find_gone)) == SQLITE_ROW) {
        struct version found = {sqlite3_column_int64(merge->find_gone, 1),
                                sqlite3_column_int64(merge->find_gone, 2)};

        if (sqlite3_column_int(merge->find_gone, 0) == -1) {
            *mark = found;
            *is_marked = true;
        }
        if (sqlite3_column_int(merge->find_gone, 0) == allow) {
            *stored = found;
            *is_stored = merge->is_gone = true;
        }
        rc = SQLITE_OK;
    }
    sqlite3_reset(merge->find_gone);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Says in the audit log who it was: "anna@mx3". The row's texts stay until the end. */
static int set_actor(struct merge *merge, const char *action, const char *who,
                     const char *reason)
{
    struct blocklist_actor actor = {who, NOBODY};

    if (merge->action != NULL && strcmp(merge->action, action) == 0 &&
        strcmp(merge->who, who) == 0 && strcmp(merge->reason, reason) == 0)
        return SQLITE_OK;
    merge->action = action;
    merge->who = who;
    merge->reason = reason;
    if (strcmp(action, "expire") == 0)
        actor = blocklist_self;
    return audit_actor(&merge->blocklist->writing.audit, action, &actor, reason,
                       blocklist_now(merge->blocklist));
}

static int put_gone(struct merge *merge, const struct shared_row *row)
{
    int64_t until = row->expires * 1000;
    int rc;

    if (strcmp(row->action, "removed") == 0 || until < row->version.at)
        until = row->version.at;
    rc = sql_bind(merge->put_gone, "titiiitt", row->entry, (int64_t)row->side - 1,
                  row->source, row->version.at, row->version.id, until, row->reason,
                  row->who);
    return rc == SQLITE_OK ? sql_run(merge->put_gone) : rc;
}

static int apply_mark(struct merge *merge, const struct shared_row *row)
{
    int rc = set_actor(merge, "remove", row->who, row->reason);

    if (rc == SQLITE_OK)
        rc = sql_bind(merge->mark_rows, "tii", row->entry, row->version.at,
                      row->version.id);
    if (rc == SQLITE_OK)
        rc = sql_run(merge->mark_rows);
    if (rc == SQLITE_OK)
        rc = sql_bind(merge->mark_gone, "tii", row->entry, row->version.at,
                      row->version.id);
    if (rc == SQLITE_OK)
        rc = sql_run(merge->mark_gone);
    if (rc == SQLITE_OK)
        rc = put_gone(merge, row);
    if (rc == SQLITE_OK)
        rc = sql_bind(merge->met_mark, "t", row->entry);
    return rc == SQLITE_OK ? sql_run(merge->met_mark) : rc;
}

static int apply_end(struct merge *merge, const struct shared_row *row)
{
    bool removed = strcmp(row->action, "removed") == 0;
    int rc = set_actor(merge, removed ? "remove" : "expire", row->who, row->reason);

    if (rc == SQLITE_OK)
        rc =
            sql_bind(merge->drop, "tit", row->entry, (int64_t)row->side - 1, row->source);
    if (rc == SQLITE_OK)
        rc = sql_run(merge->drop);
    return rc == SQLITE_OK ? put_gone(merge, row) : rc;
}

static int apply_listing(struct merge *merge, const struct shared_row *row,
                         const struct entry *entry)
{
    sqlite3_stmt *way = merge->is_listed ? merge->change : merge->put;
    int rc = set_actor(merge, merge->quiet ? "" : "add", row->who, row->reason);

    if (rc == SQLITE_OK)
        rc = sql_bind(
            way, "tiiitttizii", row->entry, (int64_t)entry->kind, (int64_t)row->side - 1,
            (int64_t)(strcmp(row->action, "tempfail") == 0), row->source, row->reason,
            row->who, row->since, row->expires, row->version.at, row->version.id);
    if (rc == SQLITE_OK)
        rc = sql_run(way);
    if (rc != SQLITE_OK || !merge->is_gone)
        return rc;
    rc = sql_bind(merge->drop_gone, "tit", row->entry, (int64_t)row->side - 1,
                  row->source);
    return rc == SQLITE_OK ? sql_run(merge->drop_gone) : rc;
}

/* Whether an admin could have typed it; else false with a sentence. */
static bool row_is_fine(const struct shared_row *row, struct entry *entry, char *error)
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

/* Keeps its version, so that digests agree; within bounds, as a hostile engine may send
 * any number of them. */
static int refuse(struct merge *merge, const struct shared_row *row, const char *why)
{
    static const char sql[] =
        "INSERT INTO refused VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT (key) DO UPDATE SET at = excluded.at, version = excluded.version,"
        " name = excluded.name, why = excluded.why";
    char name[REFUSED_SHOWN];

    if (merge->refused >= REFUSED_MAX)
        return SQLITE_OK;
    merge->refused++;
    (void)utf8_show(row->entry, name, sizeof name); /* cut where longer */
    return sql_run_once(merge->blocklist->writing.db, sql, "iiitt",
                        versions_key(row->entry, row->side - 1, row->source),
                        row->version.at, row->version.id, name, why);
}

/* What waited for that row does no more. */
static int settle(struct merge *merge, const struct shared_row *row)
{
    int rc = SQLITE_OK;

    if (merge->has_outbox) {
        rc = sql_bind(merge->met, "tit", row->entry, (int64_t)row->side - 1, row->source);
        if (rc == SQLITE_OK)
            rc = sql_run(merge->met);
    }
    if (rc == SQLITE_OK && merge->refused > 0) {
        rc = sql_bind(merge->accepted, "i",
                      versions_key(row->entry, row->side - 1, row->source));
        if (rc == SQLITE_OK)
            rc = sql_run(merge->accepted);
    }
    return rc;
}

/* Most have nothing in them most of the time, and are asked for each row. */
static int look_what_waits(struct merge *merge)
{
    sqlite3 *db = merge->blocklist->writing.db;
    int64_t outbox = 0;
    int rc = sql_number(db, &outbox, "SELECT EXISTS (SELECT 1 FROM outbox)", "");

    if (rc == SQLITE_OK)
        rc = sql_number(db, &merge->refused, "SELECT count(*) FROM refused", "");
    merge->has_outbox = outbox != 0;
    return rc;
}

/* Returns SQLite's code. */
static int merge_row(struct merge *merge, const struct shared_row *row,
                     struct shared_counts *counts)
{
    struct blocklist *blocklist = merge->blocklist;
    struct versions *versions = &blocklist->versions;
    struct version stored, mark;
    bool is_stored, is_marked;
    struct entry entry;
    int rc;

    if (!row_is_fine(row, &entry, counts->why)) {
        counts->refused++;
        return refuse(merge, row, counts->why);
    }
    if (versions_is_local(versions, row->source))
        return SQLITE_OK;
    rc = look(merge, row, &stored, &is_stored, &mark, &is_marked);
    if (rc != SQLITE_OK)
        return rc;
    if (row->version.at > versions->last_at) {
        versions->last_at = row->version.at;
        versions->noted = false;
    }
    if (version_counts(row->version, is_stored ? &stored : NULL,
                       is_marked ? &mark : NULL)) {
        counts->applied++;
        if (row->side == 0)
            rc = apply_mark(merge, row);
        else if (strcmp(row->action, "removed") == 0 ||
                 (row->expires != 0 && row->expires <= blocklist_ended(blocklist)))
            rc = apply_end(merge, row);
        else
            rc = apply_listing(merge, row, &entry);
    } else if (is_stored && version_compare(row->version, stored) < 0) {
        return SQLITE_OK; /* ours is newer, and on its way */
    }
    return rc == SQLITE_OK ? settle(merge, row) : rc;
}

static int keep_cursor(struct blocklist *blocklist, const struct shared_state *state)
{
    sqlite3 *db = blocklist->writing.db;
    int rc = sql_run_once(db, "UPDATE farm SET seq = ?, stamp = ?, read_at = ?", "iii",
                          state->seq, state->stamp, state->read_at);

    return rc == SQLITE_OK ? sql_run_once(db, "DELETE FROM outbox WHERE answered <= ?",
                                          "i", state->seq)
                           : rc;
}

/* Many rows touch many pages, each of which is written once if there is room for it until the
 * commit. */
static int set_cache(struct blocklist *blocklist, bool large)
{
    int rc = SQLITE_OK;

    if (blocklist->versions.large_cache != large)
        rc = sql_exec(blocklist->writing.db,
                      large ? "PRAGMA cache_size = -49152" : "PRAGMA cache_size = -8192");
    if (rc == SQLITE_OK)
        blocklist->versions.large_cache = large;
    return rc;
}

enum blocklist_result shared_merge(struct blocklist *blocklist,
                                   const struct shared_row *rows, size_t count,
                                   const struct shared_state *state, bool quiet,
                                   struct shared_counts *counts,
                                   char error[static BLOCKLIST_ERROR_SIZE])
{
    struct merge merge = {.blocklist = blocklist, .quiet = quiet};
    enum blocklist_result result = begin(blocklist, "add", error);
    int rc;

    if (result != BLOCKLIST_OK)
        return result;
    blocklist->versions.merging = true;
    rc = set_cache(blocklist, count >= MANY_ROWS);
    if (rc == SQLITE_OK)
        rc = prepare(&merge);
    if (rc == SQLITE_OK)
        rc = look_what_waits(&merge);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = merge_row(&merge, &rows[i], counts);
    if (rc == SQLITE_OK && state != NULL)
        rc = keep_cursor(blocklist, state);
    return end(blocklist, rc, error);
}

/* --- the state --- */

enum blocklist_result shared_state_set(struct blocklist *blocklist,
                                       const struct shared_state *state,
                                       char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = begin(blocklist, "farm", error);

    if (result != BLOCKLIST_OK)
        return result;
    return end(blocklist,
               sql_run_once(blocklist->writing.db,
                            "UPDATE farm SET epoch = ?, seq = ?, stamp = ?, read_at = ?,"
                            " keep_local = ?, program = ?",
                            "tiiitt", state->epoch, state->seq, state->stamp,
                            state->read_at, state->keep_local, state->program),
               error);
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
    result = begin(blocklist, "farm", error);
    if (result != BLOCKLIST_OK)
        return result;
    blocklist->versions.merging = true;
    rc = sql_run_once(blocklist->writing.db,
                      "INSERT OR IGNORE INTO farm VALUES (1, 0, 0, '', 0, 0, 0, '', '')",
                      "");
    if (rc == SQLITE_OK)
        rc = join_some(blocklist->writing.db, state.seq, &last);
    *done = last == 0;
    if (rc == SQLITE_OK)
        rc = sql_run_once(blocklist->writing.db, "UPDATE farm SET joined = ?, seq = ?",
                          "ii", (int64_t)*done, last);
    return end(blocklist, rc, error);
}

/* --- the outbox --- */

enum blocklist_result shared_outbox_sent(struct blocklist *blocklist, const int64_t *ids,
                                         size_t count, int64_t seq,
                                         char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = begin(blocklist, "farm", error);
    sqlite3_stmt *stmt = NULL;
    int rc;

    if (result != BLOCKLIST_OK)
        return result;
    rc = sqlite3_prepare_v2(blocklist->writing.db,
                            seq > 0 ? "UPDATE outbox SET answered = ?2 WHERE id = ?1"
                                    : "DELETE FROM outbox WHERE id = ?1 AND ?2 = 0",
                            -1, &stmt, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        rc = sql_bind(stmt, "ii", ids[i], seq);
        if (rc == SQLITE_OK)
            rc = sql_run(stmt);
    }
    result = end(blocklist, rc, error);
    sqlite3_finalize(stmt);
    return result;
}

enum blocklist_result shared_outbox_again(struct blocklist *blocklist,
                                          char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = begin(blocklist, "farm", error);

    if (result != BLOCKLIST_OK)
        return result;
    return end(blocklist,
               sql_exec(blocklist->writing.db,
                        "UPDATE outbox SET answered = NULL WHERE answered NOTNULL"),
               error);
}

enum blocklist_result shared_outbox_redate(struct blocklist *blocklist, int64_t now_ms,
                                           char error[static BLOCKLIST_ERROR_SIZE])
{
    /* in their order, one after the other: a removal stays older than what was added after it */
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
    enum blocklist_result result = begin(blocklist, "farm", error);
    sqlite3 *db = blocklist->writing.db;
    int rc;

    if (result != BLOCKLIST_OK)
        return result;
    blocklist->versions.merging = true;
    rc = sql_exec(db, sql);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof moves / sizeof moves[0]; i++)
        rc = sql_run_once(db, moves[i], "i", now_ms);
    if (rc == SQLITE_OK)
        rc = sql_number(db, &blocklist->versions.last_at,
                        "SELECT ? + coalesce(max(place), 0) FROM redated", "i", now_ms);
    if (rc == SQLITE_OK)
        rc = sql_exec(db, "DROP TABLE redated");
    blocklist->versions.noted = false;
    return end(blocklist, rc, error);
}

enum blocklist_result shared_outbox_add(struct blocklist *blocklist,
                                        const struct shared_row *rows, size_t count,
                                        char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = begin(blocklist, "farm", error);
    sqlite3_stmt *stmt = NULL;
    int rc;

    if (result != BLOCKLIST_OK)
        return result;
    rc = sqlite3_prepare_v2(blocklist->writing.db,
                            "INSERT INTO outbox (entry, allow, source, person)"
                            " VALUES (?, ?, ?, 0) ON CONFLICT (entry, allow, source)"
                            " DO UPDATE SET answered = NULL",
                            -1, &stmt, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        rc = sql_bind(stmt, "tit", rows[i].entry, (int64_t)rows[i].side - 1,
                      rows[i].source);
        if (rc == SQLITE_OK)
            rc = sql_run(stmt);
    }
    result = end(blocklist, rc, error);
    sqlite3_finalize(stmt);
    return result;
}

/* --- what the farm has forgotten --- */

enum blocklist_result shared_drop(struct blocklist *blocklist,
                                  const struct shared_row *rows, size_t count,
                                  char error[static BLOCKLIST_ERROR_SIZE])
{
    static const char *const tables[] = {"listing", "gone", "outbox"};
    enum blocklist_result result = begin(blocklist, "remove", error);
    char sql[100];
    int rc = SQLITE_OK;

    if (result != BLOCKLIST_OK)
        return result;
    blocklist->versions.merging = true;
    for (size_t i = 0; rc == SQLITE_OK && i < count * 3; i++) {
        const struct shared_row *row = &rows[i / 3];

        (void)snprintf(sql, sizeof sql,
                       "DELETE FROM %s WHERE entry = ? AND allow = ? AND source = ?",
                       tables[i % 3]); /* fits */
        rc = sql_run_once(blocklist->writing.db, sql, "tit", row->entry,
                          (int64_t)row->side - 1, row->source);
    }
    return end(blocklist, rc, error);
}

enum blocklist_result shared_forget(struct blocklist *blocklist, int64_t before_ms,
                                    bool *done, char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = begin(blocklist, "farm", error);
    int rc;

    if (result != BLOCKLIST_OK)
        return result;
    rc = sql_run_once(blocklist->writing.db,
                      "DELETE FROM gone WHERE (entry, allow, source) IN (SELECT"
                      " entry, allow, source FROM gone WHERE until < ? LIMIT ?)",
                      "ii", before_ms, (int64_t)FORGET_ROWS);
    *done = sqlite3_changes(blocklist->writing.db) < FORGET_ROWS;
    return end(blocklist, rc, error);
}

enum blocklist_result shared_refused_clear(struct blocklist *blocklist,
                                           char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = begin(blocklist, "farm", error);

    if (result != BLOCKLIST_OK)
        return result;
    return end(blocklist, sql_exec(blocklist->writing.db, "DELETE FROM refused"), error);
}
