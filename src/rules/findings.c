/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/findings_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"
#include "config/config.h"

#define APPLICATION_ID  0x52424c72 /* "RBLr" */
#define SCHEMA_VERSION  2
#define EVENTS_KEPT_S   (30 * 86400)
#define FINDINGS_KEPT_S (400 * 86400)

static const char schema[] =
    "CREATE TABLE finding (no INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"
    " rule TEXT NOT NULL, entry TEXT NOT NULL, key TEXT NOT NULL, because TEXT NOT NULL,"
    " state INTEGER NOT NULL, by_rule INTEGER NOT NULL, block INTEGER NOT NULL,"
    " for_s INTEGER NOT NULL, expires INTEGER NOT NULL, held TEXT NOT NULL,"
    " evidence TEXT NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL,"
    " decided_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX finding_entry ON finding (entry, rule);"
    "CREATE INDEX finding_state ON finding (state);"
    "CREATE UNIQUE INDEX finding_open ON finding (entry, rule) WHERE state IN (0, 1);"
    "CREATE TABLE rule (name TEXT PRIMARY KEY, text TEXT NOT NULL, since INTEGER NOT "
    "NULL,"
    " tripped_at INTEGER NOT NULL, why TEXT NOT NULL) STRICT;"
    "CREATE TABLE event (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"
    " no INTEGER NOT NULL, kind TEXT NOT NULL, rule TEXT NOT NULL, entry TEXT NOT NULL,"
    " text TEXT NOT NULL, who TEXT NOT NULL) STRICT;";

/* 2: findings are shared by the hosts of a farm. id: on all of them; node: whose it is,
 * '' ours; told: reported, the farm has it as it is. */
#define NEW_ID "random() & 9223372036854775807"
static const char second_schema[] =
    "ALTER TABLE finding ADD COLUMN id INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE finding ADD COLUMN node TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE finding ADD COLUMN told INTEGER NOT NULL DEFAULT 0;"
    "UPDATE finding SET id = " NEW_ID ";"
    "CREATE UNIQUE INDEX finding_id ON finding (id);";

int findings_end(struct findings *f, int rc)
{
    static struct log_limit limit;
    unsigned held_back;

    if (rc != SQLITE_OK && rc != SQLITE_DONE && log_limit_pass(&limit, 10000, &held_back))
        log_error("rules: database: %s, held-back=%u",
                  f->db != NULL ? sqlite3_errmsg(f->db) : sqlite3_errstr(rc), held_back);
    pthread_mutex_unlock(&f->lock);
    return rc == SQLITE_OK || rc == SQLITE_DONE ? 0 : -1;
}

/* --- open and close --- */

/* version: as it is, 0 of an empty file. */
static int make_schema(sqlite3 *db, int64_t version)
{
    char pragmas[128];
    int rc = sql_exec(db, "BEGIN IMMEDIATE");

    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             APPLICATION_ID, SCHEMA_VERSION);
    if (rc == SQLITE_OK && version == 0)
        rc = sql_exec(db, schema);
    if (rc == SQLITE_OK)
        rc = sql_exec(db, second_schema);
    if (rc == SQLITE_OK)
        rc = sql_exec(db, pragmas);
    if (rc == SQLITE_OK)
        return sql_exec(db, "COMMIT");
    (void)sql_exec(db, "ROLLBACK");
    return rc;
}

/* Opens the file as it is. It is written without a sync, so that a mailbox is put off soon: a
 * kill loses nothing, and where the power goes the entry itself is on disk, which the blocklist
 * syncs; what is lost is how it came about. SQLITE_NOTADB: it is none of ours, or broken. */
static int open_file(const char *path, sqlite3 **db)
{
    int64_t version = 0, application = 0, sound = 0;
    int rc = sqlite3_open_v2(
        path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW,
        NULL);

    if (rc == SQLITE_OK)
        rc = sql_harden(*db);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(*db, 2000);
    if (rc == SQLITE_OK)
        rc = sql_exec(*db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                           "PRAGMA journal_size_limit=4194304");
    if (rc == SQLITE_OK)
        rc = sql_number(*db, &version, "PRAGMA user_version", "");
    if (rc == SQLITE_OK)
        rc = sql_number(*db, &application, "PRAGMA application_id", "");
    if (rc != SQLITE_OK)
        return rc;
    if (version == 0 && application == 0)
        return make_schema(*db, 0);
    if (application != APPLICATION_ID || version < 1 || version > SCHEMA_VERSION)
        return SQLITE_NOTADB;
    if (version < SCHEMA_VERSION)
        rc = make_schema(*db, version);
    if (rc != SQLITE_OK)
        return rc;
    rc = sql_number(*db, &sound,
                    "SELECT count(*) FROM pragma_quick_check WHERE quick_check = 'ok'",
                    "");
    return rc == SQLITE_OK && sound != 1 ? SQLITE_CORRUPT : rc;
}

/* Puts a file that cannot be read aside, with what belongs to it. */
static void put_aside(const char *path)
{
    char kept[4096];

    text_sentence(kept, sizeof kept, "%s.damaged-%lld", path, (long long)time(NULL));
    if (sql_rename(path, kept) != 0)
        log_error("rules: cannot rename %s: %s", path, strerror(errno));
    log_error("rules: %s is damaged, or of another version: it is put aside as "
              "%s.damaged-TIME, and proposals begin again",
              path, path);
}

struct findings *findings_open(const char *path, char error[static FINDINGS_ERROR_SIZE])
{
    struct findings *f = calloc(1, sizeof *f);
    int rc;

    if (f == NULL || pthread_mutex_init(&f->lock, NULL) != 0) {
        free(f);
        text_sentence(error, FINDINGS_ERROR_SIZE, "out of memory");
        return NULL;
    }
    f->heard = -1;
    rc = open_file(path, &f->db);
    if (sql_is_damage(rc)) {
        sqlite3_close(f->db);
        f->db = NULL;
        put_aside(path);
        rc = open_file(path, &f->db);
    }
    if (rc == SQLITE_OK)
        return f;
    text_sentence(error, FINDINGS_ERROR_SIZE, "%s: %s", path,
                  f->db != NULL ? sqlite3_errmsg(f->db) : sqlite3_errstr(rc));
    findings_close(f);
    return NULL;
}

void findings_close(struct findings *f)
{
    if (f == NULL)
        return;
    sqlite3_close(f->db);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* --- findings --- */

int findings_add(struct findings *f, struct finding_row *row)
{
    int rc;

    pthread_mutex_lock(&f->lock);
    rc = sql_run_once(
        f->db,
        "INSERT INTO finding (at, rule, entry, key, because, state, by_rule, block,"
        " for_s, expires, held, evidence, who, reason, decided_at, id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, " NEW_ID ")",
        "ittttiiiiitttti", row->at, row->rule, row->entry, row->key, row->because,
        (int64_t)row->state, (int64_t)row->by_rule, (int64_t)row->block, row->for_s,
        row->expires, row->held, row->evidence, row->who, row->reason, row->decided_at);
    row->no = sqlite3_last_insert_rowid(f->db);
    return findings_end(f, rc);
}

int findings_decide(struct findings *f, int64_t no, enum finding_state state,
                    const char *who, const char *reason, int64_t expires, int64_t now)
{
    pthread_mutex_lock(&f->lock);
    return findings_end(
        f, sql_run_once(f->db,
                        "UPDATE finding SET state = ?, who = ?, reason = ?,"
                        " expires = ?, decided_at = ?, told = 0 WHERE no = ?",
                        "ittiii", (int64_t)state, who, reason, expires, now, no));
}

int findings_evidence(struct findings *f, int64_t no, const char *evidence)
{
    pthread_mutex_lock(&f->lock);
    return findings_end(
        f, sql_run_once(f->db, "UPDATE finding SET evidence = ?, told = 0 WHERE no = ?",
                        "ti", evidence, no));
}

struct finding_row finding_read(sqlite3_stmt *stmt)
{
    int state = sqlite3_column_int(stmt, 6);

    return (struct finding_row){
        .no = sqlite3_column_int64(stmt, 0),
        .at = sqlite3_column_int64(stmt, 1),
        .rule = sql_text(stmt, 2),
        .entry = sql_text(stmt, 3),
        .key = sql_text(stmt, 4),
        .because = sql_text(stmt, 5),
        .state = (enum finding_state)(state % (FINDING_REMOVED + 1)),
        .by_rule = sqlite3_column_int(stmt, 7) != 0,
        .block = sqlite3_column_int(stmt, 8) != 0,
        .for_s = sqlite3_column_int64(stmt, 9),
        .expires = sqlite3_column_int64(stmt, 10),
        .held = sql_text(stmt, 11),
        .evidence = sql_text(stmt, 12),
        .who = sql_text(stmt, 13),
        .reason = sql_text(stmt, 14),
        .decided_at = sqlite3_column_int64(stmt, 15),
        .node = sql_text(stmt, 16),
        .id = sqlite3_column_int64(stmt, 17),
    };
}

int findings_each(struct findings *f, unsigned states, const char *entry, size_t limit,
                  findings_each_row *each, void *context)
{
    sqlite3_stmt *stmt = NULL;
    struct finding_row row;
    int rc;

    pthread_mutex_lock(&f->lock);
    rc = sql_query(f->db, &stmt,
                   "SELECT " FINDING_COLUMNS " FROM finding"
                   " WHERE (?1 = 0 OR ?1 >> state & 1) AND (?2 = '' OR entry = ?2)"
                   " ORDER BY no DESC LIMIT ?3",
                   "iti", (int64_t)states, entry,
                   limit > 0 ? (int64_t)limit : (int64_t)-1);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        row = finding_read(stmt);
        each(context, &row);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return findings_end(f, rc);
}

int findings_history(struct findings *f, const char *rule, const char *entry, int64_t now,
                     struct finding_history *out)
{
    int64_t open = 0, steps = 0, dismissed = 0;
    int rc;

    *out = (struct finding_history){0};
    pthread_mutex_lock(&f->lock);
    rc = sql_number(f->db, &open,
                    "SELECT count(*) FROM finding WHERE rule = ? AND entry = ?"
                    " AND state IN (0, 1)",
                    "tt", rule, entry);
    if (rc == SQLITE_OK)
        rc = sql_number(f->db, &steps,
                        "SELECT count(*) FROM finding f WHERE rule = ?1 AND entry = ?2"
                        " AND state IN (2, 5) AND at > ?3 AND no > (SELECT"
                        " coalesce(max(no), 0) FROM finding WHERE rule = ?1 AND"
                        " entry = ?2 AND state = 6)"
                        /* what two hosts of a farm found at once is one */
                        " AND NOT EXISTS (SELECT 1 FROM finding WHERE rule = ?1 AND"
                        " entry = ?2 AND state IN (2, 5) AND node <> f.node AND"
                        " at BETWEEN f.at - 600 AND f.at AND (at < f.at OR no < f.no))",
                        "tti", rule, entry, now - RULE_STEPS_S);
    if (rc == SQLITE_OK)
        rc = sql_number(f->db, &dismissed,
                        "SELECT coalesce(max(decided_at), 0) FROM finding"
                        " WHERE rule = ? AND entry = ? AND state = 3",
                        "tt", rule, entry);
    out->is_open = open > 0;
    out->steps = (int)steps;
    out->dismissed_at = dismissed;
    return findings_end(f, rc);
}

int findings_made(struct findings *f, int64_t since, const char *but, int64_t *out,
                  int64_t *logins)
{
    int rc;

    pthread_mutex_lock(&f->lock);
    rc = sql_number(f->db, out,
                    "SELECT count(*) FROM finding WHERE by_rule AND at >= ?"
                    " AND state IN (1, 2, 5, 6)",
                    "i", since);
    if (rc == SQLITE_OK)
        rc = sql_number(
            f->db, logins,
            "SELECT count(DISTINCT entry) FROM finding WHERE by_rule AND at >= ?"
            " AND state IN (1, 2, 5, 6) AND substr(entry, 1, 5) = 'user:' AND entry <> ?",
            "it", since, but);
    return findings_end(f, rc);
}

/* --- rules --- */

/* Under the lock. */
static int read_rule(struct findings *f, const char *name, struct finding_rule *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc =
        sql_query(f->db, &stmt, "SELECT since, tripped_at, why FROM rule WHERE name = ?",
                  "t", name);

    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        out->since = sqlite3_column_int64(stmt, 0);
        out->tripped_at = sqlite3_column_int64(stmt, 1);
        text_copy(sql_text(stmt, 2), out->why, sizeof out->why);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int findings_rule(struct findings *f, const char *name, const char *text, int64_t now,
                  struct finding_rule *out)
{
    int rc;

    *out = (struct finding_rule){.since = now};
    pthread_mutex_lock(&f->lock);
    rc = sql_run_once(f->db,
                      "INSERT INTO rule VALUES (?1, ?2, ?3, 0, '') ON CONFLICT (name)"
                      " DO UPDATE SET text = ?2, since = ?3 WHERE text <> ?2",
                      "tti", name, text, now);
    if (rc == SQLITE_OK)
        rc = read_rule(f, name, out);
    return findings_end(f, rc);
}

int findings_rule_state(struct findings *f, const char *name, struct finding_rule *out)
{
    *out = (struct finding_rule){0};
    pthread_mutex_lock(&f->lock);
    return findings_end(f, read_rule(f, name, out));
}

int findings_trip(struct findings *f, const char *name, const char *why, int64_t now)
{
    pthread_mutex_lock(&f->lock);
    return findings_end(
        f, sql_run_once(f->db, "UPDATE rule SET tripped_at = ?, why = ? WHERE name = ?",
                        "itt", now, why, name));
}

int findings_resume(struct findings *f, const char *name)
{
    int rc, changed;

    pthread_mutex_lock(&f->lock);
    rc = sql_run_once(f->db,
                      "UPDATE rule SET tripped_at = 0, why = ''"
                      " WHERE name = ? AND tripped_at <> 0",
                      "t", name);
    changed = sqlite3_changes(f->db);
    return findings_end(f, rc) != 0 ? -1 : changed == 0;
}

int findings_counts(struct findings *f, const char *rule, int64_t since,
                    int64_t counts[static FINDING_REMOVED + 1], int64_t *accepted)
{
    sqlite3_stmt *stmt = NULL;
    int rc;

    memset(counts, 0, (FINDING_REMOVED + 1) * sizeof *counts);
    pthread_mutex_lock(&f->lock);
    rc = sql_query(f->db, &stmt,
                   "SELECT state, count(*) FROM finding WHERE rule = ? AND at >= ?"
                   " GROUP BY state",
                   "ti", rule, since);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int state = sqlite3_column_int(stmt, 0);

        if (state >= 0 && state <= FINDING_REMOVED)
            counts[state] = sqlite3_column_int64(stmt, 1);
        rc = SQLITE_OK;
    }
    if (rc == SQLITE_DONE)
        rc = sql_number(f->db, accepted,
                        "SELECT count(*) FROM finding WHERE rule = ? AND at >= ?"
                        " AND NOT by_rule AND state IN (2, 5, 6)",
                        "ti", rule, since);
    sqlite3_finalize(stmt);
    return findings_end(f, rc);
}

/* --- events --- */

int findings_note(struct findings *f, const struct finding_event *event)
{
    pthread_mutex_lock(&f->lock);
    return findings_end(
        f, sql_run_once(f->db,
                        "INSERT INTO event (at, no, kind, rule, entry, text, who)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?)",
                        "iittttt", event->at, event->no, event->kind, event->rule,
                        event->entry, event->text, event->who));
}

int findings_events(struct findings *f, int64_t after, size_t limit,
                    findings_each_event *each, void *context, int64_t *last)
{
    sqlite3_stmt *stmt = NULL;
    int rc = SQLITE_OK;

    pthread_mutex_lock(&f->lock);
    *last = after;
    if (after < 0)
        rc = sql_number(f->db, last, "SELECT coalesce(max(id), 0) FROM event", "");
    else
        rc = sql_query(f->db, &stmt,
                       "SELECT id, at, no, kind, rule, entry, text, who FROM event"
                       " WHERE id > ? ORDER BY id LIMIT ?",
                       "ii", after, (int64_t)limit);
    while (rc == SQLITE_OK && stmt != NULL && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct finding_event event = {
            .id = sqlite3_column_int64(stmt, 0),
            .at = sqlite3_column_int64(stmt, 1),
            .no = sqlite3_column_int64(stmt, 2),
            .kind = sql_text(stmt, 3),
            .rule = sql_text(stmt, 4),
            .entry = sql_text(stmt, 5),
            .text = sql_text(stmt, 6),
            .who = sql_text(stmt, 7),
        };

        each(context, &event);
        *last = event.id;
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return findings_end(f, rc);
}

int findings_prune(struct findings *f, int64_t now)
{
    int rc;

    pthread_mutex_lock(&f->lock);
    f->heard = -1;
    rc = sql_run_once(f->db, "DELETE FROM event WHERE at < ?", "i", now - EVENTS_KEPT_S);
    if (rc == SQLITE_OK)
        rc = sql_run_once(f->db,
                          "DELETE FROM finding WHERE at < ? AND state NOT IN (0, 1, 2)",
                          "i", now - FINDINGS_KEPT_S);
    return findings_end(f, rc);
}
