/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"

#define BEHIND_MS 200

const struct blocklist_actor blocklist_self = {"rblmilter", 0};

int transaction_open(sqlite3 *db, struct blocklist *blocklist)
{
    struct transaction *writer = &blocklist->writer;
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } statements[] = {
        {&writer->put,
         "INSERT INTO listing (entry, kind, allow, tempfail, source, reason, who, since,"
         " expires, at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
         "version_at(),"
         " version_id())" SCHEMA_ON_CONFLICT},
        {&writer->touch, "UPDATE listing SET at = version_at(), version = version_id()"
                         " WHERE entry = ? AND allow = ? AND source = ?"},
        {&writer->end_one, "DELETE FROM listing WHERE entry = ? AND expires <= ?"},
        {&writer->end_many, "DELETE FROM listing WHERE id IN"
                            " (SELECT id FROM listing WHERE expires <= ? LIMIT ?)"},
        {&writer->remove, "DELETE FROM listing WHERE entry = ?"},
        {&writer->remove_from, "DELETE FROM listing WHERE entry = ? AND source = ?"},
        {&writer->standing,
         "SELECT allow, tempfail, source FROM listing WHERE entry = ?"},
        {&writer->put_hit, "INSERT INTO hit VALUES (?1, ?2, ?3) ON CONFLICT (entry)"
                           " DO UPDATE SET hits = hits + ?2, last = max(last, ?3)"},
        {&writer->put_meta, "INSERT OR REPLACE INTO meta VALUES (?, ?)"},
    };
    int rc = audit_attach(&writer->audit, db, &blocklist->bloom, AUDIT_ALL);

    writer->db = db;
    if (rc == SQLITE_OK)
        rc = versions_open(&blocklist->versions, db, blocklist->walltime.clock);
    if (rc == SQLITE_OK)
        rc = versions_attach(&blocklist->versions, db);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof statements / sizeof statements[0];
         i++)
        rc = sql_prepare(db, statements[i].stmt, statements[i].sql);
    return rc;
}

void transaction_close(struct transaction *writer)
{
    sqlite3_stmt *stmt;

    audit_detach(&writer->audit);
    while ((stmt = sqlite3_next_stmt(writer->db, NULL)) != NULL)
        sqlite3_finalize(stmt);
    sqlite3_close(writer->db);
    writer->db = NULL;
}

enum blocklist_result transaction_failed(struct blocklist *blocklist, sqlite3 *db,
                                         char error[static BLOCKLIST_ERROR_SIZE])
{
    int rc = sqlite3_extended_errcode(db);
    const char *hint = "";

    switch (rc & 0xff) {
    case SQLITE_FULL:
        hint = ": make room on the disk";
        break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        hint = ": may the daemon's user write the file and its folder?";
        break;
    case SQLITE_IOERR:
        hint = ": look for errors of the disk in the system's log";
        break;
    }
    text_sentence(error, BLOCKLIST_ERROR_SIZE,
                  "the blocklist's database cannot be changed: %s (%d)%s",
                  sqlite3_errmsg(db), rc, hint);
    store_trouble(blocklist, error, sql_is_damage(rc));
    return BLOCKLIST_FAILED;
}

enum blocklist_result transaction_check_file(struct blocklist *blocklist,
                                             char error[static BLOCKLIST_ERROR_SIZE])
{
    struct stat now;

    if (stat(blocklist->path, &now) == 0 && now.st_dev == blocklist->device &&
        now.st_ino == blocklist->inode)
        return BLOCKLIST_OK;
    text_sentence(
        error, BLOCKLIST_ERROR_SIZE,
        "the blocklist's database %s is gone or was replaced: restart rblmilter "
        "(it restores a backup with on-damage = restore)",
        blocklist->path);
    store_trouble(blocklist, error, false);
    return BLOCKLIST_FAILED;
}

/* A flag and a condition rather than a mutex held so long: waiting has a limit, by the
 * steady clock. */
static bool lock_writer(struct transaction *writer, int wait_ms, bool behind)
{
    struct timespec until = clock_timespec(clock_ms() + wait_ms);
    bool taken;
    int rc = 0;

    pthread_mutex_lock(&writer->lock);
    writer->waiting += !behind;
    while ((writer->taken || (behind && writer->waiting > 0)) && wait_ms > 0 && rc == 0)
        rc = pthread_cond_clockwait(&writer->released, &writer->lock, CLOCK_MONOTONIC,
                                    &until);
    writer->waiting -= !behind;
    taken = !writer->taken;
    writer->taken = true;
    pthread_mutex_unlock(&writer->lock);
    return taken;
}

enum blocklist_result transaction_lock(struct blocklist *blocklist, int wait_ms,
                                       char error[static BLOCKLIST_ERROR_SIZE])
{
    if (lock_writer(&blocklist->writer, wait_ms, false))
        return BLOCKLIST_OK;
    text_sentence(
        error, BLOCKLIST_ERROR_SIZE,
        "another change of the blocklist is being written, perhaps an import: try "
        "again");
    return BLOCKLIST_BUSY;
}

enum blocklist_result transaction_lock_behind(struct blocklist *blocklist, int wait_ms,
                                              char error[static BLOCKLIST_ERROR_SIZE])
{
    return lock_writer(&blocklist->writer, BEHIND_MS, true)
               ? BLOCKLIST_OK
               : transaction_lock(blocklist, wait_ms, error);
}

void transaction_unlock(struct blocklist *blocklist)
{
    struct transaction *writer = &blocklist->writer;

    pthread_mutex_lock(&writer->lock);
    writer->taken = false;
    pthread_cond_broadcast(&writer->released);
    pthread_mutex_unlock(&writer->lock);
}

/* SQLite takes the setting only outside of a transaction. */
static int set_sync(struct transaction *writer, enum transaction_sync sync)
{
    int rc;

    if (writer->lazy == (sync == TRANSACTION_LAZY))
        return SQLITE_OK;
    rc = sql_exec(writer->db, sync == TRANSACTION_LAZY ? "PRAGMA synchronous = NORMAL"
                                                       : "PRAGMA synchronous = FULL");
    if (rc == SQLITE_OK)
        writer->lazy = sync == TRANSACTION_LAZY;
    return rc;
}

enum blocklist_result transaction_begin(struct blocklist *blocklist,
                                        enum transaction_sync sync, const char *action,
                                        const struct blocklist_actor *actor,
                                        const char *reason, int wait_ms,
                                        char error[static BLOCKLIST_ERROR_SIZE])
{
    struct transaction *writer = &blocklist->writer;
    enum blocklist_result result = transaction_lock(blocklist, wait_ms, error);

    if (result != BLOCKLIST_OK)
        return result;
    result = transaction_check_file(blocklist, error);
    /* temp.actor is no part of the transaction: a row of it may be set before */
    if (result == BLOCKLIST_OK && (set_sync(writer, sync) != SQLITE_OK ||
                                   audit_begin(&writer->audit, action, actor, reason,
                                               blocklist_now(blocklist)) != SQLITE_OK ||
                                   sql_exec(writer->db, "BEGIN IMMEDIATE") != SQLITE_OK))
        result = transaction_failed(blocklist, writer->db, error);
    if (result != BLOCKLIST_OK)
        transaction_unlock(blocklist);
    else
        versions_begin(&blocklist->versions);
    return result;
}

void transaction_cancel(struct blocklist *blocklist)
{
    /* SQLITE_FULL and its like may have rolled back already (pitfalls, D5) */
    if (!sqlite3_get_autocommit(blocklist->writer.db))
        (void)sql_exec(blocklist->writer.db, "ROLLBACK");
    transaction_unlock(blocklist);
}

void transaction_count(struct blocklist *blocklist, const struct audit *audit)
{
    pthread_mutex_lock(&blocklist->state_lock);
    for (int i = 0; i < ENTRY_KIND_COUNT; i++)
        blocklist->kinds[i] += audit->kinds[i];
    blocklist->allow += audit->allow;
    pthread_mutex_unlock(&blocklist->state_lock);
    atomic_fetch_add(&blocklist->changes, 1);
    if (bloom_is_full(&blocklist->bloom))
        store_rebuild(blocklist);
}

enum blocklist_result transaction_commit(struct blocklist *blocklist,
                                         char error[static BLOCKLIST_ERROR_SIZE])
{
    struct transaction *writer = &blocklist->writer;

    if (versions_note(&blocklist->versions, writer->db) != SQLITE_OK ||
        sql_exec(writer->db, "COMMIT") != SQLITE_OK) {
        enum blocklist_result result = transaction_failed(blocklist, writer->db, error);

        transaction_cancel(blocklist);
        return result;
    }
    store_trouble(blocklist, NULL, false);
    transaction_count(blocklist, &writer->audit);
    transaction_unlock(blocklist);
    return BLOCKLIST_OK;
}

bool transaction_texts_are_fine(const char *source, const char *reason,
                                char error[static BLOCKLIST_ERROR_SIZE])
{
    size_t length = strlen(source);

    error[0] = '\0';
    if (length == 0 || length >= BLOCKLIST_SOURCE_SIZE ||
        strspn(source,
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") !=
            length)
        text_sentence(
            error, BLOCKLIST_ERROR_SIZE,
            "bad source: expected 1 to %d letters, digits, \"-\", \"_\", \".\" or \":\"",
            BLOCKLIST_SOURCE_SIZE - 1);
    else if (strlen(reason) > BLOCKLIST_ADMIN_REASON)
        text_sentence(error, BLOCKLIST_ERROR_SIZE,
                      "the reason is too long: expected at most %d bytes",
                      BLOCKLIST_ADMIN_REASON);
    else if (!utf8_is_clean(reason))
        text_sentence(error, BLOCKLIST_ERROR_SIZE,
                      "the reason has control characters in it or is no UTF-8");
    else if (utf8_find_hidden(reason) != 0)
        text_sentence(
            error, BLOCKLIST_ERROR_SIZE,
            "there is the hidden character U+%04lX in the reason: expected only "
            "what can be seen",
            utf8_find_hidden(reason));
    return error[0] == '\0';
}

bool transaction_row_is_fine(struct blocklist *blocklist,
                             const struct blocklist_row_in *row, const char *source,
                             const char *reason, const struct entry_limits *limits,
                             char error[static BLOCKLIST_ERROR_SIZE])
{
    char why[ENTRY_ERROR_SIZE];

    if (!transaction_texts_are_fine(source, reason, error))
        return false;
    if (row->expires != 0 && row->expires <= blocklist_ended(blocklist)) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s: its expiry is in the past",
                      row->entry->text);
        return false;
    }
    if (limits != NULL && entry_too_wide(row->entry, row->allow, limits, why)) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s (--force does it all the same)",
                      why);
        return false;
    }
    return true;
}
