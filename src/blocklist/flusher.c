/* SPDX-License-Identifier: BSD-2-Clause */
/* Hits, kept in memory until the flusher takes them. The flusher: about once a second it
 * writes what matched, takes off what has run out, and moves the write-ahead log into the
 * database. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sql.h"
#include "blocklist/schema.h"
#include "blocklist/transaction.h"

#define TICK_MS           1000
#define ENDS_PER_COMMIT   1000 /* an admin's change waits no longer than for these */
#define LAST_SEEN_TICKS   60
#define CHECKPOINT_TICKS  10 /* each syncs the database, which an admin's commit feels */
#define WAL_TRUNCATE_SIZE (64 << 20)

static void hits_free(struct hit *taken)
{
    struct hit *hit, *next;

    HASH_ITER (hh, taken, hit, next) {
        HASH_DEL(taken, hit);
        free(hit);
    }
}

void hits_init(struct hits *hits)
{
    pthread_mutex_init(&hits->lock, NULL);
    hits->pending = NULL;
    hits->dropped = 0;
}

void hits_destroy(struct hits *hits)
{
    hits_free(hits->pending);
    pthread_mutex_destroy(&hits->lock);
}

/* Under the lock. Returns NULL when there is no room or no memory for another. */
static struct hit *add_hit(struct hits *hits, const char *entry)
{
    size_t length = strlen(entry);
    struct hit *hit =
        HASH_COUNT(hits->pending) < HITS_MAX ? calloc(1, sizeof *hit + length + 1) : NULL;

    if (hit == NULL)
        return NULL;
    memcpy(hit->entry, entry, length + 1);
    HASH_ADD_STR(hits->pending, entry, hit);
    if (hit->hh.tbl == NULL) {
        free(hit);
        return NULL;
    }
    return hit;
}

void hits_add(struct hits *hits, const char *entry, uint64_t count, time_t last)
{
    struct hit *hit = NULL;

    pthread_mutex_lock(&hits->lock);
    HASH_FIND_STR(hits->pending, entry, hit);
    if (hit == NULL)
        hit = add_hit(hits, entry);
    if (hit != NULL) {
        hit->count += count;
        if (hit->last < last)
            hit->last = last;
    } else {
        hits->dropped += count;
    }
    pthread_mutex_unlock(&hits->lock);
}

struct hit *hits_take(struct hits *hits)
{
    struct hit *taken;

    pthread_mutex_lock(&hits->lock);
    taken = hits->pending;
    hits->pending = NULL;
    pthread_mutex_unlock(&hits->lock);
    return taken;
}

void hits_give_back(struct hits *hits, struct hit *taken)
{
    struct hit *hit, *next;

    HASH_ITER (hh, taken, hit, next) {
        hits_add(hits, hit->entry, hit->count, hit->last);
    }
    hits_free(taken);
}

void hits_count(struct hits *hits, uint64_t *pending, uint64_t *dropped)
{
    pthread_mutex_lock(&hits->lock);
    *pending = HASH_COUNT(hits->pending);
    *dropped = hits->dropped;
    pthread_mutex_unlock(&hits->lock);
}

/* Begins a transaction that nobody waits for; not when somebody else is writing. */
static bool begin(struct blocklist *blocklist, const char *action)
{
    char error[BLOCKLIST_ERROR_SIZE];

    return transaction_begin(blocklist, TRANSACTION_LAZY, action, &blocklist_self, "", 0,
                             error) == BLOCKLIST_OK;
}

static void write_hits(struct blocklist *blocklist)
{
    struct transaction *writer = &blocklist->writer;
    struct hit *taken = hits_take(&blocklist->hits);
    char error[BLOCKLIST_ERROR_SIZE];
    int rc = SQLITE_OK;

    if (taken == NULL)
        return;
    if (!begin(blocklist, "hit")) {
        hits_give_back(&blocklist->hits, taken);
        return;
    }
    for (struct hit *hit = taken; hit != NULL && rc == SQLITE_OK; hit = hit->hh.next)
        rc = sql_run_with(writer->put_hit, "tii", hit->entry, (int64_t)hit->count,
                          (int64_t)hit->last);
    if (rc != SQLITE_OK) {
        (void)transaction_failed(blocklist, writer->db, error);
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
}

/* Takes off some of what has run out. Returns how many rows, 0 when there are none. */
static uint64_t end_some(struct blocklist *blocklist)
{
    struct transaction *writer = &blocklist->writer;
    char error[BLOCKLIST_ERROR_SIZE];
    uint64_t ended;

    if (!begin(blocklist, "expire"))
        return 0;
    if (sql_run_with(writer->end_many, "ii", (int64_t)blocklist_ended(blocklist),
                     (int64_t)ENDS_PER_COMMIT) != SQLITE_OK) {
        (void)transaction_failed(blocklist, writer->db, error);
        transaction_cancel(blocklist);
        return 0;
    }
    ended = writer->audit.removed;
    if (ended == 0) {
        transaction_cancel(blocklist);
        return 0;
    }
    return transaction_commit(blocklist, error) == BLOCKLIST_OK ? ended : 0;
}

void flusher_work(struct blocklist *blocklist)
{
    write_hits(blocklist); /* store_trouble reports what fails; it is tried again */
    while (end_some(blocklist) == ENDS_PER_COMMIT)
        ;
}

/* So that the next start can see that the clock jumped meanwhile. Returns false when
 * somebody else was writing, or it failed: to be tried again. */
static bool note_last_seen(struct blocklist *blocklist)
{
    struct transaction *writer = &blocklist->writer;
    char error[BLOCKLIST_ERROR_SIZE];

    if (!begin(blocklist, "meta"))
        return false;
    if (sql_run_with(writer->put_meta, "ti", "last_seen",
                     (int64_t)walltime_now(&blocklist->walltime)) != SQLITE_OK) {
        (void)transaction_failed(blocklist, writer->db, error);
        transaction_cancel(blocklist);
        return false;
    }
    return transaction_commit(blocklist, error) == BLOCKLIST_OK;
}

/* Readers are never waited for: what they still read stays for the next time. */
static void checkpoint(struct blocklist *blocklist, sqlite3 *db)
{
    bool large = store_file_size(blocklist->path, "-wal") > WAL_TRUNCATE_SIZE;
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
