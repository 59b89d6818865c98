/* SPDX-License-Identifier: BSD-2-Clause */
/* What the farm reads of the blocklist: its state, the outbox, rows and their digest. */

#include "blocklist/shared.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/sql.h"
#include "base/text.h"
#include "blocklist/store.h"

/* The columns of a struct shared_row, with allow as it is kept: -1 of a mark. */
#define LISTED                                                                           \
    "entry, allow, source, iif(allow, 'allow', iif(tempfail, 'tempfail', 'block')),"     \
    " reason, who, since, coalesce(expires, 0), coalesce(at, since * 1000),"             \
    " coalesce(version, 0)"
#define GONE "entry, allow, source, 'removed', reason, who, at / 1000, 0, at, version"

static struct shared_row row_of(sqlite3_stmt *stmt, int first)
{
    return (struct shared_row){
        .entry = sql_text(stmt, first),
        .side = sqlite3_column_int(stmt, first + 1) + 1,
        .source = sql_text(stmt, first + 2),
        .action = sql_text(stmt, first + 3),
        .reason = sql_text(stmt, first + 4),
        .who = sql_text(stmt, first + 5),
        .since = sqlite3_column_int64(stmt, first + 6),
        .expires = sqlite3_column_int64(stmt, first + 7),
        .version = {sqlite3_column_int64(stmt, first + 8),
                    sqlite3_column_int64(stmt, first + 9)},
    };
}

/* Runs a query on the connection for long ones; done is called for each row. */
typedef bool each_result(void *context, sqlite3_stmt *stmt);

static enum blocklist_result run_query(struct blocklist *blocklist, const char *sql,
                                       each_result *each, void *context, char *error,
                                       const char *types,
                                       const struct shared_place *after, int64_t number,
                                       int64_t limit)
{
    struct reader *reader = &blocklist->looker;
    enum blocklist_result result = BLOCKLIST_OK;
    sqlite3_stmt *stmt = NULL;
    int rc;

    pthread_mutex_lock(&reader->lock);
    rc = sqlite3_prepare_v2(reader->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK && strcmp(types, "titii") == 0)
        rc = sql_bind(stmt, types, after->entry, (int64_t)after->side - 1, after->source,
                      number, limit);
    else if (rc == SQLITE_OK)
        rc = sql_bind(stmt, types, number, limit);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        rc = each(context, stmt) ? SQLITE_OK : SQLITE_DONE;
    if (rc != SQLITE_DONE)
        result = store_look_failed(blocklist, reader->db, rc, error);
    sqlite3_finalize(stmt);
    pthread_mutex_unlock(&reader->lock);
    return result;
}

/* --- state --- */

static bool take_state(void *context, sqlite3_stmt *stmt)
{
    struct shared_state *out = context;

    out->joined = sqlite3_column_int(stmt, 0) != 0;
    out->seq = sqlite3_column_int64(stmt, 2);
    out->stamp = sqlite3_column_int64(stmt, 3);
    out->read_at = sqlite3_column_int64(stmt, 4);
    /* what does not fit is not ours, and is compared with what is */
    (void)text_copy(sql_text(stmt, 1), out->epoch, sizeof out->epoch);
    (void)text_copy(sql_text(stmt, 5), out->keep_local, sizeof out->keep_local);
    (void)text_copy(sql_text(stmt, 6), out->program, sizeof out->program);
    return true;
}

enum blocklist_result shared_state(struct blocklist *blocklist, struct shared_state *out,
                                   char error[static BLOCKLIST_ERROR_SIZE])
{
    memset(out, 0, sizeof *out);
    return run_query(
        blocklist,
        "SELECT joined, epoch, seq, stamp, read_at, keep_local, program FROM farm",
        take_state, out, error, "", NULL, 0, 0);
}

/* --- the outbox --- */

struct keys {
    shared_each_key *each;
    void *context;
};

static bool give_key(void *context, sqlite3_stmt *stmt)
{
    struct keys *keys = context;
    struct shared_row row = row_of(stmt, 2);
    bool is_there = sqlite3_column_type(stmt, 2) != SQLITE_NULL;

    return keys->each(keys->context, sqlite3_column_int64(stmt, 0),
                      sqlite3_column_int(stmt, 1) != 0, is_there ? &row : NULL);
}

/* By the index, however many wait. */
#define UNSENT(of_a_person)                                                              \
    "SELECT id, person, entry, allow, source FROM outbox WHERE answered IS NULL"         \
    " AND person = " of_a_person " ORDER BY id LIMIT ?2"

enum blocklist_result shared_outbox(struct blocklist *blocklist, size_t limit,
                                    shared_each_key *each, void *context,
                                    char error[static BLOCKLIST_ERROR_SIZE])
{
    static const char sql[] =
        "SELECT k.id, k.person, coalesce(l.entry, g.entry), k.allow, k.source,"
        " iif(l.entry IS NULL, 'removed',"
        "  iif(k.allow, 'allow', iif(l.tempfail, 'tempfail', 'block'))),"
        " coalesce(l.reason, g.reason), coalesce(l.who, g.who),"
        " coalesce(l.since, g.at / 1000), coalesce(l.expires, 0),"
        " coalesce(l.at, l.since * 1000, g.at), coalesce(l.version, g.version, 0)"
        " FROM (SELECT * FROM (" UNSENT("1") ") UNION ALL SELECT * FROM (" UNSENT(
            "0") ") LIMIT ?2) k LEFT JOIN listing l USING (entry, allow, source)"
                 " LEFT JOIN gone g USING (entry, allow, source)"
                 " ORDER BY k.person DESC, k.id";
    struct keys keys = {each, context};

    return run_query(blocklist, sql, give_key, &keys, error, "ii", NULL, 0,
                     (int64_t)limit);
}

static bool take_number(void *context, sqlite3_stmt *stmt)
{
    *(int64_t *)context = sqlite3_column_int64(stmt, 0);
    return true;
}

enum blocklist_result shared_waiting(struct blocklist *blocklist, int64_t *all,
                                     char error[static BLOCKLIST_ERROR_SIZE])
{
    *all = 0;
    return run_query(blocklist, "SELECT count(*) FROM outbox", take_number, all, error,
                     "", NULL, 0, 0);
}

/* --- rows --- */

struct rows {
    const struct versions *versions;
    shared_each_row *each;
    void *context;
    struct shared_place *place;
    size_t seen;
    bool stopped;
};

static bool give_row(void *context, sqlite3_stmt *stmt)
{
    struct rows *rows = context;
    struct shared_row row = row_of(stmt, 0);

    if (!versions_is_local(rows->versions, row.source) &&
        !rows->each(rows->context, &row)) {
        rows->stopped = true;
        return false;
    }
    rows->seen++;
    rows->place->side = row.side;
    return text_copy(row.entry, rows->place->entry, sizeof rows->place->entry) &&
           text_copy(row.source, rows->place->source, sizeof rows->place->source);
}

enum blocklist_result shared_rows(struct blocklist *blocklist, struct shared_place *place,
                                  int64_t floor_ms, size_t limit, shared_each_row *each,
                                  void *context, bool *done,
                                  char error[static BLOCKLIST_ERROR_SIZE])
{
    static const char sql[] =
        "SELECT " LISTED " FROM listing WHERE (entry, allow, source) > (?1, ?2, ?3)"
        " UNION ALL SELECT " GONE " FROM gone WHERE (entry, allow, source) > (?1, ?2, ?3)"
        " AND until >= ?4 ORDER BY 1, 2, 3 LIMIT ?5";
    const struct shared_place from = *place; /* as bound */
    struct rows rows = {&blocklist->versions, each, context, place, 0, false};
    enum blocklist_result result = run_query(blocklist, sql, give_row, &rows, error,
                                             "titii", &from, floor_ms, (int64_t)limit);

    *done = !rows.stopped && rows.seen < limit;
    return result;
}

/* --- digest --- */

struct digesting {
    const struct versions *versions;
    struct shared_digest *out;
};

static bool add_to_digest(void *context, sqlite3_stmt *stmt)
{
    struct digesting *digesting = context;
    int64_t id = sqlite3_column_int64(stmt, 1);

    if (versions_is_local(digesting->versions, sql_text(stmt, 0)))
        return true;
    digesting->out->count[id & (SHARED_BUCKETS - 1)]++;
    digesting->out->ids[id & (SHARED_BUCKETS - 1)] ^= id;
    digesting->out->refused += sqlite3_column_int(stmt, 2);
    return true;
}

enum blocklist_result shared_digest(struct blocklist *blocklist, int64_t floor_ms,
                                    struct shared_digest *out,
                                    char error[static BLOCKLIST_ERROR_SIZE])
{
    static const char sql[] =
        "SELECT source, coalesce(version, 0), 0 FROM listing UNION ALL"
        " SELECT source, version, 0 FROM gone WHERE until >= ?1 UNION ALL"
        " SELECT '', version, 1 FROM refused LIMIT ?2";
    struct digesting digesting = {&blocklist->versions, out};

    memset(out, 0, sizeof *out);
    return run_query(blocklist, sql, add_to_digest, &digesting, error, "ii", NULL,
                     floor_ms, -1);
}

/* --- hits --- */

struct giving {
    const struct versions *versions;
    shared_each_hit *each;
    void *context;
    char last[ENTRY_TEXT_SIZE]; /* entry seen */
};

/* A row for each source of the entry: it is shared where one of them is. */
static int give_hits(struct giving *giving, sqlite3_stmt *stmt)
{
    bool given = false;
    int rc;

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct shared_hit hit = {.entry = sql_text(stmt, 0),
                                 .hits = sqlite3_column_int64(stmt, 1),
                                 .last = sqlite3_column_int64(stmt, 2)};

        given = given && strcmp(hit.entry, giving->last) == 0;
        (void)text_copy(hit.entry, giving->last, sizeof giving->last); /* it fits */
        if (given || versions_is_local(giving->versions, sql_text(stmt, 3)))
            continue;
        giving->each(giving->context, &hit);
        given = true;
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static enum blocklist_result read_hits(struct blocklist *blocklist, const char *sql,
                                       const char *text, int64_t number,
                                       struct giving *giving,
                                       char error[static BLOCKLIST_ERROR_SIZE])
{
    struct reader *reader = &blocklist->looker;
    enum blocklist_result result = BLOCKLIST_OK;
    sqlite3_stmt *stmt = NULL;
    int rc;

    pthread_mutex_lock(&reader->lock);
    rc = sql_query(reader->db, &stmt, sql, "ti", text, number);
    if (rc == SQLITE_OK)
        rc = give_hits(giving, stmt);
    if (rc != SQLITE_OK)
        result = store_look_failed(blocklist, reader->db, rc, error);
    sqlite3_finalize(stmt);
    pthread_mutex_unlock(&reader->lock);
    return result;
}

#define HITS "SELECT h.entry, h.hits, h.last, l.source FROM "

/* Takes up to limit of what waits, as a JSON array, and leaves the others. */
static char *take_entries(struct hits *hits, size_t limit, bool *more)
{
    struct hit *taken = hits_take(hits), *hit, *next;
    json_t *entries = json_array();
    char *text;

    HASH_ITER (hh, taken, hit, next) {
        if (json_array_size(entries) >= limit)
            break;
        (void)json_array_append_new(entries, json_string(hit->entry));
        HASH_DEL(taken, hit);
        free(hit);
    }
    *more = taken != NULL;
    hits_give_back(hits, taken);
    text = json_dumps(entries, JSON_COMPACT);
    json_decref(entries);
    return text;
}

enum blocklist_result shared_hits_lately(struct blocklist *blocklist, size_t limit,
                                         shared_each_hit *each, void *context, bool *more,
                                         char error[static BLOCKLIST_ERROR_SIZE])
{
    static const char sql[] =
        HITS "hit h JOIN listing l USING (entry) WHERE h.entry IN"
             " (SELECT value FROM json_each(?1) LIMIT ?2) ORDER BY h.entry";
    struct giving giving = {&blocklist->versions, each, context, ""};
    enum blocklist_result result = BLOCKLIST_OK;
    char *entries;

    atomic_store(&blocklist->gives_hits, true);
    entries = take_entries(&blocklist->farm_hits, limit, more);
    if (entries != NULL && strcmp(entries, "[]") != 0)
        result = read_hits(blocklist, sql, entries, (int64_t)limit, &giving, error);
    free(entries);
    return result;
}

enum blocklist_result shared_hits_all(struct blocklist *blocklist,
                                      char after[static ENTRY_TEXT_SIZE], size_t limit,
                                      shared_each_hit *each, void *context, bool *more,
                                      char error[static BLOCKLIST_ERROR_SIZE])
{
    /* rows, not entries, are so many: what is cut comes with the next */
    static const char sql[] = HITS
        "hit h JOIN listing l USING (entry) WHERE h.entry > ?1 ORDER BY h.entry LIMIT ?2";
    struct giving giving = {&blocklist->versions, each, context, ""};
    enum blocklist_result result;

    (void)text_copy(after, giving.last, sizeof giving.last);
    result = read_hits(blocklist, sql, after, (int64_t)limit, &giving, error);
    *more = strcmp(giving.last, after) != 0;
    (void)text_copy(giving.last, after, ENTRY_TEXT_SIZE);
    return result;
}
