/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of the farm are merged into the listing. There are millions of them: so no trigger
 * does what follows a change, but statements of their own, and what is new is written to the
 * audit log by one statement for many. */

#include <string.h>

#include "base/sql.h"
#include "base/text.h"
#include "blocklist/shared_parts.h"

#define MANY_ROWS     1000
#define PUT_ROWS      16    /* at a time, where there are many */
#define NOBODY        65534 /* the uid of who is on another host */
#define REFUSED_MAX   10000 /* rows of the table refused */
#define REFUSED_SHOWN 120   /* bytes of a name in it */

/* A merge under way. */
struct merge {
    struct blocklist *blocklist;
    bool quiet;
    bool has_outbox, has_gone; /* else there is nothing to look for there */
    int64_t refused;           /* rows of that table, or some more */
    int64_t added_from; /* what is new in listing, from this id on, is not in the audit
                                * log yet; 0: nothing */
    const struct shared_row *put[PUT_ROWS]; /* new, but not in listing yet; by entry, … */
    enum entry_kind kinds[PUT_ROWS];        /* … each another one */
    int put_count;
    int64_t listed; /* the present row in listing; 0 none */
    bool is_gone;   /* the present row is in gone */
};

/* Of whoever did it: what the audit log says. */
struct doer {
    const char *action, *login, *reason;
    int64_t uid;
};

#define KEY   " WHERE entry = ?1 AND allow = ?2 AND source = ?3"
#define AT    "coalesce(at, since * 1000)"
#define OLDER "(" AT ", coalesce(version, 0)) < (?2, ?3)"
#define PUT_VALUES                                                                       \
    "INSERT OR ROLLBACK INTO listing (entry, kind, allow, tempfail, source, reason, "    \
    "who,"                                                                               \
    " since, expires, at, version) VALUES "
#define PUT_ROW     "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
#define PUT_COLUMNS 11
#define FOUR(rows)  rows ", " rows ", " rows ", " rows
#define AUDIT       "INSERT OR ROLLBACK INTO " AUDIT_COLUMNS

enum statement {
    FIND,
    FIND_GONE,
    PUT,
    PUT_MANY,
    CHANGE,
    DROP,
    PUT_GONE,
    DROP_GONE,
    FIND_OLDER,
    DROP_OLDER_GONE,
    MET,
    MET_MARK,
    ACCEPTED,
    AUDIT_ADDED,
    AUDIT_CHANGED,
    AUDIT_REMOVED
};
_Static_assert(AUDIT_REMOVED + 1 == SHARING_STATEMENTS, "each has its place");

/* OR ROLLBACK: a row that fails ends the merge as a whole. */
static const char *const statements[SHARING_STATEMENTS] = {
    [FIND] = "SELECT id, kind, " AT ", coalesce(version, 0) FROM listing" KEY,
    [FIND_GONE] = "SELECT allow, at, version FROM gone WHERE entry = ?1 AND"
                  " ((allow = ?2 AND source = ?3) OR allow = -1)",
    [PUT] = PUT_VALUES PUT_ROW,
    [PUT_MANY] = PUT_VALUES FOUR(FOUR(PUT_ROW)),
    [CHANGE] = "UPDATE OR ROLLBACK listing SET tempfail = ?2, reason = ?3, who = ?4,"
               " since = ?5, expires = ?6, at = ?7, version = ?8 WHERE id = ?1",
    [DROP] = "DELETE FROM listing WHERE id = ?1",
    [PUT_GONE] = "REPLACE INTO gone VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [DROP_GONE] = "DELETE FROM gone" KEY,
    [FIND_OLDER] =
        "SELECT id, kind, allow FROM listing WHERE entry = ?1 AND " OLDER " LIMIT 1",
    [DROP_OLDER_GONE] = "DELETE FROM gone WHERE entry = ?1 AND (at, version) < (?2, ?3)",
    [MET] = "DELETE FROM outbox" KEY,
    /* what a mark has taken away need not be sent */
    [MET_MARK] =
        "DELETE FROM outbox WHERE entry = ?1 AND NOT EXISTS (SELECT 1 FROM listing l"
        " WHERE l.entry = outbox.entry AND l.allow = outbox.allow AND"
        " l.source = outbox.source) AND NOT EXISTS (SELECT 1 FROM gone g"
        " WHERE g.entry = outbox.entry AND g.allow = outbox.allow AND"
        " g.source = outbox.source)",
    [ACCEPTED] = "DELETE FROM refused WHERE key = ?1",
    [AUDIT_ADDED] = AUDIT " SELECT ?2, who, ?3, 'add', entry, source, allow, tempfail,"
                          " reason, NULL, " AUDIT_JSON_OF("listing") " FROM listing"
                                                                     " WHERE id >= ?1",
    [AUDIT_CHANGED] = AUDIT
    " SELECT ?7, ?4, ?8, 'change', entry, source, allow, ?2, ?3, " AUDIT_JSON_OF(
        "listing") ", json_object('action', iif(allow, 'allow',"
                   " iif(?2, 'tempfail', 'block')), 'reason', ?3, 'since', ?5, "
                   "'expires', ?6,"
                   " 'who', ?4) FROM listing WHERE id = ?1",
    [AUDIT_REMOVED] = AUDIT
    " SELECT ?2, ?3, ?4, ?5, entry, source, allow, tempfail, ?6, " AUDIT_JSON_OF(
        "listing") ", NULL FROM listing WHERE id = ?1",
};

/* They are kept: to make them takes longer than to merge a row. */
static int prepare(struct sharing *sharing)
{
    int rc = SQLITE_OK;

    for (int i = 0; rc == SQLITE_OK && i < SHARING_STATEMENTS; i++)
        if (sharing->statements[i] == NULL)
            rc = sql_prepare(sharing->db, &sharing->statements[i], statements[i]);
    return rc;
}

static sqlite3_stmt *of(const struct merge *merge, enum statement statement)
{
    return merge->blocklist->sharing.statements[statement];
}

/* --- the listing, and what follows a change of it --- */

static void count(struct merge *merge, enum entry_kind kind, bool allow, int by)
{
    merge->blocklist->sharing.changed.kinds[kind] += by;
    merge->blocklist->sharing.changed.allow += allow ? by : 0;
}

static int put(struct merge *merge, enum statement statement, int first, int rows)
{
    sqlite3_stmt *stmt = of(merge, statement);
    int rc = SQLITE_OK;

    for (int i = 0; rc == SQLITE_OK && i < rows; i++) {
        const struct shared_row *row = merge->put[first + i];

        rc = sql_bind_from(stmt, 1 + i * PUT_COLUMNS, "tiiitttizii", row->entry,
                           (int64_t)merge->kinds[first + i], (int64_t)row->side - 1,
                           (int64_t)(strcmp(row->action, "tempfail") == 0), row->source,
                           row->reason, row->who, row->since, row->expires,
                           row->version.at, row->version.id);
    }
    if (rc == SQLITE_OK)
        rc = sql_run(stmt);
    if (rc == SQLITE_OK && merge->added_from == 0) /* they are numbered one by one */
        merge->added_from =
            sqlite3_last_insert_rowid(merge->blocklist->sharing.db) - rows + 1;
    return rc;
}

/* What is new goes into the listing. */
static int put_all(struct merge *merge)
{
    int rc = SQLITE_OK;

    if (merge->put_count == PUT_ROWS)
        rc = put(merge, PUT_MANY, 0, PUT_ROWS);
    else
        for (int i = 0; rc == SQLITE_OK && i < merge->put_count; i++)
            rc = put(merge, PUT, i, 1);
    merge->put_count = 0;
    return rc;
}

/* The same, and into the audit log. */
static int note_added(struct merge *merge)
{
    int rc = put_all(merge);
    int64_t from = merge->added_from;

    merge->added_from = 0;
    return rc != SQLITE_OK || from == 0 || merge->quiet
               ? rc
               : sql_run_with(of(merge, AUDIT_ADDED), "iii", from,
                              (int64_t)blocklist_now(merge->blocklist), (int64_t)NOBODY);
}

static int add(struct merge *merge, const struct shared_row *row,
               const struct entry *entry)
{
    merge->put[merge->put_count] = row;
    merge->kinds[merge->put_count++] = entry->kind;
    count(merge, entry->kind, row->side == 2, 1);
    bloom_add(&merge->blocklist->bloom, entry);
    return merge->put_count == PUT_ROWS ? put_all(merge) : SQLITE_OK;
}

static int change(struct merge *merge, const struct shared_row *row)
{
    int64_t tempfail = strcmp(row->action, "tempfail") == 0;
    int rc = note_added(merge);

    if (rc == SQLITE_OK)
        rc = sql_run_with(of(merge, AUDIT_CHANGED), "iittizii", merge->listed, tempfail,
                          row->reason, row->who, row->since, row->expires,
                          (int64_t)blocklist_now(merge->blocklist), (int64_t)NOBODY);
    return rc == SQLITE_OK ? sql_run_with(of(merge, CHANGE), "iittizii", merge->listed,
                                          tempfail, row->reason, row->who, row->since,
                                          row->expires, row->version.at, row->version.id)
                           : rc;
}

static int drop(struct merge *merge, int64_t id, int64_t kind, bool allow,
                const struct doer *doer)
{
    int rc = note_added(merge);

    if (rc == SQLITE_OK && (kind < 0 || kind >= ENTRY_KIND_COUNT))
        rc = SQLITE_CORRUPT;
    if (rc == SQLITE_OK)
        rc = sql_run_with(of(merge, AUDIT_REMOVED), "iititt", id,
                          (int64_t)blocklist_now(merge->blocklist), doer->login,
                          doer->uid, doer->action, doer->reason);
    if (rc == SQLITE_OK)
        rc = sql_run_with(of(merge, DROP), "i", id);
    if (rc == SQLITE_OK)
        count(merge, (enum entry_kind)kind, allow, -1);
    return rc;
}

/* --- one row --- */

/* The present row of that key in the listing; merge->listed 0: none. */
static int find(struct merge *merge, const struct shared_row *row, int64_t *kind,
                struct version *stored)
{
    sqlite3_stmt *stmt = of(merge, FIND);
    int rc = sql_bind(stmt, "tit", row->entry, (int64_t)row->side - 1, row->source);

    merge->listed = 0;
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        merge->listed = sqlite3_column_int64(stmt, 0);
        *kind = sqlite3_column_int64(stmt, 1);
        *stored = (struct version){sqlite3_column_int64(stmt, 2),
                                   sqlite3_column_int64(stmt, 3)};
    }
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The same in gone, and the mark of the entry. */
static int find_gone(struct merge *merge, const struct shared_row *row,
                     struct version *stored, struct version *mark, bool *is_marked)
{
    sqlite3_stmt *stmt = of(merge, FIND_GONE);
    int64_t allow = row->side - 1;
    int rc;

    *is_marked = merge->is_gone = false;
    if (!merge->has_gone)
        return SQLITE_OK;
    rc = sql_bind(stmt, "tit", row->entry, allow, row->source);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct version found = {sqlite3_column_int64(stmt, 1),
                                sqlite3_column_int64(stmt, 2)};

        if (sqlite3_column_int64(stmt, 0) == -1) {
            *mark = found;
            *is_marked = true;
        }
        if (sqlite3_column_int64(stmt, 0) == allow) {
            *stored = found;
            merge->is_gone = true;
        }
        rc = SQLITE_OK;
    }
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int put_gone(struct merge *merge, const struct shared_row *row)
{
    int64_t until = row->expires * 1000;

    if (strcmp(row->action, "removed") == 0 || until < row->version.at)
        until = row->version.at;
    merge->has_gone = true;
    return sql_run_with(of(merge, PUT_GONE), "titiiitt", row->entry,
                        (int64_t)row->side - 1, row->source, row->version.at,
                        row->version.id, until, row->reason, row->who);
}

static int apply_mark(struct merge *merge, const struct shared_row *row)
{
    const struct doer doer = {"remove", row->who, row->reason, NOBODY};
    sqlite3_stmt *older = of(merge, FIND_OLDER);
    int rc = sql_bind(older, "tii", row->entry, row->version.at, row->version.id);

    while (rc == SQLITE_OK && (rc = sqlite3_step(older)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(older, 0),
                kind = sqlite3_column_int64(older, 1);
        bool allow = sqlite3_column_int(older, 2) != 0;

        sqlite3_reset(older);
        rc = drop(merge, id, kind, allow, &doer);
    }
    sqlite3_reset(older);
    if (rc == SQLITE_DONE)
        rc = sql_run_with(of(merge, DROP_OLDER_GONE), "tii", row->entry, row->version.at,
                          row->version.id);
    if (rc == SQLITE_OK)
        rc = put_gone(merge, row);
    return rc == SQLITE_OK ? sql_run_with(of(merge, MET_MARK), "t", row->entry) : rc;
}

static int apply_end(struct merge *merge, const struct shared_row *row, int64_t kind)
{
    struct doer doer = {"remove", row->who, row->reason, NOBODY};
    int rc = SQLITE_OK;

    if (strcmp(row->action, "removed") != 0)
        doer = (struct doer){"expire", blocklist_self.login, row->reason,
                             blocklist_self.uid};
    if (merge->listed != 0)
        rc = drop(merge, merge->listed, kind, row->side == 2, &doer);
    return rc == SQLITE_OK ? put_gone(merge, row) : rc;
}

static int apply_listing(struct merge *merge, const struct shared_row *row,
                         const struct entry *entry)
{
    int rc = merge->listed != 0 ? change(merge, row) : add(merge, row, entry);

    return rc == SQLITE_OK && merge->is_gone
               ? sql_run_with(of(merge, DROP_GONE), "tit", row->entry,
                              (int64_t)row->side - 1, row->source)
               : rc;
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
    return sql_run_once(merge->blocklist->sharing.db, sql, "iiitt",
                        versions_key(row->entry, row->side - 1, row->source),
                        row->version.at, row->version.id, name, why);
}

/* What waited for that row does no more. */
static int settle(struct merge *merge, const struct shared_row *row)
{
    int rc = SQLITE_OK;

    if (merge->has_outbox)
        rc = sql_run_with(of(merge, MET), "tit", row->entry, (int64_t)row->side - 1,
                          row->source);
    if (rc == SQLITE_OK && merge->refused > 0)
        rc = sql_run_with(of(merge, ACCEPTED), "i",
                          versions_key(row->entry, row->side - 1, row->source));
    return rc;
}

/* Most have nothing in them most of the time, and are looked up for each row. */
static int find_waiting(struct merge *merge)
{
    sqlite3 *db = merge->blocklist->sharing.db;
    int64_t outbox = 0, gone = 0;
    int rc = sql_number(db, &outbox, "SELECT EXISTS (SELECT 1 FROM outbox)", "");

    if (rc == SQLITE_OK)
        rc = sql_number(db, &gone, "SELECT EXISTS (SELECT 1 FROM gone)", "");
    if (rc == SQLITE_OK)
        rc = sql_number(db, &merge->refused, "SELECT count(*) FROM refused", "");
    merge->has_outbox = outbox != 0;
    merge->has_gone = gone != 0;
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
    int64_t kind = 0;
    int rc = SQLITE_OK;

    if (!shared_row_is_fine(row, &entry, counts->why)) {
        counts->refused++;
        return refuse(merge, row, counts->why);
    }
    if (versions_is_local(versions, row->source))
        return SQLITE_OK;
    /* what is not there yet cannot be found */
    if (merge->put_count > 0 &&
        strcmp(merge->put[merge->put_count - 1]->entry, row->entry) >= 0)
        rc = put_all(merge);
    if (rc == SQLITE_OK)
        rc = find(merge, row, &kind, &stored);
    if (rc == SQLITE_OK)
        rc = find_gone(merge, row, &stored, &mark, &is_marked);
    if (rc != SQLITE_OK)
        return rc;
    is_stored = merge->listed != 0 || merge->is_gone;
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
            rc = apply_end(merge, row, kind);
        else
            rc = apply_listing(merge, row, &entry);
    } else if (is_stored && version_compare(row->version, stored) < 0) {
        return SQLITE_OK; /* ours is newer, and on its way */
    }
    return rc == SQLITE_OK ? settle(merge, row) : rc;
}

enum blocklist_result shared_merge(struct blocklist *blocklist,
                                   const struct shared_row *rows, size_t count,
                                   const struct shared_state *state, bool quiet,
                                   struct shared_counts *counts,
                                   char error[static BLOCKLIST_ERROR_SIZE])
{
    struct merge merge = {.blocklist = blocklist, .quiet = quiet};
    enum blocklist_result result = shared_begin(blocklist, error);
    int rc;

    if (result != BLOCKLIST_OK)
        return result;
    rc = shared_cache(&blocklist->sharing, count >= MANY_ROWS, state == NULL);
    if (rc == SQLITE_OK)
        rc = prepare(&blocklist->sharing);
    if (rc == SQLITE_OK)
        rc = find_waiting(&merge);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = merge_row(&merge, &rows[i], counts);
    if (rc == SQLITE_OK)
        rc = note_added(&merge);
    if (rc == SQLITE_OK && state != NULL)
        rc = sql_run_once(blocklist->sharing.db,
                          "UPDATE farm SET seq = ?, stamp = ?, read_at = ?", "iii",
                          state->seq, state->stamp, state->read_at);
    if (rc == SQLITE_OK && state != NULL)
        rc = sql_run_once(blocklist->sharing.db, "DELETE FROM outbox WHERE answered <= ?",
                          "i", state->seq);
    return shared_end(blocklist, rc, error);
}

static int drop_row(struct merge *merge, const struct shared_row *row)
{
    static const enum statement others[] = {DROP_GONE, MET};
    const struct doer doer = {"remove", blocklist_self.login, "", blocklist_self.uid};
    struct version stored;
    int64_t kind;
    int rc = find(merge, row, &kind, &stored);

    if (rc == SQLITE_OK && merge->listed != 0)
        rc = drop(merge, merge->listed, kind, row->side == 2, &doer);
    for (size_t i = 0; rc == SQLITE_OK && i < 2; i++)
        rc = sql_run_with(of(merge, others[i]), "tit", row->entry, (int64_t)row->side - 1,
                          row->source);
    return rc;
}

enum blocklist_result shared_drop(struct blocklist *blocklist,
                                  const struct shared_row *rows, size_t count,
                                  char error[static BLOCKLIST_ERROR_SIZE])
{
    struct merge merge = {.blocklist = blocklist};
    enum blocklist_result result = shared_begin(blocklist, error);
    int rc;

    if (result != BLOCKLIST_OK)
        return result;
    rc = prepare(&blocklist->sharing);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = drop_row(&merge, &rows[i]);
    return shared_end(blocklist, rc, error);
}
