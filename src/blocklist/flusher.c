/* SPDX-License-Identifier: BSD-2-Clause */
/* The flusher: about once a second it writes what matched, takes off what has run
 * out, and moves the write-ahead log into the database. */

#include <stdio.h>

#include "base/clock.h"
#include "base/sql.h"
#include "blocklist/schema.h"
#include "blocklist/transaction.h"

#define TICK_MS           1000
#define ENDS_PER_COMMIT   1000 /* an admin's change waits no longer than for these */
#define LAST_SEEN_TICKS   60
#define CHECKPOINT_TICKS  10 /* each syncs the database, which an admin's commit feels */
#define WAL_TRUNCATE_SIZE (64 << 20)

/* Begins a transaction that nobody waits for; not when somebody else is writing. */
static bool begin(struct blocklist *blocklist, const char *action)
{
    char error[BLOCKLIST_ERROR_SIZE];

    return transaction_begin(blocklist, TRANSACTION_LAZY, action, &blocklist_self, "", 0,
                             error) == BLOCKLIST_OK;
}

static bool write_hits(struct blocklist *blocklist)
{
    struct transaction *writing = &blocklist->writing;
    struct hit *taken = hits_take(&blocklist->hits);
    char error[BLOCKLIST_ERROR_SIZE];
    int rc = SQLITE_OK;

    if (taken == NULL)
        return true;
    if (!begin(blocklist, "hit")) {
        hits_give_back(&blocklist->hits, taken);
        return false;
    }
    for (struct hit *hit = taken; hit != NULL && rc == SQLITE_OK; hit = hit->hh.next) {
        rc = sql_bind(writing->put_hit, "tii", hit->entry, (int64_t)hit->count,
                      (int64_t)hit->last);
        if (rc == SQLITE_OK)
            rc = sql_run(writing->put_hit);
    }
    if (rc != SQLITE_OK) {
        (void)transaction_failed(blocklist, writing->db, error);
        transaction_cancel(blocklist);
    } else if (transaction_commit(blocklist, error) != BLOCKLIST_OK) {
        rc = SQLITE_ERROR;
    }
    if (rc == SQLITE_OK && atomic_load(&blocklist->gives_hits))
        hits_give_back(&blocklist->farm_hits, taken);
    else if (rc == SQLITE_OK)
        hits_free(taken);
    else
        hits_give_back(&blocklist->hits, taken);
    return rc == SQLITE_OK;
}

/* Takes off some of what has run out. Returns how many rows, 0 when there are none. */
static uint64_t end_some(struct blocklist *blocklist)
{
    struct transaction *writing = &blocklist->writing;
    char error[BLOCKLIST_ERROR_SIZE];
    uint64_t ended;

    if (!begin(blocklist, "expire"))
        return 0;
    if (sql_bind(writing->end_many, "ii", (int64_t)blocklist_ended(blocklist),
                 (int64_t)ENDS_PER_COMMIT) != SQLITE_OK ||
        sql_run(writing->end_many) != SQLITE_OK) {
        (void)transaction_failed(blocklist, writing->db, error);
        transaction_cancel(blocklist);
        return 0;
    }
    ended = writing->audit.removed;
    if (ended == 0) {
        transaction_cancel(blocklist);
        return 0;
    }
    return transaction_commit(blocklist, error) == BLOCKLIST_OK ? ended : 0;
}

void flusher_work(struct blocklist *blocklist)
{
    (void)write_hits(blocklist); /* told by store_trouble; tried again */
    while (end_some(blocklist) == ENDS_PER_COMMIT)
        ;
}

/* So that the next start can see that the clock jumped meanwhile. Returns false when
 * somebody else was writing, or it failed: to be tried again. */
static bool note_last_seen(struct blocklist *blocklist)
{
    struct transaction *writing = &blocklist->writing;
    char error[BLOCKLIST_ERROR_SIZE];

    if (!begin(blocklist, "meta"))
        return false;
    if (sql_bind(writing->put_meta, "ti", "last_seen",
                 (int64_t)walltime_now(&blocklist->walltime)) != SQLITE_OK ||
        sql_run(writing->put_meta) != SQLITE_OK) {
        (void)transaction_failed(blocklist, writing->db, error);
        transaction_cancel(blocklist);
        return false;
    }
    return transaction_commit(blocklist, error) == BLOCKLIST_OK;
}

/* Readers are never waited for: what they still read stays for the next time. */
static void checkpoint(struct blocklist *blocklist, sqlite3 *db)
{
    char wal[4096 + 8];
    struct stat st;
    int length = snprintf(wal, sizeof wal, "%s-wal", blocklist->path);
    bool large = length > 0 && (size_t)length < sizeof wal && stat(wal, &st) == 0 &&
                 st.st_size > WAL_TRUNCATE_SIZE;
    char error[BLOCKLIST_ERROR_SIZE];
    int rc;

    rc = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc == SQLITE_OK && large &&
        transaction_lock(blocklist, 0, error) == BLOCKLIST_OK) {
        (void)sqlite3_busy_timeout(db, 0);
        rc =
            sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        transaction_unlock(blocklist);
    }
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        log_error("blocklist: checkpoint: %s", sqlite3_errmsg(db));
}

void *flusher_main(void *context)
{
    struct blocklist *blocklist = context;
    sqlite3 *db = NULL;
    char error[BLOCKLIST_ERROR_SIZE];
    unsigned ticks = 0, note_at = 0;

    if (schema_connect(blocklist->path, SCHEMA_WRITE, &db, error, sizeof error) !=
        SCHEMA_OK)
        store_trouble(blocklist, error, false);
    do {
        walltime_tick(&blocklist->walltime);
        flusher_work(blocklist);
        if (ticks >= note_at && note_last_seen(blocklist))
            note_at = ticks + LAST_SEEN_TICKS;
        if (db != NULL && ticks % CHECKPOINT_TICKS == 0)
            checkpoint(blocklist, db);
        ticks++;
    } while (store_wait(blocklist, TICK_MS, false));
    sqlite3_close(db);
    return NULL;
}
